package pit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"
)

// pageBytes is what reading one column of a part takes: a page as it is in the
// file, the same unpacked, one that the collector has not freed yet.
const pageBytes = 5 << 19

// mostColumns are read together, however much memory there is.
const mostColumns = 64

// feedsOf divides what is wanted into feeds.
func feedsOf(p *plan, threads int, pages int64) []feed {
	each := int(max(1, min(mostColumns, pages/pageBytes/int64(threads))))
	var feeds []feed
	for i, v := range p.views {
		for start := 0; start < len(v.wanted); start += each {
			f := feed{view: i}
			var fields []arrow.Field
			for c := start; c < min(start+each, len(v.wanted)); c++ {
				f.columns = append(f.columns, c)
				field := v.fields[c]
				field.Nullable = true
				fields = append(fields, field)
			}
			f.schema = arrow.NewSchema(fields, nil)
			feeds = append(feeds, f)
		}
	}
	return feeds
}

// fetch reads the values of a view's matches.
func (j *join) fetch(ctx context.Context, view int, ps parts, found *matches, to *values) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(j.config.Threads, len(found.ranges)) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(found.ranges) {
					return nil
				}
				err := found.each(i, found.limit/int64(j.config.Threads), func(m []match) error {
					return j.fetchMatches(ctx, view, ps, m, to)
				})
				if err != nil {
					return fmt.Errorf("view %s: %w", j.plan.views[view].Name, err)
				}
			}
		})
	}
	return group.Wait()
}

// fetchMatches reads the values of matches that are ordered by feature row.
func (j *join) fetchMatches(ctx context.Context, view int, ps parts, m []match, to *values) error {
	for len(m) > 0 {
		part := ps.of(m[0].feature)
		end := 1
		for end < len(m) && m[end].feature < ps.first[part+1] {
			end++
		}
		for f := range to.feeds {
			if to.feeds[f].view != view {
				continue
			}
			if err := j.fetchPart(ctx, ps, part, m[:end], f, to); err != nil {
				return err
			}
		}
		m = m[end:]
	}
	return nil
}

func (j *join) fetchPart(ctx context.Context, ps parts, part int, m []match, f int, to *values) (err error) {
	v := j.plan.views[to.feeds[f].view]
	rows := make([]int64, 0, len(m))
	for i := range m {
		if i == 0 || m[i].feature != m[i-1].feature {
			rows = append(rows, m[i].feature-ps.first[part])
		}
	}
	columns := make([]int, len(to.feeds[f].columns))
	for i, c := range to.feeds[f].columns {
		columns[i] = v.wanted[c]
	}
	in, err := ps.parts[part].Values(ctx, columns, rows, j.batch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := in.Next()
		if err == io.EOF {
			if len(m) > 0 {
				return fmt.Errorf("%s: values of %d matched rows are missing", ps.parts[part].Name(), len(m))
			}
			return nil
		}
		if err != nil {
			return err
		}
		var places []placement
		if places, m = placeRows(m, int(r.NumRows())); places == nil && r.NumRows() > 0 {
			r.Release()
			return fmt.Errorf("%s: more values came than were asked for", ps.parts[part].Name())
		}
		if err := to.add(f, r, places); err != nil {
			return err
		}
	}
}

// placeRows gives the matches of the next rows' values to them, and returns the
// rest; nil where there are fewer matches than rows.
func placeRows(m []match, rows int) ([]placement, []match) {
	places := make([]placement, 0, rows)
	for row := range rows {
		if len(m) == 0 {
			return nil, nil
		}
		feature := m[0].feature
		for len(m) > 0 && m[0].feature == feature {
			places = append(places, placement{entity: m[0].entity, row: int32(row)})
			m = m[1:]
		}
	}
	return places, m
}
