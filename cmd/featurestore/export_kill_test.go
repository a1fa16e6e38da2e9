package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"featurestore/api"
)

// Jobs of a store that is killed again and again go on under their ids, and make the
// files that they would have made.
func TestExportJobsOutliveKills(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "featurestore")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kill.yaml"), []byte(killDefinitions), 0o600); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	start := func() (*process, *client) {
		t.Helper()
		p, err := startProcess(link, dir, os.Environ(), "serve", "--region", "eu", "--store", "eu-1", "--data", "data",
			"--definitions", "kill.yaml", "--listen", "127.0.0.1:0", "--log-level", "error", "--history", "--history-every", "100ms")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // where the test ends before
		return p, &client{url: p.url, project: "kill", timeout: 30 * time.Second}
	}
	p, c := start()
	for batch := range 10 {
		var rows []string
		for i := range 2000 {
			rows = append(rows, fmt.Sprintf(`{"id": %d, "last": "%d of %d", "times": 1}`, random.IntN(5000), i, batch))
		}
		if err := c.post(t.Context(), c.path("push"), nil, []byte(`{"view": "writes", "rows": [`+strings.Join(rows, ",")+`]}`), nil); err != nil {
			t.Fatal(err)
		}
	}
	requests := map[string]string{
		"train.parquet": `{"features": ["writes:last", "writes:times"], "keys_of": {"view": "writes", "each_write": true}, "out": "train.parquet"}`,
		"now.csv":       `{"snapshot": "writes", "out": "now.csv"}`,
	}
	// Until history has all of it.
	limit := time.Now().Add(time.Minute)
	for n := 0; n < 20_000; {
		out, err := exec.Command(link, "export", "--data", filepath.Join(dir, "data"), "--rows", "writes", "--out", filepath.Join(dir, "all.parquet")).CombinedOutput()
		if err == nil {
			_, err = fmt.Sscanf(string(out[strings.Index(string(out), ": ")+2:]), "%d", &n)
		}
		if time.Now().After(limit) {
			t.Fatalf("history has %d rows after a minute: %s, %v", n, out, err)
		}
	}
	ids := map[string]string{}
	for out, body := range requests {
		var job api.Job
		if err := c.post(t.Context(), c.path("exports"), nil, []byte(body), &job); err != nil {
			t.Fatal(err)
		}
		ids[out] = job.ID
	}
	interrupted := 0
	for range min(*killRounds, 9) { // a job that ten lives died of is given up
		timer := time.NewTimer(time.Duration(random.Int64N(int64(150 * time.Millisecond))))
		<-timer.C
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-p.ended
		left, err := filepath.Glob(filepath.Join(dir, "data/exports/.jobs/*.job"))
		if err != nil {
			t.Fatal(err)
		}
		interrupted += len(left)
		for out := range requests { // what is there is complete
			wantComplete(t, filepath.Join(dir, "data/exports", out))
		}
		p, c = start()
	}
	for out, id := range ids {
		var job api.Job
		for !job.HasEnded() {
			if err := c.get(t.Context(), c.path("jobs", id)+"?wait=10s", &job); err != nil {
				// One that ended before the last kill is not known any more.
				if _, there := os.Stat(filepath.Join(dir, "data/exports", out+".manifest.json")); there != nil {
					t.Fatal(err)
				}
				break
			}
		}
		if job.Error != nil {
			t.Errorf("%s: %v", out, job.Error)
		}
	}
	if err := p.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, p.output)
	}
	for out, args := range map[string][]string{
		"train.parquet": {"--features", "writes:last,writes:times", "--keys-of", "writes", "--each-write"}, "now.csv": {"--snapshot", "writes"},
	} {
		want := filepath.Join(dir, out)
		if text, err := exec.Command(link, append([]string{"export", "--data", filepath.Join(dir, "data"), "--out", want}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if got, want := wantComplete(t, filepath.Join(dir, "data/exports", out)), wantComplete(t, want); got == "" || got != want {
			t.Errorf("%s: got the sum %s, want %s", out, got, want)
		}
	}
	err = filepath.WalkDir(filepath.Join(dir, "data/exports"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.Contains(path, ".jobs") || strings.HasSuffix(path, ".part")) {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d jobs were interrupted", interrupted)
}

// wantComplete checks a file against its manifest, and returns its sum; "" where there is
// no manifest.
func wantComplete(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path + ".manifest.json")
	if err != nil {
		return ""
	}
	var m api.ExportManifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	contents, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(contents); hex.EncodeToString(sum[:]) != m.SHA256 || int64(len(contents)) != m.Bytes {
		t.Fatalf("%s is not what its manifest says", path)
	}
	return m.SHA256
}
