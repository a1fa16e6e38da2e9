package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"featurestore/feature"
)

// rides are definitions with a feature of every rule, with and without a ttl and
// defaults, and names that SQL has other uses for.
const rides = `
project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: place, join_keys: [{name: city, type: string}, {name: zone, type: int32}]}
views:
  - name: stats
    entity: driver
    ttl: 50us
    features:
      - {name: select, type: float64}
      - {name: note, type: string}
      - {name: rank, type: int64, default: 7}
      - {name: seen, type: timestamp, conflict: write_time}
      - {name: top, type: int64, conflict: max}
      - {name: low, type: float64, conflict: min, default: -1.5}
      - {name: trips, type: int64, conflict: counter, default: 0}
      - {name: spent, type: decimal, conflict: counter}
      - {name: load, type: float64, conflict: counter}
      - {name: tags, type: "list<string>", conflict: set}
      - {name: mark, type: string, conflict: siblings}
  - name: places
    entity: place
    features:
      - {name: RATE, type: float64, default: 0.5}
      - {name: taste, type: "vector<float32,2>"}
      - {name: kind, type: string, default: "o'th\\er"}
      - {name: open, type: bool, default: true}
      - {name: small, type: int32, conflict: write_time}
      - {name: codes, type: "list<int64>"}
      - {name: blob, type: bytes}
      - {name: price, type: decimal}
      - {name: peak, type: decimal, conflict: max}
      - {name: sum, type: int64, conflict: counter}
`

// renamed are the definitions that some worlds come to have.
var renamed = strings.Replace(rides, "{name: note, type: string}", "{name: remark, type: string, renamed_from: note}", 1)

// wrote is a write as its client meant it, and the version that it got.
type wrote struct {
	view    *feature.ResolvedView
	key     []feature.Value
	change  feature.Change
	version feature.Version
	logOnly bool // it is in history alone, and was never served
}

// world is a random history, and what was meant by it.
type world struct {
	*house
	rng    *rand.Rand
	base   int64 // about when events are, in nanoseconds
	spread int64 // in microseconds
	writes []wrote
	// What kinds of writes there are: deletes; writes under a higher generation;
	// rows deleted and written again.
	deletes, generations bool
}

const micro = int64(time.Microsecond)

// draw makes a world in a folder.
func draw(ctx context.Context, dir string, seed uint64, n int) (*world, error) {
	rng := rand.New(rand.NewPCG(seed, 11))
	w := &world{rng: rng, base: []int64{began, 0, -3 * day}[rng.IntN(3)], spread: []int64{8, 200}[rng.IntN(2)]}
	w.deletes, w.generations = rng.IntN(2) == 0, rng.IntN(3) == 0
	var err error
	if w.house, err = openHouse(ctx, dir, rides); err != nil {
		return nil, err
	}
	if err := w.fill(ctx, n); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// fill writes n times, at both stores, which hear of one another now and then.
func (w *world) fill(ctx context.Context, n int) error {
	rename := w.rng.IntN(2 * n)
	for i := range n {
		if i == rename {
			if err := w.apply(ctx, renamed); err != nil {
				return err
			}
		}
		w.wall.Add(w.rng.Int64N(3))
		if err := w.write1(ctx); err != nil {
			return err
		}
		if w.rng.IntN(15) == 0 {
			from := w.rng.IntN(2)
			if err := w.follow(ctx, from, 1-from); err != nil {
				return err
			}
		}
		if w.rng.IntN(40) > 0 {
			continue
		}
		if err := w.ingest(ctx); err != nil {
			return err
		}
		if w.rng.IntN(2) == 0 {
			if _, err := w.compact(ctx); err != nil {
				return err
			}
		}
	}
	if err := w.follow(ctx, 1, 0); err != nil {
		return err
	}
	return w.ingest(ctx)
}

// event draws an event time of few.
func (w *world) event() int64 {
	days := int64(0)
	if w.rng.IntN(10) == 0 {
		days = w.rng.Int64N(3) - 1
	}
	return w.base + days*day + (w.rng.Int64N(2*w.spread)-w.spread)*micro
}

func (w *world) key(v *feature.ResolvedView) []feature.Value {
	var out []feature.Value
	for _, k := range v.Keys {
		switch k.Type.Kind {
		case feature.String:
			out = append(out, text([]string{"", "Oslo", "Žižkov", "it's"}[w.rng.IntN(4)]))
		default:
			out = append(out, feature.OfInt64(w.rng.Int64N(6)-2))
		}
	}
	return out
}

func text(s string) feature.Value {
	v, err := feature.OfString(s)
	if err != nil {
		panic(err) // of constants
	}
	return v
}

func decimalOf(s string) feature.Value {
	v, err := feature.ParseDecimal(s)
	if err != nil {
		panic(err) // of constants
	}
	return v
}

// write1 writes a row, or deletes one.
func (w *world) write1(ctx context.Context) error {
	c := w.catalog()
	v, _ := c.View([]string{"stats", "places"}[w.rng.IntN(2)])
	out := wrote{view: v, key: w.key(v)}
	out.change = feature.Change{View: v.ID, EventTime: w.event()}
	for _, k := range out.key {
		var err error
		if out.change.Key, err = feature.AppendKeyValue(out.change.Key, k); err != nil {
			return err
		}
	}
	if w.generations && w.rng.IntN(8) == 0 {
		out.change.Generation = 1
	}
	if out.change.Delete = w.deletes && w.rng.IntN(12) == 0; !out.change.Delete {
		for _, f := range v.Fields {
			if w.rng.IntN(3) > 0 {
				continue
			}
			out.change.Assignments = append(out.change.Assignments, feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: w.value(f)})
		}
		if len(out.change.Assignments) == 0 {
			return nil
		}
	}
	var err error
	out.logOnly = w.rng.IntN(10) == 0
	if out.version, err = w.write(ctx, w.rng.IntN(2), out.change, v.Shard(out.change.Key), out.logOnly); err != nil {
		return fmt.Errorf("write %s: %w", v.Name, err)
	}
	w.writes = append(w.writes, out)
	return nil
}

// value draws a value of a feature: few, so that they meet.
func (w *world) value(f feature.Field) feature.Value {
	if f.Rule != feature.Counter && f.Rule != feature.Set && w.rng.IntN(8) == 0 {
		return feature.Value{}
	}
	n := w.rng.IntN(7) - 3
	if f.Type.Shape == feature.Vector {
		return feature.OfVector([]float32{float32(n), 0.5})
	}
	if f.Type.Shape == feature.List {
		var elems []feature.Value
		for range w.rng.IntN(3) {
			if f.Type.Kind == feature.String {
				elems = append(elems, text([]string{"a", "b", "it's"}[w.rng.IntN(3)]))
			} else {
				elems = append(elems, feature.OfInt64(w.rng.Int64N(4)-2))
			}
		}
		list, err := feature.OfList(f.Type.Kind, elems...)
		if err != nil {
			panic(err) // of few
		}
		return list
	}
	switch f.Type.Kind {
	case feature.Int32:
		return feature.OfInt32(int32(n))
	case feature.Int64:
		return feature.OfInt64(int64(n))
	case feature.Float64:
		if f.Rule != feature.Counter && w.rng.IntN(6) == 0 {
			return feature.OfFloat64(nan)
		}
		return feature.OfFloat64(float64(n) / 4) // sums are exact
	case feature.Bool:
		return feature.OfBool(n > 0)
	case feature.Timestamp:
		return feature.OfNanos(w.base + int64(n)*micro)
	case feature.Decimal:
		return decimalOf([]string{"0", "1.5", "-2.25", "12345678901.000001", "1E+3"}[w.rng.IntN(5)])
	case feature.Bytes:
		return feature.OfBytes([]byte{byte(n), 0, '\''})
	}
	return text([]string{"", "x", "ü", `a'b"c\d`}[w.rng.IntN(4)])
}
