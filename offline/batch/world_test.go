package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/jobs"
	"featurestore/offline/outside"
)

// TestMain lets the tests run this binary as the child that reads files.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == outside.Command {
		if err := outside.Serve(context.Background(), os.Stdin, os.NewFile(3, "file"), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const definitions = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
groups: [{name: wide, partitions: 3}]
views:
  - name: stats
    entity: driver
    group: wide
    features: [{name: trips, type: int64, conflict: counter}]
    batch_source: {path: in, event_time: at, columns: {driver_id: id}}
  - {name: plain, entity: driver, features: [{name: rate, type: float64}], batch_source: {path: in, event_time: at, columns: {driver_id: id}}}
  - {name: pushed, entity: driver, features: [{name: rate, type: float64}]}
`

// world is a folder of files, a materializer, and an edge that is the plain twin of a
// store: it keeps a total for each driver, and marks by shard.
type world struct {
	testing.TB
	dir      string
	registry *feature.Registry
	m        *Materializer
	edge     *edge
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	d, err := definition.Parse("definitions.yaml", strings.NewReader(definitions))
	if err != nil {
		t.Fatal(err)
	}
	registry, _, err := feature.NewRegistry().Apply(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, dir: dir, registry: registry}
	w.edge = &edge{world: w, totals: map[int64]int64{}, marks: map[markKey]feature.Mark{}, requests: map[string]bool{}}
	cfg := Config{
		Files: openDisk(t, dir), Edge: w.edge, Rows: w.edge, Registry: func() *feature.Registry { return w.registry }, BatchRows: 7,
		Outside: outside.Config{Program: os.Args[0], Args: []string{os.Args[0], outside.Command}},
	}
	for _, c := range change {
		c(&cfg)
	}
	if w.m, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "in", name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

// run carries a request out as a job, and returns how it ended.
func (w *world) run(r Request) (jobs.Job, error) {
	w.Helper()
	r.Project = "rides"
	spec, err := w.m.Job(r)
	if err != nil {
		return jobs.Job{}, err
	}
	registry, err := jobs.New(jobs.Config{Prefix: "eu-1"})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = registry.Run(ctx) })
	j, err := registry.Start(spec)
	if err == nil {
		w.edge.cancel = func() { _, _ = registry.Cancel(j.ID) }
		j, err = registry.Wait(context.Background(), j.ID)
	}
	cancel()
	running.Wait()
	if err != nil {
		w.Fatal(err)
	}
	return j, nil
}

// done is run of what has to succeed.
func (w *world) done(r Request) api.MaterializeDetail {
	w.Helper()
	j, err := w.run(r)
	if err != nil || j.State != jobs.Done {
		w.Fatalf("the job is %s: %v %v", j.State, j.Err, err)
	}
	if j.Done != j.Total {
		w.Errorf("at its end it did %d of %d", j.Done, j.Total)
	}
	return j.Detail.(api.MaterializeDetail)
}

type markKey struct {
	shard feature.Shard
	id    feature.MarkID
}

// edge is a store, as plainly as can be.
type edge struct {
	world    *world
	totals   map[int64]int64
	marks    map[markKey]feature.Mark
	requests map[string]bool
	pushes   int
	// fault is asked before and after each push; what it returns is the answer.
	fault  func(stored bool) error
	refuse int64  // a driver whose rows are refused
	cancel func() // cancels the job at hand
}

func (e *edge) Push(ctx context.Context, project string, header map[string]string, body []byte) (*api.PushResponse, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.pushes++
	if e.fault != nil {
		if err := e.fault(false); err != nil {
			return nil, err
		}
	}
	push, err := api.ScanPush(body, 10_000)
	if err != nil {
		return nil, err
	}
	source, err := api.ParseSource(header[api.HeaderSource])
	if err != nil {
		return nil, err
	}
	catalog, _ := e.world.registry.Catalog(project)
	view, _ := catalog.View(push.View)
	drivers, trips, err := e.rows(push)
	if err != nil {
		return nil, err
	}
	if key := header[api.HeaderIdempotency]; key != "" {
		if e.requests[key] {
			return &api.PushResponse{Accepted: len(drivers), Repeated: true}, nil
		}
		e.requests[key] = true
	}
	if source != nil && source.NoteID != "" {
		id, _ := feature.ParseMarkID(source.NoteID)
		e.marks[markKey{view.Shard(id.Key()), id}] = feature.Mark{Note: slices.Clone(source.Note)}
		return &api.PushResponse{}, nil
	}
	through := map[feature.Shard]int64{}
	for i, driver := range drivers {
		key, _ := feature.AppendKeyValue(nil, feature.OfInt64(driver))
		shard := view.Shard(key)
		if source != nil && !source.Again {
			id, _ := feature.ParseMarkID(source.ID)
			mark := e.marks[markKey{shard, id}].Through
			switch {
			case mark >= source.Through:
				continue
			case mark > source.After:
				return nil, api.Problemf(api.CodeBatchSource, "", "a batch from %d to %d goes over the mark %d", source.After, source.Through, mark)
			}
			through[shard] = source.Through
		}
		e.totals[driver] += trips[i]
	}
	for shard, place := range through {
		id, _ := feature.ParseMarkID(source.ID)
		e.marks[markKey{shard, id}] = feature.Mark{Through: place}
	}
	if e.fault != nil {
		if err := e.fault(true); err != nil {
			return nil, err
		}
	}
	return &api.PushResponse{Accepted: len(drivers)}, nil
}

// rows reads drivers and trips of a push, or refuses it.
func (e *edge) rows(push *api.ScannedPush) (drivers, trips []int64, err error) {
	number := func(raw []byte) int64 {
		var n int64
		if err := json.Unmarshal(raw, &n); err != nil {
			e.world.Fatalf("%q is no number: %v", raw, err)
		}
		return n
	}
	for _, c := range push.Columns {
		for _, raw := range c.Values {
			switch string(c.Name) {
			case "driver_id":
				drivers = append(drivers, number(raw))
			case "trips":
				trips = append(trips, number(raw))
			}
		}
	}
	for i := range push.Rows() {
		for _, c := range push.Row(i) {
			switch c.Name {
			case "driver_id":
				drivers = append(drivers, number(c.Value))
			case "trips":
				trips = append(trips, number(c.Value))
			}
		}
	}
	var faults []api.RowProblem
	for i, driver := range drivers {
		if driver == e.refuse && e.refuse != 0 {
			faults = append(faults, api.RowProblem{Row: i, Field: api.EventTimeField, Message: "event time too far in the future"})
		}
	}
	if faults != nil {
		p := api.NewProblem(api.CodeInvalidRows, "")
		p.Rows, p.BadRows = faults, len(faults)
		return nil, nil, p
	}
	if len(trips) < len(drivers) {
		trips = make([]int64, len(drivers))
	}
	return drivers, trips, nil
}

// ReadRows implements Rows, with rows as the store encodes them.
func (e *edge) ReadRows(_ context.Context, keys []feature.RowKey, _ int) ([][]byte, error) {
	var out [][]byte
	for _, k := range keys {
		var row []byte
		for m, mark := range e.marks {
			if m.shard != k.Shard || !bytes.Equal(m.id.Key(), k.Key) || k.View != feature.MarkView {
				continue
			}
			change := m.id.Through(mark.Through, 1)
			if mark.Note != nil {
				change = m.id.Note(mark.Note, 1)
			}
			delta, err := change.Delta(feature.Row{}, 1, 1)
			if err != nil {
				return nil, err
			}
			row = feature.AppendRow(nil, delta)
		}
		out = append(out, row)
	}
	return out[:max(1, len(out)/2)], nil // fewer than were asked for, as a store may
}

// lines is a CSV of drivers with one trip each.
func lines(drivers ...int) string {
	var b strings.Builder
	b.WriteString("id,at,trips,rate\n")
	for _, d := range drivers {
		fmt.Fprintf(&b, "%d,2026-08-01T00:00:00Z,1,0.5\n", d)
	}
	return b.String()
}

func (w *world) wantTotals(want map[int64]int64) {
	w.Helper()
	for d, n := range want {
		if w.edge.totals[d] != n {
			w.Errorf("driver %d has %d trips, want %d", d, w.edge.totals[d], n)
		}
	}
	for d := range w.edge.totals {
		if _, ok := want[d]; !ok {
			w.Errorf("driver %d has %d trips, want none", d, w.edge.totals[d])
		}
	}
}

var errGone = errors.New("the store is gone")
