package pit

import (
	"context"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// block is the entity rows of one output record: a piece of the spool, or a
// part of one.
type block struct {
	piece      int
	start, end int64 // numbers of entity rows
}

// maxAhead bounds the blocks that wait for those before them. It is not the
// number of threads, so that the size of blocks does not depend on that.
const maxAhead = 6

// assemble puts values beside the entity rows and calls yield, in their order.
// Blocks are made by several goroutines, ahead of the one that is handed out.
func (j *join) assemble(ctx context.Context, v *values, yield func(arrow.Record) error) error {
	ctx, stop := context.WithCancel(ctx)
	lines := make(chan chan outcome, min(j.config.Threads, maxAhead))
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.dispatch(ctx, v, lines)
	}()
	defer func() {
		stop()
		for line := range lines {
			if o := <-line; o.record != nil {
				o.record.Release()
			}
		}
		<-done
	}()
	for line := range lines {
		o := <-line
		if o.err != nil {
			return o.err
		}
		err := yield(o.record)
		o.record.Release()
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// outcome is a block that was made, or why it could not be.
type outcome struct {
	record arrow.Record
	err    error
}

// dispatch starts the making of blocks, in order, and closes lines. Each line
// gets exactly one outcome.
func (j *join) dispatch(ctx context.Context, v *values, lines chan<- chan outcome) {
	defer close(lines)
	fail := func(err error) {
		line := make(chan outcome, 1)
		line <- outcome{err: err}
		select {
		case lines <- line:
		case <-ctx.Done():
		}
	}
	blocks := j.blocks(v.rowBytes())
	if !v.spilled() {
		j.makeBlocks(ctx, v, v.all(j.spool.rows), blocks, lines)()
		return
	}
	// While blocks are made of one stretch of values, the next is being read:
	// two are in memory, so each may have half of it.
	wait := func() {}
	defer func() { wait() }()
	for r := range len(v.bounds) - 1 {
		for len(blocks) > 0 && blocks[0].start < v.bounds[r+1] {
			n := j.loadable(blocks, v.bounds[r+1], v.rowBytes(), v.limit/2)
			l, err := v.load(r, blocks[0].start, blocks[n-1].end)
			wait()
			wait = func() {}
			if err != nil {
				fail(err)
				return
			}
			wait = j.makeBlocks(ctx, v, l, blocks[:n], lines)
			if ctx.Err() != nil {
				return
			}
			blocks = blocks[n:]
		}
	}
}

// blocks cuts the spool's pieces so that a block's values fit their share.
func (j *join) blocks(rowBytes int64) []block {
	most := max(1, j.budget.blocks/(maxAhead+2)/(rowBytes+1))
	var blocks []block
	for i, p := range j.spool.pieces {
		for start := p.start; start < p.end(); start += most {
			blocks = append(blocks, block{i, start, min(start+most, p.end())})
		}
	}
	return blocks
}

// loadable returns how many of the blocks, at least one, are before end and fit
// into memory.
func (j *join) loadable(blocks []block, end, rowBytes, limit int64) int {
	n := 1
	for n < len(blocks) && blocks[n].start < end && (blocks[n].end-blocks[0].start)*(rowBytes+8) <= limit {
		n++
	}
	return n
}

// makeBlocks starts the making of blocks from what was loaded, and hands out
// their lines. It stops early when ctx has ended. The function that it returns
// waits for the blocks that were started, and releases what was loaded.
func (j *join) makeBlocks(ctx context.Context, v *values, l *loaded, blocks []block, lines chan<- chan outcome) (wait func()) {
	var making sync.WaitGroup
	wait = func() {
		making.Wait()
		l.release()
	}
	var record arrow.Record // of the piece that is being cut
	defer func() {
		if record != nil {
			record.Release()
		}
	}()
	piece := -1
	for _, b := range blocks {
		line := make(chan outcome, 1)
		select {
		case lines <- line:
		case <-ctx.Done():
			return wait
		}
		if b.piece != piece {
			if record != nil {
				record.Release()
			}
			var err error
			if record, err = j.spool.read(j.spool.pieces[b.piece]); err != nil {
				record = nil
				line <- outcome{err: err}
				return wait
			}
			piece = b.piece
		}
		first := j.spool.pieces[piece].start
		rows := record.NewSlice(b.start-first, b.end-first)
		making.Go(func() {
			defer rows.Release()
			r, err := j.block(v, l, b, rows)
			line <- outcome{r, err}
		})
	}
	return wait
}

// block makes one output record.
func (j *join) block(v *values, l *loaded, b block, rows arrow.Record) (arrow.Record, error) {
	columns := make([]arrow.Array, len(j.plan.from))
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	var spans []span
	for f, feed := range l.feeds {
		spans = feed.spans(spans, b.start-l.first, b.end-l.first)
		taken, err := takeColumns(j.config.Allocator, v.feeds[f].schema, feed.chunks, spans)
		if err != nil {
			return nil, err
		}
		for i, wanted := range v.feeds[f].columns {
			j.put(columns, v.feeds[f].view, wanted, taken[i])
		}
		releaseArrays(taken)
	}
	all := append(append([]arrow.Array(nil), rows.Columns()...), columns...)
	return array.NewRecord(j.plan.output, all, b.end-b.start), nil
}

// put sets the output features that are a view's wanted column: one, or several
// under different names.
func (j *join) put(columns []arrow.Array, view, wanted int, a arrow.Array) {
	for i, from := range j.plan.from {
		if from.view == view && from.column == wanted {
			a.Retain()
			columns[i] = a
		}
	}
}
