package feature

import (
	"strings"
	"unicode/utf8"
)

// clipBytes is where Clip cuts.
const clipBytes = 64

// Clip shortens text from outside before it is put into an error: what is
// longer than 64 bytes ends there in "…", never within a UTF-8 character.
// The result shares no memory with s, which may be a buffer that is used again.
func Clip(s string) string {
	if len(s) <= clipBytes {
		return strings.Clone(s)
	}
	end := clipBytes
	for end > clipBytes-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
