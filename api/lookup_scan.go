package api

import (
	"errors"
	"fmt"
	"strings"
)

// ScannedLookup is a lookup request read without copying: what LookupRequest
// says, as views into the body. It is reusable and keeps its space. The body
// must not change while it is in use.
type ScannedLookup struct {
	Service []byte
	// Features is the raw JSON array of references, nil when not given.
	Features []byte
	// Entities and Request are the columns, in the order of the body.
	Entities []Column
	Request  []Column
	// Consistency is the raw JSON list of alternatives, nil when not given.
	Consistency      []byte
	FullFeatureNames bool

	most  int      // values of a column
	cells [][]byte // of all columns
	seen  []string
}

// Column is a named column of raw JSON values.
type Column struct {
	Name   []byte
	Values [][]byte
	from   int // Values is ScannedLookup.cells[from:to]
	to     int
}

// ScanLookup reads the body of a native lookup of at most so many entities into
// l. Errors are Problems that name the field.
func (l *ScannedLookup) ScanLookup(body []byte, maxEntities int) error {
	l.most = maxEntities
	return l.scan(body, func(s *Scanner, key string) error {
		switch key {
		case "service":
			l.Service = s.Text()
		case "features":
			l.Features = s.Raw()
		case "entities":
			return l.columns(s, key, &l.Entities, false)
		case "request":
			return l.columns(s, key, &l.Request, false)
		case "consistency":
			l.Consistency = s.Raw()
		case "full_feature_names":
			l.FullFeatureNames = s.Bool()
		default:
			return Problemf(CodeUnknownField, key,
				"a lookup has no field %q; use service, features, entities, request, consistency, full_feature_names", key)
		}
		return nil
	})
}

// ScanFeastLookup reads the body of POST /get-online-features into l. As
// Feast's servers do, it ignores fields it does not know, and takes columns
// and features also in their protobuf form {"val": […]}.
func (l *ScannedLookup) ScanFeastLookup(body []byte, maxEntities int) error {
	l.most = maxEntities
	return l.scan(body, func(s *Scanner, key string) error {
		switch key {
		case "feature_service":
			if !s.IsNull() {
				l.Service = s.Text()
			}
		case "features":
			return l.feastFeatures(s)
		case "entities":
			return l.columns(s, key, &l.Entities, true)
		case "request_context":
			if !s.IsNull() {
				return l.columns(s, key, &l.Request, true)
			}
		case "full_feature_names":
			l.FullFeatureNames = !s.IsNull() && s.Bool()
		default:
			s.Raw()
		}
		return nil
	})
}

func (l *ScannedLookup) feastFeatures(s *Scanner) error {
	switch {
	case s.IsNull():
	case s.NextIs('{'):
		wrapped := s.Object()
		for first := true; wrapped; first = false {
			key, ok := s.Key(first)
			if !ok {
				break
			}
			if string(key) == "val" {
				l.Features = s.Raw()
			} else {
				s.Raw()
			}
		}
	default:
		l.Features = s.Raw()
	}
	return nil
}

// scan walks the top-level object, calling field at each value.
func (l *ScannedLookup) scan(body []byte, field func(*Scanner, string) error) error {
	l.reset()
	s := NewScanner(body)
	open := s.Object()
	for first := true; open; first = false {
		key, ok := s.Key(first)
		if !ok {
			break
		}
		name := intern(key)
		for _, before := range l.seen {
			if before == name {
				return Problemf(CodeDuplicateKey, name, "%q stands twice in the request; once is right", name)
			}
		}
		if len(l.seen) == maxNames {
			return tooManyNames("")
		}
		l.seen = append(l.seen, name)
		if err := field(&s, name); err != nil {
			return err
		}
	}
	s.End()
	if err := s.Err(); err != nil {
		return scanProblem(err)
	}
	l.slice(l.Entities)
	l.slice(l.Request)
	return nil
}

// intern returns the key without allocating for the keys that requests have.
func intern(key []byte) string {
	switch string(key) {
	case "service":
		return "service"
	case "features":
		return "features"
	case "entities":
		return "entities"
	case "request":
		return "request"
	case "consistency":
		return "consistency"
	case "full_feature_names":
		return "full_feature_names"
	case "feature_service":
		return "feature_service"
	case "request_context":
		return "request_context"
	}
	return string(key)
}

func scanProblem(err error) error {
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return NewProblem(CodeInvalidJSON, "the body is not valid JSON: "+syntax.Error())
	}
	return NewProblem(CodeInvalidJSON, err.Error())
}

func (l *ScannedLookup) reset() {
	*l = ScannedLookup{
		Entities: l.Entities[:0], Request: l.Request[:0], most: l.most, cells: l.cells[:0], seen: l.seen[:0],
	}
}

// columns reads an object of arrays. Their cells share one slice, cut up by
// slice once it stopped growing. wrapped admits {"val": […]} for a column.
func (l *ScannedLookup) columns(s *Scanner, field string, dst *[]Column, wrapped bool) error {
	open := s.Object()
	for first := true; open; first = false {
		name, ok := s.Key(first)
		if !ok {
			break
		}
		for _, c := range *dst {
			if string(c.Name) == string(name) {
				return Problemf(CodeDuplicateKey, field+"."+clipName(name), "the column stands twice; once is right")
			}
		}
		if len(*dst) == maxNames {
			return tooManyNames(field)
		}
		var fits bool
		if wrapped && s.NextIs('{') {
			fits = l.wrappedColumn(s, name, dst)
		} else {
			fits = l.column(s, name, dst)
		}
		if !fits {
			return Problemf(CodeTooManyEntities, field, "column %s has more values than there are entities in one lookup, at most %d", clipName(name), l.most)
		}
		if s.Err() != nil {
			return columnProblem(s.Err(), field, name)
		}
	}
	return nil
}

// maxNames bounds the columns and the fields of a lookup. Each is compared with
// those before it, so a body full of names would take minutes.
const maxNames = 1024

func tooManyNames(field string) error {
	return Problemf(CodeInvalidRequest, field, "more than %d names in one object", maxNames)
}

// column reads an array of values. It returns false, and reads no further, when
// there are too many.
func (l *ScannedLookup) column(s *Scanner, name []byte, dst *[]Column) (fits bool) {
	c := Column{Name: name, from: len(l.cells)}
	open := s.Array()
	for first := true; open && s.Element(first); first = false {
		if len(l.cells)-c.from == l.most {
			return false
		}
		l.cells = append(l.cells, s.Raw())
	}
	c.to = len(l.cells)
	*dst = append(*dst, c)
	return true
}

// wrappedColumn reads {"val": […]}.
func (l *ScannedLookup) wrappedColumn(s *Scanner, name []byte, dst *[]Column) (fits bool) {
	found := false
	open := s.Object()
	for first := true; open; first = false {
		key, ok := s.Key(first)
		if !ok {
			return true
		}
		switch {
		case string(key) != "val":
			s.Raw()
		case found:
			s.fail("val stands twice")
		case !l.column(s, name, dst):
			return false
		default:
			found = true
		}
	}
	return true
}

func columnProblem(err error, field string, name []byte) error {
	p := NewProblem(CodeInvalidJSON, fmt.Sprintf("%v; a column is an array of values", err))
	p.Field = field + "." + clipName(name)
	return p
}

// slice gives each column its part of the shared cells.
func (l *ScannedLookup) slice(columns []Column) {
	for i, c := range columns {
		columns[i].Values = l.cells[c.from:c.to:c.to]
	}
}

func clipName(name []byte) string {
	const limit = 128
	if len(name) > limit {
		return strings.ToValidUTF8(string(name[:limit]), "") + "…"
	}
	return string(name)
}
