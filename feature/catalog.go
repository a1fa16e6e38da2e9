package feature

import (
	"fmt"
	"maps"
	"slices"
)

// Catalog is one project's applied definitions with their ids, indexed. It is
// immutable: what its methods return is shared and must not be modified,
// unless said otherwise.
type Catalog struct {
	project  string
	revision uint64
	defs     Definitions
	// groups are those declared, and the default group where a view needs it.
	groups    map[string]*Group
	entities  map[string]*Entity
	views     map[string]*ResolvedView
	viewsByID map[ViewID]*ResolvedView
	ordered   []*ResolvedView
	onDemands map[string]*OnDemand
	services  map[string]*Service
	sources   map[string][]*ResolvedView
	// implicit is the id of a default group that is not declared, or 0.
	implicit GroupID
	// last is the highest feature id ever given in each view.
	last map[ViewID]FeatureID
}

// catalogIDs is what definitions do not say and a registry must remember.
type catalogIDs struct {
	implicit GroupID
	last     map[ViewID]FeatureID
}

// newCatalog indexes valid definitions that carry ids; it keeps d.
func newCatalog(d Definitions, revision uint64, ids catalogIDs) (*Catalog, error) {
	c := &Catalog{
		project: d.Project, revision: revision, defs: d, implicit: ids.implicit, last: ids.last,
		groups: map[string]*Group{}, entities: map[string]*Entity{},
		views: map[string]*ResolvedView{}, viewsByID: map[ViewID]*ResolvedView{},
		onDemands: map[string]*OnDemand{}, services: map[string]*Service{},
		sources: map[string][]*ResolvedView{},
	}
	for i := range d.Groups {
		c.groups[d.Groups[i].Name] = &d.Groups[i]
	}
	if ids.implicit != 0 {
		c.groups[DefaultGroup] = &Group{ID: ids.implicit, Name: DefaultGroup}
	}
	for i := range d.Entities {
		c.entities[d.Entities[i].Name] = &d.Entities[i]
	}
	for _, v := range d.Views {
		if err := c.addView(v); err != nil {
			return nil, err
		}
	}
	for i := range d.OnDemands {
		c.onDemands[d.OnDemands[i].Name] = &d.OnDemands[i]
	}
	for i := range d.Services {
		c.services[d.Services[i].Name] = &d.Services[i]
	}
	return c, nil
}

func (c *Catalog) addView(v View) error {
	g, ok := c.groups[v.GroupName()]
	if !ok {
		return fmt.Errorf("view %s: no group %s", v.Name, v.GroupName())
	}
	keys, err := unionKeys(v.Entities, func(name string) (*Entity, bool) {
		e, ok := c.entities[name]
		return e, ok
	})
	if err != nil {
		return fmt.Errorf("view %s: %w", v.Name, err)
	}
	r := resolveView(v, keys, g)
	c.views[v.Name] = r
	c.viewsByID[v.ID] = r
	c.ordered = append(c.ordered, r)
	if v.PushSource != "" {
		c.sources[v.PushSource] = append(c.sources[v.PushSource], r)
	}
	return nil
}

// Project returns the project's name.
func (c *Catalog) Project() string { return c.project }

// Revision rises by one with each apply that changes the project; the first
// is 1.
func (c *Catalog) Revision() uint64 { return c.revision }

// Definitions returns a copy of what was applied, with ids, as declared: a
// default group that nobody declared is not in it.
func (c *Catalog) Definitions() Definitions { return c.defs.Clone() }

// View returns the view of that name; on-demand views are not among them.
func (c *Catalog) View(name string) (*ResolvedView, bool) {
	v, ok := c.views[name]
	return v, ok
}

// ViewByID returns the view of that id; false for dropped ones.
func (c *Catalog) ViewByID(id ViewID) (*ResolvedView, bool) {
	v, ok := c.viewsByID[id]
	return v, ok
}

// Views returns all views in declared order.
func (c *Catalog) Views() []*ResolvedView { return slices.Clip(c.ordered) }

// Entity returns the entity of that name.
func (c *Catalog) Entity(name string) (*Entity, bool) {
	e, ok := c.entities[name]
	return e, ok
}

// Service returns the feature service of that name.
func (c *Catalog) Service(name string) (*Service, bool) {
	s, ok := c.services[name]
	return s, ok
}

// OnDemand returns the on-demand view of that name.
func (c *Catalog) OnDemand(name string) (*OnDemand, bool) {
	o, ok := c.onDemands[name]
	return o, ok
}

// Group returns the group of that name: declared, or the default group once a
// view is in it.
func (c *Catalog) Group(name string) (*Group, bool) {
	g, ok := c.groups[name]
	return g, ok
}

// Groups returns all groups by name.
func (c *Catalog) Groups() []*Group {
	out := make([]*Group, 0, len(c.groups))
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		out = append(out, c.groups[name])
	}
	return out
}

// PushSource returns the views that a push source feeds, in declared order;
// none when no view names it.
func (c *Catalog) PushSource(name string) []*ResolvedView { return slices.Clip(c.sources[name]) }

// TypeOf returns the type of a stored or an on-demand feature, or the error of
// NoFeature.
func (c *Catalog) TypeOf(ref Reference) (Type, error) {
	if v, ok := c.views[ref.View]; ok {
		if f, ok := v.Field(ref.Feature); ok {
			return f.Type, nil
		}
	}
	if o, ok := c.onDemands[ref.View]; ok {
		for _, f := range o.Fields {
			if f.Name == ref.Feature {
				return f.Type, nil
			}
		}
	}
	return Type{}, c.NoFeature(ref)
}
