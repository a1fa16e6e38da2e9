package online

import (
	"context"
	"errors"
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"featurestore/feature"
	"featurestore/hlc"
)

var killRounds = flag.Int("kill.rounds", 5, "rounds of killing a writing process")

// TestMain lets the test binary be its own victim.
func TestMain(m *testing.M) {
	// A check of rapid's opens stores and waits for disks; -rapid.checks says
	// otherwise.
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	flag.Parse()
	if dir := os.Getenv(victimDir); dir != "" {
		os.Exit(victim(dir, os.Getenv(victimFault) != ""))
	}
	goleak.VerifyTestMain(m,
		// Started once per process by libraries, never stopped.
		goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// house is a store whose Run is under way.
type house struct {
	testing.TB
	*Store
	cfg Config
	// end ends Run, then closes, and returns the error of Close; stop wants none
	// but that of a failed disk.
	end  func() error
	stop func()
}

// testConfig is small: tests share a machine.
func testConfig(dir string) Config {
	return Config{Dir: dir, Store: "eu-1", Region: "eu", Deployment: "test", HotBytes: 32 << 20, MemTableBytes: minMemTableBytes}
}

func openHouse(t testing.TB, edit ...func(*Config)) *house {
	t.Helper()
	return openHouseIn(t, t.TempDir(), edit...)
}

func openHouseIn(t testing.TB, dir string, edit ...func(*Config)) *house {
	t.Helper()
	cfg := testConfig(dir)
	for _, e := range edit {
		e(&cfg)
	}
	h := &house{TB: t, cfg: cfg}
	h.start()
	t.Cleanup(func() { h.stop() })
	return h
}

// start opens the directory and runs the store.
func (h *house) start() {
	h.Helper()
	s, err := Open(h.cfg)
	if err != nil {
		h.Fatal(err)
	}
	h.runs(s)
}

// runs runs s until end or stop is called. Both do nothing a second time.
func (h *house) runs(s *Store) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	h.Store = s
	h.end = func() error {
		h.Helper()
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			h.Errorf("Run: %v", err)
		}
		return s.Close()
	}
	h.stop = func() {
		h.Helper()
		if err := h.end(); err != nil && !errors.Is(err, ErrReadOnly) {
			h.Errorf("Close: %v", err)
		}
	}
}

// restart closes the store and opens it again.
func (h *house) restart() {
	h.Helper()
	h.stop()
	h.start()
}

func (h *house) append(w Write) Receipt {
	h.Helper()
	r, err := h.Append(context.Background(), w)
	if err != nil {
		h.Fatalf("Append: %v", err)
	}
	return r
}

// fails appends a write that must not succeed and returns why.
func (h *house) fails(w Write) error {
	h.Helper()
	r, err := h.Append(context.Background(), w)
	if err == nil {
		h.Fatalf("Append answered %+v, want an error", r)
	}
	return err
}

// row reads one row by Read.
func (h *house) row(shard feature.Shard, view feature.ViewID, key feature.Key) feature.Row {
	h.Helper()
	var b Batch
	b.Add(shard, view, key)
	if err := h.Read(context.Background(), &b); err != nil {
		h.Fatalf("Read: %v", err)
	}
	if b.Row(0) == nil {
		return feature.Row{}
	}
	r, err := feature.DecodeRow(b.Row(0))
	if err != nil {
		h.Fatalf("row of %v: %v", key, err)
	}
	return r
}

// own is the store's published progress of its own origin.
func (h *house) own(shard feature.Shard) hlc.Timestamp {
	return h.Progress(shard)[h.Identity().Origin]
}

var (
	shardA = feature.Shard{Group: 1, Partition: 0}
	shardB = feature.Shard{Group: 1, Partition: 7}
)

// Features of view 1 in tests.
const (
	rate  feature.FeatureID = 1 // float64, event_time
	trips feature.FeatureID = 2 // int64, counter
	tags  feature.FeatureID = 3 // list<string>, set
	top   feature.FeatureID = 4 // int64, max
	note  feature.FeatureID = 5 // string, write_time
)

func entity(n int64) feature.Key {
	k, err := feature.AppendKeyValue(nil, feature.OfInt64(n))
	if err != nil {
		panic(err)
	}
	return k
}

func setRate(v float64) feature.Assignment {
	return feature.Assignment{Feature: rate, Type: feature.ScalarOf(feature.Float64), Value: feature.OfFloat64(v)}
}

func addTrips(n int64) feature.Assignment {
	return feature.Assignment{Feature: trips, Rule: feature.Counter, Type: feature.ScalarOf(feature.Int64), Value: feature.OfInt64(n)}
}

func raiseTop(n int64) feature.Assignment {
	return feature.Assignment{Feature: top, Rule: feature.Max, Type: feature.ScalarOf(feature.Int64), Value: feature.OfInt64(n)}
}

func text(s string) feature.Value {
	v, err := feature.OfString(s)
	if err != nil {
		panic(err)
	}
	return v
}

func setNote(s string) feature.Assignment {
	return feature.Assignment{Feature: note, Rule: feature.WriteTime, Type: feature.ScalarOf(feature.String), Value: text(s)}
}

func addTags(elems ...string) feature.Assignment {
	values := make([]feature.Value, len(elems))
	for i, e := range elems {
		values[i] = text(e)
	}
	list, err := feature.OfList(feature.String, values...)
	if err != nil {
		panic(err)
	}
	return feature.Assignment{Feature: tags, Rule: feature.Set, Type: feature.ListOf(feature.String), Value: list}
}

// change is a change of view 1 in shard A at an event time.
func change(id int64, event int64, as ...feature.Assignment) Placed {
	return Placed{Shard: shardA, Change: feature.Change{View: 1, Key: entity(id), EventTime: event, Assignments: as}}
}

func write(changes ...Placed) Write { return Write{Changes: changes} }

// read returns the value a reader sees of one feature, null when absent.
func read(r feature.Row, id feature.FeatureID) feature.Value {
	c, _ := r.Cell(id)
	return c.Read()
}
