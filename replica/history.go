package replica

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/offline/bucket"
	"featurestore/offline/export"
	"featurestore/offline/history"
)

// HistoryDir returns the directory within data that holds history.
func HistoryDir(data string) string { return filepath.Join(data, "history") }

// past keeps the store's history.
type past struct {
	files history.Files
	// opened is closed once what follows is set: a bucket may be out of reach when the
	// store begins.
	opened   chan struct{}
	history  *history.History
	ingester *history.Ingester
	upkeep   *history.Upkeep
	exports  *export.Exports
	jobs     *export.Jobs
	// life ends when jobs end; set before anything runs. Resumed is closed once those of
	// an earlier life are begun again.
	life    context.Context
	resumed chan struct{}
}

// openWithin is how long the begin of a store waits for its history's bucket, and
// reopenFirst to reopenMost between two tries after that.
const (
	openWithin  = 15 * time.Second
	reopenFirst = 500 * time.Millisecond
	reopenMost  = 30 * time.Second
)

// newPast opens the history of the store, which holds the log for it. A bucket that
// is out of reach keeps no store from serving: keepHistory goes on trying.
func (r *Replica) newPast(ctx context.Context) error {
	p := &past{opened: make(chan struct{}), resumed: make(chan struct{})}
	if r.cfg.HistoryBucket == "" {
		p.files = history.NewDisk(HistoryDir(r.cfg.Data))
	} else {
		b, err := bucket.Open(ctx, r.cfg.HistoryBucket, bucket.Options{Meter: r.telemetry.meter("history")})
		if err != nil {
			return fmt.Errorf("history_bucket: %w", err)
		}
		p.files = b
	}
	// Nothing goes before it is known how far history has come.
	r.store.HoldLogs(func(feature.Shard) hlc.Vector { return nil })
	within, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	err := r.openHistory(within, p)
	if err != nil && !isAway(err) {
		return err
	}
	if err != nil {
		r.telemetry.log.Error("history cannot be reached; the store serves, keeps its log, and tries until it can", "error", err)
	}
	r.past = p
	return nil
}

// isAway reports that a bucket did not answer.
func isAway(err error) bool {
	return errors.Is(err, bucket.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded)
}

// openHistory opens what p holds.
func (r *Replica) openHistory(ctx context.Context, p *past) error {
	log := r.telemetry.log.With("room", "history")
	// Before it is opened, which takes it from whoever has it.
	if err := history.CheckRegion(ctx, p.files, r.cfg.Region); err != nil {
		return err
	}
	if b, ok := p.files.(*bucket.Bucket); ok {
		if err := b.CheckCreate(ctx); err != nil {
			return fmt.Errorf("history_bucket: %w", err)
		}
	}
	h, err := history.Open(ctx, history.Config{Files: p.files, Retain: r.cfg.HistoryRetain, Wall: r.cfg.Wall, Logger: log})
	if err != nil {
		return err
	}
	if err := h.KeepRegion(ctx, r.cfg.Region); err != nil {
		h.Close()
		return err
	}
	p.ingester, err = history.NewIngester(r.ingestConfig(h))
	if err == nil {
		p.upkeep, err = history.NewUpkeep(history.UpkeepConfig{History: h, Registry: r.store.Registry, Logger: log})
	}
	if err == nil {
		p.exports, err = r.openExports(h, p)
	}
	if err == nil {
		p.jobs, err = export.NewJobs(export.JobsConfig{Exports: p.exports, Jobs: r.jobs, Dir: r.cfg.exportDir()})
	}
	if err != nil {
		h.Close()
		return err
	}
	p.history = h
	r.store.HoldLogs(h.Progress)
	close(p.opened)
	return nil
}

// await waits until the history is open.
func (p *past) await(ctx context.Context) error {
	select {
	case <-p.opened:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("history cannot be reached: %w", ctx.Err())
	}
}

// reopen tries to open a history whose bucket was away, until ctx ends or what fails
// is not to be mended by waiting. It tells each failure that differs from the last.
func (r *Replica) reopen(ctx context.Context) error {
	told := ""
	for wait := reopenFirst; ; wait = min(2*wait, reopenMost) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		err := r.openHistory(ctx, r.past)
		if err == nil || ctx.Err() != nil || isFinal(err) {
			return err
		}
		if told != "" && told != err.Error() {
			r.telemetry.log.Error("history still cannot be opened", "error", err)
		}
		told = err.Error()
	}
}

// isFinal reports that a history is another's, or cannot be kept where it is.
func isFinal(err error) bool {
	for _, final := range []error{history.ErrRegion, history.ErrFenced, history.ErrCorrupt, bucket.ErrNotConditional} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func (r *Replica) ingestConfig(h *history.History) history.IngestConfig {
	return history.IngestConfig{
		Log: r.store, History: h, Region: meta.Region(r.cfg.Region), MaxAge: r.cfg.HistoryEvery, Wall: r.cfg.Wall,
		Logger: r.telemetry.log.With("room", "history"), Meter: r.telemetry.meter("history"),
	}
}

// keepHistory keeps history until ctx ends, and commits what was read. What fails is
// tried again. A history that another store has taken over ends the keeping, not the
// store: from then on the log waits for nobody.
func (r *Replica) keepHistory(ctx context.Context) {
	select {
	case <-r.past.opened:
	default:
		if err := r.reopen(ctx); err != nil {
			if ctx.Err() == nil {
				r.telemetry.log.Error("history is not kept", "error", err)
				r.store.HoldLogs(nil)
			}
			return
		}
		r.telemetry.log.Info("history is reached, and kept")
	}
	if err := r.past.jobs.Resume(r.past.life); err != nil && r.past.life.Err() == nil {
		r.telemetry.log.Error("exports that had not ended are not begun again", "error", err)
	}
	close(r.past.resumed)
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return r.past.ingester.Run(ctx) })
	all.Go(func() error { return r.past.upkeep.Run(ctx) })
	all.Go(func() error { return r.keepDefinitions(ctx) })
	if err := all.Wait(); err != nil && !errors.Is(err, history.ErrClosed) {
		r.telemetry.log.Error("history is not kept any more", "error", err)
	}
	r.past.history.Close()
	r.store.HoldLogs(nil)
}

// definitionsEvery is how often it is looked whether other definitions are in force,
// endWithin how long the last ones may take.
const (
	definitionsEvery = 100 * time.Millisecond
	endWithin        = 5 * time.Second
)

// keepDefinitions keeps the definitions beside the rows that they are of.
func (r *Replica) keepDefinitions(ctx context.Context) error {
	var kept feature.RegistryVersion
	failing := false // it was told
	keep := func(ctx context.Context) error {
		if r.store.Registry().Version() == kept {
			return nil
		}
		version, encoded, err := r.store.EncodedRegistry()
		if err == nil {
			err = r.past.history.KeepDefinitions(ctx, version, encoded)
		}
		if err == nil {
			kept = version
		}
		return err
	}
	look := time.NewTicker(definitionsEvery)
	defer look.Stop()
	for {
		err := keep(ctx)
		if errors.Is(err, history.ErrClosed) {
			return err
		}
		if err != nil && ctx.Err() == nil && !failing {
			r.telemetry.log.Warn("definitions are not in history yet; it is tried until it works", "error", err)
		}
		failing = err != nil
		select {
		case <-look.C:
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
			defer cancel()
			return keep(end)
		}
	}
}
