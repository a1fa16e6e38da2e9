package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/feature/definition"
	"featurestore/meta"
)

// carry is the way from us to eu: it lets a test do what replication does
// before an answer comes back.
type carry struct{ before func() }

func (c carry) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	c.before()
	return answer, err
}

// grown is the project with one more view.
var grown = strings.Replace(rides, "services:", "  - {name: extra, entity: driver, features: [{name: x, type: int64}]}\nservices:", 1)

// atUs makes us-1 the home.
func (x *pair) atUs() { x.peers.change(func(m *meta.Membership) { m.Home = "us-1" }) }

// TestDefinitionsAreAppliedAtTheHome, and are in force where they were sent by
// the time of the answer.
func TestDefinitionsAreAppliedAtTheHome(t *testing.T) {
	d, err := definition.Parse("grown.yaml", strings.NewReader(grown))
	if err != nil {
		t.Fatal(err)
	}
	var x *pair
	carried := make(chan error, 2)
	x = newPair(t, func(c *Config) {
		c.Forward = carry{func() {
			go func() { // as replication would, while the answer is on its way
				_, err := x.eu.store.Apply(context.WithoutCancel(t.Context()), d, nil)
				carried <- err
			}()
		}}
	})
	x.atUs()
	w := x.eu.do(http.MethodPost, "/v1/projects/rides/apply?expect=1", grown, "Content-Type", api.MediaYAML)
	got := answer[api.Plan](x.eu, w)
	if !got.Applied || got.Revision != 2 || got.Pending || w.Header().Get("ETag") != `"2"` {
		t.Errorf("got %+v, ETag %s", got, w.Header().Get("ETag"))
	}
	if err := <-carried; err != nil {
		t.Fatal(err)
	}
	for _, h := range []*house{x.us, x.eu} {
		if c, _ := h.store.Registry().Catalog("rides"); c.Revision() != 2 {
			t.Errorf("revision %d, want 2", c.Revision())
		}
	}
	if p := x.eu.problem(x.eu.do(http.MethodPost, "/v1/projects/rides/apply?expect=1", rides, "Content-Type", api.MediaYAML)); p.Code != api.CodeConflict {
		t.Errorf("a conflict at the home: got %+v", p)
	}
	<-carried
}

func TestAppliedAndNotHereYetIsSaid(t *testing.T) {
	x := newPair(t)
	x.atUs()
	got := answer[api.Plan](x.eu, x.eu.do(http.MethodPost, "/v1/projects/rides/apply", grown, "Content-Type", api.MediaYAML, api.HeaderTimeout, "300ms"))
	if !got.Applied || !got.Pending {
		t.Errorf("got %+v, want it pending", got)
	}
}

func TestHomeOutOfReach(t *testing.T) {
	x := newPair(t)
	x.atUs()
	us, _ := x.peers.Membership().Member("us-1")
	us.URL = "http://127.0.0.1:1"
	x.peers.put(us)
	p := x.eu.problem(x.eu.do(http.MethodPost, "/v1/projects/rides/apply", grown, "Content-Type", api.MediaYAML))
	if p.Code != api.CodeHomeUnreachable || p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "us-1") {
		t.Errorf("got %+v", p)
	}
	if plan := answer[api.Plan](x.eu, x.eu.do(http.MethodPost, "/v1/projects/rides/plan", grown, "Content-Type", api.MediaYAML)); plan.Revision != 2 {
		t.Errorf("a plan from what is known here: got %+v", plan)
	}
	p = x.eu.problem(x.eu.do(http.MethodPost, "/v1/projects/rides/apply", grown, "Content-Type", api.MediaYAML, api.HeaderForwarded, "ap/ap-1"))
	if p.Code != api.CodeHomeUnreachable || !strings.Contains(p.Detail, "ap/ap-1") {
		t.Errorf("sent here by a store that takes it for the home: got %+v", p)
	}
	if c, _ := x.eu.store.Registry().Catalog("rides"); c.Revision() != 1 {
		t.Errorf("revision %d, want 1", c.Revision())
	}
}

// changes is a home that keeps what it was asked.
type changes struct {
	peers *peers
	got   []meta.Change
}

func (c *changes) Change(_ context.Context, change meta.Change) (*meta.Membership, error) {
	switch {
	case change.Action == meta.Assume:
		c.got = append(c.got, change)
		c.peers.change(func(m *meta.Membership) { m.Home = change.Store })
		return c.peers.Membership(), nil
	case change.Store == "eu-1":
		return nil, fmt.Errorf("%w: store eu-1 is the home", meta.ErrRefused)
	}
	c.got = append(c.got, change)
	c.peers.put(meta.Member{Store: change.Store, Region: change.Region, Address: change.Address})
	return c.peers.Membership(), nil
}

func TestMembers(t *testing.T) {
	home := &changes{}
	x := newPair(t, func(c *Config) { c.Members = home; c.URL = "http://eu.example" })
	home.peers = x.peers
	got := answer[api.Members](x.eu, x.eu.do(http.MethodGet, "/v1/members", ""))
	if got.Home != "eu-1" || len(got.Members) != 2 || got.Members[1].State != "active" || got.Members[1].Origin != x.us.store.Identity().Origin.String() {
		t.Errorf("got %+v", got)
	}
	got = answer[api.Members](x.eu, x.eu.do(http.MethodPost, "/v1/members", `{"action": "add", "region": "ap", "store": "ap-1", "address": "127.0.0.1:9082"}`))
	if want := (meta.Change{Action: meta.Add, Store: "ap-1", Region: "ap", Address: "127.0.0.1:9082"}); len(home.got) != 1 || home.got[0] != want || len(got.Members) != 3 || got.Members[2].State != "joining" {
		t.Errorf("got %+v, %+v", home.got, got)
	}
	regions := answer[api.Regions](x.eu, x.eu.do(http.MethodGet, "/v1/regions", ""))
	if len(regions.Regions) != 3 || !regions.Regions[0].Self || regions.Regions[0].URL != "http://eu.example" || regions.Regions[2].State != "joining" {
		t.Errorf("got %+v", regions)
	}
	for body, code := range map[string]api.Code{
		`{"action": "evict", "store": "eu-1"}`:                   api.CodeMembershipRefused,
		`{"action": "promote", "store": "us-1"}`:                 api.CodeInvalidRequest,
		`{"action": "add", "store": "us-2"}`:                     api.CodeInvalidRequest,
		`{"action": "evict", "store": "us-1", "force": 1}`:       api.CodeUnknownField,
		`{"action": "remove", "store": "us-1", "abandon": true}`: api.CodeInvalidRequest,
		`{"action": "remove", "store": "us-1", "region": 1`:      api.CodeInvalidJSON,
	} {
		if p := x.eu.problem(x.eu.do(http.MethodPost, "/v1/members", body)); p.Code != code {
			t.Errorf("%s: got %+v, want %s", body, p, code)
		}
	}
	if p := x.us.problem(x.us.do(http.MethodPost, "/v1/members", `{"action": "evict", "store": "ap-1"}`)); p.Code != api.CodeHomeUnreachable {
		t.Errorf("through us, from where eu cannot be reached: got %+v", p)
	}
	h := newHouse(t)
	if p := h.problem(h.do(http.MethodPost, "/v1/members", `{"action": "evict", "store": "ap-1"}`)); p.Code != api.CodeMembershipRefused || !strings.Contains(p.Detail, "alone") {
		t.Errorf("a store that is alone: got %+v", p)
	}
}

// TestMembersChangeThroughAnyStore: what another store answers is relayed.
func TestMembersChangeThroughAnyStore(t *testing.T) {
	x := newPair(t)
	x.atUs()
	p := x.eu.problem(x.eu.do(http.MethodPost, "/v1/members", `{"action": "evict", "store": "ap-1"}`))
	if p.Code != api.CodeMembershipRefused || !strings.Contains(p.Detail, "us-1") {
		t.Errorf("got %+v, want the answer of us-1", p)
	}
}

// links is the one link of a deployment in one process.
type links struct{ link Link }

func (l *links) Links() []Link { return []Link{l.link} }
func (l *links) SetLink(from, to string, link Link) error {
	if from != l.link.From || to != l.link.To {
		return errors.New("another link")
	}
	l.link = link
	return nil
}

func TestLinks(t *testing.T) {
	l := &links{Link{From: "eu", To: "us"}}
	h := newHouse(t, func(c *Config) { c.Links = l })
	got := answer[api.Link](h, h.do(http.MethodPut, "/v1/links/eu/us", `{"delay": "80ms", "loss": 0.01, "cut": true}`))
	if want := (Link{From: "eu", To: "us", Delay: 80 * time.Millisecond, Loss: 0.01, Cut: true}); l.link != want || got != (api.Link{Delay: "80ms", Loss: 0.01, Cut: true}) {
		t.Errorf("got %+v, %+v", l.link, got)
	}
	if got = answer[api.Link](h, h.do(http.MethodPut, "/v1/links/eu/us", `{}`)); got != (api.Link{Delay: "0s"}) || l.link.Cut {
		t.Errorf("healed: got %+v", got)
	}
	if got = answer[api.Link](h, h.do(http.MethodGet, "/v1/links/eu/us", "")); got != (api.Link{Delay: "0s"}) {
		t.Errorf("got %+v", got)
	}
	for body, code := range map[string]api.Code{
		`{"delay": "fast"}`: api.CodeInvalidValue, `{"delay": "1h"}`: api.CodeInvalidValue, `{"loss": 1.5}`: api.CodeInvalidValue,
		`{"loss": -1}`: api.CodeInvalidValue, `{"jitter": "1ms"}`: api.CodeUnknownField,
	} {
		if p := h.problem(h.do(http.MethodPut, "/v1/links/eu/us", body)); p.Code != code {
			t.Errorf("%s: got %+v", body, p)
		}
	}
	if p := h.problem(h.do(http.MethodGet, "/v1/links/us/eu", "")); p.Code != api.CodeLinkNotFound || !strings.Contains(p.Detail, "eu/us") {
		t.Errorf("no such link: got %+v", p)
	}
	h = newHouse(t)
	if p := h.problem(h.do(http.MethodPut, "/v1/links/eu/us", `{}`)); p.Code != api.CodeLinkNotFound || !strings.Contains(p.Detail, "dev") {
		t.Errorf("not in dev: got %+v", p)
	}
}

// TestTheHomeIsTakenOverByTheStoreThatIsAsked, while the old one cannot be: a
// request for another store goes nowhere.
func TestTheHomeIsTakenOverByTheStoreThatIsAsked(t *testing.T) {
	home := &changes{}
	x := newPair(t, func(c *Config) { c.Members = home })
	home.peers = x.peers
	x.peers.change(func(m *meta.Membership) { m.Home = "ap-1" }) // which nobody knows how to reach
	if p := x.eu.problem(x.eu.do(http.MethodPost, "/v1/members", `{"action": "take_home", "store": "us-1"}`)); p.Code != api.CodeInvalidRequest || p.Field != "store" || !strings.Contains(p.Detail, "ask store us-1 itself") {
		t.Errorf("asked of another store: got %+v", p)
	}
	if p := x.eu.problem(x.eu.do(http.MethodPost, "/v1/members", `{"action": "evict", "store": "us-1"}`)); p.Code != api.CodeHomeUnreachable {
		t.Errorf("before: got %+v", p)
	}
	got := answer[api.Members](x.eu, x.eu.do(http.MethodPost, "/v1/members", `{"action": "take_home", "store": "eu-1"}`))
	if want := (meta.Change{Action: meta.Assume, Store: "eu-1"}); len(home.got) != 1 || home.got[0] != want || got.Home != "eu-1" {
		t.Errorf("got %+v, %+v", home.got, got)
	}
}
