package feature

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"featurestore/hlc"
)

// Limits of a siblings cell. Every origin keeps them as it accepts a write; what
// several accepted side by side may be more together until the next write.
const (
	// MaxSiblings is how many values a write leaves.
	MaxSiblings = 16
	// MaxSiblingBytes bounds their encodings together, and so each of them.
	MaxSiblingBytes = 64 << 10
)

// ErrSiblingTooLarge reports a value of a siblings feature beyond
// MaxSiblingBytes. The row is as it was.
var ErrSiblingTooLarge = errors.New("value too large for siblings")

// Seen reports whether the session of a writer had seen a write of the same
// shard. Nil: it had seen nothing.
type Seen func(hlc.Position) bool

func (s Seen) has(p hlc.Position) bool { return s != nil && s(p) }

// SiblingSet is what a cell of the siblings rule holds beside the value that its
// readers see, which is that of the latest write. The two are a dotted version
// vector set (Preguiça et al., "Dotted Version Vectors", 2012): values, each with
// the dot of its write, and up to where writes of each origin were replaced. It
// is never changed, and nil where there is nothing to say. See ADR 15.
type SiblingSet struct {
	// Replaced are the writes that others have replaced, by rising origin, one
	// an origin: it stands for all of that origin up to there.
	Replaced []hlc.Position
	// Beside are the values that no write has replaced besides the latest, the
	// later first.
	Beside []Sibling
}

// Sibling is one value of a siblings cell and the write that brought it.
type Sibling struct {
	Version Version
	Value   Value
}

// AppendSiblings appends the values of the cell to dst, that of the latest write
// first. A cell of another rule has the one that its readers see.
func (c Cell) AppendSiblings(dst []Sibling) []Sibling {
	dst = append(dst, Sibling{Version: c.Version, Value: c.Read()})
	if c.Siblings != nil {
		dst = append(dst, c.Siblings.Beside...)
	}
	return dst
}

// compareDots orders writes by acceptance: the latest is the one that readers
// see. Generations and event times do not count.
func compareDots(v, w Version) int {
	return cmp.Or(cmp.Compare(v.At, w.At), cmp.Compare(v.Origin, w.Origin))
}

// joinSiblings returns a or b where that is the join, or fills merged. What a
// cell has not replaced and the other has not either stays; the latest of all
// stays in any case, so that there is always one.
func joinSiblings(a, b, merged *Cell) *Cell {
	if a.Version == b.Version && a.Value == b.Value && a.Siblings.equal(b.Siblings) {
		return a
	}
	var x, y [4]Sibling
	all := mergeSorted(a.AppendSiblings(x[:0]), b.AppendSiblings(y[:0]),
		func(s, t Sibling) int { return compareDots(t.Version, s.Version) },
		func(s, t Sibling) bool {
			return cmp.Or(s.Version.CompareByWrite(t.Version), s.Value.Compare(t.Value)) >= 0
		})
	replaced := mergeSorted(a.Siblings.replaced(), b.Siblings.replaced(),
		func(p, q hlc.Position) int { return cmp.Compare(p.Origin, q.Origin) },
		func(p, q hlc.Position) bool { return p.At >= q.At })
	*merged = *a
	merged.setSiblings(all, replaced)
	return merged
}

// setSiblings fills a cell from its values, the latest first, and what is
// replaced, which it may keep.
func (c *Cell) setSiblings(all []Sibling, replaced []hlc.Position) {
	c.Version, c.Value, c.Siblings = all[0].Version, all[0].Value, nil
	beside := slices.DeleteFunc(all[1:], func(s Sibling) bool { return isReplaced(replaced, s.Version.Position()) })
	if len(beside)+len(replaced) > 0 {
		c.Siblings = &SiblingSet{Replaced: replaced, Beside: beside}
	}
}

func (s *SiblingSet) replaced() []hlc.Position {
	if s == nil {
		return nil
	}
	return s.Replaced
}

func (s *SiblingSet) equal(t *SiblingSet) bool {
	if s == nil || t == nil {
		return s == t
	}
	return slices.Equal(s.Replaced, t.Replaced) && slices.Equal(s.Beside, t.Beside)
}

// isReplaced reports whether positions ordered by origin are at or past p.
func isReplaced(replaced []hlc.Position, p hlc.Position) bool {
	i, found := slices.BinarySearchFunc(replaced, p.Origin, func(q hlc.Position, o hlc.Origin) int { return cmp.Compare(q.Origin, o) })
	return found && replaced[i].At >= p.At
}

// raise returns positions ordered by origin with that of p's at least at p.
func raise(replaced []hlc.Position, p hlc.Position) []hlc.Position {
	i, found := slices.BinarySearchFunc(replaced, p.Origin, func(q hlc.Position, o hlc.Origin) int { return cmp.Compare(q.Origin, o) })
	if !found {
		return slices.Insert(replaced, i, p)
	}
	replaced[i].At = max(replaced[i].At, p.At)
	return replaced
}

// replace returns what a write replaces: the values that its session had seen,
// and the oldest of the others where they would be too many. The origin decides
// that here, once; replicas join what it decided.
func (a Assignment) replace(current Row, epoch Version, seen Seen) (*SiblingSet, error) {
	size := a.Value.size()
	if size > MaxSiblingBytes {
		return nil, fmt.Errorf("%w: %d bytes; at most %d", ErrSiblingTooLarge, size, MaxSiblingBytes)
	}
	cell, ok := current.Cell(a.Feature)
	if !ok || cell.Epoch != epoch {
		return nil, nil
	}
	left, replaced := unseen(cell.AppendSiblings(nil), seen)
	for _, s := range left {
		size += s.Value.size()
	}
	for len(left) >= MaxSiblings || size > MaxSiblingBytes {
		oldest := left[len(left)-1]
		left, size = left[:len(left)-1], size-oldest.Value.size()
		replaced = raise(replaced, oldest.Version.Position())
	}
	if len(replaced) == 0 {
		return nil, nil
	}
	return &SiblingSet{Replaced: replaced}, nil
}

// unseen divides values, the latest first, into those that a session had not
// seen and, by origin, up to where it had seen the others. An origin's value
// counts as seen only with all its older ones: the latter say "up to there".
func unseen(all []Sibling, seen Seen) (left []Sibling, replaced []hlc.Position) {
	var kept []hlc.Origin
	for _, s := range slices.Backward(all) {
		p := s.Version.Position()
		if !slices.Contains(kept, p.Origin) && seen.has(p) {
			replaced = raise(replaced, p)
			continue
		}
		kept = append(kept, p.Origin)
		left = append(left, s)
	}
	slices.Reverse(left)
	return left, replaced
}
