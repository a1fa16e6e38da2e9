package consistency

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"featurestore/meta"
)

// ForwardError says that the store here does not meet a read, and which others
// do by what they have told. It matches, through Unmet, the error that the read
// gets when none of them answers.
type ForwardError struct {
	// To are the members to ask, the nearest first; at least one.
	To meta.Members
	// Alternative is the one that they meet.
	Alternative Alternative
	// Waited is how long was waited here.
	Waited time.Duration
	// Unmet is why the read is not met here.
	Unmet error
}

// Error implements error.
func (e *ForwardError) Error() string {
	return fmt.Sprintf("%v; store %s could answer", e.Unmet, e.To[0].Store)
}

// Unwrap returns Unmet.
func (e *ForwardError) Unwrap() error { return e.Unmet }

// forwards returns the members that meet an alternative for every target by
// what they have told, the nearest first. It is a pure function of its
// arguments. What a member has told only grows, so it still has it when asked;
// what it has beyond that is never guessed at.
func forwards(w world, a Alternative, t *Token, targets []Target) meta.Members {
	switch a.Level {
	case Leader:
		return leaderToAsk(w, targets)
	case Quorum:
		return nil
	}
	type near struct {
		meta.Member
		roundTrip time.Duration
	}
	var found []near
	for _, x := range w.membership.Members {
		if x.Store == w.self.Store || x.State != meta.Active || x.URL == "" {
			continue
		}
		if trip, live := w.peers.Reach(x.Store); live && meets(w, x, a, t, targets) {
			found = append(found, near{x, trip})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.roundTrip, b.roundTrip) })
	var out meta.Members
	for _, x := range found {
		out = append(out, x.Member)
	}
	return out
}

// meets reports whether another member meets an alternative by what it told.
func meets(w world, x meta.Member, a Alternative, t *Token, targets []Target) bool {
	for _, target := range targets {
		if !holds(w.group(target.Shard.Group), x.Region) {
			return false
		}
		if a.Level == Eventual {
			continue
		}
		r := Replica{Progress: w.peers.Acked(x.Store, target.Shard), Origins: Origins{Membership: w.membership}}
		if t.hasFloors() {
			r.SafeTime = w.safeTime(target.Shard, r.Progress, 0, 0)
		}
		if a.Level == Bounded {
			r.Lag = worst(w, target.Shard, r.Progress, x.Origin)
		}
		if a.unmet(t, target, r) != nil {
			return false
		}
	}
	return true
}
