package history

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
)

// errCommitted says that a commit that was to be made is there already.
var errCommitted = errors.New("it is committed")

// flush commits what was read. After an error the same is to be committed again.
func (in *Ingester) flush(ctx context.Context) error {
	if in.began.IsZero() {
		return nil
	}
	steps := in.watch.take()
	in.failed = true
	began := in.cfg.Wall()
	err := in.cfg.History.commit(ctx, func(s *state) (*Manifest, error) {
		in.scraps.tried = s.number + 1
		if in.isIn(s) {
			return nil, errCommitted
		}
		if in.progressFirst {
			return &Manifest{Progress: in.covered(s)}, nil
		}
		return in.draft(ctx, s, steps)
	})
	if in.progressFirst && err == nil {
		err = in.cfg.History.commit(ctx, func(s *state) (*Manifest, error) { return in.draft(ctx, s, steps) })
	}
	if errors.Is(err, errCommitted) {
		// An earlier try did it, with the steps of then: saying them twice is harmless,
		// and later ones must not get lost.
		in.watch.putBack(steps)
		err = nil
	}
	in.metrics.commit(ctx, in.cfg.Wall().Sub(began), in.buffer.rows, err)
	if err != nil {
		in.watch.putBack(steps)
		return err
	}
	s := in.Status()
	s.Rows, s.Commits, s.HeldBytes, s.Oldest = s.Rows+in.buffer.rows, s.Commits+1, 0, 0
	in.status.Store(&s)
	in.buffer.reset()
	in.gaps, in.failed, in.began, in.oldest = nil, false, time.Time{}, 0
	return in.scraps.tidy(ctx)
}

// isIn reports whether all that was read is in history.
func (in *Ingester) isIn(s *state) bool {
	for shard, v := range in.read {
		if !s.progress[shard].Covers(v) {
			return false
		}
	}
	return true
}

// covered is the progress with what was read.
func (in *Ingester) covered(s *state) map[feature.Shard]hlc.Vector {
	out := maps.Clone(s.progress)
	maps.Copy(out, in.read)
	return out
}

// draft makes the files of a commit, and says them.
func (in *Ingester) draft(ctx context.Context, s *state, steps []Step) (m *Manifest, err error) {
	m = &Manifest{Progress: in.covered(s), Gaps: in.gaps}
	number := s.number + 1
	views := viewsOf(in.cfg.Log.Registry())
	files := in.scraps.batch(ctx)
	defer func() { // whatever happened: none is made any more after this
		if not := files.wait(); err == nil {
			err = not
		}
	}()
	for _, id := range in.buffer.ids() {
		place := views[id.view]
		if place.view != nil && !place.view.Offline {
			continue
		}
		added, err := in.writePart(files, id, place, number)
		if err != nil {
			return nil, err
		}
		m.Added = append(m.Added, added...)
	}
	if len(steps) > 0 {
		data := encodeSteps(steps)
		f := StepFile{SizeBytes: int64(len(data)), Sum: sha256.Sum256(data)}
		f.Name = stepsName(number, f.Sum)
		files.create(f.Name, data)
		m.Steps = []StepFile{f}
	}
	return m, nil
}

// writePart makes the file of one view and day, and another one for rows whose
// keys are not those of the view.
func (in *Ingester) writePart(making *batch, id partID, place place, number uint64) ([]DataFile, error) {
	rows := in.buffer.parts[id]
	slices.SortFunc(rows, compareHeld)
	c := columnsOf(place.view)
	isNamed := func(h held) bool {
		_, ok := c.keyValues(h.key)
		return ok
	}
	var files []DataFile
	for _, named := range []bool{true, false} {
		p, cols := place, c
		if !named {
			p, cols = noPlace, columnsOf(nil)
		}
		f, data, err := encodeHeld(cols, rows, func(h held) bool { return isNamed(h) == named })
		if err != nil {
			return nil, fmt.Errorf("view %d of %s: %w", id.view, id.day, err)
		}
		if f.Rows == 0 {
			continue
		}
		f.View, f.Day = id.view, id.day
		f.Name = dataName(p.project, p.name(), id.view, id.day, number, f.Sum)
		making.create(f.Name, data)
		files = append(files, f)
	}
	return files, nil
}

// encodeHeld encodes those of sorted rows that are wanted as one file; none are
// no file.
func encodeHeld(c *columns, rows []held, wanted func(held) bool) (f DataFile, data []byte, err error) {
	var w *fileWriter
	for i := range rows {
		if !wanted(rows[i]) {
			continue
		}
		if w == nil {
			if w, err = newFileWriter(c); err != nil {
				return DataFile{}, nil, err
			}
		}
		row, err := rows[i].row()
		if err == nil {
			err = w.add(&row)
		}
		if err != nil {
			w.abandon()
			return DataFile{}, nil, err
		}
	}
	if w == nil {
		return DataFile{}, nil, nil
	}
	return w.end()
}
