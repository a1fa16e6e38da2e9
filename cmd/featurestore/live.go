package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"featurestore/replica"
)

// live runs a store until ctx ends. When the store was evicted, its data is put
// aside, and another life of it begins in the same place; report is told. Begun
// is told of each life once that answers requests. The error is
// replica.ErrDrained when the store was removed in order.
func live(ctx context.Context, report io.Writer, c replica.Config, r *replica.Replica, begun func(*replica.Replica) error) error {
	for {
		err := runStore(ctx, r, func(context.Context) error { return begun(r) })
		if !errors.Is(err, replica.ErrRetired) {
			return err
		}
		aside, err := replica.Renew(c)
		if err != nil {
			return fmt.Errorf("store %s was evicted, and its data could not be put aside: %w", c.Store, err)
		}
		if _, err := fmt.Fprintf(report, "store %s was evicted; its data lies in %s, and it joins anew\n", c.Store, aside); err != nil {
			return err
		}
		c.Listener, c.PeerListener = nil, nil // the life before has closed them
		if r, err = replica.New(c); err != nil {
			return fmt.Errorf("store %s was evicted, and cannot begin anew: %w", c.Store, err)
		}
	}
}

// left says that a store was removed in order.
func left(c replica.Config) string {
	return fmt.Sprintf("store %s has left its deployment: the others have all that it had", c.Store)
}

// runStore runs a store until ctx ends. Once it is ready, work runs beside it;
// an error of either stops both.
func runStore(ctx context.Context, r *replica.Replica, work func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.Run(ctx) })
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-r.Ready():
			return work(ctx)
		}
	})
	return group.Wait()
}
