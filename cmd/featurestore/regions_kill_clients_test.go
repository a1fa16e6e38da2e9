//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/meta"
	"featurestore/simulation"
)

// What clients do. Drivers are few at a time, so that sessions meet; with each
// fault new ones come, so that a driver's history stays short.
const (
	killSessions     = 6   // at once
	killSessionCalls = 60  // of one session
	killDrivers      = 8   // in use between two faults
	killCounterBase  = 1e3 // more increments than one life makes to a driver
	killTries        = 4   // of one push
	killTimeout      = 2 * time.Second
	killPace         = 25 * time.Millisecond // between two operations of a client
	killBackoff      = 200 * time.Millisecond
	// killPatience is what a client waits beyond its time-out.
	killPatience = 10 * time.Second
	// killAllowance is what two busy cores may add to an answer.
	killAllowance = 3 * time.Second
)

// killHistory is what clients did and got: pushes and lookups as the checkers
// know them, and what the answers said.
type killHistory struct {
	ids  atomic.Int64 // of pushes and deletes
	turn atomic.Int64 // faults so far

	mu struct {
		sync.Mutex
		calls   []*killCall
		refused map[api.Code]int
		silent  int // requests that nobody answered
	}
}

// killCall is one operation with what was sent and answered.
type killCall struct {
	simulation.Operation
	eventTime int64 // of a push, which no two share
	at        string
	answers   []*api.LookupResponse // of a lookup, or of an observation's passes in turn
}

func (h *killHistory) add(c *killCall) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.calls = append(h.mu.calls, c)
	var refused *refusedError
	switch {
	case errors.As(c.Err, &refused):
		h.mu.refused[refused.Code]++
	case c.Err != nil:
		h.mu.silent++
	}
}

// killClient is one client. It begins a new session now and then.
type killClient struct {
	stores  *killStores
	history *killHistory
	random  *rand.Rand
	name    string
	regions []string // where it goes

	number, left int
	session      string
	token        string
	seen         map[int64][]string // elements of sets, as read last
}

func (c *killClient) run(ctx context.Context) {
	for ctx.Err() == nil {
		if c.left--; c.left < 0 {
			c.renew()
		}
		switch p := c.random.Float64(); {
		case p < 0.35:
			c.push(ctx)
		case p < 0.95:
			c.lookup(ctx)
		default:
			c.observe(ctx)
		}
		c.wait(ctx, time.Duration(c.random.Int64N(int64(2*killPace))))
	}
}

func (c *killClient) wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// renew begins a new session.
func (c *killClient) renew() {
	c.number++
	c.session, c.token, c.left = fmt.Sprintf("%s.%d", c.name, c.number), "", killSessionCalls
	c.seen = map[int64][]string{}
}

func (c *killClient) region() string { return c.regions[c.random.IntN(len(c.regions))] }

// driver is one of those in use, or of those before.
func (c *killClient) driver() int64 {
	turn := c.history.turn.Load()
	if c.random.IntN(4) == 0 {
		turn = max(0, turn-1)
	}
	return turn*killDrivers + c.random.Int64N(killDrivers)
}

func viewOf(driver int64) string { return []string{"even", "odd"}[driver%2] }

func (c *killClient) chance(p float64) bool { return c.random.Float64() < p }

// push writes to one driver at one store, and repeats what was not answered.
func (c *killClient) push(ctx context.Context) {
	region := c.region()
	life := c.stores.lives[region]
	if !life.TryRLock() {
		return // its store is being evicted
	}
	defer life.RUnlock()
	id := c.history.ids.Add(1)
	driver := c.driver()
	p := &simulation.Push{Region: meta.Region(region), Driver: driver, Delete: driver%2 == 1 && c.chance(0.2), Timeout: killTimeout}
	p.Concern = []consistency.Concern{
		{Kind: consistency.Local}, {Kind: consistency.Local}, {Kind: consistency.Regions, K: 1}, {Kind: consistency.All},
	}[c.random.IntN(4)]
	age := time.Duration(0)
	if c.chance(0.3) {
		age = time.Duration(c.random.Int64N(int64(3 * time.Second)))
	}
	call := &killCall{eventTime: time.Now().Add(-age).UnixNano()/killIDs*killIDs + id%killIDs}
	call.Operation = simulation.Operation{
		Session: c.session, Region: p.Region, Driver: driver, Push: p, Began: time.Now(),
	}
	operation, body := "push", c.body(p, id, call.eventTime, life.number)
	if p.Delete {
		operation = "delete"
	}
	header := http.Header{api.HeaderWriteConcern: {p.Concern.String()}}
	tries := 1
	if c.chance(0.7) {
		header.Set(api.HeaderIdempotency, fmt.Sprintf("push-%d", id))
		tries = killTries
	}
	for range tries {
		var answer api.PushResponse
		call.Limit += killTimeout + killAllowance
		call.Err = c.call(ctx, region, operation, header, body, &answer)
		var refused *refusedError
		switch {
		case call.Err == nil:
			call.at, c.token = answer.Position.At, answer.Session
		case errors.As(call.Err, &refused) && refused.Code == api.CodeConcernTimeout:
			call.at, c.token = refused.Position.At, refused.Session
		}
		if !c.again(call.Err) {
			break
		}
		call.Limit += killBackoff
		c.wait(ctx, killBackoff)
	}
	call.Ended = time.Now()
	call.Limit += c.stores.paused(call.Began, call.Ended)
	c.lost(call.Err)
	c.history.add(call)
}

// killIDs is how many pushes of a run have event times of their own: their
// numbers stand in the last digits.
const killIDs = 1e6

// body writes values that tell, when they are read, which push brought them:
// its number is in each.
func (c *killClient) body(p *simulation.Push, id, eventTime int64, life int) []byte {
	at := api.AppendString(nil, time.Unix(0, eventTime).UTC().Format(time.RFC3339Nano))
	key := fmt.Append(nil, p.Driver)
	if p.Delete {
		return fmt.Appendf(nil, `{"view":%q,"entities":{"driver_id":[%s]},"event_time":%s}`, viewOf(p.Driver), key, at)
	}
	row := map[string]json.RawMessage{"driver_id": key, api.EventTimeField: at}
	set := func(feature string, n int64) *int64 {
		row[feature] = fmt.Append(nil, n)
		return &n
	}
	// One of x and w is always there: they show the push's event time in the log.
	x := c.chance(0.6)
	if x {
		p.X = set("x", id)
	}
	if !x || c.chance(0.6) {
		p.W = set("w", id)
	}
	if c.chance(0.5) {
		p.M = set("m", c.random.Int64N(1000)*killIDs+id)
	}
	if c.chance(0.4) {
		p.Add = fmt.Sprintf("e%d", id)
		row["s"] = fmt.Appendf(nil, `{"add":[%q]}`, p.Add)
		if seen := c.seen[p.Driver]; len(seen) > 0 && c.chance(0.5) {
			// What removes is seen too: it adds an element that stays.
			p.Add, p.Remove = fmt.Sprintf("r%d", id), seen[c.random.IntN(len(seen))]
			row["s"] = fmt.Appendf(nil, `{"add":[%q],"remove":[%q]}`, p.Add, p.Remove)
		}
	}
	if p.Driver%2 == 0 && c.chance(0.6) {
		p.N = set("n", killIncrement(life)) // the sum shows how often each life has added
	}
	body, _ := json.Marshal(api.PushRequest{View: viewOf(p.Driver), Rows: []map[string]json.RawMessage{row}}) // maps of valid JSON: no error
	return body
}

// killIncrement is what every push adds in one life of a store.
func killIncrement(life int) int64 {
	n := int64(1)
	for range life {
		n *= killCounterBase
	}
	return n
}

// again reports whether a push may not have been stored, or not where it was
// wanted, and is worth repeating.
func (c *killClient) again(err error) bool {
	var refused *refusedError
	if !errors.As(err, &refused) {
		return err != nil
	}
	return slices.Contains([]api.Code{api.CodeConcernTimeout, api.CodeDeadlineExceeded, api.CodeDraining, api.CodeOverloaded}, refused.Code)
}

// lost begins a new session when this one has lost a write that it saw.
func (c *killClient) lost(err error) {
	if errors.Is(err, api.CodeSessionLost) {
		c.renew()
	}
}

// call makes one request with the session's token.
func (c *killClient) call(ctx context.Context, region, operation string, header http.Header, body []byte, into any) error {
	to := client{url: c.stores.url[region], project: "regions", timeout: killTimeout + killPatience}
	header = header.Clone()
	header.Set(api.HeaderTimeout, killTimeout.String())
	if c.token != "" {
		header.Set(api.HeaderSession, c.token)
	}
	return to.post(ctx, to.path(operation), header, body, into)
}

// lookup reads one driver at some level.
func (c *killClient) lookup(ctx context.Context) {
	region, driver := c.region(), c.driver()
	l := &simulation.Lookup{Region: meta.Region(region), Driver: driver, Timeout: killTimeout}
	level := consistency.Alternative{Level: consistency.Session}
	switch c.random.IntN(6) {
	case 0:
		level.Level = consistency.Eventual
	case 1:
		level = consistency.Alternative{Level: consistency.Bounded, MaxStaleness: time.Second}
	}
	l.Alternatives = []consistency.Alternative{level}
	call := &killCall{}
	call.Operation = simulation.Operation{
		Session: c.session, Region: l.Region, Driver: driver, Lookup: l, Began: time.Now(), Limit: killTimeout + killAllowance,
	}
	var answer api.LookupResponse
	call.Err = c.call(ctx, region, "lookup", http.Header{api.HeaderConsistency: {level.String()}}, lookupBody(viewOf(driver), driver), &answer)
	call.Ended = time.Now()
	call.Limit += c.stores.paused(call.Began, call.Ended)
	if call.Err == nil {
		call.answers = []*api.LookupResponse{&answer}
		c.token = answer.Session
		c.seen[driver] = slices.DeleteFunc(elementsOf(&answer, 0), func(e string) bool { return strings.HasPrefix(e, "r") })
	}
	c.lost(call.Err)
	c.history.add(call)
}

// lookupBody asks for all features of a view.
func lookupBody(view string, drivers ...int64) []byte {
	r := api.LookupRequest{Entities: map[string][]json.RawMessage{}}
	for _, f := range killFeatures(view) {
		r.Features = append(r.Features, view+":"+f)
	}
	for _, d := range drivers {
		r.Entities["driver_id"] = append(r.Entities["driver_id"], fmt.Append(nil, d))
	}
	body, _ := json.Marshal(r) // numbers and names: no error
	return body
}

func killFeatures(view string) []string {
	if view == "odd" {
		return []string{"x", "w", "m", "s"}
	}
	return []string{"x", "w", "m", "s", "n"}
}

// elementsOf are the elements of the set in one row of an answer.
func elementsOf(a *api.LookupResponse, row int) []string {
	var out []string
	for i, name := range a.Features {
		if strings.HasSuffix(name, ":s") && a.Rows[row].Statuses[i] == api.StatusPresent {
			_ = json.Unmarshal(a.Rows[row].Values[i], &out) // not a list: judged with the whole answer later
		}
	}
	return out
}

// observe reads the drivers in use at one store, as they are there, and then
// once more, without a session.
func (c *killClient) observe(ctx context.Context) {
	region, turn := c.region(), c.history.turn.Load()
	views := map[string][]int64{}
	for d := max(0, turn-1) * killDrivers; d < (turn+1)*killDrivers; d++ {
		views[viewOf(d)] = append(views[viewOf(d)], d)
	}
	call := &killCall{}
	call.Operation = simulation.Operation{
		Session: "observer", Region: meta.Region(region), Began: time.Now(), Limit: 4 * (killTimeout + killAllowance),
	}
	to := client{url: c.stores.url[region], project: "regions", timeout: killTimeout + killPatience}
	header := http.Header{api.HeaderConsistency: {"eventual"}, api.HeaderTimeout: {killTimeout.String()}}
	for n := range 4 {
		view := viewOf(int64(n))
		answer := &api.LookupResponse{}
		if call.Err = to.post(ctx, to.path("lookup"), header.Clone(), lookupBody(view, views[view]...), answer); call.Err != nil {
			break
		}
		call.answers = append(call.answers, answer)
		if call.Err = sameStore(call.answers); call.Err != nil {
			break
		}
	}
	call.Ended = time.Now()
	call.Limit += c.stores.paused(call.Began, call.Ended)
	c.history.add(call)
}

// errOtherStore reports an observation that two stores answered: it shows
// nothing of one.
var errOtherStore = errors.New("another store answered")

func sameStore(answers []*api.LookupResponse) error {
	for _, a := range answers {
		if a.Consistency.Store != answers[0].Consistency.Store {
			return errOtherStore
		}
	}
	return nil
}
