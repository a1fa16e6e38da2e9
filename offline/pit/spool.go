package pit

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// spool holds the entity rows, in their order, so that they can be read again:
// what the limit allows in memory, then all of it in a file, and so on.
type spool struct {
	mem     memory.Allocator
	schema  *arrow.Schema
	views   []viewPlan
	limit   int64
	dir     *spillDir
	file    *spillFile
	held    int64
	pieces  []piece
	spilled int // pieces before this one are in the file
	rows    int64
	// least and greatest are bounds of the rows' times.
	least, greatest int64
}

// piece is consecutive entity rows, numbered from start on.
type piece struct {
	start  int64
	rows   int64
	record arrow.Record // nil when spilled
	at     segment
	// weight is, for each view, about the bytes that the rows take in a spine.
	weight []int64
}

func (p piece) end() int64 { return p.start + p.rows }

// fillSpool reads all entity rows, and checks their times.
func fillSpool(ctx context.Context, c Config, b budget, p *plan, dir *spillDir, in array.RecordReader) (_ *spool, err error) {
	s := &spool{
		mem: c.Allocator, schema: p.entity, views: p.views, limit: b.spool, dir: dir,
		least: maxTime, greatest: minTime,
	}
	pieceRows := max(1, min(int64(c.BatchRows), b.spine/(spineRowBytes+keyBytes)/2))
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	var times []int64
	for in.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r := in.Record()
		times = append(times[:0], make([]int64, r.NumRows())...)
		if err := s.noteTimes(times, r.Column(p.time).(*array.Timestamp), p.entity.Field(p.time).Name); err != nil {
			return nil, err
		}
		if err := s.add(r, pieceRows); err != nil {
			return nil, err
		}
	}
	// The Parquet reader of arrow v17 reports its end as an error.
	if err := in.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read entity rows: %w", err)
	}
	return s, ctx.Err()
}

func (s *spool) noteTimes(times []int64, column *array.Timestamp, name string) error {
	if i := timesOf(times, column); i >= 0 {
		unit := column.DataType().(*arrow.TimestampType).Unit
		return fmt.Errorf("%w: column %s, row %d: %w", ErrEntityRows, name, s.rows+int64(i), errTime(int64(column.Value(i)), unit))
	}
	for i, t := range times {
		if column.IsValid(i) {
			s.least, s.greatest = min(s.least, t), max(s.greatest, t)
		}
	}
	return nil
}

func (s *spool) add(r arrow.Record, pieceRows int64) error {
	lists, err := asLists(s.mem, s.schema, r)
	if err != nil {
		return err
	}
	defer lists.Release()
	for start := int64(0); start < r.NumRows(); start += pieceRows {
		end := min(start+pieceRows, r.NumRows())
		if err := s.addPiece(lists.NewSlice(start, end)); err != nil {
			return err
		}
	}
	return nil
}

// addPiece takes over the record.
func (s *spool) addPiece(r arrow.Record) error {
	p := piece{start: s.rows, rows: r.NumRows(), record: r}
	for _, v := range s.views {
		p.weight = append(p.weight, spineWeight(v, r))
	}
	s.pieces = append(s.pieces, p)
	s.rows += r.NumRows()
	s.held += recordBytes(r)
	if s.held <= s.limit {
		return nil
	}
	if s.file == nil {
		var err error
		if s.file, err = s.dir.create(); err != nil {
			return err
		}
	}
	for ; s.spilled < len(s.pieces); s.spilled++ {
		if err := s.spill(&s.pieces[s.spilled]); err != nil {
			return err
		}
	}
	return nil
}

// spill moves a piece that is in memory to the file.
func (s *spool) spill(p *piece) (err error) {
	if p.record == nil {
		return nil
	}
	if p.at, err = s.file.appendRecord(p.record); err != nil {
		return err
	}
	s.held -= recordBytes(p.record)
	p.record.Release()
	p.record = nil
	return nil
}

// read returns the record of a piece. The caller releases it. Many goroutines
// may read.
func (s *spool) read(p piece) (arrow.Record, error) {
	if p.record != nil {
		p.record.Retain()
		return p.record, nil
	}
	return s.file.readRecord(s.mem, p.at)
}

func (s *spool) release() {
	for _, p := range s.pieces {
		if p.record != nil {
			p.record.Release()
		}
	}
	s.pieces = nil
	if s.file != nil {
		s.file.close()
	}
}
