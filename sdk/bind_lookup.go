package sdk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"featurestore/api"
	"featurestore/feature"
)

// bindLookup returns the binding of a struct to a service, or to the features
// of its tags, compiled once. fresh compiles it again from definitions read
// anew.
func (c *Client) bindLookup(ctx context.Context, s *shape, service string, fresh bool) (*binding, error) {
	key := planKey{typ: s.typ, service: service}
	if !fresh {
		if b, ok := c.plans.Load(key); ok {
			return b.(*binding), nil
		}
	}
	schema, err := c.schema(ctx, fresh)
	if err != nil {
		return nil, err
	}
	b, err := schema.bind(s, service)
	if err != nil && !fresh && !schema.fresh {
		// The definitions may have changed since they were read.
		if schema, err = c.schema(ctx, true); err == nil {
			b, err = schema.bind(s, service)
		}
	}
	if err != nil {
		return nil, err
	}
	c.plans.Store(key, b)
	return b, nil
}

// bindQuery returns the binding of a struct to what a query reads.
func (c *Client) bindQuery(ctx context.Context, s *shape, q Query, fresh bool) (*binding, error) {
	switch {
	case len(q.Names) == 0:
		return c.bindLookup(ctx, s, q.Service, fresh)
	case q.Service != "":
		return nil, fmt.Errorf("a query reads service %s, and Names: give one of them", q.Service)
	}
	return newBinding(s, "", q.Names, make([]*field, len(q.Names))), nil
}

// planKey names a binding. Types and services are those of the program's
// source, so there are few.
type planKey struct {
	typ     reflect.Type
	service string
}

// binding is a struct bound to a list of features.
type binding struct {
	shape    *shape
	features []string
	// fields[i] takes the value of features[i]; nil skips it.
	fields []*field
	// head begins the request's body.
	head []byte
}

// newBinding makes the binding; service "" asks by feature.
func newBinding(s *shape, service string, features []string, fields []*field) *binding {
	b := &binding{shape: s, features: features, fields: fields}
	if service != "" {
		b.head = api.AppendString([]byte(`{"service":`), service)
		return b
	}
	b.head = []byte(`{"features":[`)
	for i, f := range features {
		if i > 0 {
			b.head = append(b.head, ',')
		}
		b.head = api.AppendString(b.head, f)
	}
	b.head = append(b.head, ']')
	return b
}

func (s *schema) column(ref feature.Reference) (columnType, bool) {
	v, ok := s.views[ref.View]
	if !ok {
		return columnType{}, false
	}
	c, ok := v.features[ref.Feature]
	return c, ok
}

// bind binds a struct to a service, or to the features of its tags when
// service is "". The error names every field that does not fit.
func (s *schema) bind(shape *shape, service string) (*binding, error) {
	var refs []feature.Reference
	if service != "" {
		var ok bool
		if refs, ok = s.services[service]; !ok {
			return nil, fmt.Errorf("%w: %s", ErrServiceNotFound, notFound("service", service, slices.Collect(maps.Keys(s.services))))
		}
	}
	if len(shape.features) == 0 {
		return nil, fmt.Errorf("%w: %s has no feature tag, such as feature:\"view:feature\"", ErrMismatch, shape.typ)
	}
	fieldOf := map[feature.Reference]*field{}
	var faults []error
	for _, f := range shape.features {
		ref, err := s.resolve(f, refs, service)
		if err == nil && fieldOf[ref] != nil {
			err = fmt.Errorf("%s: tag %s: %s has a field already, %s", f.name, f.tag, ref, fieldOf[ref].name)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		fieldOf[ref] = f
		if service == "" {
			refs = append(refs, ref)
		}
		column, _ := s.column(ref)
		if err := f.mismatch(column.typ, column.rule); err != nil {
			faults = append(faults, err)
		} else if column.typ.Kind == feature.Float32 {
			narrow := *f
			narrow.value = narrowed(f.value)
			fieldOf[ref] = &narrow
		}
	}
	faults = append(faults, s.checkKeys(shape, refs)...)
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrMismatch, errors.Join(faults...))
	}
	names, fields := make([]string, len(refs)), make([]*field, len(refs))
	for i, ref := range refs {
		names[i], fields[i] = ref.String(), fieldOf[ref]
	}
	return newBinding(shape, service, names, fields), nil
}

// resolve finds the feature that a tag means: one of the service's, or one of
// the project's.
func (s *schema) resolve(f *field, refs []feature.Reference, service string) (feature.Reference, error) {
	var found, all []feature.Reference
	consider := func(ref feature.Reference) {
		all = append(all, ref)
		if ref.Feature == f.column && (f.view == "" || f.view == ref.View) && !slices.Contains(found, ref) {
			found = append(found, ref)
		}
	}
	where := "the project"
	if service != "" {
		where = "service " + service
		for _, ref := range refs {
			consider(ref)
		}
	} else {
		for _, name := range slices.Sorted(maps.Keys(s.views)) {
			for column := range s.views[name].features {
				consider(feature.Reference{View: name, Feature: column})
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		names := make([]string, len(all))
		for i, ref := range all {
			names[i] = ref.String()
		}
		return feature.Reference{}, fmt.Errorf("%s: tag %s: %s has no such feature%s", f.name, f.tag, where, nearest(f.column, names))
	}
	return feature.Reference{}, fmt.Errorf("%s: tag %s: %s has several such features, %s and %s; name the view", f.name, f.tag, where, found[0], found[1])
}

// checkKeys checks the key fields that join keys of the features have.
func (s *schema) checkKeys(shape *shape, refs []feature.Reference) []error {
	var faults []error
	for _, f := range shape.keys {
		for _, ref := range refs {
			view := s.views[ref.View]
			if view == nil {
				continue
			}
			i := slices.IndexFunc(view.keys, func(k feature.JoinKey) bool { return k.Name == f.column })
			if i < 0 {
				continue
			}
			if err := f.mismatchKey(view.keys[i]); err != nil {
				faults = append(faults, err)
			}
			break
		}
	}
	return faults
}

func (f *field) mismatchKey(k feature.JoinKey) error {
	if f.value.holds(k.Type) {
		return nil
	}
	return fmt.Errorf("%s: tag %s: the join key is %s, which a Go %s does not hold; use %s", f.name, f.tag, k.Type, f.typ, goTypeFor(k.Type))
}

func notFound(kind, name string, known []string) string {
	return fmt.Sprintf("no %s %q%s", kind, name, nearest(name, known))
}

// nearest suggests a known name that resembles name, or lists the known ones
// when they are few.
func nearest(name string, known []string) string {
	slices.Sort(known)
	near := feature.Nearest(name, known)
	if i := slices.IndexFunc(known, func(k string) bool { return strings.HasSuffix(k, ":"+name) }); i >= 0 {
		near = known[i]
	}
	if near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	const few = 8
	if len(known) == 0 || len(known) > few {
		return ""
	}
	return "; there is " + strings.Join(known, ", ")
}
