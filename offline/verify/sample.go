package verify

import (
	"container/heap"
	"context"
	"fmt"
	"hash/fnv"

	"featurestore/offline/served"
)

// sample is a number of lookups, those whose hashes are the least: a choice that is even,
// and the same each time. The greatest is first, to be given up.
type sample struct {
	lookups []chosen
	cells   int
}

type chosen struct {
	*served.Lookup
	hash  uint64
	cells int
}

// The methods of heap.Interface.
func (s *sample) Len() int           { return len(s.lookups) }
func (s *sample) Less(i, j int) bool { return s.lookups[i].hash > s.lookups[j].hash }
func (s *sample) Swap(i, j int)      { s.lookups[i], s.lookups[j] = s.lookups[j], s.lookups[i] }
func (s *sample) Push(x any)         { s.lookups = append(s.lookups, x.(chosen)) }
func (s *sample) Pop() any {
	last := len(s.lookups) - 1
	x := s.lookups[last]
	s.lookups[last], s.lookups = chosen{}, s.lookups[:last]
	return x
}

// draw reads the served log and returns the sample, and how many lookups there are. At
// least one lookup is in it, however large.
func draw(ctx context.Context, c Config) (lookups []*served.Lookup, logged int64, err error) {
	var s sample
	for l, err := range served.Read(ctx, c.Served, c.From, c.To) {
		if err != nil {
			return nil, 0, err
		}
		logged++
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%s %d %s", l.Request, l.At, l.Store)
		x := chosen{l, h.Sum64(), 0}
		for i := range l.Rows {
			x.cells += len(l.Rows[i].Cells)
		}
		heap.Push(&s, x)
		for s.cells += x.cells; s.Len() > 1 && (s.Len() > c.Lookups || s.cells > c.MaxCells); {
			s.cells -= heap.Pop(&s).(chosen).cells
		}
	}
	for _, x := range s.lookups {
		lookups = append(lookups, x.Lookup)
	}
	return lookups, logged, nil
}
