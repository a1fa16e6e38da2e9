package meta

import "slices"

// Region is the name of a place, such as "eu".
type Region string

// StoreID names one store: one process with one data directory.
type StoreID string

// State is what a member may do.
type State uint8

// The states of a member.
const (
	Joining State = iota // copies data; serves nothing
	Active               // serves, acknowledges and votes
	Evicted              // must rebuild before it may join again
)

// String returns "joining", "active" or "evicted".
func (s State) String() string {
	switch s {
	case Joining:
		return "joining"
	case Active:
		return "active"
	}
	return "evicted"
}

// Member is a store that holds a shard.
type Member struct {
	Store  StoreID
	Region Region
	State  State
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
