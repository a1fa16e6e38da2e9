package api

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"featurestore/feature"

	"pgregory.net/rapid"
)

func TestAppendValuePrintsNumbersAsEncodingJSONDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		compareText(t, AppendValue(nil, feature.OfFloat64(f)), f)
		g := rapid.Float32().Draw(t, "g")
		compareText(t, AppendValue(nil, feature.OfFloat32(g)), g)
		n := rapid.Int64().Draw(t, "n")
		compareText(t, AppendValue(nil, feature.OfInt64(n)), n)
	})
}

func TestShortFloatsPrintAsTheGeneralAlgorithmPrintsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-maxShort, maxShort).Draw(t, "n")
		f := float64(n) / rapid.SampledFrom([]float64{1, 10, 100, 1e3, 1e4, 1e5, 3}).Draw(t, "over")
		f = rapid.SampledFrom([]float64{f, math.Nextafter(f, 0), math.Nextafter(f, math.Inf(1))}).Draw(t, "near")
		compareText(t, AppendValue(nil, feature.OfFloat64(f)), f)
	})
}

func compareText(t *rapid.T, got []byte, v any) {
	t.Helper()
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Fatalf("printed %s, want %s", got, want)
	}
}

func TestAppendStringReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		got := AppendString(nil, s)
		var want strings.Builder
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(s); err != nil {
			t.Fatal(err)
		}
		if string(got) != strings.TrimSuffix(want.String(), "\n") {
			t.Fatalf("%q printed %s, want %s", s, got, want.String())
		}
	})
}

func TestAppendTimeHasThreeDigitSteps(t *testing.T) {
	for ns, want := range map[int64]string{
		0:                       `"1970-01-01T00:00:00Z"`,
		1:                       `"1970-01-01T00:00:00.000000001Z"`,
		1_640_991_600_250e6:     `"2021-12-31T23:00:00.250Z"`,
		1_640_991_600_000_250e3: `"2021-12-31T23:00:00.000250Z"`,
		-1:                      `"1969-12-31T23:59:59.999999999Z"`,
		math.MaxInt64:           `"2262-04-11T23:47:16.854775807Z"`,
		math.MinInt64:           `"1677-09-21T00:12:43.145224192Z"`,
	} {
		if got := string(AppendTime(nil, ns)); got != want {
			t.Errorf("%d: got %s, want %s", ns, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64().Draw(t, "ns")
		text := string(AppendTime(nil, ns))
		back, err := time.Parse(time.RFC3339Nano, strings.Trim(text, `"`))
		if err != nil || back.UnixNano() != ns {
			t.Fatalf("%d printed %s, which reads %v, %v", ns, text, back, err)
		}
	})
}

func TestAppendValueOfEveryOtherKind(t *testing.T) {
	text := func(v feature.Value, err error) feature.Value {
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	list := text(feature.OfList(feature.String, text(feature.OfString("a")), text(feature.OfString(`"`))))
	for _, tt := range []struct {
		v             feature.Value
		native, feast string
	}{
		{feature.Value{}, `null`, `null`},
		{feature.OfBool(true), `true`, `true`},
		{feature.OfFloat64(math.NaN()), `"NaN"`, `"NaN"`},
		{feature.OfFloat32(float32(math.Inf(-1))), `"-Infinity"`, `"-Infinity"`},
		{feature.OfNanos(1_640_991_600_250e6), `"2021-12-31T23:00:00.250Z"`, `1640991600`},
		{feature.OfNanos(-1), `"1969-12-31T23:59:59.999999999Z"`, `-1`},
		{feature.OfBytes([]byte{0xff, 0}), `"` + base64.StdEncoding.EncodeToString([]byte{0xff, 0}) + `"`, `"/wA="`},
		{text(feature.ParseUUID("123e4567-e89b-12d3-a456-426614174000")), `"123e4567-e89b-12d3-a456-426614174000"`, `"123e4567-e89b-12d3-a456-426614174000"`},
		{text(feature.ParseDecimal("12.50")), `"12.50"`, `"12.50"`},
		{feature.OfJSON(`{"a":[1]}`), `{"a":[1]}`, `"{\"a\":[1]}"`},
		{list, `["a","\""]`, `["a","\""]`},
		{feature.OfVector([]float32{0.5, -1}), `[0.5,-1]`, `[0.5,-1]`},
	} {
		if got := string(AppendValue(nil, tt.v)); got != tt.native {
			t.Errorf("%v: native %s, want %s", tt.v, got, tt.native)
		}
		if got := string(AppendFeastValue(nil, tt.v)); got != tt.feast {
			t.Errorf("%v: feast %s, want %s", tt.v, got, tt.feast)
		}
	}
}

func BenchmarkAppendFloat(b *testing.B) {
	for _, f := range []float64{1234.5678, math.Pi} {
		b.Run(strconv.FormatFloat(f, 'g', -1, 64)+"/by=api", func(b *testing.B) {
			var buf []byte
			for b.Loop() {
				buf = appendFloat(buf[:0], f, 64)
			}
		})
		b.Run(strconv.FormatFloat(f, 'g', -1, 64)+"/by=strconv", func(b *testing.B) {
			var buf []byte
			for b.Loop() {
				buf = strconv.AppendFloat(buf[:0], f, 'f', -1, 64)
			}
		})
	}
}
