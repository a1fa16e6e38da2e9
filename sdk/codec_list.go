package sdk

import (
	"fmt"
	"reflect"
	"unsafe"

	"featurestore/api"
	"featurestore/feature"
)

// listCodec serves lists, and vectors of any dimension in slices of floats.
func listCodec(t reflect.Type) (*codec, error) {
	elem, err := codecOf(t.Elem())
	if err != nil {
		return nil, err
	}
	return listOf(t, elem)
}

// listOf is the codec of the slice type t, whose elements elem serves.
func listOf(t reflect.Type, elem *codec) (*codec, error) {
	if elem.typ.Kind() == reflect.Slice && !elem.holds(feature.ScalarOf(feature.Bytes)) && elem.typ != rawType {
		return nil, fmt.Errorf("no feature type fits a Go %s: lists do not nest", t)
	}
	c := &codec{typ: t, holds: listHolds(elem), isNil: func(p unsafe.Pointer) bool { return *(*unsafe.Pointer)(p) == nil }}
	c.write = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		head := (*slice)(p)
		return writeElements(dst, elem, head.data, head.len, t.Elem().Size())
	}
	switch t.Elem().Kind() {
	case reflect.String:
		c.read = readSlice[string](elem)
	case reflect.Int64:
		c.read = readSlice[int64](elem)
	case reflect.Int:
		c.read = readSlice[int](elem)
	case reflect.Int32:
		c.read = readSlice[int32](elem)
	case reflect.Float64:
		c.read = readSlice[float64](elem)
	case reflect.Float32:
		c.read = readSlice[float32](elem)
	case reflect.Bool:
		c.read = readSlice[bool](elem)
	default:
		c.read = readAnySlice(t, elem)
	}
	return c, nil
}

// slice is the memory of every Go slice.
type slice struct {
	data     unsafe.Pointer
	len, cap int
}

func listHolds(elem *codec) func(feature.Type) bool {
	return func(t feature.Type) bool {
		switch t.Shape {
		case feature.List:
			return elem.holds(feature.ScalarOf(t.Kind))
		case feature.Vector:
			return elem.typ.Kind() == reflect.Float32 || elem.typ.Kind() == reflect.Float64
		}
		return false
	}
}

// readSlice reads into []E, or a slice of a type that is E underneath. An
// empty list is empty, not nil.
func readSlice[E any](elem *codec) func(*api.Scanner, unsafe.Pointer) error {
	return func(s *api.Scanner, p unsafe.Pointer) error {
		out := []E{}
		open := s.Array()
		for first := true; open && s.Element(first); first = false {
			var e E
			if err := elem.read(s, unsafe.Pointer(&e)); err != nil {
				return fmt.Errorf("element %d: %w", len(out), err)
			}
			out = append(out, e)
		}
		*(*[]E)(p) = out
		return s.Err()
	}
}

func readAnySlice(t reflect.Type, elem *codec) func(*api.Scanner, unsafe.Pointer) error {
	return func(s *api.Scanner, p unsafe.Pointer) error {
		out := reflect.MakeSlice(t, 0, 0)
		open := s.Array()
		for first := true; open && s.Element(first); first = false {
			e := reflect.New(t.Elem())
			if err := elem.read(s, e.UnsafePointer()); err != nil {
				return fmt.Errorf("element %d: %w", out.Len(), err)
			}
			out = reflect.Append(out, e.Elem())
		}
		reflect.NewAt(t, p).Elem().Set(out)
		return s.Err()
	}
}

func writeElements(dst []byte, elem *codec, data unsafe.Pointer, n int, size uintptr) ([]byte, error) {
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = elem.write(dst, unsafe.Add(data, uintptr(i)*size)); err != nil {
			return dst, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

// vectorCodec serves vectors of one dimension in an array [N]float32.
func vectorCodec(t reflect.Type) (*codec, error) {
	if t.Elem().Kind() != reflect.Float32 {
		return nil, fmt.Errorf("no feature type fits a Go %s; a vector is []float32 or [N]float32", t)
	}
	elem := floatCodec(t.Elem())
	n := t.Len()
	return &codec{typ: t,
		holds: func(ft feature.Type) bool { return ft == feature.VectorOf(n) },
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			i := 0
			open := s.Array()
			for ; open && s.Element(i == 0); i++ {
				if i == n {
					return fmt.Errorf("got more than %d elements", n)
				}
				if err := elem.read(s, unsafe.Add(p, uintptr(i)*4)); err != nil {
					return fmt.Errorf("element %d: %w", i, err)
				}
			}
			if s.Err() == nil && i != n {
				return fmt.Errorf("got %d elements, want %d", i, n)
			}
			return s.Err()
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) { return writeElements(dst, elem, p, n, 4) },
	}, nil
}
