package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/api"
)

var damagedFiles = flag.Int("damaged.files", 200, "how many damaged files TestDamagedFilesNeverEndAStore feeds")

const damagedDefinitions = `
project: damaged
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views:
  - name: loaded
    entity: driver
    features: [{name: rate, type: float64}, {name: name, type: string}, {name: tags, type: "list<string>"}]
    batch_source: {path: in, columns: {driver_id: id}}
  - {name: steady, entity: driver, features: [{name: rate, type: float64}]}
`

// TestDamagedFilesNeverEndAStore feeds a serving store with files that are damaged in
// every way there is. It answers lookups, all of them right, while children die of
// what they read; every error names its file, and where it can line and column.
func TestDamagedFilesNeverEndAStore(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link, dir := filepath.Join(t.TempDir(), "featurestore"), t.TempDir()
	in := filepath.Join(dir, "src", "in")
	if err := errors.Join(os.Symlink(binary, link), os.MkdirAll(in, 0o700), os.WriteFile(filepath.Join(dir, "defs.yaml"), []byte(damagedDefinitions), 0o600)); err != nil {
		t.Fatal(err)
	}
	p, err := startProcess(link, dir, os.Environ(), "serve", "--region", "eu", "--store", "eu-1", "--data", "data", "--definitions", "defs.yaml",
		"--listen", "127.0.0.1:0", "--log-level", "error", "--batch-sources", "src", "--batch-memory", "256MiB")
	if err != nil {
		t.Fatal(err)
	}
	c := client{url: p.url, project: "damaged", timeout: 30 * time.Second}
	if err := c.post(t.Context(), c.path("push"), nil, []byte(`{"view": "steady", "rows": [{"driver_id": 1, "rate": 0.25}]}`), nil); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var lookups atomic.Int64
	var serving sync.WaitGroup
	serving.Go(func() { lookUp(ctx, t, c, &lookups) })

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	failed, quiet := map[string]int{}, map[string]int{}
	for n := range *damagedFiles {
		d := damages[n%len(damages)](t, random)
		path := filepath.Join(in, d.name)
		if err := os.WriteFile(path, d.contents, 0o600); err != nil {
			t.Fatal(err)
		}
		job := materializeAll(t, c)
		switch {
		case job.State == api.JobFailed:
			failed[d.what]++
			checkDamage(t, d, job.Error)
		case d.want != "":
			t.Errorf("%s, of which %q should be said, is %s: %s", d.what, d.want, job.State, job.Detail)
		default:
			quiet[d.what]++
		}
		if t.Failed() {
			keep := filepath.Join(os.TempDir(), fmt.Sprintf("damaged-%d-%d-%s", seed, n, d.name))
			t.Fatalf("file %d, kept as %s, %v", n, keep, os.WriteFile(keep, d.contents, 0o600))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	// What is no file at all.
	if err := os.Mkdir(filepath.Join(in, "x.parquet"), 0o700); err != nil {
		t.Fatal(err)
	}
	if job := materializeAll(t, c); job.Error == nil || !strings.Contains(job.Error.Detail, "names no file") {
		t.Errorf("a folder in the place of a file is %+v", job)
	}
	// A good one, at the end.
	good := "id,event_timestamp,rate\n1,2026-08-01,0.75\n"
	if err := os.WriteFile(filepath.Join(in, "good.csv"), []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if job := materializeAll(t, c); job.State != api.JobDone {
		t.Errorf("a good file is %+v", job)
	}
	stop()
	serving.Wait()
	t.Logf("%d files: failed %v, read without an error %v; %d children died; %d lookups", *damagedFiles, failed, quiet, deathsOf(t, c), lookups.Load())
	if lookups.Load() == 0 {
		t.Error("no lookup was answered meanwhile")
	}
	if err := p.stop(); err != nil {
		t.Fatalf("the store did not stop in order: %v\n%s", err, p.output)
	}
}

// checkDamage judges an error: it is of the source, names the file, and says what is
// wanted.
func checkDamage(t *testing.T, d damagedFile, p *api.Problem) {
	t.Helper()
	said := false
	for want := range strings.SplitSeq(d.want, "|") {
		said = said || strings.Contains(p.Detail, want)
	}
	if p.Code != api.CodeBatchSource || !strings.Contains(p.Detail, "in/"+d.name) || !said {
		t.Errorf("%s gives %s: %s; want %q", d.what, p.Code, p.Detail, d.want)
	}
}

func materializeAll(t *testing.T, c client) api.Job {
	t.Helper()
	var job api.Job
	if err := c.post(t.Context(), c.path("materialize"), nil, []byte(`{"views": ["loaded"]}`), &job); err != nil {
		t.Fatalf("the store does not take a job: %v", err)
	}
	job, err := c.followJob(t.Context(), job, func(api.Job) {})
	if err != nil {
		t.Fatalf("the store does not tell of its job: %v", err)
	}
	return job
}

// lookUp looks one row up until ctx ends; each answer must be right.
func lookUp(ctx context.Context, t *testing.T, c client, n *atomic.Int64) {
	body := []byte(`{"features": ["steady:rate"], "entities": {"driver_id": [1]}}`)
	pace := time.NewTicker(time.Millisecond) // children need the machine too
	defer pace.Stop()
	for ctx.Err() == nil {
		<-pace.C
		var answer api.LookupResponse
		err := c.post(ctx, c.path("lookup"), nil, body, &answer)
		if ctx.Err() != nil {
			return
		}
		if err != nil || len(answer.Rows) != 1 || string(answer.Rows[0].Values[0]) != "0.25" {
			text, _ := json.Marshal(answer)
			t.Errorf("a lookup gave %s, %v", text, err)
			return
		}
		n.Add(1)
	}
}

var deathsLine = regexp.MustCompile(`(?m)^featurestore_batch_reader_deaths\S* (\d+)`)

// deathsOf is how many children have died, by the store's metrics.
func deathsOf(t *testing.T, c client) (n int) {
	t.Helper()
	answer, err := http.Get(c.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if found := deathsLine.FindSubmatch(page); found != nil {
		_, err = fmt.Sscan(string(found[1]), &n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
