package hlc

import (
	"cmp"
	"strconv"
)

// Origin names one writer's term: one life of a store, or one term of a leader.
// Ids are never reused. Zero is no origin and is invalid wherever one is needed.
type Origin uint32

// String prints the id after the letter o, as in o7.
func (o Origin) String() string { return string(o.appendTo(nil)) }

func (o Origin) appendTo(b []byte) []byte {
	return strconv.AppendUint(append(b, 'o'), uint64(o), 10)
}

// Position is a point of one origin's log: everything of Origin up to and
// including At. The zero Position is before every log.
type Position struct {
	Origin Origin
	At     Timestamp
}

// String prints origin and timestamp, as in o7@2026-08-21T10:59:42.123Z+3.
func (p Position) String() string { return string(p.appendTo(nil)) }

func (p Position) appendTo(b []byte) []byte {
	return p.At.appendTo(append(p.Origin.appendTo(b), '@'))
}

func (p Position) compareOrigin(q Position) int { return cmp.Compare(p.Origin, q.Origin) }
