package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

// openBucket opens a bucket that tells every failure.
func openBucket(t testing.TB, url string) *bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.Context(), url, bucket.Options{Dir: t.TempDir(), Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openAgain opens a history until its bucket lets it: a lost answer may fence.
func openAgain(t testing.TB, files Files, edit func(*Config)) *History {
	t.Helper()
	cfg := Config{Files: files, CompactFiles: 2, Keep: 1}
	edit(&cfg)
	for range 100 {
		h, err := Open(context.Background(), cfg)
		if err == nil {
			return h
		}
		if !errors.Is(err, bucket.ErrUnreachable) {
			t.Fatal(err)
		}
	}
	t.Fatal("it does not open")
	return nil
}

// keepAll ingests and compacts until all of the log is in history.
func keepAll(t testing.TB, s *storeHouse, h *History) {
	t.Helper()
	in := ingester(t, small{s}, h, func(c *IngestConfig) { c.MaxBytes = 4 << 10 })
	u := upkeep(t, h, s.Registry)
	for range 100 {
		err := errors.Join(catchUp(context.Background(), in), u.Once(context.Background()))
		if err == nil {
			return
		}
		if !errors.Is(err, bucket.ErrUnreachable) {
			t.Fatal(err)
		}
	}
	t.Fatal("it does not end")
}

// Z3 in a bucket: each request fails once, before or after it did what it was to
// do, or in the middle of its answer, and the same process goes on.
func TestHistoryIsTheLogWhateverAnswerIsLost(t *testing.T) {
	s := openStore(t, "eu-1")
	s.write(10, "driver_stats")
	server := buckettest.New(t)
	for name, fault := range map[string]buckettest.Fault{"drop": buckettest.Drop, "lose": buckettest.Lose, "half": buckettest.Half} {
		t.Run(name, func(t *testing.T) {
			for failAt := int64(1); ; failAt++ {
				b := openBucket(t, server.URL(fmt.Sprintf("%s/%d", name, failAt)))
				var request atomic.Int64
				server.SetFault(func(buckettest.Request) buckettest.Fault {
					if request.Add(1) == failAt {
						return fault
					}
					return buckettest.None
				})
				h := openAgain(t, b, func(*Config) {})
				keepAll(t, s, h)
				server.SetFault(nil)
				r := h.Reader()
				wantLog(t, s, r)
				r.Close()
				h.Close()
				if request.Load() < failAt {
					if failAt < 20 {
						t.Fatalf("only %d requests were seen to fail", failAt-1)
					}
					return
				}
			}
		})
	}
}

// Z3 in a bucket with one life after the other, each of which ends at a random
// request, while writes go on; and nothing is left that no manifest names.
func TestHistoryInABucketIsTheLogAfterRandomDeaths(t *testing.T) {
	server := buckettest.New(t)
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 11))
		s, url := openStore(t, "eu-1"), server.URL(fmt.Sprintf("seed-%d", seed))
		for range 8 {
			s.write(4, "driver_stats", "every_type")
			var left atomic.Int64
			left.Store(int64(random.IntN(80)))
			last := []buckettest.Fault{buckettest.Drop, buckettest.Lose}[random.IntN(2)]
			server.SetFault(func(buckettest.Request) buckettest.Fault {
				switch n := left.Add(-1); {
				case n == 0:
					return last
				case n < 0:
					return buckettest.Drop
				}
				return buckettest.None
			})
			h, err := Open(t.Context(), Config{Files: openBucket(t, url), WholeEvery: 3, CompactFiles: 2, Keep: 1})
			if err == nil {
				err = errors.Join(catchUp(t.Context(), ingester(t, s, h)), upkeep(t, h, s.Registry).Once(t.Context()))
				h.Close()
			}
			if err != nil && !errors.Is(err, bucket.ErrUnreachable) {
				t.Fatal(err)
			}
		}
		server.SetFault(nil)
		b := openBucket(t, url)
		h := openAgain(t, b, func(*Config) {})
		keepAll(t, s, h)
		r := h.Reader()
		wantLog(t, s, r)
		r.Close()
		wantNamed(t, b, h)
	}
}

// wantNamed wants no file of rows that the history does not name.
func wantNamed(t testing.TB, files Files, h *History) {
	t.Helper()
	state := h.state()
	for _, name := range names(t, files, "") {
		if _, isRemoved := state.removed[name]; strings.HasSuffix(name, dataEnding) && !isRemoved && !state.has(name) {
			t.Fatalf("there is %s, which no manifest names", name)
		}
	}
}

// Z4 across machines: who opens a history in a bucket fences whoever had it, and a
// race of two has one winner.
func TestAHistoryInABucketHasOneWriter(t *testing.T) {
	s := buckettest.New(t)
	first := open(t, openBucket(t, s.URL("h")))
	if err := raise(first, 1); err != nil {
		t.Fatal(err)
	}
	second := open(t, openBucket(t, s.URL("h")))
	if err := raise(first, 2); !errors.Is(err, ErrFenced) {
		t.Fatalf("the first writer got %v, want ErrFenced", err)
	}
	if err := raise(second, 3); err != nil {
		t.Fatal(err)
	}
	const rivals = 6
	results := make(chan *History, rivals)
	for range rivals {
		b := openBucket(t, s.URL("h"))
		go func() {
			h, err := Open(context.Background(), Config{Files: b})
			if err != nil && !errors.Is(err, ErrFenced) && !errors.Is(err, fs.ErrExist) {
				t.Errorf("got %v, want ErrFenced", err)
			}
			results <- h
		}()
	}
	var at []uint64
	for range rivals {
		if h := <-results; h != nil {
			at = append(at, h.state().number)
			if err := raise(h, 4); err != nil && !errors.Is(err, ErrFenced) && !errors.Is(err, errThere) {
				t.Errorf("got %v, want ErrFenced", err)
			}
		}
	}
	slices.Sort(at)
	if len(at) == 0 || len(slices.Compact(slices.Clone(at))) != len(at) {
		t.Fatalf("they opened it at the numbers %v, want each once", at)
	}
	r, err := NewReader(t.Context(), openBucket(t, s.URL("h")))
	if err != nil || r.Progress()[shardA][1] != 4 {
		t.Fatalf("got %v, %v, want what one of them committed", r, err)
	}
}

// A bucket that is gone for a while: what was read is kept, the failure names it,
// and history goes on by itself.
func TestHistoryGoesOnWhenItsBucketIsBack(t *testing.T) {
	server := buckettest.New(t)
	s := openStore(t, "eu-1")
	h := open(t, openBucket(t, server.URL("h")))
	in := ingester(t, s, h, func(c *IngestConfig) { c.Poll, c.RetryMost = time.Millisecond, time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	server.SetGone(true)
	s.write(5, "driver_stats")
	for in.Status().Err == nil {
		select {
		case err := <-ended:
			t.Fatalf("Run ended with %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	if err := in.Status().Err; !errors.Is(err, bucket.ErrNoBucket) || !strings.Contains(err.Error(), "s3://lake/h/") {
		t.Errorf("got %v, want that the bucket is not there", err)
	}
	server.SetGone(false)
	s.write(5, "driver_stats")
	for !in.isAllIn(s) {
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
	r := h.Reader()
	defer r.Close()
	wantLog(t, s, r)
}

// A real server keeps a history over several lives, compaction and a takeover.
func TestARealServerKeepsAHistory(t *testing.T) {
	url := buckettest.RealURL(t, "h")
	s := openStore(t, "eu-1")
	for range 3 {
		s.write(8, "driver_stats", "every_type")
		b := openBucket(t, url)
		if err := b.CheckCreate(t.Context()); err != nil {
			t.Fatal(err)
		}
		h := open(t, b, func(c *Config) { c.CompactFiles, c.Keep, c.WholeEvery = 2, 1, 4 })
		keepAll(t, s, h)
		r := h.Reader()
		wantLog(t, s, r)
		r.Close()
		next := open(t, openBucket(t, url))
		if err := raise(h, 1); !errors.Is(err, ErrFenced) {
			t.Fatalf("got %v, want ErrFenced", err)
		}
		next.Close()
	}
}

// isAllIn reports whether history has come as far as the log.
func (in *Ingester) isAllIn(s *storeHouse) bool {
	for _, shard := range s.Shards("eu") {
		if !in.cfg.History.Progress(shard).Covers(s.Heads(shard)) {
			return false
		}
	}
	return true
}
