package pit

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Report says what a join did.
type Report struct {
	// EntityRows is the number of input rows, and so of output rows.
	EntityRows int64
	// Matched has, for each view of the request, how many entity rows got
	// values of it.
	Matched []int64
	// Scanned counts the feature rows whose keys and times were read, once for
	// each reading.
	Scanned int64
	// Passes counts readings of tables; Partitions is how many partitions on
	// disk were made.
	Passes, Partitions int
	// SpilledBytes is what was written to the spill directory.
	SpilledBytes int64
}

// join is one run of Join.
type join struct {
	config  Config
	budget  budget
	batch   Batch
	plan    *plan
	dir     *spillDir
	spool   *spool
	scanned atomic.Int64
	report  Report
}

// Join calls yield with the entity rows, in their order, each record with the
// features of the request behind its own columns: see the package's
// documentation for what a match is. All of the entity rows are read before
// the first record comes; records of some thousand rows are best, as each has a
// place of its own in memory, whatever its size. The record is yield's for the time of the call; to
// keep it longer, retain it.
//
// An error of yield ends the join and is returned. So does the end of ctx,
// with its error. ErrRequest says that nothing was read. In each case there
// are no goroutines and no files left when Join returns.
func Join(ctx context.Context, c Config, entityRows array.RecordReader, r Request, yield func(arrow.Record) error) (*Report, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("point-in-time join: %w", err)
	}
	c = c.withDefaults()
	return joinWithin(ctx, c, c.budget(), entityRows, r, yield)
}

// joinWithin is Join with a budget that tests can make as small as they like.
func joinWithin(ctx context.Context, c Config, b budget, entityRows array.RecordReader, r Request, yield func(arrow.Record) error) (*Report, error) {
	p, err := resolve(entityRows.Schema(), r)
	if err != nil {
		return nil, fmt.Errorf("point-in-time join: %w", err)
	}
	j := &join{config: c, budget: b, batch: b.batch(c.Threads), plan: p, dir: &spillDir{parent: c.SpillDir}}
	defer j.dir.remove()
	if err := j.run(ctx, entityRows, yield); err != nil {
		return nil, fmt.Errorf("point-in-time join: %w", err)
	}
	j.report.Scanned = j.scanned.Load()
	j.report.SpilledBytes = j.dir.bytes.Load()
	return &j.report, nil
}

func (j *join) run(ctx context.Context, entityRows array.RecordReader, yield func(arrow.Record) error) (err error) {
	if j.spool, err = fillSpool(ctx, j.config, j.budget, j.plan, j.dir, entityRows); err != nil {
		return err
	}
	defer j.spool.release()
	j.report.EntityRows = j.spool.rows
	feeds := feedsOf(j.plan, j.config.Threads, j.budget.pages)
	values := newValues(j.config, j.budget.values, j.batch.Bytes, j.dir, feeds, j.spool)
	defer values.release()
	for i := range j.plan.views {
		if err := j.joinView(ctx, i, values); err != nil {
			return err
		}
	}
	if err := values.finish(j.spool.rows); err != nil {
		return err
	}
	return j.assemble(ctx, values, yield)
}

// joinView finds the matches of a view and fetches their values.
func (j *join) joinView(ctx context.Context, i int, to *values) error {
	j.report.Matched = append(j.report.Matched, 0)
	v := j.plan.views[i]
	if len(v.wanted) == 0 || j.spool.least > j.spool.greatest { // nothing is asked for, or no row has a time
		return ctx.Err()
	}
	ps := partsOf(v.Table)
	if len(ps.parts) == 0 {
		return ctx.Err()
	}
	found := newMatches(j.dir, j.budget.matches, ps)
	defer found.close()
	m := &matcher{join: j, index: i, view: v, parts: ps, window: windowOf(j.spool, v), found: found}
	m.bound = j.budget.spine + to.unused()
	if err := m.run(ctx); err != nil {
		return err
	}
	j.report.Matched[i] = found.total
	return j.fetch(ctx, i, ps, found, to)
}
