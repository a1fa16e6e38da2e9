package sdk

import (
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"featurestore/api"
	"featurestore/feature"
)

// compile finds how the field holds its value.
func (f *field) compile() (err error) {
	t := f.typ
	if w, ok := reflect.Zero(t).Interface().(wrapped); ok && t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[field]().PkgPath() {
		f.mode = w.wrapper()
		offset := func(name string) uintptr { sf, _ := t.FieldByName(name); return sf.Offset }
		typeOf := func(name string) reflect.Type { sf, _ := t.FieldByName(name); return sf.Type }
		f.at.status, f.at.time = offset("Status"), offset("EventTime")
		value := "Value"
		switch f.mode {
		case modeOptional:
			f.at.valid = offset("Valid")
		case modeCounter:
			value, f.at.add = "Total", offset("By")
			f.part, err = codecOf(typeOf("By"))
		case modeSet:
			value, f.at.add, f.at.remove = "Elements", offset("Add"), offset("Remove")
			f.part, err = codecOf(typeOf("Add"))
		}
		if err == nil {
			f.at.value = offset(value)
			f.value, err = codecOf(typeOf(value))
		}
		return err
	}
	if t.Kind() == reflect.Pointer {
		f.mode = modePointer
		t = t.Elem()
	}
	f.value, err = codecOf(t)
	return err
}

// read consumes one value of a looked-up row. A null leaves the field zero.
func (f *field) read(s *api.Scanner, row unsafe.Pointer) error {
	if s.IsNull() {
		return s.Err()
	}
	p := unsafe.Add(row, f.offset)
	switch f.mode {
	case modePointer:
		v := reflect.New(f.value.typ).UnsafePointer()
		*(*unsafe.Pointer)(p) = v
		return f.value.read(s, v)
	case modeOptional:
		*(*bool)(unsafe.Add(p, f.at.valid)) = true
	}
	return f.value.read(s, unsafe.Add(p, f.at.value))
}

func (f *field) setStatus(row unsafe.Pointer, s Status) {
	if f.mode >= modeOptional {
		*(*Status)(unsafe.Add(row, f.offset+f.at.status)) = s
	}
}

func (f *field) setTime(row unsafe.Pointer, t time.Time) {
	if f.mode >= modeOptional {
		*(*time.Time)(unsafe.Add(row, f.offset+f.at.time)) = t
	}
}

// mismatch says that the field cannot hold values of a feature's type.
func (f *field) mismatch(t feature.Type, rule feature.Rule) error {
	switch {
	case f.mode == modeCounter && rule != feature.Counter:
		return fmt.Errorf("%s: tag %s: the feature's conflict rule is %s, and %s is for counters", f.name, f.tag, rule, f.typ)
	case f.mode == modeSet && rule != feature.Set:
		return fmt.Errorf("%s: tag %s: the feature's conflict rule is %s, and %s is for sets", f.name, f.tag, rule, f.typ)
	case !f.value.holds(t):
		use := goTypeFor(t)
		if rule == feature.Counter {
			use = counterFor(t)
		}
		return fmt.Errorf("%s: tag %s: the feature is %s, which a Go %s does not hold; use %s", f.name, f.tag, t, f.typ, use)
	}
	return nil
}

// mismatchPush says that the field cannot be pushed to a feature: besides what
// it cannot hold, a total that was looked up must not count again.
func (f *field) mismatchPush(t feature.Type, rule feature.Rule) error {
	if rule == feature.Counter && f.mode != modeCounter {
		return fmt.Errorf("%s: tag %s: the feature is a counter, and pushing a Go %s would count the total again that a lookup left in it; use %s", f.name, f.tag, f.typ, counterFor(t))
	}
	return f.mismatch(t, rule)
}

// counterFor names the Counter to use for a feature type.
func counterFor(t feature.Type) string {
	switch t.Kind {
	case feature.Decimal:
		return "sdk.Counter[sdk.Decimal]"
	case feature.Float64:
		return "sdk.Counter[float64]"
	}
	return "sdk.Counter[int64]"
}

// goTypeFor names the Go type to use for a feature type.
func goTypeFor(t feature.Type) string {
	name := map[feature.Kind]string{
		feature.Bytes: "[]byte", feature.String: "string", feature.Int32: "int32", feature.Int64: "int64",
		feature.Float32: "float32", feature.Float64: "float64", feature.Bool: "bool", feature.Timestamp: "time.Time",
		feature.UUID: "[16]byte or string", feature.Decimal: "sdk.Decimal, string, or a type with UnmarshalText",
		feature.JSON: "json.RawMessage, a map or a struct",
	}[t.Kind]
	switch t.Shape {
	case feature.List:
		return "a slice of " + name
	case feature.Vector:
		return fmt.Sprintf("[]float32 or [%d]float32", t.Dim)
	}
	return name
}
