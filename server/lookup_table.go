package server

import (
	"errors"
	"math"

	"featurestore/feature"
	"featurestore/feature/ondemand"
)

// status says what a cell of a lookup is; api.Status is its JSON form.
type status uint8

const (
	statusPresent status = iota
	statusNull
	statusNotFound
	statusOutsideMaxAge
)

// statusText are the statuses as JSON strings.
var statusText = [...]string{
	statusPresent:       `"PRESENT"`,
	statusNull:          `"NULL_VALUE"`,
	statusNotFound:      `"NOT_FOUND"`,
	statusOutsideMaxAge: `"OUTSIDE_MAX_AGE"`,
}

// cell is one value of the answer.
type cell struct {
	value feature.Value
	// eventTime is in nanoseconds since the Unix epoch; timed says there is one.
	eventTime int64
	timed     bool
	status    status
	// conflicts counts the siblings beside the value, 65535 and more as that.
	conflicts uint16
}

// fill decodes the rows that were read into the table of cells: one line an
// entity, one column a slot. What is computed may take long, so more asks before
// each whether the request still has time.
func (l *lookup) fill(more func() error) error {
	width := len(l.plan.defaults)
	l.cells = grow(l.cells, l.rows*width)
	l.uncomputed = grow(l.uncomputed, len(l.plan.derived))
	clear(l.uncomputed)
	l.conflicts, l.keepSession = false, false
	for row := range l.rows {
		line := l.cells[row*width : (row+1)*width]
		for i := range l.plan.sources {
			at := row*len(l.plan.sources) + i
			if err := l.fillSource(line, &l.plan.sources[i], l.shards[at], l.batch.Row(at)); err != nil {
				return err
			}
		}
		if err := l.derive(row, line, more); err != nil {
			return err
		}
	}
	return nil
}

// fillSource walks one encoded row beside the wanted fields; both are ordered
// by feature id. The positions of all cells served go into the session.
func (l *lookup) fillSource(line []cell, s *source, shard feature.Shard, encoded []byte) error {
	next := 0
	missing := func(upTo feature.FeatureID) {
		for next < len(s.fields) && s.fields[next].id < upTo {
			slot := s.fields[next].slot
			line[slot] = cell{value: l.plan.defaults[slot], status: statusNotFound}
			next++
		}
	}
	if encoded != nil {
		r, err := feature.ReadRow(encoded)
		if err != nil {
			return err
		}
		if t := r.Tombstone(); !t.IsZero() {
			l.session.Note(shard, t.ByEvent.Position())
			l.session.Note(shard, t.ByWrite.Position())
		}
		var noted feature.Version
		for next < len(s.fields) && r.Next() {
			missing(r.Cell.Feature)
			if next == len(s.fields) || s.fields[next].id != r.Cell.Feature {
				continue
			}
			slot := s.fields[next].slot
			if line[slot], err = l.decode(&r.Cell, s, slot); err != nil {
				return err
			}
			if merged := r.Cell.Rule.Merges(); merged || r.Cell.Version != noted {
				l.note(shard, &r.Cell, merged)
				noted = r.Cell.Version
			}
			next++
		}
		if err := r.Err(); err != nil {
			return err
		}
	}
	missing(1<<32 - 1)
	return nil
}

// note remembers the writes that made up a cell.
func (l *lookup) note(shard feature.Shard, c *feature.EncodedCell, merged bool) {
	l.session.Note(shard, c.Version.Position())
	if merged {
		for p := range c.Contributions() {
			l.session.Note(shard, p)
		}
	}
}

func (l *lookup) decode(c *feature.EncodedCell, s *source, slot int) (cell, error) {
	out := cell{eventTime: c.Version.EventTime, timed: true}
	switch {
	case !feature.WithinTTL(out.eventTime, l.now, s.view.TTL):
		out.status = statusOutsideMaxAge
		out.value = l.plan.defaults[slot]
		return out, nil
	case c.Rule == feature.Siblings:
		// Who saw siblings may mean to replace them, and needs a token that says so.
		l.keepSession = true
		n, err := c.Conflicts()
		if err != nil {
			return out, err
		}
		out.conflicts = uint16(min(n, math.MaxUint16))
		l.conflicts = l.conflicts || n > 0
	}
	if c.Null {
		out.status = statusNull
		return out, nil
	}
	var err error
	out.value, err = c.Value()
	return out, err
}

// derive computes the on-demand features of one entity. The event time of a
// derived value is the oldest of its inputs': it is no fresher than they are.
func (l *lookup) derive(row int, line []cell, more func() error) error {
	for i := range l.plan.derived {
		if err := more(); err != nil {
			return err
		}
		d := &l.plan.derived[i]
		l.inputs, l.requestValues, l.results = l.inputs[:0], l.requestValues[:0], grow(l.results, len(d.outputs))
		base := cell{}
		for _, slot := range d.inputs {
			in := line[slot]
			l.inputs = append(l.inputs, in.value)
			if in.timed && (!base.timed || in.eventTime < base.eventTime) {
				base.eventTime, base.timed = in.eventTime, true
			}
		}
		for _, j := range d.requests {
			l.requestValues = append(l.requestValues, l.requests[row*len(l.plan.requests)+j])
		}
		// What cannot be computed is null: an overflow, a division by zero.
		switch err := d.program.Eval(l.inputs, l.requestValues, l.results); {
		case errors.Is(err, ondemand.ErrMisuse):
			return err
		case err != nil:
			l.uncomputed[i]++
		}
		for j, slot := range d.outputs {
			if slot < 0 {
				continue
			}
			out := base
			if out.value = l.results[j]; out.value.IsNull() {
				out.status = statusNull
			}
			line[slot] = out
		}
	}
	return nil
}

// grow returns s with length n, its contents undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
