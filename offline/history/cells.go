package history

import (
	"slices"

	"featurestore/feature"
)

// cell returns the cell that a value stands for when it is all that is stored of
// it: of the column's type and rule, written under v, into a row that was never
// deleted. Null is a stored null.
func (f *featureColumn) cell(value feature.Value, v feature.Version) feature.Cell {
	c := feature.Cell{Feature: f.id, Rule: f.rule, Kind: f.typ.Kind, Shape: f.typ.Shape, Version: v}
	switch {
	case f.rule == feature.Counter && !value.IsNull():
		c.Totals = []feature.Total{{Origin: v.Origin, At: v.At, Sum: value}}
	case f.rule == feature.Counter:
	case f.rule == feature.Set:
		for e := range value.Elems() {
			c.Elements = append(c.Elements, feature.Element{Value: e, At: v.At, Origin: v.Origin, Present: true})
		}
	default:
		c.Value = value
	}
	return c
}

// fits reports whether a value can stand in the feature's column.
func (f *featureColumn) fits(value feature.Value) bool {
	if value.IsNull() {
		return true
	}
	return value.Kind() == f.typ.Kind && value.Shape() == f.typ.Shape
}

// survives reports whether a value comes back from its column as it is: decimals
// are stored as text.
func survives(value feature.Value) bool {
	isText := func(v feature.Value) bool {
		if v.Kind() != feature.Decimal || v.Shape() != feature.Scalar {
			return true
		}
		back, err := feature.ParseDecimal(v.Text())
		return err == nil && back.Equal(v)
	}
	if value.Shape() == feature.Scalar {
		return isText(value)
	}
	for e := range value.Elems() {
		if !isText(e) {
			return false
		}
	}
	return true
}

// spread is a row as the columns say it.
type spread struct {
	values []feature.Value // by feature column; null where absent too
	nulls  []feature.FeatureID
	whole  bool // columns say all of the delta
	cells  []feature.Cell
}

// spread fills s for a row.
func (c *columns) spread(s *spread, r *Row) {
	if len(s.values) != len(c.features) {
		s.values = make([]feature.Value, len(c.features))
	}
	clear(s.values)
	s.nulls, s.whole = s.nulls[:0], true
	said := feature.Row{Cells: s.cells[:0]}
	if !r.Delta.Tombstone.IsZero() {
		said.Tombstone = feature.Tombstone{ByEvent: r.Version, ByWrite: r.Version}
	}
	for i := range r.Delta.Cells {
		d := &r.Delta.Cells[i]
		at := c.feature(d.Feature)
		if at < 0 || !c.features[at].fits(d.Read()) {
			s.whole = false
			continue
		}
		value := d.Read()
		s.values[at] = value
		if value.IsNull() {
			s.nulls = append(s.nulls, d.Feature)
		}
		s.whole = s.whole && survives(value)
		said.Cells = append(said.Cells, c.features[at].cell(value, r.Version))
	}
	s.whole = s.whole && said.Equal(r.Delta)
	s.cells = said.Cells
}

// gather is the inverse of spread where columns say it all.
func (c *columns) gather(s *spread, v feature.Version, deleted bool) feature.Row {
	var r feature.Row
	if deleted {
		r.Tombstone = feature.Tombstone{ByEvent: v, ByWrite: v}
	}
	for _, at := range c.byID {
		f := &c.features[at]
		if value := s.values[at]; !value.IsNull() || slices.Contains(s.nulls, f.id) {
			r.Cells = append(r.Cells, f.cell(value, v))
		}
	}
	return r
}
