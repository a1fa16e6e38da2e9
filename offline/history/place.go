package history

import "featurestore/feature"

// place is where the files of a view lie.
type place struct {
	project string
	view    *feature.ResolvedView // nil where it is not known
}

// noPlace is that of views that are not known.
var noPlace = place{}

func (p place) name() string {
	if p.view == nil {
		return ""
	}
	return p.view.Name
}

// viewsOf returns the places of all views of a registry.
func viewsOf(r *feature.Registry) map[feature.ViewID]place {
	views := map[feature.ViewID]place{}
	for _, project := range r.Projects() {
		c, ok := r.Catalog(project)
		if !ok {
			continue
		}
		for _, v := range c.Views() {
			views[v.ID] = place{project, v}
		}
	}
	return views
}
