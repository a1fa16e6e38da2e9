package hlc_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/hlc"
)

// A life after a crash starts above everything the one before may have issued,
// with the wall clock an hour back.
func TestACrashRepeatsNothing(t *testing.T) {
	var disk hlc.Timestamp
	persist := func(limit hlc.Timestamp) error { disk = limit; return nil }
	first := newClock(t, hlc.Config{Wall: fixed(noon), Persist: persist})
	before := now(t, first)
	if want := hlc.New(sampleMillis+1000, 0); disk != want {
		t.Errorf("persisted limit %v, want the wall and a window, %v", disk, want)
	}

	second := newClock(t, hlc.Config{Wall: fixed(noon.Add(-time.Hour)), Persist: persist, Limit: disk})
	if got := second.Last(); got != disk {
		t.Errorf("a new life starts at %v, want the limit %v", got, disk)
	}
	if after := now(t, second); after <= before || after <= hlc.New(sampleMillis+1000, 0) {
		t.Errorf("issued %v after a crash, %v before it, limit %v", after, before, disk)
	}
}

// H2, to the last timestamp: the limit itself may not be issued before a
// greater one is on disk.
func TestTheLimitIsExclusive(t *testing.T) {
	const window = 1 << 16 // timestamps in the window of one millisecond
	var limits []hlc.Timestamp
	c := newClock(t, hlc.Config{
		Wall:    fixed(noon),
		Persist: func(limit hlc.Timestamp) error { limits = append(limits, limit); return nil },
		Window:  time.Millisecond,
	})
	first := now(t, c)
	if want := first + window + 1; len(limits) != 1 || limits[0] != want {
		t.Fatalf("limits after the first timestamp: %v, want only %v", limits, want)
	}
	rest, err := c.Reserve(window)
	if err != nil || rest+window != limits[0] {
		t.Fatalf("Reserve up to the limit %v = %v, %v", limits[0], rest, err)
	}
	if len(limits) != 1 {
		t.Errorf("timestamps below the limit %v persisted another: %v", limits[0], limits)
	}
	if next := now(t, c); next != limits[0] || len(limits) != 2 || limits[1] <= next {
		t.Errorf("issued %v after limits %v, want the first limit below a second", next, limits)
	}
}

// H6.
func TestACleanRestartDoesNotStartAhead(t *testing.T) {
	var disk hlc.Timestamp
	persist := func(limit hlc.Timestamp) error { disk = limit; return nil }
	wall := noon
	config := hlc.Config{Wall: func() time.Time { return wall }, Persist: persist}
	c := newClock(t, config)
	last := now(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if disk != last+1 {
		t.Errorf("limit after Close = %v, want %v", disk, last+1)
	}

	late := now(t, c)
	if disk <= late {
		t.Errorf("issued %v after Close at a limit of %v", late, disk)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	wall = noon.Add(time.Millisecond)
	config.Limit = disk
	if got, want := now(t, newClock(t, config)), hlc.FromTime(wall); got != want {
		t.Errorf("first timestamp of the next life = %v, want the wall's %v", got, want)
	}
}

// H5.
func TestACrashLoopDoesNotRunAhead(t *testing.T) {
	const lives = 400
	var disk hlc.Timestamp
	for range lives {
		c := newClock(t, hlc.Config{
			Wall:    fixed(noon),
			Limit:   disk,
			Persist: func(limit hlc.Timestamp) error { disk = limit; return nil },
		})
		now(t, c)
	}
	lead := disk.Time().Sub(noon)
	if most := time.Second + (lives+1)*time.Millisecond; lead > most {
		t.Errorf("after %d crashes at one instant the limit leads by %v, want at most %v", lives, lead, most)
	}
}

// A clock past its window asks the disk once per 65,536 timestamps, not once
// per timestamp.
func TestAClockAheadOfItsWallPersistsSeldom(t *testing.T) {
	calls := 0
	c := newClock(t, hlc.Config{
		Wall:    fixed(noon),
		Limit:   hlc.New(sampleMillis+60_000, 0),
		Persist: func(hlc.Timestamp) error { calls++; return nil },
	})
	for range 100_000 {
		now(t, c)
	}
	if calls != 2 {
		t.Errorf("100000 timestamps persisted %d limits, want 2", calls)
	}
}

var errDisk = errors.New("disk on fire")

// H3.
func TestAFailedPersistIssuesNothing(t *testing.T) {
	failing := true
	c := newClock(t, hlc.Config{Wall: fixed(noon), Persist: func(hlc.Timestamp) error {
		if failing {
			return errDisk
		}
		return nil
	}})
	for range 2 {
		if ts, err := c.Now(); ts != 0 || !errors.Is(err, errDisk) {
			t.Errorf("Now() = %v, %v, want 0 and the disk's error", ts, err)
		}
		if ts, err := c.Reserve(5); ts != 0 || !errors.Is(err, errDisk) {
			t.Errorf("Reserve(5) = %v, %v, want 0 and the disk's error", ts, err)
		}
	}
	if err := c.Close(); !errors.Is(err, errDisk) {
		t.Errorf("Close() = %v, want the disk's error", err)
	}
	if c.Last() != 0 {
		t.Errorf("failures moved the clock to %v", c.Last())
	}
	failing = false
	if got, want := now(t, c), hlc.FromTime(noon); got != want {
		t.Errorf("Now() after the disk recovered = %v, want %v", got, want)
	}
}

// world is a store with a wall clock that steps and a disk that fails, whose
// clock dies and is started again from the disk.
type world struct {
	wall   time.Time
	disk   hlc.Timestamp
	disks  string // "works", "fails" (nothing written) or "lies" (written, error returned)
	clock  *hlc.Clock
	window time.Duration

	issued    hlc.Timestamp // greatest of all lives
	witnessed hlc.Timestamp // greatest accepted in this life
	asked     int           // how many timestamps the call under way wants; 0 for Close
}

const worldSkew = 500 * time.Millisecond

func (w *world) start(t *rapid.T) {
	clock, err := hlc.NewClock(hlc.Config{
		Wall:    func() time.Time { return w.wall },
		MaxSkew: worldSkew,
		Window:  w.window,
		Limit:   w.disk,
		Persist: func(limit hlc.Timestamp) error { return w.persist(t, limit) },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clock, w.witnessed = clock, 0
}

func (w *world) persist(t *rapid.T, limit hlc.Timestamp) error {
	if w.asked > 0 {
		first := max(hlc.FromTime(w.wall), w.clock.Last()+1)
		end := first + hlc.Timestamp(w.asked)
		most := max(hlc.FromTime(w.wall.Add(w.window)), end) + 1<<16
		if limit < end || limit > most { // H5
			t.Fatalf("limit %v for timestamps up to %v: want at most %v", limit, end, most)
		}
	}
	if w.disks != "fails" {
		w.disk = limit
	}
	if w.disks != "works" {
		return errDisk
	}
	return nil
}

func (w *world) reserve(t *rapid.T, n int) {
	before := w.clock.Last()
	w.asked = n
	first, err := w.clock.Reserve(n)
	w.asked = 0
	if err != nil {
		if w.disks == "works" || first != 0 || w.clock.Last() != before { // H3
			t.Fatalf("Reserve(%d) = %v, %v with a disk that %s, Last %v to %v", n, first, err, w.disks, before, w.clock.Last())
		}
		return
	}
	last := first + hlc.Timestamp(n) - 1
	if first <= w.issued || first <= w.witnessed { // H1, H2
		t.Fatalf("issued %v after issuing %v and witnessing %v", first, w.issued, w.witnessed)
	}
	if w.clock.Last() != last || w.disk <= last {
		t.Fatalf("issued up to %v: Last is %v, limit on disk %v", last, w.clock.Last(), w.disk)
	}
	w.issued = last
}

func (w *world) witness(t *rapid.T, shown hlc.Timestamp) {
	before := w.clock.Last()
	err := w.clock.Witness(shown)
	within := !shown.Time().After(w.wall.Add(worldSkew))
	switch {
	case within || shown <= before:
		if err != nil || w.clock.Last() != max(before, shown) {
			t.Fatalf("Witness(%v) = %v, Last %v to %v", shown, err, before, w.clock.Last())
		}
		w.witnessed = max(w.witnessed, shown)
	case !errors.Is(err, hlc.ErrAhead) || w.clock.Last() != before: // H4
		t.Fatalf("Witness(%v) = %v with the wall at %v, Last %v to %v", shown, err, w.wall, before, w.clock.Last())
	}
}

func TestNoSequenceOfStepsAndCrashesRepeatsATimestamp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			wall:   noon,
			disks:  "works",
			window: time.Duration(rapid.IntRange(1, 2000).Draw(t, "window ms")) * time.Millisecond,
		}
		w.start(t)
		micros := rapid.Int64Range(-5_000_000, 5_000_000)
		t.Repeat(map[string]func(*rapid.T){
			"now":     func(t *rapid.T) { w.reserve(t, 1) },
			"reserve": func(t *rapid.T) { w.reserve(t, rapid.IntRange(1, 200_000).Draw(t, "n")) },
			"step": func(t *rapid.T) {
				w.wall = w.wall.Add(time.Duration(micros.Draw(t, "by µs")) * time.Microsecond)
			},
			"witness": func(t *rapid.T) {
				at := w.wall.Add(time.Duration(micros.Draw(t, "ahead µs")) * time.Microsecond)
				w.witness(t, hlc.New(at.UnixMilli(), rapid.Uint16().Draw(t, "counter")))
			},
			"disk":  func(t *rapid.T) { w.disks = rapid.SampledFrom([]string{"works", "fails", "lies"}).Draw(t, "disk") },
			"crash": func(t *rapid.T) { w.start(t) },
			"close": func(t *rapid.T) {
				if err := w.clock.Close(); (err == nil) != (w.disks == "works") {
					t.Fatalf("Close() = %v with a disk that %s", err, w.disks)
				}
				if w.disks == "works" && w.disk != w.clock.Last()+1 { // H6
					t.Fatalf("limit after Close is %v, Last %v", w.disk, w.clock.Last())
				}
			},
		})
	})
}
