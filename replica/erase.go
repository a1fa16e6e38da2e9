package replica

import (
	"context"
	"fmt"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/server"
)

var _ server.Eraser = (*past)(nil)

// Erase waits until history has what there is, and takes the rows out.
func (p *past) Erase(ctx context.Context, e server.Erasure) (api.ErasedHistory, error) {
	return p.erasing(ctx, e, (*history.Upkeep).Erase)
}

// Left waits likewise, and counts what is left of them.
func (p *past) Left(ctx context.Context, e server.Erasure) (api.ErasedHistory, error) {
	return p.erasing(ctx, e, (*history.Upkeep).Count)
}

func (p *past) erasing(ctx context.Context, e server.Erasure, do func(*history.Upkeep, context.Context, []feature.ViewID, ...feature.Key) (history.Erased, error)) (api.ErasedHistory, error) {
	if err := p.await(ctx); err != nil {
		return api.ErasedHistory{}, err
	}
	for shard, vector := range e.After {
		if err := p.reach(ctx, shard, vector); err != nil {
			return api.ErasedHistory{}, fmt.Errorf("history has not come to what the store has: %w", err)
		}
	}
	done, err := do(p.upkeep, ctx, []feature.ViewID{e.View}, e.Keys...)
	if err != nil {
		return api.ErasedHistory{}, err
	}
	in := p.history.Reader()
	defer in.Close()
	return api.ErasedHistory{Commit: in.Number(), Rows: done.Rows, Files: done.Files, Pending: done.Pending}, nil
}

// reach waits until history has what a vector of a shard covers, and hurries it.
func (p *past) reach(ctx context.Context, shard feature.Shard, vector hlc.Vector) error {
	for {
		committed := p.history.Committed()
		if p.history.Progress(shard).Covers(vector) {
			return nil
		}
		if err := p.history.Ended(); err != nil {
			return api.Problemf(api.CodeNotActive, "", "this store keeps its history no more: %v", err)
		}
		p.ingester.Hurry()
		select {
		case <-committed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
