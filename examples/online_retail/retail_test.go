package retail

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"featurestore/replica"
)

var full = flag.Bool("retail.full", false, "load the whole file under -short and -race too, not its first months only")

// someMonths take a seventh of the time. What they lack, such as a stored
// null, the generated file has.
const someMonths = 2

// TestServesWhatTheFileSays holds X1 and X2 on the real file.
func TestServesWhatTheFileSays(t *testing.T) {
	file, months := dataFile(t), "0"
	if (testing.Short() || raceDetector) && !*full {
		months = strconv.Itoa(someMonths)
	}
	serveAndCompare(t, file, months)
}

// serveAndCompare checks that the store that the definitions and the loader
// make answers ten lookups, in both dialects, as a program does that reads the
// file alone; and so it does when a month was loaded twice.
func serveAndCompare(t *testing.T, file, months string) []lookup {
	t.Helper()
	bin := build(t, "load", "expected")
	url := serve(t)
	want := expected(t, bin, file, months)
	t.Log("load:", run(t, bin("load"), "-url", url, "-months", months, file))
	t.Log("store, and this test:", memory())
	compare(t, url, want)

	again := run(t, bin("load"), "-url", url, "-months", "1", file)
	t.Log("load a month again:", again)
	if strings.Contains(again, "; 0 rows were there already") {
		t.Error("a month that is there was loaded again: its rows counted twice")
	}
	compare(t, url, want)
	return want
}

// dataFile returns the path of the real file, or skips the test.
func dataFile(t *testing.T) string {
	t.Helper()
	path := cmp.Or(os.Getenv("ONLINE_RETAIL"), filepath.Join("..", "..", "..", "shared", "data", "online_retail.csv.gz"))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the Online Retail file is not there (%v); README.md says where to get it, and ONLINE_RETAIL names its place", err)
	}
	return path
}

// build compiles programs of this folder and returns where they are.
func build(t *testing.T, programs ...string) func(name string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, p := range programs {
		args = append(args, "./"+p)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return func(name string) string { return filepath.Join(dir, name) }
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// serve runs a store with the definitions until the test ends.
func serve(t *testing.T) (url string) {
	url, _ = serveFrom(t, replica.Config{Data: t.TempDir()})
	return url
}

// serveFrom runs a store with the definitions until stop is called, or the test ends.
func serveFrom(t *testing.T, cfg replica.Config) (url string, stop func()) {
	t.Helper()
	cfg.Region, cfg.Store, cfg.Listen, cfg.Definitions = "eu", "eu-1", "127.0.0.1:0", "definitions"
	r, err := replica.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the store ended with: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-r.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatalf("the store did not start: %v", err)
	}
	return r.URL(), stop
}

// memory says how much of it this process had at most, and what it has now:
// anonymous memory is its own, files are the store's, mapped, which the system
// takes back when it needs the room.
func memory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "measured on Linux only"
	}
	var out []string
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if what, ok := map[string]string{"VmHWM": "resident at most", "RssAnon": "now anonymous", "RssFile": "now of files"}[name]; ok {
			out = append(out, what+" "+strings.TrimSpace(value))
		}
	}
	return strings.Join(out, ", ")
}

// lookup is a question with its answer, as the expected program prints it.
type lookup struct {
	Name    string
	Request struct {
		Service  string           `json:"service,omitempty"`
		Features []string         `json:"features,omitempty"`
		Entities map[string][]any `json:"entities"`
		Request  map[string][]any `json:"request,omitempty"`
	}
	Features []string
	Rows     []row
}

// row is the answer for one entity.
type row struct {
	Entity   map[string]any
	Values   []any
	Statuses []string
	// EventTimes are nil where there is none.
	EventTimes []*string `json:"event_times"`
}

func expected(t *testing.T, bin func(string) string, file, months string) []lookup {
	t.Helper()
	var answers struct{ Lookups []lookup }
	decode(t, []byte(run(t, bin("expected"), "-months", months, file)), &answers)
	if len(answers.Lookups) != 10 {
		t.Fatalf("the expected program answers %d lookups, want 10", len(answers.Lookups))
	}
	return answers.Lookups
}

// compare asks every lookup in both dialects.
func compare(t *testing.T, url string, lookups []lookup) {
	t.Helper()
	for _, want := range lookups {
		t.Run(want.Name, func(t *testing.T) {
			t.Run("native", func(t *testing.T) { compareNative(t, url, want) })
			t.Run("feast", func(t *testing.T) { compareFeast(t, url, want) })
		})
	}
}

func compareNative(t *testing.T, url string, want lookup) {
	var got struct {
		Features []string
		Rows     []row
	}
	post(t, url+"/v1/projects/online_retail/lookup", want.Request, &got)
	if g, w := fmt.Sprint(got.Features), fmt.Sprint(want.Features); g != w {
		t.Fatalf("features are %s, want %s", g, w)
	}
	if len(got.Rows) != len(want.Rows) {
		t.Fatalf("got %d rows, want %d", len(got.Rows), len(want.Rows))
	}
	for i, w := range want.Rows {
		g := got.Rows[i]
		if !sameValue(g.Entity, w.Entity) {
			t.Errorf("row %d is of entity %v, want %v", i, g.Entity, w.Entity)
		}
		for j, feature := range want.Features {
			compareCell(t, fmt.Sprint(w.Entity, " ", feature),
				cell{g.Values[j], g.Statuses[j], timeText(g.EventTimes[j], "none")},
				cell{w.Values[j], w.Statuses[j], timeText(w.EventTimes[j], "none")})
		}
	}
}

// feastNoTime is what Feast's dialect shows where there is no event time.
const feastNoTime = "1970-01-01T00:00:00Z"

func compareFeast(t *testing.T, url string, want lookup) {
	body := map[string]any{"entities": want.Request.Entities, "full_feature_names": true, "request_context": want.Request.Request}
	if want.Request.Service != "" {
		body["feature_service"] = want.Request.Service
	} else {
		body["features"] = want.Request.Features
	}
	type result struct {
		Values   []any
		Statuses []string
		Times    []string `json:"event_timestamps"`
	}
	var got struct {
		Metadata struct {
			Names []string `json:"feature_names"`
		}
		Results []result
	}
	post(t, url+"/get-online-features", body, &got)
	if len(got.Results) != len(got.Metadata.Names) {
		t.Fatalf("got %d results for the names %v", len(got.Results), got.Metadata.Names)
	}
	columns := map[string]result{}
	for i, name := range got.Metadata.Names {
		columns[name] = got.Results[i]
	}
	if want := len(want.Features) + len(want.Request.Entities); len(columns) != want {
		t.Errorf("got the columns %v, want %d", got.Metadata.Names, want)
	}
	check := func(name string, i int, w cell) {
		c, ok := columns[name]
		if !ok || len(c.Values) != len(want.Rows) || len(c.Statuses) != len(want.Rows) || len(c.Times) != len(want.Rows) {
			t.Errorf("column %s is %v, want one of %d rows", name, c, len(want.Rows))
			return
		}
		compareCell(t, fmt.Sprint(want.Rows[i].Entity, " ", name), cell{c.Values[i], c.Statuses[i], c.Times[i]}, w)
	}
	for i, w := range want.Rows {
		for key, value := range w.Entity {
			check(key, i, cell{value, "PRESENT", feastNoTime})
		}
		for j, feature := range want.Features {
			value := w.Values[j]
			if feature == "customer_stats:last_seen" {
				value = unixSeconds(t, value)
			}
			check(strings.Replace(feature, ":", "__", 1), i, cell{value, w.Statuses[j], timeText(w.EventTimes[j], feastNoTime)})
		}
	}
}

// unixSeconds is a timestamp as Feast's dialect shows its value.
func unixSeconds(t *testing.T, value any) any {
	t.Helper()
	text, ok := value.(string)
	if !ok {
		return value
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return json.Number(strconv.FormatInt(at.Unix(), 10))
}

func timeText(at *string, none string) string {
	if at == nil {
		return none
	}
	return *at
}

// post asks url with a JSON body and reads its JSON answer.
func post(t *testing.T, url string, body, into any) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("POST %s %s: %s\n%s", url, encoded, resp.Status, answer)
	}
	decode(t, answer, into)
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
