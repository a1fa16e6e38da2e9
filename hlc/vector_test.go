package hlc_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"featurestore/hlc"
)

// vectors draws few origins and few times, zero among them, so that pairs of
// vectors overlap, differ and cover one another often.
var vectors = rapid.Custom(func(t *rapid.T) hlc.Vector {
	if rapid.Bool().Draw(t, "nil") && rapid.Bool().Draw(t, "really nil") {
		return nil
	}
	return rapid.MapOfN(
		rapid.Map(rapid.Uint32Range(1, 5), func(n uint32) hlc.Origin { return hlc.Origin(n) }),
		rapid.Map(rapid.Uint64Range(0, 4), func(n uint64) hlc.Timestamp { return hlc.Timestamp(n) }),
		0, 5,
	).Draw(t, "vector")
})

func TestVectorTable(t *testing.T) {
	a := hlc.Vector{1: 10, 2: 20}
	b := hlc.Vector{2: 15, 3: 30}
	for _, tc := range []struct {
		name      string
		got, want any
	}{
		{"covers itself", a.Covers(a), true},
		{"covers nil", a.Covers(nil), true},
		{"nil covers nothing", hlc.Vector(nil).Covers(a), false},
		{"nil covers zeroes", hlc.Vector(nil).Covers(hlc.Vector{4: 0}), true},
		{"neither covers the other", a.Covers(b) || b.Covers(a), false},
		{"covers its position", a.CoversPosition(hlc.Position{Origin: 2, At: 20}), true},
		{"not the next position", a.CoversPosition(hlc.Position{Origin: 2, At: 21}), false},
		{"not an unknown origin", a.CoversPosition(hlc.Position{Origin: 9, At: 1}), false},
		{"nil covers the zero position", hlc.Vector(nil).CoversPosition(hlc.Position{}), true},
		{"merge", a.Merge(b).String(), hlc.Vector{1: 10, 2: 20, 3: 30}.String()},
		{"floor drops what one side lacks", a.Floor(b).String(), hlc.Vector{2: 15}.String()},
		{"floor with nil", len(a.Floor(nil)), 0},
		{"zeroes are nothing", hlc.Vector{1: 10, 7: 0}.Equal(hlc.Vector{1: 10}), true},
		{"differ", a.Equal(b), false},
		{"empty prints", hlc.Vector(nil).String(), "{}"},
		{
			"prints by origin",
			hlc.Vector{12: hlc.New(sampleMillis, 3), 7: 1, 9: 0}.String(),
			"{o7@1970-01-01T00:00:00.000Z+1 o12@2026-08-21T10:59:42.123Z+3}",
		},
		{"position prints", hlc.Position{Origin: 7, At: hlc.New(sampleMillis, 3)}.String(), "o7@2026-08-21T10:59:42.123Z+3"},
		{"origin prints", hlc.Origin(42).String(), "o42"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}

// H9: Merge is the least upper bound, Floor the greatest lower bound.
func TestVectorsAreALattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := vectors.Draw(t, "a"), vectors.Draw(t, "b"), vectors.Draw(t, "c")
		before := []hlc.Vector{maps.Clone(a), maps.Clone(b)}
		join, meet := a.Merge(b), a.Floor(b)

		claims := []struct {
			name string
			ok   bool
		}{
			{"merge covers both", join.Covers(a) && join.Covers(b)},
			{"merge is the least", !(c.Covers(a) && c.Covers(b)) || c.Covers(join)},
			{"both cover floor", a.Covers(meet) && b.Covers(meet)},
			{"floor is the greatest", !(a.Covers(c) && b.Covers(c)) || meet.Covers(c)},
			{"merge commutes", join.Equal(b.Merge(a))},
			{"floor commutes", meet.Equal(b.Floor(a))},
			{"merge associates", join.Merge(c).Equal(a.Merge(b.Merge(c)))},
			{"floor associates", meet.Floor(c).Equal(a.Floor(b.Floor(c)))},
			{"idempotent", a.Merge(a).Equal(a) && a.Floor(a).Equal(a)},
			{"absorption", a.Merge(meet).Equal(a) && a.Floor(join).Equal(a)},
			{"covers is transitive", !(a.Covers(b) && b.Covers(c)) || a.Covers(c)},
			{"nil is the least", a.Covers(nil) && a.Merge(nil).Equal(a) && a.Floor(nil).Equal(nil)},
			{"arguments untouched", maps.Equal(a, before[0]) && maps.Equal(b, before[1])},
			{"no zeroes come out", !hasZero(join) && !hasZero(meet)},
		}
		for _, claim := range claims {
			if !claim.ok {
				t.Errorf("%s: a=%v b=%v c=%v merge=%v floor=%v", claim.name, a, b, c, join, meet)
			}
		}
	})
}

func hasZero(v hlc.Vector) bool {
	return slices.Contains(slices.Collect(maps.Values(v)), 0)
}

func TestVectorPositionsAgreeWithEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := vectors.Draw(t, "a"), vectors.Draw(t, "b")
		positions := a.Positions()
		if !slices.IsSortedFunc(positions, func(p, q hlc.Position) int { return int(p.Origin) - int(q.Origin) }) {
			t.Fatalf("%v is not sorted by origin", positions)
		}
		if got, want := slices.Equal(positions, b.Positions()), a.Equal(b); got != want {
			t.Fatalf("equal positions: %v, equal vectors: %v, for %v and %v", got, want, a, b)
		}
		if got, want := a.String() == b.String(), a.Equal(b); got != want {
			t.Fatalf("equal texts: %v, equal vectors: %v, for %v and %v", got, want, a, b)
		}
		for _, p := range positions {
			if !a.CoversPosition(p) || a.CoversPosition(hlc.Position{Origin: p.Origin, At: p.At + 1}) {
				t.Fatalf("%v does not end at its own position %v", a, p)
			}
		}
	})
}

func TestResultsShareNothing(t *testing.T) {
	a, b := hlc.Vector{1: 10}, hlc.Vector{1: 20}
	for name, v := range map[string]hlc.Vector{
		"Clone": a.Clone(), "Merge": a.Merge(nil), "Floor": a.Floor(b), "Clone of nil": hlc.Vector(nil).Clone(),
	} {
		v[1] = 99
		if a[1] != 10 || b[1] != 20 {
			t.Errorf("writing to the result of %s changed its argument: a=%v b=%v", name, a, b)
		}
	}
}
