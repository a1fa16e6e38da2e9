package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"featurestore/api"
)

var killRounds = flag.Int("kill.rounds", 5, "how often TestKill kills the store, and how many faults TestKillRegions makes")

// What TestKill writes with.
const (
	killWriters = 8
	killRows    = 20 // of one push
	killKeys    = 400
)

// TestKill kills a store at random moments while clients push, starts it again
// and counts: every acknowledged row is there, every acknowledged increment is
// counted once, although clients repeat what was not answered.
func TestKill(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is featurestore itself when it is called so.
	link := filepath.Join(t.TempDir(), "featurestore")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	k := &killed{t: t, binary: link, dir: t.TempDir(), expect: map[int]acknowledged{}}
	if err := os.WriteFile(filepath.Join(k.dir, "kill.yaml"), []byte(killDefinitions), 0o600); err != nil {
		t.Fatal(err)
	}
	for round := range *killRounds {
		k.round(round, time.Duration(random.Int64N(int64(400*time.Millisecond))))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mu.pushes == 0 || k.mu.repeats == 0 && *killRounds > 20 {
		t.Errorf("%d pushes were acknowledged and %d of them repeated: the test met no kill", k.mu.pushes, k.mu.repeats)
	}
	t.Logf("%d rounds, %d pushes acknowledged, %d of them had been stored by a try that was not answered", *killRounds, k.mu.pushes, k.mu.repeats)
}

const killDefinitions = `
project: kill
entities: [{name: thing, join_keys: [{name: id, type: int64}]}]
views:
  - {name: writes, entity: thing, features: [{name: last, type: string}, {name: times, type: int64, conflict: counter}]}
`

// acknowledged is what a key must hold: the least count, and the last value
// that its only writer was acknowledged.
type acknowledged struct {
	times int64
	last  string
}

// killed is a store that is killed, and its clients. Each key has one writer.
type killed struct {
	t           *testing.T
	binary, dir string
	expect      map[int]acknowledged // between rounds
	pending     [killWriters]*killPush

	mu struct {
		sync.Mutex
		pushes, repeats int
	}
}

// killPush is one push that a writer has begun. It is repeated, with the same
// idempotency key, until it is answered, over a kill if need be.
type killPush struct {
	key  string
	ids  []int
	last string
	body []byte
}

func (k *killed) start() *process {
	k.t.Helper()
	p, err := startProcess(k.binary, k.dir, os.Environ(), "serve", "--region", "eu", "--store", "eu-1",
		"--data", "data", "--definitions", "kill.yaml", "--listen", "127.0.0.1:0", "--log-level", "error")
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

// round starts the store, writes for a while, kills it, and verifies.
func (k *killed) round(round int, after time.Duration) {
	p := k.start()
	ctx, stop := context.WithCancel(k.t.Context())
	var writers sync.WaitGroup
	results := make([]map[int]acknowledged, killWriters)
	for w := range killWriters {
		writers.Go(func() { results[w] = k.write(ctx, p.url, round, w) })
	}
	timer := time.NewTimer(after)
	<-timer.C
	if err := p.cmd.Process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	stop()
	<-p.ended
	writers.Wait()
	for _, result := range results {
		for id, a := range result {
			k.expect[id] = a
		}
	}
	p = k.start()
	k.verify(p.url, round)
	if err := p.stop(); err != nil {
		k.t.Fatalf("round %d: stop: %v\n%s", round, err, p.output)
	}
}

// write pushes until the store is gone, and returns what was acknowledged of
// the writer's keys.
func (k *killed) write(ctx context.Context, url string, round, w int) map[int]acknowledged {
	c := client{url: url, project: "kill", timeout: 5 * time.Second}
	mine := map[int]acknowledged{}
	for id := w; id < killKeys; id += killWriters {
		mine[id] = k.expect[id]
	}
	for n := 0; ctx.Err() == nil; n++ {
		if k.pending[w] == nil {
			k.pending[w] = newKillPush(round, w, n)
		}
		push := k.pending[w]
		var answer api.PushResponse
		err := c.post(ctx, c.path("push"), http.Header{api.HeaderIdempotency: {push.key}}, push.body, &answer)
		if err != nil {
			continue // unanswered: the same push again, now or after the restart
		}
		k.pending[w] = nil
		k.mu.Lock()
		k.mu.pushes++
		if answer.Repeated {
			k.mu.repeats++
		}
		k.mu.Unlock()
		for _, id := range push.ids {
			mine[id] = acknowledged{times: mine[id].times + 1, last: push.last}
		}
	}
	return mine
}

func newKillPush(round, w, n int) *killPush {
	p := &killPush{key: fmt.Sprintf("%d-%d-%d", round, w, n), last: fmt.Sprintf("%06d-%06d", round, n)}
	request := api.PushRequest{View: "writes"}
	for i := range killRows {
		id := w + killWriters*((n*killRows+i)%(killKeys/killWriters))
		p.ids = append(p.ids, id)
		request.Rows = append(request.Rows, map[string]json.RawMessage{
			"id": fmt.Append(nil, id), "last": api.AppendString(nil, p.last), "times": []byte("1"),
		})
	}
	p.body, _ = json.Marshal(request) // maps of valid JSON: no error
	return p
}

// verify looks every key up. What a pending push names may be stored or not:
// all of it, or nothing.
func (k *killed) verify(url string, round int) {
	k.t.Helper()
	c := client{url: url, project: "kill", timeout: 10 * time.Second}
	request := api.LookupRequest{Features: []string{"writes:times", "writes:last"}, Entities: map[string][]json.RawMessage{}}
	for id := range killKeys {
		request.Entities["id"] = append(request.Entities["id"], fmt.Append(nil, id))
	}
	body, err := json.Marshal(request)
	if err != nil {
		k.t.Fatal(err)
	}
	var answer api.LookupResponse
	if err := c.post(k.t.Context(), c.path("lookup"), nil, body, &answer); err != nil {
		k.t.Fatalf("round %d: %v", round, err)
	}
	stored := map[int]bool{} // by writer: whether its pending push was stored
	for id, row := range answer.Rows {
		got := acknowledged{}
		if string(row.Values[0]) != "null" {
			if err := json.Unmarshal(row.Values[0], &got.times); err != nil {
				k.t.Fatal(err)
			}
			got.last = plainText(row.Values[1])
		}
		want := k.expect[id]
		w := id % killWriters
		if push := k.pending[w]; push != nil && slices.Contains(push.ids, id) {
			there := got.times == want.times+1
			if was, seen := stored[w]; seen && was != there {
				k.t.Errorf("round %d: push %s of writer %d was stored in part", round, push.key, w)
			}
			stored[w] = there
			if there {
				want = acknowledged{times: want.times + 1, last: push.last}
			}
		}
		if got != want {
			k.t.Errorf("round %d: key %d holds %+v, want %+v", round, id, got, want)
		}
	}
}
