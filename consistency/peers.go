package consistency

import (
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Peers is what is known of the other members of the deployment. Its methods
// are called by many at once, some for each read, and return at once.
type Peers interface {
	// Membership is immutable; nil before any is known.
	Membership() *meta.Membership
	// Acked is published and durable at a store, as it told; nil when it was not
	// heard of. It is shared.
	Acked(store meta.StoreID, shard feature.Shard) hlc.Vector
	// Changed returns a channel that is closed at the next change of anything
	// that Acked tells.
	Changed() <-chan struct{}
	// Reach returns how long a question to a store and its answer take, and
	// whether it was heard of lately.
	Reach(store meta.StoreID) (roundTrip time.Duration, live bool)
	// AsOf returns for how long it is certain that everything which an origin's
	// store accepted longer ago is stamped at or before a timestamp; false when
	// that was never heard. It rests on time that passed here, not on clocks.
	AsOf(o hlc.Origin, at hlc.Timestamp) (ago time.Duration, ok bool)
	// IsWhole reports whether the rows of a shard here are no more than the join of
	// the logs here. While they are copied, they may hold what no log here names.
	IsWhole(shard feature.Shard) bool
}

// solo is the Peers of a store that is alone.
type solo struct{ membership *meta.Membership }

// Membership implements Peers, as do the methods below.
func (s solo) Membership() *meta.Membership                 { return s.membership }
func (s solo) Acked(meta.StoreID, feature.Shard) hlc.Vector { return nil }
func (s solo) Changed() <-chan struct{}                     { return nil }
func (s solo) Reach(meta.StoreID) (time.Duration, bool)     { return 0, false }
func (s solo) AsOf(hlc.Origin, hlc.Timestamp) (time.Duration, bool) {
	return 0, false
}
func (s solo) IsWhole(feature.Shard) bool { return true }
func alone(self meta.Member) solo {
	self.State = meta.Active
	return solo{&meta.Membership{Home: self.Store, Members: meta.Members{self}}}
}

// holds reports whether a region may hold a group's rows; every region holds
// those of a group that names none, or that is not known.
func holds(g *feature.Group, r meta.Region) bool {
	if g == nil || len(g.Regions) == 0 {
		return true
	}
	for _, name := range g.Regions {
		if name == string(r) {
			return true
		}
	}
	return false
}
