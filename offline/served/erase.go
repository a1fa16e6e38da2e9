package served

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"featurestore/feature"
)

// ErrEnded reports a log that nobody works any more.
var ErrEnded = errors.New("the served log has ended")

// Erased says what an erasure took out, or what a count found.
type Erased struct {
	// Entities are how many there were of the keys, over all lookups; Files had them.
	Entities, Files int
}

// erasure is asked of Run, which alone writes.
type erasure struct {
	ctx    context.Context
	views  []feature.ViewID
	keys   map[string]bool
	only   bool // count
	answer chan<- erasedOr
}

type erasedOr struct {
	Erased
	err error
}

// Erase takes what was served of entity keys of views out of the log: each such entity of a
// lookup with all that was served for it, what was computed included. What waits is written
// first. After an error some of it may be done; doing it again is safe. It waits for Run.
func (l *Log) Erase(ctx context.Context, views []feature.ViewID, keys ...feature.Key) (Erased, error) {
	return l.ask(ctx, views, keys, false)
}

// Count returns how much Erase would take out.
func (l *Log) Count(ctx context.Context, views []feature.ViewID, keys ...feature.Key) (Erased, error) {
	return l.ask(ctx, views, keys, true)
}

func (l *Log) ask(ctx context.Context, views []feature.ViewID, keys []feature.Key, only bool) (Erased, error) {
	answer := make(chan erasedOr, 1)
	e := erasure{ctx: ctx, views: views, keys: map[string]bool{}, only: only, answer: answer}
	for _, k := range keys {
		e.keys[string(k)] = true
	}
	select {
	case l.erasures <- e:
	case <-l.ended:
		return Erased{}, ErrEnded
	case <-ctx.Done():
		return Erased{}, ctx.Err()
	}
	select {
	case done := <-answer:
		return done.Erased, done.err
	case <-ctx.Done():
		return Erased{}, ctx.Err()
	}
}

// erase does what was asked, over all that was offered so far. What waits is written
// whatever becomes of who asked; ctx is Run's.
func (l *Log) erase(ctx context.Context, e erasure) {
	l.drain(ctx)
	l.write(ctx)
	var done erasedOr
	names, err := list(e.ctx, l.cfg.Files)
	for i := 0; err == nil && i < len(names); i++ {
		var entities int
		if entities, err = l.eraseFrom(names[i], e); entities > 0 {
			done.Entities, done.Files = done.Entities+entities, done.Files+1
		}
	}
	if err != nil {
		done.err = fmt.Errorf("erase entities from the served log: %w", err)
	}
	e.answer <- done
}

// eraseFrom rewrites a file without the entities, or removes it when nothing is left; it
// returns how many there were.
func (l *Log) eraseFrom(name string, e erasure) (entities int, err error) {
	_, sum, _ := parseName(name)
	var kept *writer
	var failed error
	err = readFile(e.ctx, l.cfg.Files, name, sum, func(x *Lookup) bool {
		entities += e.cut(x)
		if e.only || len(x.Rows) == 0 {
			return true
		}
		if kept == nil {
			kept, failed = newWriter(x)
		}
		if failed == nil {
			failed = kept.add(x)
		}
		return failed == nil
	})
	if err = errors.Join(failed, ignoreStop(err)); err != nil || e.only || entities == 0 {
		return entities, err
	}
	if kept != nil {
		l.number++
		renamed, contents, err := kept.end(l.number)
		if err == nil {
			err = l.cfg.Files.Create(e.ctx, renamed, contents)
		}
		if err != nil {
			return entities, err
		}
	}
	return entities, l.cfg.Files.Remove(e.ctx, name)
}

func ignoreStop(err error) error {
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// cut takes the entities out of a lookup, and returns how many.
func (e *erasure) cut(x *Lookup) int {
	gone := map[int]bool{}
	for i := range x.Rows {
		if r := &x.Rows[i]; r.ID != 0 && slices.Contains(e.views, r.ID) && e.keys[string(r.Key)] {
			gone[r.Entity] = true
		}
	}
	x.Rows = slices.DeleteFunc(x.Rows, func(r Row) bool { return gone[r.Entity] })
	return len(gone)
}
