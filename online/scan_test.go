package online

import (
	"context"
	"errors"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
)

// fill writes entities 0 to n-1 with the note.
func (h *house) fill(n int, text string) {
	h.Helper()
	for from := 0; from < n; from += 500 {
		var w Write
		for id := from; id < min(from+500, n); id++ {
			w.Changes = append(w.Changes, change(int64(id), 1, setNote(text)))
		}
		h.append(w)
	}
}

// S10: more than one chunk, overwritten while it is read.
func TestScanYieldsOneMoment(t *testing.T) {
	h := openHouse(t)
	const n = 2*chunkKeys + 7
	h.fill(n, "before")
	other := change(0, 1, setNote("other view"))
	other.View = 2
	elsewhere := change(0, 1, setNote("other shard"))
	elsewhere.Shard = shardB
	h.append(write(other, elsewhere))
	var last feature.Key
	found := 0
	for r, err := range h.Scan(t.Context(), shardA, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if found == 0 {
			h.fill(n+10, "after")
		}
		row, err := feature.DecodeRow(r.Row)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(row, note); got != text("before") || string(last) >= string(r.Key) {
			t.Fatalf("row %d under %x after %x says %v, want before", found, []byte(r.Key), []byte(last), got)
		}
		last = append(last[:0], r.Key...)
		found++
	}
	if found != n {
		t.Errorf("%d rows, want %d", found, n)
	}
	if n := h.snapshots.pinned(); n != 0 {
		t.Errorf("%d snapshots are pinned after the scan", n)
	}
}

func TestIterationEndsWithItsContextAndItsConsumer(t *testing.T) {
	h := openHouse(t)
	h.fill(2*chunkKeys, "x")
	for range h.Scan(t.Context(), shardA, 1) {
		break
	}
	for range h.Entries(t.Context(), shardA, h.Identity().Origin, 0) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range h.Scan(ctx, shardA, 1) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled scan ended with %v", last)
	}
	for _, err := range h.Entries(ctx, shardA, h.Identity().Origin, 0) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled reading of the log ended with %v", last)
	}
	if n := h.snapshots.pinned(); n != 0 {
		t.Errorf("%d snapshots are pinned after", n)
	}
}

func TestEntriesBeginAfterATimestamp(t *testing.T) {
	h := openHouse(t)
	var ats []hlc.Timestamp
	for n := range 5 {
		ats = append(ats, h.append(write(change(1, int64(n), addTrips(1)))).Positions[0].Position.At)
	}
	count := func(after hlc.Timestamp) int {
		n := 0
		for e, err := range h.Entries(t.Context(), shardA, h.Identity().Origin, after) {
			if err != nil || e.At <= after {
				t.Fatalf("entry %v after %v: %v", e.Position(), after, err)
			}
			n++
		}
		return n
	}
	for i, at := range ats {
		if got := count(at); got != 4-i {
			t.Errorf("%d entries after %v, want %d", got, at, 4-i)
		}
		if got := count(at - 1); got != 5-i {
			t.Errorf("%d entries after %v, want %d", got, at-1, 5-i)
		}
	}
	for range h.Entries(t.Context(), shardA, 999, 0) {
		t.Error("an unknown origin has entries")
	}
}

// O4: a hole in the log, at its beginning, inside, and at its end.
func TestAHoleInTheLogIsAnError(t *testing.T) {
	for hole := range 3 {
		h := openHouse(t)
		var ats []hlc.Timestamp
		for n := range 3 {
			ats = append(ats, h.append(write(change(1, int64(n), addTrips(1)))).Positions[0].Position.At)
		}
		origin := h.Identity().Origin
		h.stop()
		raw(t, h.cfg, func(txn *badger.Txn) error {
			return txn.Delete(appendEntryKey(nil, shardA, origin, ats[hole]))
		})
		h.start()
		good, faults := 0, 0
		for _, err := range h.Entries(t.Context(), shardA, origin, 0) {
			switch {
			case err == nil:
				good++
			case errors.Is(err, ErrCorrupt):
				faults++
			default:
				t.Error(err)
			}
		}
		if good != hole || faults != 1 {
			t.Errorf("hole at entry %d: %d good entries and %d faults, want %d and 1", hole, good, faults, hole)
		}
	}
}
