package definition_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/feature/definition"
)

// promised is the example that other documents and clients rely on.
const promised = `project: rides
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: driver_city, join_keys: [{name: driver_id, type: int64}, {name: city, type: string}]}
groups:                                        # absent: one group "default", multi_leader, every region
  - {name: default, placement: multi_leader, write: {concern: region_quorum, timeout: 500ms}, read: {level: session, fallback: ["wait:30ms", forward, fail]}}
  - {name: accounts, placement: leader, home: [eu, us], write: {concern: "any:1"}, read: {level: leader}}
  - {name: eu_only, placement: multi_leader, regions: [eu]}        # data residency
views:
  - name: driver_stats
    entity: driver
    ttl: 24h
    features:
      - {name: conv_rate, type: float32}
      - {name: trips, type: int64, conflict: counter}
      - {name: tags, type: "list<string>"}
    push_source: driver_push
    group: default                             # may override the group's write and read defaults
    batch_source: {path: data/driver_stats/*.parquet, event_time: event_timestamp}
on_demand:
  - {name: surge, inputs: [driver_stats:conv_rate], request: [{name: demand, type: float64}], features: [{name: score, type: float64, expr: "conv_rate * demand"}]}
services:
  - {name: driver_v1, features: ["driver_stats:conv_rate", "driver_stats:trips", "surge:score"]}
`

func parse(text string) (feature.Definitions, error) {
	return definition.Parse("d.yaml", strings.NewReader(text))
}

func TestParseReadsThePromisedShape(t *testing.T) {
	d, err := parse(promised)
	if err != nil {
		t.Fatal(err)
	}
	ref := func(v, f string) feature.Reference { return feature.Reference{View: v, Feature: f} }
	want := feature.Definitions{
		Project: "rides",
		Entities: []feature.Entity{
			{Name: "driver", JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: feature.ScalarOf(feature.Int64)}}},
			{Name: "driver_city", JoinKeys: []feature.JoinKey{{Name: "driver_id", Type: feature.ScalarOf(feature.Int64)}, {Name: "city", Type: feature.ScalarOf(feature.String)}}},
		},
		Groups: []feature.Group{
			{
				Name: "default", Write: feature.WriteDefaults{Concern: "region_quorum", Timeout: 500 * time.Millisecond},
				Read: feature.ReadDefaults{Level: "session", Fallback: []string{"wait:30ms", "forward", "fail"}},
			},
			{Name: "accounts", Placement: feature.Leader, Home: []string{"eu", "us"}, Write: feature.WriteDefaults{Concern: "any:1"}, Read: feature.ReadDefaults{Level: "leader"}},
			{Name: "eu_only", Regions: []string{"eu"}},
		},
		Views: []feature.View{{
			Name: "driver_stats", Entities: []string{"driver"}, TTL: 24 * time.Hour, Online: true, Offline: true, PushSource: "driver_push", Group: "default",
			Fields: []feature.Field{
				{Name: "conv_rate", Type: feature.ScalarOf(feature.Float32)},
				{Name: "trips", Type: feature.ScalarOf(feature.Int64), Rule: feature.Counter},
				{Name: "tags", Type: feature.ListOf(feature.String)},
			},
			BatchSource: &feature.BatchSource{Path: "data/driver_stats/*.parquet", EventTime: "event_timestamp"},
		}},
		OnDemands: []feature.OnDemand{{
			Name: "surge", Inputs: []feature.Reference{ref("driver_stats", "conv_rate")}, Request: []feature.RequestField{{Name: "demand", Type: feature.ScalarOf(feature.Float64)}},
			Fields: []feature.Computed{{Name: "score", Type: feature.ScalarOf(feature.Float64), Expr: "conv_rate * demand"}},
		}},
		Services: []feature.Service{{Name: "driver_v1", Features: []feature.Reference{ref("driver_stats", "conv_rate"), ref("driver_stats", "trips"), ref("surge", "score")}}},
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got %+v\nwant %+v", d, want)
	}
	if _, _, err := feature.NewRegistry().Apply(d, nil); err != nil {
		t.Error(err)
	}
}

// inView returns a document with one view that has the given lines.
func inView(lines string) string {
	return "project: p\nviews:\n  - name: v\n    entity: e\n    features: [{name: a, type: int64}]\n    " + lines + "\n"
}

func inFeature(pairs string) string {
	return "project: p\nviews:\n  - {name: v, entity: e, features: [{name: a, " + pairs + "}]}\n"
}

func TestParseSaysWhereAndWhatWouldBeRight(t *testing.T) {
	for _, c := range []struct{ claim, text, want string }{
		{"a misspelt key", inView("tll: 24h"), `d.yaml:6:5: views[0]: unknown key "tll"; did you mean "ttl"?`},
		{"an unknown key", inView("schema: []"), `d.yaml:6:5: views[0]: unknown key "schema"; known are name, description, owner, tags, entity`},
		{"an unknown key at the top", "project: p\nview: []\n", `d.yaml:2:1: unknown key "view"`},
		{"a repeated key", "project: p\nproject: q\n", `d.yaml:2:1: mapping key "project" already defined`},
		{"a missing key", "project: p\nservices:\n  - {name: s}\n", `d.yaml:3:5: services[0]: key "features" is needed`},
		{"members without a lag", "project: p\ngroups: [{name: g, write: {require_live: {members: 1}}}]\n", `key "max_lag" is needed`},
		{"no entity", "project: p\nviews: [{name: v, features: []}]\n", `key "entity" is needed`},
		{"both entity and entities", inView("entities: [e]"), "d.yaml:6:5: views[0]: entity and entities are both given"},
		{"a number for a text", "project: 5\n", "d.yaml:1:10: project: a text is wanted, such as rides: put 5 in quotes"},
		{"a list for a text", "project: [a]\n", "a text is wanted, such as rides, not a list"},
		{"a text for a list", "project: p\nviews: x\n", `d.yaml:2:8: views: a list is wanted`},
		{"a text for a mapping", "project: p\nviews: [x]\n", "d.yaml:2:9: views[0]: a mapping is wanted"},
		{"a duration without a unit", inView("ttl: 3600"), "d.yaml:6:10: views[0].ttl: a duration needs a unit, such as 3600s"},
		{"a wrong duration", inView("ttl: 1w"), `"1w" is not a duration such as 500ms, 24h or 30d`},
		{"a wrong bool", inView("online: yes"), "views[0].online: true or false is wanted"},
		{"an unknown type", inFeature("type: int"), `d.yaml:3:53: views[0].features[0].type: type "int" is not known; use one of bytes`},
		{"a vector without quotes", inFeature("type: vector<float32,3>"), `a type with a comma needs quotes, such as "vector<float32,64>"`},
		{"an unknown rule", inFeature("type: int64, conflict: sum"), `conflict rule "sum" is not known`},
		{"an unknown placement", "project: p\ngroups: [{name: g, placement: follower}]\n", "use one of multi_leader, leader, leaderless"},
		{"too many partitions", "project: p\ngroups: [{name: g, partitions: 70000}]\n", "from 0 to 1024 is wanted, not 70000"},
		{"a text as int default", inFeature("type: int64, default: x"), `views[0].features[0].default: "x" is not an int64`},
		{"a quoted int default", inFeature("type: int64, default: \"5\""), "a int64 is wanted, without quotes"},
		{"an int default out of range", inFeature("type: int32, default: 3000000000"), "not an int32"},
		{"an int as string default", inFeature("type: string, default: 5"), "put 5 in quotes"},
		{"a float default out of range", inFeature("type: float32, default: 1e39"), "not a float32"},
		{"a wrong time", inFeature("type: timestamp, default: 2026-01-31"), "a time in RFC 3339"},
		{"wrong base64", inFeature("type: bytes, default: \"%\""), "is not base64"},
		{"wrong JSON", inFeature("type: json, default: \"{\""), "a JSON document in quotes"},
		{"a scalar for a list default", inFeature("type: list<string>, default: x"), "a list is wanted for list<string>"},
		{"a null in a list", inFeature("type: list<string>, default: [null]"), "a list has no nulls"},
		{"a wrong dimension", inFeature("type: \"vector<float32,2>\", default: [1]"), "vector<float32,2> has 2 elements, not 1"},
		{"a reference without a feature", "project: p\nservices: [{name: s, features: [trips]}]\n", `"trips" is not a reference: write "view:feature"`},
		{"one name twice", "project: p\nentities:\n  - {name: e, join_keys: []}\n  - {name: e, join_keys: []}\n", `d.yaml:4:5: entities[1]: entity "e" is declared at d.yaml:3:5 already`},
		{"a view and an on-demand view of one name", inView("")[:len(inView(""))-1] + "\non_demand: [{name: v, features: []}]\n", `view "v" is declared at`},
		{"invalid UTF-8", "project: p\ngroups: \xff\n", "d.yaml:2:9: not valid UTF-8"},
		{"a second document", "project: p\n---\nproject: q\n", "a second document"},
		{"an empty document", "", "no project is named"},
		{"only comments", "# nothing\n", "no project is named"},
		{"no mapping", "- a\n", "a mapping is wanted, such as project: rides"},
		{"broken YAML", "project: [a\n", "d.yaml:1:10: sequence end token"},
		{"an unknown alias", "project: *x\n", "no anchor &x"},
		{"an alias to itself", "project: p\nviews: &x [*x]\n", "d.yaml:2:11: views[0]: a mapping is wanted"},
		{"a tag", "project: !!str p\n", "tags such as !!str are not used"},
		{"a merge key", "project: p\nx: &x {a: b}\nviews: [{<<: *x}]\n", "merge keys (<<) are not used"},
		{"deep nesting", strings.Repeat("[", 100_000), "nested deeper than 32"},
		{"deep blocks", strings.Repeat("- ", 100_000), "nested deeper than 32"},
		{"brackets without end", strings.Repeat("[", 2_000_000), "more than 1048576 brackets, commas and colons"},
		{"a giant", "project: p\n#" + strings.Repeat("x", definition.MaxBytes), "more than 4194304 bytes"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			_, err := parse(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v\nwant %q in it", err, c.want)
			}
			var fault *definition.FaultError
			if !errors.Is(err, feature.ErrInvalid) || !errors.As(err, &fault) {
				t.Errorf("%v: want a FaultError that matches ErrInvalid", err)
			}
		})
	}
}

func TestParseReadsLinesOfWindows(t *testing.T) {
	want, err := parse(promised)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse("\ufeff" + strings.ReplaceAll(promised, "\n", "\r\n"))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestParseReportsAllFaults(t *testing.T) {
	_, err := parse("project: p\nfoo: 1\nviews:\n  - {name: v, entity: e, ttl: 5, features: [{name: a, type: x}]}\nbar: 2\n")
	for _, want := range []string{`"foo"`, "ttl", `"x"`, `"bar"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s in it", err, want)
		}
	}
}

// Two thousand aliases of two thousand features are refused, not read.
func TestParseBoundsAliases(t *testing.T) {
	var b strings.Builder
	b.WriteString("project: p\nservices:\n- name: s\n  features: &all [")
	b.WriteString(strings.Repeat("\"v:f\", ", 2000) + "]\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "- {name: s%d, features: *all}\n", i)
	}
	_, err := parse(b.String())
	if err == nil || !strings.Contains(err.Error(), "aliases repeat too much") {
		t.Fatalf("got %.300v, want aliases repeat too much", err)
	}
}

func TestParseFollowsAliases(t *testing.T) {
	d, err := parse("project: p\nviews:\n- {name: a, entity: e, features: &f [{name: x, type: int64}]}\n- {name: b, entity: e, features: *f}\n")
	if err != nil || len(d.Views) != 2 || !reflect.DeepEqual(d.Views[0].Fields, d.Views[1].Fields) {
		t.Errorf("got %+v, %v; want both views to have feature x", d.Views, err)
	}
}

func TestParseTakesAnEmptyValueForAnEmptyList(t *testing.T) {
	d, err := parse("project: p\nviews:\n  # - name: later\nservices:\n")
	if err != nil || d.Views != nil || d.Services != nil {
		t.Errorf("got %+v, %v; want no views", d, err)
	}
}

func TestParseReadsDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"24h": 24 * time.Hour, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "500ms": 500 * time.Millisecond, "0": 0, "1h30m": 90 * time.Minute,
	} {
		d, err := parse(inView("ttl: " + text))
		if err != nil || d.Views[0].TTL != want {
			t.Errorf("%s: got %v, %v; want %v", text, d.Views, err, want)
		}
	}
	for _, text := range []string{"d", "-1d", "1d-1h", "106752d", "1d1d", "+1d", "1.5d", `""`} {
		if d, err := parse(inView("ttl: " + text)); err == nil {
			t.Errorf("%s: got %v, want an error", text, d.Views[0].TTL)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(promised)
	f.Add(inFeature("type: float64, default: -.inf"))
	f.Add("project: &a p\nviews: [{name: *a, entities: [a:b, c], tags: {x: 'y'}}]\n")
	text, err := definition.Format(everyField())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parse(text)
		if err != nil {
			return
		}
		if _, _, err := feature.NewRegistry().Apply(d, nil); err != nil && !errors.Is(err, feature.ErrInvalid) {
			t.Fatalf("apply what was parsed: %v", err)
		}
		out, err := definition.Format(d)
		if err != nil {
			t.Fatalf("format what was parsed: %v", err)
		}
		back, err := parse(string(out))
		if err != nil {
			t.Fatalf("parse what was formatted: %v\n%s", err, out)
		}
		if !reflect.DeepEqual(d, back) {
			t.Fatalf("got %+v\nwant %+v\n%s", back, d, out)
		}
	})
}

func TestPresetAndRuleOfAGroup(t *testing.T) {
	d, err := definition.Parse("x.yaml", strings.NewReader(`
project: rides
views:
  - {name: a, entity: driver, group: notes, features: [{name: x, type: int64}, {name: y, type: int64, conflict: counter}, {name: z, type: int64, conflict: event_time}]}
  - {name: b, entity: driver, features: [{name: x, type: int64}]}
groups:
  - {name: notes, preset: couchdb, placement: leaderless, write: {timeout: 1s}}
  - {name: default, conflict: write_time}
  - {name: last, preset: riak, conflict: event_time}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range d.Views {
		for _, f := range v.Fields {
			got = append(got, v.Name+":"+f.Name+" "+f.Rule.String())
		}
	}
	for _, g := range d.Groups {
		got = append(got, g.Name+" "+g.SettingsText())
	}
	want := []string{
		"a:x siblings", "a:y counter", "a:z event_time", "b:x write_time",
		"notes placement: leaderless, partitions: 1, conflict: siblings, read.level: eventual, write.concern: local, write.timeout: 1s, write.on_timeout: error",
		"default placement: multi_leader, partitions: 1, conflict: write_time",
		"last placement: leaderless, partitions: 1, conflict: event_time, read.level: quorum, read.read_repair: blocking, write.concern: quorum, write.on_timeout: error",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	text, err := definition.Format(d)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := definition.Parse("y.yaml", bytes.NewReader(text)); err != nil || !reflect.DeepEqual(back, d) {
		t.Errorf("read back %+v, %v\nfrom %s", back, err, text)
	}
	_, err = definition.Parse("x.yaml", strings.NewReader("project: rides\ngroups: [{name: g, preset: access}]\n"))
	if err == nil || !strings.Contains(err.Error(), `x.yaml:2:28: groups[0].preset: preset "access" is not known; use one of mysql, postgres, `) {
		t.Errorf("got %v", err)
	}
}
