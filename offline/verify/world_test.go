package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/offline/served"
	"featurestore/online"
	"featurestore/replication/oplog"
)

const rides = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views:
  - name: driver_stats
    entity: driver
    ttl: 1h
    max_lateness: 87600h
    features: [{name: rate, type: float64}, {name: trips, type: int64, conflict: counter}, {name: seen, type: int64, conflict: write_time}, {name: rank, type: int64, default: 7}]
on_demand:
  - {name: surge, inputs: ["driver_stats:rate"], request: [{name: demand, type: float64}], features: [{name: score, type: float64, expr: "rate * demand"}]}
`

var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

// world is two stores that write, of which eu serves and keeps history; and time.
type world struct {
	testing.TB
	now    time.Time
	eu, us *online.Store
	served []*served.Lookup
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, now: noon}
	w.eu, w.us = w.open("eu-1"), w.open("us-1")
	return w
}

func (w *world) open(name string) *online.Store {
	w.Helper()
	s, err := online.Open(online.Config{
		Dir: w.TempDir(), Store: name, Region: "eu", Deployment: "test", MemTableBytes: 8 << 20, Wall: func() time.Time { return w.now },
	})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			w.Error(err)
		}
	})
	d, err := definition.Parse("rides.yaml", strings.NewReader(rides))
	if err == nil {
		_, err = s.Apply(w.Context(), d, nil)
	}
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) catalog() *feature.Catalog {
	c, _ := w.eu.Registry().Catalog("rides")
	return c
}

func (w *world) view() *feature.ResolvedView {
	v, _ := w.catalog().View("driver_stats")
	return v
}

func key(t testing.TB, driver int64) feature.Key {
	k, err := feature.AppendKeyValue(nil, feature.OfInt64(driver))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// push writes at a store what an event brings that is so old; nil values delete.
func (w *world) push(s *online.Store, driver int64, age time.Duration, logOnly bool, values map[string]feature.Value) {
	w.Helper()
	v := w.view()
	c := feature.Change{View: v.ID, Key: key(w, driver), EventTime: w.now.Add(-age).UnixNano(), Delete: values == nil}
	for _, f := range v.Fields {
		if value, ok := values[f.Name]; ok {
			c.Assignments = append(c.Assignments, feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: value})
		}
	}
	if _, err := s.Append(w.Context(), online.Write{Changes: []online.Placed{{Change: c, Shard: v.Shard(c.Key)}}, LogOnly: logOnly}); err != nil {
		w.Fatal(err)
	}
}

// follow brings to eu what us has.
func (w *world) follow() {
	w.Helper()
	origin := w.us.Identity().Origin
	for _, shard := range w.us.Shards("eu") {
		iv, _, err := w.us.ReadLog(w.Context(), shard, origin, w.eu.Heads(shard)[origin], 1<<30)
		if err != nil {
			w.Fatal(err)
		}
		if len(iv.Entries) == 0 {
			continue
		}
		joined := make(chan error, 1)
		w.eu.Join(iv, func(err error) { joined <- err })
		if err := <-joined; err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) shard(driver int64) feature.Shard { return w.view().Shard(key(w, driver)) }

func (w *world) read(driver int64) feature.Row {
	w.Helper()
	v := w.view()
	rows, err := w.eu.ReadRows(w.Context(), []feature.RowKey{{Shard: w.shard(driver), View: v.ID, Key: key(w, driver)}}, 1<<20)
	if err != nil {
		w.Fatal(err)
	}
	if rows[0] == nil {
		return feature.Row{}
	}
	row, err := feature.DecodeRow(rows[0])
	if err != nil {
		w.Fatal(err)
	}
	return row
}

// lookup serves a driver at eu, in plain words, and logs it. Meanwhile is what happens
// between the beginning of the lookup and its end: the row is read before that, or after.
func (w *world) lookup(driver int64, demand float64, late bool, meanwhile func()) *served.Lookup {
	w.Helper()
	v := w.view()
	from := w.eu.Heads(w.shard(driver))
	row := w.read(driver)
	if meanwhile != nil {
		meanwhile()
	}
	if late {
		row = w.read(driver)
	}
	l := &served.Lookup{
		Request: fmt.Sprint("r", len(w.served)), At: w.now.UnixNano(), Region: "eu", Store: "eu-1", Project: "rides", Revision: w.catalog().Revision(),
		Asked: "eventual", Met: "eventual",
	}
	r := served.Row{View: v.Name, ID: v.ID, Key: key(w, driver), Shard: w.shard(driver), From: from, Until: w.eu.Heads(w.shard(driver))}
	surge := served.Row{View: "surge", From: hlc.Vector{}, Until: hlc.Vector{}, Cells: []served.Cell{
		{Feature: "demand", Status: served.Given, Value: feature.OfFloat64(demand), Type: feature.ScalarOf(feature.Float64)},
	}}
	for _, f := range v.Fields {
		c := served.Cell{Feature: f.Name, ID: f.ID, Answered: true, Type: f.Type, Status: served.NotFound, Value: f.Default}
		if cell, ok := row.Cell(f.ID); ok {
			c.EventTime, c.Timed = cell.Version.EventTime, true
			switch age := w.now.UnixNano() - c.EventTime; {
			case age > int64(time.Hour):
				c.Status = served.OutsideMaxAge
			case cell.Rule != feature.Counter && cell.Read().IsNull():
				c.Status, c.Value = served.NullValue, feature.Value{}
			default:
				c.Status, c.Value = served.Present, cell.Read()
			}
		}
		r.Cells = append(r.Cells, c)
		if f.Name == "rate" {
			score := served.Cell{Feature: "score", Answered: true, Type: feature.ScalarOf(feature.Float64), Status: served.NullValue, EventTime: c.EventTime, Timed: c.Timed}
			if c.Status == served.Present {
				score.Status, score.Value = served.Present, feature.OfFloat64(c.Value.Float()*demand)
			}
			surge.Cells = append(surge.Cells, score)
		}
	}
	l.Rows = []served.Row{r, surge}
	w.served = append(w.served, l)
	return l
}

// live lets time go by, with writes and lookups at random.
func (w *world) live(seed uint64, steps int) {
	w.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	write := func() {
		store, driver := w.eu, random.Int64N(4)
		if random.IntN(2) == 0 {
			store = w.us
		}
		age := time.Duration(random.IntN(90)-20) * time.Second
		if random.IntN(10) == 0 {
			w.push(store, driver, age, false, nil)
			return
		}
		values := map[string]feature.Value{}
		for name, value := range map[string]feature.Value{
			"rate": feature.OfFloat64(float64(random.IntN(4))), "trips": feature.OfInt64(random.Int64N(3)),
			"seen": feature.OfInt64(random.Int64N(4)), "rank": {},
		} {
			if random.IntN(2) == 0 {
				values[name] = value
			}
		}
		if len(values) > 0 {
			w.push(store, driver, age, random.IntN(12) == 0, values)
		}
	}
	for range steps {
		w.now = w.now.Add(time.Duration(random.IntN(20_000)) * time.Millisecond)
		if random.IntN(40) == 0 {
			w.now = w.now.Add(time.Hour)
		}
		switch random.IntN(5) {
		case 0, 1:
			write()
		case 2:
			w.follow()
		default:
			var meanwhile func()
			if random.IntN(3) == 0 {
				meanwhile = func() { write(); write(); w.follow() }
			}
			w.lookup(random.Int64N(5), float64(random.IntN(5)), random.IntN(2) == 0, meanwhile)
		}
	}
}

// altered is a log that history reads otherwise than it is.
type altered struct {
	*online.Store
	change func(e *oplog.Entry)
	floor  hlc.Timestamp // entries up to there are gone
	until  hlc.Timestamp // there are none beyond; 0: all
}

func (a *altered) Heads(shard feature.Shard) hlc.Vector {
	v := a.Store.Heads(shard).Clone()
	for o, at := range v {
		if a.until > 0 {
			v[o] = min(at, a.until)
		}
	}
	return v
}

func (a *altered) ReadLog(ctx context.Context, shard feature.Shard, origin hlc.Origin, after hlc.Timestamp, maxBytes int) (oplog.Interval, hlc.Timestamp, error) {
	iv, floor, err := a.Store.ReadLog(ctx, shard, origin, after, maxBytes)
	if after < a.floor {
		iv, floor, err = a.Store.ReadLog(ctx, shard, origin, a.floor, maxBytes)
		floor = max(floor, a.floor)
	}
	var kept []oplog.Logged
	for _, e := range iv.Entries {
		if a.until > 0 && e.At > a.until {
			iv.Through = min(iv.Through, a.until)
			break
		}
		if a.change != nil {
			a.change(&e.Entry)
		}
		kept = append(kept, e)
	}
	iv.Entries = kept
	return iv, floor, err
}

// history makes one of eu's log.
func (w *world) history(log *altered) history.Files {
	w.Helper()
	files := history.NewDisk(w.TempDir())
	h, err := history.Open(w.Context(), history.Config{Files: files, Wall: func() time.Time { return w.now }})
	if err != nil {
		w.Fatal(err)
	}
	defer h.Close()
	version, encoded, err := w.eu.EncodedRegistry()
	if err == nil {
		err = h.KeepDefinitions(w.Context(), version, encoded)
	}
	if err != nil {
		w.Fatal(err)
	}
	log.Store = w.eu
	in, err := history.NewIngester(history.IngestConfig{Log: log, History: h, Region: "eu", Poll: time.Millisecond, MaxAge: time.Millisecond})
	if err != nil {
		w.Fatal(err)
	}
	ctx, end := context.WithTimeout(w.Context(), time.Minute)
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	for behind := true; behind; {
		committed := h.Committed()
		behind = false
		for _, shard := range w.eu.Shards("eu") {
			behind = behind || !h.Progress(shard).Covers(log.Heads(shard))
		}
		if !behind {
			break
		}
		select {
		case <-committed:
		case <-ctx.Done():
			w.Fatal("history is behind the log for a minute")
		}
	}
	end()
	if err := <-ended; err != nil {
		w.Fatal(err)
	}
	return files
}

// logged writes the served log, after forging it.
func (w *world) logged(forge func([]*served.Lookup)) history.Files {
	w.Helper()
	files := history.NewDisk(w.TempDir())
	log, err := served.New(served.Config{Files: files, Fraction: 1, Region: "eu", Store: "eu-1", QueueBytes: 1 << 30, MaxBytes: 1 << 30, Wall: func() time.Time { return w.now }})
	if err != nil {
		w.Fatal(err)
	}
	var all []*served.Lookup
	for _, l := range w.served {
		x := *l
		x.Rows = nil
		for _, r := range l.Rows {
			r.Cells = append([]served.Cell(nil), r.Cells...)
			x.Rows = append(x.Rows, r)
		}
		all = append(all, &x)
	}
	if forge != nil {
		forge(all)
	}
	for _, x := range all {
		log.Offer(w.Context(), x, 0)
	}
	ctx, end := context.WithCancel(w.Context())
	end()
	if err := log.Run(ctx); err != nil {
		w.Fatal(err)
	}
	return files
}

func (w *world) verify(c Config) Report {
	w.Helper()
	c.Lookups, c.TempDir = 1<<20, w.TempDir()
	r, err := Run(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	return r
}
