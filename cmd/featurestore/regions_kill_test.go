//go:build unix

package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/relay"
	"featurestore/simulation"
)

var killOnly = flag.String("kill.only", "", "the only fault that TestKillRegions makes")

// TestKillRegions breaks three regions, each a process of its own, while
// sessions push, delete and look up in all of them: stores are killed, stopped,
// paused and evicted, links are cut and slow. Then everything heals, and the
// checkers of the simulation judge what clients saw, what the logs hold, and
// what rows they came to. Run more faults with -kill.rounds.
func TestKillRegions(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := newKillStores(t)
	s.launch(killRegions...)
	s.settle()

	h := newKillHistory()
	stop := s.load(h, seed, killRegions...)
	f := &killFaults{stores: s, random: rand.New(rand.NewPCG(seed, 1)), done: map[string]int{}}
	began := time.Now()
	for n := range *killRounds {
		h.turn.Store(int64(n))
		f.next(*killRounds - n)
	}
	took := time.Since(began)
	stop()
	s.heal()

	broken, e := s.judge(h)
	for _, v := range broken[:min(len(broken), 20)] {
		t.Error(v)
	}
	for _, line := range s.errors[:min(len(s.errors), 20)] {
		t.Error("a store logged:", line)
	}
	t.Logf("%d faults in %.0f s: %v", *killRounds, took.Seconds(), f.done)
	t.Log(h.summary(e))
	if !t.Failed() {
		proveCheckers(t, e)
	}
}

func newKillHistory() *killHistory {
	h := &killHistory{}
	h.mu.refused = map[api.Code]int{}
	return h
}

// load runs clients in some regions until the function that it returns is called.
func (s *killStores) load(h *killHistory, seed uint64, regions ...string) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var clients sync.WaitGroup
	for n := range killSessions {
		c := &killClient{stores: s, history: h, random: rand.New(rand.NewPCG(seed, uint64(n)+2)), name: fmt.Sprintf("session-%d", n), regions: regions}
		clients.Go(func() { c.run(ctx) })
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

// killFaults deals faults like cards, so that each kind comes up before any
// comes again.
type killFaults struct {
	stores *killStores
	random *rand.Rand
	deck   []killFault
	evicts int
	done   map[string]int
}

type killFault struct {
	name string
	make func(*killFaults)
}

// maxKillEvicts bounds the evictions of a run: each costs a region its log.
const maxKillEvicts = 2

func (f *killFaults) next(left int) {
	if len(f.deck) == 0 {
		f.deck = []killFault{
			{"kill", (*killFaults).kill},
			{"kill during a cut", (*killFaults).killCut},
			{"two killed at once", (*killFaults).killTwo},
			{"cut", (*killFaults).cut},
			{"cut in one direction", (*killFaults).cutOneWay},
			{"slow links", (*killFaults).slow},
			{"pause", (*killFaults).pause},
			{"stop in order", (*killFaults).stop},
		}
		if f.evicts < maxKillEvicts {
			f.deck = append(f.deck, killFault{"evict", (*killFaults).evict})
		}
		if *killOnly != "" {
			f.deck = slices.DeleteFunc(f.deck, func(x killFault) bool { return x.name != *killOnly })
		}
		if len(f.deck) == 0 {
			f.stores.t.Fatalf("-kill.only is %q: no such fault, or it comes no more", *killOnly)
		}
		f.random.Shuffle(len(f.deck), func(i, j int) { f.deck[i], f.deck[j] = f.deck[j], f.deck[i] })
	}
	fault := f.deck[0]
	f.deck = f.deck[1:]
	f.done[fault.name]++
	fault.make(f)
	f.wait(100*time.Millisecond, 500*time.Millisecond)
	f.stores.t.Logf("%s, %d to go", fault.name, left-1)
}

func (f *killFaults) wait(from, to time.Duration) {
	f.stores.pass(from + time.Duration(f.random.Int64N(int64(to-from))))
}

// regions are all of them in random order.
func (f *killFaults) regions() []string {
	out := slices.Clone(killRegions)
	f.random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (f *killFaults) kill() {
	region := f.regions()[0]
	f.stores.kill(region)
	f.wait(0, 800*time.Millisecond)
	f.stores.launch(region)
	f.stores.await(region)
}

func (f *killFaults) killTwo() {
	two := f.regions()[:2]
	for _, region := range two {
		f.stores.kill(region)
	}
	f.wait(0, 800*time.Millisecond)
	f.stores.launch(two...)
	f.stores.await(two...)
}

// cutBetween cuts the links between two regions, and what is forwarded to the
// second.
func (f *killFaults) cutBetween(a, b string) {
	f.stores.set(a, b, relay.Link{Cut: true})
	f.stores.set(b, a, relay.Link{Cut: true})
	f.stores.set(killForward, b, relay.Link{Cut: true})
}

func (f *killFaults) cut() {
	r := f.regions()
	f.cutBetween(r[0], r[1])
	f.wait(500*time.Millisecond, 3*time.Second)
	f.stores.heal()
}

func (f *killFaults) cutOneWay() {
	r := f.regions()
	f.stores.set(r[0], r[1], relay.Link{Cut: true})
	f.wait(500*time.Millisecond, 3*time.Second)
	f.stores.heal()
}

// killCut kills a store that is cut off from one of the others, or from both,
// and starts it while it still is.
func (f *killFaults) killCut() {
	r := f.regions()
	f.cutBetween(r[0], r[1])
	if f.random.IntN(2) == 0 {
		f.cutBetween(r[0], r[2])
	}
	f.wait(200*time.Millisecond, time.Second)
	f.stores.kill(r[0])
	f.wait(0, 500*time.Millisecond)
	f.stores.launch(r[0])
	f.wait(200*time.Millisecond, time.Second)
	f.stores.heal()
	f.stores.await(r[0])
}

// slow delays every link, and loses something on each.
func (f *killFaults) slow() {
	for _, from := range f.stores.links.Regions() {
		for _, to := range f.stores.links.Regions() {
			if from != to {
				f.stores.set(from, to, relay.Link{
					Delay: time.Duration(f.random.Int64N(int64(300 * time.Millisecond))), Loss: f.random.Float64() * 0.1,
				})
			}
		}
	}
	f.wait(2*time.Second, 3*time.Second)
	f.stores.heal()
}

func (f *killFaults) pause() { f.stores.pause(f.regions()[0], 2*time.Second) }

func (f *killFaults) stop() {
	region := f.regions()[0]
	f.stores.stop(region)
	f.wait(0, 800*time.Millisecond)
	f.stores.launch(region)
	f.stores.await(region)
}

// evict kills a store, sometimes one that is cut off, so that others lack some
// of its writes, and evicts it.
func (f *killFaults) evict() {
	f.evicts++
	r := f.regions()
	region := r[0]
	if region == killRegions[0] {
		region = r[1] // the home cannot be evicted
	}
	if f.random.IntN(2) == 0 {
		for _, other := range killRegions {
			if other != region {
				f.stores.set(region, other, relay.Link{Cut: true})
			}
		}
		f.wait(200*time.Millisecond, time.Second)
	}
	f.stores.kill(region)
	f.stores.heal()
	f.stores.evict(region)
}

// settle waits until every store has all that any of them has accepted so far.
func (s *killStores) settle() {
	s.t.Helper()
	s.await(killRegions...)
	// Restarted clocks may be a second ahead.
	until := time.Now().Add(2 * time.Second).UnixMilli()
	s.until(func() error {
		var first api.MembershipVersion
		for i, region := range killRegions {
			c := client{url: s.url[region], timeout: 10 * time.Second}
			var r api.Replication
			if err := c.get(s.t.Context(), "/v1/replication", &r); err != nil {
				return err
			}
			if i == 0 {
				first = r.Membership
			}
			if r.Membership != first || r.RegistryRevision == 0 || len(r.Peers) < len(killRegions)-1 || len(r.Shards) == 0 {
				return fmt.Errorf("%s has membership %v, definitions %d, %d peers, %d shards", region, r.Membership, r.RegistryRevision, len(r.Peers), len(r.Shards))
			}
			for _, shard := range r.Shards {
				if safe := time.Now().UnixMilli() - shard.SafeLagMs; safe < until {
					return fmt.Errorf("%s has everything of shard %s/%d up to %s, want %v", region, shard.Group, shard.Partition, shard.SafeTime, time.UnixMilli(until).UTC())
				}
			}
		}
		return nil
	})
}

// judge waits until the regions have converged, stops them, and returns what
// the checkers find broken.
func (s *killStores) judge(h *killHistory) ([]simulation.Violation, *simulation.Evidence) {
	s.t.Helper()
	s.settle()
	differing := s.verify()
	for _, region := range killRegions {
		s.stop(region)
	}
	records, err := readKillRecords(s.t.Context(), s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	e, broken := records.evidence(h.mu.calls)
	e.Differing = differing
	evicted := s.mu.lives > len(killRegions)
	for _, code := range slices.Sorted(maps.Keys(h.mu.refused)) {
		if !expected(code, evicted) {
			broken = append(broken, simulation.Violation{Promise: "answers", Text: fmt.Sprintf("%d requests were answered with %s", h.mu.refused[code], code)})
		}
	}
	return append(broken, simulation.Check(e)...), e
}

// expected reports whether a store may answer a request of the test with a code.
func expected(code api.Code, evicted bool) bool {
	switch code {
	case api.CodeConcernTimeout, api.CodeNotEnoughLive, api.CodeBehind, api.CodeTooStale, api.CodeDependencyUnavailable,
		api.CodeDeadlineExceeded, api.CodeCanceled, api.CodeDraining, api.CodeNotActive:
		return true
	case api.CodeSessionLost:
		return evicted
	}
	return false
}

// verify has every store compare its rows with the others'.
func (s *killStores) verify() []string {
	s.t.Helper()
	var out []string
	for _, region := range killRegions {
		c := client{url: s.url[region], timeout: 20 * time.Second}
		s.until(func() error {
			var v api.Verification
			if _, err := c.call(s.t.Context(), http.MethodPost, "/v1/replication/verify", nil, nil, &v); err != nil {
				return err
			}
			out = out[:0:0]
			for _, shard := range v.Shards {
				if shard.Skipped != "" {
					return fmt.Errorf("%s did not compare with %s: %s", region, shard.Peer, shard.Skipped)
				}
				if shard.Differing > 0 {
					out = append(out, fmt.Sprintf("%s and %s differ in %d rows: %s", region, shard.Peer, shard.Differing, strings.Join(shard.Examples, ", ")))
				}
			}
			return nil
		})
		if len(out) > 0 {
			break
		}
	}
	return out
}

// summary tells how much clients did.
func (h *killHistory) summary(e *simulation.Evidence) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var pushes, acknowledged, unknown, lookups, read, observed int
	for i := range e.Operations {
		switch op := &e.Operations[i]; {
		case op.Push != nil:
			pushes++
			if !op.Untold {
				acknowledged++
			} else if op.Position.Position.At > 0 {
				unknown++
			}
		case op.Lookup != nil:
			lookups++
			if op.Err == nil {
				read++
			}
		case op.Err == nil:
			observed++
		}
	}
	return fmt.Sprintf("%d operations: %d pushes and deletes, %d acknowledged, %d stored without an answer; %d lookups, %d answered; %d observations; %d requests without an answer; refused: %v",
		len(e.Operations), pushes, acknowledged, unknown, lookups, read, observed, h.mu.silent, h.mu.refused)
}
