package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"featurestore/api"
)

const regionsBatch = `
project: bank
entities: [{name: account, join_keys: [{name: account, type: int64}]}]
groups:
  - {name: accounts, placement: leader, home: [us], partitions: 4, durability: quorum, write: {concern: quorum}, read: {level: leader}}
  - {name: told, placement: leader, home: [us], routing: redirect, read: {level: leader}}
  - {name: anywhere, placement: multi_leader, partitions: 2}
views:
  - {name: balance, entity: account, group: accounts, features: [{name: moves, type: int64, conflict: counter}], batch_source: {path: in}}
  - {name: tellers, entity: account, group: told, features: [{name: moves, type: int64, conflict: counter}], batch_source: {path: in}}
  - {name: visits, entity: account, group: anywhere, features: [{name: times, type: int64, conflict: counter}], batch_source: {path: in}}
`

// accounts is how many the files of TestMaterializeReachesLeadersAndMoves name, each
// once a file.
const accounts = 3000

// TestMaterializeReachesLeadersAndMoves materializes where the home is one store and the
// leader another, asked of a third. Rows are counted once whatever moves: the job is
// broken off, the leaders change, the home changes, a file is copied.
func TestMaterializeReachesLeadersAndMoves(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link, dir := filepath.Join(t.TempDir(), "featurestore"), t.TempDir()
	in := filepath.Join(dir, "src", "in")
	if err := errors.Join(os.Symlink(binary, link), os.MkdirAll(in, 0o700), os.WriteFile(filepath.Join(dir, "bank.yaml"), []byte(regionsBatch), 0o600)); err != nil {
		t.Fatal(err)
	}
	p, err := startProcess(link, dir, append(os.Environ(), "TMPDIR="+dir), "dev", "--no-sample", "--definitions", "bank.yaml", "--batch-sources", "src", "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := client{url: p.url, project: "bank", timeout: 30 * time.Second}
	var regions api.Regions
	if err := first.get(t.Context(), "/v1/regions", &regions); err != nil {
		t.Fatal(err)
	}
	at := map[string]*client{}
	for _, r := range regions.Regions {
		at[r.Region] = &client{url: r.URL, project: "bank", timeout: 30 * time.Second}
	}
	write := func(name string, n int) {
		t.Helper()
		var text strings.Builder
		text.WriteString("account,event_timestamp,moves,times\n")
		for account := range accounts {
			fmt.Fprintf(&text, "%d,2026-08-%02dT00:00:00Z,1,1\n", account, n)
		}
		if err := os.WriteFile(filepath.Join(in, name), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(region string) api.Job {
		t.Helper()
		var job api.Job
		if err := at[region].post(t.Context(), at[region].path("materialize"), nil, []byte(`{}`), &job); err != nil {
			t.Fatalf("asked of %s: %v", region, err)
		}
		return job
	}
	finish := func(region string, job api.Job) api.Job {
		t.Helper()
		job, err := at[region].followJob(t.Context(), job, func(api.Job) {})
		if err != nil {
			t.Fatalf("asked of %s: %v", region, err)
		}
		return job
	}
	check := func(what string, want int) {
		t.Helper()
		for _, region := range []string{"ap", "eu", "us"} {
			countedTimes(t, at[region], what+", in "+region, "balance:moves", "leader", want)
			countedTimes(t, at[region], what+", in "+region, "visits:times", "quorum; members=3", want)
		}
		countedTimes(t, at["us"], what, "tellers:moves", "leader", want) // other stores tell their clients who leads
	}

	// Broken off at the home, asked of another store, which also cancels it.
	write("1.csv", 1)
	job := begin("ap")
	if job.Store != "eu-1" {
		t.Errorf("the job runs at %s, want the home, eu-1", job.Store)
	}
	if _, err := at["us"].call(t.Context(), "DELETE", at["us"].path("jobs", job.ID), nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	finish("ap", job)
	if job = finish("us", begin("us")); job.State != api.JobDone {
		t.Fatalf("the job is %+v", job)
	}
	check("after the first file", 1)

	// Other leaders; a copy of what they have, and a file that is new.
	var answer json.RawMessage
	if err := first.post(t.Context(), first.path("groups", "accounts", "promote"), nil, []byte(`{"to": "ap"}`), &answer); err != nil {
		t.Fatal(err)
	}
	write("copy.csv", 1)
	write("2.csv", 2)
	if job = finish("eu", begin("eu")); job.State != api.JobDone {
		t.Fatalf("the job is %+v", job)
	}
	check("after the leaders changed", 2)

	// Another home.
	if err := at["us"].post(t.Context(), "/v1/members", nil, []byte(`{"action": "take_home", "store": "us-1"}`), &answer); err != nil {
		t.Fatal(err)
	}
	write("3.csv", 3)
	write("copy of 2.csv", 2)
	if job = finish("us", begin("us")); job.State != api.JobDone || job.Store != "us-1" {
		t.Fatalf("the job is %+v, want it done by us-1", job)
	}
	check("after the home changed", 3)
	if err := p.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, p.output)
	}
}

// countedTimes fails unless every account was counted so many times.
func countedTimes(t *testing.T, c *client, what, name, level string, want int) {
	t.Helper()
	for from := 0; from < accounts; from += 1000 {
		request := api.LookupRequest{Features: []string{name}, Entities: map[string][]json.RawMessage{}}
		for account := from; account < from+1000; account++ {
			request.Entities["account"] = append(request.Entities["account"], fmt.Append(nil, account))
		}
		body, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		var answer api.LookupResponse
		if err := c.post(t.Context(), c.path("lookup"), map[string][]string{api.HeaderConsistency: {level}}, body, &answer); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for i, row := range answer.Rows {
			if got := string(row.Values[0]); got != fmt.Sprint(want) {
				t.Fatalf("%s: %s of account %d is %s, want %d", what, name, from+i, got, want)
			}
		}
	}
}
