package sdk

import "time"

// place is what is known of a store when one is chosen.
type place struct {
	region string
	// distance is its usual round trip, 0 when it was not measured.
	distance time.Duration
	// failing is the part of the latest requests that failed, 0 to 1.
	failing float64
	// away says that it does not answer, writeless that it takes no writes, and
	// tried that the request at hand was there already.
	away, writeless, tried bool
}

// need is what a request wants of its store.
type need struct {
	// region that is preferred; "" is any.
	region string
	write  bool
}

const (
	// failureCost is what a store that fails every request costs beside its round
	// trip. Failing counts by its square: a single failure moves nobody out of a
	// region, half of them do.
	failureCost = 400 * time.Millisecond
	// unmeasured is the cost of a store of which nothing is known: one that is
	// known is taken, whatever its distance.
	unmeasured = time.Hour
	// leastGain is what a move to another store must gain, besides a fifth.
	// Below it, round trips differ by chance.
	leastGain = time.Millisecond
)

// choose returns the index of the store to ask, -1 when there is none: of those
// that serve best, the nearest; or current, as long as it is among them and no
// other is nearer by much (K10). Ties go to the first. current is -1 for none.
func choose(places []place, current int, n need) int {
	best := -1
	for i, p := range places {
		if best < 0 || p.rank(n) < places[best].rank(n) ||
			p.rank(n) == places[best].rank(n) && p.cost() < places[best].cost() {
			best = i
		}
	}
	if current >= 0 && current < len(places) && places[current].rank(n) == places[best].rank(n) &&
		!worthMoving(places[current].cost(), places[best].cost()) {
		return current
	}
	return best
}

// rank orders stores by whether they serve, the best 0: first those where the
// request was not yet, then those that answer, then those of the region.
func (p place) rank(n need) int {
	rank := 0
	if p.tried {
		rank += 4
	}
	if p.away || n.write && p.writeless {
		rank += 2
	}
	if n.region != "" && p.region != n.region {
		rank++
	}
	return rank
}

// cost is the time that a request is expected to take.
func (p place) cost() time.Duration {
	d := p.distance
	if d == 0 {
		d = unmeasured
	}
	return d + time.Duration(p.failing*p.failing*float64(failureCost))
}

// worthMoving reports whether going from one cost to another gains enough. By a
// fifth, round trips that vary by a tenth never move a client back and forth.
func worthMoving(from, to time.Duration) bool {
	return from-to > max(leastGain, from/5)
}
