package pit

import (
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// loaded is the values of consecutive entity rows, ready to be put beside them.
type loaded struct {
	first int64
	feeds []loadedFeed
}

type loadedFeed struct {
	chunks []chunk
	owned  bool // release frees the chunks
	// at says where each entity row's values are: chunk and row, plus 1; 0: it
	// has none.
	at []uint64
}

func (l *loadedFeed) place(row int64, p placement) {
	l.at[row] = uint64(p.chunk)<<32 | uint64(p.row) + 1
}

// spans names the values of entity rows from first to end, as take wants them.
// Runs of rows without values are one span.
func (l *loadedFeed) spans(dst []span, first, end int64) []span {
	dst = dst[:0]
	for _, at := range l.at[first:end] {
		if at != 0 {
			dst = append(dst, span{array: int32(at >> 32), start: int64(uint32(at)) - 1, length: 1})
			continue
		}
		if n := len(dst); n > 0 && dst[n-1].array < 0 && dst[n-1].length < math.MaxInt32 {
			dst[n-1].length++
			continue
		}
		dst = append(dst, span{array: -1, length: 1})
	}
	return dst
}

func (l *loaded) release() {
	for _, f := range l.feeds {
		if f.owned {
			for _, c := range f.chunks {
				c.record.Release()
			}
		}
	}
}

// all makes what is in memory ready.
func (v *values) all(rows int64) *loaded {
	l := &loaded{}
	for f := range v.feeds {
		feed := loadedFeed{chunks: v.mu.chunks[f], at: make([]uint64, rows)}
		for i, c := range feed.chunks {
			for _, p := range c.places {
				p.chunk = int32(i)
				feed.place(p.entity, p)
			}
		}
		l.feeds = append(l.feeds, feed)
	}
	return l
}

// load reads the values of entity rows from first to end, which are of one
// range. The caller releases them.
func (v *values) load(r int, first, end int64) (_ *loaded, err error) {
	l := &loaded{first: first}
	defer func() {
		if err != nil {
			l.release()
		}
	}()
	for f := range v.feeds {
		l.feeds = append(l.feeds, loadedFeed{owned: true, at: make([]uint64, end-first)})
		feed := &l.feeds[f]
		for _, s := range v.mu.runs[f][r] {
			record, err := v.mu.file.readRecord(v.mem, s)
			if err != nil {
				return nil, err
			}
			err = v.keep(f, feed, record, first, end)
			record.Release()
			if err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

// keep adds those rows of a spilled record that are for entity rows from first
// to end.
func (v *values) keep(f int, feed *loadedFeed, r arrow.Record, first, end int64) error {
	last := int(r.NumCols()) - 1
	numbers := r.Column(last).(*array.Int64).Int64Values()
	var spans []span
	for i, n := range numbers { // ascending: one stretch
		if n >= first && n < end {
			feed.place(n-first, placement{chunk: int32(len(feed.chunks)), row: int32(len(spans))})
			spans = append(spans, span{start: int64(i), length: 1})
		}
	}
	if len(spans) == 0 {
		return nil
	}
	c := chunk{record: r}
	if len(spans) < len(numbers) { // a slice would keep all of it in memory
		columns, err := takeColumns(v.mem, v.feeds[f].schema, []chunk{{record: r}}, spans)
		if err != nil {
			return err
		}
		c.record = array.NewRecord(v.feeds[f].schema, columns, int64(len(spans)))
		releaseArrays(columns)
	} else {
		r.Retain()
	}
	feed.chunks = append(feed.chunks, c)
	return nil
}
