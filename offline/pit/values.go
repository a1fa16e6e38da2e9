package pit

import (
	"cmp"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// feed is columns of one view that are read together: all that are wanted, or
// as many as there is memory to keep the pages of.
type feed struct {
	view    int
	columns []int // indexes of viewPlan.wanted
	schema  *arrow.Schema
}

// placement says which entity row gets a row of a chunk.
type placement struct {
	entity int64
	chunk  int32
	row    int32
}

// placementBytes counts a placement, and what ordering a run of them takes.
const placementBytes = 3 * 16

// chunk is values as they were read from a table.
type chunk struct {
	record arrow.Record
	places []placement // by row
}

// values collects what entity rows are to get: in memory, or, each time the
// limit is reached, in runs on disk that are cut into ranges of entity rows.
type values struct {
	mem    memory.Allocator
	limit  int64
	most   int64 // bytes of a segment, single rows apart
	dir    *spillDir
	feeds  []feed
	bounds []int64 // ranges of entity rows: where each begins, and the end
	mu     struct {
		sync.Mutex
		file   *spillFile
		chunks [][]chunk     // by feed
		runs   [][][]segment // by feed, then by range
		held   int64
		// placed counts, by feed, the entity rows that get values, and the bytes
		// of those: the same on every run, whatever was read twice meanwhile.
		placed []struct{ rows, bytes int64 }
	}
}

// most ranges of entity rows: a run has a segment for each.
const maxRanges = 256

func newValues(c Config, limit, most int64, dir *spillDir, feeds []feed, s *spool) *values {
	v := &values{mem: c.Allocator, limit: limit, most: most, dir: dir, feeds: feeds}
	for i := range s.pieces {
		if begins := s.pieces[i].start * maxRanges / max(1, s.rows); begins >= int64(len(v.bounds)) {
			v.bounds = append(v.bounds, s.pieces[i].start)
		}
	}
	v.bounds = append(v.bounds, s.rows)
	v.mu.chunks, v.mu.runs = make([][]chunk, len(feeds)), make([][][]segment, len(feeds))
	v.mu.placed = make([]struct{ rows, bytes int64 }, len(feeds))
	for i := range v.mu.runs {
		v.mu.runs[i] = make([][]segment, len(v.bounds))
	}
	return v
}

// add takes over the record.
func (v *values) add(feed int, r arrow.Record, places []placement) error {
	placed := int64(0)
	for _, column := range r.Columns() {
		placed += placedBytes(column, places)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.chunks[feed] = append(v.mu.chunks[feed], chunk{r, places})
	bytes := recordBytes(r)
	v.mu.placed[feed].rows += int64(len(places))
	v.mu.placed[feed].bytes += placed
	v.mu.held += bytes + int64(len(places))*placementBytes
	if v.mu.held > v.limit/2 { // while a run is written, the next one may grow
		return v.spill()
	}
	return nil
}

// unused returns how many bytes of the limit are not in use: a spine may have
// them meanwhile.
func (v *values) unused() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return max(0, v.limit-v.mu.held)
}

// finish is called when all is added: it spills when the index by entity row
// that chunks in memory need would be too large.
func (v *values) finish(rows int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.mu.file != nil || v.mu.held+rows*8*int64(len(v.feeds)) > v.limit {
		return v.spill()
	}
	return nil
}

// spilled reports whether load has to read ranges from disk.
func (v *values) spilled() bool { return v.mu.file != nil }

// rowBytes is about what the values of a matched entity row take.
func (v *values) rowBytes() int64 {
	n := int64(0)
	for f := range v.feeds {
		n += v.feedBytes(f)
	}
	return n
}

func (v *values) feedBytes(f int) int64 {
	p := v.mu.placed[f]
	return p.bytes/max(1, p.rows) + 1
}

// spill writes all chunks as one run. The lock is held.
func (v *values) spill() (err error) {
	if v.mu.file == nil {
		if v.mu.file, err = v.dir.create(); err != nil {
			return err
		}
	}
	for f := range v.feeds {
		if err := v.spillFeed(f); err != nil {
			return err
		}
	}
	v.mu.held = 0
	return nil
}

func (v *values) spillFeed(f int) error {
	chunks := v.mu.chunks[f]
	var all []placement
	n := 0
	for _, c := range chunks {
		n += len(c.places)
	}
	all = make([]placement, 0, n)
	for i, c := range chunks {
		for _, p := range c.places {
			p.chunk = int32(i)
			all = append(all, p)
		}
	}
	sortByNumber(all, nil, func(p placement) int64 { return p.entity })
	most := int(max(1, v.most/v.feedBytes(f))) // no segment is large, however often a row is wanted
	for i := 0; len(all) > 0; {
		for all[0].entity >= v.bounds[i+1] {
			i++
		}
		end, _ := slices.BinarySearchFunc(all, v.bounds[i+1], func(p placement, bound int64) int { return cmp.Compare(p.entity, bound) })
		end = min(end, most)
		s, err := v.spillRows(f, chunks, all[:end])
		if err != nil {
			return err
		}
		v.mu.runs[f][i] = append(v.mu.runs[f][i], s)
		all = all[end:]
	}
	for _, c := range chunks {
		c.record.Release()
	}
	v.mu.chunks[f] = nil
	return nil
}

// spillRows writes rows of one range, with a last column that says which
// entity row each is for.
func (v *values) spillRows(f int, chunks []chunk, rows []placement) (segment, error) {
	spans := make([]span, len(rows))
	numbers := array.NewInt64Builder(v.mem)
	defer numbers.Release()
	numbers.Reserve(len(rows))
	for i, p := range rows {
		spans[i] = span{array: p.chunk, start: int64(p.row), length: 1}
		numbers.UnsafeAppend(p.entity)
	}
	columns, err := takeColumns(v.mem, v.feeds[f].schema, chunks, spans)
	if err != nil {
		return segment{}, err
	}
	columns = append(columns, numbers.NewArray())
	fields := append(slices.Clone(v.feeds[f].schema.Fields()), arrow.Field{Name: "entity row", Type: arrow.PrimitiveTypes.Int64})
	r := array.NewRecord(arrow.NewSchema(fields, nil), columns, int64(len(rows)))
	releaseArrays(columns)
	defer r.Release()
	return v.mu.file.appendRecord(r)
}

// takeColumns takes the rows that spans name of chunks, column by column.
func takeColumns(mem memory.Allocator, s *arrow.Schema, chunks []chunk, spans []span) ([]arrow.Array, error) {
	var columns []arrow.Array
	from := make([]arrow.Array, len(chunks))
	for c, field := range s.Fields() {
		for i := range chunks {
			from[i] = chunks[i].record.Column(c)
		}
		column, err := take(mem, field.Type, from, spans)
		if err != nil {
			releaseArrays(columns)
			return nil, err
		}
		columns = append(columns, column)
	}
	return columns, nil
}

func releaseArrays(arrays []arrow.Array) {
	for _, a := range arrays {
		a.Release()
	}
}

// release frees all that is held.
func (v *values) release() {
	for _, chunks := range v.mu.chunks {
		for _, c := range chunks {
			c.record.Release()
		}
	}
	v.mu.chunks = nil
	if v.mu.file != nil {
		v.mu.file.close()
	}
}
