package history

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

// stamp is what is remembered of a manifest that is still there.
type stamp struct {
	number   uint64
	atMillis int64 // zero: it cannot be read
	whole    bool
}

// superfluous returns the manifests of all, which rise by number, that nobody needs.
// One is needed that isPinned says, one that was the latest after a time, and one that
// a needed one goes back to: to its whole one. Those since a number are needed anyway.
func superfluous(all []stamp, since uint64, afterMillis int64, isPinned func(number uint64) bool) []uint64 {
	var out []uint64
	next, chained := stamp{}, false
	for i, s := range slices.Backward(all) {
		isLatest := i == len(all)-1
		if isLatest || chained || s.number >= since || next.atMillis > afterMillis || isPinned(s.number) {
			chained = !s.whole
		} else {
			out = append(out, s.number)
		}
		if s.atMillis > 0 {
			next = s
		}
	}
	slices.Reverse(out)
	return out
}

// stamps returns what is known of all manifests that are there, by rising number. It
// reads those that an earlier life left, once.
func (h *History) stamps(ctx context.Context) ([]stamp, error) {
	h.mu.Lock()
	known := maps.Clone(h.mu.stamps)
	h.mu.Unlock()
	var all []stamp
	for number, err := range manifests(ctx, h.cfg.Files) {
		if err != nil {
			return nil, err
		}
		if s, ok := known[number]; ok {
			all = append(all, s)
		} else {
			all = append(all, stamp{number: number})
		}
	}
	slices.SortFunc(all, func(a, b stamp) int { return cmp.Compare(a.number, b.number) })
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(atOnce)
	for i := range all {
		s := &all[i]
		if _, ok := known[s.number]; ok {
			continue
		}
		reading.Go(func() error {
			m, _, err := readManifest(ctx, h.cfg.Files, s.number)
			switch {
			case errors.Is(err, ErrCorrupt), errors.Is(err, ErrNotExist):
				// Damaged, or taken away by who fenced this process: of no use to anybody.
				return nil
			case err != nil:
				return err
			}
			s.atMillis, s.whole = m.AtMillis, m.Whole
			return nil
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range all {
		h.mu.stamps[s.number] = s
	}
	return all, nil
}

// collectManifests removes those that nobody needs.
func (h *History) collectManifests(ctx context.Context, beforeMillis int64) error {
	all, err := h.stamps(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	since, pins := h.mu.state.wholeBefore, maps.Clone(h.mu.pins)
	h.mu.Unlock()
	old := superfluous(all, since, beforeMillis, func(number uint64) bool { return pins[number] > 0 })
	for _, number := range old {
		if err := h.cfg.Files.Remove(ctx, manifestName(number)); err != nil {
			return err
		}
		h.mu.Lock()
		delete(h.mu.stamps, number)
		h.mu.Unlock()
	}
	return nil
}
