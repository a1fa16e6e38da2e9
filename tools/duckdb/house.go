package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/online"
)

// house is two real stores that write apart, and the history that the first one keeps
// of both logs.
type house struct {
	stores  [2]*online.Store
	past    *history.History
	root    string // of the history
	wall    atomic.Int64
	stop    context.CancelFunc
	ended   chan error
	project string
}

// openHouse opens a house in a folder, with definitions. The caller closes it.
func openHouse(ctx context.Context, dir, definitions string) (_ *house, err error) {
	h := &house{root: filepath.Join(dir, "history"), ended: make(chan error, 2)}
	h.wall.Store(began / 1e6)
	ctx, h.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	for i := range h.stores {
		h.stores[i], err = online.Open(online.Config{
			Dir: filepath.Join(dir, fmt.Sprint("store-", i)), Store: fmt.Sprint("eu-", i), Region: "eu", Deployment: "check",
			HotBytes: -1, MemTableBytes: 8 << 20, Wall: func() time.Time { return time.UnixMilli(h.wall.Load()) },
		})
		if err != nil {
			return nil, err
		}
		go func() { h.ended <- h.stores[i].Run(ctx) }()
	}
	// Small files of one day are compacted at once, and those they replace stay.
	h.past, err = history.Open(ctx, history.Config{Files: history.NewDisk(h.root), CompactFiles: 2, Keep: time.Hour})
	if err != nil {
		return nil, err
	}
	return h, h.apply(ctx, definitions)
}

// close ends what was opened.
func (h *house) close() error {
	if h.past != nil {
		h.past.Close()
	}
	h.stop()
	var errs []error
	for _, s := range h.stores {
		if s != nil {
			errs = append(errs, <-h.ended)
		}
	}
	for _, s := range h.stores {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// apply puts definitions in force at both stores.
func (h *house) apply(ctx context.Context, text string) error {
	d, err := definition.Parse("check.yaml", strings.NewReader(text))
	if err != nil {
		return err
	}
	h.project = d.Project
	for _, s := range h.stores {
		if _, err := s.Apply(ctx, d, nil); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) catalog() *feature.Catalog {
	c, _ := h.stores[0].Registry().Catalog(h.project)
	return c
}

// write appends a change at one store, for history alone or to be served as well, and
// returns its version.
func (h *house) write(ctx context.Context, store int, c feature.Change, shard feature.Shard, logOnly bool) (feature.Version, error) {
	receipt, err := h.stores[store].Append(ctx, online.Write{Changes: []online.Placed{{Change: c, Shard: shard}}, LogOnly: logOnly})
	if err != nil {
		return feature.Version{}, err
	}
	at := receipt.Positions[0].Position
	return feature.Version{EventTime: c.EventTime, Generation: c.Generation, At: at.At, Origin: at.Origin}, nil
}

// follow joins what one store's own log has to the other's.
func (h *house) follow(ctx context.Context, from, to int) error {
	source, target := h.stores[from], h.stores[to]
	for _, shard := range source.Shards("eu") {
		iv, _, err := source.ReadLog(ctx, shard, source.Origin(), target.Heads(shard)[source.Origin()], 1<<30)
		if err != nil {
			return err
		}
		if len(iv.Entries) == 0 {
			continue
		}
		joined := make(chan error, 1)
		target.Join(iv, func(err error) { joined <- err })
		if err := <-joined; err != nil {
			return err
		}
	}
	return nil
}

// ingest brings history up to the first store's logs.
func (h *house) ingest(ctx context.Context) error {
	s := h.stores[0]
	var want hlcHeads
	for _, shard := range s.Shards("eu") {
		for origin, head := range s.Heads(shard) {
			want = append(want, hlcHead{shard, origin, head})
		}
	}
	in, err := history.NewIngester(history.IngestConfig{Log: s, History: h.past, Region: "eu", MaxAge: time.Millisecond, Poll: time.Millisecond})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- in.Run(running) }()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !want.reached(h.past) {
		select {
		case err := <-ended:
			return errors.Join(err, errors.New("the ingester ended before it had all"))
		case <-look.C:
		}
	}
	stop()
	return <-ended
}

// hlcHead is the end of an origin's log.
type hlcHead struct {
	shard  feature.Shard
	origin hlc.Origin
	at     hlc.Timestamp
}

type hlcHeads []hlcHead

func (hs hlcHeads) reached(past *history.History) bool {
	for _, h := range hs {
		if past.Progress(h.shard)[h.origin] < h.at {
			return false
		}
	}
	return true
}

// compact makes few files of many; those that it replaces stay in the folder.
func (h *house) compact(ctx context.Context) (replaced int, err error) {
	u, err := history.NewUpkeep(history.UpkeepConfig{History: h.past, Registry: h.stores[0].Registry})
	if err != nil {
		return 0, err
	}
	return u.Compact(ctx)
}

// folder is a temporary folder that goes.
func folder() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "duckdb-check-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}
