package feature_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
)

func TestPlanRefusesWhatRowsCannotFollow(t *testing.T) {
	type D = feature.Definitions
	base := changed(func(d *D) {
		d.Groups = []feature.Group{{Name: "default", Partitions: 4}, {Name: "eu", Regions: []string{"eu"}}}
	})
	r := applied(t, feature.NewRegistry(), base)
	for _, c := range []struct {
		claim  string
		change func(d *D)
		want   string
	}{
		{"the type of a feature", func(d *D) { d.Views[0].Fields[0].Type = scalar(feature.Float64) }, "views[driver_stats].features[conv_rate].type: float32 cannot become float64"},
		{"the conflict rule", func(d *D) { d.Views[0].Fields[1].Rule = feature.Max }, "views[driver_stats].features[trips].conflict: counter cannot become max"},
		{"the type in a rename", func(d *D) {
			d.Views[0].Fields[0] = feature.Field{Name: "rate", Type: scalar(feature.String), RenamedFrom: "conv_rate"}
			d.OnDemands, d.Services = nil, nil
		}, "features[rate].type: float32 cannot become string"},
		{"the type of a join key", func(d *D) { d.Entities[0].JoinKeys[0].Type = scalar(feature.String) }, "views[driver_stats].entities: the entity key (driver_id int64) cannot become (driver_id string)"},
		{"a further join key", func(d *D) {
			d.Entities[0].JoinKeys = append(d.Entities[0].JoinKeys, feature.JoinKey{Name: "shift", Type: scalar(feature.Int64)})
		}, "(driver_id int64) cannot become (driver_id int64, shift int64)"},
		{"the entities of a view", func(d *D) { d.Views[0].Entities = []string{"city"} }, "views[driver_stats].entities"},
		{"the partitions of a group", func(d *D) { d.Groups[0].Partitions = 8 }, "groups[default].partitions: 4 cannot become 8"},
		{"the placement of a group", func(d *D) { d.Groups[0].Placement = feature.Leader }, "groups[default].placement: multi_leader cannot become leader"},
		{"the group of a view", func(d *D) { d.Views[0].Group = "eu" }, "views[driver_stats].group: default cannot become eu"},
		{"a group gone over to the implicit one", func(d *D) { d.Groups = d.Groups[1:] }, "groups[default].partitions: 4 cannot become 1"},
		{"a rename onto a feature with data", func(d *D) {
			d.Views[0].Fields = []feature.Field{{Name: "conv_rate", Type: scalar(feature.Float32), RenamedFrom: "trips"}}
			d.Services = nil
		}, `feature "conv_rate" has data of its own and cannot take over that of "trips"`},
	} {
		t.Run(c.claim, func(t *testing.T) {
			d := base.Clone()
			c.change(&d)
			_, _, err := r.Apply(d, nil)
			if !errors.Is(err, feature.ErrIncompatible) || !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v\nwant ErrIncompatible with %q", err, c.want)
			}
			for _, wayOut := range []string{"declare a", "drop"} {
				if strings.Contains(err.Error(), wayOut) {
					return
				}
			}
			t.Errorf("%v: no way out is named", err)
		})
	}
	if r.Revision() != 1 {
		t.Errorf("revision %d after refused applies, want 1", r.Revision())
	}
}

func TestARenameNeedsItsSourceGone(t *testing.T) {
	r := applied(t, feature.NewRegistry(), rides())
	_, err := r.Plan(changed(func(d *feature.Definitions) {
		d.Views[0].Fields = append(d.Views[0].Fields, feature.Field{Name: "x", Type: scalar(feature.Int64), Rule: feature.Counter, RenamedFrom: "trips"})
	}))
	if !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), `feature "trips" is still declared`) {
		t.Errorf("got %v, want that trips is still declared", err)
	}
}

func TestPlanAdmitsWhatRowsFollow(t *testing.T) {
	type D = feature.Definitions
	r := applied(t, feature.NewRegistry(), rides())
	for claim, change := range map[string]func(*D){
		"ttl":                    func(d *D) { d.Views[0].TTL = time.Hour },
		"description":            func(d *D) { d.Views[0].Description = "x" },
		"tags":                   func(d *D) { d.Views[0].Tags = map[string]string{"a": "b"} },
		"owner":                  func(d *D) { d.Views[0].Owner = "x" },
		"default":                func(d *D) { d.Views[0].Fields[1].Default = feature.OfInt64(0) },
		"online":                 func(d *D) { d.Views[0].Online = false },
		"offline":                func(d *D) { d.Views[0].Offline = false },
		"push source":            func(d *D) { d.Views[0].PushSource = "" },
		"batch source":           func(d *D) { d.Views[0].BatchSource = &feature.BatchSource{Path: "x"} },
		"read defaults":          func(d *D) { d.Views[0].Read.Level = "session" },
		"write defaults":         func(d *D) { d.Views[0].Write.Concern = "local" },
		"staleness objective":    func(d *D) { d.Views[0].StalenessObjective = time.Second },
		"max_future":             func(d *D) { d.Views[0].MaxFuture = time.Hour },
		"max_lateness":           func(d *D) { d.Views[0].MaxLateness = time.Hour },
		"a feature's tags":       func(d *D) { d.Views[0].Fields[0].Tags = map[string]string{"a": "b"} },
		"int64 to int32 keys":    func(d *D) { d.Entities[0].JoinKeys[0].Type = scalar(feature.Int32) },
		"regions of a group":     func(d *D) { d.Groups = []feature.Group{{Name: "default", Regions: []string{"eu"}}} },
		"an expression":          func(d *D) { d.OnDemands[0].Fields[0].Expr = "demand" },
		"a service's order":      func(d *D) { f := d.Services[0].Features; f[0], f[1] = f[1], f[0] },
		"the name of an entity":  func(d *D) { d.Entities[1].Name = "town"; d.Views[1].Entities[1] = "town" },
		"a type, of a new view":  func(d *D) { d.Views[1].Name = "other"; d.Views[1].Fields[0].Type = scalar(feature.String) },
		"a key of a dropped one": func(d *D) { d.Views = d.Views[:1]; d.Entities[1].JoinKeys[0].Type = scalar(feature.Int64) },
	} {
		d := changed(change)
		next, plan, err := r.Apply(d, nil)
		if err != nil || plan.IsEmpty() {
			t.Errorf("%s: got %v, %v; want a change", claim, plan, err)
			continue
		}
		if again, err := next.Plan(d); err != nil || !again.IsEmpty() {
			t.Errorf("%s, planned again: got %v, %v; want no change", claim, again, err)
		}
		if back, _, err := next.Apply(rides(), nil); err != nil || back.Revision() != 3 {
			t.Errorf("%s, undone: got %v", claim, err)
		}
	}
}
