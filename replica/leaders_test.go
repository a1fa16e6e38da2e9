package replica

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const spreadDefinitions = `
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
groups:
  - {name: default, placement: leader, partitions: 16, durability: quorum}
views:
  - name: stats
    entity: driver
    features: [{name: trips, type: int64, conflict: write_time}]
`

// A group of many partitions is led by several stores. One push and one lookup
// concern them all, wherever they are asked for.
func TestARequestConcernsRowsThatSeveralStoresLead(t *testing.T) {
	all := deployment(t, "ap", "eu", "us")
	file := filepath.Join(t.TempDir(), "spread.yaml")
	if err := os.WriteFile(file, []byte(spreadDefinitions), 0o600); err != nil {
		t.Fatal(err)
	}
	var stores []*running
	for _, region := range []string{"ap", "eu", "us"} {
		c := all[region]
		c.Definitions = file
		stores = append(stores, run(t, c))
	}
	awaitReady(t, stores...)
	const drivers = 40
	var rows []map[string]any
	var keys []int
	for d := range drivers {
		rows, keys = append(rows, map[string]any{"driver_id": d, "trips": 100 + d}), append(keys, d)
	}
	ask := func(x *running, path string, body any, headers ...string) (status int, answer map[string]any) {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+x.Addr().String()+"/v1/projects/rides/"+path, bytes.NewReader(encoded))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		raw, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return got.StatusCode, answer
	}
	// Definitions reach the others, and leaders begin, in their own time.
	push := map[string]any{"view": "stats", "rows": rows}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, answer := ask(stores[0], "push", push, "Featurestore-Write-Concern", "quorum", "Featurestore-Timeout", "10s")
		if status == http.StatusOK {
			if answer["accepted"] != float64(drivers) {
				t.Fatalf("the push came to %v", answer)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the push was answered %d: %v", status, answer)
		}
	}
	leaders := map[string]bool{}
	for _, term := range stores[0].node.Membership().Terms {
		leaders[string(term.Leader)] = true
	}
	if len(leaders) < 2 {
		t.Fatalf("16 partitions are led by %v, want several stores", leaders)
	}
	for _, x := range stores {
		status, answer := ask(x, "lookup", map[string]any{"features": []string{"stats:trips"}, "entities": map[string]any{"driver_id": keys}},
			"Featurestore-Consistency", "leader", "Featurestore-Timeout", "10s")
		if status != http.StatusOK {
			t.Fatalf("%s: the lookup was answered %d: %v", x.cfg.Store, status, answer)
		}
		if met := answer["consistency"].(map[string]any)["met"]; met != "leader" {
			t.Errorf("%s: the lookup met %v, want leader", x.cfg.Store, met)
		}
		for d, row := range answer["rows"].([]any) {
			if got := fmt.Sprint(row.(map[string]any)["values"]); got != fmt.Sprintf("[%d]", 100+d) {
				t.Errorf("%s: driver %d has %s, want [%d]", x.cfg.Store, d, got, 100+d)
			}
		}
	}
}
