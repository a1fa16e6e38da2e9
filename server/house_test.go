package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/online"
)

// A house is a server on a real store in a directory of the test, with the
// project rides applied. Its clock stands still at noon.
type house struct {
	testing.TB
	store  *online.Store
	server *Server
}

// noon is the time in a house.
var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

const rides = `
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: place, join_keys: [{name: city, type: string}, {name: zone, type: int32}]}
views:
  - name: driver_stats
    entity: driver
    ttl: 24h
    push_source: driver_push
    features:
      - {name: conv_rate, type: float32}
      - {name: trips, type: int64, conflict: counter}
      - {name: best, type: float64, conflict: max}
      - {name: tags, type: "list<string>", conflict: set}
      - {name: name, type: string}
      - {name: seen, type: timestamp}
      - {name: profile, type: json}
      - {name: taste, type: "vector<float32,3>"}
      - {name: vip, type: bool}
      - {name: photo, type: bytes}
      - {name: fare, type: decimal}
      - {name: trip, type: uuid}
      - {name: level, type: int32}
      - {name: total, type: int64}
  - name: driver_flags
    entity: driver
    push_source: driver_push
    features: [{name: flag, type: string, conflict: write_time}]
  - name: place_stats
    entity: place
    max_lateness: 240h
    features: [{name: demand, type: float64}]
services:
  - {name: driver_v1, features: ["driver_stats:conv_rate", "driver_stats:trips"]}
`

func newHouse(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	return newHouseOn(t, t.TempDir(), -1, change...)
}

// clock is the wall clock of a house.
func clock() time.Time { return noon }

// openStore opens the store in a directory until the test ends.
func openStore(t testing.TB, dir string, minFreeBytes int64) *online.Store {
	t.Helper()
	return openStoreOf(t, "eu", dir, minFreeBytes)
}

// openStoreOf opens the first store of a region.
func openStoreOf(t testing.TB, region, dir string, minFreeBytes int64) *online.Store {
	t.Helper()
	store, err := online.Open(online.Config{
		Dir: dir, Store: region + "-1", Region: region, Wall: clock, MinFreeBytes: minFreeBytes, HotBytes: 32 << 20, MemTableBytes: 16 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- store.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// newHouseOn is newHouse in a directory, on a disk with that much to keep free.
func newHouseOn(t testing.TB, dir string, minFreeBytes int64, change ...func(*Config)) *house {
	t.Helper()
	return houseOf(t, openStore(t, dir, minFreeBytes), change...)
}

// houseOf is newHouse on a store.
func houseOf(t testing.TB, store *online.Store, change ...func(*Config)) *house {
	t.Helper()
	region, name := store.Identity().Region, store.Identity().Store
	signer, err := consistency.NewSigner([]byte(strings.Repeat("secret", 4)), store.Identity().Incarnation)
	if err != nil {
		t.Fatal(err)
	}
	self := meta.Member{Store: meta.StoreID(name), Region: meta.Region(region)}
	coordinator, err := consistency.NewCoordinator(consistency.Config{
		Store: consistency.OwnStore{Log: store}, Self: self, Now: func() int64 { return noon.UnixNano() },
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Region: region, Store: name, Online: store, Coordinator: coordinator, Signer: signer, Now: clock}
	for _, c := range change {
		c(&cfg)
	}
	server, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, store: store, server: server}
	h.apply(rides)
	return h
}

// do sends a request; headers are name, value pairs.
func (h *house) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	h.Helper()
	r := httptest.NewRequestWithContext(h.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", api.MediaJSON)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.server.Handler().ServeHTTP(w, r)
	checkAgainstDocument(h, r, body, w)
	return w
}

func (h *house) post(path, body string, headers ...string) *httptest.ResponseRecorder {
	h.Helper()
	return h.do(http.MethodPost, "/v1/projects/rides/"+path, body, headers...)
}

// answer decodes a 200 answer.
func answer[T any](h *house, w *httptest.ResponseRecorder) T {
	h.Helper()
	var v T
	if w.Code != http.StatusOK {
		h.Fatalf("got status %d: %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		h.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

// problem decodes an error answer and checks its form.
func (h *house) problem(w *httptest.ResponseRecorder) api.Problem {
	h.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		h.Fatalf("got status %d, no problem: %s", w.Code, w.Body)
	}
	switch {
	case w.Header().Get("Content-Type") != api.MediaProblem:
		h.Errorf("a problem of type %q, want %s", w.Header().Get("Content-Type"), api.MediaProblem)
	case p.Status != w.Code || p.Code.Status() != w.Code || p.Title != p.Code.Title():
		h.Errorf("status %d with problem %+v", w.Code, p)
	case p.RequestID == "" || p.RequestID != w.Header().Get(api.HeaderRequestID):
		h.Errorf("problem has request id %q, the header %q", p.RequestID, w.Header().Get(api.HeaderRequestID))
	}
	return p
}

// stored counts the log entries and the rows of the store.
func (h *house) stored() (entries, rows int) {
	h.Helper()
	c, _ := h.store.Registry().Catalog("rides")
	for _, g := range c.Groups() {
		for partition := range max(g.Partitions, 1) {
			shard := feature.Shard{Group: g.ID, Partition: partition}
			for _, err := range h.store.Entries(h.Context(), shard, h.store.Identity().Origin, hlc.Timestamp(0)) {
				if err != nil {
					h.Fatal(err)
				}
				entries++
			}
			for _, v := range c.Views() {
				for _, err := range h.store.Scan(h.Context(), shard, v.ID) {
					if err != nil {
						h.Fatal(err)
					}
					rows++
				}
			}
		}
	}
	return entries, rows
}
