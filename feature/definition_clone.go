package feature

import (
	"maps"
	"slices"
)

// Clone returns a copy of d that shares no slice or map with it.
func (d Definitions) Clone() Definitions {
	d.Entities = slices.Clone(d.Entities)
	for i := range d.Entities {
		e := &d.Entities[i]
		e.Tags, e.JoinKeys = maps.Clone(e.Tags), slices.Clone(e.JoinKeys)
	}
	d.Groups = slices.Clone(d.Groups)
	for i := range d.Groups {
		g := &d.Groups[i]
		g.Regions, g.Home = slices.Clone(g.Regions), slices.Clone(g.Home)
		g.Read.Fallback = slices.Clone(g.Read.Fallback)
	}
	d.Views = slices.Clone(d.Views)
	for i := range d.Views {
		d.Views[i] = d.Views[i].clone()
	}
	d.OnDemands = slices.Clone(d.OnDemands)
	for i := range d.OnDemands {
		o := &d.OnDemands[i]
		o.Tags, o.Inputs = maps.Clone(o.Tags), slices.Clone(o.Inputs)
		o.Request, o.Fields = slices.Clone(o.Request), slices.Clone(o.Fields)
	}
	d.Services = slices.Clone(d.Services)
	for i := range d.Services {
		s := &d.Services[i]
		s.Tags, s.Features = maps.Clone(s.Tags), slices.Clone(s.Features)
	}
	return d
}

func (v View) clone() View {
	v.Tags, v.Entities = maps.Clone(v.Tags), slices.Clone(v.Entities)
	v.Read.Fallback = slices.Clone(v.Read.Fallback)
	v.Fields = slices.Clone(v.Fields)
	for i := range v.Fields {
		v.Fields[i].Tags = maps.Clone(v.Fields[i].Tags)
		v.Fields[i].Default = v.Fields[i].Default.Clone()
	}
	if v.BatchSource != nil {
		b := *v.BatchSource
		b.Columns = maps.Clone(b.Columns)
		v.BatchSource = &b
	}
	return v
}

// GroupName is the name of the view's group, declared or not.
func (v View) GroupName() string {
	if v.Group == "" {
		return DefaultGroup
	}
	return v.Group
}
