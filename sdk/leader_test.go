package sdk

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"featurestore/api"
)

// TestALeaderIsFollowedOnce: the store that NOT_LEADER names is asked, and what it
// answers counts, be it NOT_LEADER again.
func TestALeaderIsFollowedOnce(t *testing.T) {
	refuse := func(w http.ResponseWriter, leader string) {
		p := api.NewProblem(api.CodeNotLeader, "another store leads")
		p.Leader = &api.LeaderStore{Store: "us-1", Region: "us", URL: leader}
		w.Header().Set("Content-Type", api.MediaProblem)
		w.WriteHeader(p.Status)
		_ = json.NewEncoder(w).Encode(p)
	}
	var asked []string
	leads := true
	var first, leader *httptest.Server
	first = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, "first")
		refuse(w, leader.URL+"/")
	}))
	defer first.Close()
	leader = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, "leader "+r.URL.Path+" "+r.Header.Get(api.HeaderIdempotency))
		if !leads {
			refuse(w, first.URL)
			return
		}
		_, _ = w.Write([]byte("{}"))
	}))
	defer leader.Close()
	c, err := New(Config{URLs: []string{first.URL}, Project: "bank"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &request{op: "push", method: http.MethodPost, path: "/push", body: []byte("{}"), key: "k1", retry: Retry{TryTimeout: time.Minute}}

	a, p, o, err := c.try(t.Context(), first.URL, r, nil)
	if err != nil || p != nil || a.url != leader.URL || o.status != http.StatusOK || len(asked) != 2 || asked[1] != "leader /push k1" {
		t.Errorf("got %+v, problem %v, %+v, %v, asked %v", a, p, o, err, asked)
	}
	a.free()
	asked, leads = nil, false
	if _, p, _, err := c.try(t.Context(), first.URL, r, nil); err != nil || p == nil || p.Code != api.CodeNotLeader || len(asked) != 2 {
		t.Errorf("of two that name each other: got %v, %v, asked %v", p, err, asked)
	}
	// Out of reach from here: the first answer counts.
	leader.Close()
	if _, p, o, err := c.try(t.Context(), first.URL, r, nil); err != nil || p == nil || p.Code != api.CodeNotLeader || !o.sent {
		t.Errorf("of a leader out of reach: got %v, %+v, %v", p, o, err)
	}
}
