package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// History is what clients did and saw.
type History struct {
	mu struct {
		sync.Mutex
		operations []Operation
	}
}

func (h *History) add(op Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.operations = append(h.mu.operations, op)
}

// Operations returns a copy, in the order in which they ended.
func (h *History) Operations() []Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.mu.operations)
}

// Violation is one broken promise.
type Violation struct {
	Promise string // such as "read your writes"
	Text    string
}

// String names the promise, then what broke it.
func (v Violation) String() string { return v.Promise + ": " + v.Text }

// Evidence is what checkers judge.
type Evidence struct {
	Operations []Operation
	Membership *meta.Membership
	// Deletes are the tombstones of every delete in the log, by driver.
	Deletes map[int64][]feature.Row
	// Expected is the join of the log, by driver.
	Expected map[int64]feature.Row
	// Final are the rows of each store when everything had come to rest.
	Final map[meta.Region]map[int64]feature.Row
	// Tails says that nothing was too old, or gone, to be taken over from a store
	// that was evicted and came back.
	Tails bool
	// Durability is what the leader group's failovers must not lose; unset for
	// other groups.
	Durability consistency.Concern
	// Differing are rows that stores found to differ when they compared.
	Differing []string
}

// Join adds an entry of the log to what rows must hold in the end, unless it
// lies beyond the seal of its origin. Driver names the driver of a key.
func (e *Evidence) Join(shard feature.Shard, entry oplog.Entry, driver func(feature.Key) int64) {
	if end, ok := e.Membership.End(shard, entry.Origin); ok && entry.At > end.Final {
		return
	}
	for _, row := range entry.Rows {
		d := driver(row.Key)
		e.Expected[d] = feature.JoinRow(e.Expected[d], row.Delta)
		if !row.Delta.Tombstone.IsZero() {
			e.Deletes[d] = append(e.Deletes[d], feature.Row{Tombstone: row.Delta.Tombstone})
		}
	}
}

// Check returns every promise that the evidence shows broken.
func Check(e *Evidence) []Violation {
	var out []Violation
	for _, check := range []func(*Evidence) []Violation{
		checkSessions, checkCausality, checkStaleness, checkLosses, checkConvergence, checkCounters, checkSiblings, checkFiniteness,
		checkQuorum, checkMonotone, checkLinearizable,
	} {
		out = append(out, check(e)...)
	}
	return out
}

// dot names a write: no two share it.
type dot struct {
	origin uint32
	at     uint64
}

// writers maps each write's name to the push that made it.
func (e *Evidence) writers() map[dot]*Operation {
	out := map[dot]*Operation{}
	for i := range e.Operations {
		if op := &e.Operations[i]; op.Push != nil && op.Position.Position.At > 0 {
			out[dot{uint32(op.Position.Position.Origin), uint64(op.Position.Position.At)}] = op
		}
	}
	return out
}

// isBeyondSeal reports whether a push was made by an origin that had ended
// before it, so that it is no part of the deployment as it was written.
func (e *Evidence) isBeyondSeal(op *Operation) bool {
	p := op.Position
	end, ok := e.Membership.End(p.Shard, p.Position.Origin)
	return ok && p.Position.At > end.Final
}

// isLost reports whether a push was made beyond a seal and not taken over.
func (e *Evidence) isLost(op *Operation) bool {
	p := op.Position
	end, _ := e.Membership.End(p.Shard, p.Position.Origin)
	return e.isBeyondSeal(op) && !end.Salvage.Has(p.Position.At)
}

// kept is the row without the features that a lost write of its driver touched.
func (e *Evidence) kept(driver int64, row feature.Row) feature.Row {
	touched := map[feature.FeatureID]bool{}
	for i := range e.Operations {
		op := &e.Operations[i]
		if op.Push == nil || op.Driver != driver || op.Position.Position.At == 0 || !e.isLost(op) {
			continue
		}
		if op.Push.Delete {
			return feature.Row{}
		}
		for _, c := range op.Written.Cells {
			touched[c.Feature] = true
		}
	}
	out := feature.Row{Tombstone: row.Tombstone}
	for _, c := range row.Cells {
		if !touched[c.Feature] {
			out.Cells = append(out.Cells, c)
		}
	}
	return out
}

// missing says what of want a reader who got got did not see; "" when got
// holds all of it. What a delete covers need not be there: its tombstone may
// have been collected.
func (e *Evidence) missing(driver int64, want, got feature.Row) string {
	deletes := append([]feature.Row{{Tombstone: got.Tombstone}}, e.Deletes[driver]...)
	for _, c := range want.Cells {
		alone := feature.Row{Cells: []feature.Cell{c}}
		if slices.ContainsFunc(deletes, func(d feature.Row) bool { return len(feature.JoinRow(alone, d).Cells) == 0 }) {
			continue
		}
		have, ok := got.Cell(c.Feature)
		if !ok {
			return fmt.Sprintf("feature %d of driver %d: want at least %v of %v, there is none", c.Feature, driver, c.Read(), c.Version)
		}
		there := feature.Row{Cells: []feature.Cell{have}}
		if !feature.JoinRow(alone, there).Equal(there) {
			return fmt.Sprintf("feature %d of driver %d: want at least %v of %v, got %v of %v", c.Feature, driver, c.Read(), c.Version, have.Read(), have.Version)
		}
	}
	if want.Tombstone.IsZero() {
		return ""
	}
	live := feature.Row{Cells: got.Cells}
	if left := feature.JoinRow(live, feature.Row{Tombstone: want.Tombstone}); len(left.Cells) < len(live.Cells) {
		return fmt.Sprintf("driver %d shows again what was deleted at %v", driver, want.Tombstone.ByWrite)
	}
	return ""
}

// floors are what a session has seen of each driver.
type floors map[int64]feature.Row

func (f floors) raise(driver int64, row feature.Row) { f[driver] = feature.JoinRow(f[driver], row) }

// sessions returns the operations of each session, in order.
func (e *Evidence) sessions() map[string][]*Operation {
	out := map[string][]*Operation{}
	for i := range e.Operations {
		op := &e.Operations[i]
		if op.Push != nil || op.Lookup != nil {
			out[op.Session] = append(out[op.Session], op)
		}
	}
	for _, ops := range out {
		slices.SortStableFunc(ops, func(a, b *Operation) int { return a.Began.Compare(b.Began) })
	}
	return out
}

// seenBefore returns, for each operation, what its session had seen before it.
func (e *Evidence) seenBefore() map[*Operation]floors {
	out := map[*Operation]floors{}
	for _, ops := range e.sessions() {
		seen := floors{}
		for _, op := range ops {
			before := floors{}
			for d, row := range seen {
				before[d] = row
			}
			out[op] = before
			switch {
			case op.Push != nil && op.Position.Position.At > 0 && !op.Untold:
				seen.raise(op.Driver, op.Written)
			case op.Lookup != nil && op.Err == nil:
				seen.raise(op.Driver, op.Row)
			}
		}
	}
	return out
}

func order[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// clock prints a virtual time.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }
