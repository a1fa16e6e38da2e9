package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// ledPeers say that a store leads what the membership says.
type ledPeers struct {
	*peers
	store meta.StoreID
}

func (p ledPeers) Leads(s feature.Shard) (hlc.Position, bool) {
	t, led := p.Membership().Term(s)
	if !led || t.Leader != p.store || t.State != meta.Open {
		return hlc.Position{}, false
	}
	return hlc.Position{Origin: t.Origin, At: 1}, true
}

func (p ledPeers) HasLease(feature.Shard) bool { return true }

// teller is a project with a leader group of two shards, of which eu-1 leads the
// first and us-1 the second; a view of another placement is fed by the same source.
const teller = `
project: teller
entities: [{name: account, join_keys: [{name: account, type: int64}]}]
groups: [{name: accounts, placement: leader, partitions: 2, durability: local, write: {concern: local, timeout: 1s}, read: {level: leader, fallback: ["wait:10ms", forward, fail]}}]
views:
  - {name: balance, entity: account, group: accounts, push_source: both, features: [{name: cents, type: int64, conflict: counter}]}
  - {name: note, entity: account, push_source: both, features: [{name: text, type: string}]}
`

// tellers are two stores that lead a shard each.
type tellers struct {
	testing.TB
	eu, us *house
	peers  *peers
	urls   map[meta.StoreID]string
	shards [2]feature.Shard
}

func newTellers(t *testing.T) *tellers {
	x := &tellers{TB: t, urls: map[meta.StoreID]string{}}
	x.peers = newPeers(func(store meta.StoreID, shard feature.Shard) hlc.Vector {
		return x.peers.stores[store].Progress(shard)
	})
	open := func(region string) *house {
		h := houseOf(t, openStoreOf(t, region, t.TempDir(), -1), withPeers(x.peers), func(c *Config) {
			var err error
			c.FeastProject = "teller"
			c.Coordinator, err = consistency.NewCoordinator(consistency.Config{
				Store: consistency.OwnStore{Log: c.Online}, Self: meta.Member{Store: meta.StoreID(c.Store), Region: meta.Region(c.Region)},
				Peers: ledPeers{x.peers, meta.StoreID(c.Store)}, Rows: otherRows{x.peers, meta.StoreID(c.Store)},
				Group: func(id feature.GroupID) *feature.Group { return c.Online.Registry().Group(id) },
				Now:   func() int64 { return noon.UnixNano() },
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		h.apply(teller)
		there := httptest.NewServer(h.server.Handler())
		t.Cleanup(there.Close)
		x.urls[meta.StoreID(region+"-1")] = there.URL
		return h
	}
	x.eu, x.us = open("eu"), open("us")
	for _, h := range []*house{x.eu, x.us} {
		id := h.store.Identity()
		x.peers.put(meta.Member{Store: meta.StoreID(id.Store), Region: meta.Region(id.Region), State: meta.Active, Origin: id.Origin, URL: x.urls[meta.StoreID(id.Store)]})
	}
	c, _ := x.eu.store.Registry().Catalog("teller")
	g, _ := c.Group("accounts")
	for p := range x.shards {
		x.shards[p] = feature.Shard{Group: g.ID, Partition: uint16(p)}
	}
	x.led("eu-1", "us-1")
	return x
}

// led says who leads the two shards, in terms of their own.
func (x *tellers) led(stores ...meta.StoreID) {
	x.Helper()
	x.peers.change(func(m *meta.Membership) {
		m.Terms = nil
		for p, store := range stores {
			m.Terms = append(m.Terms, meta.Term{Shard: x.shards[p], Number: 1, Leader: store, Origin: 901 + hlc.Origin(p)})
		}
	})
	for _, h := range []*house{x.eu, x.us} {
		leads := map[feature.Shard]hlc.Origin{}
		for _, t := range x.peers.Membership().Terms {
			if string(t.Leader) == h.store.Identity().Store {
				leads[t.Shard] = t.Origin
			}
		}
		if err := h.store.SetLeading(x.Context(), leads, nil); err != nil {
			x.Fatal(err)
		}
	}
}

// away makes a store unreachable by REST.
func (x *tellers) away(store meta.StoreID, away bool) {
	m, _ := x.peers.Membership().Member(store)
	m.URL = x.urls[store]
	if away {
		m.URL = "http://127.0.0.1:1"
	}
	x.peers.put(m)
}

// entries counts those of each shard's log that bring rows.
func (x *tellers) entries() (n [2]int) {
	x.Helper()
	for p, h := range []*house{x.eu, x.us} {
		for _, other := range []*house{x.eu, x.us} {
			for e, err := range other.store.Entries(x.Context(), x.shards[p], 901+hlc.Origin(p), 0) {
				if err != nil {
					x.Fatal(err)
				}
				if len(e.Rows) > 0 {
					if n[p]++; other != h {
						x.Errorf("shard %d is written by a store that does not lead it", p)
					}
				}
			}
		}
	}
	return n
}

const push20 = `{"view": "balance", "rows": [%s]}`

// twenty are rows of accounts that fall into both shards.
func twenty() string {
	var rows []string
	for i := range 20 {
		rows = append(rows, fmt.Sprintf(`{"account": %d, "cents": 1}`, i))
	}
	return fmt.Sprintf(push20, strings.Join(rows, ","))
}

func (x *tellers) push(h *house, path, body string, headers ...string) *httptest.ResponseRecorder {
	x.Helper()
	return h.do(http.MethodPost, "/v1/projects/teller/"+path, body, headers...)
}

func TestPartsAreReadAsTheyAreWritten(t *testing.T) {
	p := ledPart{shards: []feature.Shard{{Group: 3}, {Group: 3, Partition: 17}, {Group: 65535, Partition: 65535}}}
	got, err := parsePart(p.String())
	if err != nil || got.String() != p.String() || p.String() != "3/0,3/17,65535/65535" {
		t.Errorf("got %v, %v; want %s", got, err, p)
	}
	for _, bad := range []string{"3", "3/", "/3", "3/0,", "3/0;3/1", "3/70000", "70000/3", "-1/3", "a/b"} {
		if _, err := parsePart(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestAPushIsWrittenByEachLeader: a request with rows of two leaders is one
// request, whichever store gets it.
func TestAPushIsWrittenByEachLeader(t *testing.T) {
	x := newTellers(t)
	for i, h := range []*house{x.eu, x.us} {
		got := answer[api.PushResponse](h, x.push(h, "push", twenty(), api.HeaderIdempotency, fmt.Sprint("key", i)))
		if got.Accepted != 20 || got.Repeated || !got.Concern.Met || got.Superseded != 0 {
			t.Errorf("got %+v", got)
		}
		token, err := h.server.cfg.Signer.Decode(got.Session)
		if err != nil {
			t.Fatal(err)
		}
		for p, shard := range x.shards {
			if at := token.Dependencies(shard, 0)[901+hlc.Origin(p)]; at == 0 {
				t.Errorf("the session does not name shard %d", p)
			}
		}
		if n := x.entries(); n != [2]int{i + 1, i + 1} {
			t.Errorf("entries of shards: %v, want %d of each", n, i+1)
		}
		again := answer[api.PushResponse](h, x.push(h, "push", twenty(), api.HeaderIdempotency, fmt.Sprint("key", i)))
		if n := x.entries(); !again.Repeated || n != [2]int{i + 1, i + 1} {
			t.Errorf("repeated: %v, entries %v", again.Repeated, n)
		}
	}
	deleted := answer[api.PushResponse](x.eu, x.push(x.eu, "delete", `{"view": "balance", "entities": {"account": [0,1,2,3,4,5,6,7,8,9]}}`))
	if n := x.entries(); deleted.Accepted != 10 || n != [2]int{3, 3} {
		t.Errorf("deletes: got %+v, entries %v", deleted, n)
	}
}

// TestARepeatedPushIsKnownWhicheverWayItComes: to a leader by way of another
// store, or straight.
func TestARepeatedPushIsKnownWhicheverWayItComes(t *testing.T) {
	x := newTellers(t)
	x.led("us-1", "us-1")
	first := answer[api.PushResponse](x.eu, x.push(x.eu, "push", twenty(), api.HeaderIdempotency, "key"))
	again := answer[api.PushResponse](x.us, x.push(x.us, "push", twenty(), api.HeaderIdempotency, "key"))
	if first.Repeated || !again.Repeated || first.Position != again.Position {
		t.Errorf("first %+v, again %+v", first, again)
	}
	straight := answer[api.PushResponse](x.us, x.push(x.us, "push", twenty(), api.HeaderIdempotency, "other"))
	over := answer[api.PushResponse](x.eu, x.push(x.eu, "push", twenty(), api.HeaderIdempotency, "other"))
	if straight.Repeated || !over.Repeated || straight.Position != over.Position {
		t.Errorf("straight %+v, over another store %+v", straight, over)
	}
}

// TestWhatIsStoredAtOneLeaderStays when another is away: the answer says so, with
// the session, and a repetition stores the rest.
func TestWhatIsStoredAtOneLeaderStays(t *testing.T) {
	x := newTellers(t)
	x.away("us-1", true)
	p := x.eu.problem(x.push(x.eu, "push", twenty(), api.HeaderIdempotency, "key"))
	if p.Code != api.CodeLeaderUnreachable || !strings.Contains(p.Detail, "store us-1 in region us, which leads, did not answer") ||
		!strings.Contains(p.Detail, fmt.Sprintf("the rows of other partitions (%d/0) are stored: repeat the request with the same Idempotency-Key", x.shards[0].Group)) {
		t.Errorf("got %+v", p)
	}
	if token, err := x.eu.server.cfg.Signer.Decode(p.Session); err != nil || token.Dependencies(x.shards[0], 0)[901] == 0 {
		t.Errorf("the session of what is stored: %v, %v", token, err)
	}
	if n := x.entries(); n != [2]int{1, 0} {
		t.Errorf("entries %v, want those of the leader that is there", n)
	}
	x.away("us-1", false)
	got := answer[api.PushResponse](x.eu, x.push(x.eu, "push", twenty(), api.HeaderIdempotency, "key"))
	if n := x.entries(); n != [2]int{1, 1} || got.Accepted != 20 || got.Repeated {
		t.Errorf("repeated: got %+v, entries %v; want the rest written, and nothing twice", got, n)
	}
	// Where nothing is stored, the answer is the leader's alone.
	x.led("us-1", "us-1")
	x.away("us-1", true)
	p = x.eu.problem(x.push(x.eu, "push", twenty()))
	if p.Code != api.CodeLeaderUnreachable || strings.Contains(p.Detail, "are stored") || p.Session != "" {
		t.Errorf("got %+v", p)
	}
}

// TestABadRowIsStoredNowhere: rows are checked before any leader is asked.
func TestABadRowIsStoredNowhere(t *testing.T) {
	x := newTellers(t)
	p := x.eu.problem(x.push(x.eu, "push", strings.Replace(twenty(), `"account": 7, "cents": 1`, `"account": 7, "cents": "x"`, 1)))
	if p.Code != api.CodeInvalidRows || x.entries() != [2]int{} {
		t.Errorf("got %v, entries %v", p.Code, x.entries())
	}
}

// TestWhoDoesNotLeadSaysWhoDoes, or that nobody does, to a store that took it for
// the leader.
func TestWhoDoesNotLeadSaysWhoDoes(t *testing.T) {
	x := newTellers(t)
	part := []string{api.HeaderForwarded, "ap/ap-1", api.HeaderPart, ledPart{shards: x.shards[:]}.String()}
	p := x.eu.problem(x.push(x.eu, "push", twenty(), part...))
	if p.Code != api.CodeNotLeader || p.Status != http.StatusMisdirectedRequest || !strings.Contains(p.Detail, "partition 1 of group accounts is led by store us-1 in region us") {
		t.Errorf("got %+v", p)
	}
	if x.entries() != [2]int{} {
		t.Errorf("entries %v", x.entries())
	}
	x.peers.change(func(m *meta.Membership) {
		m.Terms = append([]meta.Term(nil), m.Terms...)
		m.Terms[0].State, m.Terms[0].Next = meta.Deposed, "us-1"
	})
	p = x.eu.problem(x.push(x.eu, "push", twenty(), api.HeaderTimeout, "200ms"))
	if p.Code != api.CodeNoLeader || p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "store us-1 takes over from store eu-1") {
		t.Errorf("got %+v", p)
	}
	bad := x.eu.problem(x.push(x.eu, "push", twenty(), api.HeaderForwarded, "ap/ap-1", api.HeaderPart, "3"))
	if bad.Code != api.CodeInvalidHeader || bad.Field != api.HeaderPart {
		t.Errorf("a part that is none: got %+v", bad)
	}
}

// TestReadsAtLevelLeaderGoToTheLeader, and are refused where it is away.
func TestReadsAtLevelLeaderGoToTheLeader(t *testing.T) {
	x := newTellers(t)
	x.led("us-1", "us-1")
	answer[api.PushResponse](x.eu, x.push(x.eu, "push", twenty()))
	const look = `{"features": ["balance:cents"], "entities": {"account": [7]}}`
	got := answer[api.LookupResponse](x.eu, x.push(x.eu, "lookup", look))
	if got.Consistency.Met != "leader" || !got.Consistency.Forwarded || got.Consistency.Store != "us-1" || string(mustMarshal(t, got.Rows[0].Values)) != "[1]" {
		t.Errorf("got %+v, %v", got.Consistency, got.Rows)
	}
	x.peers.far["us-1"] = true
	p := x.eu.problem(x.push(x.eu, "lookup", look, api.HeaderTimeout, "300ms"))
	if p.Code != api.CodeNotLeader {
		t.Errorf("the leader is away: got %+v", p)
	}
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFeastsPathsWriteAtTheLeader, in Feast's form, also for a view of another
// placement that the same source feeds.
func TestFeastsPathsWriteAtTheLeader(t *testing.T) {
	x := newTellers(t)
	w := x.eu.do(http.MethodPost, "/push", `{"push_source_name": "both", "to": "online",
		"df": {"account": [0,1,2,3,4,5,6,7], "cents": [1,1,1,1,1,1,1,1], "text": ["a","b","c","d","e","f","g","h"],
		"event_timestamp": ["2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42"]}}`)
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Fatalf("got status %d with %q, want 200 with an empty body", w.Code, w.Body)
	}
	if n := x.entries(); n != [2]int{1, 1} {
		t.Errorf("entries %v, want one at each leader", n)
	}
	got := answer[api.LookupResponse](x.eu, x.push(x.eu, "lookup", `{"features": ["note:text"], "entities": {"account": [3]}}`))
	if string(mustMarshal(t, got.Rows[0].Values)) != `["d"]` {
		t.Errorf("the other view: got %v", got.Rows)
	}
	x.away("us-1", true)
	w = x.eu.do(http.MethodPost, "/write-to-online-store", `{"feature_view_name": "balance", "df": {"account": [0,1,2,3,4,5,6,7], "cents": [1,1,1,1,1,1,1,1],
		"event_timestamp": ["2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42","2026-08-21T10:59:42"]}}`)
	if w.Code < 500 || !strings.Contains(w.Body.String(), "us-1") || !strings.Contains(w.Body.String(), "are stored") {
		t.Errorf("the other leader is away: got %d with %s", w.Code, w.Body)
	}
}
