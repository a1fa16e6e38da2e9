package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/offline/history"
	"featurestore/replica"
)

const batchDefinitions = `
project: kill
entities: [{name: thing, join_keys: [{name: id, type: int64}]}]
groups: [{name: wide, partitions: 4}]
views:
  - name: counts
    entity: thing
    group: wide
    features: [{name: times, type: int64, conflict: counter}, {name: last, type: string}]
    batch_source: {path: in, event_time: at}
`

// What TestKillMaterialize reads.
const (
	batchFiles = 4
	batchRows  = 3000 // of a file
	batchKeys  = 97
)

// batched is a store that is killed while it materializes.
type batched struct {
	t           *testing.T
	binary, dir string
	random      *rand.Rand
	times       map[int]int64  // by key, of all files
	last        map[int]string // the value of the latest event time
	latest      map[int]time.Time
	rows        int
}

// TestKillMaterialize kills a store at random moments while it materializes, or cancels
// the job, or stops the store, again and again. In the end every row of every file was
// written once: counters are exact, values are the latest, and history has each row.
func TestKillMaterialize(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "featurestore")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	b := &batched{
		t: t, binary: link, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0)),
		times: map[int]int64{}, last: map[int]string{}, latest: map[int]time.Time{},
	}
	b.write("defs.yaml", batchDefinitions)
	if err := os.MkdirAll(filepath.Join(b.dir, "src", "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range batchFiles {
		b.file(n, "")
	}
	broken := 0
	files := batchFiles
	for round := range *killRounds {
		if round > 0 {
			b.file(files, "")
			files++
		}
		if b.round(round) {
			broken++
		}
	}
	p := b.start()
	c := client{url: p.url, project: "kill", timeout: 10 * time.Second}
	b.finish(&c)
	b.verify(&c)
	// A file grows, with the store up.
	b.file(1, b.read("src/in/1.csv"))
	if d := b.finish(&c); d.Rows != batchRows || d.FilesUnchanged != files-1 {
		t.Errorf("of a file that grew by %d rows %+v was made", batchRows, d)
	}
	if d := b.finish(&c); d.Rows != 0 || d.FilesUnchanged != files {
		t.Errorf("at the end there was still something to do: %+v", d)
	}
	b.verify(&c)
	b.verifyHistory()
	if err := p.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, p.output)
	}
	if broken == 0 {
		t.Error("no round broke a job off: the test met nothing")
	}
	t.Logf("%d rounds, %d of which broke a job off; %d rows", *killRounds, broken, b.rows)
}

func (b *batched) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *batched) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// file writes a file of rows, after what it held, half of the files as JSON lines.
func (b *batched) file(n int, before string) {
	var text strings.Builder
	text.WriteString(before)
	name := fmt.Sprintf("src/in/%d.csv", n)
	isJSON := n%2 == 0
	if isJSON {
		name = fmt.Sprintf("src/in/%d.jsonl", n)
	} else if before == "" {
		text.WriteString("id,at,times,last\n")
	}
	for range batchRows {
		key, second := b.random.IntN(batchKeys), b.rows
		if b.random.IntN(3) == 0 {
			second = b.random.IntN(b.rows + 1) // late
		}
		value := fmt.Sprintf("row %d", b.rows)
		// No two are of one time, so that the order of files does not matter.
		when := time.Date(2026, 8, 1, 0, 0, second, b.rows, time.UTC)
		at := when.Format(time.RFC3339Nano)
		if isJSON {
			fmt.Fprintf(&text, `{"id": %d, "at": %q, "times": 1, "last": %q}`+"\n", key, at, value)
		} else {
			fmt.Fprintf(&text, "%d,%s,1,%s\n", key, at, value)
		}
		b.rows++
		b.times[key]++
		if when.After(b.latest[key]) {
			b.latest[key], b.last[key] = when, value
		}
	}
	b.write(name, text.String())
}

func (b *batched) start() *process {
	b.t.Helper()
	p, err := startProcess(b.binary, b.dir, os.Environ(), "serve", "--region", "eu", "--store", "eu-1", "--data", "data", "--definitions", "defs.yaml",
		"--listen", "127.0.0.1:0", "--log-level", "error", "--batch-sources", "src", "--history", "--history-every", "20ms")
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *batched) begin(c *client) api.Job {
	b.t.Helper()
	var job api.Job
	if err := c.post(b.t.Context(), c.path("materialize"), nil, []byte(`{}`), &job); err != nil {
		b.t.Fatal(err)
	}
	return job
}

// round starts the store and a job, and ends the job in one of three ways. It reports
// whether the job was broken off.
func (b *batched) round(round int) bool {
	p := b.start()
	c := client{url: p.url, project: "kill", timeout: 10 * time.Second}
	job := b.begin(&c)
	<-time.NewTimer(time.Duration(b.random.Int64N(int64(300 * time.Millisecond)))).C
	how := b.random.IntN(4)
	if how == 0 { // cancel, and go on at once
		if _, err := c.call(b.t.Context(), http.MethodDelete, c.path("jobs", job.ID), nil, nil, nil); err != nil {
			b.t.Fatal(err)
		}
	}
	if how == 1 {
		if err := p.stop(); err != nil {
			b.t.Fatalf("round %d: stop: %v\n%s", round, err, p.output)
		}
		return true
	}
	var last api.Job
	if err := c.get(b.t.Context(), c.path("jobs", job.ID)+"?wait=1ms", &last); err != nil {
		b.t.Fatal(err)
	}
	if how == 0 {
		if err := c.get(b.t.Context(), c.path("jobs", job.ID)+"?wait=10s", &last); err != nil || !last.HasEnded() || last.Error != nil {
			b.t.Fatalf("round %d: what was canceled is %+v, %v", round, last, err)
		}
	}
	if err := p.cmd.Process.Kill(); err != nil {
		b.t.Fatal(err)
	}
	<-p.ended
	return last.State != api.JobDone
}

// finish materializes until there is nothing more to do.
func (b *batched) finish(c *client) api.MaterializeDetail {
	b.t.Helper()
	job := b.begin(c)
	var err error
	if job, err = c.followJob(b.t.Context(), job, func(api.Job) {}); err != nil || job.State != api.JobDone {
		b.t.Fatalf("the job is %+v, %v", job, err)
	}
	var d api.MaterializeDetail
	if err := json.Unmarshal(job.Detail, &d); err != nil {
		b.t.Fatal(err)
	}
	return d
}

func (b *batched) verify(c *client) {
	b.t.Helper()
	request := api.LookupRequest{Features: []string{"counts:times", "counts:last"}, Entities: map[string][]json.RawMessage{}}
	for id := range batchKeys {
		request.Entities["id"] = append(request.Entities["id"], fmt.Append(nil, id))
	}
	body, err := json.Marshal(request)
	if err != nil {
		b.t.Fatal(err)
	}
	var answer api.LookupResponse
	if err := c.post(b.t.Context(), c.path("lookup"), nil, body, &answer); err != nil {
		b.t.Fatal(err)
	}
	for id, row := range answer.Rows {
		if got, want := string(row.Values[0]), fmt.Sprint(b.times[id]); got != want {
			b.t.Errorf("thing %d was counted %s times, want %s", id, got, want)
		}
		if got := plainText(row.Values[1]); got != b.last[id] {
			b.t.Errorf("thing %d holds %q, want %q", id, got, b.last[id])
		}
	}
}

// verifyHistory waits until history has as many rows as there are, late ones included,
// and looks that there are no more, and no mark among them.
func (b *batched) verifyHistory() {
	b.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for limit := time.Now().Add(time.Minute); ; <-look.C {
		rows, views := b.history()
		if rows == b.rows && views == 1 {
			return
		}
		if rows > b.rows || views > 1 || time.Now().After(limit) {
			b.t.Errorf("history has %d rows of %d views, want %d of 1", rows, views, b.rows)
			return
		}
	}
}

// history counts the rows of history, and their views.
func (b *batched) history() (rows, views int) {
	b.t.Helper()
	reader, err := history.NewReader(b.t.Context(), history.NewDisk(replica.HistoryDir(filepath.Join(b.dir, "data"))))
	if err != nil {
		b.t.Fatal(err)
	}
	defer reader.Close()
	for _, view := range reader.Views() {
		views++
		for _, f := range reader.Files(view, history.AllTime) {
			for _, err := range reader.Rows(b.t.Context(), f) {
				if err != nil {
					b.t.Fatal(err)
				}
				rows++
			}
		}
	}
	return rows, views
}
