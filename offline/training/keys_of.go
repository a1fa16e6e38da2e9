package training

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/offline/history"
)

// KeysOf asks history for entity rows: every key that it has of a view, at times.
type KeysOf struct {
	View *feature.ResolvedView
	// EventTime is what the column of times is called.
	EventTime string
	Times     Times
	// Existing leaves out a key at the times at which the view had nothing of it by
	// event time: before the first write, or after a delete.
	Existing bool
	// KnownAsOf leaves out what was accepted later. The zero Time is no limit.
	KnownAsOf time.Time
}

// Validate reports every fault of k, joined; each matches ErrRequest.
func (k KeysOf) Validate() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: entity rows by query: %s", ErrRequest, fmt.Sprintf(format, args...)))
	}
	switch {
	case k.View == nil:
		fault("View is nil: it must say whose keys")
	case k.EventTime == "":
		fault("EventTime is empty: it must name the column of times")
	case slices.ContainsFunc(k.View.Keys, func(j feature.JoinKey) bool { return j.Name == k.EventTime }):
		fault("the column of times and a join key of view %s are both called %s", k.View.Name, k.EventTime)
	}
	if err := k.Times.validate(); err != nil {
		fault("%v", err)
	}
	return errors.Join(errs...)
}

// schema has the join keys in their order, and the times in nanoseconds.
func (k KeysOf) schema() *arrow.Schema {
	var fields []arrow.Field
	for _, j := range k.View.Keys {
		fields = append(fields, arrow.Field{Name: j.Name, Type: history.ArrowKeyType(j)})
	}
	fields = append(fields, arrow.Field{Name: k.EventTime, Type: history.ArrowType(feature.ScalarOf(feature.Timestamp))})
	return arrow.NewSchema(fields, nil)
}

// KeyRows are the entity rows of a query over history (U6), as an array.RecordReader.
// They are for one goroutine.
type KeyRows struct {
	schema *arrow.Schema
	next   func() (keyRow, error, bool)
	stop   func()
	dir    string
	build  *array.RecordBuilder
	rec    arrow.Record
	err    error
}

// keyRow is one entity row. Its key is shared by all of the entity.
type keyRow struct {
	key []feature.Value
	at  int64
}

// keyRowsRecord is how many rows a record has.
const keyRowsRecord = 16 << 10

// Open begins to read. Of the history, the rows of one entity are in memory, and some
// of at most fanIn files; more files go through temporary ones below spillDir, "" for the
// system's. The end of ctx ends the reading. The caller closes the rows, and then the
// reader.
func (k KeysOf) Open(ctx context.Context, in *history.Reader, spillDir string) (*KeyRows, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(spillDir, "featurestore-keys-")
	if err != nil {
		return nil, fmt.Errorf("read keys of view %s: %w", k.View.Name, err)
	}
	k.Times = k.Times.sorted()
	schema := k.schema()
	r := &KeyRows{schema: schema, dir: dir, build: array.NewRecordBuilder(memory.NewGoAllocator(), schema)}
	r.next, r.stop = iter.Pull2(k.rows(ctx, in, dir))
	return r, nil
}

// rows yields the entity rows in their order.
func (k KeysOf) rows(ctx context.Context, in *history.Reader, dir string) iter.Seq2[keyRow, error] {
	return func(yield func(keyRow, error) bool) {
		fail := func(err error) { yield(keyRow{}, fmt.Errorf("keys of view %s: %w", k.View.Name, err)) }
		known := Request{KnownAsOf: k.KnownAsOf}
		all := inOrder(ctx, in, in.Files(k.View.ID, history.AllTime), dir, fanIn)
		for own, err := range entities(known.known(all)) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				fail(err)
				return
			}
			key, err := feature.DecodeKey(own[0].Key)
			if err == nil && len(key) != len(k.View.Keys) {
				err = fmt.Errorf("key %x has %d parts, want %d", []byte(own[0].Key), len(key), len(k.View.Keys))
			}
			if err != nil {
				fail(err)
				return
			}
			for at := range k.moments(own) {
				if !yield(keyRow{key, at}, nil) {
					return
				}
			}
		}
	}
}

// moments yields the times of one entity, rising. Rows are in order of event time.
func (k KeysOf) moments(own []history.Row) iter.Seq[int64] {
	times := k.Times.all(own)
	if !k.Existing {
		return times
	}
	return func(yield func(int64) bool) {
		next, stop := iter.Pull(byEvent(own))
		defer stop()
		exists := false
		ahead, ok := next()
		for at := range times {
			for ; ok && ahead.from <= at; ahead, ok = next() {
				exists = len(ahead.row.Cells) > 0
			}
			if exists && !yield(at) {
				return
			}
		}
	}
}

// Retain and Release do nothing: Close ends the reading.
func (r *KeyRows) Retain() {}

// Release is as Retain.
func (r *KeyRows) Release() {}

// Schema returns the columns: the view's join keys, then the times.
func (r *KeyRows) Schema() *arrow.Schema { return r.schema }

// Record returns the record that Next made. It is Go's to free.
func (r *KeyRows) Record() arrow.Record { return r.rec }

// Err returns why Next found no more, nil for the end.
func (r *KeyRows) Err() error { return r.err }

// Next makes the next record.
func (r *KeyRows) Next() bool {
	r.rec = nil
	if r.err != nil {
		return false
	}
	n := 0
	for ; n < keyRowsRecord; n++ {
		row, err, ok := r.next()
		if err != nil {
			r.err = err
			return false
		}
		if !ok {
			break
		}
		for i, v := range row.key {
			history.AppendArrow(r.build.Field(i), v)
		}
		r.build.Field(len(row.key)).(*array.TimestampBuilder).Append(arrow.Timestamp(row.at))
	}
	if n == 0 {
		return false
	}
	r.rec = r.build.NewRecord()
	return true
}

// Close ends the reading and removes its temporary files.
func (r *KeyRows) Close() error {
	r.stop()
	r.build.Release()
	return os.RemoveAll(r.dir)
}
