package consistency

import (
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
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
	// Membership tells where origins have ended; nil: none has.
	Membership *meta.Membership
}

// CoveredPosition decides whether progress of a shard has position p, and, when
// it is behind, which position it waits for: p itself, or what stands for it.
//
// Of an origin that has ended, only what its seal counts can come. What lies
// beyond is covered if it was logged again elsewhere, by that position together
// with the whole of the ended log; else it is lost. An origin that is not known
// here is behind, never an error. A position of this store's own origin beyond
// all that it ever gave names a write that no longer exists.
func CoveredPosition(progress hlc.Vector, origins Origins, shard feature.Shard, p hlc.Position) (Coverage, hlc.Position) {
	if progress[p.Origin] >= p.At {
		return Covered, p
	}
	if origins.Membership == nil || !origins.Membership.HasEnds(shard) {
		return origins.unsealed(p), p
	}
	stands, ok := origins.Membership.Follow(shard, p, progress.CoversPosition)
	switch {
	case !ok:
		return Lost, stands
	case progress.CoversPosition(stands):
		return Covered, stands
	}
	if _, ended := origins.Membership.End(shard, stands.Origin); ended {
		return Behind, stands
	}
	return origins.unsealed(stands), stands
}

func (o Origins) unsealed(p hlc.Position) Coverage {
	if p.Origin == o.Self && p.At > o.SelfAt {
		return Lost
	}
	return Behind
}

// writer returns the store that writes an origin, or wrote it until it ended.
func (o Origins) writer(origin hlc.Origin) Writer {
	if o.Membership == nil || origin == 0 {
		return Writer{}
	}
	store, known := o.Membership.WriterOf(origin)
	if !known {
		return Writer{}
	}
	x, _ := o.Membership.Member(store) // or a later life of it, in the same region
	return Writer{store, x.Region}
}

// Replica is what one store knows of a shard when a decision is made.
type Replica struct {
	Progress hlc.Vector
	Origins  Origins
	// SafeTime is up to when nothing of any origin is missing. It is needed for
	// tokens with floors, and may be zero for others.
	SafeTime hlc.Timestamp
	// Lag is that of the member whose writes it may lack longest. It is needed
	// for bounded reads.
	Lag Lag
}

// missing returns what the replica waits for to have everything that the token
// names in shard, and whether that comes.
func (r Replica) missing(t *Token, shard feature.Shard) (p hlc.Position, c Coverage) {
	t.Positions(shard, func(q hlc.Position) bool {
		c, p = CoveredPosition(r.Progress, r.Origins, shard, q)
		return c == Covered
	})
	if c != Covered {
		return p, c
	}
	floor := t.Floor(shard.Group)
	if floor == 0 {
		return hlc.Position{}, Covered
	}
	// A floor stands for every origin that was known where it was made: with an
	// older membership, one of them may be missing in the safe time.
	if floor > r.SafeTime || r.revision() < t.Revision {
		return hlc.Position{At: floor}, Behind
	}
	return hlc.Position{}, Covered
}

func (r Replica) revision() uint64 {
	if r.Origins.Membership == nil {
		return 0
	}
	return r.Origins.Membership.Revision
}
