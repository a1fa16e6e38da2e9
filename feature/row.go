package feature

import (
	"cmp"
	"slices"
)

// Row holds the cells of one view for one entity key: what a store keeps, and,
// as a delta, what one write brings to it.
type Row struct {
	Tombstone Tombstone
	// Cells are ordered by Feature, at most one a feature. None is covered by
	// the tombstone.
	Cells []Cell
}

// Tombstone is what remains of deletes. Two are kept because the greatest
// delete by event time, which event_time features obey, need not be the one
// accepted last, which all others obey. Both are zero, or neither.
type Tombstone struct {
	ByEvent Version
	ByWrite Version
}

// IsZero reports whether the row was never deleted.
func (t Tombstone) IsZero() bool { return t == Tombstone{} }

func joinTombstones(a, b Tombstone) Tombstone {
	switch {
	case a.IsZero(): // zero is no lower bound: event times may be before 1970
		return b
	case b.IsZero():
		return a
	}
	if a.ByEvent.CompareByEvent(b.ByEvent) < 0 {
		a.ByEvent = b.ByEvent
	}
	if a.ByWrite.CompareByWrite(b.ByWrite) < 0 {
		a.ByWrite = b.ByWrite
	}
	return a
}

// covers reports whether a delete hides the cell.
func (t *Tombstone) covers(c *Cell) bool {
	switch {
	case t.IsZero():
		return false
	case c.Rule.Monotone():
		return c.Epoch.CompareByWrite(t.ByWrite) < 0
	case c.Rule == WriteTime:
		return c.Version.CompareByWrite(t.ByWrite) < 0
	}
	return c.Version.CompareByEvent(t.ByEvent) < 0
}

// JoinRow returns the least row that is at least a and b. It is commutative,
// associative and idempotent (F1). The result shares slices with a and b.
func JoinRow(a, b Row) Row {
	out := Row{Tombstone: joinTombstones(a.Tombstone, b.Tombstone)}
	out.Cells = make([]Cell, 0, max(len(a.Cells), len(b.Cells)))
	keep := func(c *Cell) {
		if !out.Tombstone.covers(c) {
			out.Cells = append(out.Cells, *c)
		}
	}
	i, j := 0, 0
	for i < len(a.Cells) && j < len(b.Cells) {
		switch c := cmp.Compare(a.Cells[i].Feature, b.Cells[j].Feature); {
		case c < 0:
			keep(&a.Cells[i])
			i++
		case c > 0:
			keep(&b.Cells[j])
			j++
		default:
			var merged Cell
			keep(joinCell(&a.Cells[i], &b.Cells[j], &merged))
			i, j = i+1, j+1
		}
	}
	for ; i < len(a.Cells); i++ {
		keep(&a.Cells[i])
	}
	for ; j < len(b.Cells); j++ {
		keep(&b.Cells[j])
	}
	return out
}

// Cell returns the row's cell of feature id.
func (r Row) Cell(id FeatureID) (Cell, bool) {
	i, ok := slices.BinarySearchFunc(r.Cells, id, func(c Cell, id FeatureID) int {
		return cmp.Compare(c.Feature, id)
	})
	if !ok {
		return Cell{}, false
	}
	return r.Cells[i], true
}

// IsEmpty reports whether the row holds nothing, not even a tombstone.
func (r Row) IsEmpty() bool { return len(r.Cells) == 0 && r.Tombstone.IsZero() }

// Equal reports whether r and s hold the same cells and tombstones.
func (r Row) Equal(s Row) bool {
	return r.Tombstone == s.Tombstone && slices.EqualFunc(r.Cells, s.Cells, Cell.equal)
}

// Supersedes reports whether nothing of delta is left in r, the join of delta
// with what was there: every cell lost to a newer one, or to a delete. A delta
// that brings nothing has nothing to lose.
func (r Row) Supersedes(delta Row) bool {
	if !delta.Tombstone.IsZero() {
		return r.Tombstone.ByEvent != delta.Tombstone.ByEvent && r.Tombstone.ByWrite != delta.Tombstone.ByWrite
	}
	for _, d := range delta.Cells {
		if c, ok := r.Cell(d.Feature); ok && c.holds(&d) {
			return false
		}
	}
	return len(delta.Cells) > 0
}

// holds reports whether the joined cell c still has something of the delta d.
func (c *Cell) holds(d *Cell) bool {
	if c.Epoch != d.Epoch {
		return false
	}
	switch c.Rule {
	case Counter:
		return true
	case Set:
		return len(d.Elements) == 0 || slices.ContainsFunc(d.Elements, func(e Element) bool { return slices.Contains(c.Elements, e) })
	case Siblings:
		return c.Version == d.Version || c.Siblings != nil &&
			slices.ContainsFunc(c.Siblings.Beside, func(s Sibling) bool { return s.Version == d.Version })
	}
	return c.Version == d.Version
}
