package replication

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"featurestore/meta"
)

// Reasons for which a store takes no writes of clients. It joins other stores'
// writes all the same.
var (
	// ErrNotWriting matches each of them.
	ErrNotWriting = errors.New("no writes are taken")
	// ErrClockOff reports a clock that differs from most others by more than they
	// tolerate. Writes are taken again when it does not.
	ErrClockOff = errors.New("the clock is off")
)

// refusedError says in words why writes are refused. It matches ErrNotWriting.
type refusedError struct {
	text  string
	clock bool
}

// Error implements error.
func (e *refusedError) Error() string { return e.text }

// Is matches ErrNotWriting, and ErrClockOff where the clock is why.
func (e *refusedError) Is(target error) bool {
	return target == ErrNotWriting || e.clock && target == ErrClockOff
}

// refusal says why this store may take no writes, and while it may, that it is
// about to. It is never nil.
func (c *Core) refusal() error {
	switch {
	case c.membership == nil && c.cfg.Founder:
		var missing []string
		for _, region := range c.cfg.Founding {
			if !c.isUnfounded(region) {
				missing = append(missing, string(region))
			}
		}
		if len(missing) > 0 {
			return &refusedError{text: "it begins the deployment once stores in all of its regions are heard of; missing: " + strings.Join(missing, ", ")}
		}
		return &refusedError{text: "it begins the deployment"}
	case c.membership == nil:
		return &refusedError{text: "it has not heard of the deployment from another store yet"}
	case c.whyNoMember() != "":
		return &refusedError{text: c.whyNoMember()}
	case c.outdated != "":
		return &refusedError{text: c.outdated}
	case c.fencedClock:
		return &refusedError{clock: true, text: fmt.Sprintf("the clock differs by %v from most other stores', at most %v is tolerated", c.clockOff.Round(time.Millisecond), c.cfg.MaxSkew*8/10)}
	}
	return &refusedError{text: fmt.Sprintf("store %s is %v", c.cfg.Self.Store, c.self().State)}
}

// whyNoMember says why this store takes no part in the document at hand, ""
// when it does. One that the home cannot take in finds the reason there, as the
// home does.
func (c *Core) whyNoMember() string {
	self := c.cfg.Self
	x, known := c.membership.Member(self.Store)
	switch {
	case !known:
		return fmt.Sprintf("it waits to be let into the deployment by its home, store %s: its configuration names region %s, or an operator says featurestore members add --region %s --store %s --address HOST:PORT",
			c.membership.Home, self.Region, self.Region, self.Store)
	case x.Origin == self.Origin && x.State != meta.Removed:
		return ""
	case x.Origin == self.Origin:
		return fmt.Sprintf("store %s was removed from its deployment", x.Store)
	}
	if _, err := c.membership.Introduce(self, true); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("it waits to be let into the deployment by its home, store %s", c.membership.Home)
}
