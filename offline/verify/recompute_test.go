package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"featurestore/hlc"
	"featurestore/offline/history"
)

// VF1: a row may have been read at any vector between two: of each log a beginning.
func TestEveryStateBetweenTwoVectorsIsTried(t *testing.T) {
	at := func(origin, n int) hlc.Position {
		return hlc.Position{Origin: hlc.Origin(origin), At: hlc.Timestamp(n)}
	}
	var rows []history.Row
	for _, p := range []hlc.Position{at(1, 1), at(1, 3), at(1, 5), at(1, 9), at(2, 2), at(2, 4), at(3, 1)} {
		rows = append(rows, history.Row{Log: p})
	}
	rows = append(rows, history.Row{Log: at(1, 4), LogOnly: true}, history.Row{Log: at(1, 5)}) // an entry with two rows
	for _, c := range []struct {
		from, until hlc.Vector
		want        string
	}{
		{hlc.Vector{1: 3}, hlc.Vector{1: 3}, "1.1 1.3"},
		{hlc.Vector{1: 1, 2: 2}, hlc.Vector{1: 7, 2: 4}, "1.1 2.2|1.1 2.2 2.4|1.1 1.3 2.2|1.1 1.3 2.2 2.4|1.1 1.3 1.5 2.2 1.5|1.1 1.3 1.5 2.2 2.4 1.5"},
		{hlc.Vector{}, hlc.Vector{3: 1}, "|3.1"},
	} {
		var got []string
		all := states(rows, c.from, c.until, func(in func(int) bool) bool {
			var one []string
			for i, r := range rows {
				if in(i) && !r.LogOnly {
					one = append(one, fmt.Sprintf("%d.%d", r.Log.Origin, r.Log.At))
				}
			}
			got = append(got, strings.Join(one, " "))
			return true
		})
		want := strings.Split(c.want, "|")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || !all {
			t.Errorf("from %v until %v: got %q, want %q", c.from, c.until, got, want)
		}
	}
}

// VF2: more states than are tried is told, not taken for all.
func TestTooManyStatesAreTold(t *testing.T) {
	var rows []history.Row
	until := hlc.Vector{}
	for origin := range 12 { // two to the twelfth
		rows = append(rows, history.Row{Log: hlc.Position{Origin: hlc.Origin(origin + 1), At: 1}})
		until[hlc.Origin(origin+1)] = 1
	}
	tried := 0
	count := func(func(int) bool) bool { tried++; return true }
	if all := states(rows, hlc.Vector{}, until, count); all || tried != maxCandidates {
		t.Errorf("all is %t after %d states", all, tried)
	}
	tried = 0
	if all := states(rows[:10], hlc.Vector{}, until, count); !all || tried != maxCandidates {
		t.Errorf("of as many as are tried: all is %t after %d states", all, tried)
	}
}
