package training_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/api"
	"featurestore/replica"
	"featurestore/sdk"
	"featurestore/sdk/training"
)

func lines(n int) []Line {
	out := make([]Line, n)
	for i := range out {
		id := int64(i % 7)
		out[i] = Line{Driver: &id, At: noon.Add(time.Duration(i%3-1) * time.Minute), Label: fmt.Sprint("line ", i), Weight: []float32{float32(i)}}
		if i%5 == 4 {
			out[i].Driver, out[i].Weight = nil, nil
		}
	}
	return out
}

func structs(t testing.TB, rows []Line) sdk.EntityStream {
	t.Helper()
	s, err := training.Structs(rows)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rowsOf are the rows of an export as text.
func rowsOf(t testing.TB, r *training.Reader) (rows []string) {
	t.Helper()
	for r.Next() {
		rec := r.Record()
		for i := range int(rec.NumRows()) {
			var b strings.Builder
			for c := range int(rec.NumCols()) {
				b.WriteString(rec.Column(c).ValueStr(i) + "|")
			}
			rows = append(rows, b.String())
		}
	}
	return rows
}

// A training set has a row for each struct, in order, with what the session pushed just
// now, though nothing of it is due for history yet; and its manifest says so.
func TestATrainingSetOfStructsSeesTheSessionsWrites(t *testing.T) {
	c := newClient(t, newStore(t))
	ctx := sdk.WithSession(t.Context())
	push(t, ctx, c, 7)
	rows := lines(40_000) // several records
	r, err := training.Export(ctx, c, sdk.ExportRequest{Service: "driver_v1"}, structs(t, rows))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := rowsOf(t, r)
	if err := r.Err(); err != nil || len(got) != len(rows) {
		t.Fatalf("got %d rows of %d, %v", len(got), len(rows), err)
	}
	for i, want := range map[int]string{
		0: "0|2026-08-21 11:59:00Z|line 0|[0]|(null)|(null)|", 1: "1|2026-08-21 12:00:00Z|line 1|[1]|0.25|2|",
		4: "(null)|2026-08-21 12:00:00Z|line 4|(null)|(null)|(null)|", 39_998: "0|2026-08-21 12:01:00Z|line 39998|[39998]|0|1|",
	} {
		if strings.ReplaceAll(got[i], ".000000000", "") != want {
			t.Errorf("row %d: got %s, want %s", i, got[i], want)
		}
	}
	m, err := r.Manifest()
	if err != nil || m.Kind != api.ExportTraining || m.Rows != 40_000 || m.Matched["driver_stats"] == 0 || m.SHA256 == "" || m.History.Commit == 0 || !strings.Contains(m.Definition, "driver_stats") {
		t.Errorf("got %+v, %v", m, err)
	}
}

// Records go out as they are and come back with the features; JSON rows give the same.
func TestATrainingSetOfRecords(t *testing.T) {
	c := newClient(t, newStore(t))
	ctx := sdk.WithSession(t.Context())
	push(t, ctx, c, 3)
	snapshot, err := training.Export(ctx, c, sdk.ExportRequest{Snapshot: "driver_stats"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	// What one export gives are the entity rows of the next, while it comes.
	r, err := training.Export(ctx, c, sdk.ExportRequest{Features: []string{"driver_stats:trips"}, FullNames: true}, training.Records(snapshot))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := strings.Join(rowsOf(t, r), "\n")
	const want = "0|2026-08-21 12:00:00Z|0|1|(null)|1|\n1|2026-08-21 12:00:00Z|0.25|2|(null)|2|\n2|2026-08-21 12:00:00Z|0.5|3|(null)|3|"
	if r.Err() != nil || strings.ReplaceAll(got, ".000000000", "") != want {
		t.Errorf("got\n%s\n%v", got, r.Err())
	}
	if name := r.Schema().Field(5).Name; name != "driver_stats__trips" {
		t.Errorf("the column is called %s", name)
	}
}

// What is wrong is an error with the server's code and field, and nothing is tried again.
func TestARefusedExportSaysWhy(t *testing.T) {
	c := newClient(t, newStore(t))
	for _, tt := range []struct {
		r     sdk.ExportRequest
		rows  sdk.EntityStream
		code  api.Code
		field string
	}{
		{sdk.ExportRequest{Snapshot: "driver_stat"}, nil, api.CodeViewNotFound, "snapshot"},
		{sdk.ExportRequest{Service: "driver_v1"}, nil, api.CodeInvalidValue, "entity_rows"},
		{sdk.ExportRequest{Features: []string{"driver_stats:rats"}}, structs(t, lines(3)), api.CodeFeatureNotFound, "features[0]"},
		{sdk.ExportRequest{Service: "driver_v1", EventTime: "when"}, structs(t, lines(3)), api.CodeInvalidValue, "entity_rows"},
	} {
		_, err := training.Export(t.Context(), c, tt.r, tt.rows)
		var failed *sdk.Error
		if !errors.Is(err, tt.code) || !errors.As(err, &failed) || failed.Tries != 1 || failed.Problem.Field != tt.field {
			t.Errorf("%+v: got %v, want %s of %s", tt.r, err, tt.code, tt.field)
		}
	}
}

// A store without history is passed over for one that keeps it.
func TestAnExportFindsTheStoreThatKeepsHistory(t *testing.T) {
	none := newStore(t, func(c *replica.Config) { c.History = false })
	if _, err := training.Export(t.Context(), newClient(t, none), sdk.ExportRequest{Snapshot: "driver_stats"}, nil); !errors.Is(err, sdk.ErrNoHistory) {
		t.Errorf("got %v, want %v", err, sdk.ErrNoHistory)
	}
	kept := newStore(t)
	push(t, t.Context(), newClient(t, kept), 1)
	r, err := training.Export(sdk.WithSession(t.Context()), newClient(t, none, kept), sdk.ExportRequest{Snapshot: "driver_stats"}, structs(t, nil))
	if err == nil {
		r.Close()
	}
	r, err = training.Export(t.Context(), newClient(t, none, kept), sdk.ExportRequest{Snapshot: "driver_stats"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// cutting passes requests on to a store, and cuts its answers off after so many bytes: by
// the end of the connection, or as if that were all.
func cutting(t *testing.T, to string, after int, polite bool) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(r.Body, int64(after)), r.Body}
		r.Trailer = nil
		r.Header.Del("Trailer")
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := http.Handler(proxy)
	if !polite {
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer panic(http.ErrAbortHandler)
			proxy.ServeHTTP(w, r)
			_ = http.NewResponseController(w).Flush()
		})
	}
	server := &http.Server{Handler: handler, ErrorLog: nil}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return "http://" + listener.Addr().String()
}

// ST1: an export that was cut short anywhere is never taken for whole, even where
// the Arrow stream itself is.
func TestAnExportThatWasCutShortIsAnError(t *testing.T) {
	store := newStore(t)
	ctx := sdk.WithSession(t.Context())
	push(t, ctx, newClient(t, store), 50)
	whole, err := newClient(t, store).Export(ctx, sdk.ExportRequest{Snapshot: "driver_stats"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(whole)
	if err != nil {
		t.Fatal(err)
	}
	if end, ok := whole.End(); !ok || end.Rows != 50 {
		t.Errorf("got %+v, %v", end, ok)
	}
	whole.Close()
	for _, after := range []int{0, 100, len(all) / 2, len(all) - 20, len(all) - 8, len(all) - 1} {
		for _, polite := range []bool{true, false} {
			c := newClient(t, cutting(t, store, after, polite))
			r, err := training.Export(ctx, c, sdk.ExportRequest{Snapshot: "driver_stats"}, nil)
			if err == nil {
				for r.Next() {
				}
				err = r.Err()
				r.Close()
			}
			var failed *sdk.Error
			if !errors.Is(err, sdk.ErrIncomplete) && !errors.As(err, &failed) {
				t.Errorf("cut after %d of %d bytes, politely %v: got %v, want %v", after, len(all), polite, err, sdk.ErrIncomplete)
			}
		}
	}
}

// ST2: a store that cannot be reached is no reason to fail while another one can; rows
// that can be read once are not sent twice.
func TestAnExportIsTriedAgainOnlyWhenThatIsSafe(t *testing.T) {
	busy := atomic.Int64{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		busy.Add(1)
		_, _ = io.Copy(io.Discard, bufio.NewReader(r.Body))
		w.Header().Set("Content-Type", api.MediaProblem)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code": "draining", "status": 503, "title": "", "type": ""}`)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	defer func() { server.Close(); <-done }()
	c := newClient(t, "http://"+listener.Addr().String(), newStore(t))
	r, err := training.Export(t.Context(), c, sdk.ExportRequest{Service: "driver_v1"}, structs(t, lines(10)))
	if err != nil || busy.Load() != 1 {
		t.Fatalf("%v, the busy one was asked %d times", err, busy.Load())
	}
	if got := rowsOf(t, r); len(got) != 10 || r.Err() != nil {
		t.Errorf("got %d rows, %v", len(got), r.Err())
	}
	r.Close()

	again := newClient(t, "http://"+listener.Addr().String(), newStore(t))
	once, err := training.Export(t.Context(), c, sdk.ExportRequest{Service: "driver_v1"}, structs(t, lines(10)))
	if err != nil {
		t.Fatal(err)
	}
	defer once.Close()
	if _, err := training.Export(t.Context(), again, sdk.ExportRequest{Service: "driver_v1"}, training.Records(once)); err == nil || !strings.Contains(err.Error(), "read once alone") {
		t.Errorf("got %v", err)
	}
}

// ST3: the end of the context ends an export, here and at the store: another one may
// begin at once.
func TestTheContextEndsAnExport(t *testing.T) {
	c := newClient(t, newStore(t, func(c *replica.Config) { c.Exports.Running = 1 }))
	push(t, t.Context(), c, 3)
	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan struct{})
	endless := training.RecordsOf(func() (array.RecordReader, error) {
		return &endlessRows{RecordReader: must(t, lines(10)), begun: begun, until: ctx}, nil
	})
	go func() { <-begun; cancel() }()
	if _, err := training.Export(ctx, c, sdk.ExportRequest{Service: "driver_v1"}, endless); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	// The store may take a moment to notice.
	limit := time.Now().Add(time.Minute)
	for {
		r, err := training.Export(t.Context(), c, sdk.ExportRequest{Snapshot: "driver_stats"}, nil)
		if err == nil {
			r.Close()
			return
		}
		if !errors.Is(err, sdk.ErrOverloaded) || time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}

// A client that stands still is cut off, so that others get its place; the one that goes on
// reading then is told that its export is not whole.
func TestAClientThatStandsStillIsCutOff(t *testing.T) {
	c := newClient(t, newStore(t, func(c *replica.Config) { c.Exports.Running, c.Exports.Stall = 1, 2*time.Second }))
	rows := lines(100_000)
	for i := range rows { // more than sockets hold
		rows[i].Label = strings.Repeat("label ", 50)
	}
	// Made before, so that it is the answer alone that stands still.
	made := must(t, rows)
	var records []arrow.Record
	for made.Next() {
		records = append(records, made.Record())
	}
	ready, err := array.NewRecordReader(made.Schema(), records)
	if err != nil {
		t.Fatal(err)
	}
	r, err := training.Export(t.Context(), c, sdk.ExportRequest{Service: "driver_v1"}, training.Records(ready))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	limit := time.Now().Add(time.Minute)
	for {
		other, err := training.Export(t.Context(), c, sdk.ExportRequest{Snapshot: "driver_stats"}, nil)
		if err == nil {
			other.Close()
			break
		}
		if !errors.Is(err, sdk.ErrOverloaded) || time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	for r.Next() {
	}
	if err := r.Err(); !errors.Is(err, sdk.ErrIncomplete) {
		t.Errorf("got %v, want %v", err, sdk.ErrIncomplete)
	}
}

// endlessRows gives its one record again and again.
type endlessRows struct {
	array.RecordReader
	begun chan struct{}
	until context.Context
	n     int
}

func (e *endlessRows) Next() bool {
	if e.n == 0 {
		e.RecordReader.Next()
	}
	if e.n++; e.n == 3 {
		close(e.begun)
	}
	return e.until.Err() == nil
}

func must(t *testing.T, rows []Line) array.RecordReader {
	t.Helper()
	r, err := training.StructRecords(rows)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Structs that cannot be columns are named by field.
func TestStructsThatAreNoRowsAreNamed(t *testing.T) {
	type hidden struct {
		id int64 `key:"driver_id"`
	}
	type twice struct {
		A int64 `key:"driver_id"`
		B int64 `column:"driver_id"`
	}
	type odd struct {
		A map[string]int `column:"a"`
	}
	for want, err := range map[string]error{
		"hidden.id has a tag, and is not exported":  second(training.Structs([]hidden{{1}})),
		`twice.B and A are both column "driver_id"`: second(training.Structs([]twice{})),
		"odd.A: type map[string]int is no column":   second(training.Structs([]odd{})),
		"no field with a tag":                       second(training.Structs([]struct{ A int }{})),
		"want a struct":                             second(training.Structs([]int{})),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	early, err := training.Structs([]Line{{At: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := early()
	if err == nil {
		_, err = io.ReadAll(in)
	}
	if err == nil || !strings.Contains(err.Error(), "row 0, column event_timestamp: 0001-01-01") {
		t.Errorf("got %v", err)
	}
}

func second(_ sdk.EntityStream, err error) error { return err }
