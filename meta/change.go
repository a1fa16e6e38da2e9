package meta

import (
	"errors"
	"fmt"

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
	Assume Action = "take_home"
)

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
}

// Validate returns what is wrong with the change whatever the membership is, or
// nil. Errors match ErrRefused.
func (c Change) Validate() error {
	switch {
	case c.Action != Add && c.Action != Drop && c.Action != Expel && c.Action != Assume:
		return refuse("action %q is not known; use %s, %s, %s or %s", c.Action, Add, Drop, Expel, Assume)
	case c.Store == "":
		return refuse("store is empty; name the store to %s", c.Action)
	case c.Action == Add && (c.Region == "" || c.Address == ""):
		return refuse("to add store %s, give its region and its address, such as 127.0.0.1:9082", c.Store)
	case c.Action != Add && (c.Region != "" || c.Address != ""):
		return refuse("region and address belong to %s, not to %s", Add, c.Action)
	case c.Action != Expel && c.Abandon:
		return refuse("to abandon groups belongs to %s, not to %s", Expel, c.Action)
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
	}
	return fmt.Sprintf("%s store %s", c.Action, c.Store)
}

// Apply makes the change that an operator asks for, where these groups are
// defined. Errors match ErrRefused.
func (m *Membership) Apply(c Change, groups []*feature.Group) (*Membership, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch c.Action {
	case Add:
		return m.Invite(Member{Store: c.Store, Region: c.Region, Address: c.Address})
	case Drop:
		return m.Remove(c.Store, groups)
	case Assume:
		return m.TakeOver(c.Store)
	}
	if c.Abandon {
		groups = nil
	}
	return m.Evict(c.Store, groups)
}
