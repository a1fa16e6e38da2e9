package ondemand_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/feature/ondemand"

	"pgregory.net/rapid"
)

func str(s string) feature.Value {
	v, err := feature.OfString(s)
	if err != nil {
		panic(err)
	}
	return v
}

func list(k feature.Kind, elems ...feature.Value) feature.Value {
	v, err := feature.OfList(k, elems...)
	if err != nil {
		panic(err)
	}
	return v
}

func must(v feature.Value, err error) feature.Value {
	if err != nil {
		panic(err)
	}
	return v
}

var null feature.Value

// sample are values of schema.
var sample = map[string]feature.Value{
	"conv_rate": feature.OfFloat32(0.5),
	"trips":     feature.OfInt64(7),
	"rank":      feature.OfInt32(-3),
	"spend":     feature.OfFloat64(12.25),
	"active":    feature.OfBool(true),
	"city":      str("Köln"),
	"raw":       feature.OfBytes([]byte{0, 1}),
	"seen":      feature.OfNanos(time.Date(2026, 8, 21, 10, 59, 42, 0, time.UTC).UnixNano()),
	"id":        must(feature.ParseUUID("123e4567-e89b-12d3-a456-426614174000")),
	"price":     must(feature.ParseDecimal("12.50")),
	"doc":       feature.OfJSON(`{"user": {"age": 41}, "n": [1, 2]}`),
	"tags":      list(feature.String, str("a"), str("b")),
	"counts":    list(feature.Int64, feature.OfInt64(1), feature.OfInt64(2)),
	"vec":       feature.OfVector([]float32{1, 2, 3}),
}

func compiled(t testing.TB, o feature.OnDemand) *ondemand.Program {
	t.Helper()
	p, err := ondemand.Compile(o, typeOf)
	if err != nil {
		t.Fatalf("compile %q: %v", o.Fields[0].Expr, err)
	}
	return p
}

// eval computes one expression over sample, with some inputs replaced.
func eval(t testing.TB, expr, typ string, replaced map[string]feature.Value) (feature.Value, error) {
	t.Helper()
	var names []string
	var inputs []feature.Value
	for name := range schema {
		names = append(names, name)
		v := sample[name]
		if r, ok := replaced[name]; ok {
			v = r
		}
		inputs = append(inputs, v)
	}
	out := []feature.Value{feature.OfBool(true)}
	err := compiled(t, view(expr, typ, names...)).Eval(inputs, nil, out)
	return out[0], err
}

func TestEvalComputesEveryType(t *testing.T) {
	for _, c := range []struct {
		expr, typ string
		want      feature.Value
	}{
		{"conv_rate * 2.0", "float64", feature.OfFloat64(1)},
		{"conv_rate * 2.0", "float32", feature.OfFloat32(1)},
		{"double(trips) * 1.5", "float64", feature.OfFloat64(10.5)},
		{"trips + 1", "int64", feature.OfInt64(8)},
		{"trips + rank", "int32", feature.OfInt32(4)},
		{"trips", "float64", feature.OfFloat64(7)},
		{"int(spend)", "int64", feature.OfInt64(12)},
		{"trips > 1.5", "bool", feature.OfBool(true)},
		{"active && city == 'Köln'", "bool", feature.OfBool(true)},
		{"city.upperAscii() + '!'", "string", str("KöLN!")},
		{"city + ' ' + string(trips)", "string", str("Köln 7")},
		{"raw", "bytes", feature.OfBytes([]byte{0, 1})},
		{"seen + duration('1h')", "timestamp", feature.OfNanos(sample["seen"].Int() + int64(time.Hour))},
		{"seen.getHours()", "int64", feature.OfInt64(10)},
		{"id", "uuid", sample["id"]},
		{"price", "decimal", sample["price"]},
		{"doc.user.age", "float64", feature.OfFloat64(41)},
		{"doc.n[1]", "float64", feature.OfFloat64(2)},
		{"has(doc.user.name) ? doc.user.name : 'nobody'", "string", str("nobody")},
		{"'{\"a\": 1}'", "json", feature.OfJSON(`{"a": 1}`)},
		{"tags[1]", "string", str("b")},
		{"tags.exists(t, t == 'b')", "bool", feature.OfBool(true)},
		{"tags + ['c']", "list<string>", list(feature.String, str("a"), str("b"), str("c"))},
		{"counts.map(c, c * 2)", "list<int64>", list(feature.Int64, feature.OfInt64(2), feature.OfInt64(4))},
		{"vec.map(x, x / 2.0)", "vector<float32,3>", feature.OfVector([]float32{0.5, 1, 1.5})},
		{"vec[0] + vec[2]", "float64", feature.OfFloat64(4)},
		{"math.greatest(conv_rate, 0.75)", "float64", feature.OfFloat64(0.75)},
		{"math.sqrt(double(trips + 2))", "float64", feature.OfFloat64(3)},
		{"'%s-%d'.format([city, trips])", "string", str("Köln-7")},
		{"tags.join(',')", "string", str("a,b")},
		{"city.matches('^K.*n$')", "bool", feature.OfBool(true)},
		{"city.replace('ö', 'oe')", "string", str("Koeln")},
		{"1.0 / 0.0", "float64", feature.OfFloat64(math.Inf(1))},
		{"null", "int64", null},
	} {
		got, err := eval(t, c.expr, c.typ, nil)
		if err != nil || got != c.want {
			t.Errorf("%s: got %v, %v; want %v", c.expr, got, err, c.want)
		}
	}
}

func TestEvalOfNullIsNullUnlessTheExpressionHandlesIt(t *testing.T) {
	for _, c := range []struct {
		expr, typ, null string
		want            feature.Value
	}{
		{"conv_rate * 2.0", "float64", "conv_rate", null},
		{"trips + 1", "int64", "trips", null},
		{"conv_rate == null ? 0.25 : conv_rate", "float64", "conv_rate", feature.OfFloat64(0.25)},
		{"trips != null ? trips : -1", "int64", "trips", feature.OfInt64(-1)},
		{"city == null ? 'none' : city", "string", "city", str("none")},
		{"seen == null", "bool", "seen", feature.OfBool(true)},
		{"tags == null ? 0 : size(tags)", "int64", "tags", feature.OfInt64(0)},
		{"vec == null", "bool", "vec", feature.OfBool(true)},
		{"doc == null", "bool", "doc", feature.OfBool(true)},
		{"size(tags)", "int64", "tags", null},
		{"city.upperAscii()", "string", "city", null},
		{"doc.user.age", "float64", "doc", null},
		{"active ? trips : 0", "int64", "trips", null},
		{"active ? 1 : trips", "int64", "trips", feature.OfInt64(1)},
		{"vec.map(x, x * 2.0)", "vector<float32,3>", "vec", null},
	} {
		got, err := eval(t, c.expr, c.typ, map[string]feature.Value{c.null: null})
		if err != nil || got != c.want {
			t.Errorf("%s with %s null: got %v, %v; want %v", c.expr, c.null, got, err, c.want)
		}
	}
}

func TestEvalReportsWhatCannotBeComputedAndServesTheRest(t *testing.T) {
	big := map[string]feature.Value{
		"trips": feature.OfInt64(math.MaxInt64), "spend": feature.OfFloat64(1e300),
		"city": str(strings.Repeat("x", 200_000)),
	}
	for _, c := range []struct{ expr, typ, want string }{
		{"trips + 1", "int64", "overflow"},
		{"trips / (trips - trips)", "int64", "division by zero"},
		{"trips % 0", "int64", "modulus by zero"},
		{"trips", "int32", "does not fit int32"},
		{"spend", "float32", "does not fit float32"},
		{"int(spend)", "int64", "overflow"},
		{"tags[9]", "string", "index out of bounds"},
		{"doc.nope", "float64", "no such key"},
		{"doc.user", "float64", "the result is map"},
		{"'x'", "uuid", "not a uuid"},
		{"'x'", "decimal", "not a decimal"},
		{"'{'", "json", "not a JSON document"},
		{"[1.0]", "vector<float32,3>", "1 elements"},
		{"seen + duration('2562047h')", "timestamp", "outside"},
		{"city + city", "string", "bytes of input"},
		{"[1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, [1,2,3,4,5,6,7,8,9].map(d, [1,2,3,4,5,6,7,8,9].map(e, e)))))[0][0][0][0][0]", "int64", "cost limit"},
	} {
		if c.expr == "city + city" {
			big["city"] = str(strings.Repeat("x", 300_000))
		}
		got, err := eval(t, c.expr, c.typ, big)
		var failed *ondemand.FailedError
		if !errors.As(err, &failed) || !errors.Is(err, ondemand.ErrFailed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want a FailedError with %q", c.expr, err, c.want)
			continue
		}
		if !got.IsNull() || len(failed.Failures) != 1 || failed.Failures[0].Feature != "score" {
			t.Errorf("%s: got %v, %+v; want null and one failure of score", c.expr, got, failed.Failures)
		}
	}

	o := view("trips / 0", "int64", "trips")
	o.Fields = append(o.Fields, feature.Computed{Name: "good", Type: feature.ScalarOf(feature.Int64), Expr: "trips * 2"})
	out := make([]feature.Value, 2)
	err := compiled(t, o).Eval([]feature.Value{feature.OfInt64(4)}, nil, out)
	if !errors.Is(err, ondemand.ErrFailed) || !out[0].IsNull() || out[1] != feature.OfInt64(8) {
		t.Errorf("got %v, %v; want null, 8 and a failure", out, err)
	}
}

func TestEvalTakesRequestValuesAfterInputs(t *testing.T) {
	o := view("conv_rate * demand", "float64", "conv_rate")
	o.Request = []feature.RequestField{{Name: "demand", Type: feature.ScalarOf(feature.Float64)}}
	out := make([]feature.Value, 1)
	if err := compiled(t, o).Eval([]feature.Value{sample["conv_rate"]}, []feature.Value{feature.OfFloat64(3)}, out); err != nil || out[0] != feature.OfFloat64(1.5) {
		t.Errorf("got %v, %v; want 1.5", out[0], err)
	}
}

func TestEvalRefusesArgumentsThatDoNotFit(t *testing.T) {
	p := compiled(t, view("trips", "int64", "trips"))
	one := []feature.Value{feature.OfInt64(1)}
	for claim, err := range map[string]error{
		"no input":   p.Eval(nil, nil, one),
		"no output":  p.Eval(one, nil, nil),
		"more":       p.Eval(one, one, one),
		"other type": p.Eval([]feature.Value{str("x")}, nil, make([]feature.Value, 1)),
	} {
		if !errors.Is(err, ondemand.ErrMisuse) {
			t.Errorf("%s: got %v, want ErrMisuse", claim, err)
		}
	}
}

// The compiled expression against the same formula in Go.
func TestEvalAgreesWithGo(t *testing.T) {
	p := compiled(t, view("trips == null ? -1.0 : conv_rate * double(trips) + 0.5", "float64", "conv_rate", "trips"))
	rapid.Check(t, func(t *rapid.T) {
		rate, trips := rapid.Float32().Draw(t, "conv_rate"), rapid.Int64().Draw(t, "trips")
		in := []feature.Value{feature.OfFloat32(rate), feature.OfInt64(trips)}
		want := float64(float64(rate)*float64(trips)) + 0.5
		if rapid.Bool().Draw(t, "null") {
			in[1], want = null, -1
		}
		out := make([]feature.Value, 1)
		if err := p.Eval(in, nil, out); err != nil || out[0] != feature.OfFloat64(want) {
			t.Fatalf("got %v, %v; want %v", out[0], err, want)
		}
	})
}

func TestEvalIsSafeForConcurrentUse(t *testing.T) {
	p := compiled(t, view("tags.map(t, t + string(trips)).join(',')", "string", "tags", "trips"))
	var wg sync.WaitGroup
	for g := range int64(8) {
		wg.Go(func() {
			want := str(strings.ReplaceAll("a#,b#", "#", feature.OfInt64(g).String()))
			out := make([]feature.Value, 1)
			for range 200 {
				if err := p.Eval([]feature.Value{sample["tags"], feature.OfInt64(g)}, nil, out); err != nil || out[0] != want {
					t.Errorf("got %v, %v; want %v", out[0], err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzCompile(f *testing.F) {
	for _, expr := range []string{"conv_rate * 2.0", "trips == null ? 0 : trips", "tags.map(t, t + 'x')", "doc.a[0]", "'%s'.format([city])", "city.replace('a','b')"} {
		f.Add(expr, "x", int64(3))
	}
	f.Fuzz(func(t *testing.T, expr, text string, n int64) {
		for _, typ := range []string{"float64", "string", "list<string>"} {
			p, err := ondemand.Compile(view(expr, typ, "trips", "city", "tags", "conv_rate", "doc"), typeOf)
			if err != nil {
				continue
			}
			city, err := feature.OfString(text)
			if err != nil {
				return
			}
			in := []feature.Value{feature.OfInt64(n), city, list(feature.String, city), feature.OfFloat32(float32(n)), sample["doc"]}
			a, b := make([]feature.Value, 1), make([]feature.Value, 1)
			errA, errB := p.Eval(in, nil, a), p.Eval(in, nil, b)
			if a[0] != b[0] || (errA == nil) != (errB == nil) {
				t.Fatalf("%q gave %v (%v), then %v (%v)", expr, a[0], errA, b[0], errB)
			}
			if errors.Is(errA, ondemand.ErrMisuse) {
				t.Fatalf("%q: %v", expr, errA)
			}
		}
	})
}
