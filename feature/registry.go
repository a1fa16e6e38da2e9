package feature

import (
	"errors"
	"maps"
	"slices"
)

// Registry holds the applied definitions of every project of a store, and
// which ids were ever given. It is immutable: Apply returns another one. The
// zero value is an empty registry.
type Registry struct {
	revision  uint64
	line      Line
	began     uint64
	lastView  ViewID
	lastGroup GroupID
	projects  map[string]*project
	// groups are those of every project.
	groups map[GroupID]*Group
	checks Checks
}

// project is one project's place in a registry.
type project struct {
	catalog *Catalog
	// history holds the latest applies, oldest first, at most maxHistory.
	history []Applied
}

// Applied is what one apply changed, kept so that a conflict can tell.
type Applied struct {
	// Revision of the project after it.
	Revision uint64
	// Changes are the printed differences, at most maxHistoryLines of them.
	Changes []string
}

// What a registry remembers for ConflictError.Difference.
const (
	maxHistory      = 16
	maxHistoryLines = 64
	maxHistoryBytes = 500 // of a line
)

// Checks are the parts of validation that other rooms know. A nil function
// checks nothing.
type Checks struct {
	// Words checks a word of the consistency room. Field is "read.level",
	// "read.read_repair", "read.at_least", "read.fallback" (one step at a time),
	// "write.concern", "write.on_timeout", "write.at_least" or "durability"; text is not empty. The error says
	// what would be right.
	Words func(field, text string) error
	// Reads checks the read settings of a group or a view as a whole, once
	// their words are right.
	Reads func(ReadDefaults) error
	// Floors checks that the defaults of a view are no less than what its group
	// and itself want at least. Of the view, only its name, its group and their
	// settings are there.
	Floors func(*ResolvedView) error
	// OnDemand checks the expressions of an on-demand view. Paths of its
	// problems are relative to the view, such as "features[score].expr".
	OnDemand func(o OnDemand, inputType func(Reference) (Type, error)) []Problem
}

// NewRegistry returns an empty registry that checks nothing beyond this room.
func NewRegistry() *Registry { return &Registry{} }

// With returns a registry of the same contents whose Plan and Apply, and those
// of the registries it becomes, run checks too.
func (r *Registry) With(checks Checks) *Registry {
	out := *r
	out.checks = checks
	return &out
}

// Revision rises by one with each apply that changes something; 0 when empty.
func (r *Registry) Revision() uint64 { return r.revision }

// Projects returns the names of all projects in order.
func (r *Registry) Projects() []string {
	return slices.Sorted(maps.Keys(r.projects))
}

// Catalog returns the applied definitions of a project. NoProject makes the
// error for callers who need one.
func (r *Registry) Catalog(name string) (*Catalog, bool) {
	p, ok := r.projects[name]
	if !ok {
		return nil, false
	}
	return p.catalog, true
}

// Groups returns the groups of every project by id, each once. They are shared
// and must not be modified.
func (r *Registry) Groups() []*Group {
	ids := slices.Sorted(maps.Keys(r.groups))
	out := make([]*Group, len(ids))
	for i, id := range ids {
		out[i] = r.groups[id]
	}
	return out
}

// Group returns the group of an id, whichever project has it; nil for none. It
// is shared and must not be modified.
func (r *Registry) Group(id GroupID) *Group { return r.groups[id] }

// indexGroups sets groups.
func (r *Registry) indexGroups() {
	r.groups = map[GroupID]*Group{}
	for _, p := range r.projects {
		for _, g := range p.catalog.groups {
			r.groups[g.ID] = g
		}
	}
}

// Plan returns what Apply would change. A plan without changes IsEmpty. The
// error is an *InvalidError that lists every fault.
func (r *Registry) Plan(d Definitions) (Plan, error) {
	_, plan, err := r.prepare(d)
	return plan, err
}

// Apply returns the registry in which d is the whole of its project: what d
// does not name is dropped. With nothing to change it returns r itself.
//
// Expect is the project's revision that the caller planned against, 0 for a
// project that did not exist; nil applies to whatever is there. Another
// revision is a *ConflictError, faults of d are an *InvalidError; in both
// cases nothing changes.
func (r *Registry) Apply(d Definitions, expect *uint64) (*Registry, Plan, error) {
	if expect != nil {
		if err := r.checkRevision(d.Project, *expect); err != nil {
			return nil, Plan{}, err
		}
	}
	return r.prepare(d)
}

func (r *Registry) checkRevision(name string, want uint64) error {
	p := r.projects[name]
	have := uint64(0)
	if p != nil {
		have = p.catalog.revision
	}
	if want == have {
		return nil
	}
	e := &ConflictError{Project: name, Want: want, Have: have}
	if p != nil && want < have {
		e.Difference = p.changesSince(want)
	}
	return e
}

// prepare checks d against r and returns r as it would be with it.
func (r *Registry) prepare(d Definitions) (*Registry, Plan, error) {
	d = d.Clone()
	faults := validate(d, r.checks)
	old, exists := r.projects[d.Project]
	if !exists && len(r.projects) >= MaxProjects {
		faults.add("project", "the store has %d projects, which is the most it holds", MaxProjects)
	}
	if err := faults.err(d.Project); err != nil {
		return nil, Plan{}, err
	}
	before := &Catalog{project: d.Project}
	if exists {
		before = old.catalog
	}
	next := *r
	ids := next.assign(before, d, &faults)
	after, err := newCatalog(d, before.revision+1, ids)
	if err != nil {
		return nil, Plan{}, errors.Join(faults.err(d.Project), err)
	}
	checkCompatible(before, after, &faults)
	if err := faults.err(d.Project); err != nil {
		return nil, Plan{}, err
	}
	plan := Plan{Project: d.Project, From: before.revision}
	if !exists {
		plan.Changes = append(plan.Changes, Difference{Op: Add, Object: "project " + d.Project})
	}
	plan.Changes = append(plan.Changes, diff(before, after)...)
	if plan.IsEmpty() {
		return r, plan, nil
	}
	next.revision++
	next.projects = maps.Clone(r.projects)
	if next.projects == nil {
		next.projects = map[string]*project{}
	}
	p := &project{catalog: after}
	if exists {
		p.history = old.history
	}
	p.remember(plan)
	next.projects[d.Project] = p
	next.indexGroups()
	return &next, plan, nil
}
