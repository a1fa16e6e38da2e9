package simulation

import (
	"fmt"
	"slices"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// checkSiblings wants in the end, of each driver that was never deleted, exactly
// the values that no session replaced which had seen them: by plain histories,
// of what was pushed and what each token covered.
func checkSiblings(e *Evidence) []Violation {
	writes, unclear := map[int64][]*Operation{}, map[int64]bool{}
	for i := range e.Operations {
		op := &e.Operations[i]
		switch {
		case op.Push == nil:
		case op.Push.Delete, e.isBeyondSeal(op):
			unclear[op.Driver] = true
		case op.Push.D == nil:
		case op.Position.Position.At == 0:
			unclear[op.Driver] = unclear[op.Driver] || op.Offered
		default:
			writes[op.Driver] = append(writes[op.Driver], op)
		}
	}
	var out []Violation
	for _, driver := range order(writes) {
		made := writes[driver]
		if unclear[driver] || len(made) > feature.MaxSiblings { // some may have been dropped
			continue
		}
		var want []dot
		for _, w := range made {
			if !slices.ContainsFunc(made, func(by *Operation) bool { return by != w && by.saw(w.Position.Shard, w.Position.Position) }) {
				want = append(want, dotOf(w.Position.Position))
			}
		}
		for _, region := range order(e.Final) {
			if got := siblingsOf(e.Final[region][driver]); !sameDots(got, want) {
				out = append(out, siblingsViolation(region, driver, got, want, made))
			}
		}
	}
	return out
}

// saw reports whether the token that a push brought covers a write.
func (op *Operation) saw(shard feature.Shard, p hlc.Position) bool {
	return covers(&op.Seen, shard, p)
}

func covers(t *consistency.Token, shard feature.Shard, p hlc.Position) bool {
	covered := p.At <= t.Floor(shard.Group)
	t.Positions(shard, func(q hlc.Position) bool {
		covered = covered || q.Origin == p.Origin && q.At >= p.At
		return !covered
	})
	return covered
}

func dotOf(p hlc.Position) dot { return dot{uint32(p.Origin), uint64(p.At)} }

func siblingsOf(row feature.Row) (dots []dot) {
	for _, c := range row.Cells {
		if c.Rule == feature.Siblings {
			for _, s := range c.AppendSiblings(nil) {
				dots = append(dots, dotOf(s.Version.Position()))
			}
		}
	}
	return dots
}

func sameDots(a, b []dot) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(d dot) bool { return !slices.Contains(b, d) })
}

func siblingsViolation(region meta.Region, driver int64, got, want []dot, made []*Operation) Violation {
	values := func(dots []dot) (out []int64) {
		for _, op := range made {
			if slices.Contains(dots, dotOf(op.Position.Position)) {
				out = append(out, *op.Push.D)
			}
		}
		return out
	}
	return Violation{"siblings", fmt.Sprintf("%s keeps %v for driver %d, nobody who had seen them replaced %v", region, values(got), driver, values(want))}
}
