package training

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
)

// The features of the comparison's entity, one a conflict rule.
var comparedFields = []*feature.Field{
	{Name: "rate", ID: rate, Type: feature.ScalarOf(feature.Float64)},
	{Name: "trips", ID: trips, Type: feature.ScalarOf(feature.Int64), Rule: feature.Counter},
	{Name: "tags", ID: tags, Type: feature.ListOf(feature.String), Rule: feature.Set},
	{Name: "seen", ID: 4, Type: feature.ScalarOf(feature.Int64), Rule: feature.WriteTime},
	{Name: "peak", ID: 5, Type: feature.ScalarOf(feature.Int64), Rule: feature.Max},
	{Name: "pick", ID: 6, Type: feature.ScalarOf(feature.Int64), Rule: feature.Siblings},
}

// lived is a write as it was meant, and what became of it. Times are milliseconds.
type lived struct {
	row                history.Row
	accepted, readable int64 // readable may be never
	added              *int64
	id                 hlc.Origin // of the write, which may have been logged again
}

const never = int64(1 << 40)

// drawLives draws what two origins accepted of one entity, each alone, and when a region
// had it: of each log in order.
func drawLives(t *rapid.T) []lived {
	var out []lived
	current := map[hlc.Origin]feature.Row{}
	readable := map[hlc.Origin]int64{}
	now := int64(10)
	for range rapid.IntRange(0, 10).Draw(t, "writes") {
		now += rapid.Int64Range(0, 2).Draw(t, "pause")
		origin := hlc.Origin(rapid.Uint32Range(1, 2).Draw(t, "origin"))
		l := lived{accepted: now}
		l.row.LogOnly = rapid.IntRange(0, 6).Draw(t, "log only") == 0
		c := feature.Change{View: 1, Key: feature.Key("k"), EventTime: (now + rapid.Int64Range(-5, 2).Draw(t, "event time")) * 1e6}
		if rapid.IntRange(0, 20).Draw(t, "generation") == 0 {
			c.Generation = 1
		}
		if c.Delete = rapid.IntRange(0, 6).Draw(t, "delete") == 0; !c.Delete {
			for _, f := range comparedFields {
				if rapid.IntRange(0, 2).Draw(t, "sets "+f.Name) > 0 {
					continue
				}
				a := feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type}
				n := rapid.Int64Range(-2, 3).Draw(t, f.Name)
				switch f.Rule {
				case feature.EventTime:
					a.Value = feature.OfFloat64(float64(n))
				case feature.Set:
					one, _ := feature.OfString(string(rune('c' + n)))
					list, err := feature.OfList(feature.String, one)
					if err != nil {
						t.Fatal(err)
					}
					if a.Value = list; rapid.Bool().Draw(t, "removes") {
						a.Value, a.Remove = feature.Value{}, list
					}
				default:
					a.Value = feature.OfInt64(n)
				}
				if f.Rule == feature.Counter {
					l.added = &n
				}
				c.Assignments = append(c.Assignments, a)
			}
			if len(c.Assignments) == 0 {
				continue
			}
		}
		at := hlc.New(now, uint16(len(out)))
		delta, err := c.Delta(current[origin], at, origin)
		if err != nil {
			t.Fatal(err)
		}
		if !l.row.LogOnly {
			current[origin] = feature.JoinRow(current[origin], delta)
		}
		readable[origin] = max(readable[origin], now+rapid.Int64Range(0, 6).Draw(t, "lag"))
		if rapid.IntRange(0, 9).Draw(t, "never") == 0 {
			readable[origin] = never
		}
		if l.readable = readable[origin]; l.row.LogOnly {
			l.readable = never
		}
		l.row.Key, l.row.Delta, l.row.Log = c.Key, delta, hlc.Position{Origin: origin, At: at}
		l.row.Version = feature.Version{EventTime: c.EventTime, Generation: c.Generation, At: at, Origin: origin}
		l.id = hlc.Origin(len(out) + 1)
		out = append(out, l)
		if rapid.IntRange(0, 9).Draw(t, "again") == 9 && !l.row.LogOnly && l.added == nil { // a total counts those before it
			l.row.Log = hlc.Position{Origin: 9, At: hlc.New(now+3, uint16(len(out)))}
			l.readable = now + 3 + rapid.Int64Range(0, 6).Draw(t, "lag of the second")
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b lived) int { return history.CompareRows(&a.row, &b.row) })
	return out
}

// fold is the plain way to a row: the join of any writes, each counter's increment under
// an origin of its own.
func fold(lives []lived, in func(int) bool) feature.Row {
	var row feature.Row
	for i, l := range lives {
		if !in(i) {
			continue
		}
		d := l.row.Delta
		d.Cells = slices.Clone(d.Cells)
		for n := range d.Cells {
			if len(d.Cells[n].Totals) > 0 {
				d.Cells[n].Totals = []feature.Total{{Origin: l.id, At: l.row.Version.At, Sum: feature.OfInt64(*l.added)}}
			}
		}
		row = feature.JoinRow(row, d)
	}
	return row
}

// seen is all that there is to see of a field in a row: for a set, of one element.
func look(r feature.Row, f *feature.Field, element *feature.Value) string {
	c, ok := r.Cell(f.ID)
	switch {
	case !ok:
		return fmt.Sprint("none since ", ruling(r.Tombstone, f.Rule))
	case f.Rule == feature.Counter:
		return fmt.Sprint(c.Epoch, c.Read())
	case f.Rule == feature.Set && element != nil:
		for _, e := range c.Elements {
			if e.Value.Equal(*element) {
				return fmt.Sprint(c.Epoch, e.At, e.Origin, e.Present)
			}
		}
		return fmt.Sprint(c.Epoch, "none")
	case f.Rule == feature.Set:
		return fmt.Sprint(c.Epoch, c.Read())
	}
	return fmt.Sprint(c.Version, c.Read())
}

// plainCause is what docs/offline.md says, word for word: writes are taken away and put
// back one by one, and it is looked each time what there is.
func plainCause(lives []lived, f *feature.Field, now int64, ttl time.Duration) Cause {
	served := func(i int) bool { return lives[i].readable*1e6 <= now }
	due := func(i int) bool { return lives[i].row.Version.EventTime <= now }
	both := func(i int) bool { return served(i) && due(i) }
	had, isHad := fold(lives, served).Cell(f.ID)
	truth, isTrue := fold(lives, due).Cell(f.ID)
	shown := func(c feature.Cell, ok bool) feature.Value {
		if !ok || !feature.WithinTTL(c.Version.EventTime, now, ttl) {
			return f.Default
		}
		return c.Read()
	}
	if shown(had, isHad).Equal(shown(truth, isTrue)) {
		return Same
	}
	if isHad && isTrue && had.Read().Equal(truth.Read()) {
		return TTL
	}
	_, isThere := fold(lives, both).Cell(f.ID)
	if isHad != isThere || isHad && look(fold(lives, served), f, nil) != look(fold(lives, both), f, nil) {
		return EarlyData
	}
	// The elements of a set are cells of their own, of which those count that differ.
	parts := []*feature.Value{nil}
	if f.Rule == feature.Set && isTrue {
		parts = nil
		for _, l := range lives {
			if c, ok := l.row.Delta.Cell(f.ID); ok {
				for _, e := range c.Elements {
					if has(had, e.Value) != has(truth, e.Value) {
						parts = append(parts, &e.Value)
					}
				}
			}
		}
		if len(parts) == 0 {
			parts = []*feature.Value{{}} // none and empty: which write brought the cell
		}
	}
	decider := -1
	for _, part := range parts {
		in := map[int]bool{}
		for i := range lives {
			in[i] = both(i)
		}
		before := look(fold(lives, func(i int) bool { return in[i] }), f, part)
		for i := range lives {
			if in[i] || !due(i) {
				continue
			}
			in[i] = true
			after := look(fold(lives, func(i int) bool { return in[i] }), f, part)
			if after != before {
				decider = max(decider, i)
			}
			before = after
		}
	}
	if decider < 0 {
		return Conflict
	}
	l := lives[decider]
	chosen := l.row.Delta.Tombstone != feature.Tombstone{} || f.Rule != feature.Counter && f.Rule != feature.Set
	switch {
	case l.row.LogOnly:
		return HistoryOnly
	case l.accepted*1e6 > now:
		return LateData
	case chosen && isHad && had.Version.EventTime >= l.row.Version.EventTime && had.Version.Generation == l.row.Version.Generation:
		return Conflict
	}
	return ReplicationLag
}

func has(c feature.Cell, v feature.Value) bool {
	return slices.ContainsFunc(c.Elements, func(e feature.Element) bool { return e.Value.Equal(v) && e.Present })
}

// U7: every cell that differs has a cause, and it is that of the plain look; what does not
// differ has none that counts.
func TestEveryDifferenceHasItsCause(t *testing.T) {
	counted := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		lives := drawLives(t)
		var rows []history.Row
		at := map[hlc.Position]int64{}
		for _, l := range lives {
			rows = append(rows, l.row)
			at[l.row.Log] = l.readable * 1e6
		}
		ttl := time.Duration(rapid.Int64Range(0, 6).Draw(t, "ttl")) * time.Millisecond
		readable := func(p hlc.Position) (int64, bool) { return at[p], at[p] < never*1e6 }
		for now := int64(4); now <= 40; now++ {
			moment := now*1e6 + rapid.Int64Range(-1, 1).Draw(t, "offset")
			for _, f := range comparedFields {
				got := Same
				for c := range compare(rows, readable) {
					if c.from > moment {
						break
					}
					had, isHad := cellOf(c.sides.served, f)
					truth, isTrue := cellOf(c.sides.truth, f)
					got = Same
					if a, b := shownOf(had, isHad, f, moment, ttl), shownOf(truth, isTrue, f, moment, ttl); !a.Equal(b) {
						got = c.cause(f)
						if got == Same {
							t.Fatalf("%s at %d differs and has no cause: %v, %v", f.Name, moment, a, b)
						}
					}
				}
				want := plainCause(lives, f, moment, ttl)
				if got != want {
					for _, l := range lives {
						c, _ := l.row.Delta.Cell(f.ID)
						t.Logf("%v, readable %d, history alone %t, delete %v: %+v", l.row.Version, l.readable, l.row.LogOnly, l.row.Delta.Tombstone.ByWrite, c)
					}
					t.Fatalf("%s at %d: got %v, want %v", f.Name, moment, got, want)
				}
				counted[got.String()]++
			}
		}
	})
	for _, cause := range Causes() {
		if counted[cause.String()] == 0 {
			t.Errorf("no world showed %s", cause)
		}
	}
	t.Log(counted)
}

// shownOf is what is served of a cell.
func shownOf(c feature.Cell, ok bool, f *feature.Field, now int64, ttl time.Duration) feature.Value {
	if !ok || !feature.WithinTTL(c.Version.EventTime, now, ttl) {
		return f.Default
	}
	return c.Read()
}
