package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"featurestore/feature"
)

// DefaultEvery is how often upkeep looks whether there is something to do.
const DefaultEvery = time.Minute

// UpkeepConfig says what is kept up.
type UpkeepConfig struct {
	// History and Registry, which returns the definitions in force, are required.
	History  *History
	Registry func() *feature.Registry
	// Every is how often it is looked after; default DefaultEvery.
	Every time.Duration
	// Logger receives what fails; nil is silence.
	Logger *slog.Logger
}

// Upkeep compacts a history, lets go of what is older than its retention, and
// removes files that count no more. There is one for a history. Run, Once, Erase
// and Count take turns; the other methods are for one goroutine that calls none of them.
type Upkeep struct {
	cfg    UpkeepConfig
	scraps scraps
	turn   chan struct{}
	// clean is of the latest sets of keys that were erased or counted, the last first.
	// Who has the turn owns it.
	clean []clean
}

// NewUpkeep returns the upkeep of a history.
func NewUpkeep(cfg UpkeepConfig) (*Upkeep, error) {
	if cfg.History == nil || cfg.Registry == nil || cfg.Every < 0 {
		return nil, errors.New("upkeep configuration: History and Registry must be set, and Every not negative")
	}
	cfg.Every = or(cfg.Every, DefaultEvery)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Upkeep{cfg: cfg, scraps: scraps{history: cfg.History}, turn: make(chan struct{}, 1)}, nil
}

// Run keeps up until ctx ends, and returns nil; or ErrFenced or ErrClosed. What
// fails is tried again the next time.
func (u *Upkeep) Run(ctx context.Context) error {
	tick := time.NewTicker(u.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		switch err := u.Once(ctx); {
		case errors.Is(err, ErrFenced) || errors.Is(err, ErrClosed):
			return err
		case err != nil && ctx.Err() == nil:
			u.cfg.Logger.Error("upkeep of history failed; it is tried again", "err", err)
		}
	}
}

// Once does what there is to do. What fails does not keep the rest from being done.
func (u *Upkeep) Once(ctx context.Context) error {
	if err := u.begin(ctx); err != nil {
		return err
	}
	defer u.end()
	retained := u.Retain(ctx)
	_, compacted := u.Compact(ctx)
	return errors.Join(retained, compacted, u.Collect(ctx))
}

// begin takes the turn, or returns the error of ctx.
func (u *Upkeep) begin(ctx context.Context) error {
	select {
	case u.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *Upkeep) end() { <-u.turn }

// Retain takes days out of history that are older than Config.Retain, whole.
func (u *Upkeep) Retain(ctx context.Context) error {
	h := u.cfg.History
	if h.cfg.Retain == 0 {
		return nil
	}
	before := h.cfg.Wall().Add(-h.cfg.Retain)
	err := h.commit(ctx, func(s *state) (*Manifest, error) {
		old := outdated(s.files(), before)
		if len(old) == 0 {
			return nil, errCommitted
		}
		m := &Manifest{}
		for _, f := range old {
			m.Removed = append(m.Removed, Removal{Name: f.Name})
		}
		// Before they are gone: whoever asks for them is told that they are.
		return m, h.keepRetained(ctx, DayOf(before.UnixNano()))
	})
	if err != nil && !errors.Is(err, errCommitted) {
		return fmt.Errorf("retain history since %v: %w", before, err)
	}
	return nil
}

// Collect removes files that were taken away at least Config.Keep ago and that no
// reader of this process has, and manifests that no reader is at and that were not the
// latest since then.
func (u *Upkeep) Collect(ctx context.Context) error {
	h := u.cfg.History
	before := h.cfg.Wall().Add(-h.cfg.Keep).UnixMilli()
	if _, err := u.collect(ctx, func(r Removal) bool { return r.AtMillis <= before }); err != nil {
		return err
	}
	return h.collectManifests(ctx, before)
}

// collect removes files that are due and that no reader of this process has, and
// returns how many one still has.
func (u *Upkeep) collect(ctx context.Context, due func(Removal) bool) (pinned int, err error) {
	h := u.cfg.History
	var gone []string
	for _, r := range slices.SortedFunc(maps.Values(h.state().removed), func(a, b Removal) int { return cmp.Compare(a.Name, b.Name) }) {
		switch {
		case !due(r):
			continue
		case !h.beginCollecting(r):
			pinned++
			continue
		}
		if err = h.cfg.Files.Remove(ctx, r.Name); err != nil {
			err = fmt.Errorf("collect %s: %w", r.Name, err)
			break
		}
		h.opener.forget(r.Name)
		gone = append(gone, r.Name)
	}
	return pinned, errors.Join(err, h.forget(ctx, gone))
}

// beginCollecting says that a file is about to be removed, so that ReaderAt gives it
// to nobody any more; false when a reader has it.
func (h *History) beginCollecting(r Removal) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for number := range h.mu.pins {
		if number < r.Number {
			return false
		}
	}
	h.mu.collecting[r.Name] = true
	return true
}

// forget drops removals whose files are gone; the next whole manifest has none.
func (h *History) forget(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.turn }()
	s := h.state().clone()
	for _, name := range names {
		delete(s.removed, name)
	}
	h.publish(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		delete(h.mu.collecting, name)
	}
	return nil
}
