package export

import (
	"slices"

	"featurestore/feature"
	"featurestore/feature/definition"
)

// definitionOf returns the definitions of some views, with what they refer to and the
// service, "" for none, as a document that can be applied.
func definitionOf(c *feature.Catalog, wanted func(view string) bool, service string) (string, error) {
	d := c.Definitions().Clone()
	d.OnDemands = slices.DeleteFunc(d.OnDemands, func(o feature.OnDemand) bool { return !wanted(o.Name) })
	isInput := func(name string) bool {
		return slices.ContainsFunc(d.OnDemands, func(o feature.OnDemand) bool {
			return slices.ContainsFunc(o.Inputs, func(r feature.Reference) bool { return r.View == name })
		})
	}
	d.Views = slices.DeleteFunc(d.Views, func(v feature.View) bool { return !wanted(v.Name) && !isInput(v.Name) })
	has := func(is func(*feature.View) bool) bool {
		return slices.ContainsFunc(d.Views, func(v feature.View) bool { return is(&v) })
	}
	d.Entities = slices.DeleteFunc(d.Entities, func(e feature.Entity) bool {
		return !has(func(v *feature.View) bool { return slices.Contains(v.Entities, e.Name) })
	})
	d.Groups = slices.DeleteFunc(d.Groups, func(g feature.Group) bool {
		return !has(func(v *feature.View) bool { return v.GroupName() == g.Name })
	})
	d.Services = slices.DeleteFunc(d.Services, func(s feature.Service) bool { return s.Name != service })
	text, err := definition.Format(d)
	return string(text), err
}
