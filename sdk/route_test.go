package sdk

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

// K10.
func TestRequestsGoToTheNearestStoreThatServes(t *testing.T) {
	eu, us, ap := place{region: "eu", distance: 2 * ms}, place{region: "us", distance: 80 * ms}, place{region: "ap", distance: 200 * ms}
	away, writeless, tried := eu, eu, eu
	away.away, writeless.writeless, tried.tried = true, true, true
	failing, failedOnce := eu, eu
	failing.failing, failedOnce.failing = 0.5, requestWeight
	unknown := place{region: "sa"}
	for _, c := range []struct {
		claim   string
		places  []place
		current int
		need    need
		want    int
	}{
		{"none", nil, -1, need{}, -1},
		{"the only one, even when it is away", []place{away}, 0, need{}, 0},
		{"the nearest", []place{us, eu, ap}, -1, need{}, 1},
		{"the nearest that answers", []place{ap, away, us}, 1, need{}, 2},
		{"reads go where no writes are taken", []place{us, writeless}, -1, need{}, 1},
		{"writes do not", []place{us, writeless}, 1, need{write: true}, 0},
		{"the region that is preferred, though it is farther", []place{eu, ap, us}, 0, need{region: "us"}, 2},
		{"the nearest, when the region is away", []place{away, us, ap}, 0, need{region: "eu"}, 1},
		{"a region that no store is of", []place{us, eu}, -1, need{region: "moon"}, 1},
		{"where the request was not yet, though nearer ones serve", []place{tried, us}, 0, need{region: "eu"}, 1},
		{"where it was not yet, though that store is away", []place{tried, {region: "us", away: true}}, 0, need{}, 1},
		{"a store that is measured before one that is not", []place{unknown, ap}, -1, need{}, 1},
		{"the first of those that are not measured", []place{unknown, unknown}, -1, need{}, 0},
		{"a far store before one that fails every other request", []place{failing, us}, 0, need{}, 1},
		{"not before one that failed once", []place{failedOnce, us}, 0, need{}, 0},
		{"the current one, when the nearer gains less than a fifth", []place{us, {distance: 65 * ms}}, 0, need{}, 0},
		{"the nearer, when it gains more", []place{us, {distance: 63 * ms}}, 0, need{}, 1},
		{"the current one, when half the way is no millisecond", []place{{distance: ms}, {distance: ms / 2}}, 0, need{}, 0},
		{"no current one that is not there", []place{us, eu}, 7, need{}, 1},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := choose(c.places, c.current, c.need); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func drawPlaces(t *rapid.T) []place {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) place {
		return place{
			region:    rapid.SampledFrom([]string{"eu", "us", ""}).Draw(t, "region"),
			distance:  time.Duration(rapid.Int64Range(0, int64(300*ms)).Draw(t, "distance")),
			failing:   rapid.Float64Range(0, 1).Draw(t, "failing"),
			away:      rapid.Bool().Draw(t, "away"),
			writeless: rapid.Bool().Draw(t, "writeless"),
			tried:     rapid.Bool().Draw(t, "tried"),
		}
	}), 1, 8).Draw(t, "places")
}

func drawNeed(t *rapid.T) need {
	return need{region: rapid.SampledFrom([]string{"", "eu", "us"}).Draw(t, "need region"), write: rapid.Bool().Draw(t, "write")}
}

// K10.
func TestNoOtherStoreServesBetterOrIsMuchNearer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places, n := drawPlaces(t), drawNeed(t)
		got := choose(places, rapid.IntRange(-1, len(places)-1).Draw(t, "current"), n)
		for i, p := range places {
			if p.rank(n) < places[got].rank(n) {
				t.Fatalf("chose %d of rank %d, but %d has rank %d", got, places[got].rank(n), i, p.rank(n))
			}
			if p.rank(n) == places[got].rank(n) && worthMoving(places[got].cost(), p.cost()) {
				t.Fatalf("chose %d at %v, but %d is at %v", got, places[got].cost(), i, p.cost())
			}
		}
		if again := choose(places, got, n); again != got {
			t.Fatalf("chose %d, and then %d although nothing changed", got, again)
		}
	})
}

// K10: whatever round trips do within a tenth, no store that was left is taken
// again.
func TestRoundTripsThatVaryMoveNobodyBackAndForth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SliceOfN(rapid.Int64Range(int64(ms), int64(300*ms)), 2, 6).Draw(t, "base")
		places, left, current := make([]place, len(base)), map[int]bool{}, -1
		for step := range 60 {
			for i, b := range base {
				places[i].distance = time.Duration(float64(b) * rapid.Float64Range(0.9, 1.1).Draw(t, "varied"))
			}
			next := choose(places, current, need{})
			if left[next] {
				t.Fatalf("step %d: %d was left, and is taken again for %d", step, next, current)
			}
			if current >= 0 && next != current {
				left[current] = true
			}
			current = next
		}
	})
}
