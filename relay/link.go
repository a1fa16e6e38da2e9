package relay

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// MaxDelay is the longest delay of a link.
const MaxDelay = time.Minute

// Link is one direction between two regions. The zero Link changes nothing.
type Link struct {
	Delay time.Duration // one way; up to MaxDelay
	Loss  float64       // probability from 0 to 1 that a chunk is lost once
	Cut   bool          // nothing passes
}

// Validate tells everything that is wrong with the link at once.
func (l Link) Validate() error {
	var errs []error
	if l.Delay < 0 || l.Delay > MaxDelay {
		errs = append(errs, fmt.Errorf("delay is %v, want 0 to %v", l.Delay, MaxDelay))
	}
	if !(l.Loss >= 0 && l.Loss <= 1) { // so that NaN is wrong too
		errs = append(errs, fmt.Errorf("loss is %v, want a probability from 0 to 1", l.Loss))
	}
	return errors.Join(errs...)
}

// Links are the links between some regions, one for each direction. Relays read
// them while they run; changes take hold at once. Safe for concurrent use.
type Links struct {
	regions []string

	mu struct {
		sync.Mutex
		links   map[[2]string]Link // by from and to; absent is the zero Link
		changed chan struct{}      // closed by the next change
	}
}

// NewLinks returns links between regions that change nothing.
func NewLinks(regions ...string) *Links {
	l := &Links{regions: slices.Clone(regions)}
	l.mu.links = map[[2]string]Link{}
	l.mu.changed = make(chan struct{})
	return l
}

// Regions returns the names of the regions, in the order given.
func (l *Links) Regions() []string { return slices.Clone(l.regions) }

// Set changes the link in one direction.
func (l *Links) Set(from, to string, link Link) error {
	if err := errors.Join(l.check(from, to), link.Validate()); err != nil {
		return fmt.Errorf("set the link from %s to %s: %w", from, to, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.links[[2]string{from, to}] = link
	close(l.mu.changed)
	l.mu.changed = make(chan struct{})
	return nil
}

// Link returns the link in one direction; the zero Link for regions that are
// not there.
func (l *Links) Link(from, to string) Link {
	link, _ := l.watch(from, to)
	return link
}

// check fails for regions that have no link.
func (l *Links) check(from, to string) error {
	for _, region := range []string{from, to} {
		if !slices.Contains(l.regions, region) {
			return fmt.Errorf("region is %q, want one of %q", region, l.regions)
		}
	}
	if from == to {
		return errors.New("both are one region, which has no link to itself")
	}
	return nil
}

// watch returns the link, and a channel that is closed when some link changes.
func (l *Links) watch(from, to string) (Link, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.links[[2]string{from, to}], l.mu.changed
}
