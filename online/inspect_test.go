package online

import (
	"errors"
	"testing"

	"featurestore/feature"
)

func TestInspectTellsWhatEveryKeyMeans(t *testing.T) {
	h := openHouse(t)
	if _, err := h.Apply(t.Context(), definitions(t, "rides", 1), nil); err != nil {
		t.Fatal(err)
	}
	w := write(change(7, 1, setRate(0.5)))
	w.Idempotency = &Idempotency{ID: RequestID{1}, Digest: [16]byte{2}}
	before := h.append(write(change(7, 1, setRate(0.25)))).Positions[0]
	err := errors.Join(h.SetMembership(t.Context(), []byte("members")), h.SetNote(t.Context(), shardA, []byte("note")),
		h.Truncate(t.Context(), shardA, before.Position, 0))
	if err != nil {
		t.Fatal(err)
	}
	at := h.append(w).Positions[0]
	for _, err := range Inspect(t.Context(), h.cfg.Dir, InspectOptions{}) {
		if !errors.Is(err, ErrInUse) {
			t.Errorf("a store that runs: %v, want %v", err, ErrInUse)
		}
	}
	identity := h.Identity()
	h.stop()
	var kinds []byte
	for r, err := range Inspect(t.Context(), h.cfg.Dir, InspectOptions{}) {
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		kinds = append(kinds, r.Key[0])
		ok := false
		switch {
		case r.Store != nil:
			ok = r.Store.Identity == identity && r.Store.Clean && r.Store.ClockLimit > at.Position.At
		case r.Shard != nil:
			ok = r.Shard.Shard == shardA && r.Shard.Horizon == 0 && string(r.Shard.Note) == "note"
		case r.Membership != nil:
			ok = string(r.Membership.Encoded) == "members"
		case r.Floor != nil:
			ok = *r.Floor == FloorRecord{Shard: shardA, Position: before.Position}
		case r.Progress != nil:
			ok = *r.Progress == ProgressRecord{Shard: shardA, Position: at.Position, Entry: at.Position.At}
		case r.Row != nil:
			ok = r.Row.Shard == shardA && r.Row.View == 1 && string(r.Row.Key) == string(entity(7)) &&
				read(r.Row.Row, rate) == feature.OfFloat64(0.5)
		case r.Entry != nil:
			ok = r.Entry.Shard == shardA && r.Entry.Entry.Position() == at.Position
		case r.Request != nil:
			ok = r.Request.ID == RequestID{1} && r.Request.Digest == [16]byte{2} && r.Request.Receipt.Positions[0] == at
		case r.Registry != nil:
			ok = r.Registry.Revision == 1 && r.Registry.Registry.Projects()[0] == "rides"
		}
		if !ok {
			t.Errorf("key %x means %+v", r.Key, r)
		}
	}
	if string(kinds) != "\x00\x01\x02\x03\x04\x05\x06\x08\x09" {
		t.Errorf("kinds %x, want each once in order", kinds)
	}
	for range Inspect(t.Context(), h.cfg.Dir, InspectOptions{}) {
		break
	}
	h.restart() // the directory is free again, and as it was
	if got := read(h.row(shardA, 1, entity(7)), rate); got != feature.OfFloat64(0.5) {
		t.Errorf("rate = %v, want 0.5", got)
	}
}

func TestInspectWantsADirectory(t *testing.T) {
	found := 0
	for _, err := range Inspect(t.Context(), t.TempDir()+"/nowhere", InspectOptions{}) {
		if err == nil {
			t.Error("no error for a directory that is not there")
		}
		found++
	}
	if found != 1 {
		t.Errorf("%d records, want one error", found)
	}
}
