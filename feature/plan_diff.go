package feature

import (
	"cmp"
	"slices"
	"strconv"
)

// diff lists what turns before into after, in the order of Plan. The views
// are compatible and carry ids; features match by id, all else by name.
func diff(before, after *Catalog) []Difference {
	var out []Difference
	out = append(out, diffNamed("group", before.Groups(), after.Groups(), groupFacts)...)
	notePresets(out, after)
	out = append(out, diffNamed("entity", pointers(before.defs.Entities), pointers(after.defs.Entities), entityFacts)...)
	out = append(out, diffViews(before, after)...)
	out = append(out, diffNamed("on_demand", pointers(before.defs.OnDemands), pointers(after.defs.OnDemands), onDemandFacts)...)
	out = append(out, diffNamed("service", pointers(before.defs.Services), pointers(after.defs.Services), serviceFacts)...)
	return out
}

// fact is one printable property. Equal properties print alike.
type fact struct{ field, value string }

// facts is what describes an object, with its name first.
type facts struct {
	name string
	list []fact
}

func (f *facts) add(field, value string) { f.list = append(f.list, fact{field, value}) }

// changes compares two descriptions of one object. A field that only one of
// them has counts as "" in the other.
func changes(object string, before, after facts) []Difference {
	var out []Difference
	for _, f := range after.list {
		if from := before.value(f.field); from != f.value {
			out = append(out, Difference{Op: Modify, Object: object, Field: f.field, From: from, To: f.value})
		}
	}
	for _, f := range before.list {
		if !slices.ContainsFunc(after.list, func(g fact) bool { return g.field == f.field }) && f.value != "" {
			out = append(out, Difference{Op: Modify, Object: object, Field: f.field, From: f.value})
		}
	}
	return out
}

func (f facts) value(field string) string {
	i := slices.IndexFunc(f.list, func(g fact) bool { return g.field == field })
	if i < 0 {
		return ""
	}
	return f.list[i].value
}

func diffNamed[T any](kind string, before, after []*T, describe func(*T) facts) []Difference {
	old := make(map[string]facts, len(before))
	for _, o := range before {
		f := describe(o)
		old[f.name] = f
	}
	var out []Difference
	kept := make(map[string]bool, len(after))
	for _, o := range after {
		f := describe(o)
		kept[f.name] = true
		if was, ok := old[f.name]; ok {
			out = append(out, changes(kind+" "+f.name, was, f)...)
		} else {
			out = append(out, Difference{Op: Add, Object: kind + " " + f.name})
		}
	}
	for _, o := range before {
		if name := describe(o).name; !kept[name] {
			out = append(out, Difference{Op: Drop, Object: kind + " " + name})
		}
	}
	return out
}

// notePresets says of each added group what its preset stands for.
func notePresets(list []Difference, after *Catalog) {
	for i, d := range list {
		for _, g := range after.Groups() {
			if d.Op == Add && d.Object == "group "+g.Name && g.Preset != "" {
				list[i].Note = "preset " + g.Preset + ": " + g.SettingsText()
			}
		}
	}
}

const (
	noteDropped = "its values are no longer served; added again it starts empty"
	noteNoData  = "starts empty"
)

func diffViews(before, after *Catalog) []Difference {
	var out []Difference
	for _, v := range after.ordered {
		old, ok := before.views[v.Name]
		if !ok {
			out = append(out, Difference{Op: Add, Object: "view " + v.Name})
			old = &ResolvedView{}
		} else {
			out = append(out, changes("view "+v.Name, viewFacts(old), viewFacts(v))...)
		}
		out = append(out, diffFields(old, v)...)
	}
	for _, old := range before.ordered {
		if _, ok := after.views[old.Name]; !ok {
			out = append(out, Difference{Op: Drop, Object: "view " + old.Name, Note: noteDropped})
		}
	}
	return out
}

func diffFields(old, v *ResolvedView) []Difference {
	var out []Difference
	for i := range v.Fields {
		f := &v.Fields[i]
		object := "feature " + Reference{v.Name, f.Name}.String()
		was, ok := old.FieldByID(f.ID)
		if !ok {
			d := Difference{Op: Add, Object: object, To: f.Type.String()}
			if f.RenamedFrom != "" && old.ID != 0 {
				d.Note = "no feature " + f.RenamedFrom + " to rename: " + noteNoData
			}
			out = append(out, d)
			continue
		}
		if was.Name != f.Name {
			out = append(out, Difference{Op: Rename, Object: object, From: was.Name, To: f.Name})
		}
		out = append(out, changes(object, fieldFacts(was), fieldFacts(f))...)
	}
	gone := slices.DeleteFunc(slices.Clone(old.Fields), func(f Field) bool { _, kept := v.FieldByID(f.ID); return kept })
	slices.SortStableFunc(gone, func(a, b Field) int { return cmp.Compare(a.ID, b.ID) })
	for _, f := range gone {
		out = append(out, Difference{
			Op: Drop, Object: "feature " + Reference{v.Name, f.Name}.String(), From: f.Type.String(), Note: noteDropped,
		})
	}
	return out
}

func pointers[T any](s []T) []*T {
	out := make([]*T, len(s))
	for i := range s {
		out[i] = &s[i]
	}
	return out
}

func fieldFacts(f *Field) facts {
	out := facts{name: f.Name}
	out.add("type", f.Type.String())
	out.add("conflict", f.Rule.String())
	out.add("default", valueText(f.Default))
	out.add("description", quoted(f.Description))
	out.add("tags", tagsText(f.Tags))
	return out
}

// quoted keeps "" for an absent text, so that it prints as none.
func quoted(s string) string {
	if s == "" {
		return ""
	}
	return strconv.Quote(s)
}
