package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"featurestore/feature"
)

// ScannedPush is a push request read without copying: what PushRequest says,
// its values as views into the body, which must not change while it is in use.
type ScannedPush struct {
	View       string
	PushSource string
	To         string
	Generation uint16
	// Columns, or the rows of Row, hold the values; never both.
	Columns []Column

	cells []Cell
	ends  []int // of each row in cells
}

// Cell is one named value of a row, still JSON.
type Cell struct {
	Name  string
	Value json.RawMessage
}

// Rows returns the number of rows, 0 for a push by columns.
func (p *ScannedPush) Rows() int { return len(p.ends) }

// Row returns the cells of row i, in the order of the body.
func (p *ScannedPush) Row(i int) []Cell {
	start := 0
	if i > 0 {
		start = p.ends[i-1]
	}
	return p.cells[start:p.ends[i]]
}

// ScanPush reads the body of a native push of at most maxRows rows. Errors are
// Problems that name the field.
func ScanPush(body []byte, maxRows int) (*ScannedPush, error) {
	p := &ScannedPush{}
	rows, columns := false, false
	err := scanBody(body, func(s *Scanner, key string) (err error) {
		switch key {
		case "view":
			p.View, err = textOf(s, key)
		case "push_source":
			p.PushSource, err = textOf(s, key)
		case "to":
			p.To, err = textOf(s, key)
		case "generation":
			p.Generation, err = generationOf(s, key)
		case "rows":
			rows = true
			return p.scanRows(s, maxRows)
		case EventTimeField, "event_timestamp":
			return Problemf(CodeUnknownField, key, "event_time belongs in each row, or is a column")
		case "columns":
			columns = true
			p.Columns, err = scanColumns(s, key, maxRows, CodeTooManyRows)
		default:
			return unknownField("a push", key, "view", "push_source", "to", "generation", "rows", "columns")
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case (p.View == "") == (p.PushSource == ""):
		return nil, Problemf(CodeInvalidRequest, "view", "a push names either a view or a push_source")
	case rows == columns:
		return nil, Problemf(CodeInvalidRequest, "rows", "a push has either rows or columns")
	case p.To != "" && p.To != ToOnline && p.To != ToOffline && p.To != ToBoth:
		return nil, Problemf(CodeInvalidRequest, "to", "%q is not known; use %s, %s or %s", feature.Clip(p.To), ToOnline, ToOffline, ToBoth)
	}
	return p, nil
}

func (p *ScannedPush) scanRows(s *Scanner, maxRows int) error {
	if err := wantNext(s, '[', "rows", "an array of objects"); err != nil {
		return err
	}
	return elements(s, func(i int) error {
		if i == maxRows {
			return Problemf(CodeTooManyRows, "rows", "more than %d rows in one push; split it", maxRows)
		}
		if err := p.scanRow(s); err != nil {
			return within(err, "rows["+strconv.Itoa(i)+"]")
		}
		return nil
	})
}

func (p *ScannedPush) scanRow(s *Scanner) error {
	if err := wantNext(s, '{', "", "an object"); err != nil {
		return err
	}
	err := members(s, func(key string) error {
		raw, err := value(s, 4)
		p.cells = append(p.cells, Cell{Name: key, Value: raw})
		return err
	})
	p.ends = append(p.ends, len(p.cells))
	return err
}

// scanBody walks the members of a request's body, which holds one object and
// nothing else.
func scanBody(body []byte, member func(s *Scanner, key string) error) error {
	s := NewScanner(body)
	if err := members(&s, func(key string) error { return member(&s, key) }); err != nil {
		return err
	}
	s.End()
	return s.problem()
}

// scanColumns reads an object of arrays.
func scanColumns(s *Scanner, field string, most int, tooMany Code) ([]Column, error) {
	var out []Column
	if err := wantNext(s, '{', field, "an object of columns"); err != nil {
		return nil, err
	}
	err := members(s, func(key string) error {
		c := Column{Name: []byte(key)}
		path := field + "." + feature.Clip(key)
		if err := wantNext(s, '[', path, "an array of values"); err != nil {
			return err
		}
		err := elements(s, func(i int) error {
			if i == most {
				return Problemf(tooMany, path, "more than %d values in a column; split the request", most)
			}
			raw, err := value(s, 3)
			c.Values = append(c.Values, raw)
			return err
		})
		out = append(out, c)
		return within(err, path)
	})
	return out, err
}

// textOf takes a string that is not null.
func textOf(s *Scanner, field string) (string, error) {
	if err := wantNext(s, '"', field, "a string"); err != nil {
		return "", err
	}
	text := string(s.Text())
	return text, s.problem()
}

func generationOf(s *Scanner, field string) (uint16, error) {
	raw, err := value(s, 1)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(raw), 10, 16)
	if err != nil {
		return 0, Problemf(CodeInvalidRequest, field, "want a whole number from 0 to 65535, got %s", glimpse(raw))
	}
	return uint16(n), nil
}

// wantNext refuses a value that does not start with c. A text that ends here is
// left to the reader of the value, who says so.
func wantNext(s *Scanner, c byte, field, want string) error {
	if next := s.peek(); next == 0 || next == c {
		return nil
	}
	raw, err := value(s, 1)
	if err != nil {
		return err
	}
	return Problemf(CodeInvalidRequest, field, "want %s, got %s", want, glimpse(raw))
}

// within names the field of a problem that has none, and where a key that
// stands twice stands.
func within(err error, field string) error {
	p, ok := err.(*Problem)
	switch {
	case !ok:
	case p.Field == "":
		p.Field = field
	case p.Code == CodeDuplicateKey && !strings.HasPrefix(p.Field, field):
		p.Field = field + "." + p.Field
	}
	return err
}

// unknownField refuses a field, suggesting the nearest of those known.
func unknownField(what, key string, known ...string) error {
	detail := fmt.Sprintf("%s has no field %q; ", what, feature.Clip(key))
	if near := feature.Nearest(key, known); near != "" {
		detail += fmt.Sprintf("did you mean %q?", near)
	} else {
		detail += "use " + strings.Join(known, ", ")
	}
	p := NewProblem(CodeUnknownField, detail)
	p.Field = feature.Clip(key)
	return p
}
