package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"featurestore/feature"
)

// What encoding/json lets pass in silence is refused here: a key that stands
// twice in one object, half surrogate pairs, unbounded nesting.

// members walks the object that comes next and calls visit with each key;
// visit takes the value. The key is in the scanner's memory.
func members(s *Scanner, visit func(key string) error) error {
	open := s.Object()
	var seen keySet
	for first := true; open; first = false {
		key, ok := s.Key(first)
		if !ok {
			break
		}
		name := unsafeString(key)
		if !seen.add(name) {
			return Problemf(CodeDuplicateKey, feature.Clip(name), "key %q stands twice in one object, again before byte %d; once is right", feature.Clip(name), s.Offset())
		}
		if err := visit(name); err != nil {
			return err
		}
	}
	return s.problem()
}

// elements walks the array that comes next and calls visit with each index;
// visit takes the element.
func elements(s *Scanner, visit func(i int) error) error {
	open := s.Array()
	for i := 0; open && s.Element(i == 0); i++ {
		if err := visit(i); err != nil {
			return err
		}
	}
	return s.problem()
}

// problem returns the scanner's error as a Problem.
func (s *Scanner) problem() error {
	if s.err == nil {
		return nil
	}
	return scanProblem(s.err)
}

// value takes the next value, checked all the way down, and returns its text.
// depth is how deep it stands.
func value(s *Scanner, depth int) (json.RawMessage, error) {
	s.peek()
	start := s.Offset()
	if depth > MaxDepth {
		return nil, NewProblem(CodeInvalidJSON, fmt.Sprintf("at byte %d: nested more than %d deep", start, MaxDepth))
	}
	var err error
	switch {
	case s.NextIs('{'):
		err = members(s, func(string) error { _, err := value(s, depth+1); return err })
	case s.NextIs('['):
		err = elements(s, func(int) error { _, err := value(s, depth+1); return err })
	default:
		raw := s.Raw()
		if err = s.problem(); err == nil && halfSurrogate(raw) {
			err = NewProblem(CodeInvalidJSON, fmt.Sprintf("at byte %d: a string has half of a surrogate pair, which is no character", start))
		}
	}
	if err != nil {
		return nil, err
	}
	return s.data[start:s.Offset()], nil
}

// plain takes the text out of a Problem, whose code is the caller's to choose.
func plain(err error) error {
	var p *Problem
	if errors.As(err, &p) {
		return errors.New(p.Detail)
	}
	return err
}

// halfSurrogate reports whether a valid JSON string escapes one half of a
// surrogate pair without the other.
func halfSurrogate(quoted []byte) bool {
	for i := bytes.IndexByte(quoted, '\\'); i >= 0 && i < len(quoted); i++ {
		if quoted[i] != '\\' {
			continue
		}
		i++
		high := hex4(quoted[i:])
		if !utf16.IsSurrogate(high) {
			continue
		}
		rest := quoted[i+5:]
		if len(rest) < 2 || rest[0] != '\\' || utf16.DecodeRune(high, hex4(rest[1:])) == utf8.RuneError {
			return true
		}
		i += 10
	}
	return false
}

// hex4 decodes "uXXXX", 0 for anything else.
func hex4(b []byte) rune {
	if len(b) < 5 || b[0] != 'u' {
		return 0
	}
	var r rune
	for _, c := range b[1:5] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0
		}
	}
	return r
}

// keySet holds the keys of one object. Most objects have few.
type keySet struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

// add reports whether key is new.
func (s *keySet) add(key string) bool {
	if s.many != nil {
		_, known := s.many[key]
		s.many[key] = struct{}{}
		return !known
	}
	for _, k := range s.few[:s.n] {
		if k == key {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = key
		s.n++
		return true
	}
	s.many = make(map[string]struct{}, 2*len(s.few))
	for _, k := range s.few {
		s.many[k] = struct{}{}
	}
	s.many[key] = struct{}{}
	return true
}

// unsafeString returns b as a string without a copy; b must not change while
// the string is in use.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
