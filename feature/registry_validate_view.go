package feature

import (
	"maps"
	"slices"
)

func (v *validator) group(g *Group) {
	path := at("groups", g.Name)
	if int(g.Placement) >= len(placementNames) {
		v.add(path+".placement", "not known: use multi_leader, leader or leaderless")
	}
	if g.Preset != "" {
		if _, err := Preset(g.Preset); err != nil {
			v.add(path+".preset", "%v", err)
		}
	}
	switch g.Conflict {
	case EventTime, WriteTime, Siblings:
	default:
		v.add(path+".conflict", "%s is not for every type: a group's is event_time, write_time or siblings; name others at the feature", g.Conflict)
	}
	if g.Partitions > MaxPartitions {
		v.add(path+".partitions", "%d: at most %d are possible", g.Partitions, MaxPartitions)
	}
	v.count(path+".regions", len(g.Regions), MaxRegions)
	v.count(path+".home", len(g.Home), MaxRegions)
	v.unique(path+".regions", g.Regions)
	v.unique(path+".home", g.Home)
	for _, r := range g.Regions {
		v.region(path+".regions", r)
	}
	for _, r := range g.Home {
		v.region(path+".home", r)
		if len(g.Regions) > 0 && !slices.Contains(g.Regions, r) {
			v.add(path+".home", "%q is not among the group's regions %s", Clip(r), listText(g.Regions))
		}
	}
	if len(g.Home) > 0 && g.Placement != Leader {
		v.add(path+".home", "only placement leader has home regions; this group is %s", g.Placement)
	}
	v.consistency(path, "durability", g.Durability)
	v.settings(path, g.Read, g.Write)
}

func (v *validator) entity(e *Entity) {
	path := at("entities", e.Name)
	v.described(path, e.Description, "", e.Tags)
	if len(e.JoinKeys) == 0 {
		v.add(path+".join_keys", "an entity needs a join key, such as {name: driver_id, type: int64}")
	}
	v.count(path+".join_keys", len(e.JoinKeys), MaxJoinKeys)
	seen := map[string]bool{}
	for _, k := range e.JoinKeys {
		keyPath := path + "." + at("join_keys", k.Name)
		v.column(keyPath, k.Name)
		if seen[k.Name] {
			v.add(keyPath, "declared twice")
		}
		seen[k.Name] = true
		if !k.Type.CanKey() {
			v.add(keyPath+".type", "%s cannot be a join key: any scalar but json can", k.Type)
		}
	}
}

// column checks a name that becomes a column beside the event time.
func (v *validator) column(path, name string) {
	v.name(path+".name", name)
	if why, ok := reserved[name]; ok {
		v.add(path+".name", "%q is reserved: %s", name, why)
	}
}

func (v *validator) view(view *View) {
	path := at("views", view.Name)
	v.described(path, view.Description, view.Owner, view.Tags)
	keys := v.viewKeys(path, view)
	if _, ok := v.groups[view.GroupName()]; !ok && view.GroupName() != DefaultGroup {
		v.add(path+".group", "no group %q is declared%s", Clip(view.Group), v.suggest(view.Group, maps.Keys(v.groups)))
	}
	v.fields(path, view, keys)
	v.duration(path+".ttl", view.TTL)
	v.duration(path+".staleness_objective", view.StalenessObjective)
	v.duration(path+".max_future", view.MaxFuture)
	v.duration(path+".max_lateness", view.MaxLateness)
	if view.PushSource != "" {
		v.name(path+".push_source", view.PushSource)
	}
	if view.BatchSource != nil {
		v.batchSource(path+".batch_source", view, keys)
	}
	v.settings(path, view.Read, view.Write)
	group := v.groups[view.GroupName()]
	if group == nil {
		group = &Group{Name: view.GroupName()}
	}
	v.floors(path, &ResolvedView{View: *view, Group: group})
}

// viewKeys checks the view's entities and returns the names of its join keys.
func (v *validator) viewKeys(path string, view *View) map[string]bool {
	if len(view.Entities) == 0 {
		v.add(path+".entities", "a view needs an entity: entity: driver, or entities: [driver, city]")
	}
	v.count(path+".entities", len(view.Entities), MaxViewEntities)
	v.unique(path+".entities", view.Entities)
	var known []string
	for _, name := range view.Entities {
		if _, ok := v.entities[name]; !ok {
			v.add(path+".entities", "no entity %q is declared%s", Clip(name), v.suggest(name, maps.Keys(v.entities)))
			continue
		}
		known = append(known, name)
	}
	keys, err := unionKeys(known, func(name string) (*Entity, bool) { return v.entities[name], true })
	if err != nil {
		v.add(path+".entities", "%v", err)
	}
	v.count(path+".entities", len(keys), MaxJoinKeys)
	names := map[string]bool{}
	for _, k := range keys {
		names[k.Name] = true
	}
	return names
}

func (v *validator) fields(path string, view *View, keys map[string]bool) {
	if len(view.Fields) == 0 {
		v.add(path+".features", "a view needs a feature, such as {name: trips, type: int64}")
	}
	v.count(path+".features", len(view.Fields), MaxFields)
	seen, sources := map[string]bool{}, map[string]string{}
	for i := range view.Fields {
		f := &view.Fields[i]
		fp := path + "." + at("features", f.Name)
		v.column(fp, f.Name)
		if seen[f.Name] {
			v.add(fp, "declared twice: feature names are unique within a view")
		}
		seen[f.Name] = true
		if keys[f.Name] {
			v.add(fp+".name", "%q is a join key of the view: give the feature another name", f.Name)
		}
		v.field(fp, f)
		if f.RenamedFrom == "" {
			continue
		}
		if other, ok := sources[f.RenamedFrom]; ok {
			v.add(fp+".renamed_from", "%q is taken over by feature %q already", Clip(f.RenamedFrom), other)
		}
		sources[f.RenamedFrom] = f.Name
	}
}

func (v *validator) field(path string, f *Field) {
	if err := checkType(f.Type); err != nil {
		v.add(path+".type", "%v", err)
		return
	}
	if f.Rule >= ruleEnd {
		v.add(path+".conflict", "%s is not known", f.Rule)
	} else if err := f.Rule.Admits(f.Type); err != nil {
		v.add(path+".conflict", "%v", err)
	}
	v.described(path, f.Description, "", f.Tags)
	if f.RenamedFrom != "" {
		v.name(path+".renamed_from", f.RenamedFrom)
		if f.RenamedFrom == f.Name {
			v.add(path+".renamed_from", "a feature cannot be renamed from itself: leave it out")
		}
	}
	switch {
	case f.Default.IsNull():
	case f.Default.Type() != f.Type:
		v.add(path+".default", "it is %s, but the feature is %s", f.Default.Type(), f.Type)
	case len(AppendValue(nil, f.Default)) > MaxDefaultBytes:
		v.add(path+".default", "more than %d bytes", MaxDefaultBytes)
	}
}

// checkType refuses types that ParseType would not return.
func checkType(t Type) error {
	if t == (Type{}) {
		return errNoType
	}
	same, err := ParseType(t.String())
	if err == nil && same != t {
		return errNoType
	}
	return err
}

func (v *validator) batchSource(path string, view *View, keys map[string]bool) {
	b := view.BatchSource
	if b.Path == "" {
		v.add(path+".path", "a batch source needs a path: a file, a folder or a glob such as data/*.parquet")
	}
	v.text(path+".path", b.Path)
	v.text(path+".event_time", b.EventTime)
	v.text(path+".created", b.Created)
	for _, name := range slices.Sorted(maps.Keys(b.Columns)) {
		isField := slices.ContainsFunc(view.Fields, func(f Field) bool { return f.Name == name })
		if !isField && !keys[name] {
			v.add(path+"."+at("columns", name), "the view has no feature and no join key of that name")
		}
		if b.Columns[name] == "" {
			v.add(path+"."+at("columns", name), "the column's name is empty")
		}
		v.text(path+"."+at("columns", name), b.Columns[name])
	}
}
