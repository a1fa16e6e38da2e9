package feature

import (
	"slices"
	"strings"
)

// checkCompatible refuses what stored rows could not follow, naming the way
// out. Rows are never rewritten: a cell keeps the type and rule it was written
// with, a key its encoding, a shard its number.
func checkCompatible(before, after *Catalog, faults *problems) {
	for _, g := range after.Groups() {
		if old, ok := before.groups[g.Name]; ok {
			checkGroup(old, g, faults)
		}
	}
	for _, v := range after.ordered {
		if old, ok := before.views[v.Name]; ok {
			checkView(old, v, faults)
		}
	}
}

func checkGroup(old, g *Group, faults *problems) {
	path := "groups[" + g.Name + "]"
	if a, b := max(old.Partitions, 1), max(g.Partitions, 1); a != b {
		faults.refuse(path+".partitions", "%d cannot become %d, for rows would lie in other shards: "+
			"declare a new group with %d partitions, and new views in it that take over", a, b, b)
	}
	if old.Placement != g.Placement {
		faults.refuse(path+".placement", "%s cannot become %s while the group has rows: "+
			"declare a new group with placement %s, and new views in it that take over", old.Placement, g.Placement, g.Placement)
	}
}

func checkView(old, v *ResolvedView, faults *problems) {
	path := "views[" + v.Name + "]"
	if old.Group.Name != v.Group.Name {
		faults.refuse(path+".group", "%s cannot become %s, for rows stay in their shards: "+
			"declare a view of another name in group %s, fill it, move readers over, then drop this one", old.Group.Name, v.Group.Name, v.Group.Name)
	}
	if !slices.EqualFunc(old.Keys, v.Keys, func(a, b JoinKey) bool { return a.Name == b.Name && sameKey(a.Type, b.Type) }) {
		faults.refuse(path+".entities", "the entity key (%s) cannot become (%s), for rows would not be found: "+
			"declare a view of another name with the new key, fill it, move readers over, then drop this one", keysText(old.Keys), keysText(v.Keys))
	}
	for i := range v.Fields {
		f := &v.Fields[i]
		if was, ok := old.FieldByID(f.ID); ok {
			checkField(v.Name, was, f, faults)
		}
	}
}

func checkField(view string, was, f *Field, faults *problems) {
	path := fieldPath(view, f.Name)
	const wayOut = "declare a feature of another name (such as %s_v2), fill it, move readers over, then drop this one"
	if was.Type != f.Type {
		faults.refuse(path+".type", "%s cannot become %s, for stored values keep their type: "+wayOut, was.Type, f.Type, f.Name)
	}
	if was.Rule != f.Rule {
		faults.refuse(path+".conflict", "%s cannot become %s, for replicas would join the same writes differently: "+wayOut, was.Rule, f.Rule, f.Name)
	}
}

func keysText(keys []JoinKey) string {
	var parts []string
	for _, k := range keys {
		parts = append(parts, k.Name+" "+k.Type.String())
	}
	return strings.Join(parts, ", ")
}

func fieldPath(view, field string) string { return "views[" + view + "].features[" + field + "]" }
