package fault

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryFaultIsOnThePage: docs/protocol.md names each fault beside the rule
// that it switches off, and no other.
func TestEveryFaultIsOnThePage(t *testing.T) {
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range All() {
		names = append(names, f.String())
		if !strings.Contains(string(page), "`"+f.String()+"`") {
			t.Errorf("docs/protocol.md does not name %s", f)
		}
	}
	word := regexp.MustCompile("`([a-z]+(?:_[a-z]+)+)`")
	for _, row := range regexp.MustCompile(`(?m)^\| I\d+ .*\| ?(.*)\|$`).FindAllStringSubmatch(string(page), -1) {
		for _, m := range word.FindAllStringSubmatch(row[1], -1) {
			if !slices.Contains(names, m[1]) {
				t.Errorf("docs/protocol.md names %s, which is no fault", m[1])
			}
		}
	}
}

func TestASetHasWhatItIsOf(t *testing.T) {
	s := Of(AcceptGap, CountTwice)
	for _, f := range All() {
		if want := f == AcceptGap || f == CountTwice; s.Has(f) != want {
			t.Errorf("%v: got %v, want %v", f, s.Has(f), want)
		}
	}
}
