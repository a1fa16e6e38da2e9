package feature

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// What a name did not find. Each matches the NotFoundError of its kind.
var (
	ErrNoProject    = errors.New("no such project")
	ErrNoView       = errors.New("no such view")
	ErrNoFeature    = errors.New("no such feature")
	ErrNoService    = errors.New("no such service")
	ErrNoEntity     = errors.New("no such entity")
	ErrNoPushSource = errors.New("no such push source")
)

var kindsNotFound = map[string]error{
	"project": ErrNoProject, "view": ErrNoView, "feature": ErrNoFeature,
	"service": ErrNoService, "entity": ErrNoEntity, "push source": ErrNoPushSource,
}

// NotFoundError names what was looked for. It matches the sentinel of its kind.
type NotFoundError struct {
	// Kind is "project", "view", "feature", "service", "entity" or "push source".
	Kind string
	// Name is what was asked for; of a feature, "view:feature".
	Name string
	// Project it was looked for in, "" for projects.
	Project string
	// Similar is the nearest existing name, "" when none is near.
	Similar string
}

// Error names it and suggests the nearest name.
func (e *NotFoundError) Error() string {
	s := fmt.Sprintf("no %s %q", e.Kind, Clip(e.Name))
	if e.Project != "" {
		s += fmt.Sprintf(" in project %q", e.Project)
	}
	if e.Similar != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Similar)
	}
	return s
}

// Is makes errors.Is(e, ErrNoView) true for a view, and so on.
func (e *NotFoundError) Is(target error) bool { return kindsNotFound[e.Kind] == target }

// NoProject returns the error for a project that Catalog did not find.
func (r *Registry) NoProject(name string) error {
	return &NotFoundError{Kind: "project", Name: name, Similar: nearest(name, maps.Keys(r.projects))}
}

// NoView returns the error for a view or on-demand view that was not found.
func (c *Catalog) NoView(name string) error {
	names := slices.Collect(maps.Keys(c.views))
	names = slices.AppendSeq(names, maps.Keys(c.onDemands))
	return &NotFoundError{Kind: "view", Name: name, Project: c.project, Similar: nearest(name, slices.Values(names))}
}

// NoFeature returns the error for a reference that was not found: the view's
// when that is what is missing.
func (c *Catalog) NoFeature(ref Reference) error {
	var names []string
	if v, ok := c.View(ref.View); ok {
		names = slices.Collect(maps.Keys(v.byName))
	} else if o, ok := c.OnDemand(ref.View); ok {
		for _, f := range o.Fields {
			names = append(names, f.Name)
		}
	} else {
		return c.NoView(ref.View)
	}
	similar := nearest(ref.Feature, slices.Values(names))
	if similar != "" {
		similar = Reference{View: ref.View, Feature: similar}.String()
	}
	return &NotFoundError{Kind: "feature", Name: ref.String(), Project: c.project, Similar: similar}
}

// NoService returns the error for a service that was not found.
func (c *Catalog) NoService(name string) error {
	return &NotFoundError{Kind: "service", Name: name, Project: c.project, Similar: nearest(name, maps.Keys(c.services))}
}

// NoEntity returns the error for an entity that was not found.
func (c *Catalog) NoEntity(name string) error {
	return &NotFoundError{Kind: "entity", Name: name, Project: c.project, Similar: nearest(name, maps.Keys(c.entities))}
}

// NoPushSource returns the error for a push source that feeds no view.
func (c *Catalog) NoPushSource(name string) error {
	return &NotFoundError{Kind: "push source", Name: name, Project: c.project, Similar: nearest(name, maps.Keys(c.sources))}
}
