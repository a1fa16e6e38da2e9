package server

import (
	"context"
	"net/http"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/online"
)

// Erasure is what is to be taken out of history.
type Erasure struct {
	View feature.ViewID
	Keys []feature.Key
	// After says what history must have before: entries up to these vectors may be of
	// the keys.
	After map[feature.Shard]hlc.Vector
}

// Eraser takes entities out of the history that a store keeps.
type Eraser interface {
	// Erase waits until history has what there is, and takes the rows out. Doing it again
	// is safe.
	Erase(context.Context, Erasure) (api.ErasedHistory, error)
	// Left waits likewise, and counts what is left of them.
	Left(context.Context, Erasure) (api.ErasedHistory, error)
}

// erase serves POST /v1/projects/{project}/erase: it takes all that was ever written of
// deleted rows out of this store's history, once that has what the request's session saw,
// the deletes among it. Other stores' histories are theirs: who erases deletes in
// each region first, and then asks each (featurestore erase).
func (s *Server) erase(r *request) error {
	d, err := s.readDeletion(r, api.ScanErase)
	if err != nil {
		return err
	}
	views, err := pushedViews(d.catalog, d.View, "")
	if err != nil {
		return err
	}
	w, err := s.deleting(views, d.rows, s.cfg.Now().UnixNano())
	if err != nil {
		return err
	}
	if err := s.awaitSession(r, w.targets()); err != nil {
		return err
	}
	out := &api.EraseResponse{Region: s.cfg.Region, Store: s.cfg.Store, View: d.View, Entities: w.rows.n}
	if out.Served, err = s.countServed(r, w); err != nil {
		return err
	}
	if out.Served > 0 && !d.Check {
		return api.Problemf(api.CodeInvalidRequest, "entities", "rows of %d of them are served: delete them, and erase in the session of that", out.Served)
	}
	if !d.Check {
		out.LogUntil = s.cfg.Now().Add(s.cfg.LogAge).UTC().Format(time.RFC3339)
	}
	if s.cfg.Eraser != nil {
		do := s.cfg.Eraser.Erase
		if d.Check {
			do = s.cfg.Eraser.Left
		}
		done, err := do(r.context(), s.erasure(w))
		if err != nil {
			return err
		}
		out.History = &done
	}
	if s.cfg.Served != nil {
		do := s.cfg.Served.Erase
		if d.Check {
			do = s.cfg.Served.Count
		}
		e := s.erasure(w)
		done, err := do(r.context(), []feature.ViewID{e.View}, e.Keys...)
		if err != nil {
			return err
		}
		out.ServedLog = &api.ErasedServedLog{Entities: done.Entities, Files: done.Files}
	}
	return r.json(http.StatusOK, out)
}

// awaitSession waits until this store has what the request's session saw of shards.
func (s *Server) awaitSession(r *request, targets []consistency.Target) error {
	token, err := s.sessionOf(r)
	if err != nil {
		return err
	}
	here := consistency.Read{
		Alternatives: []consistency.Alternative{{Level: consistency.Session}}, Token: token,
		Fallback: consistency.Fallback{Wait: max(0, time.Until(r.deadline())), Unmet: consistency.Fail},
	}
	_, err = s.cfg.Coordinator.AdmitRead(r.context(), &here, targets)
	return err
}

// erasure is what of history is of the rows of w.
func (s *Server) erasure(w write) Erasure {
	e := Erasure{View: w.views[0].ID, After: map[feature.Shard]hlc.Vector{}}
	for i := range w.rows.changes {
		c := &w.rows.changes[i]
		e.Keys = append(e.Keys, c.Key)
		e.After[c.Shard] = s.cfg.Online.Heads(c.Shard)
	}
	return e
}

// countServed counts the rows of w that this store serves.
func (s *Server) countServed(r *request, w write) (n int, err error) {
	var batch online.Batch
	for i := range w.rows.changes {
		c := &w.rows.changes[i]
		batch.Add(c.Shard, c.View, c.Key)
	}
	if err := s.cfg.Online.Read(r.context(), &batch); err != nil {
		return 0, err
	}
	for i := range batch.Len() {
		encoded := batch.Row(i)
		if encoded == nil {
			continue
		}
		row, err := feature.DecodeRow(encoded)
		if err != nil {
			return 0, err
		}
		if len(row.Cells) > 0 {
			n++
		}
	}
	return n, nil
}
