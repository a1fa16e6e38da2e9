package feature

import (
	"iter"

	"featurestore/hlc"
)

// Positions yields the writes that made up a row: those of its tombstone, of each
// cell, and of each part of a merged one. Some come more than once, and some may
// be zero.
func (r Row) Positions() iter.Seq[hlc.Position] {
	return func(yield func(hlc.Position) bool) {
		if !r.Tombstone.IsZero() && (!yield(r.Tombstone.ByEvent.Position()) || !yield(r.Tombstone.ByWrite.Position())) {
			return
		}
		for _, c := range r.Cells {
			if !yield(c.Version.Position()) {
				return
			}
			for _, t := range c.Totals {
				if !yield(hlc.Position{Origin: t.Origin, At: t.At}) {
					return
				}
			}
			for _, e := range c.Elements {
				if !yield(hlc.Position{Origin: e.Origin, At: e.At}) {
					return
				}
			}
			if c.Siblings == nil {
				continue
			}
			for _, s := range c.Siblings.Beside {
				if !yield(s.Version.Position()) {
					return
				}
			}
		}
	}
}
