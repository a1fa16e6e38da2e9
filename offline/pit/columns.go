package pit

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/feature"
	"featurestore/hlc"
)

// Columns names the columns of a table that are kept as Arrow records or
// Parquet files. Keys and EventTime are required.
type Columns struct {
	// Keys are the join keys, in the order of View.Keys.
	Keys []string
	// EventTime is a timestamp of any unit, or int64 nanoseconds; never null.
	EventTime string
	// Generation, At and Origin are integers: the rest of a feature.Version. ""
	// or null: zero.
	Generation, At, Origin string
	// KnownAt is a timestamp or int64 nanoseconds. Null: always known. "": rows
	// are known from the milliseconds of At on, or always where there is no At.
	KnownAt string
	// Deleted is a bool that marks tombstones. "" or null: none.
	Deleted string
	// Skipped is a bool that marks rows which do not exist for this table. "" or
	// null: none.
	Skipped string
	// Features are the other columns that can be asked for; nil: all others.
	Features []string
}

// heads lists the columns that Heads are made of, in the order that a
// headDecoder wants: keys, then event time, then those that are there.
func (c Columns) heads() []string {
	names := append(slices.Clone(c.Keys), c.EventTime)
	for _, name := range []string{c.Generation, c.At, c.Origin, c.KnownAt, c.Deleted, c.Skipped} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// features chooses the feature fields among all fields.
func (c Columns) features(all []arrow.Field) ([]arrow.Field, error) {
	var fields []arrow.Field
	if c.Features == nil {
		for _, f := range all {
			if !slices.Contains(c.heads(), f.Name) {
				fields = append(fields, f)
			}
		}
		return fields, nil
	}
	for _, name := range c.Features {
		i := slices.IndexFunc(all, func(f arrow.Field) bool { return f.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no column %q", name)
		}
		fields = append(fields, all[i])
	}
	return fields, nil
}

// check reports what cannot be read from fields: columns that are missing, or
// of a wrong type.
func (c Columns) check(fields []arrow.Field) error {
	var errs []error
	if len(c.Keys) == 0 || c.EventTime == "" {
		errs = append(errs, errors.New("Columns needs Keys and EventTime"))
	}
	want := func(name, kind string, ok func(arrow.DataType) bool) {
		if name == "" {
			return
		}
		i := slices.IndexFunc(fields, func(f arrow.Field) bool { return f.Name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("there is no column %q", name))
		} else if !ok(fields[i].Type) {
			errs = append(errs, fmt.Errorf("column %s is %s, want %s", name, fields[i].Type, kind))
		}
	}
	for _, key := range c.Keys {
		want(key, "what can be a key", func(t arrow.DataType) bool { return classOf(t) != noClass && t.ID() != arrow.UINT64 })
	}
	instant := func(t arrow.DataType) bool { return t.ID() == arrow.TIMESTAMP || t.ID() == arrow.INT64 }
	whole := func(t arrow.DataType) bool { return arrow.IsInteger(t.ID()) }
	want(c.EventTime, "a timestamp or int64 nanoseconds", instant)
	want(c.Generation, "integers", whole)
	want(c.At, "integers", whole)
	want(c.Origin, "integers", whole)
	want(c.KnownAt, "a timestamp or int64 nanoseconds", instant)
	flag := func(t arrow.DataType) bool { return t.ID() == arrow.BOOL }
	want(c.Deleted, "bool", flag)
	want(c.Skipped, "bool", flag)
	return errors.Join(errs...)
}

// cellError says which column and row of a batch are at fault.
type cellError struct {
	column string
	row    int
	err    error
}

// headDecoder turns columns in the order of Columns.heads into Heads, which
// are valid until the next call.
type headDecoder struct {
	columns Columns
	heads   Heads
}

func (d *headDecoder) decode(arrays []arrow.Array) (*Heads, *cellError) {
	c, rows := d.columns, arrays[0].Len()
	h := &d.heads
	h.Keys, arrays = arrays[:len(c.Keys)], arrays[len(c.Keys):]
	h.Versions = slices.Grow(h.Versions[:0], rows)[:rows]
	clear(h.Versions)
	fault := setTimes(c.EventTime, arrays[0], true, func(i int, n int64) { h.Versions[i].EventTime = n })
	next := func(name string) arrow.Array {
		if name == "" || fault != nil {
			return nil
		}
		arrays = arrays[1:]
		return arrays[0]
	}
	if a := next(c.Generation); a != nil {
		fault = setInts(c.Generation, a, math.MaxUint16, func(i int, n uint64) { h.Versions[i].Generation = uint16(n) })
	}
	if a := next(c.At); a != nil {
		fault = setInts(c.At, a, math.MaxUint64, func(i int, n uint64) { h.Versions[i].At = hlc.Timestamp(n) })
	}
	if a := next(c.Origin); a != nil {
		fault = setInts(c.Origin, a, math.MaxUint32, func(i int, n uint64) { h.Versions[i].Origin = hlc.Origin(n) })
	}
	if c.KnownAt != "" || c.At != "" {
		h.KnownAt = slices.Grow(h.KnownAt[:0], rows)[:rows]
		for i := range h.KnownAt {
			h.KnownAt[i] = minTime
		}
	}
	if a := next(c.KnownAt); a != nil {
		fault = setTimes(c.KnownAt, a, false, func(i int, n int64) { h.KnownAt[i] = n })
	} else if c.KnownAt == "" && c.At != "" {
		for i := range h.Versions {
			h.KnownAt[i] = knownAt(h.Versions[i])
		}
	}
	if a := next(c.Deleted); a != nil {
		h.Deleted = flags(h.Deleted, a.(*array.Boolean))
	}
	if a := next(c.Skipped); a != nil {
		h.Skipped = flags(h.Skipped, a.(*array.Boolean))
	}
	return h, fault
}

// flags returns a column's values, in dst where they fit; null is false.
func flags(dst []bool, a *array.Boolean) []bool {
	dst = slices.Grow(dst[:0], a.Len())[:a.Len()]
	for i := range dst {
		dst[i] = a.IsValid(i) && a.Value(i)
	}
	return dst
}

// knownAt is when the store that accepted a row did so.
func knownAt(v feature.Version) int64 {
	n, ok := nanos(v.At.Millis(), arrow.Millisecond)
	switch {
	case v.At == 0:
		return minTime
	case !ok:
		return maxTime
	}
	return n
}

var errNoTime = errors.New("there is no time")

// setTimes calls set with each value as nanoseconds. Nulls are left out, or
// faults where a time is required.
func setTimes(name string, a arrow.Array, required bool, set func(i int, n int64)) *cellError {
	if required && a.NullN() > 0 {
		for i := range a.Len() {
			if a.IsNull(i) {
				return &cellError{name, i, errNoTime}
			}
		}
	}
	unit := arrow.Nanosecond
	var values []int64
	switch a := a.(type) {
	case *array.Int64:
		values = a.Int64Values()
	case *array.Timestamp:
		unit = a.DataType().(*arrow.TimestampType).Unit
		values = arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.TimestampValues()))
	}
	whole := a.NullN() == 0
	for i, v := range values {
		if !whole && a.IsNull(i) {
			continue
		}
		n, ok := nanos(v, unit)
		if !ok {
			return &cellError{name, i, errTime(v, unit)}
		}
		set(i, n)
	}
	return nil
}

// setInts calls set with each value that is not null.
func setInts(name string, a arrow.Array, most uint64, set func(i int, n uint64)) *cellError {
	value := wordAt(a)
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		n, _, err := value(i)
		switch {
		case err != nil:
			return &cellError{name, i, err}
		case n > most: // negative numbers are
			return &cellError{name, i, fmt.Errorf("%d is not between 0 and %d", int64(n), most)}
		}
		set(i, n)
	}
	return nil
}
