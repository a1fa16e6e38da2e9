package hlc_test

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/hlc"
)

var noon = time.UnixMilli(sampleMillis)

// fixed returns a wall clock that stands still.
func fixed(t time.Time) func() time.Time { return func() time.Time { return t } }

func newClock(t testing.TB, c hlc.Config) *hlc.Clock {
	t.Helper()
	clock, err := hlc.NewClock(c)
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

func now(t testing.TB, c *hlc.Clock) hlc.Timestamp {
	t.Helper()
	ts, err := c.Now()
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func TestNowFollowsTheWallThenCounts(t *testing.T) {
	wall := noon
	c := newClock(t, hlc.Config{Wall: func() time.Time { return wall }})
	for _, step := range []struct {
		wall time.Duration // relative to noon
		want hlc.Timestamp
	}{
		{0, hlc.New(sampleMillis, 0)},
		{0, hlc.New(sampleMillis, 1)},
		{999 * time.Microsecond, hlc.New(sampleMillis, 2)},
		{time.Millisecond, hlc.New(sampleMillis+1, 0)},
		{-time.Hour, hlc.New(sampleMillis+1, 1)},
		{time.Hour, hlc.New(sampleMillis+3_600_000, 0)},
	} {
		wall = noon.Add(step.wall)
		if got := now(t, c); got != step.want {
			t.Errorf("wall at %v: Now() = %v, want %v", step.wall, got, step.want)
		}
	}
}

func TestANewClockNeverIssuesZero(t *testing.T) {
	c := newClock(t, hlc.Config{Wall: fixed(time.Time{})})
	if got := now(t, c); got != 1 {
		t.Errorf("first Now() of a clock without a wall = %v, want the timestamp after zero", got)
	}
}

func TestReserveCarriesIntoTheMilliseconds(t *testing.T) {
	c := newClock(t, hlc.Config{Wall: fixed(noon), Limit: hlc.New(sampleMillis, math.MaxUint16-2)})
	first, err := c.Reserve(4)
	if want := hlc.New(sampleMillis, math.MaxUint16-1); first != want || err != nil {
		t.Fatalf("Reserve(4) = %v, %v, want %v", first, err, want)
	}
	if got, want := c.Last(), hlc.New(sampleMillis+1, 1); got != want {
		t.Errorf("Last() = %v, want %v", got, want)
	}
	if got, want := now(t, c), hlc.New(sampleMillis+1, 2); got != want {
		t.Errorf("Now() = %v, want %v", got, want)
	}
}

func TestReserveRefusesSillyCounts(t *testing.T) {
	c := newClock(t, hlc.Config{Wall: fixed(noon)})
	for _, n := range []int{math.MinInt, -1, 0, hlc.MaxReserve + 1, math.MaxInt} {
		if first, err := c.Reserve(n); err == nil || first != 0 {
			t.Errorf("Reserve(%d) = %v, %v, want an error", n, first, err)
		}
	}
	if c.Last() != 0 {
		t.Errorf("refused reservations moved the clock to %v", c.Last())
	}
	if _, err := c.Reserve(hlc.MaxReserve); err != nil {
		t.Errorf("Reserve(MaxReserve): %v", err)
	}
}

// H4.
func TestWitnessIsBoundedBySkew(t *testing.T) {
	skew := 200 * time.Millisecond
	start := hlc.New(sampleMillis-1000, 0)
	for _, tc := range []struct {
		name  string
		shown hlc.Timestamp
		last  hlc.Timestamp
		ahead time.Duration // zero: accepted
	}{
		{"zero", 0, start, 0},
		{"older", start - 1, start, 0},
		{"newer", start + 1, start + 1, 0},
		{"at the bound", hlc.New(sampleMillis+200, math.MaxUint16), hlc.New(sampleMillis+200, math.MaxUint16), 0},
		{"past the bound", hlc.New(sampleMillis+201, 0), start, 201 * time.Millisecond},
		{"absurd", math.MaxUint64, start, math.MaxInt64},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClock(t, hlc.Config{Wall: fixed(noon), MaxSkew: skew, Limit: start})
			err := c.Witness(tc.shown)
			if c.Last() != tc.last {
				t.Errorf("Last() = %v, want %v", c.Last(), tc.last)
			}
			if tc.ahead == 0 {
				if err != nil {
					t.Errorf("Witness(%v): %v", tc.shown, err)
				}
				return
			}
			detail, ok := errors.AsType[*hlc.AheadError](err)
			if !ok || !errors.Is(err, hlc.ErrAhead) {
				t.Fatalf("Witness(%v) = %v, want an AheadError", tc.shown, err)
			}
			if want := (hlc.AheadError{At: tc.shown, Ahead: tc.ahead, MaxSkew: skew}); *detail != want {
				t.Errorf("got %+v, want %+v", *detail, want)
			}
		})
	}
}

// A store that starts ahead after a crash is shown its own timestamps, in
// tokens for example; that is not an error.
func TestWitnessAcceptsItsOwnTimestamps(t *testing.T) {
	c := newClock(t, hlc.Config{Wall: fixed(noon), Limit: hlc.New(sampleMillis+60_000, 0)})
	own := now(t, c)
	if err := c.Witness(own); err != nil {
		t.Errorf("Witness of a timestamp of its own: %v", err)
	}
}

func TestAheadErrorSaysByHowMuch(t *testing.T) {
	c := newClock(t, hlc.Config{Wall: fixed(noon)})
	err := c.Witness(hlc.New(sampleMillis+1500, 7))
	want := "timestamp 2026-08-21T10:59:43.623Z+7 is 1.5s ahead of the clock, at most 500ms is allowed"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestConfigReportsEveryFault(t *testing.T) {
	_, err := hlc.NewClock(hlc.Config{MaxSkew: -1, Window: -time.Second})
	for _, field := range []string{"MaxSkew is -1ns", "Window is -1s"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("NewClock error %v does not mention %q", err, field)
		}
	}
}

// Last is read by lookups and must not stand behind a disk.
func TestLastDoesNotWaitForPersist(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	c := newClock(t, hlc.Config{Limit: 42, Persist: func(hlc.Timestamp) error {
		close(entered)
		<-release
		return nil
	}})
	var issued hlc.Timestamp
	done := make(chan error)
	go func() {
		var err error
		issued, err = c.Now()
		done <- err
	}()
	<-entered
	if got := c.Last(); got != 42 {
		t.Errorf("Last() during Persist = %v, want the limit 42", got)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := c.Last(); got != issued {
		t.Errorf("Last() = %v, want %v", got, issued)
	}
}

// H1 and H2 with many callers, some of whom close.
func TestConcurrentCallersNeverShareATimestamp(t *testing.T) {
	const workers, rounds = 8, 2000
	var disk atomic.Uint64
	var ticks atomic.Int64
	c := newClock(t, hlc.Config{
		// The wall moves with the calls, so that limits are persisted often and
		// counters are used too. Giving way to the other workers in the middle
		// of a call lets them meet wherever the lock does not forbid it.
		Wall: func() time.Time {
			runtime.Gosched()
			return noon.Add(time.Duration(ticks.Add(1)) * time.Millisecond / 50)
		},
		Persist: func(limit hlc.Timestamp) error {
			runtime.Gosched()
			disk.Store(uint64(limit))
			return nil
		},
		Window: 2 * time.Millisecond,
	})
	issued := make([][]hlc.Timestamp, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				n := 1 + i%3
				seen := c.Last()
				first, err := c.Reserve(n)
				if err != nil || first <= seen {
					t.Errorf("Reserve = %v, %v after Last() = %v", first, err, seen)
					return
				}
				for k := range n {
					issued[w] = append(issued[w], first+hlc.Timestamp(k))
				}
				if limit := hlc.Timestamp(disk.Load()); limit <= first {
					t.Errorf("issued %v at a persisted limit of %v", first, limit)
					return
				}
				switch i % 10 {
				case 1, 4, 7:
					shown := first + 100
					if err := c.Witness(shown); err != nil || c.Last() < shown {
						t.Errorf("Witness(%v) = %v, Last() = %v", shown, err, c.Last())
						return
					}
				case 9:
					if err := c.Close(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	owner := make(map[hlc.Timestamp]int)
	for w, mine := range issued {
		for i, ts := range mine {
			if i > 0 && ts <= mine[i-1] {
				t.Fatalf("worker %d got %v after %v", w, ts, mine[i-1])
			}
			if other, taken := owner[ts]; taken {
				t.Fatalf("workers %d and %d both got %v", other, w, ts)
			}
			owner[ts] = w
		}
	}
}

// H7.
func TestNowAndWitnessDoNotAllocate(t *testing.T) {
	c := newClock(t, hlc.Config{
		Persist: func(hlc.Timestamp) error { return nil },
		Window:  time.Hour,
	})
	now(t, c) // persists for the hour
	if got := testing.AllocsPerRun(1000, func() { _, _ = c.Now() }); got != 0 {
		t.Errorf("Now allocates %v times, want 0", got)
	}
	if got := testing.AllocsPerRun(1000, func() { _ = c.Witness(c.Last() + 1) }); got != 0 {
		t.Errorf("Witness allocates %v times, want 0", got)
	}
}
