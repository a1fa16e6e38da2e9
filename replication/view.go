package replication

import (
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// View is what a store knows of replication at one moment, for people to look
// at. Whoever gets it owns it.
type View struct {
	// Membership is the document in force here; nil before any is known. It is
	// shared and immutable.
	Membership *meta.Membership
	// Registry is the revision of the definitions in force here.
	Registry uint64
	// Peers are ordered by store.
	Peers []PeerView
	// LogBytes is about what the logs of each shard take here.
	LogBytes map[feature.Shard]int64
}

// PeerView is what a store knows of another one.
type PeerView struct {
	Member meta.Member
	// Live says that the peer is in reach and was heard of lately; Heard is when,
	// zero for never.
	Live  bool
	Heard time.Time
	// RoundTrip of a question and its answer; ClockOffset is the peer's clock
	// minus the one here, ClockAhead by how much at most it is ahead.
	RoundTrip, ClockOffset, ClockAhead time.Duration
	// Progress is published and durable there, as it told.
	Progress map[feature.Shard]hlc.Vector
	// Membership is the version of the document that it holds, Registry the
	// revision of its definitions.
	Membership meta.Version
	Registry   uint64
	// Following are the origins whose logs this store reads from the peer.
	Following []hlc.Origin
}
