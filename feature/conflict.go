package feature

// Conflict is what a written cell met where it was joined.
type Conflict struct {
	Feature FeatureID
	Rule    Rule
	// Superseded says that nothing of the cell is left: what was there is newer.
	Superseded bool
	// Concurrent says that it met a value of another origin which its session
	// had not seen.
	Concurrent bool
	// Dropped counts the siblings that went although its session had not seen
	// them, because there were too many.
	Dropped int
}

// Conflicts calls visit for each cell of delta that met something worth
// telling, when delta, whose writer had seen what seen says, was joined into
// before and gave r.
func (r Row) Conflicts(before, delta Row, seen Seen, visit func(Conflict)) {
	i, j := 0, 0
	for k := range delta.Cells {
		d := &delta.Cells[k]
		for i < len(before.Cells) && before.Cells[i].Feature < d.Feature {
			i++
		}
		for j < len(r.Cells) && r.Cells[j].Feature < d.Feature {
			j++
		}
		c := Conflict{Feature: d.Feature, Rule: d.Rule, Superseded: true}
		var joined *Cell
		if j < len(r.Cells) && r.Cells[j].Feature == d.Feature {
			joined = &r.Cells[j]
			c.Superseded = !joined.holds(d)
		}
		if i < len(before.Cells) && before.Cells[i].Feature == d.Feature {
			c.meet(&before.Cells[i], d, joined, seen)
		}
		if c.Superseded || c.Concurrent || c.Dropped > 0 {
			visit(c)
		}
	}
}

// meet fills what a delta cell d met in was, of which joined is left.
func (c *Conflict) meet(was, d, joined *Cell, seen Seen) {
	met := func(v Version) {
		c.Concurrent = c.Concurrent || v.Origin != d.Version.Origin && !seen.has(v.Position())
	}
	if d.Rule != Siblings || was.Epoch != d.Epoch {
		met(was.Version)
		return
	}
	for _, s := range was.AppendSiblings(nil) {
		switch {
		case joined != nil && joined.holds(&Cell{Rule: Siblings, Epoch: was.Epoch, Version: s.Version}):
			if s.Version != d.Version {
				met(s.Version)
			}
		case !seen.has(s.Version.Position()):
			c.Dropped++
			met(s.Version)
		}
	}
}
