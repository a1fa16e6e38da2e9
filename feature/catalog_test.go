package feature_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
)

func TestCatalogFindsWhatWasApplied(t *testing.T) {
	r := applied(t, feature.NewRegistry(), changed(func(d *feature.Definitions) {
		d.Groups = []feature.Group{{Name: "eu", Partitions: 16}}
		d.Views[1].Group = "eu"
	}))
	c := catalog(t, r, "rides")
	if c.Project() != "rides" || c.Revision() != 1 {
		t.Errorf("got project %s at revision %d", c.Project(), c.Revision())
	}
	stats, city := viewOf(t, r, "driver_stats"), viewOf(t, r, "driver_city")
	if views := c.Views(); len(views) != 2 || views[0] != stats || views[1] != city {
		t.Errorf("got views %v, want both in declared order", views)
	}
	if v, ok := c.ViewByID(city.ID); !ok || v != city {
		t.Errorf("ViewByID(%d): got %v, %v", city.ID, v, ok)
	}
	if views := c.PushSource("driver_push"); len(views) != 2 || views[0] != stats {
		t.Errorf("push source: got %v, want both views", views)
	}
	var keys []string
	for _, k := range city.Keys {
		keys = append(keys, k.Name)
	}
	if !slices.Equal(keys, []string{"city", "driver_id"}) {
		t.Errorf("got keys %v, want those of both entities by name", keys)
	}
	if g, ok := c.Group("default"); !ok || stats.Group != g || city.Group.Name != "eu" || len(c.Groups()) != 2 {
		t.Errorf("got groups %+v and %+v", stats.Group, city.Group)
	}
	if f, ok := stats.Field("trips"); !ok || f.Rule != feature.Counter {
		t.Errorf("got %+v, %v; want trips", f, ok)
	}
	e, okE := c.Entity("driver")
	s, okS := c.Service("driver_v1")
	o, okO := c.OnDemand("surge")
	if !okE || !okS || !okO || e.Name != "driver" || s.Name != "driver_v1" || o.Name != "surge" {
		t.Errorf("got %v %v %v", e, s, o)
	}
	for ref, want := range map[feature.Reference]feature.Type{
		{View: "driver_stats", Feature: "trips"}: scalar(feature.Int64), {View: "surge", Feature: "score"}: scalar(feature.Float64),
	} {
		if got, err := c.TypeOf(ref); err != nil || got != want {
			t.Errorf("TypeOf(%s): got %v, %v; want %v", ref, got, err, want)
		}
	}
}

func TestShardsFollowTheEntityKey(t *testing.T) {
	r := applied(t, feature.NewRegistry(), changed(func(d *feature.Definitions) {
		d.Groups = []feature.Group{{Name: "default", Partitions: 16}}
	}))
	v := viewOf(t, r, "driver_stats")
	seen := map[feature.Shard]bool{}
	for i := range int64(200) {
		key, err := feature.AppendKeyValue(nil, feature.OfInt64(i))
		if err != nil {
			t.Fatal(err)
		}
		shard := v.Shard(key)
		if shard.Group != v.Group.ID || shard.Partition != feature.PartitionOf(key, 16) {
			t.Fatalf("got shard %+v of key %d", shard, i)
		}
		seen[shard] = true
	}
	if len(seen) != 16 {
		t.Errorf("200 keys lie in %d shards of 16", len(seen))
	}
}

func TestNotFoundSuggestsTheNearestName(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	c := catalog(t, r, "rides")
	for _, c := range []struct {
		err  error
		is   error
		want string
	}{
		{r.NoProject("ride"), feature.ErrNoProject, `no project "ride"; did you mean "rides"?`},
		{c.NoView("driver_stat"), feature.ErrNoView, `no view "driver_stat" in project "rides"; did you mean "driver_stats"?`},
		{c.NoView("surges"), feature.ErrNoView, `did you mean "surge"?`},
		{c.NoFeature(feature.Reference{View: "driver_stats", Feature: "trip"}), feature.ErrNoFeature, `no feature "driver_stats:trip" in project "rides"; did you mean "driver_stats:trips"?`},
		{c.NoFeature(feature.Reference{View: "surge", Feature: "scores"}), feature.ErrNoFeature, `did you mean "surge:score"?`},
		{c.NoFeature(feature.Reference{View: "x", Feature: "y"}), feature.ErrNoView, `no view "x"`},
		{c.NoService("driver_v2"), feature.ErrNoService, `did you mean "driver_v1"?`},
		{c.NoEntity("drivr"), feature.ErrNoEntity, `did you mean "driver"?`},
		{c.NoPushSource("push"), feature.ErrNoPushSource, `no push source "push" in project "rides"`},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want %v with %q", c.err, c.is, c.want)
		}
	}
	if err := c.NoView("something_else_entirely"); strings.Contains(err.Error(), "did you mean") {
		t.Errorf("%v: nothing is near", err)
	}
	if err := c.NoView(strings.Repeat("x", 1<<20)); len(err.Error()) > 200 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func TestEventTimesAreBoundedOnBothSides(t *testing.T) {
	r := applied(t, feature.NewRegistry(), changed(func(d *feature.Definitions) {
		d.Views[1].MaxFuture, d.Views[1].MaxLateness = time.Second, time.Hour
	}))
	plain, bounded := viewOf(t, r, "driver_stats"), viewOf(t, r, "driver_city")
	now := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC).UnixNano()
	for _, c := range []struct {
		claim string
		view  *feature.ResolvedView
		event int64
		want  error
	}{
		{"now", plain, now, nil},
		{"the default limit", plain, now + int64(feature.DefaultMaxFuture), nil},
		{"past the default limit", plain, now + int64(feature.DefaultMaxFuture) + 1, feature.ErrEventInFuture},
		{"any age", plain, math.MinInt64, nil},
		{"the end of time", plain, math.MaxInt64, feature.ErrEventInFuture},
		{"max_future", bounded, now + int64(time.Second), nil},
		{"past max_future", bounded, now + int64(time.Second) + 1, feature.ErrEventInFuture},
		{"max_lateness", bounded, now - int64(time.Hour), nil},
		{"past max_lateness", bounded, now - int64(time.Hour) - 1, feature.ErrEventTooOld},
		{"the beginning of time", bounded, math.MinInt64, feature.ErrEventTooOld},
	} {
		err := c.view.CheckEventTime(c.event, now)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.claim, err, c.want)
		}
		var detail *feature.EventTimeError
		if c.want != nil && (!errors.As(err, &detail) || detail.Event != c.event || !strings.Contains(err.Error(), "max_")) {
			t.Errorf("%s: got %v, want the event time and the limit's name", c.claim, err)
		}
	}
	if err := bounded.CheckEventTime(math.MaxInt64, math.MaxInt64-1); err != nil {
		t.Errorf("a clock at the end of time: got %v, want no overflow", err)
	}
	if err := bounded.CheckEventTime(math.MinInt64, math.MinInt64+1); err != nil {
		t.Errorf("a clock at the beginning of time: got %v, want no overflow", err)
	}
}

func TestNearestNeedsToBeNear(t *testing.T) {
	names := []string{"trips", "tips", "conv_rate"}
	for name, want := range map[string]string{
		"trip": "trips", "tip": "tips", "conv_rat": "conv_rate", "convrate": "conv_rate", "trips": "trips", "x": "", "": "", "latitude": "",
	} {
		if got := feature.Nearest(name, names); got != want {
			t.Errorf("Nearest(%q): got %q, want %q", name, got, want)
		}
	}
}

func TestAViewOverridesItsGroupsDefaultsWhereItSaysSomething(t *testing.T) {
	r := applied(t, feature.NewRegistry(), changed(func(d *feature.Definitions) {
		d.Groups = []feature.Group{{
			Name: "default", Read: feature.ReadDefaults{Level: "session", Fallback: []string{"fail"}},
			Write: feature.WriteDefaults{Concern: "quorum", Timeout: time.Second, OnTimeout: "error", RequireLive: feature.RequireLive{Members: 2, MaxLag: time.Second}},
		}}
		d.Views[1].Read = feature.ReadDefaults{Level: "bounded", MaxStaleness: time.Second, Fallback: []string{"forward"}}
		d.Views[1].Write = feature.WriteDefaults{Concern: "local", Timeout: time.Minute, OnTimeout: "degrade", RequireLive: feature.RequireLive{Members: 1, MaxLag: time.Minute}}
	}))
	plain, own := viewOf(t, r, "driver_stats"), viewOf(t, r, "driver_city")
	if got := plain.ReadDefaults(); got.Level != "session" || !slices.Equal(got.Fallback, []string{"fail"}) {
		t.Errorf("got %+v, want the group's", got)
	}
	if got := plain.WriteDefaults(); got != plain.Group.Write {
		t.Errorf("got %+v, want the group's", got)
	}
	if got := own.ReadDefaults(); got.Level != "bounded" || got.MaxStaleness != time.Second || !slices.Equal(got.Fallback, []string{"forward"}) {
		t.Errorf("got %+v, want the view's own", got)
	}
	if got := own.WriteDefaults(); got != own.Write {
		t.Errorf("got %+v, want the view's own", got)
	}
}

func TestARegistryKnowsGroupsById(t *testing.T) {
	r := applied(t, feature.NewRegistry(), changed(func(d *feature.Definitions) {
		d.Groups = []feature.Group{{Name: "eu", Regions: []string{"eu"}}}
	}))
	other := rides()
	other.Project = "food"
	r = applied(t, r, other)
	restored, err := feature.RestoreRegistry(r.State())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*feature.Registry{r, restored} {
		n := 0
		for _, project := range r.Projects() {
			c, _ := r.Catalog(project)
			for _, g := range c.Groups() {
				if n++; r.Group(g.ID) != g {
					t.Errorf("%s of %s: got %+v", g.Name, project, r.Group(g.ID))
				}
			}
		}
		if n != 3 || r.Group(99) != nil {
			t.Errorf("%d groups; of an id that was never given: %+v", n, r.Group(99))
		}
	}
}
