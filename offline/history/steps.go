package history

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"

	"featurestore/feature"
	"featurestore/hlc"
)

// Step says that everything of an origin's log in a shard, up to Through, was
// readable in this region at AtMillis, and that not all of it was at SinceMillis:
// it became readable between the two.
type Step struct {
	Shard   feature.Shard
	Origin  hlc.Origin
	Through hlc.Timestamp
	// Both are milliseconds since the Unix epoch, by this store's clock.
	// SinceMillis is 0 where nobody had looked before.
	AtMillis, SinceMillis int64
}

// logID names the log of one origin in one shard.
type logID struct {
	shard  feature.Shard
	origin hlc.Origin
}

func (a logID) compare(b logID) int {
	return cmp.Or(a.shard.Compare(b.shard), cmp.Compare(a.origin, b.origin))
}

func (s *Step) log() logID { return logID{s.Shard, s.Origin} }

func compareSteps(a, b Step) int {
	return cmp.Or(a.log().compare(b.log()), cmp.Compare(a.Through, b.Through), cmp.Compare(a.AtMillis, b.AtMillis))
}

// Steps are the steps of a region: a function from positions to when they were
// readable there.
type Steps struct{ logs map[logID][]Step }

// newSteps takes steps in any order, some perhaps twice.
func newSteps(all []Step) *Steps {
	slices.SortFunc(all, compareSteps)
	s := &Steps{logs: map[logID][]Step{}}
	for i := range all {
		id := all[i].log()
		s.logs[id] = append(s.logs[id], all[i])
	}
	return s
}

// AppliedAt returns when an entry at a position became readable: not before since
// (0: not known) and not after at, in milliseconds since the Unix epoch. False:
// as far as the steps go, it has not.
func (s *Steps) AppliedAt(shard feature.Shard, p hlc.Position) (since, at int64, ok bool) {
	steps := s.logs[logID{shard, p.Origin}]
	i := sort.Search(len(steps), func(i int) bool { return steps[i].Through >= p.At })
	if i == len(steps) {
		return 0, 0, false
	}
	return steps[i].SinceMillis, steps[i].AtMillis, true
}

// All returns the steps in order of shard, origin and position.
func (s *Steps) All() []Step {
	var all []Step
	for _, steps := range s.logs {
		all = append(all, steps...)
	}
	slices.SortFunc(all, compareSteps)
	return all
}

// thin halves steps, which are in order, and loses precision alone: of two that
// follow one another the later one stands for both.
func thin(steps []Step) []Step {
	out := steps[:0]
	for i := 0; i < len(steps); i++ {
		s := steps[i]
		if i+1 < len(steps) && steps[i+1].log() == s.log() {
			since := s.SinceMillis
			s = steps[i+1]
			s.SinceMillis = since
			i++
		}
		out = append(out, s)
	}
	return out
}

// Encoding of a file of steps; integers are uvarints, or zigzag varints where they
// may be negative, and Through and AtMillis are differences to the step before:
//
//	u8 format | n x { group | partition | origin
//	                | m x { through | at | u8 known | [at - since] } }
//
// Its sum stands in the manifest.
const stepsFormat = 1

// encodeSteps encodes steps in order.
func encodeSteps(steps []Step) []byte {
	var starts []int
	for i := range steps {
		if i == 0 || steps[i-1].log() != steps[i].log() {
			starts = append(starts, i)
		}
	}
	b := encoder{stepsFormat}
	b.uint(uint64(len(starts)))
	for n, from := range starts {
		to := len(steps)
		if n+1 < len(starts) {
			to = starts[n+1]
		}
		b.shard(steps[from].Shard)
		b.uint(uint64(steps[from].Origin))
		b.uint(uint64(to - from))
		var last Step
		for _, s := range steps[from:to] {
			b.uint(uint64(s.Through - last.Through))
			b.int(s.AtMillis - last.AtMillis)
			if s.SinceMillis == 0 {
				b = append(b, 0)
			} else {
				b = append(b, 1)
				b.int(s.AtMillis - s.SinceMillis)
			}
			last = s
		}
	}
	return b
}

var errNoSteps = errors.New("it is no file of steps that this version writes")

// decodeSteps is the inverse of encodeSteps; errors match ErrCorrupt.
func decodeSteps(data []byte) ([]Step, error) {
	if len(data) == 0 || data[0] != stepsFormat {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, errNoSteps)
	}
	d := decoder{rest: data[1:]}
	var steps []Step
	for range d.count() {
		s := Step{Shard: d.shard(), Origin: hlc.Origin(d.uint())}
		for range d.count() {
			s.Through += hlc.Timestamp(d.uint())
			s.AtMillis += d.int()
			s.SinceMillis = 0
			var known [1]byte
			if d.raw(known[:]); known[0] != 0 {
				s.SinceMillis = s.AtMillis - d.int()
			}
			steps = append(steps, s)
		}
	}
	if d.failed || len(d.rest) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, errNoSteps)
	}
	return steps, nil
}
