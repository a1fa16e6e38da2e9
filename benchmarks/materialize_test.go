package benchmarks

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/offline/outside"
	"featurestore/replica"
)

// materializeRows is of one file; more than a turn of lookups takes to be made.
const materializeRows = 1_000_000

// BenchmarkLookupWhileMaterializing asks for ten drivers of a hundred thousand, over one
// connection, while a batch source is materialized into the same view, and while
// nothing is; the two take turns. It reports the latencies of both, and how many rows a
// second went in meanwhile.
func BenchmarkLookupWhileMaterializing(b *testing.B) {
	const rows = 100_000
	dir := b.TempDir()
	file, data := filepath.Join(dir, "bench.yaml"), filepath.Join(dir, "data")
	definitions := strings.Replace(benchDefinitions, "    features:\n      - {name: f0", "    batch_source: {path: in}\n    features:\n      - {name: f0", 1)
	for _, err := range []error{os.WriteFile(file, []byte(definitions), 0o600), os.MkdirAll(filepath.Join(dir, "src", "in"), 0o700)} {
		if err != nil {
			b.Fatal(err)
		}
	}
	writeDrivers(b, filepath.Join(dir, "src", "in", "a.csv"), rows)
	fill(b, replica.OnlineDir(data), rows)
	r, err := replica.New(replica.Config{
		Region: "eu", Store: "eu-1", Data: data, Listen: "127.0.0.1:0", Definitions: file, BatchSources: filepath.Join(dir, "src"),
		Reader: outside.Config{Program: os.Args[0], Args: []string{os.Args[0], outside.Command}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(run(b, r.Run))
	<-r.Ready()
	lookUpAll(b, r.URL(), rows)
	order := loadOrder{
		Kind: "http", Address: r.Addr().String(), Path: "/v1/projects/bench/lookup",
		Connections: 1, Entities: 10, Keys: rows, Requests: 4000,
	}
	var quiet, busy []time.Duration
	var written, took float64
	load(b, order)
	for b.Loop() {
		quiet = append(quiet, load(b, order).P99)
		id := beginWindow(b, r.URL())
		before, began := materializedRows(b, r.URL(), id), time.Now()
		for before == 0 { // it is still looking the file through
			before, began = materializedRows(b, r.URL(), id), time.Now()
		}
		busy = append(busy, load(b, order).P99)
		written, took = written+materializedRows(b, r.URL(), id)-before, took+time.Since(began).Seconds()
		endJob(b, r.URL(), id)
	}
	slices.Sort(quiet)
	slices.Sort(busy)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(quiet[len(quiet)/2].Microseconds()), "quiet-p99-µs")
	b.ReportMetric(float64(busy[len(busy)/2].Microseconds()), "materializing-p99-µs")
	b.ReportMetric(written/took, "rows/s")
}

func writeDrivers(b *testing.B, path string, keys int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprint(w, "driver_id,event_timestamp,f0,f1,f2,f3,f4,f5,f6,f7,f8,f9\n")
	for i := range materializeRows {
		fmt.Fprintf(w, "%d,%s", i%keys, time.Unix(1_700_000_000+int64(i), 0).UTC().Format(time.RFC3339))
		for f := range 10 {
			fmt.Fprintf(w, ",%.4f", float64(i*(f+1)%10_000)/7)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// beginWindow starts a job over all of the file, whatever was written before.
func beginWindow(b *testing.B, url string) string {
	b.Helper()
	answer, err := http.Post(url+"/v1/projects/bench/materialize", "application/json", strings.NewReader(`{"from": "2000-01-01", "to": "2100-01-01"}`))
	if err != nil {
		b.Fatal(err)
	}
	return jobOf(b, answer).ID
}

func jobOf(b *testing.B, answer *http.Response) (job api.Job) {
	b.Helper()
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&job); err != nil || job.State == api.JobFailed || job.State == api.JobDone {
		b.Fatalf("the job is %+v, %v", job, err)
	}
	return job
}

// materializedRows is how many rows a job has written so far.
func materializedRows(b *testing.B, url, id string) float64 {
	b.Helper()
	answer, err := http.Get(url + "/v1/projects/bench/jobs/" + id + "?wait=10ms")
	if err != nil {
		b.Fatal(err)
	}
	var d api.MaterializeDetail
	if detail := jobOf(b, answer).Detail; detail != nil {
		if err := json.Unmarshal(detail, &d); err != nil {
			b.Fatal(err)
		}
	}
	return float64(d.Rows)
}

// endJob cancels a job and waits for its end.
func endJob(b *testing.B, url, id string) {
	b.Helper()
	path := url + "/v1/projects/bench/jobs/" + id
	request, err := http.NewRequestWithContext(b.Context(), http.MethodDelete, path, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, ask := range []func() (*http.Response, error){
		func() (*http.Response, error) { return http.DefaultClient.Do(request) },
		func() (*http.Response, error) { return http.Get(path + "?wait=30s") },
	} {
		answer, err := ask()
		if err != nil {
			b.Fatal(err)
		}
		answer.Body.Close()
	}
}
