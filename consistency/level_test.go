package consistency

import (
	"strings"
	"testing"
	"time"
)

func TestParseAlternatives(t *testing.T) {
	for text, want := range map[string][]Alternative{
		"":                                    nil,
		"eventual":                            {{Level: Eventual}},
		"bounded; max-staleness=500ms":        {{Level: Bounded, MaxStaleness: 500 * time.Millisecond}},
		"session; within=5ms, eventual":       {{Level: Session, Within: 5 * time.Millisecond}, {Level: Eventual}},
		" quorum ,leader;within=1s ":          {{Level: Quorum}, {Level: Leader, Within: time.Second}},
		"bounded;max-staleness=2s;within=1ms": {{Level: Bounded, MaxStaleness: 2 * time.Second, Within: time.Millisecond}},
	} {
		got, err := ParseAlternatives(text)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: got %v, %v, want %v", text, got, err, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: alternative %d is %v, want %v", text, i, got[i], want[i])
			}
			if back, err := ParseAlternatives(got[i].String()); err != nil || back[0] != got[i] {
				t.Errorf("%v does not read back: %v, %v", got[i], back, err)
			}
		}
	}
}

func TestParseAlternativesSaysWhatWouldBeRight(t *testing.T) {
	for text, says := range map[string]string{
		"strong":                                  "use eventual, bounded, session, quorum, leader",
		"bounded":                                 "max-staleness=500ms",
		"bounded; max-staleness=-1s":              "positive duration",
		"session; max-staleness=1s":               "belongs to read level bounded",
		"session; for=1s":                         "use max-staleness, members, repair or within",
		"quorum; members=0":                       "from 1 to 64",
		"session; members=2":                      "belongs to read level quorum",
		"quorum; repair=later":                    "use blocking or none",
		"eventual; repair=none":                   "belongs to read level quorum",
		"session; within=soon":                    "positive duration",
		strings.Repeat("session,", 9) + "session": "at most 8",
		"session,,eventual":                       "not known",
	} {
		if _, err := ParseAlternatives(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want an error that says %q", text, err, says)
		}
	}
}

func TestParseFallback(t *testing.T) {
	for _, tt := range []struct {
		steps []string
		want  Fallback
	}{
		{nil, DefaultFallback},
		{[]string{"wait:30ms", "forward", "fail"}, DefaultFallback},
		{[]string{"fail"}, Fallback{}},
		{[]string{"wait:1s", "degrade"}, Fallback{Wait: time.Second, Unmet: Degrade}},
		{[]string{"degrade:eventual"}, Fallback{Unmet: Degrade}},
		{[]string{"forward", "degrade:session"}, Fallback{Forward: true, Unmet: Degrade, To: Session}},
	} {
		if got, err := ParseFallback(tt.steps); err != nil || got != tt.want {
			t.Errorf("%v: got %+v, %v, want %+v", tt.steps, got, err, tt.want)
		}
	}
	for _, steps := range [][]string{{"fail", "forward"}, {"wait:0s"}, {"wait:1s", "wait:2s"}, {"retry"}, {"degrade", "fail"}, {"degrade:quorum"}, {"degrade:"}, {"degraded"}} {
		if _, err := ParseFallback(steps); err == nil {
			t.Errorf("%v: read without an error", steps)
		}
	}
	if _, err := ParseFallback([]string{"degrade:bounded"}); err == nil || !strings.Contains(err.Error(), "session, bounded; max-staleness=2s") {
		t.Errorf("degrade:bounded: got %v, want what would be right", err)
	}
}

func TestParseOnUnmet(t *testing.T) {
	for word, want := range map[string]Fallback{
		"":                DefaultFallback,
		"forward":         DefaultFallback,
		"fail":            {Wait: DefaultFallback.Wait},
		"degrade":         {Wait: DefaultFallback.Wait, Forward: true, Unmet: Degrade},
		"degrade:session": {Wait: DefaultFallback.Wait, Forward: true, Unmet: Degrade, To: Session},
	} {
		if got, err := DefaultFallback.ParseOnUnmet(word); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", word, got, err, want)
		}
	}
	for _, word := range []string{"wait:1s", "degrade:bounded", "degrading", "never"} {
		if _, err := DefaultFallback.ParseOnUnmet(word); err == nil {
			t.Errorf("%q: read without an error", word)
		}
	}
}
