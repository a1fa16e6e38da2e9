package online

import (
	"sync"
	"sync/atomic"
	"time"
)

// snapshots decides which versions Badger may forget (S10). Long reads pin the
// timestamp they read at. Lookups pin nothing: what they may read stays for the
// lag, and afterwards they see that it may be gone and start over.
type snapshots struct {
	published *atomic.Uint64
	discard   func(at uint64)
	// floor is the greatest timestamp given to discard. It is stored before, so
	// a reader that finds floor at or below its snapshot lost nothing.
	floor atomic.Uint64

	mu struct {
		sync.Mutex
		pins    map[uint64]int
		samples []sample // oldest first, at most maxSamples
	}
}

// sample remembers what was published when.
type sample struct {
	when time.Time
	at   uint64
}

// maxSamples is enough for a sample every quarter of the lag.
const maxSamples = 8

func newSnapshots(published *atomic.Uint64, discard func(uint64)) *snapshots {
	s := &snapshots{published: published, discard: discard}
	s.mu.pins = map[uint64]int{}
	return s
}

// pin returns the published timestamp, which stays readable until unpin.
func (s *snapshots) pin() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.published.Load()
	s.mu.pins[at]++
	return at
}

func (s *snapshots) unpin(at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.pins[at]--; s.mu.pins[at] <= 0 {
		delete(s.mu.pins, at)
	}
}

// pinned returns how many snapshots are pinned.
func (s *snapshots) pinned() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, count := range s.mu.pins {
		n += count
	}
	return n
}

// advance lets Badger discard what was overwritten lag before now and is under
// no pin. It is called a few times per lag.
func (s *snapshots) advance(now time.Time, lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	floor := s.floor.Load()
	for len(s.mu.samples) > 0 && now.Sub(s.mu.samples[0].when) >= lag {
		floor = max(floor, s.mu.samples[0].at)
		s.mu.samples = s.mu.samples[1:]
	}
	for at := range s.mu.pins {
		floor = min(floor, at)
	}
	if floor > s.floor.Load() {
		s.floor.Store(floor)
		s.discard(floor)
	}
	if len(s.mu.samples) < maxSamples {
		s.mu.samples = append(s.mu.samples, sample{when: now, at: s.published.Load()})
	}
}

// holds reports whether everything readable at a timestamp still is.
func (s *snapshots) holds(at uint64) bool { return s.floor.Load() <= at }
