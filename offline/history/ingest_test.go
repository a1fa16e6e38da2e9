package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// Z3 without faults: several origins, several lives, every type and rule.
func TestHistoryIsTheLog(t *testing.T) {
	eu, us := openStore(t, "eu-1"), openStore(t, "us-1")
	d := newTestDisk(t)
	for range 3 {
		eu.write(10, "driver_stats", "every_type", "online_only")
		us.write(5, "driver_stats")
		eu.follow(us)
		h := open(t, d)
		in := ingester(t, eu, h)
		mustCatchUp(t, in)
		eu.write(5, "driver_stats")
		mustCatchUp(t, in)
		r := h.Reader()
		wantLog(t, eu, r)
		r.Close()
		if s := in.Status(); s.HeldBytes != 0 || s.Err != nil || s.Rows == 0 {
			t.Errorf("status %+v after all was committed", s)
		}
	}
	other, err := NewReader(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	wantLog(t, eu, other)
	for _, name := range names(t, d, "rides/") {
		if !strings.HasPrefix(name, "rides/driver_stats/event_date=") && !strings.HasPrefix(name, "rides/every_type/event_date=") {
			t.Errorf("a file %s", name)
		}
	}
}

// A run of an ingester over what a store has, with a disk that fails: at one step
// once, or from one step on, which is a death. It ends with a history, and
// reports whether the step came.
func runWithFault(t testing.TB, s *storeHouse, d *Disk, failAt int, death bool, edit func(*Ingester)) (came bool) {
	t.Helper()
	boom := errors.New("boom")
	step := 0
	d.before = func(string, string) error {
		if step++; step == failAt || death && step > failAt {
			return boom
		}
		return nil
	}
	for life := 0; life < 100; life++ {
		h, err := Open(context.Background(), Config{Files: d})
		if err == nil {
			in := ingester(t, small{s}, h, func(c *IngestConfig) { c.MaxBytes = 3 << 10 })
			if edit != nil {
				edit(in)
			}
			for err = catchUp(context.Background(), in); errors.Is(err, boom) && !death; {
				err = catchUp(context.Background(), in)
			}
			if err == nil {
				if !death { // nothing of what failed is left, even while it runs
					wantOnlyCommitted(t, d, h)
				}
				h.Close()
				return step >= failAt
			}
		}
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		if death {
			d.before = func(string, string) error { return nil }
		}
	}
	t.Fatal("it did not end")
	return false
}

// wantOnlyCommitted wants no file of rows or steps that the history does not name.
func wantOnlyCommitted(t testing.TB, d *Disk, h *History) {
	t.Helper()
	var want []string
	for _, f := range h.state().files() {
		want = append(want, f.Name)
	}
	slices.Sort(want)
	got := slices.DeleteFunc(names(t, d, ""), func(name string) bool { return !strings.HasSuffix(name, dataEnding) })
	if !slices.Equal(got, want) {
		t.Fatalf("there are the files %q, and committed are %q", got, want)
	}
}

// Z3 with every step of the disk failing once, and with the process dying there.
func TestHistoryIsTheLogWhateverStepFails(t *testing.T) {
	s := openStore(t, "eu-1")
	s.write(11, "driver_stats")
	for _, death := range []bool{false, true} {
		t.Run(fmt.Sprintf("death=%v", death), func(t *testing.T) {
			for failAt := 1; ; failAt++ {
				d := newTestDisk(t)
				came := runWithFault(t, s, d, failAt, death, nil)
				d.before = func(string, string) error { return nil }
				h := open(t, d)
				r := h.Reader()
				wantLog(t, s, r)
				r.Close()
				wantOnlyCommitted(t, d, h)
				if !came {
					if failAt < 50 {
						t.Fatalf("only %d steps were seen to fail", failAt)
					}
					return
				}
			}
		})
	}
}

// The negative control: an ingester that commits progress before rows loses some
// when it dies between the two, and the comparison above finds it.
func TestProgressCommittedFirstIsFound(t *testing.T) {
	s := openStore(t, "eu-1")
	s.write(14, "driver_stats")
	for failAt := 1; failAt < 200; failAt++ {
		d := newTestDisk(t)
		came := runWithFault(t, s, d, failAt, true, func(in *Ingester) { in.progressFirst = true })
		d.before = func(string, string) error { return nil }
		r, err := NewReader(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		if d := difference(kept(t, r), s.logged()); d != "" {
			return // found
		}
		if !came {
			break
		}
	}
	t.Fatal("no death showed that progress was committed before rows")
}

// Z3 with deaths at random steps, one life after the other, while writes go on.
func TestHistoryIsTheLogAfterRandomDeaths(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			s, d := openStore(t, "eu-1"), newTestDisk(t)
			for range 12 {
				s.write(4, "driver_stats", "every_type")
				boom, left := errors.New("boom"), random.IntN(120)
				d.before = func(string, string) error {
					if left--; left < 0 {
						return boom
					}
					return nil
				}
				h, err := Open(context.Background(), Config{Files: d, WholeEvery: 3})
				if err == nil {
					err = catchUp(context.Background(), ingester(t, s, h))
					h.Close()
				}
				if err != nil && !errors.Is(err, boom) {
					t.Fatal(err)
				}
			}
			d.before = func(string, string) error { return nil }
			h := open(t, d)
			mustCatchUp(t, ingester(t, s, h))
			r := h.Reader()
			defer r.Close()
			wantLog(t, s, r)
			wantOnlyCommitted(t, d, h)
		})
	}
}

// Run goes by time, ends with its context, and leaves nothing behind uncommitted.
func TestRunFollowsTheLogUntilItIsEnded(t *testing.T) {
	s := openStore(t, "eu-1")
	h := open(t, newTestDisk(t))
	in := ingester(t, s, h, func(c *IngestConfig) { c.MaxAge, c.Poll, c.Look = time.Hour, time.Millisecond, time.Millisecond })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	s.write(10, "driver_stats")
	for in.Status().HeldBytes == 0 { // it has read something
		select {
		case err := <-ended:
			t.Fatalf("Run ended with %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if s := in.Status(); s.Rows == 0 || s.HeldBytes > 0 {
		t.Fatalf("status %+v: what it held was not committed at the end", s)
	}
	in.cfg.MaxAge = time.Nanosecond
	mustCatchUp(t, in) // what was written after it read last
	r := h.Reader()
	defer r.Close()
	wantLog(t, s, r)
}

// A disk that is full for a while: what was read is kept, the failure is told once,
// and it goes on by itself.
func TestRunGoesOnAfterFailures(t *testing.T) {
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	s.write(5, "driver_stats")
	h := open(t, d)
	full := errors.New("no space left on device")
	var failures atomic.Int64
	d.before = func(step, _ string) error {
		if step == "write" && failures.Add(1) <= 4 {
			return full
		}
		return nil
	}
	var log bytes.Buffer
	in := ingester(t, s, h, func(c *IngestConfig) {
		c.Poll, c.RetryMost = time.Millisecond, 2*time.Millisecond
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	failed := false
	for in.Status().Rows == 0 {
		if err := in.Status().Err; err != nil {
			if failed = true; !errors.Is(err, full) || !strings.Contains(err.Error(), d.root) {
				t.Errorf("got %v, want the cause and the file", err)
			}
		}
		<-time.After(100 * time.Microsecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if told := strings.Count(log.String(), "level=ERROR"); !failed || told != 1 {
		t.Errorf("failing was seen: %v, told %d times", failed, told)
	}
	r := h.Reader()
	defer r.Close()
	wantLog(t, s, r)
	wantOnlyCommitted(t, d, h)
}

// Who was fenced ends, for another one goes on.
func TestRunEndsWhenFenced(t *testing.T) {
	s := openStore(t, "eu-1")
	s.write(3, "driver_stats")
	d := newTestDisk(t)
	in := ingester(t, s, open(t, d), func(c *IngestConfig) { c.Poll = time.Millisecond })
	open(t, d)
	if err := in.Run(context.Background()); !errors.Is(err, ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
}

// Views of which nothing is known yet are kept by number.
func TestRowsOfUnknownViewsAreKept(t *testing.T) {
	s := openStore(t, "eu-1")
	s.write(10, "driver_stats")
	h := open(t, newTestDisk(t))
	mustCatchUp(t, ingester(t, blind{s}, h))
	r := h.Reader()
	defer r.Close()
	wantLog(t, s, r)
	for _, f := range r.Files(r.Views()[0], AllTime) {
		if !strings.HasPrefix(f.Name, "_unnamed/view=") {
			t.Errorf("a file %s", f.Name)
		}
	}
}

// blind is a store that has heard of no definitions.
type blind struct{ *storeHouse }

func (blind) Registry() *feature.Registry { return feature.NewRegistry() }

// What was truncated before it was read is told, and what follows is there.
func TestAGapIsTold(t *testing.T) {
	s := openStore(t, "eu-1")
	s.write(10, "driver_stats")
	shard, origin := s.Shards("eu")[0], s.Origin()
	lost := s.Heads(shard)[origin]
	s.write(5, "driver_stats")
	if err := s.Truncate(context.Background(), shard, hlc.Position{Origin: origin, At: lost}, 0); err != nil {
		t.Fatal(err)
	}
	d := newTestDisk(t)
	for range 2 { // it is told again after the history was opened anew
		h := open(t, d)
		mustCatchUp(t, ingester(t, s, h))
		r := h.Reader()
		want := []Gap{{Shard: shard, Origin: origin, After: 0, Through: lost}}
		if got := r.Gaps(); !slices.Equal(got, want) {
			t.Fatalf("gaps %v, want %v", got, want)
		}
		rows := int64(0)
		for _, view := range r.Views() {
			for _, f := range r.Files(view, AllTime) {
				rows += f.Rows
				if f.MinAt <= lost {
					t.Errorf("%s has rows from before the gap's end", f.Name)
				}
			}
		}
		if rows == 0 {
			t.Error("nothing after the gap")
		}
		r.Close()
	}
}

// Z8: with a log far ahead, the buffer is cut at its limit and a stretch.
func TestTheBufferIsBounded(t *testing.T) {
	s := openStore(t, "eu-1")
	s.write(60, "driver_stats")
	h := open(t, newTestDisk(t))
	in := ingester(t, small{s}, h, func(c *IngestConfig) { c.MaxBytes = 2 << 10 })
	commits := 0
	for {
		full, err := in.pull(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if in.buffer.sizeBytes > 16<<10 {
			t.Fatalf("%d bytes are held, of %d", in.buffer.sizeBytes, in.cfg.MaxBytes)
		}
		if err := in.flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		commits++
		if !full {
			break
		}
	}
	if commits < 10 {
		t.Errorf("%d commits: the buffer was never full", commits)
	}
	r := h.Reader()
	defer r.Close()
	wantLog(t, s, r)
}

// small is a store whose log is read in small stretches.
type small struct{ *storeHouse }

func (s small) ReadLog(ctx context.Context, shard feature.Shard, origin hlc.Origin, after hlc.Timestamp, _ int) (oplog.Interval, hlc.Timestamp, error) {
	return s.storeHouse.ReadLog(ctx, shard, origin, after, 1)
}

func TestIngestConfigNamesEveryFault(t *testing.T) {
	err := IngestConfig{MaxBytes: -1, MaxAge: -1, Poll: -1, Look: -1, MaxSteps: -1, RetryMost: -1, EndWithin: -1}.Validate()
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 10 {
		t.Errorf("got %v, want 10 faults", err)
	}
}
