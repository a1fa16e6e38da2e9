package pit

import (
	"math/big"
)

// plainJoin is the plain twin: for each entity row it looks at every feature
// row. It shares no code with the join.
func plainJoin(w *world) [][]any {
	var out [][]any
	for i, e := range w.entity {
		row := append([]any{int64(i)}, e.keys[:]...)
		row = append(row, e.time)
		for _, f := range w.request.Features {
			var value any
			for v := range w.views {
				if w.views[v].name != f.View {
					continue
				}
				if match := plainMatch(w, w.views[v], e); match != nil && !match.deleted {
					value = match.values[map[string]int{"n": 0, "s": 1, "v": 2}[f.Name]]
				}
			}
			row = append(row, value)
		}
		out = append(out, row)
	}
	return out
}

func plainMatch(w *world, v worldView, e entityRow) *featureRow {
	if e.time == nil {
		return nil
	}
	t := new(big.Int).Mul(big.NewInt(e.time.(int64)), big.NewInt(int64(w.unit.Multiplier())))
	var best *featureRow
	for i := range v.rows {
		r := &v.rows[i]
		if !plainEqual(v, r, e) || !plainVisible(w, r, t) {
			continue
		}
		age := new(big.Int).Sub(t, big.NewInt(r.version.EventTime))
		if age.Sign() < 0 || v.ttl > 0 && age.Cmp(big.NewInt(int64(v.ttl))) > 0 {
			continue
		}
		if best == nil || plainNewer(r, best) {
			best = r
		}
	}
	return best
}

func plainEqual(v worldView, r *featureRow, e entityRow) bool {
	for k, column := range v.use {
		mine, theirs := r.keys[k], e.keys[column]
		if mine == nil || theirs == nil || mine != theirs {
			return false
		}
	}
	return true
}

func plainVisible(w *world, r *featureRow, t *big.Int) bool {
	if r.skipped {
		return false
	}
	if r.knownAt == nil {
		return true
	}
	known := r.knownAt.(int64)
	if !w.request.KnownAsOf.IsZero() && known > w.request.KnownAsOf.UnixNano() {
		return false
	}
	return !w.request.AsServed || big.NewInt(known).Cmp(t) <= 0
}

func plainNewer(a, b *featureRow) bool {
	x, y := a.version, b.version
	if x.EventTime != y.EventTime {
		return x.EventTime > y.EventTime
	}
	if x.Generation != y.Generation {
		return x.Generation > y.Generation
	}
	if x.At != y.At {
		return x.At > y.At
	}
	return x.Origin > y.Origin
}
