package replica

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"featurestore/api"
	"featurestore/offline/batch"
	"featurestore/offline/bucket"
	"featurestore/offline/outside"
)

// sources are where batch sources lie.
type sources interface {
	batch.Files
	io.Closer
}

func (r *Replica) openSources(ctx context.Context) (sources, error) {
	if bucket.IsURL(r.cfg.BatchSources) {
		return batch.OpenBucket(ctx, r.cfg.BatchSources, bucket.Options{Meter: r.telemetry.meter("batch")})
	}
	return batch.OpenDisk(r.cfg.BatchSources)
}

// openBatches opens the folder of batch sources, and what materializes them.
func (r *Replica) openBatches(ctx context.Context) error {
	files, err := r.openSources(ctx)
	if err != nil {
		return fmt.Errorf("batch_sources: %w", err)
	}
	r.sources = files
	r.batches, err = batch.New(batch.Config{
		Files: r.sources, Edge: ownEdge{r}, Rows: r.store, Registry: r.store.Registry, May: r.mayMaterialize,
		Outside: outside.Config{Program: r.cfg.Reader.Program, Args: r.cfg.Reader.Args, MemoryBytes: r.cfg.BatchMemory},
		Logger:  r.telemetry.log.With("room", "batch"), Meter: r.telemetry.meter("batch"),
	})
	return err
}

// mayMaterialize returns nil at the home.
func (r *Replica) mayMaterialize() error {
	if home := r.Home(); home != "" && home != r.cfg.Store {
		return api.Problemf(api.CodeHomeUnreachable, "", "store %s is not the home any more, %s is: ask again, and it goes on there", r.cfg.Store, home)
	}
	return nil
}

// ownEdge takes pushes as the edge does, without a connection.
type ownEdge struct{ r *Replica }

// Push implements batch.Edge.
func (e ownEdge) Push(ctx context.Context, project string, header map[string]string, body []byte) (*api.PushResponse, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "/v1/projects/"+url.PathEscape(project)+"/push", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer := &recorded{header: http.Header{}, status: http.StatusOK}
	e.r.server.Handler().ServeHTTP(answer, request)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if answer.status >= http.StatusMultipleChoices {
		p := &api.Problem{}
		if err := json.Unmarshal(answer.body.Bytes(), p); err != nil {
			return nil, fmt.Errorf("the edge answered %d: %w", answer.status, err)
		}
		return nil, p
	}
	out := &api.PushResponse{}
	return out, json.Unmarshal(answer.body.Bytes(), out)
}

// recorded is an answer that stays here.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *recorded) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *recorded) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *recorded) Write(p []byte) (int, error) { return a.body.Write(p) }
