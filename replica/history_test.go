package replica

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
)

const keptRides = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views: [{name: driver_stats, entity: driver, features: [{name: rate, type: float64}]}]
`

// rowsOf counts the rows that a history has of each view.
func rowsOf(t *testing.T, data string) (rows int64) {
	t.Helper()
	r, err := history.NewReader(t.Context(), history.NewDisk(HistoryDir(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, view := range r.Views() {
		for _, f := range r.Files(view, history.AllTime) {
			rows += f.Rows
		}
	}
	return rows
}

// A store keeps the history of what every region writes, each row once, over its
// ends and beginnings; one that does not, makes no folder.
func TestAStoreKeepsTheHistoryOfAllRegions(t *testing.T) {
	definitions := filepath.Join(t.TempDir(), "rides.yaml")
	if err := os.WriteFile(definitions, []byte(keptRides), 0o600); err != nil {
		t.Fatal(err)
	}
	all := deployment(t, "eu", "us")
	kept := all["us"]
	kept.History, kept.HistoryEvery = true, 20*time.Millisecond
	first := all["eu"]
	first.Definitions = definitions
	eu, us := run(t, first), run(t, kept)
	awaitReady(t, eu, us)
	pushed := 0
	push := func(x *running) {
		t.Helper()
		pushed++
		body := `{"view": "driver_stats", "rows": [{"driver_id": ` + strconv.Itoa(pushed) + `, "rate": 0.5}]}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.URL()+"/v1/projects/rides/push", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", api.MediaJSON)
		r.Header.Set(api.HeaderWriteConcern, "all")
		r.Header.Set(api.HeaderTimeout, "30s")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("push %d at %s: %s", pushed, x.cfg.Store, answer.Status)
		}
	}
	// The definitions reach us with the first row that it acknowledges.
	for range 5 {
		push(eu)
	}
	push(us)
	us.stop()
	if err := <-us.done; err != nil {
		t.Fatal(err)
	}
	kept.PeerListener = nil // the port is free again
	us = run(t, kept)
	awaitReady(t, us)
	push(us)
	push(eu)
	look, limit := time.NewTicker(10*time.Millisecond), time.Now().Add(time.Minute)
	defer look.Stop()
	for ; rowsOf(t, kept.Data) < int64(pushed); <-look.C {
		if time.Now().After(limit) {
			t.Fatalf("history has %d rows after a minute, %d were written", rowsOf(t, kept.Data), pushed)
		}
	}
	if rows := rowsOf(t, kept.Data); rows != int64(pushed) {
		t.Errorf("history has %d rows, %d were written", rows, pushed)
	}
	if _, err := os.Stat(HistoryDir(first.Data)); !os.IsNotExist(err) {
		t.Errorf("a store that keeps no history has a folder for it: %v", err)
	}
}

// lockedText is a log that can be read while it is written.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Who opens a history takes it over: the store that kept it says so at once, keeps
// none any more, and serves on.
func TestAHistoryThatIsTakenOverIsNotKeptAnyMore(t *testing.T) {
	var log lockedText
	x, _ := start(t, Config{History: true, HistoryEvery: 10 * time.Millisecond, LogOutput: &log})
	h, err := history.Open(t.Context(), history.Config{Files: history.NewDisk(HistoryDir(x.cfg.Data))})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := x.store.Apply(t.Context(), parsedBy(t, keptRides), nil); err != nil {
		t.Fatal(err)
	}
	push := func() {
		t.Helper()
		answer, err := http.Post(x.URL()+"/v1/projects/rides/push", api.MediaJSON, bytes.NewReader([]byte(`{"view": "driver_stats", "rows": [{"driver_id": 1, "rate": 0.5}]}`)))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("push: %s", answer.Status)
		}
	}
	push()
	look, limit := time.NewTicker(10*time.Millisecond), time.Now().Add(time.Minute)
	defer look.Stop()
	for ; !strings.Contains(log.String(), "history is not kept any more"); <-look.C {
		if time.Now().After(limit) {
			t.Fatalf("it says nothing for a minute:\n%s", log.String())
		}
	}
	push()
}

func parsedBy(t testing.TB, text string) feature.Definitions {
	t.Helper()
	d, err := definition.Parse("rides.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
