package training

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// Rows of the states' files are built recordRows at a time; a row group has
// groupRows.
const (
	recordRows = 8 << 10
	groupRows  = 64 << 10
)

// columns tells the join what the columns of a states' file are.
func (j *joined) columns() pit.Columns {
	c := pit.Columns{EventTime: colFrom}
	for _, k := range j.view.Keys {
		c.Keys = append(c.Keys, k.Name)
	}
	return c
}

// states yields the states of an entity as the request wants them.
func (r *Request) states(j *joined, rows []history.Row) iter.Seq[state] {
	if r.ServedIn == nil {
		return byEvent(rows)
	}
	return asServed(rows, r.readable(j, rows))
}

// readable tells since when an entry of an entity's rows was readable in the region.
func (r *Request) readable(j *joined, rows []history.Row) func(hlc.Position) (nanos int64, ok bool) {
	shard := j.view.Shard(rows[0].Key)
	return func(p hlc.Position) (int64, bool) {
		_, at, ok := r.ServedIn.AppliedAt(shard, p)
		return at * 1e6, ok
	}
}

// known yields the rows that were accepted in time.
func (r *Request) known(rows iter.Seq2[history.Row, error]) iter.Seq2[history.Row, error] {
	latest := r.latestKnown()
	return func(yield func(history.Row, error) bool) {
		for row, err := range rows {
			if err == nil && row.Version.At.Millis() > latest {
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// writeStates makes the states' file of a view.
func (r *Request) writeStates(ctx context.Context, j *joined, in *history.Reader, path string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	w, err := newStateWriter(j, out)
	if err != nil {
		return err
	}
	defer w.abandon()
	all := inOrder(ctx, in, in.Files(j.view.ID, history.AllTime), filepath.Dir(path), fanIn)
	for rows, err := range entities(r.known(all)) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if j.compared {
			for c := range compare(rows, r.readable(j, rows)) {
				if err := w.addCompared(rows[0].Key, c); err != nil {
					return err
				}
			}
			continue
		}
		for s := range r.states(j, rows) {
			if err := w.add(rows[0].Key, s); err != nil {
				return err
			}
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return out.Flush()
}

// stateWriter writes states as a Parquet file.
type stateWriter struct {
	*joined
	file    *pqarrow.FileWriter
	build   *array.RecordBuilder
	key     feature.Key // whose values are in keys
	keys    []feature.Value
	pending int
}

func newStateWriter(j *joined, out *bufio.Writer) (w *stateWriter, err error) {
	defer caught(&err)
	schema := j.schema()
	w = &stateWriter{joined: j, build: array.NewRecordBuilder(memory.NewGoAllocator(), schema)}
	w.file, err = pqarrow.NewFileWriter(schema, out, parquet.NewWriterProperties(
		parquet.WithDictionaryDefault(false), parquet.WithMaxRowGroupLength(groupRows),
	), pqarrow.DefaultWriterProps())
	return w, err
}

// caught turns a panic of the library into an error: it panics where others
// return one.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("parquet: %v", p)
	}
}

// add writes a state of the entity with a key.
func (w *stateWriter) add(key feature.Key, s state) (err error) {
	defer caught(&err)
	if err := w.begin(key, s.from); err != nil {
		return err
	}
	w.side(len(w.keys)+1, s.row)
	return w.end()
}

// addCompared writes both sides of it.
func (w *stateWriter) addCompared(key feature.Key, c compared) (err error) {
	defer caught(&err)
	if err := w.begin(key, c.from); err != nil {
		return err
	}
	at, n := len(w.keys)+1, len(w.wanted)
	w.side(at, c.sides.served)
	w.side(at+2*n, c.sides.truth)
	for i, f := range w.wanted {
		w.build.Field(at + 4*n + i).(*array.Int32Builder).Append(int32(c.cause(f)))
	}
	w.build.Field(at + 5*n).(*array.BooleanBuilder).Append(c.sides.shows)
	return w.end()
}

// begin writes the columns of the key and the time.
func (w *stateWriter) begin(key feature.Key, from int64) (err error) {
	if string(key) != string(w.key) {
		if w.keys, err = feature.DecodeKey(key); err != nil {
			return err
		}
		w.key = append(w.key[:0], key...)
	}
	if len(w.keys) != len(w.view.Keys) {
		return fmt.Errorf("view %s: key %x has %d parts, want %d", w.view.Name, []byte(key), len(w.keys), len(w.view.Keys))
	}
	for i, v := range w.keys {
		history.AppendArrow(w.build.Field(i), v)
	}
	w.build.Field(len(w.keys)).(*array.Int64Builder).Append(from)
	return nil
}

// side writes the features of a row into columns from at on, and behind them their event
// times.
func (w *stateWriter) side(at int, row feature.Row) {
	for i, f := range w.wanted {
		value, age := w.build.Field(at+i), (*array.Int64Builder)(nil)
		if w.ages() {
			age = w.build.Field(at + len(w.wanted) + i).(*array.Int64Builder)
		}
		c, ok := cellOf(row, f)
		if !ok {
			value.AppendNull()
			if age != nil {
				age.AppendNull()
			}
			continue
		}
		history.AppendArrow(value, c.Read())
		if age != nil {
			age.Append(c.Version.EventTime)
		}
	}
}

func (w *stateWriter) end() error {
	if w.pending++; w.pending == recordRows {
		return w.flush()
	}
	return nil
}

func (w *stateWriter) flush() error {
	if w.pending == 0 {
		return nil
	}
	w.pending = 0
	record := w.build.NewRecord()
	defer record.Release()
	return w.file.WriteBuffered(record)
}

func (w *stateWriter) finish() (err error) {
	defer caught(&err)
	if err := w.flush(); err != nil {
		return err
	}
	file := w.file
	w.file = nil
	return file.Close()
}

// abandon frees what a writer holds that did not finish.
func (w *stateWriter) abandon() {
	w.build.Release()
	if w.file != nil {
		var err error
		defer caught(&err)
		_ = w.file.Close()
	}
}
