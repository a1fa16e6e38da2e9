package feature_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"featurestore/feature"

	"pgregory.net/rapid"
)

func TestRegistryIsImmutable(t *testing.T) {
	empty := feature.NewRegistry()
	d := rides()
	one := applied(t, empty, d)
	before := one.State()
	d.Views[0].Fields[0].Name = "changed after apply"
	catalog(t, one, "rides").Definitions().Views[0].Fields[0].Name = "changed in a copy"
	applied(t, one, changed(func(d *feature.Definitions) { d.Views[0].Owner = "x" }))
	if !reflect.DeepEqual(one.State(), before) {
		t.Errorf("the registry changed: got %+v, want %+v", one.State(), before)
	}
	if empty.Revision() != 0 || len(empty.Projects()) != 0 {
		t.Errorf("the empty registry changed: revision %d, projects %v", empty.Revision(), empty.Projects())
	}
}

func TestApplyAgainIsNoChange(t *testing.T) {
	one := applied(t, feature.NewRegistry(), rides())
	two, plan, err := one.Apply(rides(), nil)
	if err != nil || !plan.IsEmpty() || two != one {
		t.Errorf("got %v, %v; want an empty plan and the registry itself", plan, err)
	}
	again, plan, err := one.Apply(catalog(t, one, "rides").Definitions(), nil)
	if err != nil || !plan.IsEmpty() || again != one {
		t.Errorf("what was applied, with ids: got %v, %v; want an empty plan", plan, err)
	}
}

func TestApplyOfDefaultsWrittenOutIsNoChange(t *testing.T) {
	one := applied(t, feature.NewRegistry(), rides())
	for claim, change := range map[string]func(*feature.Definitions){
		"the default group": func(d *feature.Definitions) {
			d.Groups = []feature.Group{{Name: feature.DefaultGroup, Partitions: 1}}
		},
		"the group of a view":  func(d *feature.Definitions) { d.Views[0].Group = feature.DefaultGroup },
		"max_future":           func(d *feature.Definitions) { d.Views[0].MaxFuture = feature.DefaultMaxFuture },
		"the order of views":   func(d *feature.Definitions) { slices.Reverse(d.Views) },
		"the order of entries": func(d *feature.Definitions) { slices.Reverse(d.Views[1].Entities); slices.Reverse(d.Views[0].Fields) },
	} {
		if plan, err := one.Plan(changed(change)); err != nil || !plan.IsEmpty() {
			t.Errorf("%s: got %v, %v; want no change", claim, plan, err)
		}
	}
}

func TestRevisionsRiseByOne(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	other := rides()
	other.Project = "other"
	r = applied(t, r, other)
	r = applied(t, r, changed(func(d *feature.Definitions) { d.Views[0].Owner = "x" }))
	got := []uint64{r.Revision(), catalog(t, r, "rides").Revision(), catalog(t, r, "other").Revision()}
	if !slices.Equal(got, []uint64{3, 2, 1}) || !slices.Equal(r.Projects(), []string{"other", "rides"}) {
		t.Errorf("got revisions %v of %v, want 3, 2, 1 of other and rides", got, r.Projects())
	}
}

func TestApplyComparesAndSwaps(t *testing.T) {
	zero, one := uint64(0), uint64(1)
	r, _, err := feature.NewRegistry().Apply(rides(), &zero)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err = r.Apply(changed(func(d *feature.Definitions) { d.Views[0].Owner = "x" }), &one)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Apply(rides(), &one)
	var conflict *feature.ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, feature.ErrConflict) {
		t.Fatalf("got %v, want a ConflictError", err)
	}
	if want := `project "rides" is at revision 2, the plan was made against 1: plan again`; err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if conflict.Want != 1 || conflict.Have != 2 || !slices.Equal(conflict.Difference, []string{`~ view driver_stats: owner none -> "x"`}) {
		t.Errorf("got %+v, want revisions 1 and 2 and the change of owner", conflict)
	}
	if _, _, err := r.Apply(rides(), &zero); !errors.As(err, &conflict) || len(conflict.Difference) != 12 || conflict.Difference[0] != "+ project rides" {
		t.Errorf("seen before it existed: got %+v, want all that was applied", conflict)
	}
	other := rides()
	other.Project = "other"
	if _, _, err := r.Apply(other, &one); !errors.As(err, &conflict) || conflict.Have != 0 {
		t.Errorf("a project that does not exist: got %v, want a conflict with revision 0", err)
	}
}

func TestConflictSaysWhatItNoLongerRemembers(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	for i := range 30 {
		r = applied(t, r, changed(func(d *feature.Definitions) { d.Views[0].Owner = fmt.Sprint(i) }))
	}
	one := uint64(1)
	_, _, err := r.Apply(rides(), &one)
	var conflict *feature.ConflictError
	if !errors.As(err, &conflict) || len(conflict.Difference) != 17 || conflict.Difference[0] != "changes up to revision 15 are no longer remembered" {
		t.Errorf("got %+v, want the last 16 changes and a word on the others", conflict)
	}
}

func TestRememberedChangesAreBounded(t *testing.T) {
	r := applied(t, feature.NewRegistry(), changed(func(d *feature.Definitions) {
		for i := range 100 {
			d.Views[0].Fields = append(d.Views[0].Fields, feature.Field{Name: fmt.Sprintf("f%d", i), Type: scalar(feature.Bool)})
		}
	}))
	r = applied(t, r, changed(func(d *feature.Definitions) { d.Views[0].Description = strings.Repeat("é", 2000) }))
	history := r.State().Projects[0].History
	if first := history[0].Changes; len(first) != 65 || first[64] != "and 47 more" {
		t.Errorf("got %d lines, the last %q; want 64 and a count", len(first), first[len(first)-1])
	}
	for _, line := range history[1].Changes {
		if len(line) > 510 || !utf8.ValidString(line) {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
}

func TestIdsSurviveRenamesAndOtherChanges(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	conv, trips, view := fieldID(t, r, "driver_stats", "conv_rate"), fieldID(t, r, "driver_stats", "trips"), viewOf(t, r, "driver_stats").ID
	renamed := changed(func(d *feature.Definitions) {
		slices.Reverse(d.Views)
		v := &d.Views[1]
		v.TTL = 1
		v.Fields[1] = feature.Field{Name: "rides_total", Type: scalar(feature.Int64), Rule: feature.Counter, RenamedFrom: "trips"}
		slices.Reverse(v.Fields)
		d.Services = nil
	})
	r = applied(t, r, renamed)
	if got := viewOf(t, r, "driver_stats").ID; got != view {
		t.Errorf("view: got id %d, want %d", got, view)
	}
	if got := fieldID(t, r, "driver_stats", "conv_rate"); got != conv {
		t.Errorf("conv_rate: got id %d, want %d", got, conv)
	}
	if got := fieldID(t, r, "driver_stats", "rides_total"); got != trips {
		t.Errorf("renamed feature: got id %d, want that of trips, %d", got, trips)
	}
	if plan, err := r.Plan(renamed); err != nil || !plan.IsEmpty() {
		t.Errorf("renamed_from left in place: got %v, %v; want no change", plan, err)
	}
}

func TestDroppedThingsComeBackWithNewIds(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	without := changed(func(d *feature.Definitions) {
		d.Views[0].Fields = d.Views[0].Fields[:1]
		d.Views = d.Views[:1]
		d.Services = nil
	})
	old := [2]uint32{uint32(fieldID(t, r, "driver_stats", "trips")), uint32(viewOf(t, r, "driver_city").ID)}
	dropped := applied(t, r, without)
	if _, ok := viewOf(t, dropped, "driver_stats").FieldByID(feature.FeatureID(old[0])); ok {
		t.Errorf("the dropped feature %d is still found by its id", old[0])
	}
	back := applied(t, dropped, rides())
	if got := [2]uint32{uint32(fieldID(t, back, "driver_stats", "trips")), uint32(viewOf(t, back, "driver_city").ID)}; got[0] != 3 || got[1] != 3 {
		t.Errorf("got ids %v of feature and view, want 3 and 3: %v were given before", got, old)
	}
	empty := applied(t, back, feature.Definitions{Project: "rides"})
	if c := catalog(t, empty, "rides"); len(c.Views()) != 0 || len(c.Groups()) != 0 {
		t.Errorf("got views %v, groups %v; want none", c.Views(), c.Groups())
	}
	if g := viewOf(t, applied(t, empty, rides()), "driver_stats").Group; g.ID != 2 {
		t.Errorf("the group came back with id %d, want 2", g.ID)
	}
}

// Random applies: an id never names two things, whatever comes and goes.
func TestIdsAreNeverGivenTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := feature.NewRegistry()
		views := map[feature.ViewID]string{} // id to project:view#generation
		fields := map[string]string{}        // view id:feature id to its history of names
		for step := range rapid.IntRange(1, 15).Draw(t, "steps") {
			d := drawDefinitions(t)
			var before *feature.Catalog
			if c, ok := r.Catalog(d.Project); ok {
				before = c
			}
			next, plan, err := r.Apply(d, nil)
			if err != nil {
				if !errors.Is(err, feature.ErrInvalid) {
					t.Fatal(err)
				}
				continue
			}
			if plan.IsEmpty() != (next == r) || next.Revision() != r.Revision()+map[bool]uint64{false: 1}[plan.IsEmpty()] {
				t.Fatalf("step %d: revision %d to %d with %v", step, r.Revision(), next.Revision(), plan)
			}
			r = next
			c, _ := r.Catalog(d.Project)
			for _, v := range c.Views() {
				survived := false
				if before != nil {
					_, survived = before.ViewByID(v.ID)
				}
				if _, given := views[v.ID]; given && !survived {
					t.Fatalf("view id %d given to %s was given before to %s", v.ID, v.Name, views[v.ID])
				}
				views[v.ID] = d.Project + ":" + v.Name
				for _, f := range v.Fields {
					key := fmt.Sprintf("%d:%d", v.ID, f.ID)
					if _, given := fields[key]; given && survived {
						old, _ := before.ViewByID(v.ID)
						if _, kept := old.FieldByID(f.ID); !kept {
							t.Fatalf("feature id %s given to %s was given before to %s", key, f.Name, fields[key])
						}
					}
					fields[key] = f.Name
				}
			}
			again, err := r.Plan(d)
			if err != nil || !again.IsEmpty() {
				t.Fatalf("planning what was applied: %v, %v", again, err)
			}
			restored, err := feature.RestoreRegistry(r.State())
			if err != nil || !reflect.DeepEqual(restored.State(), r.State()) {
				t.Fatalf("restore: %v", err)
			}
		}
	})
}

func drawDefinitions(t *rapid.T) feature.Definitions {
	d := feature.Definitions{
		Project:  rapid.SampledFrom([]string{"p", "q"}).Draw(t, "project"),
		Entities: []feature.Entity{{Name: "e", JoinKeys: []feature.JoinKey{{Name: "k", Type: scalar(feature.Int64)}}}},
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"u", "v"}), 0, 2, rapid.ID[string]).Draw(t, "views") {
		v := feature.View{Name: name, Entities: []string{"e"}}
		for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 4, rapid.ID[string]).Draw(t, "fields") {
			field := feature.Field{Name: f, Type: scalar(feature.Int64)}
			if from := rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "from"); from != f {
				field.RenamedFrom = from
			}
			v.Fields = append(v.Fields, field)
		}
		d.Views = append(d.Views, v)
	}
	return d
}

func TestRestoreRefusesWhatNoRegistryHas(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	other := rides()
	other.Project = "other"
	r = applied(t, r, other)
	for _, c := range []struct {
		claim  string
		change func(s *feature.RegistryState)
		want   string
	}{
		{"a view id of another project", func(s *feature.RegistryState) {
			s.Projects[1].Definitions.Views[1].ID = s.Projects[0].Definitions.Views[1].ID
			s.Projects[1].LastFeatures[1].View = s.Projects[0].Definitions.Views[1].ID
		}, "view driver_city has id 4"},
		{"a group id of another project", func(s *feature.RegistryState) { s.Projects[1].ImplicitGroup = s.Projects[0].ImplicitGroup }, "group default has id 2"},
		{"a view id beyond the last", func(s *feature.RegistryState) { s.LastView = 1 }, "last is 1"},
		{"a feature id beyond the last", func(s *feature.RegistryState) { s.Projects[0].LastFeatures[0].Feature = 1 }, "has id 2, last is 1"},
		{"a feature without an id", func(s *feature.RegistryState) { s.Projects[0].Definitions.Views[0].Fields[0].ID = 0 }, "has id 0"},
		{"projects out of order", func(s *feature.RegistryState) { slices.Reverse(s.Projects) }, "not in order"},
		{"a project twice", func(s *feature.RegistryState) { s.Projects[1] = s.Projects[0] }, "not in order"},
		{"a revision that is no sum", func(s *feature.RegistryState) { s.Revision = 7 }, "revision 7"},
		{"a history from elsewhere", func(s *feature.RegistryState) { s.Projects[0].History[0].Revision = 5 }, "history"},
		{"no implicit group", func(s *feature.RegistryState) { s.Projects[0].ImplicitGroup = 0 }, "default group"},
	} {
		s := r.State()
		c.change(&s)
		if _, err := feature.RestoreRegistry(s); !errors.Is(err, feature.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrCorrupt with %q", c.claim, err, c.want)
		}
	}
}
