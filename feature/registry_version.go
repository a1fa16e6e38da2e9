package feature

import (
	"cmp"
	"maps"
	"math"
)

// Line says which store numbered the revisions of a registry, where several
// stores share one: the home, and the how manieth it is. Zero is that of a store
// that shares with nobody.
type Line struct {
	Epoch uint64
	Home  string
}

// RegistryVersion names a registry, and says how it stands to others. Stores that
// share one take the greatest.
type RegistryVersion struct {
	Line
	Revision uint64
}

// Compare orders versions by age: negative when v is older than o. A successor's
// registry holds over all that the home before it makes afterwards, whatever its
// revision.
func (v RegistryVersion) Compare(o RegistryVersion) int {
	return cmp.Or(cmp.Compare(v.Epoch, o.Epoch), cmp.Compare(v.Home, o.Home), cmp.Compare(v.Revision, o.Revision))
}

// Version names r.
func (r *Registry) Version() RegistryVersion {
	return RegistryVersion{Line: r.line, Revision: r.revision}
}

// Began is the revision after which the home that changed r last went on; what
// another home had numbered beyond it is void.
func (r *Registry) Began() uint64 { return r.began }

// skippedIDs is more than a home gives that another one has taken over from.
const skippedIDs = 256

// In returns r as the home of a line goes on from it; r itself when it is of that
// line, or of a later one. A home that follows another leaves ids out: the one
// before may have given them since, unseen, and written rows under them.
func (r *Registry) In(line Line) *Registry {
	if (RegistryVersion{Line: line}).Compare(RegistryVersion{Line: r.line}) <= 0 {
		return r
	}
	out := *r
	out.line, out.began = line, r.revision
	if line.Epoch <= 1 {
		return &out
	}
	out.lastView = skip(r.lastView, math.MaxUint32)
	out.lastGroup = skip(r.lastGroup, math.MaxUint16)
	out.projects = maps.Clone(r.projects)
	for name, p := range r.projects {
		c := *p.catalog
		c.last = maps.Clone(c.last)
		for view, last := range c.last {
			c.last[view] = skip(last, math.MaxUint32)
		}
		out.projects[name] = &project{catalog: &c, history: p.history}
	}
	return &out
}

func skip[T ~uint16 | ~uint32](last T, most uint64) T {
	return T(min(uint64(last)+skippedIDs, most))
}
