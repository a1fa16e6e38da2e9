package sdk

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"time"
	"unsafe"

	"featurestore/api"
)

// RawRow is a row of a push that is JSON already: an object of join keys,
// features and "event_time".
type RawRow []byte

// pushBinding is a struct, or RawRow, bound to the target of a push.
type pushBinding struct {
	// keyNames are the join keys of the target.
	keyNames []string
	raw      bool
	keys     []*field
	features []*field
	time     *field
}

// append appends one row and returns the part of it that names its entity.
func (b *pushBinding) append(dst []byte, row unsafe.Pointer) (out, key []byte, err error) {
	if b.raw {
		raw := *(*RawRow)(row)
		key, err := b.rawKey(raw)
		return append(dst, raw...), key, err
	}
	start := len(dst)
	dst = append(dst, '{')
	for _, f := range b.keys {
		dst = appendName(dst, f.column)
		if dst, err = f.value.write(dst, unsafe.Add(row, f.offset)); err != nil {
			return dst, nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	end := len(dst)
	dst, err = b.appendFeatures(dst, row)
	return dst, dst[start:end], err
}

// rawKey finds the join keys in a row of JSON, and that it is one.
func (b *pushBinding) rawKey(row RawRow) ([]byte, error) {
	values := make([][]byte, len(b.keyNames))
	s := api.NewScanner(row)
	open := s.Object()
	for first := true; open; first = false {
		name, ok := s.Key(first)
		if !ok {
			break
		}
		value := s.Raw()
		if i := slices.Index(b.keyNames, string(name)); i >= 0 {
			values[i] = value
		}
	}
	if s.End(); s.Err() != nil {
		return nil, s.Err()
	}
	return bytes.Join(values, []byte{','}), nil
}

// appendFeatures appends the features that are not absent, the event time
// unless it is zero, and the end of the object.
func (b *pushBinding) appendFeatures(dst []byte, row unsafe.Pointer) ([]byte, error) {
	var err error
	for _, f := range b.features {
		if dst, err = f.appendMember(dst, row); err != nil {
			return dst, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if b.time != nil {
		if at := *(*time.Time)(unsafe.Add(row, b.time.offset)); !at.IsZero() {
			dst = appendName(dst, "event_time")
			if dst, err = b.time.value.write(dst, unsafe.Pointer(&at)); err != nil {
				return dst, fmt.Errorf("%s: %w", b.time.name, err)
			}
		}
	}
	return append(dst, '}'), nil
}

// appendName appends a member's name, and a comma unless it is the first.
func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(api.AppendString(dst, name), ':')
}

// appendMember appends what the field pushes, nothing when that is absent.
func (f *field) appendMember(dst []byte, row unsafe.Pointer) ([]byte, error) {
	p := unsafe.Add(row, f.offset)
	switch f.mode {
	case modePointer:
		v := *(*unsafe.Pointer)(p)
		if v == nil {
			return dst, nil
		}
		return f.value.write(appendName(dst, f.column), v)
	case modeOptional:
		switch {
		case *(*bool)(unsafe.Add(p, f.at.valid)):
			return f.value.write(appendName(dst, f.column), unsafe.Add(p, f.at.value))
		case *(*Status)(unsafe.Add(p, f.at.status)) == NullValue:
			return append(appendName(dst, f.column), "null"...), nil
		}
		return dst, nil
	case modeCounter:
		return f.appendIncrement(dst, unsafe.Add(p, f.at.add))
	case modeSet:
		return f.appendSetChange(dst, unsafe.Add(p, f.at.add), unsafe.Add(p, f.at.remove))
	}
	if f.value.isNil != nil && f.value.isNil(p) || f.omitZero && reflect.NewAt(f.typ, p).Elem().IsZero() {
		return dst, nil
	}
	return f.value.write(appendName(dst, f.column), p)
}

func (f *field) appendIncrement(dst []byte, by unsafe.Pointer) ([]byte, error) {
	if reflect.NewAt(f.part.typ, by).Elem().IsZero() {
		return dst, nil
	}
	dst, err := f.part.write(append(appendName(dst, f.column), `{"increment":`...), by)
	return append(dst, '}'), err
}

func (f *field) appendSetChange(dst []byte, add, remove unsafe.Pointer) ([]byte, error) {
	if f.part.isNil(add) && f.part.isNil(remove) {
		return dst, nil
	}
	dst = append(appendName(dst, f.column), '{')
	for _, part := range []struct {
		name     string
		elements unsafe.Pointer
	}{{"add", add}, {"remove", remove}} {
		if f.part.isNil(part.elements) {
			continue
		}
		var err error
		if dst, err = f.part.write(appendName(dst, part.name), part.elements); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
