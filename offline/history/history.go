package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"featurestore/feature"
	"featurestore/hlc"
)

// History is a history that this process writes. Its methods are safe for
// concurrent use.
type History struct {
	cfg    Config // defaults filled in
	writer WriterID
	opener *opener

	// turn holds a token while somebody commits.
	turn chan struct{}
	// unsure says that the manifest after the last one may be there: its making
	// failed. Who has the turn owns it.
	unsure bool

	mu struct {
		sync.Mutex
		state *state
		ended error // ErrFenced or ErrClosed: nothing is committed any more
		// pins counts the readers of each manifest.
		pins map[uint64]int
		// collecting has the removed files that are being deleted, or that may be gone
		// since that failed: no reader gets them any more.
		collecting map[string]bool
		// stamps are of manifests that are there: those that this process made, and
		// those before it that were read.
		stamps map[uint64]stamp
		// committed is closed with the next manifest, or when there will be none.
		committed chan struct{}
	}
}

// tidier is what Files may do besides: remove what broken-off writes left.
type tidier interface {
	Tidy(ctx context.Context) error
}

// maxTries bounds how often a commit is begun anew because the one before it
// turned out to be there.
const maxTries = 3

// Open opens a history to write, and makes it where there is none. Whoever had it
// before is fenced, and what that one did not commit is removed. Errors are those
// of Files, ErrCorrupt, and ErrFenced when two open it at once.
func Open(ctx context.Context, cfg Config) (*History, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("history configuration: %w", err)
	}
	h := &History{cfg: cfg.withDefaults(), turn: make(chan struct{}, 1), opener: newOpener(cfg.Files)}
	h.mu.pins, h.mu.collecting, h.mu.stamps = map[uint64]int{}, map[string]bool{}, map[uint64]stamp{}
	h.mu.committed = make(chan struct{})
	if _, err := rand.Read(h.writer[:]); err != nil {
		return nil, err
	}
	var err error
	if h.mu.state, err = load(ctx, cfg.Files); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	// The fence: from here on nobody else commits, so what lies about is nobody's.
	if err := h.commit(ctx, func(s *state) (*Manifest, error) { return s.manifest(), nil }); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	if err := h.sweep(ctx); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	return h, nil
}

// Close ends committing. Readers stay good.
func (h *History) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.ended == nil {
		h.mu.ended = ErrClosed
		h.wakeLocked()
	}
}

// Progress returns how far each origin's log of a shard is in history. It is
// shared, and must not be modified.
func (h *History) Progress(shard feature.Shard) hlc.Vector { return h.state().progress[shard] }

// state returns what is committed. It is not changed any more.
func (h *History) state() *state {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.state
}

// Ended returns ErrFenced or ErrClosed once nothing is committed any more, else nil.
func (h *History) Ended() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.ended
}

// commit makes one manifest. Draft is given what is committed and returns what
// the manifest adds and takes away, or an error, with which commit returns; it
// may be called again. After an error of Files it is not known whether the
// commit is there; the next one finds out before it calls draft.
func (h *History) commit(ctx context.Context, draft func(*state) (*Manifest, error)) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.turn }()
	for try := 0; ; try++ {
		if err := h.Ended(); err != nil {
			return err
		}
		if err := h.settle(ctx); err != nil {
			return err
		}
		before := h.state()
		m, err := draft(before)
		if err != nil {
			return err
		}
		if m.Progress == nil {
			m.Progress = before.progress
		}
		after, data, err := h.next(before, m)
		if err != nil {
			return err
		}
		h.unsure = true
		err = h.cfg.Files.Create(ctx, manifestName(after.number), data)
		if err == nil {
			h.unsure = false
			h.publish(after)
			return nil
		}
		if !errors.Is(err, ErrExists) || try == maxTries {
			return fmt.Errorf("commit manifest %d: %w", after.number, err)
		}
	}
}

// next completes a draft, and returns the state with it and its encoding.
func (h *History) next(before *state, m *Manifest) (after *state, data []byte, err error) {
	stamp := func(m *Manifest) {
		m.Number, m.Prev, m.Writer, m.AtMillis = before.number+1, before.sum, h.writer, h.cfg.Wall().UnixMilli()
	}
	stamp(m)
	if !m.Whole {
		for i := range m.Removed {
			m.Removed[i].Number, m.Removed[i].AtMillis = m.Number, m.AtMillis
		}
		if m.Number-before.whole >= uint64(h.cfg.WholeEvery) {
			after = before.clone()
			if err := after.apply(m, Sum{}); err != nil {
				return nil, nil, err
			}
			m = after.manifest()
			stamp(m)
		}
	}
	data = encodeManifest(m)
	after = before.clone()
	return after, data, after.apply(m, sumOf(data))
}

// settle finds out whether a manifest whose making failed is there. One of
// another writer says that this one is fenced.
func (h *History) settle(ctx context.Context) error {
	if !h.unsure {
		return nil
	}
	before := h.state()
	name := manifestName(before.number + 1)
	m, sum, err := readManifest(ctx, h.cfg.Files, before.number+1)
	switch {
	case errors.Is(err, ErrNotExist):
		h.unsure = false
		return nil
	case err != nil:
		return err
	case m.Writer != h.writer:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.mu.ended = fmt.Errorf("%w: manifest %d is not of this process", ErrFenced, m.Number)
		h.wakeLocked()
		return h.mu.ended
	}
	// It is there; to make it again is to hear that it is durable as well.
	if err := h.cfg.Files.Create(ctx, name, encodeManifest(m)); !errors.Is(err, ErrExists) {
		return fmt.Errorf("commit manifest %d again: %w", m.Number, err)
	}
	after := before.clone()
	if err := after.apply(m, sum); err != nil {
		return err
	}
	h.unsure = false
	h.publish(after)
	return nil
}

func (h *History) publish(s *state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.state = s
	h.mu.stamps[s.number] = stamp{s.number, s.atMillis, s.whole == s.number}
	h.wakeLocked()
}

// wakeLocked wakes those who wait for Committed.
func (h *History) wakeLocked() {
	close(h.mu.committed)
	h.mu.committed = make(chan struct{})
}

// Committed returns a channel that is closed when something is committed after the
// call, or the history ends after it: whoever waits looks at Ended between the two.
func (h *History) Committed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.committed
}

// sweep removes what counts no more and awaits no reader: files that no manifest
// names, and manifests that no reader needs. Nobody commits meanwhile.
func (h *History) sweep(ctx context.Context) error {
	if t, ok := h.cfg.Files.(tidier); ok {
		if err := t.Tidy(ctx); err != nil {
			return err
		}
	}
	s := h.state()
	var orphans []string
	for name, err := range h.cfg.Files.List(ctx, "") {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(name, dataEnding) && !strings.HasPrefix(name, stepsFolder) {
			continue
		}
		if _, isRemoved := s.removed[name]; !isRemoved && !s.has(name) {
			orphans = append(orphans, name)
		}
	}
	slices.Sort(orphans)
	for _, name := range orphans {
		h.cfg.Logger.Info("a file that was not committed is removed", "file", name)
		if err := h.cfg.Files.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
