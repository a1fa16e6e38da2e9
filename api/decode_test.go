package api

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"featurestore/feature"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func mustType(t testing.TB, s string) feature.Type {
	t.Helper()
	typ, err := feature.ParseType(s)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func TestDecodeValueReads(t *testing.T) {
	for _, tt := range []struct{ typ, json, want string }{
		{"int64", `9007199254740993`, `9007199254740993`}, // 2^53 + 1
		{"int64", `-9223372036854775808`, `-9223372036854775808`},
		{"int64", `9223372036854775807`, `9223372036854775807`},
		{"int64", `"9223372036854775807"`, `9223372036854775807`},
		{"int64", `1e3`, `1000`},
		{"int64", `1.0`, `1`},
		{"int64", `1.50e1`, `15`},
		{"int64", `-0`, `0`},
		{"int64", `0e999999999999`, `0`},
		{"int32", `-2147483648`, `-2147483648`},
		{"float64", `0.1`, `0.1`},
		{"float64", `-0`, `-0`},
		{"float64", `"NaN"`, `"NaN"`},
		{"float32", `0.1`, `0.1`},
		{"float32", `16777217`, `16777216`}, // rounds, as floats do
		{"float32", `"-Infinity"`, `"-Infinity"`},
		{"bool", ` true `, `true`},
		{"string", `"a\u00e9\ud83d\ude00\n"`, "\"aé😀\\n\""},
		{"bytes", `"/wA="`, `"/wA="`},
		{"bytes", `""`, `""`},
		{"timestamp", `"2026-08-21T10:59:42Z"`, `"2026-08-21T10:59:42Z"`},
		{"timestamp", `"2026-08-21 10:59:42+00:00"`, `"2026-08-21T10:59:42Z"`},
		{"timestamp", `"2026-08-21T12:59:42.5+02:00"`, `"2026-08-21T10:59:42.500Z"`},
		{"timestamp", `"2026-08-21T10:59:42.123456789"`, `"2026-08-21T10:59:42.123456789Z"`},
		{"timestamp", `1787309982`, `"2026-08-21T10:59:42Z"`},
		{"timestamp", `1787309982.000000001`, `"2026-08-21T10:59:42.000000001Z"`},
		{"timestamp", `-1`, `"1969-12-31T23:59:59Z"`},
		{"timestamp", `"2024-02-29T00:00:00Z"`, `"2024-02-29T00:00:00Z"`},
		{"uuid", `"123E4567-e89b-12d3-a456-426614174000"`, `"123e4567-e89b-12d3-a456-426614174000"`},
		{"decimal", `12.50`, `"12.50"`},
		{"decimal", `"12.50"`, `"12.50"`},
		{"decimal", `99999999999999999999.1`, `"99999999999999999999.1"`},
		{"json", ` {"a": [1, null, "\u0061"]} `, `{"a":[1,null,"\u0061"]}`},
		{"json", `"text"`, `"text"`},
		{"json", `null`, `null`},
		{"list<int64>", `[1, "2", 3.0]`, `[1,2,3]`},
		{"list<string>", `[]`, `[]`},
		{"list<json>", `[{"a":1},[2]]`, `[{"a":1},[2]]`},
		{"vector<float32,2>", `[0.5, -1]`, `[0.5,-1]`},
		{"list<int64>", `null`, `null`},
	} {
		v, err := DecodeValue(json.RawMessage(tt.json), mustType(t, tt.typ))
		if err != nil {
			t.Errorf("%s from %s: %v", tt.typ, tt.json, err)
			continue
		}
		if got := string(AppendValue(nil, v)); got != tt.want {
			t.Errorf("%s from %s: got %s, want %s", tt.typ, tt.json, got, tt.want)
		}
	}
}

func TestDecodeValueRefusesWhatItWouldLose(t *testing.T) {
	for _, tt := range []struct{ typ, json, want string }{
		{"int64", `1.5`, "1.5 is not a whole number"},
		{"int64", `9223372036854775808`, "outside int64"},
		{"int64", `1e19`, "outside int64"},
		{"int64", `1e999999999999999999999`, "outside int64"},
		{"int64", `"1 "`, "want a whole number"},
		{"int64", `"abc"`, `want a whole number for int64, got "abc"`},
		{"int64", `true`, "want a whole number for int64, got true"},
		{"int64", `[1]`, "got a list"},
		{"int64", `01`, "expected a number"},
		{"int32", `2147483648`, "outside int32, which goes from -2147483648 to 2147483647"},
		{"float64", `1e309`, "outside what float64 holds"},
		{"float32", `1e39`, "outside what float32 holds"},
		{"float64", `"1.5"`, "want a number"},
		{"float64", `NaN`, "expected a value"},
		{"float64", `"nan"`, `"NaN"`},
		{"bool", `1`, "want true or false"},
		{"bool", `"true"`, "want true or false"},
		{"string", `1`, "want a string"},
		{"string", "\"\xff\"", "UTF-8"},
		{"string", `"\ud800"`, "half of a surrogate pair"},
		{"string", `"\ud800\u0041"`, "half of a surrogate pair"},
		{"string", "\"a\nb\"", "control character"},
		{"bytes", `"_w=="`, "not standard base64"},
		{"bytes", `"/wA"`, "not standard base64"},
		{"timestamp", `"2026-02-30T00:00:00Z"`, "is not a time such as"},
		{"timestamp", `"2026-08-21"`, "is not a time such as"},
		{"timestamp", `"2026-08-21T10:59:60Z"`, "is not a time such as"},
		{"timestamp", `"2026-08-21T10:59:42.1234567891Z"`, "at most 9 digits"},
		{"timestamp", `"2026-08-21T10:59:42+0200"`, "is not a time such as"},
		{"timestamp", `"9999-01-01T00:00:00Z"`, "2262-04-11"},
		{"timestamp", `1787309982000000`, "seconds, not milliseconds"},
		{"timestamp", `1.0000000001`, "more than 9 digits"},
		{"uuid", `"123e4567"`, "is not a uuid"},
		{"uuid", `"{123e4567-e89b-12d3-a456-426614174000}"`, "is not a uuid"},
		{"decimal", `"1,5"`, "want a number"},
		{"decimal", `"Infinity"`, "want a number"},
		{"decimal", `1e1000`, "decimal"},
		{"json", `{"a":1,"a":2}`, `key "a" stands twice`},
		{"json", strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested more than"},
		{"json", `{"a":`, "text ends here"},
		{"list<int64>", `[1,null]`, "element 1 is null"},
		{"list<int64>", `[1,"x"]`, "element 1: want a whole number"},
		{"list<int64>", `1`, "want a list for list<int64>, got 1"},
		{"vector<float32,2>", `[1]`, "want 2 elements for vector<float32,2>, got 1"},
		{"vector<float32,2>", `[1,null]`, "element 1 is null"},
		{"int64", `1 2`, "end of the text"},
		{"int64", ``, "text ends here"},
	} {
		v, err := DecodeValue(json.RawMessage(tt.json), mustType(t, tt.typ))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s from %s: got %v, %v; want an error with %q", tt.typ, tt.json, v, err, tt.want)
		}
	}
}

func TestDecodeJSONBoundsTheDocument(t *testing.T) {
	text := `"` + strings.Repeat("x", MaxJSONBytes) + `"`
	if _, err := DecodeValue(json.RawMessage(text), mustType(t, "json")); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v, want the bound named", err)
	}
}

// TestEveryValueSurvivesJSON is invariant A1.
func TestEveryValueSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := drawType(t)
		v := drawValue(t, typ)
		text := AppendValue(nil, v)
		if !json.Valid(text) {
			t.Fatalf("%s printed %s, which is no JSON", v, text)
		}
		back, err := DecodeValue(text, typ)
		if err != nil {
			t.Fatalf("%s %s: %v", typ, text, err)
		}
		if !back.Equal(v) {
			t.Fatalf("%s %s reads back as %s, want %s", typ, text, back, v)
		}
	})
}

func drawType(t *rapid.T) feature.Type {
	k := feature.Kind(rapid.IntRange(int(feature.Bytes), int(feature.JSON)).Draw(t, "kind"))
	switch rapid.IntRange(0, 3).Draw(t, "shape") {
	case 0:
		return feature.ListOf(k)
	case 1:
		return feature.VectorOf(rapid.IntRange(1, 5).Draw(t, "dim"))
	}
	return feature.ScalarOf(k)
}

func drawValue(t *rapid.T, typ feature.Type) feature.Value {
	switch typ.Shape {
	case feature.List:
		var elems []feature.Value
		for range rapid.IntRange(0, 5).Draw(t, "length") {
			elems = append(elems, drawScalar(t, typ.Kind))
		}
		v, err := feature.OfList(typ.Kind, elems...)
		if err != nil {
			t.Fatal(err)
		}
		return v
	case feature.Vector:
		return feature.OfVector(rapid.SliceOfN(rapid.Float32(), typ.Dim, typ.Dim).Draw(t, "vector"))
	}
	if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
		return feature.Value{}
	}
	return drawScalar(t, typ.Kind)
}

func drawScalar(t *rapid.T, k feature.Kind) feature.Value {
	must := func(v feature.Value, err error) feature.Value {
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	switch k {
	case feature.Bytes:
		return feature.OfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case feature.Int32:
		return feature.OfInt32(rapid.Int32().Draw(t, "int32"))
	case feature.Int64:
		return feature.OfInt64(rapid.Int64().Draw(t, "int64"))
	case feature.Float32:
		return feature.OfFloat32(math.Float32frombits(rapid.Uint32().Draw(t, "float32")))
	case feature.Float64:
		return feature.OfFloat64(math.Float64frombits(rapid.Uint64().Draw(t, "float64")))
	case feature.Bool:
		return feature.OfBool(rapid.Bool().Draw(t, "bool"))
	case feature.Timestamp:
		return feature.OfNanos(rapid.Int64().Draw(t, "nanos"))
	case feature.UUID:
		return feature.OfUUID(uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")))
	case feature.Decimal:
		return must(feature.ParseDecimal(rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,10})?(E-?[0-9])?`).Draw(t, "decimal")))
	case feature.JSON:
		text, err := json.Marshal(rapid.MapOf(rapid.String(), rapid.Int()).Draw(t, "json"))
		if err != nil {
			t.Fatal(err)
		}
		return feature.OfJSON(string(text))
	}
	return must(feature.OfString(rapid.String().Draw(t, "string")))
}

// FuzzDecodeValue checks that whatever is read prints as JSON that reads as the
// same value.
func FuzzDecodeValue(f *testing.F) {
	for _, seed := range []string{`1`, `"2026-08-21T10:59:42.123Z"`, `[1,2.5,"NaN"]`, `{"a":[{}]}`, `"\ud83d\ude00"`, `1e3`, `12.50`, `null`, `"/wA="`} {
		for k := range 40 {
			f.Add([]byte(seed), byte(k))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, pick byte) {
		typ := feature.ScalarOf(feature.Kind(pick%11) + feature.Bytes)
		switch pick / 11 % 3 {
		case 1:
			typ = feature.ListOf(typ.Kind)
		case 2:
			typ = feature.VectorOf(1 + int(pick)%4)
		}
		v, err := DecodeValue(raw, typ)
		if err != nil {
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q was read as %s, but is no JSON", raw, v)
		}
		if !v.IsNull() && v.Type() != typ {
			t.Fatalf("%q was read as a %s, want %s", raw, v.Type(), typ)
		}
		text := AppendValue(nil, v)
		back, err := DecodeValue(text, typ)
		if err != nil || !back.Equal(v) {
			t.Fatalf("%q printed %s, which reads %s, %v; want %s", raw, text, back, err, v)
		}
	})
}
