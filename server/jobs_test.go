package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"featurestore/api"
	"featurestore/offline/jobs"
)

// withJobs runs a registry of jobs beside a house.
func withJobs(t testing.TB) (*jobs.Registry, func(*Config)) {
	t.Helper()
	registry, err := jobs.New(jobs.Config{Prefix: "eu-1", Wall: clock})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = registry.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return registry, func(c *Config) { c.Jobs = registry }
}

func jobIn(t testing.TB, body string) api.Job {
	t.Helper()
	var j api.Job
	if err := json.Unmarshal([]byte(body), &j); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return j
}

func TestAJobIsListedAwaitedAndCanceled(t *testing.T) {
	registry, with := withJobs(t)
	h := newHouse(t, with)
	running := make(chan struct{})
	j, err := registry.Start(jobs.Spec{Kind: "materialize", Project: "rides", Of: "driver_stats", Unit: "bytes", Work: func(ctx context.Context, report *jobs.Report) error {
		report.Total(10)
		report.Done(3)
		report.Detail(map[string]int{"rows": 7})
		close(running)
		<-ctx.Done()
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-running
	path := "/v1/projects/rides/jobs/" + string(j.ID)
	got := jobIn(t, h.do(http.MethodGet, path+"?wait=1ms", "").Body.String())
	if got.State != "running" || got.Done != 3 || got.Total != 10 || string(got.Detail) != `{"rows":7}` || got.Store != "eu-1" || got.Of != "driver_stats" || got.Ended != "" {
		t.Errorf("while it runs it is %+v", got)
	}
	var list api.Jobs
	if err := json.Unmarshal(h.do(http.MethodGet, "/v1/projects/rides/jobs", "").Body.Bytes(), &list); err != nil || len(list.Jobs) != 1 || list.Jobs[0].ID != string(j.ID) {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if w := h.do(http.MethodDelete, path, ""); w.Code != http.StatusOK {
		t.Fatalf("canceling it: %d %s", w.Code, w.Body)
	}
	got = jobIn(t, h.do(http.MethodGet, path+"?wait=1m", "").Body.String())
	if got.State != api.JobCanceled || !got.HasEnded() || got.Ended == "" || got.Error != nil {
		t.Errorf("in the end it is %+v", got)
	}
}

func TestAJobThatFailedSaysWhy(t *testing.T) {
	registry, with := withJobs(t)
	h := newHouse(t, with)
	start := func(err error) string {
		j, fault := registry.Start(jobs.Spec{Project: "rides", Work: func(context.Context, *jobs.Report) error { return err }})
		if fault != nil {
			t.Fatal(fault)
		}
		return "/v1/projects/rides/jobs/" + string(j.ID) + "?wait=1m"
	}
	got := jobIn(t, h.do(http.MethodGet, start(api.Problemf(api.CodeJobBusy, "view", "wrong")), "").Body.String())
	if got.State != api.JobFailed || got.Error == nil || got.Error.Code != api.CodeJobBusy || !strings.Contains(got.Error.Detail, "wrong") {
		t.Errorf("it is %+v", got)
	}
	got = jobIn(t, h.do(http.MethodGet, start(errors.New("no reason")), "").Body.String())
	if got.Error == nil || got.Error.Code != api.CodeInternal || got.Error.Detail != "no reason" {
		t.Errorf("it is %+v", got)
	}
}

func TestJobsOfOthersAreNotThere(t *testing.T) {
	registry, with := withJobs(t)
	h := newHouse(t, with)
	j, err := registry.Start(jobs.Spec{Project: "other", Work: func(context.Context, *jobs.Report) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{string(j.ID), "eu-1-none", "none"} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			w := h.do(method, "/v1/projects/rides/jobs/"+id, "")
			if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `"job_not_found"`) {
				t.Errorf("%s %s: %d %s", method, id, w.Code, w.Body)
			}
		}
	}
	if w := h.do(http.MethodGet, "/v1/projects/rides/jobs/eu-1-none?wait=soon", ""); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
