package meta

import (
	"slices"

	"featurestore/hlc"
)

// Region is the name of a place, such as "eu".
type Region string

// StoreID names one store: one process with one data directory.
type StoreID string

// State is what a member may do. The numbers are stored: never renumber.
type State uint8

// The states of a member, in the order in which it passes through them.
const (
	Joining State = iota // copies data; serves nothing, writes nothing, counts its origin
	Active               // serves, writes, acknowledges and votes
	Leaving              // writes no more, so that the others can take over what it has
	Fenced               // is being evicted: the others take no more of its log
	Removed              // its origin is sealed; it must rebuild under another to join again

	stateEnd
)

var stateNames = [stateEnd]string{"joining", "active", "leaving", "fenced", "removed"}

// String returns the state's word, such as "joining".
func (s State) String() string {
	if s < stateEnd {
		return stateNames[s]
	}
	return "unknown"
}

// Member is a store that holds shards.
type Member struct {
	Store  StoreID
	Region Region
	State  State
	// Origin is the log that the store writes; zero until it is known.
	Origin hlc.Origin
	// Address is where peers reach it, URL where clients do; "" when not known.
	Address, URL string
	// Since is the document's revision at which the member came to its state.
	Since uint64
	// Drained says of a removed member that it left in order: it comes back only
	// when it is added again. One that was evicted comes back by itself.
	Drained bool
}

// Members are the members of one shard.
type Members []Member

// Active returns those that acknowledge and vote.
func (m Members) Active() Members {
	return slices.DeleteFunc(slices.Clone(m), func(x Member) bool { return x.State != Active })
}

// Regions returns the regions of the members, each once, in order of first
// appearance.
func (m Members) Regions() []Region {
	var out []Region
	for _, x := range m {
		if !slices.Contains(out, x.Region) {
			out = append(out, x.Region)
		}
	}
	return out
}

// In returns the members of region r.
func (m Members) In(r Region) Members {
	return slices.DeleteFunc(slices.Clone(m), func(x Member) bool { return x.Region != r })
}
