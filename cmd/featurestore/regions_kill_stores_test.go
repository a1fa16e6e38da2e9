//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/relay"
)

// killRegions are the regions of the test by name; the first one's store is the
// home of the deployment. What stores forward to one of them passes the link
// from killForward, a place without a store.
var killRegions = []string{"ap", "eu", "us"}

const killForward = "forward"

// killStores are three regions, each with a store that is a process of its own.
// Whatever they say to each other passes relays.
type killStores struct {
	t           *testing.T
	binary, dir string
	links       *relay.Links
	url         map[string]string // where clients reach them, by region
	args        map[string][]string
	running     map[string]*process // of the goroutine that makes the faults
	lives       map[string]*killLife
	errors      []string // that stores logged before they ended

	mu struct {
		sync.Mutex
		pauses []killPause
		lives  int // begun so far
	}
}

// killLife is the life of a region's store. Who pushes holds it for reading, so
// that no push is repeated in another life, which cannot know it.
type killLife struct {
	sync.RWMutex
	number int // from 0, no two of a run are the same
}

// killPause is a time in which a store was made to stand still.
type killPause struct{ from, to time.Time }

const killSchema = `
project: regions
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views:
  - name: even
    entity: driver
    features:
      - {name: x, type: int64}
      - {name: w, type: int64, conflict: write_time}
      - {name: m, type: int64, conflict: max}
      - {name: s, type: list<string>, conflict: set}
      - {name: n, type: int64, conflict: counter}
  - name: odd
    entity: driver
    features:
      - {name: x, type: int64}
      - {name: w, type: int64, conflict: write_time}
      - {name: m, type: int64, conflict: max}
      - {name: s, type: list<string>, conflict: set}
`

// newKillStores lays out a deployment and runs its relays until the test ends.
func newKillStores(t *testing.T) *killStores {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &killStores{
		t: t, dir: t.TempDir(), links: relay.NewLinks(append([]string{killForward}, killRegions...)...),
		url: map[string]string{}, args: map[string][]string{}, running: map[string]*process{}, lives: map[string]*killLife{},
	}
	s.binary = filepath.Join(s.dir, "featurestore") // the test binary is featurestore when it is called so
	if err := os.Symlink(binary, s.binary); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"regions.yaml": killSchema, "secret": strings.Repeat("three regions ", 4)} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rest, peers := map[string]string{}, map[string]string{}
	for _, region := range killRegions {
		rest[region], peers[region] = freeAddress(t), freeAddress(t)
		s.url[region] = "http://" + rest[region]
		s.lives[region] = &killLife{}
		s.begin(region)
	}
	for _, region := range killRegions {
		var others []string
		for _, other := range killRegions {
			if other != region {
				others = append(others, other+"="+s.relay(region, other, peers[other]))
			}
		}
		s.args[region] = []string{
			"serve", "--region", region, "--store", region + "-1", "--data", region, "--secret-file", "secret",
			"--listen", rest[region], "--url", "http://" + s.relay(killForward, region, rest[region]),
			"--peer-listen", peers[region], "--peers", strings.Join(others, ","),
			"--definitions", "regions.yaml", "--hot-bytes", "4MiB", "--log-level", "warn",
		}
	}
	t.Cleanup(s.end)
	return s
}

// begin gives a region's store the number of a new life.
func (s *killStores) begin(region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives[region].number = s.mu.lives
	s.mu.lives++
}

// relay runs a relay until the test ends, and returns where it listens.
func (s *killStores) relay(from, to, target string) string {
	s.t.Helper()
	r, err := relay.New(relay.Config{From: from, To: to, Links: s.links, Listen: "127.0.0.1:0", Target: target})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			s.t.Errorf("relay from %s to %s: %v", from, to, err)
		}
	})
	return r.Addr().String()
}

// launch starts the stores of some regions.
func (s *killStores) launch(regions ...string) {
	s.t.Helper()
	for _, region := range regions {
		p, err := launchProcess(s.binary, s.dir, os.Environ(), s.args[region]...)
		if err != nil {
			s.t.Fatal(err)
		}
		s.running[region] = p
	}
}

// await waits until the stores of some regions are ready.
func (s *killStores) await(regions ...string) {
	s.t.Helper()
	for _, region := range regions {
		if err := s.running[region].await(); err != nil {
			s.t.Fatalf("%s: %v", region, err)
		}
	}
}

// kill ends a store as a failure of its machine would, but for the disk's cache.
func (s *killStores) kill(region string) {
	s.t.Helper()
	p := s.running[region]
	if err := p.cmd.Process.Kill(); err != nil {
		s.t.Fatalf("kill %s: %v\n%s", region, err, p.output)
	}
	<-p.ended
	delete(s.running, region)
	s.keep(p)
}

// keep keeps what a store that has ended logged as errors.
func (s *killStores) keep(p *process) {
	for line := range strings.Lines(p.output.String()) {
		if strings.Contains(line, "level=ERROR") || strings.HasPrefix(line, "panic:") {
			s.errors = append(s.errors, strings.TrimSpace(line))
		}
	}
}

// stop ends a store in order.
func (s *killStores) stop(region string) {
	s.t.Helper()
	p := s.running[region]
	delete(s.running, region)
	if err := p.stop(); err != nil {
		s.t.Fatalf("stop %s: %v\n%s", region, err, p.output)
	}
	s.keep(p)
}

// pause makes a store stand still for a while.
func (s *killStores) pause(region string, d time.Duration) {
	s.t.Helper()
	p := killPause{from: time.Now()}
	for _, signal := range []os.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := s.running[region].cmd.Process.Signal(signal); err != nil {
			s.t.Fatalf("%v %s: %v", signal, region, err)
		}
		if signal == syscall.SIGSTOP {
			s.pass(d)
		}
	}
	p.to = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.pauses = append(s.mu.pauses, p)
}

// paused is for how long stores stood still between two moments.
func (s *killStores) paused(from, to time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum time.Duration
	for _, p := range s.mu.pauses {
		if p.from.Before(to) && p.to.After(from) {
			sum += p.to.Sub(p.from)
		}
	}
	return sum
}

// pass lets time pass, in which clients go on.
func (s *killStores) pass(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.t.Context().Done():
	}
}

// set changes a link.
func (s *killStores) set(from, to string, l relay.Link) {
	s.t.Helper()
	if err := s.links.Set(from, to, l); err != nil {
		s.t.Fatal(err)
	}
}

// heal lets everything pass at once on all links.
func (s *killStores) heal() {
	for _, from := range s.links.Regions() {
		for _, to := range s.links.Regions() {
			if from != to {
				s.set(from, to, relay.Link{})
			}
		}
	}
}

// end kills what still runs.
func (s *killStores) end() {
	for _, p := range s.running {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// evict puts out a store that does not run, waits until it is out, and starts
// it again: it puts its data aside and joins anew.
func (s *killStores) evict(region string) {
	s.t.Helper()
	life := s.lives[region]
	life.Lock()
	defer life.Unlock()
	c := client{url: s.url[killRegions[0]], timeout: 10 * time.Second}
	body := fmt.Appendf(nil, `{"action": "evict", "store": %q}`, region+"-1")
	var m api.Members
	if err := c.post(s.t.Context(), "/v1/members", nil, body, &m); err != nil {
		s.t.Fatalf("evict %s: %v", region, err)
	}
	s.until(func() error {
		if err := c.get(s.t.Context(), "/v1/members", &m); err != nil {
			return err
		}
		for _, x := range m.Members {
			if x.Region == region && x.State != "removed" {
				return fmt.Errorf("%s is %s, want removed", x.Store, x.State)
			}
		}
		return nil
	})
	s.begin(region)
	s.launch(region)
	s.await(region)
}

// until waits for something that must come by itself within a minute.
func (s *killStores) until(holds func() error) {
	s.t.Helper()
	limit := time.Now().Add(time.Minute)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(limit) {
			s.describe()
			s.t.Fatalf("a minute passed: %v", err)
		}
		s.pass(100 * time.Millisecond)
	}
}

// describe logs what stores printed and how their replication stands.
func (s *killStores) describe() {
	s.t.Helper()
	for region, p := range s.running {
		s.t.Logf("%s printed:\n%s", region, p.output)
		for _, path := range []string{"/v1/replication", "/v1/members"} {
			c := client{url: s.url[region], timeout: 10 * time.Second}
			var state json.RawMessage
			err := c.get(s.t.Context(), path, &state)
			s.t.Logf("%s %s: %s %v", region, path, state, err)
		}
	}
}
