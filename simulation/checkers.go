package simulation

import (
	"fmt"
	"time"

	"featurestore/consistency"
	"featurestore/feature"
)

// checkSessions wants every read that was told to be met at its session to hold
// what the session wrote (read your writes) and what it read (monotonic reads).
func checkSessions(e *Evidence) []Violation {
	var out []Violation
	for op, seen := range e.seenBefore() {
		if op.Lookup == nil || op.Err != nil || op.Met.Met.Level == consistency.Eventual {
			continue
		}
		if text := e.missing(op.Driver, seen[op.Driver], op.Row); text != "" {
			out = append(out, Violation{"session", fmt.Sprintf("%s read at %s at %s: %s", op.Session, op.Served, clock(op.Ended), text)})
		}
	}
	return out
}

// checkCausality wants whoever sees a write to see what its session had seen
// before it (monotonic writes, writes follow reads): observers read some rows,
// and then these rows again. What an evicted store lost, nobody sees again; its
// sessions are told when they read.
func checkCausality(e *Evidence) []Violation {
	var out []Violation
	writers, seen := e.writers(), e.seenBefore()
	for i := range e.Operations {
		op := &e.Operations[i]
		if op.Passes[1] == nil || op.Err != nil {
			continue
		}
		for _, driver := range order(op.Passes[0]) {
			for _, d := range dots(op.Passes[0][driver]) {
				w := writers[d]
				if w == nil {
					continue
				}
				for _, other := range order(seen[w]) {
					row, read := op.Passes[1][other]
					if !read {
						continue
					}
					if text := e.missing(other, e.kept(other, seen[w][other]), row); text != "" {
						out = append(out, Violation{"causal order", fmt.Sprintf("at %s at %s the write of %s at %s was seen, not what it had seen: %s",
							op.Region, clock(op.Ended), w.Session, w.Region, text)})
					}
				}
			}
		}
	}
	return out
}

func dots(row feature.Row) []dot {
	var out []dot
	for _, c := range row.Cells {
		out = append(out, dot{uint32(c.Version.Origin), uint64(c.Version.At)})
	}
	if t := row.Tombstone; !t.IsZero() {
		out = append(out, dot{uint32(t.ByWrite.Origin), uint64(t.ByWrite.At)})
	}
	return out
}

// checkStaleness wants each read to hold what was accepted before the bound that
// it was told, region by region, and what its bounded level promised. What an
// evicted store accepted alone comes when it is taken over: bounds leave it out.
func checkStaleness(e *Evidence) []Violation {
	var out []Violation
	pushes := map[int64][]*Operation{}
	for i := range e.Operations {
		if op := &e.Operations[i]; op.Push != nil && op.Position.Position.At > 0 && !op.Untold && !e.isBeyondSeal(op) {
			pushes[op.Driver] = append(pushes[op.Driver], op)
		}
	}
	for i := range e.Operations {
		op := &e.Operations[i]
		if op.Lookup == nil || op.Err != nil {
			continue
		}
		for _, w := range pushes[op.Driver] {
			bound, told := boundOf(op, w)
			if !told || !w.Accepted.Before(op.Began.Add(-bound)) {
				continue
			}
			if text := e.missing(op.Driver, w.Written, op.Row); text != "" {
				out = append(out, Violation{"staleness", fmt.Sprintf("read at %s at %s was told to be at most %v behind %s, accepted there at %s and missing: %s",
					op.Served, clock(op.Ended), bound, w.Region, clock(w.Accepted), text)})
			}
		}
	}
	return out
}

// boundOf returns how far behind a write's region a read was told to be at most.
func boundOf(op, w *Operation) (time.Duration, bool) {
	bound, told := time.Duration(0), w.Region == op.Served
	for _, l := range op.Met.Lags {
		if l.Region == w.Region {
			bound, told = l.Time, l.Time != consistency.UnknownLag
		}
	}
	if m := op.Met.Met; m.Level == consistency.Bounded && (!told || m.MaxStaleness < bound) {
		bound, told = m.MaxStaleness, true
	}
	return bound, told
}

// checkLosses wants every acknowledged write in the final rows of every store.
// Only a store that was evicted may lose some: those that nobody else had.
func checkLosses(e *Evidence) []Violation {
	var out []Violation
	for i := range e.Operations {
		op := &e.Operations[i]
		if op.Push == nil || op.Position.Position.At == 0 {
			continue
		}
		elsewhere := op.Err == nil && (op.Push.Concern.Kind == consistency.All || op.Push.Concern.Kind == consistency.Regions || op.Push.Concern.Kind == consistency.Any)
		if e.isLost(op) && !elsewhere && !e.Tails {
			continue
		}
		for _, region := range order(e.Final) {
			if text := e.missing(op.Driver, op.Written, e.Final[region][op.Driver]); text != "" {
				out = append(out, Violation{"nothing lost", fmt.Sprintf("the write of %s at %s at %s is not in the final rows of %s: %s",
					op.Session, op.Region, clock(op.Accepted), region, text)})
			}
		}
	}
	return out
}

// checkConvergence wants every store to have the join of the log in the end, and
// the stores themselves to find no difference.
func checkConvergence(e *Evidence) []Violation {
	var out []Violation
	for _, d := range e.Differing {
		out = append(out, Violation{"convergence", d})
	}
	for _, region := range order(e.Final) {
		for _, driver := range order(e.Expected) {
			want, got := e.Expected[driver], e.Final[region][driver]
			text := e.missing(driver, want, got)
			if text == "" {
				if text = e.missing(driver, got, want); text != "" {
					text = "more than the log: " + text
				}
			}
			if text != "" {
				out = append(out, Violation{"convergence", fmt.Sprintf("%s at rest: %s", region, text)})
			}
		}
	}
	return out
}

// checkCounters wants counters to be exact, by plain addition: for drivers that
// were never deleted, the sum of all increments that were accepted.
func checkCounters(e *Evidence) []Violation {
	sums, deleted := map[int64]int64{}, map[int64]bool{}
	for i := range e.Operations {
		op := &e.Operations[i]
		switch {
		case op.Push == nil || op.Position.Position.At == 0:
		case op.Push.Delete:
			deleted[op.Driver] = true
		case e.isLost(op):
			deleted[op.Driver] = true // it may, or may not, have been taken over
		case op.Push.N != nil:
			sums[op.Driver] += *op.Push.N
		}
	}
	var out []Violation
	for _, region := range order(e.Final) {
		for _, driver := range order(sums) {
			if deleted[driver] {
				continue
			}
			var got int64
			for _, c := range e.Final[region][driver].Cells {
				if c.Rule == feature.Counter {
					got = c.Read().Int()
				}
			}
			if got != sums[driver] {
				out = append(out, Violation{"counters", fmt.Sprintf("%s counts %d for driver %d, the increments add up to %d", region, got, driver, sums[driver])})
			}
		}
	}
	return out
}

// slack is what an answer may take beyond its limit: the way back from a store
// that it was forwarded to.
const slack = time.Second

// checkFiniteness wants every request answered by the end of its time.
func checkFiniteness(e *Evidence) []Violation {
	var out []Violation
	for i := range e.Operations {
		op := &e.Operations[i]
		if took := op.Ended.Sub(op.Began); took > op.Limit+slack {
			out = append(out, Violation{"finite answers", fmt.Sprintf("%s at %s was answered after %v, its time was %v", op.Session, op.Region, took, op.Limit)})
		}
	}
	return out
}
