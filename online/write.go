package online

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// Write is what one request changes: all of it or nothing.
type Write struct {
	// Changes are joined in this order; at least one. They were checked against
	// their views' schemas.
	Changes []Placed
	// Deps are, by shard, the positions that the writer's session had seen. A
	// store joins the write only after them.
	Deps map[feature.Shard]hlc.Vector
	// Seen reports whether the writer's session had seen a write of a shard: under
	// the rule siblings the changes replace that. Nil: it had seen nothing. The
	// committer calls it.
	Seen func(feature.Shard, hlc.Position) bool
	// Idempotency names the request, nil when it need not be recognized.
	Idempotency *Idempotency
	// Rows has, for each change, the row of the request that it came from, in
	// rising order: one row may change several views. Nil: each change is a row.
	Rows []int
	// LogOnly keeps the changes for history without joining them. Counters and
	// sets are logged as they would have been joined.
	LogOnly bool
}

// Placed is a change and the shard that holds its row.
type Placed struct {
	feature.Change
	Shard feature.Shard
}

// Idempotency recognizes a repeated request.
type Idempotency struct {
	ID RequestID
	// Digest is of the request's contents: the same id with another digest is
	// a mistake of the client's.
	Digest [16]byte
	// Shards is in how many the request writes, where this store carries out a
	// part of it; 0: in those of the write.
	Shards int
}

// Receipt says what became of a write that is durable, readable and published.
type Receipt struct {
	// Positions holds for each shard the position of the write's last log entry
	// in it, in the order in which the shards were first named.
	Positions []ShardPosition
	// Superseded are the rows (see Write.Rows), rising, of which nothing is
	// left: every cell of every change lost to a newer one.
	Superseded []int
	// Repeated says that an earlier request with this id did the work.
	Repeated bool
}

// noteChange keeps a row among the superseded while all its changes are.
func (r *Receipt) noteChange(w *Write, i int, superseded bool) {
	row, n := w.row(i), len(r.Superseded)
	isFirst := i == 0 || w.row(i-1) != row
	switch {
	case superseded && isFirst:
		r.Superseded = append(r.Superseded, row)
	case !superseded && n > 0 && r.Superseded[n-1] == row:
		r.Superseded = r.Superseded[:n-1]
	}
}

// noteDone keeps what was done before of a request: the position, once, and that
// nothing is left of a row.
func (r *Receipt) noteDone(w *Write, i int, known *requestRecord, at hlc.Position) {
	_, superseded := slices.BinarySearch(known.superseded, w.row(i))
	r.noteChange(w, i, superseded)
	shard := w.Changes[i].Shard
	if !slices.ContainsFunc(r.Positions, func(p ShardPosition) bool { return p.Shard == shard }) {
		r.Positions = append(r.Positions, ShardPosition{Shard: shard, Position: at})
	}
}

// ShardPosition is a position of one shard's log.
type ShardPosition struct {
	Shard    feature.Shard
	Position hlc.Position
}

// Append commits w and returns its receipt once it is durable, readable and
// published. What w points to must not change before Append returns.
//
// While the queue is full Append waits. If ctx ends before the committer has
// begun with w, nothing happened and the error is ErrOverloaded, wrapping
// ctx's. Once begun, Append waits for the answer, which is one commit away.
//
// Other errors: *ChangeError for a change that cannot be joined, ErrTooLarge,
// ErrInvalidWrite, ErrIdempotencyMismatch, ErrDiskFull, ErrReadOnly, ErrClosed,
// and hlc.ErrAhead for deps from too far in the future.
func (s *Store) Append(ctx context.Context, w Write) (Receipt, error) {
	if err := w.validate(); err != nil {
		return Receipt{}, err
	}
	for shard, deps := range w.Deps {
		for origin, at := range deps {
			if err := s.clock.Witness(at); err != nil {
				return Receipt{}, fmt.Errorf("append after %v of %v in shard %d/%d: %w", at, origin, shard.Group, shard.Partition, err)
			}
		}
	}
	p := &pending{write: w, sizeBytes: w.sizeBytes(), done: make(chan struct{})}
	if w.Idempotency != nil {
		p.shards = w.shards() // here, and not in the one committer
	}
	if least, limit := w.leastBytes(), s.disk.maxBytes; least > limit {
		return Receipt{}, &TooLargeError{What: "write", Bytes: least, Limit: limit}
	}
	return s.queue.do(ctx, p)
}

// shards are those that the write touches, in the order in which it names them.
func (w *Write) shards() []feature.Shard {
	var out []feature.Shard
	seen := map[feature.Shard]bool{}
	for i := range w.Changes {
		if s := w.Changes[i].Shard; !seen[s] {
			out, seen[s] = append(out, s), true
		}
	}
	return out
}

// request is how log entries name the write's request, nil when it has no name.
func (w *Write) request() *oplog.Request {
	id := w.Idempotency
	if id == nil {
		return nil
	}
	return &oplog.Request{ID: id.ID, Digest: id.Digest, Shards: cmp.Or(id.Shards, len(w.shards()))}
}

// row returns the row that change i came from.
func (w *Write) row(i int) int {
	if w.Rows == nil {
		return i
	}
	return w.Rows[i]
}

// validate finds what would be stored but not be readable.
func (w Write) validate() error {
	if len(w.Changes) == 0 {
		return fmt.Errorf("%w: it has no changes", ErrInvalidWrite)
	}
	if w.Rows != nil && (len(w.Rows) != len(w.Changes) || w.Rows[0] < 0 || !slices.IsSorted(w.Rows)) {
		return fmt.Errorf("%w: %d rows do not fit %d changes, want one for each, rising", ErrInvalidWrite, len(w.Rows), len(w.Changes))
	}
	for i := range w.Changes {
		if err := validateChange(&w.Changes[i].Change); err != nil {
			return &ChangeError{Index: i, Err: err}
		}
	}
	return nil
}

func validateChange(c *feature.Change) error {
	switch {
	case c.View == 0:
		return fmt.Errorf("%w: view is zero", ErrInvalidWrite)
	case len(c.Key) == 0 || len(c.Key) > feature.MaxKeyBytes:
		return fmt.Errorf("%w: key has %d bytes, want 1 to %d", ErrInvalidWrite, len(c.Key), feature.MaxKeyBytes)
	case c.Delete && len(c.Assignments) > 0:
		return fmt.Errorf("%w: a delete has %d assignments, want none", ErrInvalidWrite, len(c.Assignments))
	}
	last := feature.FeatureID(0)
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Feature <= last {
			return fmt.Errorf("%w: assignments[%d] of feature %d follows feature %d, want rising ids above zero", ErrInvalidWrite, i, a.Feature, last)
		}
		last = a.Feature
		if err := validateAssignment(a); err != nil {
			return fmt.Errorf("%w: assignments[%d]: %w", ErrInvalidWrite, i, err)
		}
	}
	return nil
}

func validateAssignment(a *feature.Assignment) error {
	if a.Type.Kind == feature.Null {
		return fmt.Errorf("its type is null")
	}
	if err := a.Rule.Admits(a.Type); err != nil {
		return err
	}
	if !a.Remove.IsNull() && (a.Rule != feature.Set || a.Remove.Type() != a.Type) {
		return fmt.Errorf("it removes %v from a %v under %v", a.Remove.Type(), a.Type, a.Rule)
	}
	if a.Value.IsNull() {
		if a.Rule == feature.Counter {
			return fmt.Errorf("a counter's increment is null, want %v", a.Type)
		}
		return nil
	}
	if got := a.Value.Type(); got != a.Type {
		return fmt.Errorf("its value is %v, want %v", got, a.Type)
	}
	return nil
}

// sizeBytes is about what the write takes in memory while it waits.
func (w Write) sizeBytes() int {
	const change, assignment = 160, 128
	return len(w.Changes)*change + w.sum(assignment)
}

// leastBytes is a part of what the write takes of a transaction: it tells early
// what cannot fit.
func (w Write) leastBytes() int { return w.sum(1) }

// sum adds up keys, values, and a number for each assignment.
func (w Write) sum(each int) int {
	size := 0
	for i := range w.Changes {
		c := &w.Changes[i]
		size += len(c.Key) + each*len(c.Assignments)
		for j := range c.Assignments {
			size += len(c.Assignments[j].Value.Text()) + len(c.Assignments[j].Remove.Text())
		}
	}
	return size
}
