package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"featurestore/sdk"

	"golang.org/x/sync/errgroup"
)

// loader sends the chunks of one file to one store.
type loader struct {
	client *sdk.Client
	// file names the content of the file in idempotency keys.
	file string

	lines    atomic.Int64 // in item_stats, which every line writes
	rows     atomic.Int64 // stored, by this run or one before
	repeated atomic.Int64 // rows that a run before had stored
}

// chunksAhead may wait for a view that is slower than the others.
const chunksAhead = 2

// run loads the lines of r. It returns the first error; what was stored before
// stays, and is not counted again by the next run.
func (ld *loader) run(ctx context.Context, r *lineReader) error {
	group, ctx := errgroup.WithContext(ctx)
	send := func(work func(context.Context, *chunk) error) chan<- *chunk {
		chunks := make(chan *chunk, chunksAhead)
		group.Go(func() error {
			for c := range chunks {
				if err := work(ctx, c); err != nil {
					return fmt.Errorf("lines %d to %d: %w", c.first, c.last, err)
				}
			}
			return nil
		})
		return chunks
	}
	cancellations, err := sdk.NewWriter[event](ld.client, sdk.View("item_cancellation"), sdk.WriterConfig{})
	if err != nil {
		return err
	}
	group.Go(func() error { return cancellations.Run(ctx) })
	views := []chan<- *chunk{
		send(func(ctx context.Context, c *chunk) error { return ld.push(ctx, "customer_stats", c, c.known) }),
		send(func(ctx context.Context, c *chunk) error { return ld.push(ctx, "customer_item", c, c.known) }),
		send(func(ctx context.Context, c *chunk) error {
			if err := ld.push(ctx, "item_stats", c, c.all); err != nil {
				return err
			}
			ld.lines.Add(int64(len(c.all)))
			return nil
		}),
	}
	written := make(chan *chunk, chunksAhead)
	group.Go(func() error {
		for c := range written {
			if err := ld.write(ctx, cancellations, c.cancellations); err != nil {
				return fmt.Errorf("lines %d to %d: %w", c.first, c.last, err)
			}
		}
		return cancellations.Close(ctx)
	})
	group.Go(func() error { return readChunks(ctx, r, append(views, written)...) })
	return group.Wait()
}

// push sends the rows of a chunk to a view in one request, under the key that
// they have in every run (W2).
func (ld *loader) push(ctx context.Context, view string, c *chunk, rows []event) error {
	if len(rows) == 0 {
		return nil
	}
	to := sdk.View(view)
	to.IdempotencyKey = fmt.Sprintf("online_retail/%s/%s/%d", ld.file, view, c.first)
	result, err := sdk.Push(ctx, ld.client, to, rows...)
	if err != nil {
		return fmt.Errorf("view %s: %w", view, err)
	}
	ld.rows.Add(int64(result.Accepted))
	if result.Repeated {
		ld.repeated.Add(int64(result.Accepted))
	}
	return nil
}

// write hands rows to a writer and waits until each has its verdict.
func (ld *loader) write(ctx context.Context, w *sdk.Writer[event], rows []event) error {
	futures := make([]*sdk.Future, len(rows))
	for i, row := range rows {
		var err error
		if futures[i], err = w.Push(ctx, row); err != nil {
			return err
		}
	}
	for _, f := range futures {
		if _, err := f.Wait(ctx); err != nil {
			return err
		}
	}
	ld.rows.Add(int64(len(rows)))
	return nil
}
