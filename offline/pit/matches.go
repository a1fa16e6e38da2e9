package pit

import (
	"encoding/binary"
	"slices"
	"sync"
)

// match says that an entity row is to have the values of a feature row.
type match struct {
	feature int64 // number over all parts of the table
	entity  int64
}

const matchBytes = 16

// matches collects the matches of one view, in ranges of feature rows that are
// read together; beyond the limit, on disk.
type matches struct {
	limit  int64
	dir    *spillDir
	ends   []int64 // where each range of feature rows ends
	mu     sync.Mutex
	file   *spillFile
	ranges []matchRange
	held   int64
	total  int64
}

type matchRange struct {
	blocks   [][]match
	segments []segment
}

const matchBlock = 1024

// newMatches makes ranges of whole parts: one a part, or fewer where their
// unfilled blocks would take too much memory.
func newMatches(dir *spillDir, limit int64, ps parts) *matches {
	m := &matches{limit: limit, dir: dir}
	most := int(min(256, max(1, limit/(matchBlock*matchBytes)/4)))
	each := (len(ps.parts) + most - 1) / most
	for i := 0; i < len(ps.parts); i += each {
		m.ends = append(m.ends, ps.first[min(i+each, len(ps.parts))])
	}
	m.ranges = make([]matchRange, len(m.ends))
	return m
}

func (m *matches) add(batch []match) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total += int64(len(batch))
	for _, one := range batch {
		i, past := slices.BinarySearch(m.ends, one.feature)
		if past {
			i++ // a range does not hold its end
		}
		r := &m.ranges[i]
		if n := len(r.blocks); n == 0 || len(r.blocks[n-1]) == matchBlock {
			r.blocks = append(r.blocks, make([]match, 0, matchBlock))
			m.held += matchBlock * matchBytes
		}
		last := &r.blocks[len(r.blocks)-1]
		*last = append(*last, one)
	}
	if m.held > m.limit {
		return m.spill()
	}
	return nil
}

func (m *matches) spill() (err error) {
	if m.file == nil {
		if m.file, err = m.dir.create(); err != nil {
			return err
		}
	}
	for i := range m.ranges {
		r := &m.ranges[i]
		var b []byte
		for _, block := range r.blocks {
			for _, one := range block {
				b = binary.LittleEndian.AppendUint64(b, uint64(one.feature))
				b = binary.LittleEndian.AppendUint64(b, uint64(one.entity))
			}
		}
		r.blocks = nil
		if len(b) == 0 {
			continue
		}
		s, err := m.file.append(b)
		if err != nil {
			return err
		}
		r.segments = append(r.segments, s)
	}
	m.held = 0
	return nil
}

// each calls use with the matches of range i, ordered by feature row: all at
// once, or as many as the bound on their bytes allows. It may be called once.
func (m *matches) each(i int, bound int64, use func([]match) error) error {
	r := &m.ranges[i]
	var portion, other []match
	var size int64
	for _, b := range r.blocks {
		size += int64(len(b))
	}
	for _, s := range r.segments {
		size += s.size / matchBytes
	}
	portion = make([]match, 0, min(size, max(matchBlock, bound/matchBytes)))
	flush := func() error {
		if len(portion) == 0 {
			return nil
		}
		other = sortByNumber(portion, other, func(m match) int64 { return m.feature })
		err := use(portion)
		portion = portion[:0]
		return err
	}
	put := func(some []match) error {
		for len(some) > 0 {
			n := min(len(some), cap(portion)-len(portion))
			portion, some = append(portion, some[:n]...), some[n:]
			if len(portion) == cap(portion) {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for n, b := range r.blocks {
		if err := put(b); err != nil {
			return err
		}
		r.blocks[n] = nil
	}
	const step = matchBlock * matchBytes // bytes read at once
	var buffer []byte
	for _, s := range r.segments {
		for at := int64(0); at < s.size; at += step {
			var err error
			if buffer, err = m.file.read(buffer, segment{s.at + at, min(step, s.size-at)}); err != nil {
				return err
			}
			block := make([]match, 0, matchBlock)
			for b := buffer; len(b) > 0; b = b[matchBytes:] {
				block = append(block, match{int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))})
			}
			if err := put(block); err != nil {
				return err
			}
		}
	}
	return flush()
}

// close gives the disk back.
func (m *matches) close() {
	if m.file != nil {
		m.file.close()
	}
}
