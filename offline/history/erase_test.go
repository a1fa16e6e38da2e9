package history

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"featurestore/feature"
)

// facts of rows of a key, and all others.
func ofKey(facts map[string]int, key feature.Key) (own, others map[string]int) {
	own, others = map[string]int{}, map[string]int{}
	for f, n := range facts {
		into := others
		if strings.Contains(f, " key "+hexOf(key)+" ") {
			into = own
		}
		into[f] = n
	}
	return own, others
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out bytes.Buffer
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

// An erased entity is in no row and in no file, and all others are as they were;
// whatever step fails on the way, doing it again ends there.
func TestAnErasedEntityIsGone(t *testing.T) {
	ctx := context.Background()
	s := openStore(t, "eu-1")
	stats := view(t, s.Registry(), "driver_stats").ID
	key, err := feature.AppendKeyValue(nil, feature.OfInt64(7))
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	s.write(25, "driver_stats")
	for failAt := 0; failAt < 60; failAt += 13 {
		d := newTestDisk(t)
		h := open(t, d, func(c *Config) { c.CompactFiles = 3 })
		mustCatchUp(t, ingester(t, small{s}, h, func(c *IngestConfig) { c.MaxBytes = 4 << 10 }))
		u := upkeep(t, h, s.Registry)
		if _, err := u.Compact(ctx); err != nil { // leaves files that count no more
			t.Fatal(err)
		}
		r := h.Reader()
		own, others := ofKey(kept(t, r), key)
		r.Close()
		if len(own) == 0 || len(others) == 0 {
			t.Fatalf("%d rows of the entity and %d others were drawn", len(own), len(others))
		}
		step := 0
		d.before = func(string, string) error {
			if step++; step == failAt {
				return boom
			}
			return nil
		}
		rows := 0
		for try := 0; ; try++ {
			done, err := u.Erase(ctx, []feature.ViewID{stats}, key)
			rows += done.Rows
			if err == nil {
				if done.Pending > 0 {
					t.Fatalf("pending %d without a reader", done.Pending)
				}
				break
			}
			if !errors.Is(err, boom) || try > 0 {
				t.Fatal(err)
			}
		}
		if err := u.scraps.tidy(ctx); err != nil {
			t.Fatal(err)
		}
		r = h.Reader()
		if d := difference(kept(t, r), others); d != "" {
			t.Fatal(d)
		}
		r.Close()
		if failAt == 0 && rows != len(own) {
			t.Fatalf("%d rows were erased, want %d", rows, len(own))
		}
		wantOnlyCommitted(t, d, h)
	}
}

// A reader keeps its files, and the erasure says that they are there.
func TestAReaderHoldsWhatIsErasedUntilItIsClosed(t *testing.T) {
	ctx := context.Background()
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	h := manyFiles(t, s, d)
	u := upkeep(t, h, s.Registry)
	r := h.Reader()
	key, err := feature.AppendKeyValue(nil, feature.OfInt64(7))
	if err != nil {
		t.Fatal(err)
	}
	done, err := u.Erase(ctx, r.Views(), key)
	if err != nil || done.Files == 0 || done.Pending != done.Files {
		t.Fatalf("got %+v, %v, want all files pending", done, err)
	}
	wantLog(t, s, r)
	r.Close()
	if done, err = u.Erase(ctx, r.Views(), key); err != nil || done != (Erased{}) {
		t.Fatalf("again: got %+v, %v, want nothing left to do", done, err)
	}
	wantOnlyCommitted(t, d, h)
}

// A file of which all rows are erased leaves nothing: that it was committed is seen
// although the answer was lost, and the way to the files asked again.
func TestAnErasureThatLeavesNothingIsDoneThoughItsAnswerIsLost(t *testing.T) {
	ctx := context.Background()
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	files := &flaky{Files: d}
	h := open(t, files)
	s.write(25, "driver_stats")
	mustCatchUp(t, ingester(t, s, h))
	r := h.Reader()
	keys := map[string]bool{}
	count := 0
	for _, f := range r.state.files() {
		for row, err := range r.Rows(ctx, f) {
			if err != nil {
				t.Fatal(err)
			}
			keys[string(row.Key)] = true
			count++
		}
	}
	views := r.Views()
	r.Close()
	var all []feature.Key
	for k := range keys {
		all = append(all, feature.Key(k))
	}
	files.create = func(ctx context.Context, name string, contents []byte) error {
		if err := d.Create(ctx, name, contents); err != nil {
			return err
		}
		return ErrExists // the second time, of which the caller knows nothing
	}
	done, err := upkeep(t, h, s.Registry).Erase(ctx, views, all...)
	if err != nil || done.Rows != count || count == 0 || len(h.state().data) > 0 {
		t.Fatalf("got %+v, %v, and %d files are left, want %d rows and none", done, err, len(h.state().data), count)
	}
}
