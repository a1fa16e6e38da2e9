package simulation

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"featurestore/consistency"
	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/online"
)

// Session is what a client carries from request to request. It belongs to one
// goroutine at a time.
type Session struct {
	Name  string
	token consistency.Token
}

// Push is one push of one driver's features.
type Push struct {
	Region  meta.Region
	Session *Session
	Driver  int64
	Delete  bool
	// X, W, N, M, D, Z set or increment features; nil leaves one alone.
	X, W, N, M, D, Z *int64
	// Add and Remove are elements of the set.
	Add, Remove string
	// Age is how long before now the event happened.
	Age     time.Duration
	Concern consistency.Concern
	Timeout time.Duration
	// Key names the push, so that it can be repeated; "" for none.
	Key string
}

// Lookup is one lookup of one driver.
type Lookup struct {
	Region       meta.Region
	Session      *Session
	Driver       int64
	Alternatives []consistency.Alternative
	Fallback     consistency.Fallback
	Timeout      time.Duration
}

// Operation is what a client did, asked for and got: one line of a history.
type Operation struct {
	Session string
	Region  meta.Region
	Driver  int64
	// Began and Ended are global times; at Accepted a write was on disk.
	Began, Ended, Accepted time.Time
	Limit                  time.Duration // it should have ended after so much
	Err                    error
	// Repeated says that a push did nothing, for one of its name had done it.
	Repeated bool
	// Seen is what the session had seen before.
	Seen consistency.Token

	// Of a push: what it wrote, where, and who had it. Untold is one whose client
	// got no answer, or none that told its position: its session owes it nothing.
	Push     *Push
	Written  feature.Row
	Position online.ShardPosition
	Acks     consistency.Acknowledged
	Untold   bool
	// Offered says that it was given to a store: without a position, it may have
	// been written or not.
	Offered bool
	// Superseded says that nothing is left of it.
	Superseded bool

	// Of a lookup: what it got, and what was said about it.
	Lookup *Lookup
	Row    feature.Row
	Met    consistency.Met
	Served meta.Region
	// Of an observation: the rows of some drivers, twice, one pass after the other.
	Passes [2]map[int64]feature.Row
}

// carryOut does an operation within its limit, and notes it in the history.
func (h *History) carryOut(ctx context.Context, op Operation, do func(context.Context, *Operation) error) Operation {
	ctx, cancel := context.WithTimeout(ctx, op.Limit)
	defer cancel()
	op.Began = time.Now()
	op.Err = do(ctx, &op)
	op.Ended = time.Now()
	if !op.Repeated {
		h.add(op)
	}
	return op
}

// Push pushes, and notes it in the history.
func (h *History) Push(ctx context.Context, c *Cluster, p Push) Operation {
	op := Operation{Session: p.Session.Name, Region: p.Region, Driver: p.Driver, Push: &p, Limit: p.Timeout}
	op.Seen.Merge(p.Session.token) // a copy: the session's goes on
	return h.carryOut(ctx, op, func(ctx context.Context, op *Operation) error { return c.push(ctx, &p, op) })
}

// push does what the edge does: what another store leads is sent on to it.
func (c *Cluster) push(ctx context.Context, p *Push, op *Operation) error {
	for at := p.Region; ; {
		r := c.Replica(at)
		if r == nil {
			return fmt.Errorf("no store runs in %s", at)
		}
		err := c.pushAt(ctx, r, p, op)
		var not *consistency.NotLeaderError
		if !errors.As(err, &not) {
			return err
		}
		next := not.Leader.Region
		if at != p.Region { // it was sent on once
			if err := sleep(ctx, leaderPause); err != nil {
				return not
			}
			next = p.Region
		}
		if l := c.Network.Link(at, next); l.Cut || c.Network.Link(next, at).Cut || sleep(ctx, l.Delay) != nil {
			return not
		}
		at = next
	}
}

// leaderPause is how long passes before another look at who leads.
const leaderPause = 50 * time.Millisecond

func (c *Cluster) pushAt(ctx context.Context, r *Replica, p *Push, op *Operation) error {
	view, err := r.view(p.Driver)
	if err != nil {
		return err
	}
	// As the edge does: an event is late by the store's timestamps, not by its
	// wall clock, which may have stepped back.
	now := r.skew.now()
	if last := r.Store.Clock().Last().Time(); last.After(now) {
		now = last
	}
	change := p.change(view, now)
	if p.Z != nil {
		if _, ok := view.Field("z"); !ok {
			return fmt.Errorf("view %s has no feature z at %s", view.Name, p.Region)
		}
	}
	if err := view.CheckEventTime(change.EventTime, now.UnixNano()); err != nil {
		return err
	}
	placed := online.Placed{Change: change, Shard: view.Shard(change.Key)}
	target := consistency.Target{Shard: placed.Shard, Placement: view.Group.Placement}
	targets := []consistency.Target{target}
	w := consistency.Write{Concern: p.Concern, RequireLive: view.WriteDefaults().RequireLive, Token: p.Session.token, Wait: p.Timeout / 2, Timeout: p.Timeout}
	if err := r.Coordinator.AdmitWrite(ctx, &w, targets); err != nil {
		return err
	}
	op.Offered = true
	receipt, err := r.Store.Append(ctx, online.Write{
		Changes: []online.Placed{placed}, Idempotency: p.idempotency(),
		Deps: dependencies(&p.Session.token, placed.Shard, r.Coordinator.OwnLog(target)),
		Seen: r.Coordinator.Seen(&p.Session.token),
	})
	if err != nil {
		return err
	}
	op.Region, op.Repeated = r.Region, receipt.Repeated // who accepted it, or knew it
	op.Position, op.Accepted, op.Superseded = receipt.Positions[0], time.Now(), len(receipt.Superseded) > 0
	if op.Written, err = c.written(ctx, r, op.Position); err != nil {
		return err
	}
	p.Session.token.Note(op.Position.Shard, op.Position.Position)
	positions := []consistency.ShardPosition{{Shard: op.Position.Shard, Position: op.Position.Position}}
	if op.Acks, err = r.Coordinator.Acknowledge(ctx, &w, positions); err != nil {
		return err
	}
	r.Coordinator.Trim(&p.Session.token)
	if !op.Acks.Met {
		return consistency.ErrConcernTimeout
	}
	return nil
}

// idempotency is what names the push at a store.
func (p *Push) idempotency() *online.Idempotency {
	if p.Key == "" {
		return nil
	}
	id := sha256.Sum256([]byte(p.Key))
	return &online.Idempotency{ID: online.RequestID(id[:16])}
}

// written reads what a push brought from the log of the store that took it.
func (c *Cluster) written(ctx context.Context, r *Replica, p online.ShardPosition) (feature.Row, error) {
	if err := c.ledger.follow(ctx, r.Store, p.Shard, p.Position.Origin); err != nil {
		return feature.Row{}, err
	}
	e, ok := c.ledger.entry(p.Shard, p.Position)
	if !ok {
		return feature.Row{}, fmt.Errorf("the log of %s has no entry %v although it was acknowledged", r.Region, p.Position)
	}
	return e.Rows[0].Delta, nil
}

func dependencies(t *consistency.Token, shard feature.Shard, own hlc.Origin) map[feature.Shard]hlc.Vector {
	if deps := t.Dependencies(shard, own); len(deps) > 0 {
		return map[feature.Shard]hlc.Vector{shard: deps}
	}
	return nil
}

func (p *Push) change(v *feature.ResolvedView, now time.Time) feature.Change {
	c := feature.Change{View: v.ID, Key: keyOf(p.Driver), EventTime: now.Add(-p.Age).UnixNano(), Delete: p.Delete}
	if p.Delete {
		return c
	}
	for _, f := range v.Fields { // by rising id
		a := feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type}
		n := map[string]*int64{"x": p.X, "w": p.W, "n": p.N, "m": p.M, "d": p.D, "z": p.Z}[f.Name]
		switch {
		case n != nil:
			a.Value = feature.OfInt64(*n)
		case f.Name == "s" && p.Add+p.Remove != "":
			a.Value, a.Remove = elements(p.Add), elements(p.Remove)
		default:
			continue
		}
		c.Assignments = append(c.Assignments, a)
	}
	return c
}

func elements(text string) feature.Value {
	if text == "" {
		return feature.Value{}
	}
	s, err := feature.OfString(text)
	if err != nil {
		panic(err) // scenarios write plain words
	}
	v, err := feature.OfList(feature.String, s)
	if err != nil {
		panic(err)
	}
	return v
}

// Lookup looks up, and notes it in the history.
func (h *History) Lookup(ctx context.Context, c *Cluster, l Lookup) Operation {
	op := Operation{Session: l.Session.Name, Region: l.Region, Driver: l.Driver, Lookup: &l, Seen: l.Session.token, Limit: l.Timeout}
	return h.carryOut(ctx, op, func(ctx context.Context, op *Operation) error { return c.lookup(ctx, &l, op) })
}

func (c *Cluster) lookup(ctx context.Context, l *Lookup, op *Operation) error {
	r := c.Replica(l.Region)
	if r == nil {
		return fmt.Errorf("no store runs in %s", l.Region)
	}
	read := consistency.Read{Alternatives: l.Alternatives, Token: l.Session.token, Fallback: l.Fallback}
	err := c.lookupAt(ctx, r, &read, l, op)
	var forward *consistency.ForwardError
	if !errors.As(err, &forward) {
		return err
	}
	for _, to := range forward.To {
		next := c.Replica(to.Region)
		if next == nil || c.Network.Link(l.Region, to.Region).Cut || c.Network.Link(to.Region, l.Region).Cut {
			continue
		}
		if err := sleep(ctx, c.Network.Link(l.Region, to.Region).Delay); err != nil {
			return err
		}
		again := read
		again.Forwarded = true
		if err := c.lookupAt(ctx, next, &again, l, op); err == nil {
			return sleep(ctx, c.Network.Link(to.Region, l.Region).Delay)
		}
	}
	return forward.Unmet
}

// lookupAt does what the edge does: admission, then the rows, then the token
// from the cells that were served.
func (c *Cluster) lookupAt(ctx context.Context, r *Replica, read *consistency.Read, l *Lookup, op *Operation) error {
	view, err := r.view(l.Driver)
	if err != nil {
		return err
	}
	key := keyOf(l.Driver)
	shard := view.Shard(key)
	targets := []consistency.Target{{Shard: shard, Placement: view.Group.Placement}}
	read.Keys = []feature.RowKey{{Shard: shard, View: view.ID, Key: key}}
	met, err := r.Coordinator.AdmitRead(ctx, read, targets)
	if err != nil {
		return err
	}
	var row feature.Row
	if read.Joined == nil {
		row, err = r.row(ctx, l.Driver)
	} else if read.Joined[0] != nil {
		row, err = feature.DecodeRow(read.Joined[0])
	}
	if err == nil {
		met, err = r.Coordinator.Confirm(ctx, read, targets, met)
	}
	if err != nil {
		return err
	}
	op.Row, op.Met, op.Served = row, met, r.Region
	op.Met.Lags = append([]consistency.Lag(nil), met.Lags...)
	if c.cfg.Faults.Has(fault.PatchOutsideLog) {
		c.patch(ctx, r, view, l.Driver, row)
	}
	if c.cfg.Faults.Has(fault.TokenFromVector) {
		for _, p := range r.Store.Progress(shard).Positions() {
			l.Session.token.Note(shard, p)
		}
		return nil
	}
	var brought consistency.Token
	brought.Merge(l.Session.token)
	note(&l.Session.token, shard, row)
	r.Coordinator.Anchor(&l.Session.token, &brought)
	if _, ok := view.Field("d"); ok { // it read siblings
		r.Coordinator.Stamp(&l.Session.token)
	} else {
		r.Coordinator.Trim(&l.Session.token)
	}
	return nil
}

// patch is read repair as others do it: the row goes to every other store, past
// the log. Only a planted fault does that.
func (c *Cluster) patch(ctx context.Context, from *Replica, view *feature.ResolvedView, driver int64, row feature.Row) {
	key := keyOf(driver)
	for _, r := range c.running() {
		if r != from {
			_ = r.Store.PatchRow(ctx, view.Shard(key), view.ID, key, row)
		}
	}
}

// note adds what a row was made of to a token.
func note(t *consistency.Token, shard feature.Shard, row feature.Row) {
	for p := range row.Positions() {
		t.Note(shard, p)
	}
}

// row reads one driver's row, as it is.
func (r *Replica) row(ctx context.Context, driver int64) (feature.Row, error) {
	view, err := r.view(driver)
	if err != nil {
		return feature.Row{}, err
	}
	var b online.Batch
	key := keyOf(driver)
	b.Add(view.Shard(key), view.ID, key)
	if err := r.Store.Read(ctx, &b); err != nil {
		return feature.Row{}, err
	}
	encoded := b.Row(0)
	if encoded == nil {
		return feature.Row{}, nil
	}
	return feature.DecodeRow(append([]byte(nil), encoded...))
}

// errRebuilding says that a store copies rows at the moment: it shows some before
// what they followed, and promises nothing of the order.
var errRebuilding = errors.New("the store is being rebuilt")

// Observe reads every driver's row at a store, and then once more.
func (h *History) Observe(ctx context.Context, c *Cluster, region meta.Region, drivers int64) Operation {
	op := Operation{Session: "observer", Region: region, Began: time.Now(), Limit: time.Hour, Served: region}
	op.Err = func() error {
		r := c.Replica(region)
		if r == nil {
			return fmt.Errorf("no store runs in %s", region)
		}
		for pass := range op.Passes {
			op.Passes[pass] = map[int64]feature.Row{}
			for d := range drivers {
				row, err := r.row(ctx, d)
				if err != nil {
					return err
				}
				if r.Node.IsRebuilding() {
					return errRebuilding
				}
				op.Passes[pass][d] = row
			}
		}
		return nil
	}()
	op.Ended = time.Now()
	h.add(op)
	return op
}
