package benchmarks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/online"
	"featurestore/replica"
)

const benchDefinitions = `
project: bench
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
views:
  - name: driver_stats
    entity: driver
    features:
      - {name: f0, type: float64}
      - {name: f1, type: float64}
      - {name: f2, type: float64}
      - {name: f3, type: float64}
      - {name: f4, type: float64}
      - {name: f5, type: float64}
      - {name: f6, type: float64}
      - {name: f7, type: float64}
      - {name: f8, type: float64}
      - {name: f9, type: float64}
services:
  - name: bench
    features: ["driver_stats:f0", "driver_stats:f1", "driver_stats:f2", "driver_stats:f3", "driver_stats:f4",
               "driver_stats:f5", "driver_stats:f6", "driver_stats:f7", "driver_stats:f8", "driver_stats:f9"]
`

// startReplica serves a store that holds rows drivers, as production would,
// until the benchmark ends, and returns its address. A replica that is given
// everything it needs in memory is what a warm store is: hot says whether the
// rows are brought there first.
func startReplica(b *testing.B, rows int, hotBytes int64, warm bool) (address string) {
	b.Helper()
	dir := b.TempDir()
	file := filepath.Join(dir, "bench.yaml")
	if err := os.WriteFile(file, []byte(benchDefinitions), 0o600); err != nil {
		b.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	fill(b, replica.OnlineDir(data), rows)
	r, err := replica.New(replica.Config{
		Region: "eu", Store: "eu-1", Data: data, Listen: "127.0.0.1:0", Definitions: file, HotBytes: hotBytes,
	})
	if err != nil {
		b.Fatal(err)
	}
	stop := run(b, r.Run)
	b.Cleanup(stop)
	<-r.Ready()
	if warm {
		lookUpAll(b, r.URL(), rows)
	}
	return r.Addr().String()
}

// run runs a loop until the returned function is called, which waits for it.
func run(b *testing.B, loop func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loop(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// fill writes the drivers into a new store in a directory and closes it.
func fill(b *testing.B, dir string, rows int) {
	b.Helper()
	store, view, closeStore := openStore(b, dir)
	defer closeStore()
	const batch, writers = 1000, 4
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for from := w * batch; from < rows; from += writers * batch {
				if _, err := store.Append(b.Context(), online.Write{Changes: changes(b, view, from, min(from+batch, rows))}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// changes are the pushes of drivers from id from up to id to.
func changes(b testing.TB, view *feature.ResolvedView, from, to int) []online.Placed {
	out := make([]online.Placed, 0, to-from)
	now := time.Now().UnixNano()
	for id := from; id < to; id++ {
		key, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(id)))
		if err != nil {
			b.Fatal(err)
		}
		c := feature.Change{View: view.ID, Key: key, EventTime: now / 1e6 * 1e6}
		for i, v := range benchRow(id) {
			f := &view.Fields[i]
			c.Assignments = append(c.Assignments, feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: feature.OfFloat64(v)})
		}
		out = append(out, online.Placed{Change: c, Shard: view.Shard(key)})
	}
	return out
}

// lookUpAll reads every driver once, and checks that it is there.
func lookUpAll(b *testing.B, url string, rows int) {
	b.Helper()
	const batch = 1000
	for from := 0; from < rows; from += batch {
		var body bytes.Buffer
		body.WriteString(`{"service":"bench","entities":{"driver_id":[`)
		for id := from; id < min(from+batch, rows); id++ {
			if id > from {
				body.WriteByte(',')
			}
			body.WriteString(strconv.Itoa(id))
		}
		body.WriteString("]}}")
		got := ask(b, url+"/v1/projects/bench/lookup", body.Bytes())
		if bytes.Contains(got.body, []byte("NOT_FOUND")) {
			b.Fatalf("a driver is missing: %.600s", got.body)
		}
	}
}

// answer is what a server sent.
type answer struct {
	header http.Header
	body   []byte
}

func ask(b *testing.B, url string, body []byte) answer {
	b.Helper()
	r, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	got, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		b.Fatal(fmt.Errorf("%s: %s %v", r.Status, got, err))
	}
	r.Header.Del("Date") // every server sends its own
	return answer{header: r.Header, body: got}
}
