package sdk

import (
	"context"
	"fmt"
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
