package outside

import (
	"strings"
	"testing"
)

func TestAFaultKeepsItsSentence(t *testing.T) {
	const sentence = `column at: "the twenty-first of August, in the morning" is not a time such as 2026-08-21T10:59:42Z`
	var b Batch
	b.fault(Fault{Message: sentence})
	b.fault(Fault{Message: strings.Repeat("é", maxMessage)})
	if got := b.Faults[0].Message; got != sentence {
		t.Errorf("got %q, want all of it", got)
	}
	if got := b.Faults[1].Message; len(got) > maxMessage+len("…") || !strings.HasSuffix(got, "é…") {
		t.Errorf("got %d bytes that end in %q, want at most %d and whole characters", len(got), got[len(got)-5:], maxMessage)
	}
}
