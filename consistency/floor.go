package consistency

import (
	"errors"
	"fmt"

	"featurestore/feature"
)

// DefaultRead is the level of reads where neither the view nor its group names
// one.
func DefaultRead(p feature.Placement) Alternative {
	if p == feature.Leaderless {
		return Alternative{Level: Quorum}
	}
	return Alternative{Level: Session}
}

// DefaultConcern is the concern of writes where neither the view nor its group
// names one.
func DefaultConcern(p feature.Placement) Concern {
	if p == feature.Leaderless {
		return Concern{Kind: MemberQuorum}
	}
	return Concern{Kind: RegionQuorum}
}

// Implies reports whether whoever is answered at a gets all that b promises, in a
// group of so many active members. It is a partial order: neither of bounded and
// quorum implies the other. Repair is no part of it.
//
//	eventual < session < bounded, the shorter bound the more
//	           session < quorum, the more members the more < leader
func (a Alternative) Implies(b Alternative, members int) bool {
	switch b.Level {
	case Eventual:
		return true
	case Session:
		return a.Level >= Bounded // all of them honour tokens
	case Bounded:
		return a.Level == Bounded && a.MaxStaleness <= b.MaxStaleness
	case Quorum:
		return a.Level == Leader || a.Level == Quorum && a.reads(members) >= b.reads(members)
	}
	return a.Level == b.Level
}

// reads is how many of so many members level quorum reads.
func (a Alternative) reads(members int) int {
	if a.Members > 0 {
		return a.Members
	}
	return majority(members)
}

// Implies reports whether whatever meets c meets d, however many members there
// are. It is a partial order: any:k, say, says nothing of regions.
//
//	local < everything
//	any:j < any:k, regions:j < regions:k, any:j < regions:k      for j <= k
//	region_quorum, quorum < each_region < all
func (c Concern) Implies(d Concern) bool {
	switch d.Kind {
	case Local:
		return true
	case Any:
		return (c.Kind == Any || c.Kind == Regions) && c.K >= d.K
	case Regions:
		return c.Kind == Regions && c.K >= d.K
	case RegionQuorum, MemberQuorum:
		return c.Kind == d.Kind || c.Kind == EachRegion || c.Kind == All
	case EachRegion:
		return c.Kind == EachRegion || c.Kind == All
	}
	return c == d
}

// Floors are the least levels that reads may ask for.
type Floors []floorOf

type floorOf struct {
	setting string
	least   Alternative
}

// ReadFloors returns those of a view.
func ReadFloors(v *feature.ResolvedView) (out Floors, err error) {
	for _, f := range v.ReadFloors() {
		a, err := ParseAlternative(f.AtLeast)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Setting, err)
		}
		out = append(out, floorOf{f.Setting, a})
	}
	return out, nil
}

// Check returns nil when an alternative is enough, in a group of so many active
// members; the error names the setting that it is less than.
func (f Floors) Check(a Alternative, members int) error {
	for _, least := range f {
		if !a.Implies(least.least, members) {
			return fmt.Errorf("%v is less than %v, which %s asks for; ask for that or more", a, least.least, least.setting)
		}
	}
	return nil
}

// CheckWriteFloors returns nil when a concern is enough for a view; the error
// names the setting that it is less than.
func CheckWriteFloors(v *feature.ResolvedView, c Concern) error {
	for _, f := range v.WriteFloors() {
		least, err := ParseConcern(f.AtLeast)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Setting, err)
		}
		if !c.Implies(least) {
			return fmt.Errorf("%v is not at least %v, which %s asks for; ask for that or more", c, least, f.Setting)
		}
	}
	return nil
}

// ViewRead returns the read of a view by requests that name nothing.
func ViewRead(v *feature.ResolvedView) (Alternative, Fallback, error) {
	d := v.ReadDefaults()
	a := DefaultRead(v.Group.Placement)
	if d.Level != "" {
		level, err := ParseLevel(d.Level)
		if err != nil {
			return a, Fallback{}, err
		}
		a = Alternative{Level: level, MaxStaleness: d.MaxStaleness}
	}
	var err error
	if a.Level == Quorum {
		if a.Repair, err = ParseRepair(d.ReadRepair); err != nil {
			return a, Fallback{}, err
		}
	}
	f, err := ParseFallback(d.Fallback)
	return a, f, err
}

// ViewConcern returns the concern of writes to a view that name none.
func ViewConcern(v *feature.ResolvedView) (Concern, error) {
	if text := v.WriteDefaults().Concern; text != "" {
		return ParseConcern(text)
	}
	return DefaultConcern(v.Group.Placement), nil
}

// CheckFloors checks that a view's defaults are no less than its floors. Words
// that CheckWord refuses are left to it.
func CheckFloors(v *feature.ResolvedView) error {
	return errors.Join(checkReadFloors(v), checkWriteFloor(v))
}

func checkReadFloors(v *feature.ResolvedView) error {
	floors, err := ReadFloors(v)
	a, fallback, err2 := ViewRead(v)
	if err != nil || err2 != nil {
		return nil
	}
	if err := floors.Check(a, 1); err != nil {
		return fmt.Errorf("read.level: the default %w", err)
	}
	if fallback.Unmet == Degrade {
		if err := floors.Check(fallback.Degraded(), 1); err != nil {
			return fmt.Errorf("read.fallback: degrading to %w", err)
		}
	}
	return nil
}

func checkWriteFloor(v *feature.ResolvedView) error {
	c, err := ViewConcern(v)
	if err != nil {
		return nil
	}
	for _, f := range v.WriteFloors() {
		if CheckWord("write.at_least", f.AtLeast) != nil {
			return nil
		}
	}
	if err := CheckWriteFloors(v, c); err != nil {
		return fmt.Errorf("write.concern: the default %w", err)
	}
	return nil
}

// Degraded is what Degrade answers at.
func (f Fallback) Degraded() Alternative { return Alternative{Level: max(f.To, Eventual)} }
