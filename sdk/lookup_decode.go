package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"featurestore/api"
)

var requestBuffers = sync.Pool{New: func() any { return new([]byte) }}

// errRebind says that the answer names other features than the binding.
var errRebind = errors.New("answer names other features")

// partial is where the answer to one part of a lookup goes: rows of a struct
// type, and beside them statuses and event times, one a feature.
type partial struct {
	binding  *binding
	first    unsafe.Pointer
	size     uintptr
	rows     int
	statuses []Status
	times    []int64
	met      *Met
	// conflicts is made when a row has any.
	conflicts *[]int
	// lastTime is the text that lastAt was read from: the cells of a row that
	// was written whole share their event time.
	lastTime []byte
	lastAt   time.Time
}

// decode reads the answer's body into p. The plain twin in lookup_decode_test.go
// does the same with encoding/json.
func (p *partial) decode(body []byte) error {
	err := p.members(body)
	var syntax *api.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	return err
}

func (p *partial) members(body []byte) error {
	s := api.NewScanner(body)
	var seen members
	var late []byte // rows that came before the features
	open := s.Object()
	for first := true; open; first = false {
		key, ok := s.Key(first)
		if !ok {
			break
		}
		var err error
		switch string(key) {
		case "features":
			err = errors.Join(seen.add(1, "features"), p.features(&s))
		case "rows":
			err = seen.add(2, "rows")
			if !seen.has(1) {
				late = s.Raw()
			} else if err == nil {
				err = p.allRows(&s)
			}
		case "consistency":
			err = errors.Join(seen.add(4, "consistency"), p.consistency(&s))
		default:
			s.Raw()
		}
		if err != nil {
			return err
		}
	}
	if s.End(); s.Err() != nil {
		return s.Err()
	}
	if !seen.has(1) || !seen.has(2) {
		return fmt.Errorf("%w: it has no features or no rows", ErrBadAnswer)
	}
	if late != nil {
		s = api.NewScanner(late)
		return p.allRows(&s)
	}
	return nil
}

// members remembers which members of an object came already.
type members uint8

func (m members) has(bit members) bool { return m&bit != 0 }

func (m *members) add(bit members, name string) error {
	if m.has(bit) {
		return fmt.Errorf("%w: %q stands twice", ErrBadAnswer, name)
	}
	*m |= bit
	return nil
}

// features compares the list with the binding's.
func (p *partial) features(s *api.Scanner) error {
	want := p.binding.features
	open, n, same := s.Array(), 0, true
	for ; open && s.Element(n == 0); n++ {
		name := s.Text()
		same = same && n < len(want) && string(name) == want[n]
	}
	if s.Err() == nil && (!same || n != len(want)) {
		return errRebind
	}
	return s.Err()
}

func (p *partial) consistency(s *api.Scanner) error {
	var met api.ConsistencyMet
	raw := s.Raw()
	if s.Err() != nil {
		return s.Err()
	}
	if err := json.Unmarshal(raw, &met); err != nil {
		return fmt.Errorf("%w: consistency: %w", ErrBadAnswer, err)
	}
	*p.met = metOf(met)
	return nil
}
