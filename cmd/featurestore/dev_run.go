package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"featurestore/feature"
	"featurestore/replica"
)

// patienceOfDev is after how long dev says what it waits for: on a slow machine
// stores find each other in a second.
const patienceOfDev = 5 * time.Second

// run runs every store and relay until ctx ends. Once all stores are ready or
// were removed, work runs beside them; an error of any stops all.
func (d *deployment) run(ctx context.Context, report io.Writer, work func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	// Links outlive the stores that talk through them.
	relayCtx, stopRelays := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRelays()
	var relays errgroup.Group
	for _, r := range d.relays {
		relays.Go(func() error { return r.Run(relayCtx) })
	}
	for _, s := range d.stores {
		group.Go(func() error { return s.run(ctx, report) })
	}
	group.Go(func() error {
		if err := d.await(ctx, report); err != nil {
			return nil // ctx has ended
		}
		return work(ctx)
	})
	err := group.Wait()
	stopRelays()
	return errors.Join(err, relays.Wait())
}

// await returns once every store is ready or was removed, or with ctx's error.
// What it waits for long it reports.
func (d *deployment) await(ctx context.Context, report io.Writer) error {
	late := time.NewTicker(patienceOfDev)
	defer late.Stop()
	for _, s := range d.stores {
		for open := true; open; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.ready:
				open = false
			case <-s.gone:
				open = false
			case <-late.C:
				fmt.Fprintf(report, "waiting for store %s: %v\n", s.config.Store, s.replica().Started())
			}
		}
	}
	return nil
}

// running are the stores that were not removed, in the order of the regions.
func (d *deployment) running() []*devStore {
	return slices.DeleteFunc(slices.Clone(d.stores), (*devStore).isGone)
}

// first is the first region's store that runs, or that ran.
func (d *deployment) first() *devStore { return append(d.running(), d.stores[0])[0] }

// apply applies definitions at the home, and reports whether they changed
// anything. Where the home does not run, what was applied before is left as it
// is.
func (d *deployment) apply(ctx context.Context, definitions feature.Definitions) (changed bool, err error) {
	var r *replica.Replica
	for _, s := range d.running() {
		if r = s.replica(); r.IsHome() {
			plan, err := r.Apply(ctx, definitions)
			return err == nil && !plan.IsEmpty(), err
		}
	}
	if r == nil {
		return false, nil // all were removed meanwhile
	}
	if _, applied := r.Registry().Catalog(definitions.Project); applied {
		return false, nil
	}
	return false, fmt.Errorf("definitions change at store %s, the home, which does not run: name its region in --regions too", r.Home())
}

// agree returns once every store has the newest definitions that any has, or
// with ctx's error.
func (d *deployment) agree(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	want := uint64(0)
	for _, s := range d.running() {
		want = max(want, s.replica().Registry().Revision())
	}
	for _, s := range d.stores {
		for !s.isGone() && s.replica().Registry().Revision() < want {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}
