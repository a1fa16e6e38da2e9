package consistency

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
)

// How long a quorum read takes that names no time, and how long one of its
// questions is waited for before the next member is asked: a few round trips.
const (
	DefaultQuorumTimeout = 500 * time.Millisecond
	leastHedge           = 10 * time.Millisecond
	hedgeTrips           = 3
)

// errShared says that a read needs other members' rows.
var errShared = errors.New("the read needs the rows of several members")

// isShared reports whether an alternative asks for the rows of several members
// of some group.
func (c *Coordinator) isShared(a Alternative, targets []Target) bool {
	if a.Level != Quorum {
		return false
	}
	if a.Members > 1 {
		return true
	}
	for _, t := range targets {
		if !c.isAlone && len(c.Members(t.Shard).Active()) > 1 {
			return true
		}
	}
	return false
}

// readQuorum reads the rows of several members and joins them: until enough have
// answered, what they have together covers the token, and, with blocking repair,
// a majority has what is shown. Rows and progress are in r.Joined and r.vectors
// then.
func (c *Coordinator) readQuorum(ctx context.Context, a Alternative, r *Read, targets []Target, met *Met) error {
	if !c.isAlone {
		if err := c.Serves(); err != nil {
			return err
		}
		if err := c.elsewhere(targets); err != nil {
			return err
		}
	}
	p, err := c.newPoll(a, r, targets)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout(ctx, a, r.Fallback))
	defer cancel()
	var before error // why the round before was not enough
	for pause := safeTimeInterval; ; pause = min(2*pause, membershipInterval) {
		uncovered, err := c.ask(ctx, p, a, r, targets)
		if err == nil && uncovered == nil {
			if err = c.repair(ctx, p, a); err == nil {
				r.Joined, r.vectors = p.joined, p.vectors
				met.Members, met.Of = p.read()
			}
			return err
		}
		// What the session saw is on its way to one of them; or another comes into
		// reach.
		unmet := cmp.Or(uncovered, err)
		if !errors.Is(unmet, ErrBehind) && !errors.Is(unmet, ErrNotEnoughLive) {
			return unmet
		}
		if !errors.Is(unmet, ErrBehind) && errors.Is(before, ErrBehind) {
			unmet = before // its time was up in the middle of this one
		}
		before = unmet
		untilChanged(ctx, c.peers.Changed(), pause)
		if ctx.Err() != nil {
			return unmet
		}
		if p, err = c.newPoll(a, r, targets); err != nil {
			return err
		}
	}
}

func (c *Coordinator) newPoll(a Alternative, r *Read, targets []Target) (*poll, error) {
	p, err := newPoll(c.world(), a, r.Keys, targets, c.cfg.Faults)
	if err == nil && c.cfg.Rows == nil {
		return nil, errors.Join(ErrLevelNotOffered, errShared)
	}
	return p, err
}

// timeout is how long a quorum read may take: a tenth of the request's time is
// left for what comes after. Where too few members are in reach to begin with,
// nothing is waited for but the others, and what the fallback says.
func (p *poll) timeout(ctx context.Context, a Alternative, f Fallback) time.Duration {
	limit := a.Within
	switch {
	case limit > 0:
	case p.live:
		limit = max(f.Wait, DefaultQuorumTimeout)
	default:
		limit = max(f.Wait, hedgeTrips*p.farthest())
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		limit = min(limit, left-left/10)
	}
	return max(limit, 0)
}

// farthest is the longest round trip to a member in reach.
func (p *poll) farthest() (trip time.Duration) {
	for _, e := range p.others {
		if e.live {
			trip = max(trip, e.trip)
		}
	}
	return trip
}

// heard is an answer on its way from who took it to who waits.
type heard struct {
	from     elector
	progress map[feature.Shard]hlc.Vector
	rows     [][]byte
	err      error
}

// ask asks as many members as the poll needs, the nearest first, and another
// where one fails or is slow. It returns an error when too few answer, and, when
// enough did, why what they have together is not enough for the token.
func (c *Coordinator) ask(ctx context.Context, p *poll, a Alternative, r *Read, targets []Target) (uncovered, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // answers that come too late are dropped
	answers := make(chan heard, len(p.others))
	hedge := time.NewTimer(leastHedge)
	defer hedge.Stop()
	send := func(why reason) bool {
		e, ok := p.next(why)
		if !ok {
			return false
		}
		hedge.Reset(max(leastHedge, hedgeTrips*e.trip))
		c.cfg.Rows.AskRows(ctx, e.Store, p.keysOf(e), func(progress map[feature.Shard]hlc.Vector, rows [][]byte, err error) {
			answers <- heard{e, progress, rows, err} // there is room for each
		})
		return true
	}
	// This store reads its own while the others' answers are on their way.
	for send(isShort) {
	}
	own, err := c.readOwn(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := p.take(own); err != nil {
		return nil, err
	}
	slow := false
	for {
		for send(isShort) {
		}
		decided := p.isDecided()
		if decided {
			uncovered = c.uncovered(p, a, c.tokenOf(r), targets)
			if uncovered == nil || !errors.Is(uncovered, ErrBehind) {
				return uncovered, nil
			}
			for send(isAny) {
			}
		}
		if p.asked == 0 || decided && slow || ctx.Err() != nil {
			return uncovered, p.short(a)
		}
		select {
		case h := <-answers:
			if h.err == nil {
				h.err = p.take(returned{h.from, h.progress, h.rows})
			}
			if h.err != nil {
				p.fail(h.from, h.err)
			}
		case <-hedge.C:
			slow = !send(isUndecided)
		case <-ctx.Done():
		}
	}
}

// readOwn reads the rows of this store, after the request began.
func (c *Coordinator) readOwn(ctx context.Context, p *poll) (returned, error) {
	progress, rows, err := c.cfg.Rows.ReadRows(ctx, p.keys)
	return returned{elector{Member: c.cfg.Self}, progress, rows}, err
}

// uncovered says what of the token the members that answered lack together; nil
// for nothing. A row that shows what lies beyond the end of a log and was not
// logged again is waited for as well: its session is told what this store has,
// so this store must have the row.
func (c *Coordinator) uncovered(p *poll, a Alternative, t *Token, targets []Target) error {
	origins := c.cfg.Store.Replica(feature.Shard{}).Origins
	origins.Membership = p.world.membership
	closed := hlc.Timestamp(0)
	if t.hasFloors() {
		closed = c.cfg.Store.Closed()
	}
	for _, target := range targets {
		r := Replica{Progress: p.vectors[target.Shard], Origins: origins}
		if t.hasFloors() {
			r.SafeTime = p.world.safeTime(target.Shard, r.Progress, origins.Self, closed)
		}
		if err := a.unmet(t, target, r); err != nil {
			return err
		}
	}
	if len(p.world.membership.Seals) == 0 && len(p.world.membership.Terms) == 0 {
		return nil
	}
	for key := range p.joined {
		if row, _ := p.answers[0].row(key); bytes.Equal(row, p.joined[key]) {
			continue
		}
		dots, err := dotsOf(p.joined[key])
		if err != nil {
			return err
		}
		shard := p.keys[key].Shard
		for _, d := range dots {
			if cover, _ := CoveredPosition(p.vectors[shard], Origins{Membership: p.world.membership}, shard, d); cover == Lost {
				return &BehindError{Shard: shard, Want: d, Have: p.answers[0].progress[shard][d.Origin]}
			}
		}
	}
	return nil
}

// repair returns once a majority of each group has what the joined rows show, so
// that no later quorum read shows less (C12). Nobody is sent a row: the log
// brings it, and members tell when it has.
func (c *Coordinator) repair(ctx context.Context, p *poll, a Alternative) error {
	if a.Repair == NoRepair || c.cfg.Faults.Has(fault.SkipReadRepair) {
		return nil
	}
	open, err := p.differing()
	if err != nil {
		return err
	}
	for {
		changed := c.peers.Changed() // before counting, so that no change is missed
		var short error
		open, short = c.stillOpen(p, a, open)
		switch {
		case len(open) == 0:
			return nil
		case ctx.Err() != nil:
			return short
		}
		untilChanged(ctx, changed, safeTimeInterval)
	}
}

// shown is a joined row that not all who answered have.
type shown struct {
	key  int
	dots []hlc.Position
}

// differing lists the rows of which it is not known yet that a majority has them.
func (p *poll) differing() ([]shown, error) {
	var out []shown
	for key := range p.joined {
		same, g := 0, p.group(p.keys[key].Shard.Group)
		for i := range p.answers {
			if row, asked := p.answers[i].row(key); asked && g.has(p.answers[i].Store) && bytes.Equal(row, p.joined[key]) {
				same++
			}
		}
		if same >= majority(len(g.active)) {
			continue
		}
		dots, err := dotsOf(p.joined[key])
		if err != nil {
			return nil, err
		}
		out = append(out, shown{key, dots})
	}
	return out, nil
}

// stillOpen returns the rows that no majority has yet, and what is missing for one
// of them.
func (c *Coordinator) stillOpen(p *poll, a Alternative, open []shown) (left []shown, short error) {
	for _, s := range open {
		shard := p.keys[s.key].Shard
		g := p.group(shard.Group)
		n := p.holders(s.key, s.dots, c.cfg.Store.Replica(shard).Progress, c.cfg.Faults)
		if n < majority(len(g.active)) {
			short = &QuorumError{Alternative: a.plain(), Group: g.name, Have: n, Of: len(g.active), Need: majority(len(g.active)), Repair: true}
			left = append(left, s)
		}
	}
	return left, short
}

// untilChanged waits for a change, at most for d or until ctx ends.
func untilChanged(ctx context.Context, changed <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}
