package replica

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"featurestore/online"
)

// start runs a store on a free port until the test ends, and returns it and
// what stops it: stop waits for Run and returns its error.
func start(t testing.TB, c Config) (_ *Replica, stop func() error) {
	t.Helper()
	if c.Region == "" {
		c.Region, c.Store = "eu", "eu-1"
	}
	if c.Data == "" {
		c.Data = t.TempDir()
	}
	c.Listen = "127.0.0.1:0"
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	select {
	case <-r.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("run ended before the store was ready: %v", err)
	}
	return r, stop
}

func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// ridesFile writes definitions of one view and returns their path.
func ridesFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rides.yaml")
	text := "project: rides\nentities:\n  - {name: driver, join_keys: [{name: driver_id, type: int64}]}\n" +
		"views:\n  - {name: stats, entity: driver, features: [{name: trips, type: int64}]}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadyMeansServing(t *testing.T) {
	r, stop := start(t, Config{})
	for _, path := range []string{"/livez", "/readyz", "/health"} {
		if status, body := get(t, r.URL()+path); status != http.StatusOK {
			t.Errorf("%s answers %d %s", path, status, body)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(r.URL() + "/livez"); err == nil {
		t.Error("a stopped store answers")
	}
}

func TestRegionsTellTheAddressThatClientsReach(t *testing.T) {
	r, _ := start(t, Config{})
	if _, body := get(t, r.URL()+"/v1/regions"); !strings.Contains(body, `"url":"`+r.URL()+`"`) {
		t.Errorf("got %s, want the url %s", body, r.URL())
	}
	everywhere, err := New(Config{Region: "eu", Store: "eu-1", Data: t.TempDir(), Listen: "0.0.0.0:0", AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := everywhere.reachable(); got != "" {
		t.Errorf("on every address of the machine: got %s, want none", got)
	}
	if err := everywhere.Close(); err != nil {
		t.Error(err)
	}
}

func TestMetricsPageHasEveryRoomWithBuckets(t *testing.T) {
	r, _ := start(t, Config{})
	get(t, r.URL()+"/livez")
	_, page := get(t, r.URL()+"/metrics")
	for _, want := range []string{
		`featurestore_server_request_duration_seconds_bucket{`, `le="0.00025"`, "go_goroutine_count", "process_resident_memory_bytes",
		`service_instance_id="eu-1"`, "featurestore_online_",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
}

func TestDefinitionsAreAppliedOnceAndSurvive(t *testing.T) {
	data, path := t.TempDir(), ridesFile(t)
	for range 2 {
		r, stop := start(t, Config{Data: data, Definitions: path})
		if got := r.Registry().Revision(); got != 1 {
			t.Errorf("the registry's revision is %d, want 1", got)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("project: rides\nviews:\n  - {name: stats, entity: nobody, features: []}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Region: "eu", Store: "eu-1", Data: data, Definitions: path, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a store with bad definitions ran until %v, want their fault", err)
	}
}

func TestASecondStoreLeavesTheDirectoryAlone(t *testing.T) {
	data := t.TempDir()
	_, stop := start(t, Config{Data: data})
	before, err := os.ReadFile(filepath.Join(data, "secret"))
	if err != nil || len(before) != secretBytes {
		t.Fatalf("the secret has %d bytes and %v", len(before), err)
	}
	if _, err := New(Config{Region: "eu", Store: "eu-1", Data: data, Listen: "127.0.0.1:0"}); !errors.Is(err, online.ErrInUse) {
		t.Errorf("a second store on one directory: got %v, want ErrInUse", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	start(t, Config{Data: data})
	if after, _ := os.ReadFile(filepath.Join(data, "secret")); string(after) != string(before) {
		t.Error("a restart changed the secret: tokens from before are worth nothing")
	}
	if info, _ := os.Stat(filepath.Join(data, "secret")); info.Mode().Perm() != 0o600 {
		t.Errorf("the secret has mode %v, want 0600", info.Mode().Perm())
	}
}

func TestSecretFilesThatAreNoSecret(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("123456789012345\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "is not there: make it with",
		short:                              "has 15 bytes: it must have at least 16",
	} {
		_, err := New(Config{Region: "eu", Store: "eu-1", Data: t.TempDir(), SecretFile: path, Listen: "127.0.0.1:0"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAPortInUseIsAnErrorThatLeavesNothingOpen(t *testing.T) {
	r, _ := start(t, Config{})
	data := t.TempDir()
	c := Config{Region: "eu", Store: "eu-2", Data: data, Listen: r.Addr().String()}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Fatalf("got %v, want that the address is in use", err)
	}
	start(t, Config{Region: "eu", Store: "eu-2", Data: data}) // the directory is free
}

// TestStopWaitsForRequestsInFlight holds a request open across the stop.
func TestStopWaitsForRequestsInFlight(t *testing.T) {
	r, stop := start(t, Config{Drain: time.Minute, Timeout: time.Minute, Definitions: ridesFile(t)})
	body, send := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL()+"/v1/projects/rides/lookup", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answered := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			err = answer.Body.Close()
		}
		answered <- err
	}()
	if _, err := send.Write([]byte(`{`)); err != nil { // the request has begun
		t.Fatal(err)
	}
	overdue := time.After(10 * time.Second)
	for tick := time.Tick(time.Millisecond); r.server.InFlight() == 0; {
		select {
		case err := <-answered:
			t.Fatalf("the request ended early: %v", err)
		case <-overdue:
			t.Fatal("the request was never in flight")
		case <-tick:
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case err := <-stopped:
		t.Fatalf("the store stopped with a request in flight: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := send.Write([]byte(`}`)); err != nil {
		t.Fatal(err)
	}
	send.Close()
	if err := <-answered; err != nil {
		t.Errorf("the request in flight was cut off: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
