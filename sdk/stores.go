package sdk

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"featurestore/api"
)

// maxStores is how many stores a client knows of; a deployment that has more
// is known in part.
const maxStores = 64

// remote is one store as the client sees it. What it is called and how it is
// are under the lock of stores.
type remote struct {
	url string
	// listed says that the Config names it: it stays, whatever stores say.
	listed        bool
	region, store string
	health        health
}

// stores are those that the client may ask.
type stores struct {
	region string // preferred; "" is any
	mu     struct {
		sync.Mutex
		all []*remote
		// reads and writes go to these until choose moves them; nil at first.
		reads, writes *remote
		// surveyDue is when stores are asked for each other and probed next.
		surveyDue time.Time
	}
}

// set lists the stores of the Config.
func (s *stores) set(urls []string) {
	for _, u := range urls {
		if !slices.ContainsFunc(s.mu.all, func(r *remote) bool { return r.url == u }) {
			s.mu.all = append(s.mu.all, &remote{url: u, listed: true})
		}
	}
}

// pick returns the store to ask. Those that the request was at are the last
// resort. moved says that requests go to another store from now on.
func (s *stores) pick(at time.Time, write bool, tried []*remote) (r *remote, moved bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	usual := &s.mu.reads
	if write {
		usual = &s.mu.writes
	}
	var room [maxStores]place
	places, current := room[:0], -1
	for i, r := range s.mu.all {
		places = append(places, r.place(at, slices.Contains(tried, r)))
		if r == *usual {
			current = i
		}
	}
	r = s.mu.all[choose(places, current, need{region: s.region, write: write})]
	if len(tried) > 0 || r == *usual {
		return r, false
	}
	moved = *usual != nil
	*usual = r
	return r, moved
}

// second returns the store to hedge a read with, nil when there is none that
// answers.
func (s *stores) second(at time.Time, tried []*remote) *remote {
	r, _ := s.pick(at, false, tried)
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(tried, r) || r.health.away(at) {
		return nil
	}
	return r
}

func (r *remote) place(at time.Time, tried bool) place {
	return place{
		region: r.region, distance: r.health.distance(), failing: r.health.failingNow(at),
		away: r.health.away(at), writeless: r.health.writeless(at), tried: tried,
	}
}

// at returns the store of a URL that a write is bound to, one that is new to
// the client included.
func (s *stores) at(url string) *remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.mu.all {
		if r.url == url {
			return r
		}
	}
	return &remote{url: url}
}

// asked notes what a request came to.
func (s *stores) asked(r *remote, sign sign, took time.Duration, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.health.request(sign, took, at)
}

// slow notes that a request was given up after a while, for another store had
// answered it.
func (s *stores) slow(r *remote, after time.Duration, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.health.request(healthy, max(after, r.health.asked), at)
}

// probed notes what a probe came to, and who answered; empty names are not
// known.
func (s *stores) probed(r *remote, sign sign, took time.Duration, region, store string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.health.probe(sign, took, at)
	r.region, r.store = cmp.Or(region, r.region), cmp.Or(store, r.store)
}

// list returns the stores there are. The caller owns the slice.
func (s *stores) list() []*remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mu.all)
}

// learned takes the stores that from has named; see merged.
func (s *stores) learned(from *remote, regions api.Regions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from.region, from.store = regions.Region, regions.Store
	s.mu.all = merged(s.mu.all, regions.Regions)
}

// claimSurvey reports whether a survey is due, and makes the next one due after
// every: one caller makes it.
func (s *stores) claimSurvey(at time.Time, every time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Before(s.mu.surveyDue) {
		return false
	}
	s.mu.surveyDue = at.Add(every)
	return true
}

// surveyAgain makes the next survey due at a time: the one that was made found
// nothing out.
func (s *stores) surveyAgain(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.surveyDue = at
}

// Store is a store as a Client sees it.
type Store struct {
	URL string
	// Region and Name are "" until the store, or another one, has told.
	Region, Name string
	// Latency is its usual round trip, 0 when it was not measured.
	Latency time.Duration
	// Failing is the part of the latest requests that failed, 0 to 1.
	Failing float64
	// Away says that it does not answer, and is passed over for a while; ReadOnly
	// that it is for writes.
	Away, ReadOnly bool
	// Reads and Writes say that these go there.
	Reads, Writes bool
}

// Stores returns the stores that the client knows, those of the Config first.
// The caller owns the slice.
func (c *Client) Stores() []Store {
	now := time.Now()
	s := &c.stores
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Store, len(s.mu.all))
	for i, r := range s.mu.all {
		out[i] = Store{
			URL: r.url, Region: r.region, Name: r.store, Latency: r.health.distance(), Failing: r.health.failingNow(now),
			Away: r.health.away(now), ReadOnly: r.health.writeless(now), Reads: r == s.mu.reads, Writes: r == s.mu.writes,
		}
	}
	return out
}
