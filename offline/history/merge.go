package history

import (
	"container/heap"
	"context"
	"io"
	"iter"
)

// merged yields the rows of files, which are sorted, in one order. Of each file
// some rows are in memory.
func merged(ctx context.Context, o *opener, files []DataFile) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var h rowHeap
		defer func() {
			for _, s := range h {
				s.file.close()
			}
		}()
		for _, f := range files {
			in, err := openRows(ctx, o, f)
			if err != nil {
				yield(Row{}, err)
				return
			}
			h = append(h, &rowSource{file: in})
		}
		for i := 0; i < len(h); {
			switch more, err := h[i].advance(ctx); {
			case err != nil:
				yield(Row{}, err)
				return
			case more:
				i++
			default:
				h[i].file.close()
				h[i] = h[len(h)-1]
				h = h[:len(h)-1]
			}
		}
		heap.Init(&h)
		for len(h) > 0 {
			if !yield(h[0].row, nil) {
				return
			}
			more, err := h[0].advance(ctx)
			switch {
			case err != nil:
				yield(Row{}, err)
				return
			case more:
				heap.Fix(&h, 0)
			default:
				heap.Pop(&h).(*rowSource).file.close()
			}
		}
	}
}

// rowSource is a file and the row that comes next of it.
type rowSource struct {
	file *openFile
	row  Row
}

func (s *rowSource) advance(ctx context.Context) (more bool, err error) {
	s.row, err = s.file.next(ctx)
	if err == io.EOF {
		return false, nil
	}
	return err == nil, err
}

// rowHeap has the source of the least row first.
type rowHeap []*rowSource

// The methods of heap.Interface.
func (h rowHeap) Len() int           { return len(h) }
func (h rowHeap) Less(i, j int) bool { return compareRows(&h[i].row, &h[j].row) < 0 }
func (h rowHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *rowHeap) Push(x any)        { *h = append(*h, x.(*rowSource)) }
func (h *rowHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
