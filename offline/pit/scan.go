package pit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// parts are a table's parts in the order of their names, each with the number
// of its first row over all parts.
type parts struct {
	parts []Part
	first []int64 // one more at the end: the number of rows
}

func partsOf(t Table) parts {
	p := parts{parts: slices.Clone(t.Parts()), first: []int64{0}}
	slices.SortStableFunc(p.parts, func(a, b Part) int { return strings.Compare(a.Name(), b.Name()) })
	for _, part := range p.parts {
		p.first = append(p.first, p.first[len(p.first)-1]+part.Rows())
	}
	return p
}

// of returns the part that holds a row.
func (p parts) of(row int64) int {
	i, exact := slices.BinarySearch(p.first, row)
	if !exact {
		return i - 1
	}
	for p.first[i+1] == row { // empty parts
		i++
	}
	return i
}

// window is the event times that entity rows can match.
type window struct{ least, greatest int64 }

// windowOf returns the window of entity rows with times between two bounds.
func windowOf(s *spool, v viewPlan) window {
	w := window{minTime, s.greatest}
	if v.TTL > 0 && s.least >= minTime+int64(v.TTL) {
		w.least = s.least - int64(v.TTL)
	}
	return w
}

// scan reads the heads of a table, by up to threads goroutines, and calls use
// for those rows that some entity row can match by time. The offers are valid
// during the call; calls of one worker do not overlap.
func scan(ctx context.Context, p *plan, v viewPlan, ps parts, w window, threads int, most Batch, read *atomic.Int64, use func(worker int, o *offers) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for worker := range min(threads, len(ps.parts)) {
		group.Go(func() error {
			var o offers
			for {
				i := int(next.Add(1)) - 1
				if i >= len(ps.parts) {
					return nil
				}
				least, greatest, known := ps.parts[i].EventTimes()
				if known && (greatest < w.least || least > w.greatest) {
					continue
				}
				err := scanPart(ctx, ps.parts[i], ps.first[i], most, func(h *Heads, first int64) error {
					read.Add(int64(len(h.Versions)))
					if err := o.set(p, v, h, first, w); err != nil {
						row := first - ps.first[i] + int64(err.row)
						return fmt.Errorf("column %s, row %d: %w", v.Table.Keys()[err.column].Name, row, err.err)
					}
					return use(worker, &o)
				})
				if err != nil {
					return fmt.Errorf("view %s: %w", v.Name, err)
				}
			}
		})
	}
	return group.Wait()
}

func scanPart(ctx context.Context, part Part, first int64, most Batch, use func(h *Heads, first int64) error) (err error) {
	heads, err := part.Heads(ctx, most)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, heads.Close()) }()
	rows := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := heads.Next()
		if err == io.EOF {
			if rows != part.Rows() {
				return fmt.Errorf("%s has %d rows, and %d were read", part.Name(), part.Rows(), rows)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := use(h, first+rows); err != nil {
			return fmt.Errorf("%s: %w", part.Name(), err)
		}
		rows += int64(len(h.Versions))
	}
}

// set fills o with the rows of h that exist and are within the window.
func (o *offers) set(p *plan, v viewPlan, h *Heads, first int64, w window) *keyError {
	if err := o.keys.read(h.Keys, v.classes); err != nil {
		return err
	}
	rows := len(h.Versions)
	o.rows, o.from = slices.Grow(o.rows[:0], rows)[:rows], slices.Grow(o.from[:0], rows)[:rows]
	for i := range h.Versions {
		version := &h.Versions[i]
		from := version.EventTime
		exists := version.EventTime >= w.least && version.EventTime <= w.greatest
		if h.Skipped != nil && h.Skipped[i] {
			exists = false
		}
		if h.KnownAt != nil {
			exists = exists && h.KnownAt[i] <= p.knownAsOf
			if p.asServed {
				from = max(from, h.KnownAt[i])
			}
		}
		o.keys.null[i] = o.keys.null[i] || !exists
		o.rows[i] = offer{*version, placeOf(first+int64(i), h.Deleted != nil && h.Deleted[i])}
		o.from[i] = from
	}
	return nil
}
