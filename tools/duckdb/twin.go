package main

import (
	"cmp"
	"math"
	"slices"

	"featurestore/feature"
)

var nan = math.NaN()

// moment is what an entity row asks: an entity, at a time, known by then.
type moment struct {
	key       []feature.Value // nil: some key is null
	at        int64
	latestKey int64 // milliseconds
}

// meant is the plain twin of the join: what a feature was at a moment, by a look at
// every write of its view.
func meant(all []wrote, v *feature.ResolvedView, f *feature.Field, m moment) feature.Value {
	var seen []wrote
	deleted := false
	for _, w := range all {
		if m.key == nil || w.view.ID != v.ID || !slices.Equal(w.key, m.key) || w.change.EventTime > m.at || w.version.At.Millis() > m.latestKey {
			continue
		}
		deleted = deleted || w.change.Delete
		if _, ok := sets(w, f); ok || w.change.Delete {
			seen = append(seen, w)
		}
	}
	value, age, ok := byRule(seen, f, deleted)
	if !ok || !feature.WithinTTL(age, m.at, v.TTL) {
		return f.Default
	}
	return value
}

// sets returns what a write says of a feature.
func sets(w wrote, f *feature.Field) (feature.Value, bool) {
	for _, a := range w.change.Assignments {
		if a.Feature == f.ID {
			return a.Value, true
		}
	}
	return feature.Value{}, false
}

func byRule(seen []wrote, f *feature.Field, deleted bool) (value feature.Value, age int64, ok bool) {
	latest := func(order func(a, b wrote) int) (feature.Value, int64, bool) {
		if len(seen) == 0 {
			return feature.Value{}, 0, false
		}
		w := slices.MaxFunc(seen, order)
		value, ok := sets(w, f)
		return value, w.change.EventTime, ok
	}
	if f.Rule.Monotone() && deleted {
		return feature.Value{}, 0, false // no write that is asked for here came after one
	}
	switch f.Rule {
	case feature.EventTime:
		return latest(func(a, b wrote) int { return a.version.CompareByEvent(b.version) })
	case feature.WriteTime:
		return latest(func(a, b wrote) int { return a.version.CompareByWrite(b.version) })
	case feature.Siblings:
		return latest(func(a, b wrote) int {
			return cmp.Or(cmp.Compare(a.version.At, b.version.At), cmp.Compare(a.version.Origin, b.version.Origin))
		})
	case feature.Max, feature.Min:
		return latest(func(a, b wrote) int {
			x, _ := sets(a, f)
			y, _ := sets(b, f)
			c := cmp.Compare(sort(x), sort(y))
			if c == 0 && f.Rule == feature.Max {
				c = x.Compare(y)
			} else if c == 0 {
				c = y.Compare(x)
			}
			return cmp.Or(c, a.version.CompareByEvent(b.version))
		})
	}
	var elems []feature.Value
	for _, w := range seen {
		v, _ := sets(w, f)
		if f.Rule == feature.Counter {
			value = feature.Sum(value, v)
		}
		for e := range v.Elems() {
			if !slices.Contains(elems, e) {
				elems = append(elems, e)
			}
		}
		age = max(age, w.change.EventTime)
		if !ok {
			age, ok = w.change.EventTime, true
		}
	}
	if f.Rule == feature.Set && ok {
		value, _ = feature.OfList(f.Type.Kind, elems...)
	}
	return value, age, ok
}

// sort tells numbers from NaN, and NaN from nothing.
func sort(v feature.Value) int {
	switch {
	case v.IsNull():
		return 0
	case v.IsNaN():
		return 1
	}
	return 2
}
