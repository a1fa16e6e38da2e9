package hlc

import (
	"maps"
	"slices"
)

// Vector maps origins to timestamps: up to where each origin's log is known,
// required or applied. An origin that is absent reads as zero, and an entry of
// zero is the same as none. Nil is the empty vector; it may be read by every
// method but, being a nil map, not written to.
//
// Methods never change their receiver or argument and return vectors that
// share nothing with them. A Vector is not safe for concurrent writing.
type Vector map[Origin]Timestamp

// Covers reports whether v is at or past w for every origin. Every vector
// covers the empty one.
func (v Vector) Covers(w Vector) bool {
	for o, t := range w {
		if v[o] < t {
			return false
		}
	}
	return true
}

// CoversPosition reports whether v is at or past p. The zero Position, and any
// position at time zero, is always covered.
func (v Vector) CoversPosition(p Position) bool { return v[p.Origin] >= p.At }

// Merge returns the pointwise maximum of v and w: the least vector that covers
// both. It is never nil and holds no zero.
func (v Vector) Merge(w Vector) Vector {
	out := make(Vector, max(len(v), len(w)))
	for o, t := range v {
		if t > 0 {
			out[o] = t
		}
	}
	for o, t := range w {
		if t > out[o] {
			out[o] = t
		}
	}
	return out
}

// Floor returns the pointwise minimum of v and w: the greatest vector that
// both cover. An origin missing on one side is zero there, hence missing from
// the result, which is never nil and holds no zero.
func (v Vector) Floor(w Vector) Vector {
	out := make(Vector, min(len(v), len(w)))
	for o, t := range v {
		if least := min(t, w[o]); least > 0 {
			out[o] = least
		}
	}
	return out
}

// Clone returns a copy that the caller may write to; it is never nil.
func (v Vector) Clone() Vector {
	out := make(Vector, len(v))
	maps.Copy(out, v)
	return out
}

// Equal reports whether v and w read the same for every origin.
func (v Vector) Equal(w Vector) bool { return v.Covers(w) && w.Covers(v) }

// Positions returns the entries of v that are not zero, by rising origin. It
// is empty, not nil, for the empty vector.
func (v Vector) Positions() []Position {
	out := make([]Position, 0, len(v))
	for o, t := range v {
		if t > 0 {
			out = append(out, Position{Origin: o, At: t})
		}
	}
	slices.SortFunc(out, Position.compareOrigin)
	return out
}

// String prints the positions by rising origin, as in
// {o1@2026-08-21T10:59:42.123Z+7 o2@…}; equal vectors print alike. The empty
// vector prints as {}.
func (v Vector) String() string {
	b := []byte{'{'}
	for i, p := range v.Positions() {
		if i > 0 {
			b = append(b, ' ')
		}
		b = p.appendTo(b)
	}
	return string(append(b, '}'))
}
