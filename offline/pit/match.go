package pit

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"golang.org/x/sync/errgroup"
)

// rescans is how many pieces a spine may have before rows are partitioned on
// disk instead of reading the heads again for each piece. Writing and reading a
// partitioned head costs about as much as decoding it three times.
const rescans = 4

// maxSpineRows is what the 32 bits of a row's number in a spine allow.
const maxSpineRows = 1 << 31

// matcher finds the matches of one view.
type matcher struct {
	*join
	index  int // of the view
	view   viewPlan
	parts  parts
	window window
	found  *matches
	bound  int64 // bytes of a spine
}

func (m *matcher) run(ctx context.Context) error {
	var weight int64
	for _, p := range m.spool.pieces {
		weight += p.weight[m.index]
	}
	if weight > rescans*m.bound {
		return m.partitioned(ctx, weight)
	}
	for rest := m.spool.pieces; len(rest) > 0; {
		n, err := m.piece(ctx, rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// piece matches the first of the pieces, as many as the bound allows, with the
// whole table. It returns how many those were.
func (m *matcher) piece(ctx context.Context, pieces []piece) (n int, err error) {
	first, rows := pieces[0].start, int64(0)
	for _, p := range pieces {
		rows += p.rows
	}
	s := newSpine(narrow(m.view.classes), min(rows, m.bound/spineRowBytes), m.view, m.plan.asServed)
	for rows = 0; n < len(pieces); {
		// Several pieces are added at once, and then it is seen what they took.
		some := pieces[n:min(n+m.config.Threads, len(pieces))]
		for n > 0 && len(some) > 0 && s.size()+int64(len(some))*pieces[0].weight[m.index] > m.bound {
			some = some[:len(some)-1]
		}
		for _, p := range some {
			rows += p.rows
		}
		if len(some) == 0 || n > 0 && rows > maxSpineRows {
			break
		}
		if n == 0 && int64(len(some))*some[0].weight[m.index] > m.bound {
			some = some[:1]
		}
		if err := m.addPieces(ctx, s, first, some); err != nil {
			return 0, err
		}
		n += len(some)
	}
	m.report.Passes++
	m.seal(s)
	with := make([]offering, m.config.Threads)
	for i := range with {
		with[i].first = i * spineShards / m.config.Threads
	}
	err = scan(ctx, m.plan, m.view, m.parts, m.window, m.config.Threads, m.batch, &m.scanned, func(worker int, o *offers) error {
		s.offer(o, &with[worker])
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, m.collect(ctx, s, func(row uint32) int64 { return first + int64(row) })
}

// addPieces adds pieces to a spine that begins with the entity row first.
func (m *matcher) addPieces(ctx context.Context, s *spine, first int64, pieces []piece) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range pieces {
		group.Go(func() error {
			var e entityBatch
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := m.entities(&e, p); err != nil {
				return err
			}
			numbers := make([]uint32, len(e.rows))
			for i := range numbers {
				numbers[i] = uint32(p.start - first + int64(i))
			}
			s.add(&e.keys, e.times, numbers, new(byShard))
			return nil
		})
	}
	return group.Wait()
}

// entities reads keys and times of a piece of the spool. Rows without a time
// have no key.
func (m *matcher) entities(e *entityBatch, p piece) error {
	r, err := m.spool.read(p)
	if err != nil {
		return err
	}
	defer r.Release()
	columns := make([]arrow.Array, len(m.view.columns))
	for i, c := range m.view.columns {
		columns[i] = r.Column(c)
	}
	if err := e.keys.read(columns, m.view.classes); err != nil {
		return fmt.Errorf("entity rows: column %s, row %d: %w", m.view.View.Keys[err.column], p.start+int64(err.row), err.err)
	}
	times := r.Column(m.plan.time).(*array.Timestamp)
	e.times, e.rows = make([]int64, p.rows), make([]int64, p.rows)
	timesOf(e.times, times) // which fit: the spool has checked them
	for i := range e.rows {
		e.rows[i] = p.start + int64(i)
		e.keys.null[i] = e.keys.null[i] || times.IsNull(i)
	}
	return nil
}

func (m *matcher) seal(s *spine) {
	var group errgroup.Group
	group.SetLimit(m.config.Threads)
	for i := range s.shards {
		group.Go(func() error {
			s.shards[i].seal()
			return nil
		})
	}
	_ = group.Wait() // sealing cannot fail
}

// collect takes the matches out of a spine.
func (m *matcher) collect(ctx context.Context, s *spine, number func(row uint32) int64) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(m.config.Threads)
	for i := range s.shards {
		group.Go(func() error {
			var failed error
			batch := make([]match, 0, 4*matchBlock)
			flush := func() {
				if failed == nil {
					failed = m.found.add(batch)
				}
				batch = batch[:0]
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			s.shards[i].matches(s.ttl, func(row uint32, at place) {
				if len(batch) == cap(batch) {
					flush()
				}
				batch = append(batch, match{at.row(), number(row)})
			})
			flush()
			return failed
		})
	}
	return group.Wait()
}

// partitioned matches partition by partition.
func (m *matcher) partitioned(ctx context.Context, weight int64) error {
	const leastBuffer = 4 << 10
	most := max(1, m.budget.buffers/int64(m.config.Threads)/leastBuffer)
	log := bits.Len64(uint64(min(weight*3/2/m.bound, most, 512)))
	log = max(1, min(log, bits.Len64(uint64(most))-1))
	buffer := int(min(256<<10, max(leastBuffer, m.budget.buffers/int64(m.config.Threads)>>log)))
	isNarrow := narrow(m.view.classes)
	entities, err := newPartitions(m.dir, isNarrow, log, buffer)
	if err != nil {
		return err
	}
	defer entities.file.close()
	if err := m.partitionEntities(ctx, entities); err != nil {
		return err
	}
	features, err := newPartitions(m.dir, isNarrow, log, buffer)
	if err != nil {
		return err
	}
	defer features.file.close()
	if err := m.partitionFeatures(ctx, features); err != nil {
		return err
	}
	m.report.Passes++
	m.report.Partitions += 1 << log
	for i := range 1 << log {
		if err := m.partition(ctx, entities, features, i); err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) partitionEntities(ctx context.Context, to *partitions) error {
	w := to.writer()
	for _, p := range m.spool.pieces {
		var e entityBatch
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.entities(&e, p); err != nil {
			return err
		}
		if err := w.addEntities(&e); err != nil {
			return err
		}
	}
	return w.close()
}

func (m *matcher) partitionFeatures(ctx context.Context, to *partitions) error {
	writers := make([]*partitionWriter, m.config.Threads)
	for i := range writers {
		writers[i] = to.writer()
	}
	err := scan(ctx, m.plan, m.view, m.parts, m.window, m.config.Threads, m.batch, &m.scanned, func(worker int, o *offers) error {
		return writers[worker].addOffers(o)
	})
	if err != nil {
		return err
	}
	for _, w := range writers {
		if err := w.close(); err != nil {
			return err
		}
	}
	return nil
}

// partition matches the rows of one partition: in one piece, unless one key has
// more rows than the spine may hold.
func (m *matcher) partition(ctx context.Context, entities, features *partitions, i int) error {
	var (
		buffer []byte
		s      *spine
		batch  entityBatch
		number []int64 // of the rows in s
		sorted byShard
	)
	finish := func() error {
		if s == nil {
			return nil
		}
		m.seal(s)
		if err := m.offerPartition(ctx, s, features, i); err != nil {
			return err
		}
		err := m.collect(ctx, s, func(row uint32) int64 { return number[row] })
		s, number = nil, number[:0]
		return err
	}
	for _, at := range entities.segments(i) {
		var err error
		if buffer, err = entities.file.read(buffer, at); err != nil {
			return err
		}
		entities.readEntities(&batch, buffer)
		rows := int64(len(batch.rows))
		weight := rows*(spineRowBytes+8) + 2*int64(len(batch.keys.bytes))
		if s != nil && s.size()+int64(len(number))*8+weight > m.bound {
			if err := finish(); err != nil {
				return err
			}
		}
		if s == nil {
			s = newSpine(entities.narrow, rows, m.view, m.plan.asServed)
		}
		numbers := make([]uint32, rows)
		for k := range numbers {
			numbers[k] = uint32(len(number) + k)
		}
		number = append(number, batch.rows...)
		s.add(&batch.keys, batch.times, numbers, &sorted)
	}
	return finish()
}

func (m *matcher) offerPartition(ctx context.Context, s *spine, features *partitions, i int) error {
	group, ctx := errgroup.WithContext(ctx)
	segments := features.segments(i)
	for worker := range m.config.Threads {
		group.Go(func() error {
			var (
				buffer []byte
				o      offers
				with   = offering{first: worker * spineShards / m.config.Threads}
			)
			for k := worker; k < len(segments); k += m.config.Threads {
				var err error
				if err := ctx.Err(); err != nil {
					return err
				}
				if buffer, err = features.file.read(buffer, segments[k]); err != nil {
					return err
				}
				features.readOffers(&o, buffer)
				s.offer(&o, &with)
			}
			return nil
		})
	}
	return group.Wait()
}
