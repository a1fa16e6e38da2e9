package sdk

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"featurestore/api"
)

// Level is a read level: what an answer must have seen.
type Level string

// The read levels, weakest first.
const (
	Eventual Level = "eventual" // what the store asked has
	Bounded  Level = "bounded"  // nothing accepted longer than MaxStaleness ago is missing
	Session  Level = "session"  // everything that the session of the context saw and wrote
	Quorum   Level = "quorum"   // every write acknowledged at quorum
	Leader   Level = "leader"   // every acknowledged write
)

// OnUnmet says what a store does that cannot meet the level in time.
type OnUnmet string

// The policies.
const (
	Forward OnUnmet = "forward" // ask a store that can
	Degrade OnUnmet = "degrade" // answer, and say what was met
	Fail    OnUnmet = "fail"    // ErrBehind or ErrTooStale
)

// Repair is what a read at level quorum waits for before it is answered.
type Repair string

// The repairs.
const (
	BlockingRepair Repair = "blocking" // a majority has what is shown: quorum reads never go back
	NoRepair       Repair = "none"     // nothing
)

// ReadOptions say how fresh an answer must be. The zero value is the views' own
// defaults.
type ReadOptions struct {
	// Level asked; "" for the default, or for Prefer.
	Level Level
	// MaxStaleness is the bound of Bounded, and zero with any other level.
	MaxStaleness time.Duration
	// Members is how many members Quorum reads, zero for a majority; Repair what it
	// waits for, "" for the view's own. Both are of no other level.
	Members int
	Repair  Repair
	// Prefer lists alternatives, the best first, instead of Level.
	Prefer []Alternative
	// OnUnmet is the policy when none is met; "" for the default.
	OnUnmet OnUnmet
	// Hedge asks the next nearest store too when the nearest has not answered
	// after this long; the first answer counts and the other request is ended.
	// Zero asks one store. At most one hedge a request, and at most
	// Config.HedgeShare of them; a wait that the level asks for counts as time.
	Hedge time.Duration
}

// Alternative is one acceptable level and how long to try for it.
type Alternative struct {
	Level        Level
	MaxStaleness time.Duration
	Members      int
	Repair       Repair
	// Within is the time to try; zero: as long as the request has.
	Within time.Duration
}

// header renders the options as Featurestore-Consistency, "" for defaults.
func (o ReadOptions) header() (string, error) {
	if o.Hedge < 0 {
		return "", fmt.Errorf("Hedge is %v; want a positive duration, or zero", o.Hedge)
	}
	list := o.Prefer
	if o.Level != "" || o.MaxStaleness != 0 || o.Members != 0 || o.Repair != "" {
		if len(list) > 0 {
			return "", fmt.Errorf("ReadOptions has both Level and Prefer; put the level first in Prefer")
		}
		list = []Alternative{{Level: o.Level, MaxStaleness: o.MaxStaleness, Members: o.Members, Repair: o.Repair}}
	}
	var b strings.Builder
	for i, a := range list {
		if err := a.check(); err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(a.Level))
		if a.MaxStaleness > 0 {
			fmt.Fprintf(&b, "; max-staleness=%v", a.MaxStaleness)
		}
		if a.Members > 0 {
			fmt.Fprintf(&b, "; members=%d", a.Members)
		}
		if a.Repair != "" {
			fmt.Fprintf(&b, "; repair=%s", a.Repair)
		}
		if a.Within > 0 {
			fmt.Fprintf(&b, "; within=%v", a.Within)
		}
	}
	return b.String(), nil
}

func (a Alternative) check() error {
	switch {
	case !slices.Contains([]Level{Eventual, Bounded, Session, Quorum, Leader}, a.Level):
		return fmt.Errorf("read level %q is not known; use eventual, bounded, session, quorum or leader", a.Level)
	case a.Level == Bounded && a.MaxStaleness <= 0:
		return fmt.Errorf("read level bounded needs MaxStaleness, such as 500ms")
	case a.Level != Bounded && a.MaxStaleness != 0:
		return fmt.Errorf("MaxStaleness belongs to read level bounded, not %s", a.Level)
	case a.Level != Quorum && (a.Members != 0 || a.Repair != ""):
		return fmt.Errorf("Members and Repair belong to read level quorum, not %s", a.Level)
	case a.Members < 0:
		return fmt.Errorf("Members is %d; want a positive number, or zero for a majority", a.Members)
	case a.Repair != "" && a.Repair != BlockingRepair && a.Repair != NoRepair:
		return fmt.Errorf("Repair %q is not known; use blocking or none", a.Repair)
	case a.Within < 0:
		return fmt.Errorf("Within is %v; want a positive duration, or zero", a.Within)
	}
	return nil
}

// Met tells what a read got.
type Met struct {
	// Asked and Level are the level asked for and the one met.
	Asked, Level Level
	// Degraded says that less than asked was met, by the caller's OnUnmet.
	Degraded bool
	// Members is how many members a read at Quorum was joined of, of how many
	// active ones; zero at other levels. Of a split lookup, the fewest.
	Members, MembersOf int
	// Region and Store that served; those of the first part of a split lookup.
	Region, Store string
	// Forwarded says that another store than the one asked served.
	Forwarded bool
	// Hedged says that the store was asked second, for the first was slow: see
	// ReadOptions.Hedge. Of a split lookup, that a part of it was.
	Hedged bool
	// Waited for the level.
	Waited time.Duration
	// Staleness bounds, for each other region, how far the answer may lag it;
	// UnknownStaleness for a region of which nothing was ever heard.
	Staleness map[string]time.Duration
}

// UnknownStaleness is the bound where there is none.
const UnknownStaleness = time.Duration(math.MaxInt64)

// StalenessMax bounds how far the answer may lag any region: 0 when there is no
// other, UnknownStaleness when there is no bound.
func (m Met) StalenessMax() time.Duration {
	var most time.Duration
	for _, d := range m.Staleness {
		most = max(most, d)
	}
	return most
}

func metOf(c api.ConsistencyMet) Met {
	m := Met{
		Asked: Level(c.Asked), Level: Level(c.Met), Degraded: c.Degraded, Region: c.Region, Store: c.Store,
		Forwarded: c.Forwarded, Waited: time.Duration(c.WaitedMs) * time.Millisecond,
	}
	if c.Members != nil {
		m.Members, m.MembersOf = c.Members.Read, c.Members.Of
	}
	if len(c.StalenessMs) > 0 {
		m.Staleness = make(map[string]time.Duration, len(c.StalenessMs))
		for region, ms := range c.StalenessMs {
			m.Staleness[region] = UnknownStaleness
			if ms < int64(UnknownStaleness/time.Millisecond) {
				m.Staleness[region] = time.Duration(ms) * time.Millisecond
			}
		}
	}
	return m
}

// and returns what holds for a lookup whose parts got m and n: the weaker
// level, the longer wait, the greater staleness.
func (m Met) and(n Met) Met {
	order := []Level{Eventual, Bounded, Session, Quorum, Leader}
	if slices.Index(order, n.Level) < slices.Index(order, m.Level) {
		m.Level = n.Level
	}
	if n.Members < m.Members {
		m.Members, m.MembersOf = n.Members, n.MembersOf
	}
	m.Degraded = m.Degraded || n.Degraded
	m.Forwarded = m.Forwarded || n.Forwarded
	m.Hedged = m.Hedged || n.Hedged
	m.Waited = max(m.Waited, n.Waited)
	if len(n.Staleness) > 0 {
		all := maps.Clone(n.Staleness)
		for region, d := range m.Staleness {
			all[region] = max(all[region], d)
		}
		m.Staleness = all
	}
	return m
}
