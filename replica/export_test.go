package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/offline/export"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

const exportedRides = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views: [{name: driver_stats, entity: driver, max_lateness: 87600h, features: [{name: rate, type: float64}, {name: note, type: string}]}]
services: [{name: driver_v1, features: ["driver_stats:rate"]}]
`

// exporter is a store that keeps history, and its client.
type exporter struct {
	testing.TB
	*Replica
	session string
}

func startExporter(t testing.TB, c Config) *exporter {
	t.Helper()
	c.History, c.HistoryEvery = true, time.Hour
	r, _ := start(t, c)
	if _, err := r.store.Apply(t.Context(), parsedBy(t, exportedRides), nil); err != nil {
		t.Fatal(err)
	}
	return &exporter{TB: t, Replica: r}
}

// post asks, with JSON unless media says otherwise. The caller closes the body.
func (x *exporter) post(path, media string, body io.Reader) *http.Response {
	x.Helper()
	r, err := http.NewRequestWithContext(x.Context(), http.MethodPost, x.URL()+"/v1/projects/rides/"+path, body)
	if err != nil {
		x.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set(api.HeaderTimeout, "30s")
	if x.session != "" {
		r.Header.Set(api.HeaderSession, x.session)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		x.Fatal(err)
	}
	if s := answer.Header.Get(api.HeaderSession); s != "" {
		x.session = s
	}
	return answer
}

// push writes drivers, each on a day of its own.
func (x *exporter) push(from, to int) {
	x.Helper()
	var rows []string
	for i := from; i < to; i++ {
		rows = append(rows, fmt.Sprintf(`{"driver_id": %d, "rate": %d.5, "note": %q, "event_time": "2026-08-%02dT12:00:00Z"}`, i, i, strings.Repeat("x", 100), i%28+1))
	}
	answer := x.post("push", api.MediaJSON, strings.NewReader(`{"view": "driver_stats", "rows": [`+strings.Join(rows, ",")+`]}`))
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		x.Fatalf("push: %s %s", answer.Status, text)
	}
}

// export returns the body and what the trailers say.
func (x *exporter) export(asked string) (body []byte, trailer http.Header, err error) {
	x.Helper()
	answer := x.post("export", api.MediaJSON, strings.NewReader(asked))
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		var p api.Problem
		if err := json.Unmarshal(body, &p); err != nil {
			x.Fatalf("%s: %s", answer.Status, body)
		}
		return nil, nil, &p
	}
	return body, answer.Trailer, err
}

// files opens the history from its files, once the definitions are among them.
func (x *exporter) files() *export.Past {
	x.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		past, err := export.Open(x.Context(), history.NewDisk(HistoryDir(x.cfg.Data)))
		if !errors.Is(err, export.ErrNoHistory) {
			if err != nil {
				x.Fatal(err)
			}
			return past
		}
		select {
		case <-look.C:
		case <-x.Context().Done():
			x.Fatal(err)
		}
	}
}

// REST gives the bytes that are made of the files themselves (EX3), and a session its
// own writes, though nothing is due.
func TestExportsOfRESTAreThoseOfTheFiles(t *testing.T) {
	x := startExporter(t, Config{})
	x.push(0, 100)
	for _, asked := range []string{
		`{"snapshot": "driver_stats"}`, `{"rows": "driver_stats"}`,
		`{"service": "driver_v1", "entity_rows": {"columns": {"driver_id": [3, 4, 1000], "event_timestamp": ["2026-08-05T00:00:00Z", "2026-08-05T00:00:00Z", null]}}}`,
	} {
		body, trailer, err := x.export(asked)
		if err != nil {
			t.Fatal(err)
		}
		past := x.files()
		defer past.Close()
		var request api.ExportRequest
		if err := api.Decode([]byte(asked), &request); err != nil {
			t.Fatal(err)
		}
		e, err := past.Ask(t.Context(), "rides", &request, nil, pit.Config{SpillDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		m, err := export.Stream(t.Context(), e, &want, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(body, want.Bytes()) || trailer.Get(api.TrailerExportSHA256) != m.SHA256 || trailer.Get(api.TrailerExportRows) != fmt.Sprint(m.Rows) {
			t.Errorf("%s: %d bytes and %v, want %d and %+v", asked, len(body), trailer, want.Len(), m)
		}
		if rows := map[string]int64{"snapshot": 100, "rows": 100, "training": 3}[m.Kind]; m.Rows != rows {
			t.Errorf("%s: %d rows, want %d", asked, m.Rows, rows)
		}
	}
	if left, err := os.ReadDir(SpillDir(x.cfg.Data)); err != nil || len(left) > 0 {
		t.Errorf("left in the spill directory: %v, %v", left, err)
	}
}

// A damaged file ends an export that has begun so that it shows, one that has not with a
// problem; no byte of the file comes out, and the store goes on.
func TestADamagedHistoryBreaksAnExportVisibly(t *testing.T) {
	var log lockedText
	x := startExporter(t, Config{LogOutput: &log})
	x.push(0, 28)
	if _, _, err := x.export(`{"rows": "driver_stats"}`); err != nil {
		t.Fatal(err)
	}
	var files []string
	if err := filepath.WalkDir(filepath.Join(HistoryDir(x.cfg.Data), "rides"), func(path string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".parquet") {
			files = append(files, path)
		}
		return err
	}); err != nil || len(files) != 28 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	// Another process reads them anew: this one has verified them already.
	x.push(28, 56)
	if _, _, err := x.export(`{"snapshot": "driver_stats"}`); err != nil {
		t.Fatal(err)
	}
	x.push(56, 84)
	// The third commit's files are damaged before anybody has read them.
	if err := x.past.exports.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	_ = filepath.WalkDir(filepath.Join(HistoryDir(x.cfg.Data), "rides"), func(path string, d fs.DirEntry, err error) error {
		if strings.Contains(path, "event_date=2026-08-28") && !d.IsDir() {
			text, err := os.ReadFile(path)
			if err == nil {
				text[len(text)/2] ^= 1
				if err = os.Remove(path); err == nil {
					err = os.WriteFile(path, text, 0o600)
				}
			}
			if err != nil {
				t.Error(err)
			}
			damaged++
		}
		return nil
	})
	if damaged == 0 {
		t.Fatal("no file of the last day")
	}
	_, trailer, err := x.export(`{"rows": "driver_stats"}`)
	if err == nil || trailer.Get(api.TrailerExportRows) != "" {
		t.Errorf("a stream that broke off: %v, %v", trailer, err)
	}
	var p *api.Problem
	if _, ok := err.(*api.Problem); ok {
		t.Errorf("it had not begun: %v", err)
	}
	_, _, err = x.export(`{"snapshot": "driver_stats"}`)
	if p, _ = err.(*api.Problem); p == nil || p.Code != api.CodeCorruptData {
		t.Errorf("got %v, want %s", err, api.CodeCorruptData)
	}
	if text := log.String(); !strings.Contains(text, "event_date=2026-08-28") {
		t.Errorf("the log names no file:\n%s", text)
	}
	x.push(84, 85)
}

// As many exports run as may; one more is told so, and runs once another has ended.
func TestExportsAreBounded(t *testing.T) {
	x := startExporter(t, Config{Exports: Exports{Running: 1}})
	x.push(0, 1)
	begun, err := x.past.exports.Begin(t.Context(), "rides", &api.ExportRequest{Snapshot: "driver_stats"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = x.export(`{"snapshot": "driver_stats"}`)
	if p, _ := err.(*api.Problem); p == nil || p.Code != api.CodeOverloaded {
		t.Errorf("a second one beside the first: got %v, want %s", err, api.CodeOverloaded)
	}
	begun.Close()
	begun.Close() // a second time gives no second place
	if _, _, err := x.export(`{"snapshot": "driver_stats"}`); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestAStoreWithoutHistorySaysSo(t *testing.T) {
	r, _ := start(t, Config{Definitions: ridesFile(t)})
	x := &exporter{TB: t, Replica: r}
	_, _, err := x.export(`{"snapshot": "stats"}`)
	if p, _ := err.(*api.Problem); p == nil || p.Code != api.CodeNoHistory {
		t.Errorf("got %v, want %s", err, api.CodeNoHistory)
	}
}

// What is asked for wrongly is named, in the query as in the body.
func TestWrongExportRequestsAreNamed(t *testing.T) {
	x := startExporter(t, Config{})
	for _, tt := range []struct{ path, media, body, code, field string }{
		{"export", api.MediaJSON, `{`, "invalid_json", ""},
		{"export", api.MediaJSON, `{}`, "invalid_value", "service"},
		{"export", api.MediaJSON, `{"snapshots": "driver_stats"}`, "unknown_field", "snapshots"},
		{"export", api.MediaJSON, `{"snapshot": "driver_stats", "changes": "driver_stats"}`, "invalid_value", "changes"},
		{"export", api.MediaJSON, `{"snapshot": "driver_stats", "known_as_of": "2026-08-21T12:00:00Z"}`, "invalid_value", "known_as_of"},
		{"export", api.MediaJSON, `{"snapshot": "driver_stats", "served_at": "noon"}`, "invalid_value", "served_at"},
		{"export", api.MediaJSON, `{"service": "driver_v1", "as_served_in": "us", "entity_rows": {"rows": []}}`, "invalid_value", "as_served_in"},
		{"export", api.MediaJSON, `{"snapshot": "driver_stats", "out": "x.parquet"}`, "invalid_request", "out"},
		{"export", "text/csv", "driver_id", "unsupported_media_type", "Content-Type"},
		{"export?serv=x", api.MediaArrowStream, "", "unknown_field", "query.serv"},
		{"export?service=x&service=y", api.MediaArrowStream, "", "invalid_request", "query.service"},
		{"export?full_feature_names=maybe", api.MediaArrowStream, "", "invalid_request", "query.full_feature_names"},
		{"export?service=driver_v1", api.MediaArrowStream, "driver_id,at", "invalid_value", "entity_rows"},
		{"export?service=driver_v2", api.MediaArrowStream, "", "service_not_found", "service"},
	} {
		answer := x.post(tt.path, tt.media, strings.NewReader(tt.body))
		var p api.Problem
		err := json.NewDecoder(answer.Body).Decode(&p)
		answer.Body.Close()
		if err != nil || string(p.Code) != tt.code || p.Field != tt.field || p.Detail == "" {
			t.Errorf("%s %s: got %+v, %v, want %s of %q", tt.path, tt.body, p, err, tt.code, tt.field)
		}
	}
}

// Jobs write to a folder, and a store that is told otherwise does not make one of the URL.
func TestExportDirIsNoBucket(t *testing.T) {
	if err := (Exports{Dir: "s3://lake/exports?region=eu-west-1"}).validate(); err == nil || !strings.Contains(err.Error(), "export_dir is s3://lake/exports") {
		t.Errorf("got %v", err)
	}
	if err := (Exports{Dir: "/srv/exports"}).validate(); err != nil {
		t.Errorf("a folder: %v", err)
	}
}
