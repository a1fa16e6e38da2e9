package sdk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"featurestore/api"
	"featurestore/feature"
)

// schema is what the client knows of its project's definitions: enough to
// check tags against.
type schema struct {
	views    map[string]*viewSchema
	services map[string][]feature.Reference
	sources  map[string][]*viewSchema
	// fresh says that it was read for the call at hand.
	fresh bool
}

// viewSchema is a view, or an on-demand view, which has no keys.
type viewSchema struct {
	name     string
	keys     []feature.JoinKey
	features map[string]columnType
}

// columnType is the type and the conflict rule of a feature.
type columnType struct {
	typ  feature.Type
	rule feature.Rule
}

// schemas keeps the schema; reading it is done once, whoever waits for it.
type schemas struct {
	reading sync.Mutex // held while reading
	mu      struct {
		sync.Mutex
		current *schema
		reads   uint64
	}
}

// schema returns the project's definitions; fresh reads them anew, unless
// another call did so while this one waited.
func (c *Client) schema(ctx context.Context, fresh bool) (*schema, error) {
	current, reads := c.schemas.get()
	if current != nil && !fresh {
		return current, nil
	}
	c.schemas.reading.Lock()
	defer c.schemas.reading.Unlock()
	if current, now := c.schemas.get(); current != nil && now != reads {
		return current, nil
	}
	read, err := c.readSchema(ctx)
	if err != nil {
		return nil, err
	}
	c.schemas.put(read)
	first := *read
	first.fresh = true
	return &first, nil
}

func (s *schemas) get() (*schema, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.current, s.mu.reads
}

func (s *schemas) put(current *schema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.current = current
	s.mu.reads++
}

// readSchema reads views, services and on-demand views of one revision.
func (c *Client) readSchema(ctx context.Context) (*schema, error) {
	const tries = 3
	for range tries {
		var all api.Catalog
		same := true
		for i, section := range []string{"views", "services", "on-demand"} {
			list, err := get[api.Catalog](ctx, c, c.path(section))
			if err != nil {
				return nil, err
			}
			same = same && (i == 0 || list.Revision == all.Revision)
			all.Revision = list.Revision
			all.Views = append(all.Views, list.Views...)
			all.Services = append(all.Services, list.Services...)
			all.OnDemands = append(all.OnDemands, list.OnDemands...)
		}
		if same {
			return schemaOf(all)
		}
	}
	return nil, fmt.Errorf("read the project's definitions: %w, %d times", ErrChanged, tries)
}

// schemaOf indexes definitions as the server lists them.
func schemaOf(all api.Catalog) (*schema, error) {
	s := &schema{views: map[string]*viewSchema{}, services: map[string][]feature.Reference{}, sources: map[string][]*viewSchema{}}
	for _, v := range all.Views {
		view, err := viewSchemaOf(v.Name, v.JoinKeys, v.Features)
		if err != nil {
			return nil, err
		}
		s.views[v.Name] = view
		if v.PushSource != "" {
			s.sources[v.PushSource] = append(s.sources[v.PushSource], view)
		}
	}
	for _, o := range all.OnDemands {
		view, err := viewSchemaOf(o.Name, nil, o.Features)
		if err != nil {
			return nil, err
		}
		s.views[o.Name] = view
	}
	for _, service := range all.Services {
		refs := make([]feature.Reference, len(service.Features))
		for i, name := range service.Features {
			refs[i].View, refs[i].Feature, _ = strings.Cut(name, ":")
		}
		s.services[service.Name] = refs
	}
	return s, nil
}

func viewSchemaOf(name string, keys []api.NamedType, features []api.Feature) (*viewSchema, error) {
	view := &viewSchema{name: name, features: map[string]columnType{}}
	for _, k := range keys {
		t, err := feature.ParseType(k.Type)
		if err != nil {
			return nil, fmt.Errorf("view %s: join key %s: %w: %w", name, k.Name, ErrBadAnswer, err)
		}
		view.keys = append(view.keys, feature.JoinKey{Name: k.Name, Type: t})
	}
	for _, f := range features {
		t, err := feature.ParseType(f.Type)
		if err != nil {
			return nil, fmt.Errorf("feature %s:%s: %w: %w", name, f.Name, ErrBadAnswer, err)
		}
		rule, err := feature.ParseRule(f.Conflict)
		if err != nil {
			return nil, fmt.Errorf("feature %s:%s: %w: %w", name, f.Name, ErrBadAnswer, err)
		}
		view.features[f.Name] = columnType{t, rule}
	}
	return view, nil
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

var rawRowType = reflect.TypeFor[RawRow]()

// bindPush binds a row type to the target of a push.
func (c *Client) bindPush(ctx context.Context, typ reflect.Type, to Target) (*pushBinding, error) {
	if err := to.check(); err != nil {
		return nil, err
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
	return b, err
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
	b.keyNames = slices.Sorted(maps.Keys(keys))
	if b.raw {
		return b, nil
	}
	shape, err := shapeOf(typ)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, name := range b.keyNames {
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
			if err := f.mismatch(column.typ, column.rule); err != nil {
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
