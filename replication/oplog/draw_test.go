package oplog

import (
	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
)

// entries draws valid entries of every kind, with deltas made as a store makes
// them, by feature.Change.
var entries = rapid.Custom(func(t *rapid.T) Entry {
	at := hlc.Timestamp(rapid.Uint64Min(2).Draw(t, "at"))
	e := Entry{
		Kind:   rapid.SampledFrom([]Kind{Delta, Noop, Relog}).Draw(t, "kind"),
		At:     at,
		Origin: hlc.Origin(rapid.Uint32Min(1).Draw(t, "origin")),
		Prev:   hlc.Timestamp(rapid.Uint64Range(0, uint64(at)-1).Draw(t, "prev")),
	}
	e.LogOnly = e.Kind == Delta && rapid.Bool().Draw(t, "log only")
	if e.Kind == Delta && rapid.Bool().Draw(t, "requested") {
		e.Request = &Request{Shards: rapid.IntRange(1, MaxRequestShards).Draw(t, "shards of the request")}
		copy(e.Request.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "request"))
		copy(e.Request.Digest[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "digest"))
	}
	deps := hlc.Vector{}
	for range rapid.IntRange(0, 4).Draw(t, "deps") {
		origin := hlc.Origin(rapid.Uint32Min(1).Draw(t, "dep origin"))
		deps[origin] = hlc.Timestamp(rapid.Uint64Range(1, uint64(at)-1).Draw(t, "dep at"))
	}
	if delete(deps, e.Origin); len(deps) > 0 {
		e.Deps = deps.Positions()
	}
	if e.Kind == Noop {
		return e
	}
	for _, id := range rapid.SliceOfNDistinct(rapid.Int64(), 1, 5, rapid.ID).Draw(t, "drivers") {
		write := e.Position()
		if e.Kind == Relog {
			write = hlc.Position{Origin: 9, At: hlc.Timestamp(rapid.Uint64Min(1).Draw(t, "first written"))}
		}
		e.Rows = append(e.Rows, Row{
			View: feature.ViewID(rapid.Uint32Range(1, 3).Draw(t, "view")), Key: driver(id), Delta: drawDelta(t, write),
		})
	}
	SortRows(e.Rows)
	return e
})

func drawDelta(t *rapid.T, write hlc.Position) feature.Row {
	c := feature.Change{EventTime: rapid.Int64().Draw(t, "event time"), Delete: rapid.Bool().Draw(t, "delete")}
	if !c.Delete {
		text, err := feature.OfString(rapid.String().Draw(t, "text"))
		if err != nil {
			t.Fatal(err)
		}
		set, err := feature.OfList(feature.String, text)
		if err != nil {
			t.Fatal(err)
		}
		c.Assignments = []feature.Assignment{
			{Feature: 1, Type: feature.ScalarOf(feature.Float64), Value: feature.OfFloat64(rapid.Float64().Draw(t, "float"))},
			{Feature: 3, Type: feature.ScalarOf(feature.String), Value: text},
			{Feature: 4, Rule: feature.Max, Type: feature.ScalarOf(feature.Int64)},
			{Feature: 300, Rule: feature.Counter, Type: feature.ScalarOf(feature.Int64), Value: feature.OfInt64(rapid.Int64().Draw(t, "n"))},
			{Feature: 301, Rule: feature.Set, Type: feature.ListOf(feature.String), Value: set},
		}
	}
	row, err := c.Delta(feature.Row{}, write.At, write.Origin)
	if err != nil {
		t.Fatal(err)
	}
	return row
}
