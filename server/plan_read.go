package server

import (
	"fmt"

	"featurestore/consistency"
)

// readDefaults are the read settings of a plan's views.
type readDefaults struct {
	alternatives []consistency.Alternative
	fallback     consistency.Fallback
}

// chooseRead joins the views' default reads, so that no view is read at less
// than its owner set. A view that sets no level is read at session.
func (p *plan) chooseRead() error {
	strongest := consistency.Alternative{Level: consistency.Session}
	fallback := consistency.DefaultFallback
	for i, s := range p.sources {
		d := s.view.ReadDefaults()
		a := consistency.Alternative{Level: consistency.Session}
		if d.Level != "" {
			level, err := consistency.ParseLevel(d.Level)
			if err != nil {
				return fmt.Errorf("view %s: %w", s.view.Name, err)
			}
			a = consistency.Alternative{Level: level, MaxStaleness: d.MaxStaleness}
		}
		f, err := consistency.ParseFallback(d.Fallback)
		if err != nil {
			return fmt.Errorf("view %s: %w", s.view.Name, err)
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
	p.read = readDefaults{alternatives: []consistency.Alternative{strongest}, fallback: fallback}
	return strongest.Validate()
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
