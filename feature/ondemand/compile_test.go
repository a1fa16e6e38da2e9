package ondemand_test

import (
	"errors"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/feature/ondemand"
)

// schema types the stored features of the tests.
var schema = map[string]feature.Type{
	"conv_rate": feature.ScalarOf(feature.Float32),
	"trips":     feature.ScalarOf(feature.Int64),
	"rank":      feature.ScalarOf(feature.Int32),
	"spend":     feature.ScalarOf(feature.Float64),
	"active":    feature.ScalarOf(feature.Bool),
	"city":      feature.ScalarOf(feature.String),
	"raw":       feature.ScalarOf(feature.Bytes),
	"seen":      feature.ScalarOf(feature.Timestamp),
	"id":        feature.ScalarOf(feature.UUID),
	"price":     feature.ScalarOf(feature.Decimal),
	"doc":       feature.ScalarOf(feature.JSON),
	"tags":      feature.ListOf(feature.String),
	"counts":    feature.ListOf(feature.Int64),
	"vec":       feature.VectorOf(3),
}

func typeOf(ref feature.Reference) (feature.Type, error) {
	t, ok := schema[ref.Feature]
	if !ok {
		return feature.Type{}, errors.New("no feature " + ref.String())
	}
	return t, nil
}

// view is an on-demand view of one expression over the named inputs.
func view(expr, typ string, inputs ...string) feature.OnDemand {
	t, err := feature.ParseType(typ)
	if err != nil {
		panic(err)
	}
	o := feature.OnDemand{Name: "surge", Fields: []feature.Computed{{Name: "score", Type: t, Expr: expr}}}
	for _, name := range inputs {
		o.Inputs = append(o.Inputs, feature.Reference{View: "driver_stats", Feature: name})
	}
	return o
}

func TestCompileSaysWhatToWrite(t *testing.T) {
	all := []string{"conv_rate", "trips", "city", "tags", "doc"}
	for _, c := range []struct{ claim, expr, typ, want string }{
		{"int times double", "trips * 1.5", "float64", "column 7: * does not take (int, double): write double(trips) * 1.5"},
		{"double plus int literal", "conv_rate + 2", "float64", "write conv_rate + 2.0"},
		{"a nested int", "(trips + 1) / conv_rate", "float64", "write double(trips + 1) / conv_rate"},
		{"an unknown name", "trip + 1", "int64", `"trip" is no input, no request field and no function; inputs and request fields are city, conv_rate`},
		{"a double for an int", "conv_rate", "int64", "the result is double, but the feature is int64: write int(…) around it"},
		{"a string for a double", "city", "float64", "write double(…) around it"},
		{"a list for a scalar", "tags", "string", "the result is list(string)"},
		{"a scalar for a list", "city", "list<string>", "give a list"},
		{"a list of the wrong kind", "tags", "list<int64>", "the result is list(string)"},
		{"broken syntax", "trips +", "int64", "column 8: Syntax error"},
		{"a place on a later line", "trips +\n  nope", "int64", "line 2, column 3"},
		{"growth without a bound", "city.replace('', city)", "string", "replace takes two texts in quotes"},
		{"growth by constants", "city.replace('a', '0123456789').replace('b', '0123456789')", "string", "more than 64 times"},
		{"a separator from data", "tags.join(city)", "string", "join takes a text in quotes"},
		{"a pattern from data", "city.matches(city)", "bool", "matches takes a pattern in quotes"},
		{"a needle from data", "city.indexOf(city)", "int64", "indexOf takes a text in quotes"},
		{"arguments from data", "'%s'.format(tags)", "string", "format takes a list that is written out"},
		{"too long", strings.Repeat("1 + ", 5000) + "1", "int64", "code point"},
		{"too deep", strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), "int64", "recursion"},
		{"a clock", "now()", "timestamp", `"now" is no input`},
	} {
		t.Run(c.claim, func(t *testing.T) {
			_, err := ondemand.Compile(view(c.expr, c.typ, all...), typeOf)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			if !errors.Is(err, feature.ErrInvalid) || !strings.Contains(err.Error(), "on_demand[surge].features[score].expr") {
				t.Errorf("%v: want it to match ErrInvalid and to name view and feature", err)
			}
		})
	}
}

func TestCompileNamesBothInputsOfOneName(t *testing.T) {
	o := view("trips", "int64", "trips")
	o.Inputs = append(o.Inputs, feature.Reference{View: "city_stats", Feature: "trips"})
	problems := ondemand.Check(o, typeOf)
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "driver_stats:trips and feature city_stats:trips") {
		t.Fatalf("got %v, want one problem that names both", problems)
	}
}

func TestCompileRefusesWhatIsNoNameInExpressions(t *testing.T) {
	for _, name := range []string{"in", "true", "package", "7d_avg"} {
		o := view("1", "int64")
		o.Request = []feature.RequestField{{Name: name, Type: feature.ScalarOf(feature.Int64)}}
		problems := ondemand.Check(o, typeOf)
		if len(problems) != 1 || problems[0].Path != "request" || !strings.Contains(problems[0].Message, "rename it") {
			t.Errorf("%s: got %v, want one problem of request that says to rename it", name, problems)
		}
	}
}

func TestCompileReportsEveryFault(t *testing.T) {
	o := view("nope", "int64", "trips")
	o.Fields = append(o.Fields, feature.Computed{Name: "other", Type: feature.ScalarOf(feature.Int64), Expr: "1 +"})
	if problems := ondemand.Check(o, typeOf); len(problems) != 2 {
		t.Fatalf("got %v, want a problem of each feature", problems)
	}
	o.Inputs = []feature.Reference{{View: "v", Feature: "a"}, {View: "v", Feature: "b"}}
	if problems := ondemand.Check(o, typeOf); len(problems) != 2 || problems[0].Message != "no feature v:a" {
		t.Fatalf("got %v, want a problem of each input", problems)
	}
}

func TestNamesOfTypesAndFunctionsNameInputsToo(t *testing.T) {
	for _, name := range []string{"duration", "timestamp", "size", "type", "int", "math", "list"} {
		o := view(name+" + 1", "int64")
		o.Request = []feature.RequestField{{Name: name, Type: feature.ScalarOf(feature.Int64)}}
		out := make([]feature.Value, 1)
		if err := compiled(t, o).Eval(nil, []feature.Value{feature.OfInt64(4)}, out); err != nil || out[0] != feature.OfInt64(5) {
			t.Errorf("%s: got %v, %v; want 5", name, out[0], err)
		}
	}
}
