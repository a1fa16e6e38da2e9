package online

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"featurestore/feature"
	"featurestore/replication/oplog"
)

// named is a write under a request's id, of so many shards in all.
func named(id byte, shards int, changes ...Placed) Write {
	w := write(changes...)
	w.Idempotency = &Idempotency{ID: RequestID{id}, Digest: [16]byte{id, 7}, Shards: shards}
	return w
}

// follow joins all that another house has of its own log of a shard.
func (h *house) follow(of *house, shard feature.Shard) {
	h.Helper()
	iv, _, err := of.ReadLog(h.Context(), shard, of.Origin(), h.Progress(shard)[of.Origin()], 1<<20)
	if err != nil {
		h.Fatal(err)
	}
	h.mustJoin(iv)
}

// trips1 is driver 1's trips in a shard.
func (h *house) trips1(shard feature.Shard) feature.Value {
	h.Helper()
	return read(h.row(shard, 1, entity(1)), trips)
}

// S8: who joined the entries of a request answers it as who carried it out does.
func TestARequestIsKnownWhereItsEntriesAre(t *testing.T) {
	here, there := openHouse(t), openHouse(t)
	w := named(1, 2, change(1, 1, addTrips(1)), elsewhere(shardB, 1, addTrips(1)))
	first := there.append(w)
	here.follow(there, shardA)
	if _, found, err := here.Repeated(w.Idempotency); found || err != nil {
		t.Errorf("with the entry of one shard of two the request is found, %v", err)
	}
	here.follow(there, shardB)
	if r, found, err := here.Repeated(w.Idempotency); !found || err != nil || !slices.Equal(r.Positions, first.Positions) {
		t.Errorf("got %v, %v, %v; want %v", r.Positions, found, err, first.Positions)
	}
	for _, when := range []string{"now", "after a restart"} {
		if r := here.append(w); !r.Repeated || !slices.Equal(r.Positions, first.Positions) {
			t.Errorf("%s: got %+v, want what the other store answered: %v", when, r, first.Positions)
		}
		other := w
		other.Idempotency = &Idempotency{ID: RequestID{1}, Digest: [16]byte{3}}
		if err := here.fails(other); !errors.Is(err, ErrIdempotencyMismatch) {
			t.Errorf("%s: other contents under the id: %v, want %v", when, err, ErrIdempotencyMismatch)
		}
		here.restart()
	}
	for _, s := range []feature.Shard{shardA, shardB} {
		if got := here.trips1(s); got != feature.OfInt64(1) {
			t.Errorf("trips in shard %v = %v, want 1", s, got)
		}
	}
}

// S8: of a request that is known in part, the rest is carried out, and no more.
func TestTheRestOfARequestIsCarriedOut(t *testing.T) {
	here, there := openHouse(t), openHouse(t)
	first := there.append(named(1, 2, change(1, 1, addTrips(1)))) // it leads one shard of the two
	here.follow(there, shardA)
	all := named(1, 2, change(1, 1, addTrips(1)), elsewhere(shardB, 1, addTrips(1)))
	r := here.append(all)
	if r.Repeated || len(r.Positions) != 2 || r.Positions[0] != first.Positions[0] || r.Positions[1].Position.Origin != here.Origin() {
		t.Errorf("got %+v, want shard A at %v and shard B written here", r, first.Positions)
	}
	again, found, err := here.Repeated(all.Idempotency)
	if !found || err != nil || !slices.Equal(again.Positions, r.Positions) {
		t.Errorf("then: got %+v, %v, %v; want %+v", again, found, err, r)
	}
	for _, s := range []feature.Shard{shardA, shardB} {
		if got := here.trips1(s); got != feature.OfInt64(1) {
			t.Errorf("trips in shard %v = %v, want 1", s, got)
		}
	}
}

// S8: what comes under one id at once, in whatever parts, writes each shard once.
func TestPartsOfARequestThatComeAtOnceWriteOnce(t *testing.T) {
	h := openHouse(t)
	a, b := change(1, 1, addTrips(1)), elsewhere(shardB, 1, addTrips(1))
	const requests = 50
	var clients sync.WaitGroup
	for _, part := range [][]Placed{{a}, {b}, {a, b}, {b, a}, {a}, {a, b}} {
		clients.Go(func() {
			for n := range requests {
				h.append(named(byte(n), 2, part...))
			}
		})
	}
	clients.Wait()
	for _, s := range []feature.Shard{shardA, shardB} {
		if got := h.trips1(s); got != feature.OfInt64(requests) {
			t.Errorf("trips in shard %v = %v, want %d", s, got, requests)
		}
	}
}

// S7: what a write that failed had staged of its request is gone, what was there
// before is not.
func TestAFailedPartLeavesWhatWasKnown(t *testing.T) {
	h := openHouse(t)
	first := h.append(named(1, 2, change(1, 1, addTrips(1))))
	var large []Placed
	for id := range int64(40) {
		large = append(large, elsewhere(shardB, id, setNote(string(make([]byte, 400<<10)))))
	}
	if err := h.fails(named(1, 2, large...)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v, want %v", err, ErrTooLarge)
	}
	if r := h.append(named(1, 2, change(1, 1, addTrips(1)))); !r.Repeated || !slices.Equal(r.Positions, first.Positions) {
		t.Errorf("got %+v, want %+v repeated", r, first)
	}
	if _, found, _ := h.Repeated(named(1, 2).Idempotency); found {
		t.Error("the request counts as done, though a part of it failed")
	}
}

// Of two stores that carried out one request, not knowing of each other, each keeps
// its own answer; and it is no hindrance that the id stands for another request there.
func TestARequestOfTwoStoresKeepsItsFirstAnswer(t *testing.T) {
	here, there := openHouse(t), openHouse(t)
	first := here.append(named(1, 1, change(1, 1, addTrips(1))))
	there.append(named(1, 1, change(1, 1, addTrips(1))))
	mine := here.append(named(2, 1, change(2, 1, addTrips(1))))
	other := named(2, 1, change(3, 1, addTrips(1)))
	other.Idempotency.Digest = [16]byte{9}
	there.append(other)
	here.follow(there, shardA)
	for id, want := range map[byte]Receipt{1: first, 2: mine} {
		r, found, err := here.Repeated(named(id, 1).Idempotency)
		if !found || err != nil || !slices.Equal(r.Positions, want.Positions) {
			t.Errorf("request %d: got %v, %v, %v; want %v", id, r.Positions, found, err, want.Positions)
		}
	}
}

// The entry that names a request is the last of its shard: whoever has it has all
// that the request wrote there.
func TestTheLastEntryOfARequestNamesIt(t *testing.T) {
	h := openHouse(t)
	h.append(named(1, 1, change(1, 1, addTrips(1)), change(1, 2, addTrips(1)), change(1, 3, addTrips(1))))
	entries := h.entries(shardA)
	want := &oplog.Request{ID: RequestID{1}, Digest: [16]byte{1, 7}, Shards: 1}
	for i, e := range entries {
		if last := i == len(entries)-1; last != (e.Request != nil) || last && *e.Request != *want {
			t.Errorf("entry %d of %d names %+v", i+1, len(entries), e.Request)
		}
	}
	if len(entries) != 3 {
		t.Errorf("%d entries, want 3: one row thrice", len(entries))
	}
}
