package feature

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextIsClippedBetweenCharacters(t *testing.T) {
	long := strings.Repeat("x", 63)
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{long + "y", long + "y"},
		{long + "yz", long + "y…"},
		{long + "é", long + "…"},
		{long + "yé", long + "y…"},
		{long[1:] + "éz", long[1:] + "é…"},
		{long[2:] + "😀z", long[2:] + "…"},
		{long[:60] + "😀z", long[:60] + "😀…"},
		{strings.Repeat("\x80", 70), strings.Repeat("\x80", 60) + "…"}, // not text: cut about there
	} {
		got := Clip(c.text)
		if got != c.want {
			t.Errorf("Clip(%q): got %q, want %q", c.text, got, c.want)
		}
		if utf8.ValidString(c.text) && !utf8.ValidString(got) {
			t.Errorf("Clip(%q): got %q, which is cut within a character", c.text, got)
		}
	}
}
