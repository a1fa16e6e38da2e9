package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

const (
	pushed = `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1, "name": "Zo\u00eb"}]}`
	wanted = `{"features": ["driver_stats:name"], "entities": {"driver_id": [7]}}`
)

// TestLookupsGoToWhoHasThem: the session wrote in us, and reads in eu before
// anything has come there.
func TestLookupsGoToWhoHasThem(t *testing.T) {
	x := newPair(t)
	token := answer[api.PushResponse](x.us, x.us.post("push", pushed)).Session
	w := x.eu.post("lookup", wanted, api.HeaderSession, token)
	got := answer[api.LookupResponse](x.eu, w)
	met := got.Consistency
	if string(got.Rows[0].Values[0]) != `"Zoë"` || !met.Forwarded || met.Region != "us" || met.Store != "us-1" || met.Met != "session" {
		t.Errorf("got %s", w.Body)
	}
	if by := w.Header().Get(api.HeaderServedBy); by != "us/us-1" || w.Header().Get(api.HeaderSession) == "" {
		t.Errorf("headers %v", w.Header())
	}

	feast := `{"features": ["driver_stats:name"], "entities": {"driver_id": [7]}}`
	w = x.eu.do(http.MethodPost, "/get-online-features", feast, api.HeaderSession, token)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Zoë") || w.Header().Get(api.HeaderServedBy) != "us/us-1" {
		t.Errorf("Feast's dialect: got %d %s", w.Code, w.Body)
	}
	w = x.eu.do(http.MethodPost, "/get-online-features", feast, "Baggage", "team=a, featurestore-session="+token+";p=1")
	if w.Header().Get(api.HeaderServedBy) != "us/us-1" || w.Header().Get(api.HeaderSession) == "" {
		t.Errorf("a token in baggage: got %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// TestForwardedRequestsStay: one hop only, and nothing less than asked for at
// the other end of it.
func TestForwardedRequestsStay(t *testing.T) {
	x := newPair(t)
	token := answer[api.PushResponse](x.us, x.us.post("push", pushed)).Session
	p := x.eu.problem(x.eu.post("lookup", wanted, api.HeaderSession, token, api.HeaderForwarded, "ap/ap-1"))
	if p.Code != api.CodeBehind {
		t.Errorf("got %+v, want BEHIND", p)
	}
	if p.Of == nil || *p.Of != (api.Writer{Store: "us-1", Region: "us"}) || !strings.Contains(p.Detail, "of store us-1 in region us") {
		t.Errorf("got %+v of %+v, want it to name the store that wrote", p, p.Of)
	}
	got := answer[api.LookupResponse](x.eu, x.eu.post("lookup", wanted, api.HeaderForwarded, "ap/ap-1"))
	if !got.Consistency.Forwarded || got.Consistency.Store != "eu-1" {
		t.Errorf("got %+v", got.Consistency)
	}
}

// TestNextOneIsAsked, and when nobody answers, that is said.
func TestNextOneIsAsked(t *testing.T) {
	answers := map[string]int{}
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[r.Header.Get(api.HeaderOnUnmet)+" "+r.Header.Get(api.HeaderForwarded)]++
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer bad.Close()
	x := newPair(t)
	x.peers.put(meta.Member{Store: "ap-1", Region: "ap", State: meta.Active, URL: bad.URL})
	all := x.peers.acked
	x.peers.acked = func(store meta.StoreID, shard feature.Shard) hlc.Vector {
		if store == "ap-1" {
			store = "us-1"
		}
		return all(store, shard)
	}
	token := answer[api.PushResponse](x.us, x.us.post("push", pushed)).Session
	got := answer[api.LookupResponse](x.eu, x.eu.post("lookup", wanted, api.HeaderSession, token))
	if got.Consistency.Store != "us-1" || answers["fail eu/eu-1"] != 1 {
		t.Errorf("got %+v after %v", got.Consistency, answers)
	}

	us, _ := x.peers.Membership().Member("us-1")
	us.URL = "http://127.0.0.1:1"
	x.peers.put(us)
	p := x.eu.problem(x.eu.post("lookup", wanted, api.HeaderSession, token))
	if p.Code != api.CodeBehind || !strings.Contains(p.Detail, "ap/ap-1: answered 503") || !strings.Contains(p.Detail, "us/us-1: ") {
		t.Errorf("got %+v, want who was tried", p)
	}
	got = answer[api.LookupResponse](x.eu, x.eu.post("lookup", wanted, api.HeaderSession, token, api.HeaderOnUnmet, "degrade"))
	if !got.Consistency.Degraded || got.Consistency.Store != "eu-1" || got.Consistency.Met != "eventual" {
		t.Errorf("got %+v, want less from eu", got.Consistency)
	}
}

// TestAnswersOfOthersAreBounded: one that is too large is not taken.
func TestAnswersOfOthersAreBounded(t *testing.T) {
	x := newPair(t, func(c *Config) { c.Limits.AnswerBytes = 16 })
	token := answer[api.PushResponse](x.us, x.us.post("push", pushed)).Session
	p := x.eu.problem(x.eu.post("lookup", wanted, api.HeaderSession, token))
	if p.Code != api.CodeBehind || !strings.Contains(p.Detail, "too large") {
		t.Errorf("got %+v", p)
	}
}

// TestAnswersTellTheirStaleness in header and body, unknown as unknown.
func TestAnswersTellTheirStaleness(t *testing.T) {
	x := newPair(t)
	at := func() (string, map[string]int64) {
		t.Helper()
		w := x.eu.post("lookup", wanted)
		return w.Header().Get(api.HeaderStaleness), answer[api.LookupResponse](x.eu, w).Consistency.StalenessMs
	}
	if header, body := at(); header != "9007199254740991" || body["us"] != api.UnknownStalenessMs || len(body) != 1 {
		t.Errorf("nothing was heard of us: got %s, %v", header, body)
	}
	c, _ := x.eu.store.Registry().Catalog("rides")
	g, _ := c.Group("default")
	x.eu.store.Claim(feature.Shard{Group: g.ID}, hlc.Position{Origin: x.us.store.Identity().Origin, At: hlc.New(noon.UnixMilli()-40, 0)})
	if header, body := at(); header != "47" || body["us"] != 47 {
		t.Errorf("40 ms behind a clock that is 7 ms ahead at most: got %s, %v", header, body)
	}
}

func TestGroupsOfOtherRegionsAreAnsweredThere(t *testing.T) {
	x := newPair(t)
	document := strings.Replace(rides, "views:", "groups: [{name: us_only, regions: [us]}]\nviews:", 1)
	document = strings.Replace(document, "services:", "  - {name: us_stats, entity: place, group: us_only, features: [{name: demand, type: float64}]}\nservices:", 1)
	x.eu.apply(document)
	x.us.apply(document)
	row := `{"view": "us_stats", "rows": [{"city": "Reno", "zone": 1, "demand": 2}]}`
	answer[api.PushResponse](x.us, x.us.post("push", row))
	got := answer[api.LookupResponse](x.eu, x.eu.post("lookup", `{"features": ["us_stats:demand"], "entities": {"city": ["Reno"], "zone": [1]}}`, api.HeaderConsistency, "eventual"))
	if string(got.Rows[0].Values[0]) != "2" || got.Consistency.Store != "us-1" {
		t.Errorf("got %+v", got)
	}
	if p := x.eu.problem(x.eu.post("push", row)); p.Code != api.CodeNotHeld || !strings.Contains(p.Detail, "us") {
		t.Errorf("a push: got %+v", p)
	}
	x.peers.far["us-1"] = true
	if p := x.eu.problem(x.eu.post("lookup", `{"features": ["us_stats:demand"], "entities": {"city": ["Reno"], "zone": [1]}}`)); p.Code != api.CodeNotHeld {
		t.Errorf("out of reach: got %+v", p)
	}
}

// TestPushesWaitForTheirConcern: the other store tells that it has them when it
// does.
func TestPushesWaitForTheirConcern(t *testing.T) {
	x := newPair(t)
	before := x.eu.store.Progress(feature.Shard{Group: 1})
	var have atomic.Bool
	x.peers.acked = func(_ meta.StoreID, shard feature.Shard) hlc.Vector {
		if have.Load() {
			return x.eu.store.Progress(shard)
		}
		return before
	}
	done := make(chan *httptest.ResponseRecorder)
	changed := x.eu.store.Changed()
	go func() {
		done <- x.eu.post("push", pushed, api.HeaderWriteConcern, "regions:1", api.HeaderTimeout, "50s")
	}()
	<-changed
	have.Store(true)
	x.peers.told()
	got := answer[api.PushResponse](x.eu, <-done)
	if !got.Concern.Met || got.Concern.Acked.Stores != 2 || !slices.Equal(got.Concern.Acked.Regions, []string{"eu", "us"}) {
		t.Errorf("got %+v", got.Concern)
	}
}

func TestStoresThatAreNotActiveTakeNoWrites(t *testing.T) {
	x := newPair(t)
	x.peers.change(func(m *meta.Membership) { m.Members[0].State = meta.Leaving })
	p := x.eu.problem(x.eu.post("push", pushed))
	if p.Code != api.CodeNotActive || p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "leaving") {
		t.Errorf("got %+v", p)
	}
	if entries, _ := x.eu.stored(); entries != 0 {
		t.Errorf("%d entries were stored", entries)
	}
}

// TestJoiningStoresDoNotKnowWhichProjectsThereAre: definitions come with what
// they copy.
func TestJoiningStoresDoNotKnowWhichProjectsThereAre(t *testing.T) {
	x := newPair(t)
	unknown := map[string]string{"/v1/projects/trains/lookup": wanted, "/v1/projects/trains/push": pushed, "/feast/trains/get-online-features": wanted}
	for _, state := range []meta.State{meta.Active, meta.Joining} {
		x.peers.change(func(m *meta.Membership) { m.Members[0].State = state })
		want := map[meta.State]int{meta.Active: http.StatusNotFound, meta.Joining: http.StatusServiceUnavailable}[state]
		for path, body := range unknown {
			if w := x.eu.do(http.MethodPost, path, body); w.Code != want {
				t.Errorf("%v: %s: got %d, want %d: %s", state, path, w.Code, want, w.Body)
			}
		}
	}
}

func TestWritesRequireLiveMembers(t *testing.T) {
	x := newPair(t)
	x.eu.apply(strings.Replace(rides, "views:", "groups: [{name: default, write: {require_live: {members: 1, max_lag: 10s}}}]\nviews:", 1))
	answer[api.PushResponse](x.eu, x.eu.post("push", pushed))
	x.peers.far["us-1"] = true
	if p := x.eu.problem(x.eu.post("push", pushed)); p.Code != api.CodeNotEnoughLive || !strings.Contains(p.Detail, "require_live") {
		t.Errorf("got %+v", p)
	}
	var raw struct {
		Groups []api.Group `json:"groups"`
	}
	if err := json.Unmarshal(x.eu.do(http.MethodGet, "/v1/projects/rides/groups", "").Body.Bytes(), &raw); err != nil {
		t.Fatal(err)
	}
	if want := (api.RequireLive{Members: 1, MaxLag: "10s"}); raw.Groups[0].Write == nil || *raw.Groups[0].Write.RequireLive != want {
		t.Errorf("groups %+v", raw.Groups)
	}
}
