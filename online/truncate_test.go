package online

import (
	"errors"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
)

// floorAfter asks ReadLog for the floor.
func (h *house) floorAfter(origin hlc.Origin, after hlc.Timestamp) hlc.Timestamp {
	h.Helper()
	_, floor, err := h.ReadLog(h.Context(), shardA, origin, after, 1000)
	if err != nil {
		h.Fatalf("ReadLog: %v", err)
	}
	return floor
}

// S17: a truncated log says where it begins, which is an entry; what follows is
// whole, also when nothing follows.
func TestATruncatedLogSaysWhereItBegins(t *testing.T) {
	h := openHouse(t)
	r := newRemote(h.Origin() + 1)
	for i := range 2500 {
		r.write(t, hlc.Timestamp(10*(i+1)), false, change(int64(i%5), int64(i), setRate(1)))
	}
	h.mustJoin(r.after(0))
	if err := h.Truncate(t.Context(), shardA, hlc.Position{Origin: r.origin, At: 20_005}, 0); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"now", "after a restart"} {
		if got := h.floorAfter(r.origin, 0); got != 20_000 {
			t.Errorf("%s the floor is %v, want the last entry removed, 20000", when, got)
		}
		if got := h.readLog(t, r.origin, 20_000, 500); len(got) != 500 || got[0].At != 20_010 {
			t.Errorf("%s %d entries follow, want 500", when, len(got))
		}
		for _, err := range h.Entries(t.Context(), shardA, r.origin, 19_990) {
			if !errors.Is(err, ErrTruncated) {
				t.Errorf("%s Entries: %v, want %v", when, err, ErrTruncated)
			}
		}
		h.restart()
	}
	if err := h.Truncate(t.Context(), shardA, hlc.Position{Origin: r.origin, At: 99_999_999}, 0); err != nil {
		t.Fatal(err)
	}
	if got := h.floorAfter(r.origin, 24_990); got != 25_000 {
		t.Errorf("the floor of an empty log is %v, want 25000", got)
	}
	if got := h.readLog(t, r.origin, 25_000, 500); len(got) != 0 {
		t.Errorf("%d entries are left", len(got))
	}
	r.write(t, 30_000, false, change(1, 9999, setRate(2)))
	h.mustJoin(r.after(25_000))
	if got := h.readLog(t, r.origin, 25_000, 500); len(got) != 1 {
		t.Errorf("%d entries follow, want 1", len(got))
	}
}

// S20: what a reader has not read stays for it, until a limit takes it.
func TestAReaderHoldsTheLogWithinTheLimits(t *testing.T) {
	h := openHouse(t)
	var at []hlc.Position
	for i := range 4 {
		at = append(at, h.append(write(change(1, int64(i), setRate(1)))).Positions[0].Position)
	}
	read := hlc.Vector{}
	h.HoldLogs(func(s feature.Shard) hlc.Vector {
		if s != shardA {
			return nil
		}
		return read
	})
	for i, want := range []hlc.Timestamp{0, at[1].At} {
		if i > 0 {
			read = hlc.Vector{h.Origin(): at[i].At}
		}
		if err := h.Truncate(t.Context(), shardA, at[3], 0); err != nil {
			t.Fatal(err)
		}
		if got := h.floorAfter(h.Origin(), 0); got != want {
			t.Errorf("read through %v: the floor is %v, want %v", read, got, want)
		}
	}
	if err := h.TruncateTo(t.Context(), shardA, 1, 0); err != nil {
		t.Fatal(err)
	}
	if got := h.floorAfter(h.Origin(), 0); got != at[3].At {
		t.Errorf("past a limit the floor is %v, want %v: the disk comes first", got, at[3].At)
	}
	h.HoldLogs(nil)
	last := h.append(write(change(1, 9, setRate(1)))).Positions[0].Position
	if err := h.Truncate(t.Context(), shardA, last, 0); err != nil {
		t.Fatal(err)
	}
	if got := h.floorAfter(h.Origin(), 0); got != last.At {
		t.Errorf("without a reader the floor is %v, want %v", got, last.At)
	}
}

// S5: the own log goes on where it was, though its last entry is gone.
func TestTheOwnLogGoesOnAfterItWasTruncated(t *testing.T) {
	h := openHouse(t)
	first := h.append(write(change(1, 1, setRate(1)))).Positions[0].Position
	if err := h.Truncate(t.Context(), shardA, first, time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := h.floorAfter(h.Origin(), 0); got != 0 {
		t.Fatalf("an entry younger than an hour was removed: floor %v", got)
	}
	if err := h.Truncate(t.Context(), shardA, first, 0); err != nil {
		t.Fatal(err)
	}
	h.restart()
	second := h.append(write(change(1, 2, setRate(2)))).Positions[0].Position
	got := h.readLog(t, h.Origin(), first.At, 500)
	if len(got) != 1 || got[0].Prev != first.At || got[0].At != second.At {
		t.Errorf("the log after %v is %v", first, got)
	}
	for e, err := range h.Entries(t.Context(), shardA, h.Origin(), first.At) {
		if err != nil || e.At != second.At {
			t.Errorf("Entries: %v, %v", e.At, err)
		}
	}
}

// S17: bounds on the whole remove the oldest of any origin, and no more.
func TestTruncateToRemovesTheOldestOfAnyOrigin(t *testing.T) {
	h := openHouse(t)
	a, b := newRemote(h.Origin()+1), newRemote(h.Origin()+2)
	for i := range hlc.Timestamp(100) {
		a.write(t, 10*i+1, false, change(1, 1, setRate(1)))
		b.write(t, 10*i+2, false, change(2, 1, setRate(1)))
	}
	h.mustJoin(a.after(0), b.after(0))
	h.restart()
	if err := h.TruncateTo(t.Context(), shardA, 1<<40, 0); err != nil {
		t.Fatal(err)
	}
	size := h.LogBytes(shardA)
	want := int64(0)
	for _, e := range append(a.after(0).Entries, b.after(0).Entries...) {
		want += int64(17 + len(e.Raw))
	}
	if size != want {
		t.Fatalf("the logs take %d bytes, want %d", size, want)
	}
	if err := h.TruncateTo(t.Context(), shardA, size/2, 0); err != nil {
		t.Fatal(err)
	}
	if got := h.LogBytes(shardA); got > size/2 || got < size/2-size/200 {
		t.Errorf("they take %d bytes, want at most %d and hardly less", got, size/2)
	}
	if x, y := h.floorAfter(a.origin, 0), h.floorAfter(b.origin, 0); x != 491 || y != 492 {
		t.Errorf("floors %v and %v, want 491 and 492", x, y)
	}
	h.append(write(change(1, 1, setRate(1))))
	if err := h.TruncateTo(t.Context(), shardA, 0, time.Hour); err != nil {
		t.Fatal(err)
	}
	if x, y := h.floorAfter(a.origin, 0), h.floorAfter(b.origin, 0); x != 991 || y != 992 {
		t.Errorf("floors %v and %v, want 991 and 992: they are older than an hour", x, y)
	}
	if n := len(h.entries(shardA)); n != 1 {
		t.Errorf("%d own entries, want the young one", n)
	}
}
