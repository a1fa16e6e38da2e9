package online

import (
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
)

func planted(faults ...fault.Fault) func(*Config) {
	return func(c *Config) { c.Faults = fault.Of(faults...) }
}

// Each planted fault does what its checker is to find, and nothing does without.

func TestCountTwiceCountsWhatIsDeliveredAgain(t *testing.T) {
	for faults, want := range map[fault.Set]int64{0: 5, fault.Of(fault.CountTwice): 10} {
		h := openHouse(t, func(c *Config) { c.Faults = faults })
		r := newRemote(77)
		r.write(t, 10, false, change(1, 1, addTrips(5)))
		h.mustJoin(r.after(0), r.after(0))
		if got := read(h.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(want) {
			t.Errorf("with %b trips = %v, want %d", faults, got, want)
		}
	}
}

func TestForgetFloorServesATruncatedLog(t *testing.T) {
	h := openHouse(t, planted(fault.ForgetFloor))
	r := newRemote(77)
	r.write(t, 10, false, change(1, 1, setRate(1)))
	r.write(t, 20, false, change(1, 1, setRate(1)))
	h.mustJoin(r.after(0))
	if err := h.Truncate(t.Context(), shardA, hlc.Position{Origin: 77, At: 10}, 0); err != nil {
		t.Fatal(err)
	}
	iv, floor, err := h.ReadLog(t.Context(), shardA, 77, 0, 1000)
	if err != nil || floor != 0 || len(iv.Entries) != 1 {
		t.Errorf("%d entries, floor %v, %v; want one and none", len(iv.Entries), floor, err)
	}
}

func TestPatchOutsideLogIsRefusedUnlessPlanted(t *testing.T) {
	row, err := change(1, 1, setRate(1)).Delta(feature.Row{}, 5, 77)
	if err != nil {
		t.Fatal(err)
	}
	for faults, want := range map[fault.Set]bool{0: false, fault.Of(fault.PatchOutsideLog): true} {
		h := openHouse(t, func(c *Config) { c.Faults = faults })
		err := h.PatchRow(t.Context(), shardA, 1, entity(1), row)
		if there := !h.row(shardA, 1, entity(1)).IsEmpty(); (err == nil) != want || there != want {
			t.Errorf("with %b: %v, the row is there: %v", faults, err, there)
		}
		if len(h.Progress(shardA)) != 0 {
			t.Errorf("progress %v", h.Progress(shardA))
		}
	}
}

func TestClaimUnwrittenClosesDuringACommit(t *testing.T) {
	for faults, want := range map[fault.Set]bool{0: false, fault.Of(fault.ClaimUnwritten): true} {
		wall := time.Now()
		h := openHouse(t, func(c *Config) { c.Faults, c.Wall = faults, func() time.Time { return wall } })
		h.append(write(change(1, 1, setRate(1)))) // the clock's limit is written, and lasts
		commit := h.disk.commit
		began, release := make(chan hlc.Timestamp, 1), make(chan struct{})
		h.disk.commit = func(txn *badger.Txn, at uint64) error {
			began <- h.Clock().Last()
			<-release
			return commit(txn, at)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.append(write(change(1, 1, setRate(1))))
		}()
		written := <-began
		closed, err := h.Closed()
		if err != nil || (closed >= written) != want {
			t.Errorf("with %b it closed %v while %v is being written, %v", faults, closed, written, err)
		}
		h.disk.commit = commit
		close(release)
		<-done
	}
}

func TestForgetClockLimitBeginsAtTheWall(t *testing.T) {
	h := openHouse(t)
	now, err := h.Clock().Now()
	if err != nil {
		t.Fatal(err)
	}
	ahead := now + hlc.New(300, 0)
	if err := h.Witness(ahead); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true} {
		h.stop()
		h.cfg.Faults = 0
		if want {
			h.cfg.Faults = fault.Of(fault.ForgetClockLimit)
		}
		h.start()
		if got := h.Clock().Last() < ahead; got != want {
			t.Errorf("with %b the clock begins at %v, before the limit: %v", h.cfg.Faults, h.Clock().Last(), got)
		}
	}
}
