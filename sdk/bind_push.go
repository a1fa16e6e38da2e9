package sdk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"featurestore/feature"
)

var rawRowType = reflect.TypeFor[RawRow]()

// bindPush binds a row type to the target of a push.
func (c *Client) bindPush(ctx context.Context, typ reflect.Type, to Target) (*pushBinding, error) {
	if err := to.check(); err != nil {
		return nil, err
	}
	key := pushKey{typ, to.View, to.PushSource}
	if b, ok := c.pushes.Load(key); ok {
		return b.(*pushBinding), nil
	}
	schema, err := c.schema(ctx, false)
	if err != nil {
		return nil, err
	}
	b, err := schema.bindPush(typ, to)
	if err != nil && !schema.fresh {
		if schema, err = c.schema(ctx, true); err == nil {
			b, err = schema.bindPush(typ, to)
		}
	}
	if err != nil {
		return nil, err
	}
	c.pushes.Store(key, b)
	return b, nil
}

// pushKey names a pushBinding. Types and targets are those of the program's
// source, so there are few.
type pushKey struct {
	typ          reflect.Type
	view, source string
}

// targets returns the views that the target writes.
func (s *schema) targets(to Target) ([]*viewSchema, error) {
	if to.View != "" {
		if v := s.views[to.View]; v != nil && v.keys != nil {
			return []*viewSchema{v}, nil
		}
		return nil, fmt.Errorf("%w: %s", ErrViewNotFound, notFound("view", to.View, slices.Collect(maps.Keys(s.views))))
	}
	if views := s.sources[to.PushSource]; len(views) > 0 {
		return views, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrPushSourceNotFound, notFound("push source", to.PushSource, slices.Collect(maps.Keys(s.sources))))
}

// bindPush binds a row type to the target's views. Fields that name other
// views are left out: one struct may hold the features of several.
func (s *schema) bindPush(typ reflect.Type, to Target) (*pushBinding, error) {
	views, err := s.targets(to)
	if err != nil {
		return nil, err
	}
	b := &pushBinding{raw: typ == rawRowType}
	keys := map[string]feature.JoinKey{}
	for _, v := range views {
		for _, k := range v.keys {
			keys[k.Name] = k
		}
	}
	b.shared = slices.DeleteFunc(slices.Clone(views[0].keys), func(k feature.JoinKey) bool {
		return slices.ContainsFunc(views, func(v *viewSchema) bool { return !slices.Contains(v.keys, k) })
	})
	if b.raw {
		return b, nil
	}
	shape, err := shapeOf(typ)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		f := shape.key([]byte(name))
		if f == nil {
			faults = append(faults, fmt.Errorf("%s: no field has the tag key:%q, a join key of %s", typ, name, to.name()))
			continue
		}
		if err := f.mismatchKey(keys[name]); err != nil {
			faults = append(faults, err)
		}
		b.keys = append(b.keys, f)
	}
	for _, f := range shape.features {
		if f.view != "" && !slices.ContainsFunc(views, func(v *viewSchema) bool { return v.name == f.view }) {
			continue
		}
		if err := f.fitsAny(views, to); err != nil {
			faults = append(faults, err)
		}
		b.features = append(b.features, f)
	}
	b.time = shape.time
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrMismatch, errors.Join(faults...))
	}
	return b, nil
}

// fitsAny checks the field against each view that has its feature; one must.
func (f *field) fitsAny(views []*viewSchema, to Target) error {
	var known []string
	found := false
	for _, v := range views {
		column, ok := v.features[f.column]
		if ok {
			found = true
			if err := f.mismatchPush(column.typ, column.rule); err != nil {
				return err
			}
		}
		known = append(known, slices.Collect(maps.Keys(v.features))...)
	}
	if !found {
		return fmt.Errorf("%s: tag %s: %s has no such feature%s", f.name, f.tag, to.name(), nearest(f.column, known))
	}
	return nil
}
