package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const feastBatch = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views:
  - {name: plain, entity: driver, features: [{name: rate, type: float64}], batch_source: {path: plain}}
  - {name: counts, entity: driver, features: [{name: trips, type: int64, conflict: counter}], batch_source: {path: counts}}
  - {name: gone, entity: driver, features: [{name: rate, type: float64}], batch_source: {path: nowhere}}
`

// TestFeastMaterializes asks as Feast's clients do, and is answered as they are used to.
func TestFeastMaterializes(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link, dir := filepath.Join(t.TempDir(), "featurestore"), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	write("defs.yaml", feastBatch)
	write("src/plain/a.csv", "driver_id,event_timestamp,rate\n1,2021-01-01T10:00:00Z,0.5\n2,2021-01-03T10:00:00Z,0.25\n")
	var many strings.Builder
	many.WriteString("driver_id,event_timestamp,trips\n")
	for i := range 100_000 {
		fmt.Fprintf(&many, "%d,2021-01-01T00:00:00Z,1\n", i%7)
	}
	write("src/counts/a.csv", many.String())
	p, err := startProcess(link, dir, os.Environ(), "serve", "--region", "eu", "--store", "eu-1", "--data", "data", "--definitions", "defs.yaml",
		"--listen", "127.0.0.1:0", "--log-level", "error", "--batch-sources", "src")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, body string, status int, want string) {
		t.Helper()
		answer, err := http.Post(p.url+path, "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != status || !strings.Contains(string(text), want) {
			t.Errorf("%s %s: %d %s, %v; want %d %s", path, body, answer.StatusCode, text, err, status, want)
		}
	}
	lookup := func(want string) {
		t.Helper()
		ask("/get-online-features", `{"features": ["plain:rate"], "entities": {"driver_id": [1, 2]}}`, 200, want)
	}
	lookup(`"values":[null,null]`)
	// A window takes the rows that fall into it.
	ask("/materialize", `{"start_ts": "2021-01-01T00:00:00", "end_ts": "2021-01-02T00:00:00", "feature_views": ["plain"], "disable_event_timestamp": false}`, 200, "null")
	lookup(`"values":[0.5,null]`)
	// By arrival, all that was not written yet, whatever end_ts says.
	ask("/materialize-incremental", `{"end_ts": "2021-01-02T00:00:00", "feature_views": ["plain"]}`, 200, "null")
	lookup(`"values":[0.5,0.25]`)
	ask("/materialize", `{"start_ts": "2021-01-01T00:00:00", "end_ts": "2021-01-02T00:00:00", "feature_views": ["counts"]}`, 422, "counter")
	ask("/materialize-incremental", `{"end_ts": "2021-01-02T00:00:00", "feature_views": ["gone"]}`, 422, "names no file")
	ask("/materialize-incremental", `{"end_ts": "2021-01-02T00:00:00", "feature_views": ["nobody"]}`, 404, "FeatureViewNotFoundException")

	// What goes on is refused a second time, unless that is forced; in the end each row
	// counts once.
	const all = `{"end_ts": "2021-01-02T00:00:00", "feature_views": ["counts"]}`
	ask("/materialize-incremental?async=true", all, 202, `{"status":"accepted","feature_views":["counts"]}`)
	ask("/materialize-incremental", all, 409, `"feature_views":["counts"]`)
	ask("/materialize-incremental?async=true&force=true", all, 202, "accepted")
	ask("/materialize-incremental?force=true", all, 200, "null")
	ask("/get-online-features", `{"features": ["counts:trips"], "entities": {"driver_id": [0, 6]}}`, 200, `"values":[14286,14285]`)
	if err := p.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, p.output)
	}
}
