package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/offline/bucket"
	"featurestore/offline/export"
	"featurestore/offline/history"
	"featurestore/offline/jobs"
	"featurestore/offline/pit"
)

// Exports bound what exports of a store's history may take. Zero fields mean the
// default.
type Exports struct {
	// Memory is for each that runs; default export.DefaultMemory. Threads are
	// goroutines of each; default DefaultExportThreads, for lookups come first.
	Memory  int64
	Threads int
	// Running is how many run at once; default export.DefaultRunning.
	Running int
	// MaxBytes and MaxRows bound entity rows that come with a request as an Arrow
	// stream; defaults export.DefaultStreamBytes and DefaultStreamRows.
	MaxBytes, MaxRows int64
	// Dir is where jobs write; "" is the folder exports of Data.
	Dir string
	// Stall is how long a client may take nothing of an export, or send nothing of its
	// entity rows; 0 is the default of server.Config.
	Stall time.Duration
}

// DefaultExportThreads is one: a store on two cores serves lookups with the other.
const DefaultExportThreads = 1

func (e Exports) validate() error {
	var errs []error
	for _, n := range []struct {
		setting string
		value   int64
	}{
		{"export_threads", int64(e.Threads)}, {"export_running", int64(e.Running)}, {"max_export_bytes", e.MaxBytes}, {"max_export_rows", e.MaxRows},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %d: it must be positive, or zero for the default", n.setting, n.value))
		}
	}
	if err := (pit.Config{MemoryLimit: e.Memory}).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("export_memory is %s: it must be at least 64MiB, or zero for the default", plainBytes(e.Memory)))
	}
	if bucket.IsURL(e.Dir) {
		errs = append(errs, fmt.Errorf("export_dir is %s: jobs write to a folder of this machine; featurestore export writes to buckets", e.Dir))
	}
	return errors.Join(errs...)
}

func (e Exports) withDefaults() Exports {
	if e.Memory == 0 {
		e.Memory = export.DefaultMemory
	}
	if e.Threads == 0 {
		e.Threads = DefaultExportThreads
	}
	if e.Running == 0 {
		e.Running = export.DefaultRunning
	}
	if e.MaxBytes == 0 {
		e.MaxBytes = export.DefaultStreamBytes
	}
	if e.MaxRows == 0 {
		e.MaxRows = export.DefaultStreamRows
	}
	return e
}

// exportDir is where jobs write.
func (c Config) exportDir() string {
	if c.Exports.Dir != "" {
		return c.Exports.Dir
	}
	return filepath.Join(c.Data, "exports")
}

// SpillDir returns the directory within data that holds what exports put aside while
// they run.
func SpillDir(data string) string { return filepath.Join(data, "spill") }

// openExports returns what makes exports of the store's history. What an earlier life
// left in the spill directory goes.
func (r *Replica) openExports(h *history.History, p *past) (*export.Exports, error) {
	spill := SpillDir(r.cfg.Data)
	if err := errors.Join(os.RemoveAll(spill), os.MkdirAll(spill, 0o700)); err != nil {
		return nil, fmt.Errorf("spill directory: %w", err)
	}
	c := r.cfg.Exports
	return export.NewExports(export.ExportsConfig{
		History: h, Files: p.files, Registry: r.store.Registry, Heads: r.heads, Hurry: p.ingester.Hurry, Running: c.Running,
		Began:   r.roomFor(c.Memory),
		Join:    pit.Config{MemoryLimit: c.Memory, Threads: c.Threads, SpillDir: spill},
		Streams: export.StreamLimits{Bytes: c.MaxBytes, Rows: c.MaxRows},
	})
}

// roomFor lets the heap grow by the memory of an export while that runs: where the
// collector works harder is set for lookups and pushes alone.
func (r *Replica) roomFor(memory int64) func() (ended func()) {
	return func() func() {
		if !r.limitsHeap() {
			return func() {}
		}
		heap.Lock()
		defer heap.Unlock()
		debug.SetMemoryLimit(debug.SetMemoryLimit(-1) + memory)
		return func() {
			heap.Lock()
			defer heap.Unlock()
			debug.SetMemoryLimit(debug.SetMemoryLimit(-1) - memory)
		}
	}
}

// heap is held while its limit, which is the process's, is changed.
var heap sync.Mutex

// Begin implements server.Exports, once the history is open.
func (p *past) Begin(ctx context.Context, project string, r *api.ExportRequest, entityRows io.Reader, fresh bool) (*export.Begun, error) {
	if err := p.await(ctx); err != nil {
		return nil, err
	}
	return p.exports.Begin(ctx, project, r, entityRows, fresh)
}

// exportJobs are the jobs of a past.
type exportJobs struct{ *past }

// Start implements server.ExportJobs, once those of an earlier life have begun again.
func (p exportJobs) Start(ctx context.Context, project string, r *api.ExportRequest, entityRows io.Reader, fresh bool) (jobs.Job, error) {
	select {
	case <-p.resumed:
		return p.jobs.Start(ctx, project, r, entityRows, fresh)
	case <-ctx.Done():
		return jobs.Job{}, fmt.Errorf("history cannot be reached: %w", ctx.Err())
	}
}

// heads are how far the logs of the store are, by shard.
func (r *Replica) heads() map[feature.Shard]hlc.Vector {
	heads := map[feature.Shard]hlc.Vector{}
	for _, shard := range r.store.Shards(meta.Region(r.cfg.Region)) {
		heads[shard] = r.store.Heads(shard)
	}
	return heads
}
