package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Rows are read at other members for reads that join those of several. Questions
// and answers go through the conversations, and past the core: they change
// nothing. What is lost on the way is not asked again here; who asks turns to
// another member.

// ReadRows returns rows of this store, each nil or as package feature encodes it,
// and the progress of their shards, taken before they were read.
func (n *Node) ReadRows(ctx context.Context, keys []feature.RowKey) (map[feature.Shard]hlc.Vector, [][]byte, error) {
	progress := n.progressOf(keys)
	var rows [][]byte
	for len(rows) < len(keys) {
		more, err := n.cfg.Store.ReadRows(ctx, keys[len(rows):], MaxReadBytes)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, more...)
	}
	return progress, rows, nil
}

func (n *Node) progressOf(keys []feature.RowKey) map[feature.Shard]hlc.Vector {
	out := map[feature.Shard]hlc.Vector{}
	for _, k := range keys {
		if _, ok := out[k.Shard]; !ok {
			out[k.Shard] = n.cfg.Store.Progress(k.Shard)
		}
	}
	return out
}

// Errors of AskRows.
var (
	errNotInReach  = errors.New("it is not in reach")
	errTooManyAsks = errors.New("too many questions wait for its answers")
)

// maxAsks bounds the questions for rows that wait for answers.
const maxAsks = 16 << 10

// rowAsks are the questions for rows that wait for an answer.
type rowAsks struct {
	sync.Mutex
	last    uint64
	waiting map[uint64]*rowAsk
}

// rowAsk is a question for rows, and what of its answer has come.
type rowAsk struct {
	ctx      context.Context
	peer     meta.StoreID
	link     *link // that it is asked in
	keys     []feature.RowKey
	leader   bool
	progress map[feature.Shard]hlc.Vector
	rows     [][]byte
	stop     func() bool // of the watch over ctx
	answer   func(map[feature.Shard]hlc.Vector, [][]byte, error)
}

// AskRows begins to read rows at another member, and returns at once. Answer is
// called once, in a goroutine that it must not keep, unless ctx ends before:
// with the progress of the rows' shards there, from before the first row was
// read, and the rows.
func (n *Node) AskRows(ctx context.Context, store meta.StoreID, keys []feature.RowKey, answer func(map[feature.Shard]hlc.Vector, [][]byte, error)) {
	n.askRows(&rowAsk{ctx: ctx, peer: store, keys: keys, answer: answer})
}

// AskLeader is AskRows of a member that leads the rows' shards: it answers only
// with what stands at level leader.
func (n *Node) AskLeader(ctx context.Context, store meta.StoreID, keys []feature.RowKey, answer func(map[feature.Shard]hlc.Vector, [][]byte, error)) {
	n.askRows(&rowAsk{ctx: ctx, peer: store, keys: keys, leader: true, answer: answer})
}

// askRows asks for the rows that have not come: a message holds only so many.
func (n *Node) askRows(a *rowAsk) {
	l := n.links.link(a.peer, false)
	if l == nil {
		a.answer(nil, nil, errNotInReach)
		return
	}
	m := ReadRows{Within: time.Hour, Keys: firstKeys(a.keys[len(a.rows):]), Leader: a.leader}
	if deadline, ok := a.ctx.Deadline(); ok {
		m.Within = time.Until(deadline)
	}
	n.asks.Lock()
	if len(n.asks.waiting) >= maxAsks {
		n.asks.Unlock()
		a.answer(nil, nil, errTooManyAsks)
		return
	}
	n.asks.last++
	m.ID = n.asks.last
	a.link, a.stop = l, context.AfterFunc(a.ctx, func() { n.takeAsk(m.ID, a.peer) })
	n.asks.waiting[m.ID] = a
	n.asks.Unlock()
	l.send(m)
	if n.links.link(a.peer, false) != l { // and nobody has seen that this waits
		n.abandonAsks(l)
	}
}

// firstKeys are as many of the keys as one message asks for.
func firstKeys(keys []feature.RowKey) []feature.RowKey {
	size := 0
	for i := range keys {
		size += len(keys[i].Key)
		if i > 0 && (i == MaxReadKeys || size > MaxReadBytes) {
			return keys[:i]
		}
	}
	return keys
}

// takeAsk returns a question to a peer that waits, once.
func (n *Node) takeAsk(id uint64, peer meta.StoreID) *rowAsk {
	n.asks.Lock()
	defer n.asks.Unlock()
	a := n.asks.waiting[id]
	if a == nil || a.peer != peer {
		return nil // told twice, too late, or to somebody else
	}
	delete(n.asks.waiting, id)
	return a
}

// rowsRead takes an answer.
func (n *Node) rowsRead(peer meta.StoreID, m RowsRead) {
	a := n.takeAsk(m.ID, peer)
	if a == nil || !a.stop() {
		return
	}
	switch {
	case m.Refused != "":
		a.answer(nil, nil, errors.New(m.Refused))
		return
	case len(m.Rows) == 0 || len(a.rows)+len(m.Rows) > len(a.keys):
		a.answer(nil, nil, fmt.Errorf("it answered with %d rows", len(m.Rows)))
		return
	}
	if a.progress == nil {
		a.progress = m.Progress
	}
	for shard, v := range m.Progress {
		if _, ok := a.progress[shard]; !ok { // of rows that come now
			a.progress[shard] = v
		}
	}
	if a.rows = append(a.rows, m.Rows...); len(a.rows) < len(a.keys) {
		n.askRows(a)
		return
	}
	a.answer(a.progress, a.rows, nil)
}

// abandonAsks fails the questions of a conversation that has ended.
func (n *Node) abandonAsks(l *link) {
	var gone []*rowAsk
	n.asks.Lock()
	for id, a := range n.asks.waiting {
		if a.link == l {
			delete(n.asks.waiting, id)
			gone = append(gone, a)
		}
	}
	n.asks.Unlock()
	for _, a := range gone {
		if a.stop() {
			a.answer(nil, nil, errNotInReach)
		}
	}
}

// Bounds of what one peer may ask at one time: so many questions are read for,
// so many wait, and those beyond are refused.
const (
	maxRowReads        = 4
	maxWaitingRowReads = 1024
)

// rowReads are the questions of one peer.
type rowReads struct {
	sync.Mutex
	running int
	waiting []rowRead
}

type rowRead struct {
	ReadRows
	until time.Time
}

// serveRows answers a question, now or after those before it.
func (n *Node) serveRows(ctx context.Context, l *link, m ReadRows) {
	r := &l.reads
	r.Lock()
	defer r.Unlock()
	if len(r.waiting) >= maxWaitingRowReads {
		l.send(RowsRead{ID: m.ID, Refused: "it is asked for more rows than it can read"})
		return
	}
	r.waiting = append(r.waiting, rowRead{m, time.Now().Add(m.Within)})
	if r.running < maxRowReads {
		r.running++
		n.wg.Go(func() {
			for m, ok := r.next(); ok; m, ok = r.next() {
				if time.Now().Before(m.until) && ctx.Err() == nil {
					l.send(n.answerRows(ctx, l.peer, m))
				}
			}
		})
	}
}

// next returns a question that waits; without one, whoever asked stops.
func (r *rowReads) next() (rowRead, bool) {
	r.Lock()
	defer r.Unlock()
	if len(r.waiting) == 0 {
		r.running--
		return rowRead{}, false
	}
	m := r.waiting[0]
	r.waiting = r.waiting[1:]
	return m, true
}

// answerRows reads what a peer asks for. Progress is taken first, so that the
// rows hold at least what it names.
func (n *Node) answerRows(ctx context.Context, peer meta.StoreID, m rowRead) RowsRead {
	out := RowsRead{ID: m.ID}
	if out.Refused = n.refuseRows(peer, m.Keys); out.Refused != "" {
		return out
	}
	ctx, cancel := context.WithDeadline(ctx, m.until)
	defer cancel()
	out.Progress = n.progressOf(m.Keys)
	var terms map[feature.Shard]hlc.Position
	if m.Leader {
		if terms, out.Refused = n.leadsAll(out.Progress); out.Refused != "" {
			return out
		}
	}
	var err error
	if out.Rows, err = n.cfg.Store.ReadRows(ctx, m.Keys, MaxReadBytes); err != nil {
		n.complain("read rows for another store", err)
		return RowsRead{ID: m.ID, Refused: "it could not read them"}
	}
	if m.Leader {
		if why := n.awaitStanding(ctx, terms); why != "" {
			return RowsRead{ID: m.ID, Refused: why}
		}
	}
	if n.cfg.Faults.Has(fault.VectorAfterRows) {
		time.Sleep(100 * time.Millisecond)
		out.Progress = n.progressOf(m.Keys)
	}
	return out
}

// leadsAll returns the terms in which this store leads shards, or why it does not
// lead all of them.
func (n *Node) leadsAll(shards map[feature.Shard]hlc.Vector) (map[feature.Shard]hlc.Position, string) {
	terms := make(map[feature.Shard]hlc.Position, len(shards))
	for shard := range shards {
		from, leads := n.Leads(shard)
		if !leads || n.cfg.Stands == nil {
			return nil, fmt.Sprintf("store %s does not lead partition %d of group %d", n.cfg.Self.Store, shard.Partition, shard.Group)
		}
		terms[shard] = from
	}
	return terms, ""
}

// awaitStanding waits until what was read stands: this store led all the time, and
// enough members have it. It returns why not, when ctx ends before.
func (n *Node) awaitStanding(ctx context.Context, terms map[feature.Shard]hlc.Position) string {
	for {
		changed := n.Changed()
		why := ""
		for shard, from := range terms {
			if now, leads := n.Leads(shard); !leads || now.Origin != from.Origin {
				return fmt.Sprintf("store %s does not lead partition %d of group %d any more", n.cfg.Self.Store, shard.Partition, shard.Group)
			}
			if err := n.cfg.Stands(shard); err != nil {
				why = err.Error()
			}
		}
		if why == "" {
			return ""
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return why
		}
	}
}

// refuseRows says why a peer is not told of rows: this store has not got them
// all, or the peer may not.
func (n *Node) refuseRows(peer meta.StoreID, keys []feature.RowKey) string {
	m := n.membership.Load()
	self, _ := m.Member(n.cfg.Self.Store)
	if self.Origin != n.cfg.Self.Origin || self.State != meta.Active && self.State != meta.Leaving {
		return fmt.Sprintf("store %s is not active", n.cfg.Self.Store)
	}
	asks, known := m.Member(peer)
	switch {
	case !known:
		return fmt.Sprintf("it knows of no store %s", peer)
	case asks.State != meta.Active && asks.State != meta.Leaving: // its majority is not that of the others
		return fmt.Sprintf("store %s is %v", peer, asks.State)
	}
	last := feature.GroupID(0)
	for _, k := range keys {
		if k.Shard.Group == last {
			continue
		}
		last = k.Shard.Group
		g := n.cfg.Store.Registry().Group(last)
		for _, x := range []meta.Member{self, asks} {
			if g != nil && len(g.Regions) > 0 && !slices.Contains(g.Regions, string(x.Region)) {
				return fmt.Sprintf("region %s does not hold group %s", x.Region, g.Name)
			}
		}
	}
	return ""
}
