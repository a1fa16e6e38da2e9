package served

import (
	"context"
	"slices"
	"time"

	"featurestore/offline/history"
)

func dayOf(l *Lookup) history.Day { return history.DayOf(l.At) }

// tidier is what Files may do besides: remove what broken-off writes left.
type tidier interface {
	Tidy(ctx context.Context) error
}

// keep removes files that are too old, and the oldest while all take too much (SV3). What
// fails is tried again after the next file.
func (l *Log) keep(ctx context.Context) {
	if t, ok := l.cfg.Files.(tidier); ok && l.number == 0 {
		if err := t.Tidy(ctx); err != nil {
			l.cfg.Logger.Warn("what broken-off writes left of the served log is not removed", "error", err)
		}
	}
	if err := l.removeOldest(ctx); err != nil {
		l.cfg.Logger.Warn("old files of the served log are not removed; it is tried again", "error", err)
	}
}

func (l *Log) removeOldest(ctx context.Context) error {
	names, err := list(ctx, l.cfg.Files)
	if err != nil {
		return err
	}
	sizes, total := make([]int64, len(names)), int64(0)
	for i, name := range names {
		if sizes[i], err = sizeOf(ctx, l.cfg.Files, name); err != nil {
			return err
		}
		total += sizes[i]
	}
	before := l.cfg.Wall().Add(-l.cfg.Retain)
	for i, name := range names {
		day, _, _ := parseName(name)
		isOld := !day.Add(24 * time.Hour).After(before)
		if !isOld && total <= l.cfg.MaxBytes {
			break
		}
		if err := l.cfg.Files.Remove(ctx, name); err != nil {
			return err
		}
		total -= sizes[i]
	}
	l.metrics.bytes.Store(total)
	return nil
}

// list returns the files of a log, the oldest first.
func list(ctx context.Context, files history.Files) ([]string, error) {
	var names []string
	for name, err := range files.List(ctx, "event_date=") {
		if err != nil {
			return nil, err
		}
		if _, _, ok := parseName(name); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func sizeOf(ctx context.Context, files history.Files, name string) (int64, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	n, err := f.Seek(0, 2)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return n, err
}
