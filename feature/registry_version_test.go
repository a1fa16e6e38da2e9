package feature_test

import (
	"testing"

	"featurestore/feature"
)

// What a home applied unseen, before it heard of its successor, shares no id with
// what the successor applies: rows may have been written under those ids.
func TestASuccessorGivesIDsThatTheHomeBeforeDidNot(t *testing.T) {
	eu, us := feature.Line{Epoch: 1, Home: "eu-1"}, feature.Line{Epoch: 2, Home: "us-1"}
	grown := func(view, field string) feature.Definitions {
		return changed(func(d *feature.Definitions) {
			v := d.Views[0]
			v.Name, v.PushSource = view, ""
			d.Views[0].Fields = append(d.Views[0].Fields, feature.Field{Name: field, Type: feature.ScalarOf(feature.Int64)})
			d.Views = append(d.Views, v)
		})
	}
	one := applied(t, feature.NewRegistry().In(eu), rides())
	unseen := one.In(eu)
	if unseen != one {
		t.Error("a registry of a line is another one in that line")
	}
	for _, name := range []string{"unseen_1", "unseen_2", "unseen_3"} {
		unseen = applied(t, unseen, grown(name, name))
	}
	next := applied(t, one.In(us), grown("seen", "seen"))
	if got := next.Version(); got.Compare(unseen.Version()) <= 0 || got.Revision != 2 || next.Began() != 1 || next.In(eu) != next {
		t.Errorf("the successor's is %v, begun after %d, against %v", got, next.Began(), unseen.Version())
	}
	given := map[feature.ViewID]bool{}
	for _, v := range catalog(t, unseen, "rides").Views() {
		given[v.ID] = true
	}
	for _, v := range catalog(t, one, "rides").Views() {
		delete(given, v.ID)
	}
	before, _ := catalog(t, unseen, "rides").View("unseen_3")
	for _, v := range catalog(t, next, "rides").Views() {
		if given[v.ID] {
			t.Errorf("view %s has id %d, which the home before has given", v.Name, v.ID)
		}
	}
	if before == nil {
		t.Fatal("no view unseen_3")
	}
	back, err := feature.RestoreRegistry(next.State())
	if err != nil || back.Version() != next.Version() || back.Began() != next.Began() {
		t.Errorf("it is restored as %v, %v", back, err)
	}
	old, _ := catalog(t, unseen, "rides").View(rides().Views[0].Name)
	now, _ := catalog(t, next, "rides").View(rides().Views[0].Name)
	f, _ := old.Field("unseen_3")
	g, ok := now.Field("seen")
	if !ok || g.ID <= f.ID {
		t.Errorf("feature seen has id %d, the home before has given up to %d", g.ID, f.ID)
	}
}
