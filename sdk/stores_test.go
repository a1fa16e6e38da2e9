package sdk

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"featurestore/api"
)

func newStores(region string, urls ...string) *stores {
	s := &stores{region: region}
	s.set(urls)
	return s
}

// picked returns the URL of the store that pick chooses.
func (s *stores) picked(at time.Time, write bool, tried ...*remote) string {
	r, _ := s.pick(at, write, tried)
	return r.url
}

// K10.
func TestAClientStaysWithItsStoreUntilAnotherIsNearerOrItIsAway(t *testing.T) {
	at := time.Unix(1000, 0)
	s := newStores("", "http://a", "http://b", "http://a")
	if len(s.mu.all) != 2 {
		t.Fatalf("got %d stores, want a URL that stands twice once", len(s.mu.all))
	}
	a, b := s.mu.all[0], s.mu.all[1]
	want := func(claim, reads, writes string) {
		t.Helper()
		if r, w := s.picked(at, false), s.picked(at, true); r != reads || w != writes {
			t.Errorf("%s: reads go to %s, writes to %s; want %s, %s", claim, r, w, reads, writes)
		}
	}
	want("nothing is measured", "http://a", "http://a")
	s.probed(a, healthy, 50*ms, "eu", "eu-1", at)
	s.probed(b, healthy, 45*ms, "us", "us-1", at)
	want("the other is nearer by little", "http://a", "http://a")
	for range 9 {
		s.probed(b, healthy, 5*ms, "us", "us-1", at)
	}
	if _, moved := s.pick(at, false, nil); !moved {
		t.Error("reads did not move to the store that is nearer by much")
	}
	want("the other is nearer by much", "http://b", "http://b")
	s.asked(b, writeless, ms, at)
	want("the other takes no writes", "http://b", "http://a")
	s.asked(b, gone, 0, at)
	want("the other is away", "http://a", "http://a")
	at = at.Add(awayFor)
	want("the other may be back", "http://b", "http://b")
	if got := s.picked(at, false, b); got != "http://a" {
		t.Errorf("a request that was at b goes to %s", got)
	}
	want("one request was moved", "http://b", "http://b")
	if got := s.second(at, []*remote{b}); got != a {
		t.Errorf("got %v to hedge with, want a", got)
	}
	s.asked(a, gone, 0, at)
	if got := s.second(at, []*remote{b}); got != nil {
		t.Errorf("got %v to hedge with, want none: a is away", got.url)
	}
}

func TestAStoreThatWasOutrunIsFarther(t *testing.T) {
	at := time.Unix(1000, 0)
	s := newStores("", "http://a", "http://b")
	a, b := s.mu.all[0], s.mu.all[1]
	s.asked(a, healthy, ms, at)
	s.asked(b, healthy, 20*ms, at)
	for range 4 {
		s.slow(a, 100*ms, at)
	}
	if got := s.picked(at, false); got != "http://b" {
		t.Errorf("reads go to %s, want b: others answer before a does", got)
	}
}

func TestSurveysAreMadeByOne(t *testing.T) {
	at := time.Unix(1000, 0)
	s := newStores("", "http://a")
	got := []bool{s.claimSurvey(at, time.Minute), s.claimSurvey(at, time.Minute), s.claimSurvey(at.Add(time.Minute), time.Minute)}
	s.surveyAgain(at.Add(61 * time.Second)) // the last one found nothing out
	got = append(got, s.claimSurvey(at.Add(60*time.Second), time.Minute), s.claimSurvey(at.Add(61*time.Second), time.Minute))
	if want := []bool{true, false, true, false, true}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestActiveStoresThatAreNamedAreAdded(t *testing.T) {
	at := time.Unix(1000, 0)
	s := newStores("", "http://balancer")
	entry := s.mu.all[0]
	named := func(region, store, state, url string) api.RegionInfo {
		return api.RegionInfo{Region: region, Store: store, State: state, URL: url}
	}
	learn := func(list ...api.RegionInfo) []string {
		s.learned(entry, api.Regions{Region: "eu", Store: "eu-1", Regions: list})
		var out []string
		for _, r := range s.mu.all {
			out = append(out, fmt.Sprintf("%s/%s %s", r.region, r.store, r.url))
		}
		return out
	}
	got := learn(
		named("eu", "eu-1", "active", "http://10.0.0.1:8080"), // which answered, by another address
		named("us", "us-1", "active", "http://us/"),
		named("ap", "ap-1", "joining", "http://ap"),
		named("sa", "sa-1", "evicted", "http://sa"),
		named("af", "af-1", "active", ""),
		named("me", "me-1", "active", "file:///etc/passwd"),
	)
	if want := []string{"eu/eu-1 http://balancer", "us/us-1 http://us"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	us := s.mu.all[1]
	s.probed(us, healthy, ms, "us", "us-1", at)
	got = learn(named("us", "us-1", "active", "http://us"), named("ap", "ap-1", "active", "http://ap"))
	if want := []string{"eu/eu-1 http://balancer", "us/us-1 http://us", "ap/ap-1 http://ap"}; !reflect.DeepEqual(got, want) {
		t.Errorf("when another has joined: got %q, want %q", got, want)
	}
	if s.mu.all[1] != us || us.health.distance() != ms {
		t.Error("what was measured of a store is forgotten")
	}
	got = learn(named("us", "us-1", "evicted", "http://us"))
	if want := []string{"eu/eu-1 http://balancer"}; !reflect.DeepEqual(got, want) {
		t.Errorf("when the others have left: got %q, want the Config's", got)
	}
	var many []api.RegionInfo
	for i := range 2 * maxStores {
		many = append(many, named("us", fmt.Sprint("us-", i), "active", fmt.Sprint("http://us-", i)))
	}
	if got := learn(many...); len(got) != maxStores {
		t.Errorf("got %d of %d stores, want %d", len(got), len(many), maxStores)
	}
	if got := s.picked(at, false); got == "" {
		t.Error("no store is picked of as many as there may be")
	}
}
