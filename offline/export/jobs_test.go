package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/offline/jobs"
	"featurestore/offline/pit"
)

// gate lets nobody read a file of rows while it is closed, and tells when somebody
// stands before it.
type gate struct {
	history.Files
	mu    sync.Mutex
	open  chan struct{}
	waits chan struct{}
}

func (g *gate) Open(ctx context.Context, name string) (history.File, error) {
	if strings.HasSuffix(name, ".parquet") {
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		select {
		case <-open:
		default:
			select {
			case g.waits <- struct{}{}:
			default:
			}
			select {
			case <-open:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return g.Files.Open(ctx, name)
}

// life is a process that runs jobs, until it is killed or ends.
type life struct {
	*Jobs
	history  *history.History
	registry *jobs.Registry
	end      func()
}

// live begins a life with the history of a house in which every file lies behind g.
func (h *house) live(dir string, g *gate, edit ...func(*history.Config)) *life {
	h.Helper()
	cfg := history.Config{Files: g}
	for _, e := range edit {
		e(&cfg)
	}
	written, err := history.Open(h.Context(), cfg)
	if err != nil {
		h.Fatal(err)
	}
	x, err := NewExports(ExportsConfig{
		History: written, Files: g, Registry: h.store.Registry, Heads: func() map[feature.Shard]hlc.Vector { return nil }, Hurry: func() {},
		Join: pit.Config{SpillDir: h.TempDir()},
	})
	if err != nil {
		h.Fatal(err)
	}
	l := &life{history: written}
	if l.registry, err = jobs.New(jobs.Config{Prefix: "eu-1", Running: 1}); err != nil {
		h.Fatal(err)
	}
	if l.Jobs, err = NewJobs(JobsConfig{Exports: x, Jobs: l.registry, Dir: dir}); err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := l.Resume(ctx); err != nil {
		h.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- l.registry.Run(ctx) }()
	l.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			h.Error(err)
		}
		written.Close()
	})
	h.Cleanup(l.end)
	return l
}

func (l *life) await(t testing.TB, id jobs.ID) jobs.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j, err := l.registry.Wait(ctx, id)
	if err != nil {
		t.Fatalf("job %s is %s: %v", id, j.State, err)
	}
	return j
}

func filesIn(t testing.TB, dir string) string {
	t.Helper()
	var names []string
	for _, folder := range []string{dir, filepath.Join(dir, recordFolder)} {
		found, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.Name() != recordFolder {
				names = append(names, f.Name())
			}
		}
	}
	return strings.Join(names, " ")
}

// A job makes the file that the export itself makes, with its manifest, and nothing else.
func TestAJobMakesTheFile(t *testing.T) {
	h := open(t, 1)
	h.write(60)
	p := h.past()
	h.history.Close()
	dir := filepath.Join(t.TempDir(), "exports")
	all := make(chan struct{})
	close(all)
	l := h.live(dir, &gate{Files: h.files, open: all, waits: make(chan struct{}, 1)})
	request := &api.ExportRequest{Service: "driver_v1", Out: "train.parquet"}
	entities := streamOf(t, nil, entityRecord(1, 2, 3), entityRecord(4, 5))
	j, err := l.Start(t.Context(), "rides", request, bytes.NewReader(entities), false)
	if err != nil {
		t.Fatal(err)
	}
	if j = l.await(t, j.ID); j.State != jobs.Done || j.Err != nil || j.Kind != JobKind || j.Of != "train.parquet" || j.Done != j.Total || j.Total < 5 {
		t.Fatalf("got %+v", j)
	}
	m := j.Detail.(*api.ExportManifest)
	want := filepath.Join(t.TempDir(), "train.parquet")
	stream, err := NewEntityStream(t.Context(), bytes.NewReader(entities), StreamLimits{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	training, err := p.Training(t.Context(), TrainingRequest{Service: "driver_v1", EventTime: "event_timestamp"})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := Write(t.Context(), training.Of(h.config(), stream), want)
	if err != nil || direct.SHA256 != m.SHA256 || m.File != "train.parquet" || m.Rows != 5 {
		t.Errorf("got %+v, want %+v, %v", m, direct, err)
	}
	if got := filesIn(t, dir); got != "train.parquet train.parquet.manifest.json" {
		t.Errorf("there are %s", got)
	}
}

// A job that was killed half-way, or before it began, goes on in the next life under its
// name, with the entity rows, the commit and the definitions that it was begun with: the
// same bytes, though more was written meanwhile.
func TestAJobGoesOnInTheNextLife(t *testing.T) {
	h := open(t, 2)
	h.write(60)
	first := h.past()
	h.history.Close()
	dir := filepath.Join(t.TempDir(), "of [eu]*") // no pattern
	closed := make(chan struct{})
	g := &gate{Files: h.files, open: closed, waits: make(chan struct{}, 1)}
	l := h.live(dir, g)
	entities := streamOf(t, nil, entityRecord(1, 2, 3))
	running, err := l.Start(t.Context(), "rides", &api.ExportRequest{Service: "driver_v1", Out: "train.parquet"}, bytes.NewReader(entities), false)
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := l.Start(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats", Out: "now.parquet"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	unwanted, err := l.Start(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats", Out: "unwanted.parquet"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.registry.Cancel(unwanted.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats", Out: "now.parquet"}, nil, false); !errors.Is(err, jobs.ErrBusy) {
		t.Errorf("two jobs of one file: got %v, want %v", err, jobs.ErrBusy)
	}
	<-g.waits // the first one stands before a file
	l.end()
	if err := os.WriteFile(filepath.Join(dir, ".train.parquet.1.part"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := filesIn(t, dir); strings.Contains(got, "unwanted") || strings.Contains(got, "manifest") || !strings.Contains(got, "train.parquet.job") || !strings.Contains(got, "now.parquet.job") {
		t.Errorf("after the first life there are %s", got)
	}

	// Another life writes more, and other definitions.
	if h.history, err = history.Open(t.Context(), history.Config{Files: h.files}); err != nil {
		t.Fatal(err)
	}
	h.write(40)
	h.apply(strings.Replace(rides, "name: note, type", "name: remark, renamed_from: note, type", 1))
	h.past()
	h.history.Close()

	close(closed)
	l = h.live(dir, g)
	for id, out := range map[jobs.ID]string{running.ID: "train.parquet", waiting.ID: "now.parquet"} {
		j := l.await(t, id)
		if j.State != jobs.Done {
			t.Fatalf("%s is %s: %v", out, j.State, j.Err)
		}
		request := &api.ExportRequest{Snapshot: "driver_stats"}
		var rows OpenRows
		if out == "train.parquet" {
			request = &api.ExportRequest{Service: "driver_v1"}
			rows = rowsFrom(t, entities)
		}
		e, err := first.Ask(t.Context(), "rides", request, rows, h.config())
		if err != nil {
			t.Fatal(err)
		}
		m, err := Write(t.Context(), e, filepath.Join(t.TempDir(), out))
		if err != nil {
			t.Fatal(err)
		}
		if got := j.Detail.(*api.ExportManifest); got.SHA256 != m.SHA256 || got.RegistryRevision != m.RegistryRevision {
			t.Errorf("%s: got %+v, want %+v", out, got, m)
		}
	}
	if got := filesIn(t, dir); strings.Contains(got, ".job") || strings.Contains(got, ".part") || strings.Count(got, "manifest") != 2 {
		t.Errorf("in the end there are %s", got)
	}
}

func rowsFrom(t testing.TB, stream []byte) OpenRows {
	return func(*Training) (array.RecordReader, error) {
		return NewEntityStream(t.Context(), bytes.NewReader(stream), StreamLimits{})
	}
}

// A job that waits for another in a later life keeps what it reads, as it did in its first.
func TestAJobThatWaitsAgainKeepsItsCommit(t *testing.T) {
	h := open(t, 6)
	h.write(30)
	h.past()
	h.history.Close()
	dir := t.TempDir()
	g := &gate{Files: h.files, open: make(chan struct{}), waits: make(chan struct{}, 1)}
	l := h.live(dir, g)
	var ids []jobs.ID
	for _, out := range []string{"one.csv", "two.csv"} {
		j, err := l.Start(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats", Out: out}, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	<-g.waits
	l.end()
	l = h.live(dir, g, func(c *history.Config) {
		var looks atomic.Int64 // each of which is a second later
		c.Retain, c.Keep, c.WholeEvery = time.Hour, time.Nanosecond, 1
		c.Wall = func() time.Time { return time.Now().Add(480*time.Hour + time.Duration(looks.Add(1))*time.Second) }
	})
	<-g.waits // one runs, the other waits
	u, err := history.NewUpkeep(history.UpkeepConfig{History: l.history, Registry: h.store.Registry})
	if err == nil {
		err = u.Retain(t.Context())
	}
	if err == nil {
		<-time.After(2 * time.Millisecond) // history counts in milliseconds
		err = u.Collect(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	close(g.open)
	for _, id := range ids {
		if j := l.await(t, id); j.State != jobs.Done {
			t.Errorf("%s is %s: %v", j.Of, j.State, j.Err)
		}
	}
}

// A job that is canceled while its record is being written leaves none.
func TestACanceledJobLeavesNoRecord(t *testing.T) {
	h := open(t, 7)
	h.write(10)
	h.past()
	h.history.Close()
	dir := t.TempDir()
	l := h.live(dir, &gate{Files: h.files, open: make(chan struct{}), waits: make(chan struct{}, 1)})
	if _, err := l.Start(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats", Out: "one.csv"}, nil, false); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // cancels each job as soon as there is one
		for {
			for _, j := range l.registry.List("") {
				if j.Of == "two.csv" && !j.State.HasEnded() {
					_, _ = l.registry.Cancel(j.ID) // it may be gone
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	for range 20 {
		j, err := l.Start(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats", Out: "two.csv"}, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		l.await(t, j.ID)
	}
	close(done)
	deadline := time.Now().Add(10 * time.Second) // Cancel forgets a moment after the end
	for got := filesIn(t, dir); got != "one.csv.job"; got = filesIn(t, dir) {
		if time.Now().After(deadline) {
			t.Fatalf("there are %s", got)
		}
		<-time.After(time.Millisecond)
	}
}

// A job that ends the process whenever it runs does not do so for ever; one that was
// merely there when the process ended in order goes on.
func TestAJobDoesNotEndEveryLife(t *testing.T) {
	h := open(t, 5)
	h.write(30)
	h.past()
	h.history.Close()
	dir := t.TempDir()
	g := &gate{Files: h.files, open: make(chan struct{}), waits: make(chan struct{}, 1)}
	l := h.live(dir, g)
	j, err := l.Start(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats", Out: "now.csv"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, recordFolder, "now.csv"+recordEnding)
	for range maxLives + 2 {
		<-g.waits
		l.end()
		l = h.live(dir, g)
	}
	for range maxLives {
		<-g.waits // it runs
		running, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		l.end()
		if err := os.WriteFile(path, running, 0o600); err != nil { // as if the process had died
			t.Fatal(err)
		}
		l = h.live(dir, g)
	}
	if j = l.await(t, j.ID); j.State != jobs.Failed || j.Err == nil || !strings.Contains(j.Err.Error(), fmt.Sprintf("died %d times", maxLives)) {
		t.Errorf("got %+v", j)
	}
	if got := filesIn(t, dir); got != "" {
		t.Errorf("there are %s", got)
	}
}

// A commit whose files are gone is told, and never another one in its place.
func TestAJobWhoseCommitIsGoneFails(t *testing.T) {
	h := open(t, 3)
	h.write(30)
	h.past()
	h.history.Close()
	dir := t.TempDir()
	g := &gate{Files: h.files, open: make(chan struct{}), waits: make(chan struct{}, 1)}
	l := h.live(dir, g)
	j, err := l.Start(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats", Out: "now.csv"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	<-g.waits
	l.end()
	close(g.open)
	later := func() time.Time { return time.Now().Add(48 * time.Hour) }
	again, err := history.Open(t.Context(), history.Config{Files: h.files, Retain: time.Hour, Keep: time.Hour, Wall: later})
	if err != nil {
		t.Fatal(err)
	}
	u, err := history.NewUpkeep(history.UpkeepConfig{History: again, Registry: h.store.Registry})
	if err == nil {
		err = u.Retain(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if again, err = history.Open(t.Context(), history.Config{Files: h.files, Keep: time.Hour, Wall: func() time.Time { return later().Add(48 * time.Hour) }}); err != nil {
		t.Fatal(err)
	}
	if u, err = history.NewUpkeep(history.UpkeepConfig{History: again, Registry: h.store.Registry}); err == nil {
		err = u.Collect(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	l = h.live(dir, g)
	if j = l.await(t, j.ID); j.State != jobs.Failed || !errors.Is(j.Err, api.CodeHistoryGone) || !strings.Contains(j.Err.Error(), "start it anew") {
		t.Errorf("got %+v", j)
	}
	if got := filesIn(t, dir); got != "" {
		t.Errorf("there are %s", got)
	}
}

// What is wrong shows before there is a job, and leaves nothing.
func TestAWrongJobIsNone(t *testing.T) {
	h := open(t, 4)
	h.write(10)
	h.past()
	h.history.Close()
	dir := t.TempDir()
	all := make(chan struct{})
	close(all)
	l := h.live(dir, &gate{Files: h.files, open: all, waits: make(chan struct{}, 1)})
	good := streamOf(t, nil, entityRecord(1))
	for _, tt := range []struct {
		r     api.ExportRequest
		rows  []byte
		field string
	}{
		{api.ExportRequest{Snapshot: "driver_stats"}, nil, "out"},
		{api.ExportRequest{Snapshot: "driver_stats", Out: "../x.parquet"}, nil, "out"},
		{api.ExportRequest{Snapshot: "driver_stats", Out: "/tmp/x.parquet"}, nil, "out"},
		{api.ExportRequest{Snapshot: "driver_stats", Out: ".x.parquet"}, nil, "out"},
		{api.ExportRequest{Snapshot: "driver_stats", Out: `a\x.parquet`}, nil, "out"},
		{api.ExportRequest{Snapshot: "driver_stats", Out: "x.xlsx"}, nil, "out"},
		{api.ExportRequest{Snapshot: "driver_stat", Out: "x.parquet"}, nil, "snapshot"},
		{api.ExportRequest{Service: "driver_v1", Out: "x.parquet"}, nil, "entity_rows"},
		{api.ExportRequest{Service: "driver_v1", Out: "x.parquet"}, good[:len(good)/2], "entity_rows"},
		{api.ExportRequest{Service: "driver_v1", EventTime: "at", Out: "x.parquet"}, good, "entity_rows"},
	} {
		var in io.Reader
		if tt.rows != nil {
			in = bytes.NewReader(tt.rows)
		}
		_, err := l.Start(t.Context(), "rides", &tt.r, in, false)
		var p *api.Problem
		if !errors.As(Problem(err), &p) || p.Field != tt.field {
			t.Errorf("%+v: got %v, want field %s", tt.r, Problem(err), tt.field)
		}
	}
	if got := filesIn(t, dir); got != "" {
		t.Errorf("there are %s", got)
	}
	if list := l.registry.List("rides"); len(list) > 0 {
		t.Errorf("there are jobs %v", list)
	}
}
