package online

import (
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// S3, S5: what is logged again keeps its versions, and is joined here and
// wherever the log goes.
func TestRelogKeepsVersions(t *testing.T) {
	h, other := openHouse(t), openHouse(t)
	r := newRemote(77)
	h.append(write(change(1, 50, setRate(1), addTrips(5))))
	own := h.Progress(shardA).Positions()[0]
	r.write(t, 10, false, change(1, 60, setRate(2), addTrips(7)))
	r.write(t, 20, true, change(1, 70, setRate(3))) // for history
	r.write(t, 30, false, change(2, 60, setRate(4)))
	tail := r.after(0).Entries
	tail[2].Deps = []hlc.Position{{Origin: 5, At: 29}}
	at, err := h.Relog(t.Context(), shardA, tail)
	if err != nil {
		t.Fatal(err)
	}
	if at.Origin != h.Origin() || at.At != h.own(shardA) || at.At <= own.At {
		t.Errorf("position %v, own progress %v", at, h.own(shardA))
	}
	logged, _, err := h.ReadLog(t.Context(), shardA, h.Origin(), own.At, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	again := logged.Entries
	if len(again) != 2 || again[0].Kind != oplog.Relog || again[0].Prev != own.At || again[1].Prev != again[0].At {
		t.Fatalf("logged %v", again)
	}
	for i, from := range []int{0, 2} {
		if !again[i].Rows[0].Delta.Equal(r.after(0).Entries[from].Rows[0].Delta) || len(again[i].Deps) > 0 {
			t.Errorf("entry %d is %+v", i, again[i])
		}
	}
	iv, _, err := h.ReadLog(t.Context(), shardA, h.Origin(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	other.mustJoin(iv)
	for _, s := range []*house{h, other} {
		row := s.row(shardA, 1, entity(1))
		if read(row, rate) != feature.OfFloat64(2) || read(row, trips) != feature.OfInt64(12) {
			t.Errorf("rate %v and trips %v, want 2 and 12", read(row, rate), read(row, trips))
		}
		if c, _ := s.row(shardA, 1, entity(2)).Cell(rate); c.Version.Position() != (hlc.Position{Origin: 77, At: 30}) {
			t.Errorf("the version is %v", c.Version)
		}
	}
}

// Nothing that could be logged still gives a position; much takes several
// commits.
func TestRelogOfNothingAndOfMuch(t *testing.T) {
	h := openHouse(t)
	at, err := h.Relog(t.Context(), shardB, nil)
	if err != nil || at.Origin != h.Origin() || at.At == 0 || h.own(shardB) != at.At {
		t.Errorf("position %v, %v", at, err)
	}
	r := newRemote(77)
	for i := range hlc.Timestamp(5) {
		r.write(t, i+1, false, change(int64(i), 1, setNote(strings.Repeat("x", 450<<10))))
	}
	if _, err := h.Relog(t.Context(), shardA, r.after(0).Entries); err != nil {
		t.Fatal(err)
	}
	if n := len(h.entries(shardA)); n != 5 {
		t.Errorf("%d entries, want 5", n)
	}
	for id := range int64(5) {
		if h.row(shardA, 1, entity(id)).IsEmpty() {
			t.Errorf("row %d is missing", id)
		}
	}
}
