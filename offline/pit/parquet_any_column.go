package pit

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// anyColumn reads text, bools, lists and whatever else there is.
type anyColumn struct {
	in   *pqarrow.ColumnReader
	t    arrow.DataType
	last arrow.Array
	kept []arrow.Array
}

func (c *anyColumn) next(n int) (arrow.Array, error) {
	if c.last != nil {
		c.last.Release()
		c.last = nil
	}
	chunked, err := c.in.NextBatch(int64(n))
	if err != nil {
		return nil, err
	}
	defer chunked.Release()
	if chunked.Len() != n {
		return nil, fmt.Errorf("%w: it ends %d rows early", io.ErrUnexpectedEOF, n-chunked.Len())
	}
	var spans []span
	for i, a := range chunked.Chunks() {
		spans = append(spans, span{array: int32(i), length: int32(a.Len())})
	}
	if len(spans) == 1 {
		c.last = chunked.Chunk(0)
		c.last.Retain()
		return c.last, nil
	}
	c.last, err = take(memory.NewGoAllocator(), c.t, chunked.Chunks(), spans)
	return c.last, err
}

func (c *anyColumn) pick(n int, chosen []int32) error {
	a, err := c.next(n)
	if err != nil || len(chosen) == 0 {
		return err
	}
	spans := make([]span, len(chosen))
	for i, row := range chosen {
		spans[i] = span{start: int64(row), length: 1}
	}
	some, err := take(memory.NewGoAllocator(), c.t, []arrow.Array{a}, spans)
	if err != nil {
		return err
	}
	c.kept = append(c.kept, some)
	return nil
}

func (c *anyColumn) picked() (arrow.Array, error) {
	spans := make([]span, len(c.kept))
	for i, a := range c.kept {
		spans[i] = span{array: int32(i), length: int32(a.Len())}
	}
	all, err := take(memory.NewGoAllocator(), c.t, c.kept, spans)
	releaseArrays(c.kept)
	c.kept = nil
	return all, err
}

// absentColumn is a feature that a file does not have.
type absentColumn struct {
	t    arrow.DataType
	rows int
}

func (c *absentColumn) next(n int) (arrow.Array, error) {
	return take(memory.NewGoAllocator(), c.t, nil, []span{{array: -1, length: int32(n)}})
}

func (c *absentColumn) pick(_ int, chosen []int32) error {
	c.rows += len(chosen)
	return nil
}

func (c *absentColumn) picked() (arrow.Array, error) {
	a, err := c.next(c.rows)
	c.rows = 0
	return a, err
}
