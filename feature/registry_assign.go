package feature

import "math"

// assign writes ids into d, next to those of before: the same object keeps its
// id, a renamed feature takes over the id, all else gets one never given.
// It raises the counters of r, which is the registry to be.
func (r *Registry) assign(before *Catalog, d Definitions, faults *problems) catalogIDs {
	ids := catalogIDs{last: map[ViewID]FeatureID{}}
	for i := range d.Groups {
		g := &d.Groups[i]
		if old, ok := before.groups[g.Name]; ok {
			g.ID = old.ID
		} else {
			g.ID = r.newGroup(faults)
		}
	}
	if usesImplicitGroup(d) {
		if old, ok := before.groups[DefaultGroup]; ok {
			ids.implicit = old.ID
		} else {
			ids.implicit = r.newGroup(faults)
		}
	}
	for i := range d.Views {
		v := &d.Views[i]
		old, ok := before.views[v.Name]
		if !ok {
			if r.lastView == math.MaxUint32 {
				faults.add("views", "every view id was given: the store can hold no new view")
				return ids
			}
			r.lastView++
			v.ID = r.lastView
			old = &ResolvedView{}
		} else {
			v.ID = old.ID
		}
		ids.last[v.ID] = assignFields(old, before.last[v.ID], v, faults)
	}
	return ids
}

func (r *Registry) newGroup(faults *problems) GroupID {
	if r.lastGroup == math.MaxUint16 {
		faults.add("groups", "every group id was given: the store can hold no new group")
		return 0
	}
	r.lastGroup++
	return r.lastGroup
}

// usesImplicitGroup reports whether a view is in a default group that nobody
// declared.
func usesImplicitGroup(d Definitions) bool {
	for _, g := range d.Groups {
		if g.Name == DefaultGroup {
			return false
		}
	}
	for _, v := range d.Views {
		if v.GroupName() == DefaultGroup {
			return true
		}
	}
	return false
}

// assignFields gives the features of v their ids and returns the highest ever
// given in the view.
func assignFields(old *ResolvedView, last FeatureID, v *View, faults *problems) FeatureID {
	declared := make(map[string]bool, len(v.Fields))
	for _, f := range v.Fields {
		declared[f.Name] = true
	}
	for i := range v.Fields {
		f := &v.Fields[i]
		if same, ok := old.Field(f.Name); ok {
			f.ID = same.ID
			checkTakenName(old, same, f, v, faults)
			continue
		}
		if source, ok := old.Field(f.RenamedFrom); ok && f.RenamedFrom != "" {
			if declared[f.RenamedFrom] {
				faults.add(fieldPath(v.Name, f.Name)+".renamed_from",
					"feature %q is still declared, so its data cannot become that of %q: remove one of the two", f.RenamedFrom, f.Name)
			}
			f.ID = source.ID
			continue
		}
		if last == math.MaxUint32 {
			faults.add(fieldPath(v.Name, f.Name), "every feature id of the view was given: declare a new view")
			continue
		}
		last++
		f.ID = last
	}
	return last
}

// checkTakenName refuses a rename onto a feature that has data of its own. One
// that was applied before is a no-op, and so is one whose source is gone.
func checkTakenName(old *ResolvedView, same *Field, f *Field, v *View, faults *problems) {
	if f.RenamedFrom == "" || f.RenamedFrom == same.RenamedFrom {
		return
	}
	if _, ok := old.Field(f.RenamedFrom); ok {
		faults.refuse(fieldPath(v.Name, f.Name)+".renamed_from",
			"feature %q has data of its own and cannot take over that of %q: drop %q first, apply, then rename", f.Name, f.RenamedFrom, f.Name)
	}
}
