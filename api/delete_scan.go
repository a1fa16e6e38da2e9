package api

import "encoding/json"

// ScannedDelete is a delete or erase request read without copying.
type ScannedDelete struct {
	View     string
	Entities []Column
	// EventTime is nil when absent.
	EventTime json.RawMessage
	// Check is an erase's.
	Check bool
}

// ScanDelete reads the body of a delete of at most maxEntities entities.
func ScanDelete(body []byte, maxEntities int) (*ScannedDelete, error) {
	return scanDelete(body, maxEntities, "a delete", EventTimeField)
}

// ScanErase reads the body of an erase of at most maxEntities entities.
func ScanErase(body []byte, maxEntities int) (*ScannedDelete, error) {
	return scanDelete(body, maxEntities, "an erase", "check")
}

func scanDelete(body []byte, maxEntities int, what, last string) (*ScannedDelete, error) {
	d := &ScannedDelete{}
	err := scanBody(body, func(s *Scanner, key string) (err error) {
		switch {
		case key == "view":
			d.View, err = textOf(s, key)
		case key == "entities":
			d.Entities, err = scanColumns(s, key, maxEntities, CodeTooManyEntities)
		case key != last:
			return unknownField(what, key, "view", "entities", last)
		case key == EventTimeField:
			d.EventTime, err = value(s, 1)
		default:
			d.Check, err = boolOf(s, key)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case d.View == "":
		return nil, Problemf(CodeInvalidRequest, "view", "%s names a view", what)
	case len(d.Entities) == 0:
		return nil, Problemf(CodeInvalidRequest, "entities", "%s names entities: each join key with a column of values", what)
	}
	return d, nil
}
