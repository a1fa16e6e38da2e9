package replica

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"featurestore/feature"
	"featurestore/meta"
	"featurestore/offline/export"
	"featurestore/offline/history"
)

// HistoryDir returns the directory within data that holds history.
func HistoryDir(data string) string { return filepath.Join(data, "history") }

// past keeps the store's history.
type past struct {
	history  *history.History
	ingester *history.Ingester
	upkeep   *history.Upkeep
	exports  *export.Exports
	jobs     *export.Jobs
}

// openHistory opens the history of the store, which holds the log for it.
func (r *Replica) openHistory(ctx context.Context) (*past, error) {
	log := r.telemetry.log.With("room", "history")
	h, err := history.Open(ctx, history.Config{
		Files: history.NewDisk(HistoryDir(r.cfg.Data)), Retain: r.cfg.HistoryRetain, Wall: r.cfg.Wall, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	if err := h.KeepRegion(ctx, r.cfg.Region); err != nil {
		h.Close()
		return nil, err
	}
	p := &past{history: h}
	p.ingester, err = history.NewIngester(r.ingestConfig(h))
	if err == nil {
		p.upkeep, err = history.NewUpkeep(history.UpkeepConfig{History: h, Registry: r.store.Registry, Logger: log})
	}
	if err == nil {
		p.exports, err = r.openExports(h, p.ingester)
	}
	if err == nil {
		p.jobs, err = export.NewJobs(export.JobsConfig{Exports: p.exports, Jobs: r.jobs, Dir: r.cfg.exportDir()})
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	r.store.HoldLogs(h.Progress)
	return p, nil
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
