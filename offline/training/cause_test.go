package training

import (
	"slices"
	"testing"
)

// U7: one cause for any facts, in this order.
func TestCausesExcludeOneAnother(t *testing.T) {
	for _, c := range []struct {
		name  string
		facts facts
		want  Cause
	}{
		{"the same value, too old on one side", facts{sameValue: true}, TTL},
		{"whatever else is known then", facts{sameValue: true, early: true, decided: true, later: true}, TTL},
		{"an event yet to come", facts{early: true}, EarlyData},
		{"and a write is missing beside it", facts{early: true, decided: true, historyOnly: true}, EarlyData},
		{"the same writes on both sides", facts{}, Conflict},
		{"pushed to history alone", facts{decided: true, historyOnly: true}, HistoryOnly},
		{"pushed there late", facts{decided: true, historyOnly: true, later: true, contested: true}, HistoryOnly},
		{"accepted later", facts{decided: true, later: true}, LateData},
		{"accepted later, of an event no newer", facts{decided: true, later: true, contested: true}, LateData},
		{"on its way, and newer", facts{decided: true}, ReplicationLag},
		{"on its way, and no newer", facts{decided: true, contested: true}, Conflict},
	} {
		if got := judge(c.facts); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCausesAreNamedOnce(t *testing.T) {
	var names []string
	for _, c := range Causes() {
		names = append(names, c.String())
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != int(causeEnd)-1 || slices.Contains(names, "") || slices.Contains(names, Same.String()) {
		t.Errorf("names of %d causes: %q", causeEnd-1, names)
	}
}
