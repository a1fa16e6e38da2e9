package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// state is what manifests up to one of them say together. It is changed by apply
// alone.
type state struct {
	number   uint64
	sum      Sum   // of the manifest
	atMillis int64 // when it was made
	// whole is the number of the latest whole manifest, and wholeBefore of the one
	// before it: who reads what is committed needs none that is older.
	whole, wholeBefore uint64
	progress           map[feature.Shard]hlc.Vector
	data               map[string]DataFile
	steps              map[string]StepFile
	removed            map[string]Removal
	gaps               []Gap
}

func newState() *state {
	return &state{
		progress: map[feature.Shard]hlc.Vector{}, data: map[string]DataFile{},
		steps: map[string]StepFile{}, removed: map[string]Removal{},
	}
}

func (s *state) clone() *state {
	out := *s
	out.progress, out.data = maps.Clone(s.progress), maps.Clone(s.data)
	out.steps, out.removed = maps.Clone(s.steps), maps.Clone(s.removed)
	out.gaps = slices.Clone(s.gaps)
	return &out
}

// has reports whether a file counts.
func (s *state) has(name string) bool {
	_, isData := s.data[name]
	_, isSteps := s.steps[name]
	return isData || isSteps
}

// names returns the names of all files that count, in order.
func (s *state) names() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range s.data {
			if !yield(name) {
				return
			}
		}
		for name := range s.steps {
			if !yield(name) {
				return
			}
		}
	})
}

// apply adds the next manifest, whose sum is given. After an error s is of no
// more use: the manifest is not one that follows.
func (s *state) apply(m *Manifest, sum Sum) error {
	switch {
	case m.Whole:
		*s = state{whole: m.Number, wholeBefore: s.whole}
		fresh := newState()
		s.data, s.steps, s.removed = fresh.data, fresh.steps, fresh.removed
	case m.Number != s.number+1 || m.Prev != s.sum:
		return fmt.Errorf("%w: manifest %d does not follow manifest %d", ErrCorrupt, m.Number, s.number)
	}
	s.number, s.sum, s.progress, s.atMillis = m.Number, sum, m.Progress, m.AtMillis
	for _, f := range m.Added {
		if _, twice := s.data[f.Name]; twice {
			return fmt.Errorf("%w: manifest %d adds %s again", ErrCorrupt, m.Number, f.Name)
		}
		s.data[f.Name] = f
	}
	for _, f := range m.Steps {
		s.steps[f.Name] = f
	}
	for _, r := range m.Removed {
		if !m.Whole && !s.has(r.Name) {
			return fmt.Errorf("%w: manifest %d removes %s, which is not there", ErrCorrupt, m.Number, r.Name)
		}
		delete(s.data, r.Name)
		delete(s.steps, r.Name)
		s.removed[r.Name] = r
	}
	s.gaps = append(s.gaps, m.Gaps...)
	return nil
}

// manifest returns the state as a whole manifest says it.
func (s *state) manifest() *Manifest {
	return &Manifest{
		Whole: true, Number: s.number, Progress: s.progress, Gaps: s.gaps,
		Added: s.files(),
		Steps: slices.SortedFunc(maps.Values(s.steps), func(a, b StepFile) int { return cmp.Compare(a.Name, b.Name) }),
		Removed: slices.SortedFunc(maps.Values(s.removed), func(a, b Removal) int {
			return cmp.Compare(a.Name, b.Name)
		}),
	}
}

// size returns how many files of rows count, and what they take.
func (h *History) size() (files int, sizeBytes int64) {
	s := h.state()
	for _, f := range s.data {
		sizeBytes += f.SizeBytes
	}
	return len(s.data), sizeBytes
}

// files returns the files of rows by view, day and name.
func (s *state) files() []DataFile {
	return slices.SortedFunc(maps.Values(s.data), func(a, b DataFile) int {
		return cmp.Or(cmp.Compare(a.View, b.View), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Name, b.Name))
	})
}
