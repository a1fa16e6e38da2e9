package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Scanner reads JSON text by pulling, without building values: the lookup path
// needs a few strings and the raw elements of columns, and encoding/json costs
// eight times as much there. It accepts what encoding/json accepts; a
// differential fuzz target compares them.
//
// The first error sticks: afterwards every method returns zero values, so that
// a caller checks Err once. What it returns aliases the text.
type Scanner struct {
	data []byte
	pos  int
	err  error
}

// NewScanner starts reading data, which must be valid UTF-8.
func NewScanner(data []byte) Scanner {
	s := Scanner{data: data}
	if !utf8.Valid(data) {
		s.err = &SyntaxError{Message: "the text is not valid UTF-8"}
	}
	return s
}

// MaxDepth bounds how deeply JSON in requests may nest.
const MaxDepth = 64

// SyntaxError says where JSON text is wrong and what was expected there.
type SyntaxError struct {
	// Offset is in bytes from the start of the text.
	Offset  int
	Message string
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Message) }

// Err returns the first error, or nil.
func (s *Scanner) Err() error { return s.err }

func (s *Scanner) fail(message string) {
	if s.err == nil {
		if s.pos >= len(s.data) {
			message = "the text ends here; " + message
		}
		s.err = &SyntaxError{Offset: s.pos, Message: message}
	}
}

// peek skips white space and returns the next byte, 0 at the end or after an
// error.
func (s *Scanner) peek() byte {
	if s.err != nil {
		return 0
	}
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *Scanner) open(bracket byte, want string) bool {
	if s.peek() != bracket {
		s.fail("expected " + want)
		return false
	}
	s.pos++
	return true
}

// Object consumes the start of an object.
func (s *Scanner) Object() bool { return s.open('{', "an object") }

// Array consumes the start of an array.
func (s *Scanner) Array() bool { return s.open('[', "an array") }

// Key consumes the next key of an object and its colon. It returns false at
// the end of the object, which it consumes. first says that no key came before.
func (s *Scanner) Key(first bool) (key []byte, ok bool) {
	if !s.next(first, '}') {
		return nil, false
	}
	if s.peek() != '"' {
		s.fail("expected a key in double quotes")
		return nil, false
	}
	key = s.Text()
	if s.peek() != ':' {
		s.fail("expected ':' after the key")
		return nil, false
	}
	s.pos++
	return key, s.err == nil
}

// Element moves to the next element of an array. It returns false at the end
// of the array, which it consumes. first says that no element came before.
func (s *Scanner) Element(first bool) bool { return s.next(first, ']') }

func (s *Scanner) next(first bool, end byte) bool {
	switch c := s.peek(); {
	case s.err != nil:
		return false
	case c == end:
		s.pos++
		return false
	case first:
		return true
	case c != ',':
		s.fail("expected ',' or '" + string(end) + "'")
		return false
	}
	s.pos++
	if s.peek() == end {
		s.fail("expected a value after ','")
		return false
	}
	return true
}

// Text consumes a string and returns it unescaped.
func (s *Scanner) Text() []byte {
	raw := s.quoted()
	if s.err != nil {
		return nil
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		s.pos -= len(raw)
		s.fail("the string has a wrong escape")
		return nil
	}
	return []byte(text)
}

// quoted consumes a string with its quotes, escapes unread.
func (s *Scanner) quoted() []byte {
	if s.peek() != '"' {
		s.fail("expected a string")
		return nil
	}
	start := s.pos
	for i := start + 1; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return s.data[start:s.pos]
		case c == '\\':
			i++
		case c < ' ':
			s.pos = i
			s.fail("a control character in a string must be escaped")
			return nil
		}
	}
	s.pos = len(s.data)
	s.fail("expected the end of a string")
	return nil
}

// Bool consumes true or false.
func (s *Scanner) Bool() bool {
	switch raw := s.Raw(); string(raw) {
	case "true":
		return true
	case "false":
	default:
		s.pos -= len(raw)
		s.fail("expected true or false")
	}
	return false
}

// IsNull consumes a null if one is next and says whether it did.
func (s *Scanner) IsNull() bool {
	if s.peek() == 'n' && bytes.HasPrefix(s.data[s.pos:], []byte("null")) {
		s.Raw()
		return s.err == nil
	}
	return false
}

// NextIs reports whether the next value starts with c: '{', '[' or '"'.
func (s *Scanner) NextIs(c byte) bool { return s.peek() == c }

// Offset returns how many bytes were read.
func (s *Scanner) Offset() int { return s.pos }

// End checks that nothing but white space follows.
func (s *Scanner) End() {
	if s.peek(); s.err == nil && s.pos < len(s.data) {
		s.fail("expected the end of the text")
	}
}

// Raw consumes one value of any kind and returns its text.
func (s *Scanner) Raw() []byte {
	c := s.peek()
	start := s.pos
	switch {
	case c == '"':
		raw := s.quoted()
		if s.err == nil && bytes.IndexByte(raw, '\\') >= 0 && !json.Valid(raw) {
			s.pos = start
			s.fail("the string has a wrong escape")
			return nil
		}
		return raw
	case c == '{' || c == '[':
		return s.nested()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
			s.pos += len(word)
			return s.data[start:s.pos]
		}
	}
	s.fail("expected a value")
	return nil
}

// nested consumes an object or array. Elements of columns are scalars and
// short lists, so the second pass by json.Valid is short too.
func (s *Scanner) nested() []byte {
	start, depth := s.pos, 0
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '"':
			if s.quoted(); s.err != nil {
				return nil
			}
			continue
		case '{', '[':
			if depth++; depth > MaxDepth {
				s.fail(fmt.Sprintf("nesting deeper than %d", MaxDepth))
				return nil
			}
		case '}', ']':
			depth--
		}
		s.pos++
		if depth == 0 {
			raw := s.data[start:s.pos]
			if !json.Valid(raw) {
				s.pos = start
				s.fail("expected a valid object or array")
				return nil
			}
			return raw
		}
	}
	s.fail("expected the end of an object or array")
	return nil
}

func (s *Scanner) number() []byte {
	start, i := s.pos, s.pos
	digits := func() bool {
		from := i
		for i < len(s.data) && s.data[i] >= '0' && s.data[i] <= '9' {
			i++
		}
		return i > from
	}
	at := func(set string) bool {
		return i < len(s.data) && bytes.IndexByte([]byte(set), s.data[i]) >= 0
	}
	if at("-") {
		i++
	}
	zero := at("0")
	from := i
	ok := digits() && !(zero && i > from+1)
	if ok && at(".") {
		i++
		ok = digits()
	}
	if ok && at("eE") {
		if i++; at("+-") {
			i++
		}
		ok = digits()
	}
	if !ok {
		s.pos = i
		s.fail("expected a number")
		return nil
	}
	s.pos = i
	return s.data[start:i]
}
