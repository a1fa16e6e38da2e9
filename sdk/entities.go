package sdk

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"unsafe"

	"featurestore/api"
)

// Entities are the entity keys of a lookup or a delete: Keys or Columns.
type Entities interface {
	// columns compiles the keys; the memory they point to must not change
	// until the call that takes them returns.
	columns() ([]column, int, error)
}

// column is one join key, or one request value, of all rows.
type column struct {
	name  string
	codec *codec
	// first is the value of row 0, and step the distance to the next.
	first unsafe.Pointer
	step  uintptr
}

// appendValues appends rows [from, to) as a JSON array.
func (c column) appendValues(dst []byte, from, to int) ([]byte, error) {
	dst = append(dst, '[')
	for i := from; i < to; i++ {
		if i > from {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = c.codec.write(dst, unsafe.Add(c.first, uintptr(i)*c.step)); err != nil {
			return dst, fmt.Errorf("%s[%d]: %w", c.name, i, err)
		}
	}
	return append(dst, ']'), nil
}

// appendColumns appends rows [from, to) of the columns as a JSON object.
func appendColumns(dst []byte, columns []column, from, to int) ([]byte, error) {
	dst = append(dst, '{')
	for _, c := range columns {
		dst = append(api.AppendString(appendComma(dst), c.name), ':')
		var err error
		if dst, err = c.appendValues(dst, from, to); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendComma appends a comma unless the object just began.
func appendComma(dst []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return dst
}

// Keys gives entities as structs with key tags: a struct of keys alone, or the
// struct that is looked up, whose features are then ignored. A key that is
// absent, as a push to a push source may have it, is an error.
func Keys[K any](keys ...K) Entities { return keyed[K](keys) }

type keyed[K any] []K

func (k keyed[K]) columns() ([]column, int, error) {
	shape, err := shapeOf(reflect.TypeFor[K]())
	if err != nil {
		return nil, 0, err
	}
	if len(shape.keys) == 0 {
		return nil, 0, fmt.Errorf("%w: %s has no key tag, such as key:\"driver_id\"", ErrMismatch, shape.typ)
	}
	first := unsafe.Pointer(unsafe.SliceData(k))
	out := make([]column, len(shape.keys))
	for i, f := range shape.keys {
		out[i] = column{name: f.column, codec: f.asKey(), step: shape.typ.Size()}
		if len(k) > 0 {
			out[i].first = unsafe.Add(first, f.offset)
		}
	}
	return out, len(k), nil
}

var errAbsentKey = errors.New("the key is absent; lookups and deletes need each")

// asKey is the codec of a key field, wherever in the field its value is.
func (f *field) asKey() *codec {
	c := *f.value
	c.write = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		if p = f.present(p); p == nil {
			return dst, errAbsentKey
		}
		return f.value.write(dst, p)
	}
	return &c
}

// Columns gives entities, or request values, as one slice a name, all of one
// length: Columns{"driver_id": []int64{1001, 1002}}.
type Columns map[string]any

func (c Columns) columns() ([]column, int, error) {
	rows := -1
	var out []column
	for _, name := range slices.Sorted(maps.Keys(c)) {
		v := reflect.ValueOf(c[name])
		if v.Kind() != reflect.Slice {
			return nil, 0, fmt.Errorf("column %s is %T; want a slice of values", name, c[name])
		}
		codec, err := codecOf(v.Type().Elem())
		if err != nil {
			return nil, 0, fmt.Errorf("column %s: %w", name, err)
		}
		if rows >= 0 && v.Len() != rows {
			return nil, 0, fmt.Errorf("column %s has %d values, column %s has %d; want one length", name, v.Len(), out[0].name, rows)
		}
		rows = v.Len()
		out = append(out, column{name: name, codec: codec, first: v.UnsafePointer(), step: v.Type().Elem().Size()})
	}
	return out, max(rows, 0), nil
}
