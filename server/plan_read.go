package server

import (
	"fmt"

	"featurestore/consistency"
	"featurestore/feature"
)

// readDefaults are the read settings of a plan's views.
type readDefaults struct {
	alternatives []consistency.Alternative
	fallback     consistency.Fallback
	// repair is that of reads at level quorum that name none; floors are what
	// requests must ask for at least.
	repair consistency.Repair
	floors consistency.Floors
}

// chooseRead joins the views' default reads, so that no view is read at less
// than its owner set. A view that sets no level is read at its placement's.
func (p *plan) chooseRead() error {
	strongest, fallback := consistency.DefaultRead(feature.MultiLeader), consistency.DefaultFallback
	for i, s := range p.sources {
		a, f, err := consistency.ViewRead(s.view)
		if err == nil {
			err = p.read.addFloors(s.view)
		}
		if err != nil {
			return fmt.Errorf("view %s: %w", s.view.Name, err)
		}
		if s.view.ReadDefaults().ReadRepair != "none" {
			p.read.repair = consistency.BlockingRepair
		}
		switch {
		case i == 0 || isStronger(a, strongest):
			if i > 0 && strongest.Level != consistency.Eventual && fallback.Unmet == consistency.Fail {
				f.Unmet = consistency.Fail
			}
			strongest, fallback = a, f
		case a.Level != consistency.Eventual && f.Unmet == consistency.Fail:
			fallback.Unmet = consistency.Fail
		}
	}
	if p.read.repair == consistency.RepairUnset {
		p.read.repair = consistency.NoRepair
	}
	if strongest.Level == consistency.Quorum {
		strongest.Repair = p.read.repair
	}
	if fallback.Unmet == consistency.Degrade && p.read.floors.Check(fallback.Degraded(), 1) != nil {
		fallback.Unmet = consistency.Fail // another view may have degraded
	}
	p.read.alternatives, p.read.fallback = []consistency.Alternative{strongest}, fallback
	return strongest.Validate()
}

func (d *readDefaults) addFloors(v *feature.ResolvedView) error {
	floors, err := consistency.ReadFloors(v)
	d.floors = append(d.floors, floors...)
	return err
}

// isStronger orders default reads. Session comes before bounded here, for a
// bounded read honours the session's tokens as well.
func isStronger(a, b consistency.Alternative) bool {
	rank := func(l consistency.Level) int {
		switch l {
		case consistency.Session:
			return int(consistency.Bounded)
		case consistency.Bounded:
			return int(consistency.Session)
		}
		return int(l)
	}
	if a.Level != b.Level {
		return rank(a.Level) > rank(b.Level)
	}
	return a.MaxStaleness < b.MaxStaleness
}
