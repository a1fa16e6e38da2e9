package online

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// entries reads the whole log of the store's own origin.
func (h *house) entries(shard feature.Shard) []oplog.Entry {
	h.Helper()
	var out []oplog.Entry
	for e, err := range h.Entries(context.Background(), shard, h.Identity().Origin, 0) {
		if err != nil {
			h.Fatalf("Entries: %v", err)
		}
		out = append(out, clone(h.TB, e))
	}
	return out
}

func clone(t testing.TB, e oplog.Entry) oplog.Entry {
	t.Helper()
	out, err := oplog.Decode(oplog.Append(nil, e))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// S1, S4.
func TestAnAcknowledgedWriteIsReadableLoggedAndPublished(t *testing.T) {
	h := openHouse(t)
	r := h.append(write(change(7, 100, setRate(0.5), addTrips(3))))
	if len(r.Positions) != 1 || r.Positions[0].Shard != shardA || len(r.Superseded) != 0 || r.Repeated {
		t.Fatalf("receipt %+v, want one position in %v", r, shardA)
	}
	at := r.Positions[0].Position
	for _, when := range []string{"now", "after a restart"} {
		if got := h.Progress(shardA); !got.CoversPosition(at) {
			t.Errorf("%s: progress %v does not cover %v", when, got, at)
		}
		row := h.row(shardA, 1, entity(7))
		if got := read(row, rate); got != feature.OfFloat64(0.5) {
			t.Errorf("%s: rate = %v, want 0.5", when, got)
		}
		if got := read(row, trips); got != feature.OfInt64(3) {
			t.Errorf("%s: trips = %v, want 3", when, got)
		}
		if log := h.entries(shardA); len(log) != 1 || log[0].Position() != at || len(log[0].Rows) != 1 {
			t.Errorf("%s: log %+v, want one entry at %v", when, log, at)
		}
		h.restart()
	}
}

func TestReadTellsAbsentRowsFromPresentOnes(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 100, setRate(1))))
	for range 2 { // cold, then hot
		var b Batch
		missing := b.Add(shardA, 1, entity(2))
		present := b.Add(shardA, 1, entity(1))
		elsewhere := b.Add(shardB, 1, entity(1))
		again := b.Add(shardA, 1, entity(1))
		if err := h.Read(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if b.Row(missing) != nil || b.Row(elsewhere) != nil {
			t.Errorf("rows %x and %x, want none", b.Row(missing), b.Row(elsewhere))
		}
		if b.Row(present) == nil || !slices.Equal(b.Row(present), b.Row(again)) {
			t.Errorf("rows %x and %x, want the same one twice", b.Row(present), b.Row(again))
		}
	}
}

func TestSupersededNamesTheChangesThatLost(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 200, setRate(1), setNote("new")), change(2, 200, setRate(1))))
	r := h.append(write(
		change(3, 100, setRate(9)),
		change(2, 100, setRate(9)),                 // older than what is there
		change(1, 100, setRate(9), setNote("old")), // the note follows the write
		change(2, 200, setRate(8)),                 // equal event time: later wins
		change(2, 199, setRate(7)),                 // loses to the one before it
	))
	if want := []int{1, 4}; !slices.Equal(r.Superseded, want) {
		t.Errorf("superseded = %v, want %v", r.Superseded, want)
	}
	if got := read(h.row(shardA, 1, entity(2)), rate); got != feature.OfFloat64(8) {
		t.Errorf("rate = %v, want 8", got)
	}
	// O7: history holds every event.
	rows := 0
	for _, e := range h.entries(shardA) {
		rows += len(e.Rows)
	}
	if rows != 7 {
		t.Errorf("the log holds %d rows, want 7", rows)
	}
}

// O6: a write that names a row twice takes two entries, in one commit.
func TestARowNamedTwiceGoesIntoFollowingEntries(t *testing.T) {
	h := openHouse(t)
	r := h.append(write(
		change(1, 1, addTrips(1)), change(2, 1, addTrips(1)), change(1, 2, addTrips(10)), change(1, 3, addTrips(100)),
		change(3, 1, addTrips(1)),
	))
	if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(111) {
		t.Errorf("trips = %v, want 111", got)
	}
	log := h.entries(shardA)
	var sizes []int
	for _, e := range log {
		sizes = append(sizes, len(e.Rows))
	}
	if want := []int{2, 1, 2}; !slices.Equal(sizes, want) {
		t.Errorf("rows by entry = %v, want %v", sizes, want)
	}
	if got, want := r.Positions[0].Position, log[len(log)-1].Position(); got != want {
		t.Errorf("position %v, want that of the last entry %v", got, want)
	}
}

func TestAWriteIntoTwoShardsHasAPositionInEach(t *testing.T) {
	h := openHouse(t)
	other := change(1, 1, setRate(2))
	other.Shard = shardB
	r := h.append(write(other, change(1, 1, setRate(1)), other))
	if len(r.Positions) != 2 || r.Positions[0].Shard != shardB || r.Positions[1].Shard != shardA {
		t.Fatalf("positions %v, want one in %v, then one in %v", r.Positions, shardB, shardA)
	}
	for _, p := range r.Positions {
		if got := h.own(p.Shard); got != p.Position.At {
			t.Errorf("progress of %v = %v, want %v", p.Shard, got, p.Position.At)
		}
	}
	if n := len(h.entries(shardB)); n != 2 {
		t.Errorf("shard B has %d entries, want 2", n)
	}
}

func TestABigWriteIsCutIntoEntriesThatBadgerKeepsWithTheirKeys(t *testing.T) {
	h := openHouse(t)
	var changes []Placed
	for i := range 6 {
		changes = append(changes, change(int64(i), 1, setNote(strings.Repeat("x", 90<<10))))
	}
	h.append(write(changes...))
	log := h.entries(shardA)
	rows := 0
	for _, e := range log {
		if size := len(oplog.Append(nil, e)); size >= valueThreshold {
			t.Errorf("entry %v has %d bytes, want less than %d", e.Position(), size, valueThreshold)
		}
		rows += len(e.Rows)
	}
	if len(log) < 2 || rows != len(changes) {
		t.Errorf("%d entries with %d rows, want several with %d", len(log), rows, len(changes))
	}
}

// S3.
func TestLogOnlyChangesAreLoggedAndNotJoined(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 1, addTrips(5))))
	w := write(change(1, 2, addTrips(3)), change(2, 2, setRate(1)))
	w.LogOnly = true
	r := h.append(w)
	if len(r.Superseded) != 0 {
		t.Errorf("superseded = %v, want none", r.Superseded)
	}
	if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(5) {
		t.Errorf("trips = %v, want 5", got)
	}
	if row := h.row(shardA, 1, entity(2)); !row.IsEmpty() {
		t.Errorf("row %+v, want none", row)
	}
	log := h.entries(shardA)
	if len(log) != 2 || !log[1].LogOnly || len(log[1].Rows) != 2 || log[0].LogOnly {
		t.Errorf("log %+v, want a joined entry and one that is not", log)
	}
}

func TestDependenciesAreLoggedWithTheFirstEntryOfAShard(t *testing.T) {
	h := openHouse(t)
	now, err := h.Clock().Now()
	if err != nil {
		t.Fatal(err)
	}
	w := write(change(1, 1, setRate(1)), change(1, 2, setRate(2)))
	w.Deps = map[feature.Shard]hlc.Vector{shardA: {3: now + 5, 2: 17, h.Identity().Origin: 1}, shardB: {9: 1}}
	h.append(w)
	log := h.entries(shardA)
	if want := []hlc.Position{{Origin: 2, At: 17}, {Origin: 3, At: now + 5}}; !slices.Equal(log[0].Deps, want) {
		t.Errorf("deps = %v, want %v", log[0].Deps, want)
	}
	if len(log[1].Deps) != 0 {
		t.Errorf("deps of the second entry = %v, want none", log[1].Deps)
	}
	if log[0].At <= now+5 {
		t.Errorf("entry at %v, want it after what it depends on, %v", log[0].At, now+5)
	}
	w.Deps[shardA][3] = math.MaxUint64
	if err := h.fails(w); !errors.Is(err, hlc.ErrAhead) {
		t.Errorf("a dep from the far future: %v, want %v", err, hlc.ErrAhead)
	}
}

// S7.
func TestAFailedWriteLeavesNothingBehind(t *testing.T) {
	big := strings.Repeat("x", MaxRowBytes)
	for _, tc := range []struct {
		name  string
		fault Placed
		want  error
	}{
		{"overflow", change(1, 2, addTrips(math.MaxInt64)), feature.ErrCounterOverflow},
		{"set", change(1, 2, addTags(numbers(feature.MaxSetElements)...)), feature.ErrSetTooLarge},
		{"row", change(1, 2, setNote(big)), ErrTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := openHouse(t)
			h.append(write(change(1, 1, addTrips(1), addTags("mine"))))
			before, log, progress := h.row(shardA, 1, entity(1)), h.entries(shardA), h.own(shardA)
			second := change(2, 1, setRate(1))
			second.Shard = shardB
			err := h.fails(write(change(1, 2, addTrips(1)), change(3, 1, setRate(1)), second, tc.fault))
			detail, ok := errors.AsType[*ChangeError](err)
			if !ok || detail.Index != 3 || !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want change 3: %v", err, tc.want)
			}
			if got := h.row(shardA, 1, entity(1)); !got.Equal(before) {
				t.Errorf("row is %+v, was %+v", got, before)
			}
			if row := h.row(shardA, 1, entity(3)); !row.IsEmpty() {
				t.Errorf("row %+v, want none", row)
			}
			if got := h.entries(shardA); len(got) != len(log) || h.own(shardA) != progress || h.Progress(shardB) != nil {
				t.Errorf("log of %d entries up to %v, B %v; want %d up to %v, B none", len(got), h.own(shardA), h.Progress(shardB), len(log), progress)
			}
			h.append(write(change(1, 3, addTrips(1))))
			if n := len(h.entries(shardA)); n != len(log)+1 {
				t.Errorf("log has %d entries after another write, want %d in one chain", n, len(log)+1)
			}
		})
	}
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return out
}

// S7: the others of a batch go on. The batch is made sure of by appending
// before Run.
func TestOthersOfABatchGoOn(t *testing.T) {
	s, err := Open(testConfig(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	const n = 30
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		w := write(change(1, int64(i), addTrips(1)))
		if i%3 == 0 {
			w = write(change(1, int64(i), addTrips(1)), change(1, int64(i), addTrips(math.MaxInt64)))
		}
		wg.Go(func() { _, errs[i] = s.Append(t.Context(), w) })
	}
	waitFor(t, func() bool { return s.queue.length.Load() == n })
	h := &house{TB: t}
	h.runs(s)
	defer h.stop()
	wg.Wait()
	for i, err := range errs {
		if failed := i%3 == 0; failed != errors.Is(err, feature.ErrCounterOverflow) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(20) {
		t.Errorf("trips = %v, want 20", got)
	}
	if commits := s.disk.lastCommit(); commits > 5 {
		t.Errorf("%d commits, want the writes in one batch", commits)
	}
}

// waitFor polls without sleeping: what it waits for is on its way.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for !ok() {
		runtime.Gosched()
	}
}

func TestWritesThatCouldNotBeReadAreRefused(t *testing.T) {
	h := openHouse(t)
	float := feature.ScalarOf(feature.Float64)
	counter := addTrips(1)
	counter.Value = feature.Value{}
	removes := setRate(1)
	removes.Remove = feature.OfFloat64(1)
	for _, tc := range []struct {
		name string
		w    Write
		want string
	}{
		{"empty", Write{}, "has no changes"},
		{"no view", write(Placed{Shard: shardA, Change: feature.Change{Key: entity(1)}}), "view is zero"},
		{"no key", write(Placed{Shard: shardA, Change: feature.Change{View: 1}}), "key has 0 bytes"},
		{"long key", write(Placed{Shard: shardA, Change: feature.Change{View: 1, Key: make(feature.Key, feature.MaxKeyBytes+1)}}), "4097 bytes"},
		{"out of order", write(change(1, 1, setNote("x"), setRate(1))), "assignments[1] of feature 1 follows feature 5"},
		{"twice", write(change(1, 1, setRate(1), setRate(2))), "rising ids"},
		{"feature zero", write(change(1, 1, feature.Assignment{Type: float, Value: feature.OfFloat64(1)})), "rising ids above zero"},
		{"wrong type", write(change(1, 1, feature.Assignment{Feature: 1, Type: float, Value: feature.OfInt64(1)})), "its value is int64, want float64"},
		{"rule", write(change(1, 1, feature.Assignment{Feature: 1, Rule: feature.Set, Type: float})), "set needs a list"},
		{"no type", write(change(1, 1, feature.Assignment{Feature: 1})), "its type is null"},
		{"null increment", write(change(1, 1, counter)), "a counter's increment is null"},
		{"remove from a scalar", write(change(1, 1, removes)), "removes float64 from a float64"},
		{"delete with values", write(Placed{Shard: shardA, Change: feature.Change{View: 1, Key: entity(1), Delete: true, Assignments: []feature.Assignment{setRate(1)}}}), "a delete has 1 assignments"},
	} {
		err := h.fails(tc.w)
		if !errors.Is(err, ErrInvalidWrite) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %v with %q", tc.name, err, ErrInvalidWrite, tc.want)
		}
	}
	if p := h.Progress(shardA); p != nil {
		t.Errorf("progress %v, want none: nothing was written", p)
	}
}

func TestAWriteThatCannotFitIsRefused(t *testing.T) {
	h := openHouse(t)
	var w Write
	for i := range 9 {
		w.Changes = append(w.Changes, change(int64(i), 1, setNote(strings.Repeat("x", 150<<10))))
	}
	err := h.fails(w)
	if detail, ok := errors.AsType[*TooLargeError](err); !ok || detail.What != "write" || detail.Bytes <= detail.Limit {
		t.Errorf("got %v, want a write above its limit", err)
	}
	if p := h.Progress(shardA); p != nil {
		t.Errorf("progress %v, want none", p)
	}
	// A part of it fits, and several such parts wait for one another's batch.
	var wg sync.WaitGroup
	for part := range 3 {
		wg.Go(func() { h.append(write(w.Changes[part*3 : part*3+3]...)) })
	}
	wg.Wait()
	if n := len(h.entries(shardA)); n < 3 {
		t.Errorf("%d entries, want at least one for each part", n)
	}
}

// S8.
func TestARepeatedRequestIsAnsweredWithItsFirstReceipt(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(2, 9, setRate(1))))
	w := write(change(1, 1, addTrips(1)), change(2, 1, setRate(2)))
	w.Idempotency = &Idempotency{ID: RequestID{1}, Digest: [16]byte{2}}
	first := h.append(w)
	for _, when := range []string{"now", "after a restart"} {
		again := h.append(w)
		if !again.Repeated || !slices.Equal(again.Positions, first.Positions) || !slices.Equal(again.Superseded, []int{1}) {
			t.Errorf("%s: %+v, want %+v repeated", when, again, first)
		}
		other := w
		other.Idempotency = &Idempotency{ID: RequestID{1}, Digest: [16]byte{3}}
		if err := h.fails(other); !errors.Is(err, ErrIdempotencyMismatch) {
			t.Errorf("%s: %v, want %v", when, err, ErrIdempotencyMismatch)
		}
		h.restart()
	}
	if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(1) {
		t.Errorf("trips = %v, want 1", got)
	}
}

func TestConcurrentRepetitionsWriteOnce(t *testing.T) {
	h := openHouse(t)
	const clients, requests = 16, 20
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := range requests {
				w := write(change(1, 1, addTrips(1)))
				w.Idempotency = &Idempotency{ID: RequestID{byte(n), 1}}
				h.append(w)
			}
		})
	}
	wg.Wait()
	if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(requests) {
		t.Errorf("trips = %v, want %d", got, requests)
	}
}

func TestAFailedRequestIsNotRemembered(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 1, addTrips(1))))
	w := write(change(1, 1, addTrips(math.MaxInt64)))
	w.Idempotency = &Idempotency{ID: RequestID{5}}
	h.fails(w)
	w.Changes = []Placed{change(1, 1, addTrips(1))}
	if r := h.append(w); r.Repeated {
		t.Error("answered as repeated, though the first one failed")
	}
}

// A push of nothing but keys is an event for history, and no row.
func TestAChangeOfNothingMakesNoRow(t *testing.T) {
	h := openHouse(t)
	if r := h.append(write(change(1, 1))); len(r.Superseded) != 0 {
		t.Errorf("superseded = %v, want none", r.Superseded)
	}
	if row := h.row(shardA, 1, entity(1)); !row.IsEmpty() {
		t.Errorf("row %+v, want none", row)
	}
	if n := len(h.entries(shardA)); n != 1 {
		t.Errorf("%d log entries, want 1", n)
	}
}
