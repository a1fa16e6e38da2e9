package consistency

import (
	"featurestore/feature"
	"featurestore/hlc"
)

// Coverage is whether a replica has what a position names.
type Coverage uint8

// The coverages.
const (
	Covered Coverage = iota // it is here
	Behind                  // it is on its way
	Lost                    // it will never be here
)

// Origins tells what is known of origins beyond their progress.
type Origins struct {
	// Self is the origin that writes here, and SelfAt the last time it gave.
	Self   hlc.Origin
	SelfAt hlc.Timestamp
}

// CoveredPosition decides whether progress has position p. An origin that is not
// known here is behind, never an error. A position of this store's own origin
// beyond all that it ever gave names a write that no longer exists.
func CoveredPosition(progress hlc.Vector, origins Origins, p hlc.Position) Coverage {
	switch {
	case progress[p.Origin] >= p.At:
		return Covered
	case p.Origin == origins.Self && p.At > origins.SelfAt:
		return Lost
	}
	return Behind
}

// Replica is what one store knows of a shard when a decision is made.
type Replica struct {
	Progress hlc.Vector
	Origins  Origins
	// SafeTime is up to when nothing of any origin is missing.
	SafeTime hlc.Timestamp
}

// missing returns the first position of the token that the replica does not
// have in shard, and whether it is lost.
func (r Replica) missing(t *Token, shard feature.Shard) (p hlc.Position, c Coverage) {
	t.Positions(shard, func(q hlc.Position) bool {
		p, c = q, CoveredPosition(r.Progress, r.Origins, q)
		return c == Covered
	})
	if c != Covered {
		return p, c
	}
	if floor := t.Floor(shard.Group); floor > r.SafeTime {
		return hlc.Position{At: floor}, Behind
	}
	return hlc.Position{}, Covered
}
