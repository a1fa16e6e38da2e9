package feature

import (
	"encoding/hex"
	"fmt"
	"math"
)

// MarkView is the number of a view that no project has: its rows say how far sources
// were written. They are written with what they speak of, in one log entry, so that
// whoever has the one has the other. They are no one's features: history leaves them
// out, and no lookup reaches them.
const MarkView ViewID = math.MaxUint32

// A MarkID names what a mark speaks of: the contents of a file for a view, or a note.
type MarkID [16]byte

// String returns it in hexadecimal.
func (id MarkID) String() string { return hex.EncodeToString(id[:]) }

// ParseMarkID is the inverse of String.
func ParseMarkID(text string) (id MarkID, err error) {
	if len(text) != 2*len(id) {
		return id, fmt.Errorf("%q is no id of %d hexadecimal digits", Clip(text), 2*len(id))
	}
	_, err = hex.Decode(id[:], []byte(text))
	return id, err
}

// The features of MarkView.
const (
	markThrough FeatureID = 1 // int64, max: how far a source was written in the shard
	markNote    FeatureID = 2 // bytes, event_time: what the writer notes
)

// Key is the entity key of the mark's row, the same in every shard.
func (id MarkID) Key() Key {
	key, err := AppendKeyValue(nil, OfBytes(id[:]))
	if err != nil {
		panic(err) // bytes are always a key
	}
	return key
}

// Through is the change that marks a source as written through a place. A shard's
// mark never goes back.
func (id MarkID) Through(place, eventTime int64) Change {
	return id.change(eventTime, Assignment{Feature: markThrough, Rule: Max, Type: ScalarOf(Int64), Value: OfInt64(place)})
}

// Note is the change that keeps a note, in place of one of an earlier event time.
func (id MarkID) Note(note []byte, eventTime int64) Change {
	return id.change(eventTime, Assignment{Feature: markNote, Rule: EventTime, Type: ScalarOf(Bytes), Value: OfBytes(note)})
}

func (id MarkID) change(eventTime int64, a Assignment) Change {
	return Change{View: MarkView, Key: id.Key(), EventTime: eventTime, Assignments: []Assignment{a}}
}

// Mark is what a row of MarkView says.
type Mark struct {
	// Through is up to where a source was written, 0 for nothing of it.
	Through int64
	// Note is nil for none.
	Note []byte
}

// DecodeMark reads a row of MarkView, in the encoding of AppendRow; nil is none.
func DecodeMark(encoded []byte) (m Mark, err error) {
	if encoded == nil {
		return m, nil
	}
	row, err := DecodeRow(encoded)
	if err != nil {
		return m, err
	}
	for i := range row.Cells {
		switch c := &row.Cells[i]; c.Feature {
		case markThrough:
			m.Through = c.Value.Int()
		case markNote:
			m.Note = []byte(c.Value.Text())
		}
	}
	return m, nil
}
