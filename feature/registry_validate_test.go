package feature_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
)

func TestPlanRefusesWhatIsNotValid(t *testing.T) {
	text := func(s string) feature.Value {
		v, err := feature.OfString(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	type D = feature.Definitions
	field := func(f feature.Field) func(*D) {
		return func(d *D) { d.Views[0].Fields = append(d.Views[0].Fields, f) }
	}
	for _, c := range []struct {
		claim  string
		change func(d *D)
		want   string
	}{
		{"no project", func(d *D) { d.Project = "" }, "project: a project needs a name"},
		{"a hyphen in a name", func(d *D) { d.Project = "my-project" }, `project: "my-project" is not a name: letters, digits and _ only`},
		{"a long name", func(d *D) { d.Services[0].Name = strings.Repeat("x", 129) }, "129 bytes: at most 128"},
		{"a view without a name", func(d *D) { d.Views[0].Name = "" }, "views[0].name: a name is needed"},
		{"a view twice", func(d *D) { d.Views = append(d.Views, d.Views[0]) }, "views[driver_stats]: declared twice"},
		{"an on-demand view named like a view", func(d *D) { d.OnDemands[0].Name = "driver_city" }, "on_demand[driver_city]: a view has that name already"},
		{"an entity twice", func(d *D) { d.Entities[1].Name = "driver" }, "entities[driver]: declared twice"},
		{"an entity without join keys", func(d *D) { d.Entities[0].JoinKeys = nil }, "entities[driver].join_keys: an entity needs a join key"},
		{"a join key that cannot be one", func(d *D) { d.Entities[0].JoinKeys[0].Type = scalar(feature.JSON) }, "entities[driver].join_keys[driver_id].type: json cannot be a join key"},
		{"a list as join key", func(d *D) { d.Entities[0].JoinKeys[0].Type = feature.ListOf(feature.Int64) }, "list<int64> cannot be a join key"},
		{"a join key twice", func(d *D) { d.Entities[0].JoinKeys = append(d.Entities[0].JoinKeys, d.Entities[0].JoinKeys[0]) }, "join_keys[driver_id]: declared twice"},
		{"a join key of two types", func(d *D) {
			d.Entities[1].JoinKeys = append(d.Entities[1].JoinKeys, feature.JoinKey{Name: "driver_id", Type: scalar(feature.String)})
		}, "views[driver_city].entities: join key driver_id is int64 in one entity and string in another"},
		{"an unknown entity", func(d *D) { d.Views[0].Entities = []string{"drivers"} }, `views[driver_stats].entities: no entity "drivers" is declared; did you mean driver?`},
		{"no entity", func(d *D) { d.Views[0].Entities = nil }, "a view needs an entity"},
		{"an entity of a view twice", func(d *D) { d.Views[0].Entities = []string{"driver", "driver"} }, `"driver" stands twice`},
		{"members required without a lag", func(d *D) { d.Views[0].Write.RequireLive.Members = 1 }, "views[driver_stats].write.require_live.max_lag: it is missing"},
		{"a lag without members", func(d *D) { d.Views[0].Write.RequireLive.MaxLag = time.Second }, "views[driver_stats].write.require_live.members: 0: how many other members must keep up"},
		{"more members than there can be", func(d *D) { d.Views[0].Write.RequireLive = feature.RequireLive{Members: 65, MaxLag: 1} }, "65: how many other members must keep up, from 1 to 64"},
		{"no features", func(d *D) { d.Views[1].Fields = nil }, "views[driver_city].features: a view needs a feature"},
		{"a feature twice", field(feature.Field{Name: "trips", Type: scalar(feature.Int64)}), "views[driver_stats].features[trips]: declared twice"},
		{"a feature named like a join key", field(feature.Field{Name: "driver_id", Type: scalar(feature.Int64)}), `features[driver_id].name: "driver_id" is a join key of the view`},
		{"a feature named event_timestamp", field(feature.Field{Name: "event_timestamp", Type: scalar(feature.Timestamp)}), `"event_timestamp" is reserved`},
		{"a feature named event_time", field(feature.Field{Name: "event_time", Type: scalar(feature.Timestamp)}), `"event_time" is reserved`},
		{"a feature without a type", field(feature.Field{Name: "x"}), "features[x].type: a type is needed"},
		{"a vector of ints", field(feature.Field{Name: "x", Type: feature.Type{Kind: feature.Int64, Shape: feature.Vector, Dim: 2}}), "features[x].type"},
		{"a counter of text", field(feature.Field{Name: "x", Type: scalar(feature.String), Rule: feature.Counter}), "features[x].conflict: conflict rule counter needs int64, float64 or decimal, not string"},
		{"an unknown rule", field(feature.Field{Name: "x", Type: scalar(feature.String), Rule: 99}), "features[x].conflict: rule(99) is not known"},
		{"a default of another type", field(feature.Field{Name: "x", Type: scalar(feature.Int64), Default: text("1")}), "features[x].default: it is string, but the feature is int64"},
		{"a default of another dimension", field(feature.Field{Name: "x", Type: feature.VectorOf(2), Default: feature.OfVector([]float32{1})}), "it is vector<float32,1>, but the feature is vector<float32,2>"},
		{"a giant default", field(feature.Field{Name: "x", Type: scalar(feature.String), Default: text(strings.Repeat("x", 70_000))}), "more than 65536 bytes"},
		{"a rename from itself", field(feature.Field{Name: "x", Type: scalar(feature.Int64), RenamedFrom: "x"}), "cannot be renamed from itself"},
		{"two renames from one", func(d *D) { d.Views[0].Fields[0].RenamedFrom, d.Views[0].Fields[1].RenamedFrom = "z", "z" }, `"z" is taken over by feature "conv_rate" already`},
		{"a negative ttl", func(d *D) { d.Views[0].TTL = -time.Second }, "views[driver_stats].ttl: -1s is negative"},
		{"a ttl of centuries", func(d *D) { d.Views[0].TTL = 1 << 62 }, "is more than"},
		{"a negative max_future", func(d *D) { d.Views[0].MaxFuture = -1 }, "views[driver_stats].max_future"},
		{"an unknown group", func(d *D) { d.Views[0].Group = "eu" }, `views[driver_stats].group: no group "eu" is declared`},
		{"a batch source without a path", func(d *D) { d.Views[0].BatchSource = &feature.BatchSource{} }, "views[driver_stats].batch_source.path: a batch source needs a path"},
		{"a column of nothing", func(d *D) {
			d.Views[0].BatchSource = &feature.BatchSource{Path: "x", Columns: map[string]string{"nope": "a"}}
		}, "batch_source.columns[nope]: the view has no feature and no join key of that name"},
		{"too many partitions", func(d *D) { d.Groups = []feature.Group{{Name: "g", Partitions: 2000}} }, "groups[g].partitions: 2000: at most 1024"},
		{"an unknown placement", func(d *D) { d.Groups = []feature.Group{{Name: "g", Placement: 9}} }, "use multi_leader, leader or leaderless"},
		{"a home elsewhere", func(d *D) {
			d.Groups = []feature.Group{{Name: "g", Placement: feature.Leader, Regions: []string{"eu-1"}, Home: []string{"us"}}}
		}, `groups[g].home: "us" is not among the group's regions [eu-1]`},
		{"a home without leaders", func(d *D) { d.Groups = []feature.Group{{Name: "g", Home: []string{"us"}}} }, "only placement leader has home regions"},
		{"a region twice", func(d *D) { d.Groups = []feature.Group{{Name: "g", Regions: []string{"eu", "eu"}}} }, `"eu" stands twice`},
		{"a service without features", func(d *D) { d.Services[0].Features = nil }, "services[driver_v1].features: a service needs a feature"},
		{"a service over views that type one join key differently", func(d *D) {
			d.Entities = append(d.Entities, feature.Entity{Name: "cab", JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: scalar(feature.String)}}})
			d.Views = append(d.Views, feature.View{Name: "cabs", Entities: []string{"cab"}, Online: true, Offline: true, Fields: []feature.Field{{Name: "doors", Type: scalar(feature.Int64)}}})
			d.Services[0].Features = append(d.Services[0].Features, feature.Reference{View: "cabs", Feature: "doors"})
		}, "services[driver_v1].features: one lookup cannot name all its entities: join key driver_id is int64 in one entity and string in another: give it one type, or two names"},
		{"a service of an unknown feature", func(d *D) { d.Services[0].Features[0].Feature = "trip" }, `services[driver_v1].features: "driver_stats:trip": view driver_stats has no feature "trip"; did you mean trips?`},
		{"a service of an unknown view", func(d *D) { d.Services[0].Features[0].View = "driver_stat" }, `no view "driver_stat" is declared; did you mean driver_stats?`},
		{"a feature twice in a service", func(d *D) { d.Services[0].Features = append(d.Services[0].Features, d.Services[0].Features[0]) }, `"driver_stats:trips" stands twice`},
		{"an input that is computed", func(d *D) { d.OnDemands[0].Inputs[0] = feature.Reference{View: "surge", Feature: "score"} }, "is computed on demand itself"},
		{"an input and a request field of one name", func(d *D) { d.OnDemands[0].Request[0].Name = "conv_rate" }, `feature driver_stats:conv_rate and request field conv_rate are both called "conv_rate"`},
		{"an on-demand view without features", func(d *D) { d.OnDemands[0].Fields = nil }, "on_demand[surge].features: an on-demand view needs a feature"},
		{"no expression", func(d *D) { d.OnDemands[0].Fields[0].Expr = "" }, "on_demand[surge].features[score].expr: an expression is needed"},
		{"text that is no UTF-8", func(d *D) { d.Views[0].Description = "\xff" }, "views[driver_stats].description: not valid UTF-8"},
		{"too many tags", func(d *D) {
			d.Views[0].Tags = map[string]string{}
			for i := range 65 {
				d.Views[0].Tags[fmt.Sprint(i)] = ""
			}
		}, "views[driver_stats].tags: 65 tags, at most 64"},
		{"too many features", func(d *D) {
			for i := range feature.MaxFields {
				d.Views[0].Fields = append(d.Views[0].Fields, feature.Field{Name: fmt.Sprintf("f%d", i), Type: scalar(feature.Bool)})
			}
		}, "views[driver_stats].features: 4098 declared, at most 4096"},
		{"too many views", func(d *D) {
			for i := range feature.MaxViews {
				v := d.Views[0]
				v.Name = fmt.Sprintf("v%d", i)
				d.Views = append(d.Views, v)
			}
		}, "views: 10002 declared, at most 10000"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			_, err := feature.NewRegistry().Plan(changed(c.change))
			if !errors.Is(err, feature.ErrInvalid) || errors.Is(err, feature.ErrIncompatible) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant ErrInvalid with %q", err, c.want)
			}
		})
	}
}

func TestPlanReportsAllFaultsAtOnceAndNotWithoutEnd(t *testing.T) {
	_, err := feature.NewRegistry().Plan(changed(func(d *feature.Definitions) {
		d.Views[0].TTL = -1
		d.Services[0].Features[0].Feature = "nope"
		d.Entities[1].JoinKeys = nil
	}))
	var invalid *feature.InvalidError
	if !errors.As(err, &invalid) || len(invalid.Problems) != 3 {
		t.Errorf("got %v, want three faults", err)
	}
	_, err = feature.NewRegistry().Plan(changed(func(d *feature.Definitions) {
		for range 1000 {
			d.Views = append(d.Views, feature.View{})
		}
	}))
	if !errors.As(err, &invalid) || len(invalid.Problems) != 200 || invalid.More < 800 {
		t.Errorf("got %d faults and %d more, want 200 and the rest counted", len(invalid.Problems), invalid.More)
	}
}

func TestChecksOfOtherRoomsAreAsked(t *testing.T) {
	var words []string
	r := feature.NewRegistry().With(feature.Checks{
		Words: func(field, text string) error {
			words = append(words, field+"="+text)
			if text == "bad" {
				return errors.New("no such step: use forward")
			}
			return nil
		},
		OnDemand: func(o feature.OnDemand, inputType func(feature.Reference) (feature.Type, error)) []feature.Problem {
			typ, err := inputType(o.Inputs[0])
			return []feature.Problem{{Path: "features[score].expr", Message: fmt.Sprint(typ, err)}}
		},
	})
	_, err := r.Plan(changed(func(d *feature.Definitions) {
		d.Groups = []feature.Group{{Name: "g", Durability: "quorum", Read: feature.ReadDefaults{Level: "session", Fallback: []string{"forward", "bad"}}}}
		d.Views[0].Write = feature.WriteDefaults{Concern: "any:1", OnTimeout: "error"}
	}))
	for _, want := range []string{"groups[g].read.fallback: no such step: use forward", "on_demand[surge].features[score].expr: float32 <nil>"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	want := "durability=quorum read.level=session read.fallback=forward read.fallback=bad write.concern=any:1 write.on_timeout=error"
	if got := strings.Join(words, " "); got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}
