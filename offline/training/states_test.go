package training

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
)

// Features of the tests' entity.
const (
	rate  feature.FeatureID = 1 // event_time
	trips feature.FeatureID = 2 // counter
	tags  feature.FeatureID = 3 // set
)

// written is one write as its client meant it, and what history has of it.
type written struct {
	rate   *float64
	trips  *int64
	tag    string
	delete bool
	row    history.Row
}

// drawWrites draws writes of one entity at two origins, which do not know of each
// other. Deletes are of entities without counters and sets: those lose what was accepted
// before the delete, whatever its event time.
func drawWrites(t *rapid.T) []written {
	var out []written
	current := map[hlc.Origin]feature.Row{}
	deletes := rapid.Bool().Draw(t, "deletes")
	for at := range rapid.IntRange(0, 12).Draw(t, "writes") {
		origin := hlc.Origin(rapid.Uint32Range(1, 2).Draw(t, "origin"))
		w := written{delete: deletes && rapid.IntRange(0, 4).Draw(t, "delete") == 0}
		c := feature.Change{View: 1, Key: feature.Key("k"), EventTime: rapid.Int64Range(-3, 6).Draw(t, "event time"), Delete: w.delete}
		if !w.delete {
			if rapid.Bool().Draw(t, "sets rate") {
				v := float64(rapid.IntRange(0, 9).Draw(t, "rate"))
				w.rate = &v
				c.Assignments = append(c.Assignments, feature.Assignment{Feature: rate, Type: feature.ScalarOf(feature.Float64), Value: feature.OfFloat64(v)})
			}
			if !deletes && rapid.Bool().Draw(t, "adds trips") {
				n := rapid.Int64Range(-5, 5).Draw(t, "trips")
				w.trips = &n
				c.Assignments = append(c.Assignments, feature.Assignment{Feature: trips, Rule: feature.Counter, Type: feature.ScalarOf(feature.Int64), Value: feature.OfInt64(n)})
			}
			if !deletes && rapid.Bool().Draw(t, "adds a tag") {
				w.tag = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tag")
				text, _ := feature.OfString(w.tag)
				list, err := feature.OfList(feature.String, text)
				if err != nil {
					t.Fatal(err)
				}
				c.Assignments = append(c.Assignments, feature.Assignment{Feature: tags, Rule: feature.Set, Type: feature.ListOf(feature.String), Value: list})
			}
			if len(c.Assignments) == 0 {
				continue
			}
		}
		position := hlc.Position{Origin: origin, At: hlc.New(1000+int64(at), 0)}
		delta, err := c.Delta(current[origin], position.At, origin)
		if err != nil {
			t.Fatal(err)
		}
		logOnly := rapid.IntRange(0, 5).Draw(t, "for history alone") == 0
		if !logOnly {
			current[origin] = feature.JoinRow(current[origin], delta)
		}
		w.row = history.Row{
			LogOnly: logOnly,
			Key:     c.Key, Log: position, Delta: delta,
			Version: feature.Version{EventTime: c.EventTime, At: position.At, Origin: origin},
		}
		out = append(out, w)
	}
	return out
}

// rowsOf are the writes' rows as history has them: by version.
func rowsOf(all []written) []history.Row {
	rows := make([]history.Row, len(all))
	for i := range all {
		rows[i] = all[i].row
	}
	slices.SortFunc(rows, func(a, b history.Row) int {
		return cmp.Or(cmp.Compare(a.Version.EventTime, b.Version.EventTime), a.Version.CompareByWrite(b.Version))
	})
	return rows
}

// at is the state that holds at a time.
func at(t int64, states []state) feature.Row {
	var row feature.Row
	for _, s := range states {
		if s.from <= t {
			row = s.row
		}
	}
	return row
}

func read(r feature.Row, id feature.FeatureID) feature.Value {
	c, _ := r.Cell(id)
	return c.Read()
}

// U1, U3: compared with what the writes meant.
func TestStatesByEventTimeAreWhatTheWritesMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWrites(t)
		rows := rowsOf(all)
		states := slices.Collect(byEvent(rows))
		for i := 1; i < len(states); i++ {
			if states[i-1].from >= states[i].from {
				t.Fatalf("states do not follow one another: %v", states)
			}
		}
		for moment := int64(-4); moment <= 7; moment++ {
			var wantRate feature.Value
			var wantTrips feature.Value
			has := map[string]bool{}
			for _, r := range rows { // by version: the last one counts
				w := all[slices.IndexFunc(all, func(w written) bool { return w.row.Log == r.Log })]
				if r.Version.EventTime > moment {
					continue
				}
				switch {
				case w.delete:
					wantRate = feature.Value{}
				case w.rate != nil:
					wantRate = feature.OfFloat64(*w.rate)
				}
				if w.trips != nil {
					wantTrips = feature.Sum(wantTrips, feature.OfInt64(*w.trips))
				}
				if w.tag != "" {
					has[w.tag] = true
				}
			}
			row := at(moment, states)
			if got := read(row, rate); !got.Equal(wantRate) {
				t.Fatalf("rate at %d: got %v, want %v", moment, got, wantRate)
			}
			if got := read(row, trips); !got.Equal(wantTrips) {
				t.Fatalf("trips at %d: got %v, want %v", moment, got, wantTrips)
			}
			if got := read(row, tags).Len(); got != len(has) {
				t.Fatalf("tags at %d: got %d, want %d", moment, got, len(has))
			}
		}
	})
}

// U1: what was logged again under another origin's log counts once.
func TestIncrementsThatWereLoggedAgainCountOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWrites(t)
		want := slices.Collect(byEvent(rowsOf(all)))
		for _, w := range slices.Clone(all) {
			if rapid.Bool().Draw(t, "again") {
				w.row.Log = hlc.Position{Origin: 9, At: hlc.New(5000, 0)}
				all = append(all, w)
			}
		}
		got := slices.Collect(byEvent(rowsOf(all)))
		for moment := int64(-4); moment <= 7; moment++ {
			for _, id := range []feature.FeatureID{rate, trips, tags} {
				if g, w := read(at(moment, got), id), read(at(moment, want), id); !g.Equal(w) {
					t.Fatalf("feature %d at %d: got %v, want %v", id, moment, g, w)
				}
			}
		}
	})
}

// U1: a region shows the join of what it had, at each moment.
func TestStatesAsServedAreWhatTheRegionHad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWrites(t)
		readable := map[hlc.Position]int64{}
		for i := range all {
			all[i].row.LogOnly = rapid.IntRange(0, 5).Draw(t, "log only") == 0
			if rapid.IntRange(0, 5).Draw(t, "never") > 0 {
				readable[all[i].row.Log] = rapid.Int64Range(0, 9).Draw(t, "readable")
			}
		}
		states := slices.Collect(asServed(rowsOf(all), func(p hlc.Position) (int64, bool) {
			at, ok := readable[p]
			return at, ok
		}))
		for moment := int64(-1); moment <= 10; moment++ {
			var want feature.Row
			for _, w := range all {
				if since, ok := readable[w.row.Log]; ok && since <= moment && !w.row.LogOnly {
					want = feature.JoinRow(want, w.row.Delta)
				}
			}
			if got := at(moment, states); !got.Equal(want) {
				t.Fatalf("at %d: got %v, want %v", moment, got, want)
			}
		}
	})
}
