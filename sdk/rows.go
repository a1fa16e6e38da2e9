package sdk

import (
	"fmt"
	"reflect"
	"slices"
	"time"
	"unsafe"

	"featurestore/api"
	"featurestore/feature"
)

// RawRow is a row of a push that is JSON already: an object of join keys,
// features and "event_time".
type RawRow []byte

// pushBinding is a struct, or RawRow, bound to the target of a push.
type pushBinding struct {
	raw bool
	// shared are the join keys that every view of the target has.
	shared   []feature.JoinKey
	keys     []*field
	features []*field
	time     *field
}

// append appends one row.
func (b *pushBinding) append(dst []byte, row unsafe.Pointer) ([]byte, error) {
	if b.raw {
		raw := *(*RawRow)(row)
		return append(dst, raw...), checkObject(raw)
	}
	dst = append(dst, '{')
	var err error
	for _, f := range b.keys {
		if dst, err = f.appendMember(dst, row); err != nil {
			return dst, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return b.appendFeatures(dst, row)
}

// checkObject reports that a row is no JSON object.
func checkObject(row RawRow) error {
	s := api.NewScanner(row)
	open := s.Object()
	for first := true; open; first = false {
		if _, open = s.Key(first); open {
			s.Raw()
		}
	}
	s.End()
	return s.Err()
}

// appendOrder appends what rows have in common that must stay in order: the
// shared join keys of an encoded row, in one spelling. Rows of one entity in
// any of the views have the same; so have all rows, where no key is shared.
func (b *pushBinding) appendOrder(dst, row []byte) []byte {
	var few [4][]byte
	values := append(few[:0], make([][]byte, len(b.shared))...)
	s := api.NewScanner(row)
	missing := len(values)
	open := missing > 0 && s.Object()
	for first := true; open && missing > 0; first = false {
		var name []byte
		if name, open = s.Key(first); !open {
			break
		}
		value := s.Raw()
		if i := slices.IndexFunc(b.shared, func(k feature.JoinKey) bool { return k.Name == string(name) }); i >= 0 {
			values[i] = value
			missing--
		}
	}
	for i, raw := range values {
		v, err := api.DecodeKey(raw, b.shared[i].Type)
		if err == nil {
			dst, err = feature.AppendKeyValue(dst, v)
		}
		if err != nil { // the store will refuse the row
			dst = append(dst, raw...)
		}
	}
	return dst
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
	case modeCounter:
		return f.appendIncrement(dst, unsafe.Add(p, f.at.add))
	case modeSet:
		return f.appendSetChange(dst, unsafe.Add(p, f.at.add), unsafe.Add(p, f.at.remove))
	}
	if v := f.present(p); v != nil {
		return f.value.write(appendName(dst, f.column), v)
	}
	if f.mode == modeOptional && *(*Status)(unsafe.Add(p, f.at.status)) == NullValue {
		return append(appendName(dst, f.column), "null"...), nil
	}
	return dst, nil
}

// present returns where the value of the field at p is, nil when it is absent.
func (f *field) present(p unsafe.Pointer) unsafe.Pointer {
	switch {
	case f.mode == modePointer:
		return *(*unsafe.Pointer)(p)
	case f.mode == modeOptional && !*(*bool)(unsafe.Add(p, f.at.valid)),
		f.mode == modePlain && f.value.isNil != nil && f.value.isNil(p),
		f.omitZero && reflect.NewAt(f.typ, p).Elem().IsZero():
		return nil
	}
	return unsafe.Add(p, f.at.value) // 0 for plain fields
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
