package api

import (
	"encoding/json"

	"featurestore/feature"
)

// Source is the value of HeaderSource, as JSON: a push of some rows of a source, or
// of a note about one. A store that has been told Through of the source, in a shard,
// leaves the push's rows of that shard out, and keeps Through with them else.
type Source struct {
	// ID is a feature.MarkID, "" where there is a note.
	ID string `json:"id,omitempty"`
	// After and Through are the places of the source that the rows lie between.
	After   int64 `json:"after,omitempty"`
	Through int64 `json:"through,omitempty"`
	// NoteID is a feature.MarkID, and Note what is kept under it. A push with a note has
	// no rows.
	NoteID string `json:"note_id,omitempty"`
	Note   []byte `json:"note,omitempty"`
	// Again says that the rows are written whether they were before or not: nothing is
	// kept of them.
	Again bool `json:"again,omitempty"`
}

// ParseSource reads the value of HeaderSource; nil for none.
func ParseSource(text string) (*Source, error) {
	if text == "" {
		return nil, nil
	}
	s := &Source{}
	err := json.Unmarshal([]byte(text), s)
	switch {
	case err != nil:
	case s.Again && s.ID == "" && s.NoteID == "":
		return s, nil
	case (s.ID == "") == (s.NoteID == "") || s.Again:
		return nil, Problemf(CodeInvalidHeader, HeaderSource, "it has either an id or a note_id, or says again")
	case s.ID != "" && s.After >= s.Through:
		return nil, Problemf(CodeInvalidHeader, HeaderSource, "after %d is not before through %d", s.After, s.Through)
	default:
		if _, err = feature.ParseMarkID(s.ID + s.NoteID); err == nil {
			return s, nil
		}
	}
	return nil, Problemf(CodeInvalidHeader, HeaderSource, "%q is no source: %v", feature.Clip(text), err)
}
