package pit

import (
	"context"
	"fmt"

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
		return fmt.Errorf("%w: column %s, row %d: %w", ErrEntityRows, m.view.View.Keys[err.column], p.start+int64(err.row), err.err)
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
