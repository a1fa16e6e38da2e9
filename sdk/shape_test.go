package sdk

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
)

// expectMismatch wants ErrMismatch with every text.
func expectMismatch(t *testing.T, err error, texts ...string) {
	t.Helper()
	if !errors.Is(err, ErrMismatch) {
		t.Fatalf("got %v, want %v", err, ErrMismatch)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want it to say %q", err, text)
		}
	}
}

// K1.
func TestTagsThatCannotBeCompiledAreNamed(t *testing.T) {
	type hidden struct {
		rate float32 `feature:"v:float32"`
	}
	_ = hidden{}.rate
	type faulty struct {
		Both   int64          `feature:"v:int64" key:"id"`
		Colons int64          `feature:"a:b:c"`
		Empty  int64          `feature:""`
		Small  int8           `feature:"v:int32"`
		Nested [][]string     `feature:"v:tags"`
		Key    Counter[int64] `key:"id"`
		Named  int64          `key:"a:b"`
		Option int64          `feature:"v:int64,omitempty"`
		At     int64          `feature:"@event_time"`
		One    int64          `feature:"v:count"`
		Two    int64          `feature:"v:count"`
	}
	_, err := shapeOf(reflect.TypeFor[faulty]())
	expectMismatch(t, err,
		"faulty.Both: has both a feature and a key tag",
		`faulty.Colons: tag feature:"a:b:c": want view:feature`,
		`faulty.Empty: tag feature:""`,
		`faulty.Small: tag feature:"v:int32": no feature type fits a Go int8; use bool, int32`,
		"faulty.Nested: tag", "lists do not nest",
		`faulty.Key: tag key:"id": a key neither counts nor gathers; want a plain type`,
		`faulty.Named: tag key:"a:b": want the name of a join key`,
		`faulty.Option: tag feature:"v:int64,omitempty": option "omitempty" is not known; use omitzero`,
		"faulty.At: tag", "an event time is a time.Time, not int64",
		`faulty.Two: tag feature:"v:count" is that of faulty.One already`,
	)
	_, err = shapeOf(reflect.TypeFor[hidden]())
	expectMismatch(t, err, "hidden.rate: has a tag but is not exported")
	_, err = shapeOf(reflect.TypeFor[int]())
	expectMismatch(t, err, "int is no struct")
}

// K1.
func TestFieldsThatDoNotHoldTheirFeatureAreNamed(t *testing.T) {
	type faulty struct {
		ID     string           `key:"id"`
		Narrow int32            `feature:"v:int64"`
		Lossy  *float32         `feature:"v:float64"`
		Text   Optional[string] `feature:"v:bytes"`
		Vector [4]float32       `feature:"v:vector"`
		Tags   []int64          `feature:"v:tags"`
		Count  Counter[int64]   `feature:"v:int32"`
		Seen   Set[string]      `feature:"v:doc"`
		None   int64            `feature:"v:int65"`
		Other  int64            `feature:"w:int64"`
	}
	shape, err := shapeOf(reflect.TypeFor[faulty]())
	if err != nil {
		t.Fatal(err)
	}
	_, err = schemaFor(t, everythingDefinitions()).bind(shape, "")
	expectMismatch(t, err,
		`faulty.ID: tag key:"id": the join key is int64, which a Go string does not hold; use int64`,
		`faulty.Narrow: tag feature:"v:int64": the feature is int64, which a Go int32 does not hold; use int64`,
		`faulty.Lossy: tag feature:"v:float64": the feature is float64, which a Go *float32`,
		`the feature is bytes, which a Go sdk.Optional[string] does not hold; use []byte`,
		`the feature is vector<float32,3>, which a Go [4]float32 does not hold; use []float32 or [3]float32`,
		`the feature is list<string>, which a Go []int64 does not hold; use a slice of string`,
		"faulty.Count: tag", "conflict rule is event_time",
		"faulty.Seen: tag",
		`faulty.None: tag feature:"v:int65": the project has no such feature`,
		`faulty.Other: tag feature:"w:int64": the project has no such feature; did you mean v:int64?`,
	)
}

func TestTagWithoutViewNamesTheOneFeatureOfThatName(t *testing.T) {
	d := everythingDefinitions()
	d.Views = append(d.Views, feature.View{Name: "w", Entities: []string{"e"}, Fields: []feature.Field{
		{Name: "int64", Type: feature.ScalarOf(feature.Int64)}, {Name: "only", Type: feature.ScalarOf(feature.String)},
	}})
	d.Services = []feature.Service{{Name: "s", Features: []feature.Reference{{View: "v", Feature: "bool"}, {View: "w", Feature: "int64"}, {View: "w", Feature: "only"}}}}
	type fits struct {
		Only string `feature:"only"`
		Int  int64  `feature:"int64"`
	}
	b := bindFor[fits](t, d, "s")
	if want := []string{"v:bool", "w:int64", "w:only"}; !reflect.DeepEqual(b.features, want) {
		t.Errorf("got features %v, want %v", b.features, want)
	}
	if b.fields[0] != nil || b.fields[1].name != "fits.Int" || b.fields[2].name != "fits.Only" {
		t.Errorf("got fields %v, want none, Int, Only", b.fields)
	}
	shape, _ := shapeOf(reflect.TypeFor[fits]())
	_, err := schemaFor(t, d).bind(shape, "")
	expectMismatch(t, err, `fits.Int: tag feature:"int64": the project has several such features, v:int64 and w:int64; name the view`)
}

func TestRowsArePushedAsTheirFieldsSay(t *testing.T) {
	type keys struct {
		ID   int64  `key:"id"`
		City string `key:"city"`
	}
	type row struct {
		keys
		Absent  Optional[float64] `feature:"v:float64"`
		Null    Optional[string]  `feature:"v:string"`
		Value   Optional[bool]    `feature:"v:bool"`
		NilPtr  *int32            `feature:"v:int32"`
		NoTags  []string          `feature:"v:tags"`
		NoTimes []time.Time       `feature:"v:times"`
		Omit    float32           `feature:"v:float32,omitzero"`
		Zero    int64             `feature:"v:int64"`
		Count   Counter[int64]    `feature:"v:count"`
		Seen    Set[string]       `feature:"v:seen"`
		Other   int64             `feature:"other:thing"`
		At      time.Time         `feature:"@event_time"`
	}
	shape, err := shapeOf(reflect.TypeFor[row]())
	if err != nil {
		t.Fatal(err)
	}
	b, err := schemaFor(t, everythingDefinitions()).bindPush(shape.typ, View("v"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		claim string
		row   row
		want  string
	}{
		{"nothing but what a plain field always says", row{keys: keys{7, "Bonn"}}, `{"city":"Bonn","id":7,"int64":0}`},
		{"null, value, increment, add and remove",
			row{keys: keys{7, `"`}, Null: NullOf[string](), Value: Some(false), NoTags: []string{}, Count: Increment[int64](-2),
				Seen: Set[string]{Add: []string{"a"}, Remove: []string{"b"}}, At: time.UnixMilli(1500)},
			`{"city":"\"","id":7,"string":null,"bool":false,"tags":[],"int64":0,"count":{"increment":-2},"seen":{"add":["a"],"remove":["b"]},"event_time":"1970-01-01T00:00:01.500Z"}`},
		{"what was looked up is no increment",
			row{keys: keys{7, ""}, Absent: Optional[float64]{Status: NotFound}, Count: Counter[int64]{Total: 5}, Seen: Set[string]{Elements: []string{"x"}}},
			`{"city":"","id":7,"int64":0}`},
	} {
		t.Run(c.claim, func(t *testing.T) {
			got, err := b.append(nil, pointerTo(&c.row))
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
	_, err = schemaFor(t, everythingDefinitions()).bindPush(reflect.TypeFor[struct {
		ID int64 `key:"id"`
		X  int64 `feature:"x"`
	}](), View("v"))
	expectMismatch(t, err, `no field has the tag key:"city", a join key of view v`, `tag feature:"x": view v has no such feature`)
}
