package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"featurestore/api"
)

func (p *partial) allRows(s *api.Scanner) error {
	open, n := s.Array(), 0
	for ; open && s.Element(n == 0); n++ {
		if n == p.rows {
			return fmt.Errorf("%w: it has more than the %d rows asked for", ErrBadAnswer, p.rows)
		}
		if err := p.row(s, n); err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
	}
	if s.Err() == nil && n != p.rows {
		return fmt.Errorf("%w: it has %d of the %d rows asked for", ErrBadAnswer, n, p.rows)
	}
	return s.Err()
}

func (p *partial) row(s *api.Scanner, n int) error {
	row := unsafe.Add(p.first, uintptr(n)*p.size)
	width := len(p.binding.features)
	statuses, times := p.statuses[n*width:(n+1)*width], p.times[n*width:(n+1)*width]
	var seen members
	open := s.Object()
	for first := true; open; first = false {
		key, ok := s.Key(first)
		if !ok {
			break
		}
		var err error
		switch string(key) {
		case "entity":
			err = errors.Join(seen.add(1, "entity"), p.entity(s, row))
		case "values":
			err = errors.Join(seen.add(2, "values"), p.values(s, row))
		case "statuses":
			err = errors.Join(seen.add(4, "statuses"), p.readStatuses(s, row, statuses))
		case "event_times":
			err = errors.Join(seen.add(8, "event_times"), p.readTimes(s, row, times))
		case "conflicts":
			err = errors.Join(seen.add(16, "conflicts"), p.readConflicts(s, n))
		default:
			s.Raw()
		}
		if err != nil {
			return err
		}
	}
	if s.Err() == nil && seen&0xe != 0xe {
		return fmt.Errorf("%w: it lacks values, statuses or event_times", ErrBadAnswer)
	}
	return s.Err()
}

// entity reads the join keys that the struct has fields for.
func (p *partial) entity(s *api.Scanner, row unsafe.Pointer) error {
	open := s.Object()
	for first := true; open; first = false {
		key, ok := s.Key(first)
		if !ok {
			break
		}
		f := p.binding.shape.key(key)
		if f == nil {
			s.Raw()
		} else if err := f.read(s, row); err != nil {
			return fmt.Errorf("%s: tag %s: %w", f.name, f.tag, err)
		}
	}
	return s.Err()
}

// key finds the field of a join key. Entities have few keys.
func (s *shape) key(name []byte) *field {
	for _, f := range s.keys {
		if f.column == string(name) {
			return f
		}
	}
	return nil
}

func (p *partial) values(s *api.Scanner, row unsafe.Pointer) error {
	fields := p.binding.fields
	open, i := s.Array(), 0
	for ; open && s.Element(i == 0); i++ {
		if i == len(fields) {
			return countError("values", i+1, len(fields))
		}
		f := fields[i]
		if f == nil {
			s.Raw()
		} else if err := f.read(s, row); err != nil {
			return fmt.Errorf("%s: tag %s: %s: %w", f.name, f.tag, p.binding.features[i], err)
		}
	}
	return countError("values", i, len(fields), s)
}

func (p *partial) readStatuses(s *api.Scanner, row unsafe.Pointer, out []Status) error {
	open, i := s.Array(), 0
	for ; open && s.Element(i == 0); i++ {
		if i == len(out) {
			return countError("statuses", i+1, len(out))
		}
		out[i] = statusOf(s.Text())
		if f := p.binding.fields[i]; f != nil {
			f.setStatus(row, out[i])
		}
	}
	return countError("statuses", i, len(out), s)
}

// statusOf returns the constant where there is one, so that nothing is copied.
func statusOf(word []byte) Status {
	switch string(word) {
	case string(Present):
		return Present
	case string(NullValue):
		return NullValue
	case string(NotFound):
		return NotFound
	case string(OutsideMaxAge):
		return OutsideMaxAge
	}
	return Status(strings.Clone(text(word)))
}

// readTimes reads event times; the row's own is the newest of those fields
// that the struct has.
func (p *partial) readTimes(s *api.Scanner, row unsafe.Pointer, out []int64) error {
	var newest time.Time
	open, i := s.Array(), 0
	for ; open && s.Element(i == 0); i++ {
		if i == len(out) {
			return countError("event_times", i+1, len(out))
		}
		if s.IsNull() {
			out[i] = noTime
			continue
		}
		if raw := s.Text(); p.lastTime == nil || !bytes.Equal(raw, p.lastTime) {
			if s.Err() != nil {
				return s.Err()
			}
			at, err := parseTime(raw)
			if err != nil {
				return fmt.Errorf("%w: event_times[%d]: %w", ErrBadAnswer, i, err)
			}
			p.lastTime, p.lastAt = raw, at
		}
		at := p.lastAt
		out[i] = at.UnixNano()
		if f := p.binding.fields[i]; f != nil {
			f.setTime(row, at)
			if at.After(newest) {
				newest = at
			}
		}
	}
	if f := p.binding.shape.time; f != nil {
		*(*time.Time)(unsafe.Add(row, f.offset)) = newest
	}
	return countError("event_times", i, len(out), s)
}

// countError reports an array of another length than there are features,
// unless a scanner failed before its end.
func countError(name string, got, want int, scanners ...*api.Scanner) error {
	for _, s := range scanners {
		if s.Err() != nil {
			return s.Err()
		}
	}
	if got == want {
		return nil
	}
	return fmt.Errorf("%w: it has %d %s for %d features", ErrBadAnswer, got, name, want)
}
