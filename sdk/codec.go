package sdk

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unsafe"

	"featurestore/api"
	"featurestore/feature"
)

// codec reads and writes the values of one Go type as native JSON. It is
// compiled once a type; after that no value costs reflection, lists of unusual
// elements excepted. Pointers are to a value of the codec's type.
type codec struct {
	typ reflect.Type
	// holds reports whether the type can hold every value of a feature type.
	holds func(feature.Type) bool
	// read consumes one value that is not null.
	read func(*api.Scanner, unsafe.Pointer) error
	// write appends the value.
	write func([]byte, unsafe.Pointer) ([]byte, error)
	// isNil reports a nil slice, map or interface: absent in a push. Nil where
	// the type has none.
	isNil func(unsafe.Pointer) bool
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	decimalType     = reflect.TypeFor[Decimal]()
	rawType         = reflect.TypeFor[json.RawMessage]()
	unmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	marshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
)

// codecOf compiles the codec of t, or says what to use instead.
func codecOf(t reflect.Type) (*codec, error) {
	switch {
	case t == rawType:
		return rawCodec(t), nil
	case t == timeType:
		return timeCodec(t), nil
	case t == decimalType:
		return decimalCodec(t), nil
	case t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8 && t.Len() == 16:
		return uuidCodec(t), nil
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return bytesCodec(t), nil
	case reflect.PointerTo(t).Implements(unmarshalerType) && reflect.PointerTo(t).Implements(marshalerType):
		return textCodec(t), nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolCodec(t), nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return intCodec(t), nil
	case reflect.Float32, reflect.Float64:
		return floatCodec(t), nil
	case reflect.String:
		return stringCodec(t), nil
	case reflect.Slice:
		return listCodec(t)
	case reflect.Array:
		return vectorCodec(t)
	case reflect.Map, reflect.Struct, reflect.Interface:
		return documentCodec(t), nil
	}
	return nil, fmt.Errorf("no feature type fits a Go %s; use bool, int32, int64, int, float32, float64, string, []byte, time.Time, [16]byte, "+
		"json.RawMessage, a slice of these, or a type that implements encoding.TextUnmarshaler and TextMarshaler", t)
}

// scalars returns a holds for scalars of the kinds.
func scalars(kinds ...feature.Kind) func(feature.Type) bool {
	return func(t feature.Type) bool {
		for _, k := range kinds {
			if t == feature.ScalarOf(k) {
				return true
			}
		}
		return false
	}
}

// text views bytes as a string for a call that keeps nothing of it.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// wrong says what was found where something else was expected.
func wrong(got []byte, want string) error {
	return fmt.Errorf("got %s, want %s", feature.Clip(string(got)), want)
}

func boolCodec(t reflect.Type) *codec {
	return &codec{typ: t, holds: scalars(feature.Bool),
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			*(*bool)(p) = s.Bool()
			return s.Err()
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return strconv.AppendBool(dst, *(*bool)(p)), nil
		},
	}
}

func intCodec(t reflect.Type) *codec {
	bits := t.Bits()
	c := &codec{typ: t, holds: scalars(feature.Int32)}
	if bits == 64 {
		c.holds = scalars(feature.Int32, feature.Int64)
	}
	c.read = func(s *api.Scanner, p unsafe.Pointer) error {
		raw := s.Raw()
		n, err := strconv.ParseInt(text(raw), 10, bits)
		switch {
		case s.Err() != nil:
			return s.Err()
		case err != nil:
			return wrong(raw, "an integer of "+strconv.Itoa(bits)+" bits")
		case bits == 32:
			*(*int32)(p) = int32(n)
		default:
			*(*int64)(p) = n
		}
		return nil
	}
	c.write = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		if bits == 32 {
			return strconv.AppendInt(dst, int64(*(*int32)(p)), 10), nil
		}
		return strconv.AppendInt(dst, *(*int64)(p), 10), nil
	}
	return c
}

func floatCodec(t reflect.Type) *codec {
	bits := t.Bits()
	c := &codec{typ: t, holds: scalars(feature.Float32)}
	if bits == 64 {
		c.holds = scalars(feature.Float32, feature.Float64)
	}
	c.read = func(s *api.Scanner, p unsafe.Pointer) error {
		f, err := readFloat(s, bits)
		if bits == 32 {
			*(*float32)(p) = float32(f)
		} else {
			*(*float64)(p) = f
		}
		return err
	}
	c.write = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		if bits == 32 {
			return api.AppendValue(dst, feature.OfFloat32(*(*float32)(p))), nil
		}
		return api.AppendValue(dst, feature.OfFloat64(*(*float64)(p))), nil
	}
	return c
}

// narrowed returns the codec that reads float32 features into the wider c: as
// the float64 of the float32 that is stored, and not of its shortest text,
// which is another number. It returns c for types without float64.
func narrowed(c *codec) *codec {
	switch {
	case c.typ.Kind() == reflect.Float64:
		out := *c
		out.read = func(s *api.Scanner, p unsafe.Pointer) error {
			f, err := readFloat(s, 32)
			*(*float64)(p) = f
			return err
		}
		return &out
	case c.typ.Kind() == reflect.Slice && c.typ.Elem().Kind() == reflect.Float64:
		if list, err := listOf(c.typ, narrowed(floatCodec(c.typ.Elem()))); err == nil {
			return list
		}
	}
	return c
}

// readFloat takes a number, or a string for what JSON has no number for.
func readFloat(s *api.Scanner, bits int) (float64, error) {
	raw := s.Raw()
	switch string(raw) {
	case `"NaN"`:
		return math.NaN(), s.Err()
	case `"Infinity"`:
		return math.Inf(1), s.Err()
	case `"-Infinity"`:
		return math.Inf(-1), s.Err()
	}
	if s.Err() != nil {
		return 0, s.Err()
	}
	if len(raw) == 0 || raw[0] == '"' || raw[0] == 't' || raw[0] == 'f' {
		return 0, wrong(raw, `a number, "NaN", "Infinity" or "-Infinity"`)
	}
	f, err := strconv.ParseFloat(text(raw), bits)
	if err != nil {
		return 0, wrong(raw, `a number that fits `+strconv.Itoa(bits)+" bits")
	}
	return f, nil
}
