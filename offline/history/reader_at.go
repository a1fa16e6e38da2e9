package history

import (
	"context"
	"errors"
	"fmt"
)

// ErrGone reports a commit whose files are not all there any more.
var ErrGone = errors.New("the commit's files are gone")

// ReaderAt returns a reader of an earlier manifest, by its number: what was begun with
// it can go on in another life of the process. Its files stay until Close. It returns
// ErrGone where some of them were replaced and collected meanwhile, or the manifest was.
func (h *History) ReaderAt(ctx context.Context, number uint64) (_ *Reader, err error) {
	h.mu.Lock()
	now, unpin := h.mu.state.number, h.pinLocked(number)
	h.mu.Unlock()
	defer func() {
		if err != nil {
			unpin()
		}
	}()
	if number == 0 || number > now {
		return nil, fmt.Errorf("commit %d: %w: history is at commit %d", number, ErrGone, now)
	}
	s, err := loadAt(ctx, h.cfg.Files, number)
	if errors.Is(err, ErrNotExist) {
		err = fmt.Errorf("commit %d: %w: %w", number, ErrGone, err)
	}
	if err != nil {
		return nil, err
	}
	// It is pinned: what is there now is not begun to be collected.
	if name, ok := h.firstGone(s); ok {
		return nil, fmt.Errorf("commit %d: %w: %s was replaced, and is gone", number, ErrGone, name)
	}
	return &Reader{state: s, opener: h.opener, close: unpin}, nil
}

// firstGone returns the first file of an earlier state that is gone, or is being
// removed.
func (h *History) firstGone(s *state) (name string, ok bool) {
	names := s.names()
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.mu.state
	for _, name := range names {
		if _, isRemoved := now.removed[name]; !now.has(name) && (!isRemoved || h.mu.collecting[name]) {
			return name, true
		}
	}
	return "", false
}
