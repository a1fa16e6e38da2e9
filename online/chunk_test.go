package online

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// S16: a store that is rebuilt from chunks of a source that goes on writing,
// starts at the least of their vectors, and then joins the log, has the rows of
// the source, its own earlier ones included.
func TestAStoreRebuiltFromChunksHasTheRowsOfItsSource(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		source, target := openHouse(t), openHouse(t)
		defer source.stop()
		defer target.stop()
		r := newRemote(77)
		at := hlc.New(1_700_000_000_000, 0)
		busy := func() {
			for range rapid.IntRange(0, 6).Draw(rt, "writes") {
				if rapid.Bool().Draw(rt, "remote") {
					at += 3
					r.write(rt, at, false, drawChange(rt))
					source.mustJoin(r.after(source.Progress(shardA)[r.origin]))
				} else if _, err := source.Append(context.Background(), write(drawChange(rt))); err != nil && !errors.Is(err, feature.ErrCounterOverflow) {
					rt.Fatalf("Append: %v", err)
				}
			}
		}
		busy()
		var start, barrier hlc.Vector
		var after []byte
		for n := 1; ; n++ {
			c, err := source.ReadChunk(context.Background(), shardA, after, rapid.IntRange(1, 300).Draw(rt, "bytes"))
			if err != nil {
				rt.Fatalf("ReadChunk: %v", err)
			}
			if start == nil {
				start, barrier = c.Progress, c.Progress
			}
			start, barrier = start.Floor(c.Progress), barrier.Merge(c.Progress)
			busy()
			note, begin := []byte(fmt.Sprint("chunk ", n)), hlc.Vector(nil)
			if c.Next == nil {
				note, begin = nil, start
			}
			if err := target.JoinChunk(context.Background(), c, note, begin); err != nil {
				rt.Fatalf("JoinChunk: %v", err)
			}
			if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
				target.restart()
			}
			if got := target.Note(shardA); !bytes.Equal(got, note) {
				rt.Fatalf("the note is %q, want %q", got, note)
			}
			if after = c.Next; after == nil {
				break
			}
		}
		if got := target.Progress(shardA); !got.Equal(start) {
			rt.Fatalf("progress %v, want %v", got, start)
		}
		for _, origin := range []hlc.Origin{source.Origin(), r.origin} {
			_, floor, err := target.ReadLog(context.Background(), shardA, origin, 0, 1000)
			if err != nil || floor != start[origin] {
				rt.Fatalf("the log of %v begins at %v (%v), want %v", origin, floor, err, start[origin])
			}
			for {
				iv, floor, err := source.ReadLog(context.Background(), shardA, origin, target.Progress(shardA)[origin], 100)
				if err != nil || floor > 0 {
					rt.Fatalf("ReadLog: floor %v, %v", floor, err)
				}
				if len(iv.Entries) == 0 {
					break
				}
				target.mustJoin(iv)
			}
		}
		if got := target.Progress(shardA); !got.Covers(barrier) {
			rt.Fatalf("progress %v is not at the barrier %v", got, barrier)
		}
		twin := plain{}
		for row, err := range source.Scan(context.Background(), shardA, 1) {
			if err != nil {
				rt.Fatal(err)
			}
			decoded, err := feature.DecodeRow(bytes.Clone(row.Row))
			if err != nil {
				rt.Fatal(err)
			}
			twin[string(row.Key)] = decoded
		}
		if err := differs(t, target.Store, twin); err != nil {
			rt.Fatal(err)
		}
	})
}

// A chunk that no transaction holds takes several, and reads see all of it.
func TestALargeChunkTakesSeveralCommits(t *testing.T) {
	h := openHouse(t)
	c := oplog.Chunk{Shard: shardA, Horizon: 40}
	for id := range int64(6) {
		row, err := change(id, 1, setNote(strings.Repeat("x", 500<<10))).Delta(feature.Row{}, 7, 9)
		if err != nil {
			t.Fatal(err)
		}
		h.append(write(change(id, 1, addTags(strings.Repeat("y", 500<<10))))) // joined, two of them fill a transaction
		c.Rows = append(c.Rows, oplog.ChunkRow{View: 1, Key: entity(id), Row: feature.AppendRow(nil, row)})
	}
	if err := h.JoinChunk(t.Context(), c, []byte("done"), hlc.Vector{9: 30}); err != nil {
		t.Fatal(err)
	}
	for id := range int64(6) {
		row := h.row(shardA, 1, entity(id))
		if len(read(row, note).Text()) != 500<<10 || read(row, tags).IsNull() {
			t.Errorf("row %d has %d cells", id, len(row.Cells))
		}
	}
	if got := h.Progress(shardA)[9]; got != 30 {
		t.Errorf("progress %v, want 30", got)
	}
	own := h.Progress(shardA)[h.Origin()] + 1
	if err := h.JoinChunk(t.Context(), oplog.Chunk{Shard: shardA}, nil, hlc.Vector{h.Origin(): own}); !errors.Is(err, ErrInvalidWrite) {
		t.Errorf("a start beyond the own log: %v, want %v", err, ErrInvalidWrite)
	}
	if err := h.SetNote(t.Context(), shardA, []byte("more")); err != nil {
		t.Fatal(err)
	}
	if err := h.SetNote(t.Context(), shardA, make([]byte, maxNoteBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large note: %v, want %v", err, ErrTooLarge)
	}
	h.restart()
	if got := string(h.Note(shardA)); got != "more" {
		t.Errorf("note %q after a restart, want more", got)
	}
	empty, err := h.ReadChunk(t.Context(), shardB, nil, 100)
	if err != nil || len(empty.Rows) > 0 || empty.Next != nil {
		t.Errorf("a shard without rows: %+v, %v", empty, err)
	}
	if c, err := h.ReadChunk(t.Context(), shardA, nil, 1); err != nil || c.Horizon != 40 || len(c.Rows) != 1 {
		t.Errorf("horizon %v with %d rows, %v; want 40 and the chunk's least, 1", c.Horizon, len(c.Rows), err)
	}
}
