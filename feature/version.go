package feature

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"featurestore/hlc"
)

// Version says when a cell's fact became true and which write brought it.
// (At, Origin) names the write: no two writes share it.
type Version struct {
	// EventTime is when the fact became true, in nanoseconds since the Unix
	// epoch, as its writer said.
	EventTime int64
	// At is when the origin accepted the write.
	At hlc.Timestamp
	// Origin is the writer's term that accepted it.
	Origin hlc.Origin
	// Generation overrides event time: a re-materialization that must win over
	// newer events raises it. It stands last because a Version is 24 bytes then.
	Generation uint16
}

// CompareByEvent orders versions as the event_time rule does: generation, event
// time, then acceptance.
func (v Version) CompareByEvent(w Version) int {
	if c := cmp.Compare(v.Generation, w.Generation); c != 0 {
		return c
	}
	if c := cmp.Compare(v.EventTime, w.EventTime); c != 0 {
		return c
	}
	return v.compareAcceptance(w)
}

// CompareByWrite orders versions as the write_time rule does: generation, then
// acceptance.
func (v Version) CompareByWrite(w Version) int {
	if c := cmp.Compare(v.Generation, w.Generation); c != 0 {
		return c
	}
	return v.compareAcceptance(w)
}

func (v Version) compareAcceptance(w Version) int {
	return cmp.Or(
		cmp.Compare(v.At, w.At),
		cmp.Compare(v.Origin, w.Origin),
		cmp.Compare(v.EventTime, w.EventTime))
}

// IsZero reports whether v is the version of nothing. It is not the least
// version: event times before 1970 are below it. Who has a choice between
// something and nothing asks IsZero first.
func (v Version) IsZero() bool { return v == Version{} }

// Position returns the write that brought the cell.
func (v Version) Position() hlc.Position { return hlc.Position{Origin: v.Origin, At: v.At} }

// String prints the version for people.
func (v Version) String() string {
	return fmt.Sprintf("%s by %s", time.Unix(0, v.EventTime).UTC().Format(time.RFC3339Nano), v.Position())
}

// versionBytes is the encoded size of a version:
// u16 generation | i64 event time | u64 at | u32 origin, big endian.
const versionBytes = 22

func appendVersion(dst []byte, v Version) []byte {
	dst = binary.BigEndian.AppendUint16(dst, v.Generation)
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.EventTime))
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.At))
	return binary.BigEndian.AppendUint32(dst, uint32(v.Origin))
}

// decodeVersion reads b, which holds at least versionBytes.
func decodeVersion(b []byte) Version {
	_ = b[versionBytes-1]
	return Version{
		Generation: binary.BigEndian.Uint16(b),
		EventTime:  int64(binary.BigEndian.Uint64(b[2:])),
		At:         hlc.Timestamp(binary.BigEndian.Uint64(b[10:])),
		Origin:     hlc.Origin(binary.BigEndian.Uint32(b[18:])),
	}
}

// WithinTTL is the one definition of a time to live, used by lookups, joins
// and every replica: a fact of eventTime may be served at time at when its age
// is at most ttl, the boundary included. Both times are nanoseconds since the
// Unix epoch; a ttl of zero never expires. A fact later than at is in its ttl:
// whether it may be seen at all is the reader's question.
func WithinTTL(eventTime, at int64, ttl time.Duration) bool {
	if ttl <= 0 {
		return true
	}
	oldest := at - int64(ttl)
	if oldest > at { // before what 64 bits hold
		oldest = math.MinInt64
	}
	return eventTime >= oldest
}
