package feature

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// RegistryState is everything a registry knows, for who stores it.
type RegistryState struct {
	Revision uint64
	// Line and Began are those of Registry.Version and Registry.Began.
	Line  Line
	Began uint64
	// LastView and LastGroup are the highest ids ever given.
	LastView  ViewID
	LastGroup GroupID
	// Projects are ordered by name.
	Projects []ProjectState
}

// ProjectState is one project of a RegistryState.
type ProjectState struct {
	Revision uint64
	// Definitions carry ids.
	Definitions Definitions
	// ImplicitGroup is the id of a default group that is not declared, or 0.
	ImplicitGroup GroupID
	// LastFeatures are the highest feature ids ever given, one a view, ordered
	// by view.
	LastFeatures []LastFeature
	// History holds the latest applies, oldest first.
	History []Applied
}

// LastFeature is the highest feature id ever given in a view.
type LastFeature struct {
	View    ViewID
	Feature FeatureID
}

// State returns a copy of what r knows; RestoreRegistry is its inverse. Checks
// are not part of it.
func (r *Registry) State() RegistryState {
	s := RegistryState{Revision: r.revision, Line: r.line, Began: r.began, LastView: r.lastView, LastGroup: r.lastGroup}
	for _, name := range r.Projects() {
		p := r.projects[name]
		ps := ProjectState{
			Revision: p.catalog.revision, Definitions: p.catalog.Definitions(), ImplicitGroup: p.catalog.implicit,
		}
		for _, id := range slices.Sorted(maps.Keys(p.catalog.last)) {
			ps.LastFeatures = append(ps.LastFeatures, LastFeature{View: id, Feature: p.catalog.last[id]})
		}
		for _, a := range p.history {
			ps.History = append(ps.History, Applied{Revision: a.Revision, Changes: slices.Clone(a.Changes)})
		}
		s.Projects = append(s.Projects, ps)
	}
	return s
}

// RestoreRegistry returns the registry that State described. A state that no
// registry can have is an error that matches ErrCorrupt: an id given twice, or
// beyond the last one given, would let rows of one view show up in another.
// Definitions are validated again, so a rule that becomes stricter has to admit
// what was applied before it.
func RestoreRegistry(s RegistryState) (*Registry, error) {
	r := &Registry{revision: s.Revision, line: s.Line, began: s.Began, lastView: s.LastView, lastGroup: s.LastGroup, projects: map[string]*project{}}
	views, groups := map[ViewID]bool{}, map[GroupID]bool{}
	revisions := uint64(0)
	for i, ps := range s.Projects {
		name := ps.Definitions.Project
		if i > 0 && cmp.Compare(s.Projects[i-1].Definitions.Project, name) >= 0 {
			return nil, fmt.Errorf("%w: projects are not in order at %q", ErrCorrupt, Clip(name))
		}
		c, err := restoreCatalog(ps)
		if err != nil {
			return nil, fmt.Errorf("%w: project %q: %w", ErrCorrupt, Clip(name), err)
		}
		for _, v := range c.ordered {
			if v.ID == 0 || v.ID > s.LastView || views[v.ID] {
				return nil, fmt.Errorf("%w: view %s has id %d, last is %d", ErrCorrupt, v.Name, v.ID, s.LastView)
			}
			views[v.ID] = true
		}
		for _, g := range c.groups {
			if g.ID == 0 || g.ID > s.LastGroup || groups[g.ID] {
				return nil, fmt.Errorf("%w: group %s has id %d, last is %d", ErrCorrupt, g.Name, g.ID, s.LastGroup)
			}
			groups[g.ID] = true
		}
		revisions += c.revision
		r.projects[name] = &project{catalog: c, history: ps.History}
	}
	if revisions != s.Revision || len(s.Projects) > MaxProjects {
		return nil, fmt.Errorf("%w: revision %d of the store is not the sum %d of its projects", ErrCorrupt, s.Revision, revisions)
	}
	r.indexGroups()
	return r, nil
}

func restoreCatalog(ps ProjectState) (*Catalog, error) {
	d := ps.Definitions.Clone()
	faults := validate(d, Checks{})
	if err := faults.err(d.Project); err != nil {
		return nil, err
	}
	if usesImplicitGroup(d) != (ps.ImplicitGroup != 0) {
		return nil, fmt.Errorf("default group with id %d", ps.ImplicitGroup)
	}
	if ps.Revision == 0 {
		return nil, fmt.Errorf("revision 0")
	}
	ids := catalogIDs{implicit: ps.ImplicitGroup, last: map[ViewID]FeatureID{}}
	for i, l := range ps.LastFeatures {
		if i > 0 && ps.LastFeatures[i-1].View >= l.View {
			return nil, fmt.Errorf("last features are not in order at view %d", l.View)
		}
		ids.last[l.View] = l.Feature
	}
	c, err := newCatalog(d, ps.Revision, ids)
	if err != nil {
		return nil, err
	}
	if len(ids.last) != len(c.ordered) {
		return nil, fmt.Errorf("%d last features for %d views", len(ids.last), len(c.ordered))
	}
	for _, v := range c.ordered {
		last, ok := ids.last[v.ID]
		if !ok || len(v.byID) != len(v.Fields) {
			return nil, fmt.Errorf("view %s: ids of features", v.Name)
		}
		for _, f := range v.Fields {
			if f.ID == 0 || f.ID > last {
				return nil, fmt.Errorf("feature %s:%s has id %d, last is %d", v.Name, f.Name, f.ID, last)
			}
		}
	}
	return c, checkHistory(ps)
}

func checkHistory(ps ProjectState) error {
	if len(ps.History) > maxHistory {
		return fmt.Errorf("history of %d applies, at most %d", len(ps.History), maxHistory)
	}
	for i, a := range ps.History {
		if want := ps.Revision - uint64(len(ps.History)-1-i); a.Revision != want || a.Revision > ps.Revision {
			return fmt.Errorf("history has revision %d, want %d", a.Revision, want)
		}
	}
	return nil
}
