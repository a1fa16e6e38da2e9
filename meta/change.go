package meta

import (
	"errors"
	"fmt"
	"slices"

	"featurestore/feature"
)

// Action is what a Change does.
type Action string

// The actions, as requests write them.
const (
	Add   Action = "add"    // invites a store: it copies the data, then takes part
	Drop  Action = "remove" // drains a store that runs: nothing is lost
	Expel Action = "evict"  // ends a store that is away: what nobody else has of it does not count
	// Assume makes a store the home in place of one that is gone for good. It is
	// asked of the store itself.
	Assume  Action = "take_home"
	Promote Action = "promote" // hands the shards of a leader group over to a store
)

var actions = []Action{Add, Drop, Expel, Assume, Promote}

// Change is what an operator asks of the membership.
type Change struct {
	Action Action
	Store  StoreID
	// Region and Address, where peers will reach the store, belong to Add alone.
	Region  Region
	Address string
	// Abandon gives up, with an eviction, the rows of groups that the store alone
	// holds.
	Abandon bool
	// Group and Partition, negative for all of them, say which shards Promote hands
	// over, and Force that their leaders are away.
	Group     feature.GroupID
	Partition int
	Force     bool
}

// Validate returns what is wrong with the change whatever the membership is, or
// nil. Errors match ErrRefused.
func (c Change) Validate() error {
	switch {
	case !slices.Contains(actions, c.Action):
		return refuse("action %q is not known; use one of %v", c.Action, actions)
	case c.Store == "":
		return refuse("store is empty; name the store to %s", c.Action)
	case c.Action == Add && (c.Region == "" || c.Address == ""):
		return refuse("to add store %s, give its region and its address, such as 127.0.0.1:9082", c.Store)
	case c.Action != Add && (c.Region != "" || c.Address != ""):
		return refuse("region and address belong to %s, not to %s", Add, c.Action)
	case c.Action != Expel && c.Abandon:
		return refuse("to abandon groups belongs to %s, not to %s", Expel, c.Action)
	case c.Action != Promote && (c.Group != 0 || c.Partition != 0 || c.Force):
		return refuse("group, partition and force belong to %s, not to %s", Promote, c.Action)
	}
	if c.Action == Add { // the others name a store that is there
		if err := errors.Join(c.Region.Validate(), c.Store.Validate()); err != nil {
			return refuse("%v", err)
		}
	}
	return nil
}

// String returns the change for log lines, such as "evict store ap-1".
func (c Change) String() string {
	switch c.Action {
	case Add:
		return fmt.Sprintf("add store %s in region %s at %s", c.Store, c.Region, c.Address)
	case Assume:
		return fmt.Sprintf("make store %s the home", c.Store)
	case Promote:
		return c.promotion()
	}
	return fmt.Sprintf("%s store %s", c.Action, c.Store)
}

func (c Change) promotion() string {
	text := fmt.Sprintf("promote store %s in group %d", c.Store, c.Group)
	if c.Partition >= 0 {
		text += fmt.Sprintf(", partition %d", c.Partition)
	}
	if c.Force {
		text += ", by force"
	}
	return text
}

// Apply makes the change that an operator asks for, where these groups are
// defined. Errors match ErrRefused.
func (m *Membership) Apply(c Change, r Rules) (*Membership, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch c.Action {
	case Add:
		return m.Invite(Member{Store: c.Store, Region: c.Region, Address: c.Address})
	case Drop:
		return m.Remove(c.Store, r)
	case Assume:
		return m.TakeOver(c.Store)
	case Promote:
		i := slices.IndexFunc(r.Groups, func(g *feature.Group) bool { return g.ID == c.Group })
		if i < 0 {
			return nil, refuse("no group has number %d", c.Group)
		}
		return m.Promote(r.Groups[i], c.Partition, c.Store, c.Force)
	}
	return m.Evict(c.Store, r, c.Abandon)
}
