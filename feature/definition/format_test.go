package definition_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/feature/definition"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite testdata")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// everyField says something in each field of the format.
func everyField() feature.Definitions {
	str := func(s string) feature.Value { return must(feature.OfString(s)) }
	return feature.Definitions{
		Project: "rides",
		Entities: []feature.Entity{
			{Name: "driver", Description: "who drives", Tags: map[string]string{"pii": "true", "team": "supply"}, JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: feature.ScalarOf(feature.Int64)}}},
			{Name: "city", JoinKeys: []feature.JoinKey{{Name: "city", Type: feature.ScalarOf(feature.String)}}},
		},
		Groups: []feature.Group{
			{Name: "default", Read: feature.ReadDefaults{Level: "session", MaxStaleness: time.Second, Fallback: []string{"wait:30ms", "forward", "fail"}}, Write: feature.WriteDefaults{Concern: "region_quorum", Timeout: 500 * time.Millisecond, OnTimeout: "error", RequireLive: feature.RequireLive{Members: 1, MaxLag: 10 * time.Second}}},
			{Name: "accounts", Conflict: feature.WriteTime, Placement: feature.Leader, Regions: []string{"eu", "us"}, Home: []string{"us", "eu"}, Partitions: 8, Durability: "quorum", Write: feature.WriteDefaults{Concern: "any:1"}},
		},
		Views: []feature.View{
			{
				Name: "driver_stats", Description: "what a driver did", Owner: "supply@example.com", Tags: map[string]string{"tier": "1"},
				Entities: []string{"driver"}, TTL: 24 * time.Hour, Online: true, Offline: true, Group: "accounts",
				Fields: []feature.Field{
					{Name: "conv_rate", Type: feature.ScalarOf(feature.Float32), Default: feature.OfFloat32(0.1), Description: "rides over offers"},
					{Name: "trips", Type: feature.ScalarOf(feature.Int64), Rule: feature.Counter, Default: feature.OfInt64(9007199254740993), RenamedFrom: "rides"},
					{Name: "labels", Type: feature.ListOf(feature.String), Rule: feature.Set, Default: must(feature.OfList(feature.String, str("new"), str("null"))), Tags: map[string]string{"k": "v"}},
					{Name: "taste", Type: feature.VectorOf(3), Default: feature.OfVector([]float32{0, 0.5, -1})},
					{Name: "since", Type: feature.ScalarOf(feature.Timestamp), Default: feature.OfNanos(0)},
					{Name: "raw", Type: feature.ScalarOf(feature.Bytes), Default: feature.OfBytes([]byte("hello"))},
					{Name: "device", Type: feature.ScalarOf(feature.UUID), Default: must(feature.ParseUUID("123e4567-e89b-12d3-a456-426614174000"))},
					{Name: "fare", Type: feature.ScalarOf(feature.Decimal), Default: must(feature.ParseDecimal("12.50"))},
					{Name: "extra", Type: feature.ScalarOf(feature.JSON), Default: feature.OfJSON(`{"a": 1}`)},
				},
				PushSource:  "driver_push",
				BatchSource: &feature.BatchSource{Path: "data/driver_stats/*.parquet", EventTime: "ts", Created: "created", Columns: map[string]string{"trips": "n trips"}},
				Read:        feature.ReadDefaults{Level: "bounded", MaxStaleness: 250 * time.Millisecond}, Write: feature.WriteDefaults{Concern: "local"},
				StalenessObjective: time.Minute, MaxFuture: time.Hour, MaxLateness: 30 * 24 * time.Hour,
			},
			{Name: "driver_city", Entities: []string{"driver", "city"}, Fields: []feature.Field{{Name: "share", Type: feature.ScalarOf(feature.Float64)}}, Online: true},
		},
		OnDemands: []feature.OnDemand{{
			Name: "surge", Description: "price now", Owner: "pricing", Tags: map[string]string{"a": "b"},
			Inputs:  []feature.Reference{{View: "driver_stats", Feature: "conv_rate"}},
			Request: []feature.RequestField{{Name: "demand", Type: feature.ScalarOf(feature.Float64)}},
			Fields:  []feature.Computed{{Name: "score", Type: feature.ScalarOf(feature.Float64), Expr: "conv_rate * demand", Description: "the higher the dearer"}},
		}},
		Services: []feature.Service{{
			Name: "driver_v1", Description: "the ranker", Owner: "ml", Tags: map[string]string{"model": "7"},
			Features: []feature.Reference{{View: "driver_stats", Feature: "trips"}, {View: "surge", Feature: "score"}},
		}},
	}
}

func TestFormatWritesEveryField(t *testing.T) {
	d := everyField()
	text, err := definition.Format(d)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "every_field.yaml", text)
	back, err := definition.Parse("every_field.yaml", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, d) {
		t.Errorf("got %+v\nwant %+v", back, d)
	}
	if _, _, err := feature.NewRegistry().Apply(d, nil); err != nil {
		t.Errorf("the example is not valid: %v", err)
	}
}

func TestParseReadsBackWhatFormatWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := genDefinitions.Draw(t, "definitions")
		text, err := definition.Format(d)
		if err != nil {
			t.Fatal(err)
		}
		back, err := definition.Parse("x.yaml", bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(back, d) {
			t.Fatalf("got %+v\nwant %+v\n%s", back, d, text)
		}
	})
}

func TestFormatRefusesWhatNoDocumentCanSay(t *testing.T) {
	for claim, change := range map[string]func(*feature.Definitions){
		"a text that is no UTF-8":   func(d *feature.Definitions) { d.Views[0].Owner = "\xff" },
		"a type without a name":     func(d *feature.Definitions) { d.Views[0].Fields[0].Type = feature.Type{} },
		"no project":                func(d *feature.Definitions) { d.Project = "" },
		"an unknown placement":      func(d *feature.Definitions) { d.Groups[0].Placement = 7 },
		"an unknown preset":         func(d *feature.Definitions) { d.Groups[1].Preset = "access" },
		"half a preset":             func(d *feature.Definitions) { d.Groups[1].Preset = "redis-cluster" },
		"an unknown rule":           func(d *feature.Definitions) { d.Views[0].Fields[0].Rule = 77 },
		"a default of another type": func(d *feature.Definitions) { d.Views[0].Fields[0].Default = feature.OfInt64(1) },
		"a reference in three":      func(d *feature.Definitions) { d.Services[0].Features[0].Feature = "a:b" },
		"a vector of ints": func(d *feature.Definitions) {
			d.Views[0].Fields[0].Type = feature.Type{Kind: feature.Int64, Shape: feature.Vector, Dim: 2}
		},
	} {
		d := everyField()
		change(&d)
		if text, err := definition.Format(d); err == nil {
			t.Errorf("%s: got\n%s", claim, text)
		}
	}
}
