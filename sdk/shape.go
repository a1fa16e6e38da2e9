package sdk

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Tags of struct fields.
const (
	tagFeature  = "feature"     // "view:feature", or "feature" where that names one
	tagKey      = "key"         // the name of a join key
	nameOfTime  = "@event_time" // a feature tag: the row's event time
	optOmitZero = "omitzero"    // after a comma: absent when zero
)

// shape is a struct type with its tags compiled (K1).
type shape struct {
	typ      reflect.Type
	keys     []*field
	features []*field
	time     *field // nil for none
}

// field is one struct field with a tag.
type field struct {
	// name is the field as in Driver.ConvRate, tag as it is written.
	name, tag string
	// view is "" for a tag without one; column is the feature or the join key.
	view, column string
	offset       uintptr
	mode         mode
	omitZero     bool
	// value is the codec of what is looked up; part that of By, Add and Remove.
	value, part *codec
	typ         reflect.Type // of the field
	// Offsets from the field's start, for the modes that have them.
	at struct{ value, valid, status, time, add, remove uintptr }
}

var shapes sync.Map // reflect.Type -> func() (*shape, error)

// shapeOf compiles a struct type, once.
func shapeOf(t reflect.Type) (*shape, error) {
	compile, ok := shapes.Load(t)
	if !ok {
		compile, _ = shapes.LoadOrStore(t, sync.OnceValues(func() (*shape, error) { return compileShape(t) }))
	}
	return compile.(func() (*shape, error))()
}

func compileShape(t reflect.Type) (*shape, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: %s is no struct; want one whose fields carry feature:\"view:feature\" and key:\"join_key\" tags", ErrMismatch, t)
	}
	s := &shape{typ: t}
	faults := s.collect(t, t.Name(), 0)
	seen := map[string]string{}
	for _, f := range s.all() {
		if other, ok := seen[f.tag]; ok {
			faults = append(faults, fmt.Errorf("%s: tag %s is that of %s already", f.name, f.tag, other))
		}
		seen[f.tag] = f.name
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrMismatch, errors.Join(faults...))
	}
	return s, nil
}

func (s *shape) all() []*field {
	all := append(append([]*field(nil), s.keys...), s.features...)
	if s.time != nil {
		all = append(all, s.time)
	}
	return all
}

// collect adds the tagged fields of t, and of structs embedded in it.
func (s *shape) collect(t reflect.Type, path string, base uintptr) []error {
	var faults []error
	for i := range t.NumField() {
		sf := t.Field(i)
		name := path + "." + sf.Name
		feat, isFeature := sf.Tag.Lookup(tagFeature)
		key, isKey := sf.Tag.Lookup(tagKey)
		switch {
		case sf.Anonymous && sf.Type.Kind() == reflect.Struct && !isFeature && !isKey:
			faults = append(faults, s.collect(sf.Type, path, base+sf.Offset)...)
		case !isFeature && !isKey:
		case isFeature && isKey:
			faults = append(faults, fmt.Errorf("%s: has both a feature and a key tag; want one", name))
		case !sf.IsExported():
			faults = append(faults, fmt.Errorf("%s: has a tag but is not exported; begin its name with a capital", name))
		default:
			f := &field{name: name, offset: base + sf.Offset, typ: sf.Type}
			f.tag = fmt.Sprintf("%s:%q", tagFeature, feat)
			if isKey {
				f.tag = fmt.Sprintf("%s:%q", tagKey, key)
			}
			if err := s.add(f, feat, key, isKey); err != nil {
				faults = append(faults, fmt.Errorf("%s: tag %s: %w", name, f.tag, err))
			}
		}
	}
	return faults
}

func (s *shape) add(f *field, feat, key string, isKey bool) error {
	if err := f.compile(); err != nil {
		return err
	}
	name, opt, _ := strings.Cut(feat+key, ",") // one of them is ""
	if f.omitZero = opt == optOmitZero; !f.omitZero && opt != "" {
		return fmt.Errorf("option %q is not known; use omitzero", opt)
	}
	if isKey {
		f.column = name
		f.tag = fmt.Sprintf("%s:%q", tagKey, name)
		if name == "" || strings.Contains(name, ":") {
			return errors.New("want the name of a join key")
		}
		if f.mode == modeCounter || f.mode == modeSet {
			return fmt.Errorf("a key neither counts nor gathers; want a plain type, or a pointer or Optional, instead of %s", f.typ)
		}
		s.keys = append(s.keys, f)
		return nil
	}
	if name == nameOfTime {
		if f.typ != timeType {
			return fmt.Errorf("an event time is a time.Time, not %s", f.typ)
		}
		f.tag = fmt.Sprintf("%s:%q", tagFeature, name)
		s.time = f
		return nil
	}
	f.column = name
	if view, column, ok := strings.Cut(name, ":"); ok {
		f.view, f.column = view, column
		if view == "" {
			return errors.New("want view:feature, or the feature's name alone")
		}
	}
	if f.column == "" || strings.Contains(f.column, ":") {
		return errors.New("want view:feature, or the feature's name alone")
	}
	s.features = append(s.features, f)
	return nil
}
