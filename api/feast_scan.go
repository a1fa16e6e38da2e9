package api

import (
	"encoding/json"
	"fmt"

	"featurestore/feature"
)

// ScannedFeastWrite is the body of Feast's POST /push or
// /write-to-online-store, read without copying. The body must not change while
// it is in use.
type ScannedFeastWrite struct {
	// Target is the push source or the view, To where the rows go.
	Target string
	To     string
	// Columns are the lists of df; Scalars its single values, which stand for
	// every row.
	Columns []Column
	Scalars []Cell
}

// ScanFeastPush reads the body of POST /push, of at most maxRows rows. As
// Feast's server does, it ignores fields that it does not know; To is
// ToOnline when not given. Errors are Problems that name the field.
func ScanFeastPush(body []byte, maxRows int) (*ScannedFeastWrite, error) {
	w, err := scanFeastWrite(body, "push_source_name", maxRows)
	if err != nil {
		return nil, err
	}
	switch w.To {
	case "":
		w.To = ToOnline
	case ToOnline, ToOffline, ToBoth:
	default:
		return nil, Problemf(CodeInvalidRequest, "to", "%q is not known; use %s, %s or %s", feature.Clip(w.To), ToOnline, ToOffline, ToBoth)
	}
	return w, nil
}

// ScanFeastWrite reads the body of POST /write-to-online-store in the same way.
func ScanFeastWrite(body []byte, maxRows int) (*ScannedFeastWrite, error) {
	w, err := scanFeastWrite(body, "feature_view_name", maxRows)
	if err != nil {
		return nil, err
	}
	w.To = ToOnline
	return w, nil
}

func scanFeastWrite(body []byte, target string, maxRows int) (*ScannedFeastWrite, error) {
	w := &ScannedFeastWrite{}
	framed := false
	err := scanBody(body, func(s *Scanner, key string) (err error) {
		switch key {
		case target:
			w.Target, err = textOf(s, key)
		case "to":
			w.To, err = textOf(s, key)
		case "df":
			framed = true
			return w.scanFrame(s, maxRows)
		default:
			_, err = value(s, 1)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case w.Target == "":
		return nil, Problemf(CodeInvalidRequest, target, "the name is missing")
	case !framed:
		return nil, Problemf(CodeInvalidRequest, "df", "the rows are missing: df maps each column to a list of values")
	case len(w.Columns) == 0:
		return nil, Problemf(CodeInvalidRequest, "df", "no column is a list, so the number of rows is not known; a single row is lists of one value")
	}
	return w, nil
}

// maxFrameColumns bounds the columns of a data frame, most of which a view
// would have to ignore.
const maxFrameColumns = 4096

// scanFrame reads df, a data frame by column: lists, and values that stand for
// every row.
func (w *ScannedFeastWrite) scanFrame(s *Scanner, maxRows int) error {
	if err := wantNext(s, '{', "df", "an object of columns"); err != nil {
		return err
	}
	return members(s, func(key string) error {
		if len(w.Columns)+len(w.Scalars) == maxFrameColumns {
			return Problemf(CodeInvalidRequest, "df", "more than %d columns", maxFrameColumns)
		}
		path := "df." + feature.Clip(key)
		switch {
		case s.NextIs('{'):
			return wantNext(s, '[', path, "a list, one value a row")
		case !s.NextIs('['):
			raw, err := value(s, 2)
			w.Scalars = append(w.Scalars, Cell{Name: key, Value: raw})
			return within(err, path)
		}
		c := Column{Name: []byte(key)}
		err := elements(s, func(i int) error {
			if i == maxRows {
				return Problemf(CodeTooManyRows, path, "more than %d values in a column; split the push", maxRows)
			}
			raw, err := value(s, 3)
			c.Values = append(c.Values, raw)
			return err
		})
		w.Columns = append(w.Columns, c)
		return within(err, path)
	})
}

// FeastText returns what a value of Feast's dialect is in the native one. They
// differ in one type: Feast sends a json document as a string that holds it, so
// a string is taken for its text, and is an error when it is none. Everything
// else is returned as it is.
func FeastText(raw json.RawMessage, t feature.Type) (json.RawMessage, error) {
	if t != feature.ScalarOf(feature.JSON) || len(raw) == 0 || raw[0] != '"' {
		return raw, nil
	}
	text := json.RawMessage(unquote(raw))
	if !json.Valid(text) {
		return nil, fmt.Errorf("the string %s holds no JSON document; a string among documents is sent as \"\\\"text\\\"\"", glimpse(raw))
	}
	return text, nil
}

// ScannedMaterialize is the body of Feast's POST /materialize or
// /materialize-incremental. Times are nil when absent or null.
type ScannedMaterialize struct {
	Start, End json.RawMessage
	Views      []string
	// AllTime says that event times are left out of account.
	AllTime bool
}

// ScanMaterialize reads the body of POST /materialize, ignoring fields that it
// does not know. Errors are Problems that name the field.
func ScanMaterialize(body []byte) (*ScannedMaterialize, error) {
	m := &ScannedMaterialize{}
	err := scanBody(body, func(s *Scanner, key string) (err error) {
		if s.IsNull() {
			return s.problem()
		}
		switch key {
		case "start_ts":
			m.Start, err = value(s, 1)
		case "end_ts":
			m.End, err = value(s, 1)
		case "disable_event_timestamp":
			m.AllTime, err = boolOf(s, key)
		case "feature_views":
			if err = wantNext(s, '[', key, "a list of names"); err != nil {
				return err
			}
			return elements(s, func(int) error {
				name, err := textOf(s, key)
				m.Views = append(m.Views, name)
				return err
			})
		default:
			_, err = value(s, 1)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// boolOf takes true or false.
func boolOf(s *Scanner, field string) (bool, error) {
	raw, err := value(s, 1)
	if err == nil && string(raw) != "true" && string(raw) != "false" {
		err = Problemf(CodeInvalidRequest, field, "want true or false, got %s", glimpse(raw))
	}
	return string(raw) == "true", err
}
