package sdk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"featurestore/api"
	"featurestore/feature"
)

// everything has a field of each kind that a struct may hold.
type everything struct {
	ID      int64                    `key:"id"`
	City    string                   `key:"city"`
	Bool    bool                     `feature:"v:bool"`
	Int32   int32                    `feature:"v:int32"`
	Int     *int                     `feature:"v:int64"`
	Float32 float32                  `feature:"v:float32"`
	Float64 Optional[float64]        `feature:"v:float64"`
	Text    Optional[string]         `feature:"v:string"`
	Bytes   []byte                   `feature:"v:bytes"`
	Time    time.Time                `feature:"v:time"`
	UUID    [16]byte                 `feature:"v:uuid"`
	Decimal string                   `feature:"v:decimal"`
	JSON    json.RawMessage          `feature:"v:json"`
	Tags    []string                 `feature:"v:tags"`
	Times   Optional[[]time.Time]    `feature:"v:times"`
	Vector  [3]float32               `feature:"v:vector"`
	Embed   []float32                `feature:"v:embed"`
	Count   Counter[int64]           `feature:"v:count"`
	Seen    Set[string]              `feature:"v:seen"`
	Doc     Optional[map[string]any] `feature:"v:doc"`
	At      time.Time                `feature:"@event_time"`
}

func everythingDefinitions() feature.Definitions {
	field := func(name string, t feature.Type, r feature.Rule) feature.Field {
		return feature.Field{Name: name, Type: t, Rule: r}
	}
	scalar := func(name string, k feature.Kind) feature.Field {
		return field(name, feature.ScalarOf(k), feature.EventTime)
	}
	return feature.Definitions{
		Project: "p",
		Entities: []feature.Entity{{Name: "e", JoinKeys: []feature.JoinKey{
			{Name: "id", Type: feature.ScalarOf(feature.Int64)}, {Name: "city", Type: feature.ScalarOf(feature.String)},
		}}},
		Views: []feature.View{{Name: "v", Entities: []string{"e"}, Online: true, Fields: []feature.Field{
			scalar("bool", feature.Bool), scalar("int32", feature.Int32), scalar("int64", feature.Int64),
			scalar("float32", feature.Float32), scalar("float64", feature.Float64), scalar("string", feature.String),
			scalar("bytes", feature.Bytes), scalar("time", feature.Timestamp), scalar("uuid", feature.UUID),
			scalar("decimal", feature.Decimal), scalar("json", feature.JSON),
			field("tags", feature.ListOf(feature.String), feature.EventTime),
			field("times", feature.ListOf(feature.Timestamp), feature.EventTime),
			field("vector", feature.VectorOf(3), feature.EventTime), field("embed", feature.VectorOf(2), feature.EventTime),
			field("count", feature.ScalarOf(feature.Int64), feature.Counter),
			field("seen", feature.ListOf(feature.String), feature.Set), scalar("doc", feature.JSON),
		}}},
	}
}

// schemaFor is what a client learns of definitions from a server.
func schemaFor(tb testing.TB, d feature.Definitions) *schema {
	tb.Helper()
	r, _, err := feature.NewRegistry().Apply(d, nil)
	if err != nil {
		tb.Fatal(err)
	}
	c, _ := r.Catalog(d.Project)
	all := api.Catalog{Views: api.Views(c)}
	for _, s := range d.Services {
		all.Services = append(all.Services, api.ServiceOf(&s))
	}
	for _, o := range d.OnDemands {
		all.OnDemands = append(all.OnDemands, api.OnDemandOf(&o))
	}
	s, err := schemaOf(all)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func bindFor[T any](tb testing.TB, d feature.Definitions, service string) *binding {
	tb.Helper()
	shape, err := shapeOf(reflect.TypeFor[T]())
	if err != nil {
		tb.Fatal(err)
	}
	b, err := schemaFor(tb, d).bind(shape, service)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// decodeRows decodes a body into rows the way Lookup does.
func decodeRows[T any](b *binding, body []byte, n int) (*Result[T], error) {
	r := &Result[T]{Rows: make([]T, n), Features: b.features}
	r.statuses, r.times = make([]Status, n*len(b.features)), make([]int64, n*len(b.features))
	p := &partial{
		binding: b, first: unsafe.Pointer(unsafe.SliceData(r.Rows)), size: reflect.TypeFor[T]().Size(), rows: n,
		statuses: r.statuses, times: r.times, met: &r.Met,
	}
	r.conflicts, r.partRows = make([][]int, 1), n
	p.conflicts = &r.conflicts[0]
	return r, p.decode(body)
}

// answerOf renders a lookup's answer with encoding/json.
func answerOf(tb testing.TB, b *binding, rows ...api.LookupRow) []byte {
	tb.Helper()
	body, err := json.Marshal(api.LookupResponse{
		Features: b.features, Rows: rows,
		Consistency: api.ConsistencyMet{Asked: "session", Met: "session", Region: "eu", Store: "eu-1", StalenessMs: map[string]int64{"us": 43}},
		Session:     "token",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func TestEveryTypeIsDecoded(t *testing.T) {
	b := bindFor[everything](t, everythingDefinitions(), "")
	raw := func(texts ...string) (out []json.RawMessage) {
		for _, text := range texts {
			out = append(out, json.RawMessage(text))
		}
		return out
	}
	at := "2026-08-21T10:59:42.5Z"
	values := raw(`true`, `-7`, `9007199254740993`, `0.1`, `"-Infinity"`, `"h\u00e9\n"`, `"AAEC"`, `"`+at+`"`,
		`"123e4567-e89b-12d3-a456-426614174000"`, `"12.50"`, `{"a": [1]}`, `["x","y"]`, `["`+at+`"]`, `[1,2,3]`, `[1.5,"NaN"]`,
		`42`, `["a","b"]`, `{"k":"v"}`)
	statuses := make([]Status, len(values))
	times := make([]*string, len(values))
	for i := range values {
		statuses[i], times[i] = Present, &at
	}
	statuses[4] = OutsideMaxAge
	r, err := decodeRows[everything](b, answerOf(t, b, api.LookupRow{
		Entity: map[string]json.RawMessage{"id": json.RawMessage("7"), "city": json.RawMessage(`"Bonn"`)},
		Values: values, Statuses: statuses, EventTimes: times,
	}), 1)
	if err != nil {
		t.Fatal(err)
	}
	when, _ := time.Parse(time.RFC3339Nano, at)
	big := 9007199254740993
	want := everything{
		ID: 7, City: "Bonn", Bool: true, Int32: -7, Int: &big, Float32: 0.1,
		Float64: Optional[float64]{Value: math.Inf(-1), Valid: true, Status: OutsideMaxAge, EventTime: when},
		Text:    Optional[string]{Value: "hé\n", Valid: true, Status: Present, EventTime: when},
		Bytes:   []byte{0, 1, 2}, Time: when,
		UUID:    [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00},
		Decimal: "12.50", JSON: json.RawMessage(`{"a":[1]}`), Tags: []string{"x", "y"},
		Times:  Optional[[]time.Time]{Value: []time.Time{when}, Valid: true, Status: Present, EventTime: when},
		Vector: [3]float32{1, 2, 3}, Embed: r.Rows[0].Embed,
		Count: Counter[int64]{Total: 42, Status: Present, EventTime: when},
		Seen:  Set[string]{Elements: []string{"a", "b"}, Status: Present, EventTime: when},
		Doc:   Optional[map[string]any]{Value: map[string]any{"k": "v"}, Valid: true, Status: Present, EventTime: when},
		At:    when,
	}
	if got := r.Rows[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if e := r.Rows[0].Embed; len(e) != 2 || e[0] != 1.5 || !math.IsNaN(float64(e[1])) {
		t.Errorf("got vector %v, want [1.5 NaN]", e)
	}
	if got := r.Status(0, "v:float64"); got != OutsideMaxAge {
		t.Errorf("got status %s, want %s", got, OutsideMaxAge)
	}
	if got := r.EventTime(0, "v:bool"); !got.Equal(when) {
		t.Errorf("got event time %v, want %v", got, when)
	}
	if r.Met.Staleness["us"] != 43*time.Millisecond || r.Met.Store != "eu-1" {
		t.Errorf("got %+v, want 43ms behind us, served by eu-1", r.Met)
	}
}

func TestFloat32IsTheSameNumberInAWiderField(t *testing.T) {
	type wide struct {
		One  float64           `feature:"v:float32"`
		Many []float64         `feature:"v:vector"`
		Real Optional[float64] `feature:"v:float64"`
	}
	b := bindFor[wide](t, everythingDefinitions(), "")
	r, err := decodeRows[wide](b, answerOf(t, b, api.LookupRow{
		Entity:   map[string]json.RawMessage{},
		Values:   []json.RawMessage{json.RawMessage("0.1"), json.RawMessage("[0.1,2,3]"), json.RawMessage("0.1")},
		Statuses: []Status{Present, Present, Present}, EventTimes: make([]*string, 3),
	}), 1)
	if err != nil {
		t.Fatal(err)
	}
	stored := float64(float32(0.1))
	if got := r.Rows[0]; got.One != stored || got.Many[0] != stored || got.Real.Value != 0.1 {
		t.Errorf("got %v, want %v twice, and 0.1 of the float64", got, stored)
	}
}

func TestNullsLeaveFieldsZeroAndSayWhy(t *testing.T) {
	b := bindFor[everything](t, everythingDefinitions(), "")
	n := len(b.features)
	row := api.LookupRow{Entity: map[string]json.RawMessage{}, Values: make([]json.RawMessage, n), Statuses: make([]Status, n), EventTimes: make([]*string, n)}
	for i := range n {
		row.Values[i], row.Statuses[i] = json.RawMessage("null"), NotFound
	}
	r, err := decodeRows[everything](b, answerOf(t, b, row), 1)
	if err != nil {
		t.Fatal(err)
	}
	want := everything{
		Float64: Optional[float64]{Status: NotFound}, Text: Optional[string]{Status: NotFound},
		Times: Optional[[]time.Time]{Status: NotFound}, Count: Counter[int64]{Status: NotFound},
		Seen: Set[string]{Status: NotFound}, Doc: Optional[map[string]any]{Status: NotFound},
	}
	if got := r.Rows[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := r.EventTime(0, "v:bool"); !got.IsZero() {
		t.Errorf("got event time %v of nothing, want zero", got)
	}
}

// small is what the twin decodes too.
type small struct {
	ID    int64             `key:"id"`
	Int   int64             `feature:"v:int64"`
	Int32 *int32            `feature:"v:int32"`
	F     Optional[float64] `feature:"v:float64"`
	Text  string            `feature:"v:string"`
	Bytes []byte            `feature:"v:bytes"`
	Tags  []string          `feature:"v:tags"`
	Count Counter[int64]    `feature:"v:count"`
}

// twin decodes with encoding/json, one value at a time.
func twin(b *binding, body []byte) ([]small, error) {
	var resp api.LookupResponse
	if err := json.Unmarshal(body, &resp); err != nil {
		return nil, err
	}
	rows := make([]small, len(resp.Rows))
	for i, row := range resp.Rows {
		out := &rows[i]
		var times []time.Time
		for _, at := range row.EventTimes {
			var when time.Time
			if at != nil {
				var err error
				if when, err = time.Parse(time.RFC3339Nano, *at); err != nil {
					return nil, err
				}
			}
			times = append(times, when.UTC())
		}
		float := func(raw json.RawMessage) (float64, error) {
			special := map[string]float64{`"NaN"`: math.NaN(), `"Infinity"`: math.Inf(1), `"-Infinity"`: math.Inf(-1)}
			if f, ok := special[string(raw)]; ok {
				return f, nil
			}
			var f float64
			return f, json.Unmarshal(raw, &f)
		}
		for _, set := range []struct {
			raw json.RawMessage
			to  any
		}{{row.Entity["id"], &out.ID}, {row.Values[0], &out.Int}, {row.Values[1], &out.Int32}, {row.Values[3], &out.Text}, {row.Values[5], &out.Tags}, {row.Values[6], &out.Count.Total}} {
			if set.raw == nil {
				continue
			}
			if err := json.Unmarshal(set.raw, set.to); err != nil {
				return nil, err
			}
		}
		var text *string
		if err := json.Unmarshal(row.Values[4], &text); err != nil {
			return nil, err
		}
		if text != nil {
			decoded, err := base64.StdEncoding.DecodeString(*text)
			if err != nil {
				return nil, err
			}
			out.Bytes = append([]byte{}, decoded...)
		}
		if string(row.Values[2]) != "null" {
			f, err := float(row.Values[2])
			if err != nil {
				return nil, err
			}
			out.F.Value, out.F.Valid = f, true
		}
		out.F.Status, out.F.EventTime = row.Statuses[2], times[2]
		out.Count.Status, out.Count.EventTime = row.Statuses[6], times[6]
	}
	return rows, nil
}

// show prints a row, NaN and what pointers point to included.
func show(s small) string {
	n := "nil"
	if s.Int32 != nil {
		n = fmt.Sprint(*s.Int32)
	}
	s.Int32 = nil
	return fmt.Sprintf("%+v Int32:%s", s, n)
}

// FuzzDecodeLookup compares the decoder with its twin: what it accepts is
// valid JSON and means the same to encoding/json.
func FuzzDecodeLookup(f *testing.F) {
	b := bindFor[small](f, everythingDefinitions(), "")
	at := `"2026-08-21T10:59:42Z"`
	head, err := json.Marshal(b.features)
	if err != nil {
		f.Fatal(err)
	}
	rows := func(values string) []byte {
		return fmt.Appendf(nil, `{"features":%s,"rows":[{"entity":{"id":1},"values":[%s],"statuses":["PRESENT","NULL_VALUE","PRESENT","NOT_FOUND","OUTSIDE_MAX_AGE","PRESENT","new"],`+
			`"event_times":[%s,null,%s,null,null,null,%s]}],"consistency":{},"session":""}`, head, values, at, at, at)
	}
	f.Add(rows(`1,2,0.5,"a","AA==",["x"],7`))
	f.Add(rows(`null,null,"NaN",null,null,null,null`))
	f.Add(rows(`1e3,2147483648,1e999,"\ud800","=",[null],9223372036854775808`))
	f.Add(rows(`1,2,0.5,"a","AA==",["x"],7,8`))
	f.Add([]byte(`{"rows":[],"features":` + string(head) + `}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n := bytes.Count(body, []byte(`"values"`)) // the rows that a client asked for
		got, err := decodeRows[small](b, body, n)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("accepted what is not JSON: %q", body)
		}
		want, err := twin(b, body)
		if err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		for i := range want {
			if got, want := show(got.Rows[i]), show(want[i]); got != want {
				t.Errorf("row %d: got  %s\nwant %s", i, got, want)
			}
		}
	})
}

// K2.
func TestAnswersThatDoNotFitAreRefused(t *testing.T) {
	b := bindFor[small](t, everythingDefinitions(), "")
	head, _ := json.Marshal(b.features)
	row := `{"entity":{},"values":[1,2,0.5,"a","",[],7],"statuses":["PRESENT","PRESENT","PRESENT","PRESENT","PRESENT","PRESENT","PRESENT"],"event_times":[null,null,null,null,null,null,null]}`
	whole := fmt.Sprintf(`{"features":%s,"rows":[%s]}`, head, row)
	if _, err := decodeRows[small](b, []byte(whole), 1); err != nil {
		t.Fatalf("the answer that the others are made of: %v", err)
	}
	for _, c := range []struct {
		claim, body string
		want        error
		text        string
	}{
		{"broken off", whole[:len(whole)-3], ErrBadAnswer, ""},
		{"no JSON", "<html>", ErrBadAnswer, ""},
		{"no rows", fmt.Sprintf(`{"features":%s}`, head), ErrBadAnswer, "no rows"},
		{"a row too few", fmt.Sprintf(`{"features":%s,"rows":[]}`, head), ErrBadAnswer, "0 of the 1 rows"},
		{"a row too many", fmt.Sprintf(`{"features":%s,"rows":[%s,%s]}`, head, row, row), ErrBadAnswer, "more than the 1"},
		{"a value too few", strings.Replace(whole, ",[],7]", ",[]]", 1), ErrBadAnswer, "6 values for 7"},
		{"a status too many", strings.Replace(whole, `"statuses":[`, `"statuses":["NEW",`, 1), ErrBadAnswer, "statuses"},
		{"rows twice", fmt.Sprintf(`{"features":%s,"rows":[%s],"rows":[%s]}`, head, row, row), ErrBadAnswer, "twice"},
		{"other features", strings.Replace(whole, "v:bytes", "v:other", 1), errRebind, ""},
		{"text for a number", strings.Replace(whole, "[1,2,", `["1",2,`, 1), nil, `small.Int: tag feature:"v:int64": v:int64: got "1", want an integer of 64 bits`},
		{"a number that does not fit", strings.Replace(whole, "[1,2,", `[1,2147483648,`, 1), nil, "integer of 32 bits"},
		{"a float that does not fit", strings.Replace(whole, "0.5", `1e999`, 1), nil, "fits 64 bits"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			_, err := decodeRows[small](b, []byte(c.body), 1)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

// BenchmarkDecodeLookup decodes the answer to 100 entities of 10 features into
// structs, beside encoding/json reading the same body into api.LookupResponse
// and no further.
func BenchmarkDecodeLookup(b *testing.B) {
	type row struct {
		ID int64             `key:"id"`
		A  float64           `feature:"v:a"`
		B  float64           `feature:"v:b"`
		C  float32           `feature:"v:c"`
		D  int64             `feature:"v:d"`
		E  int64             `feature:"v:e"`
		F  Optional[float64] `feature:"v:f"`
		G  Optional[int64]   `feature:"v:g"`
		H  string            `feature:"v:h"`
		I  bool              `feature:"v:i"`
		J  time.Time         `feature:"v:j"`
	}
	kinds := map[string]feature.Kind{
		"a": feature.Float64, "b": feature.Float64, "c": feature.Float32, "d": feature.Int64, "e": feature.Int64,
		"f": feature.Float64, "g": feature.Int64, "h": feature.String, "i": feature.Bool, "j": feature.Timestamp,
	}
	view := feature.View{Name: "v", Entities: []string{"e"}}
	for name, kind := range kinds {
		view.Fields = append(view.Fields, feature.Field{Name: name, Type: feature.ScalarOf(kind)})
	}
	bind := bindFor[row](b, feature.Definitions{Project: "p", Entities: []feature.Entity{{Name: "e", JoinKeys: []feature.JoinKey{{Name: "id", Type: feature.ScalarOf(feature.Int64)}}}}, Views: []feature.View{view}}, "")
	at := "2026-08-21T10:59:42Z"
	const n = 100
	rows := make([]api.LookupRow, n)
	for i := range rows {
		for _, text := range []string{"0.123456", "17.5", "0.25", "123456", "-9", "3.14159", "42", `"berlin"`, "true", `"` + at + `"`} {
			rows[i].Values = append(rows[i].Values, json.RawMessage(text))
			rows[i].Statuses = append(rows[i].Statuses, Present)
			rows[i].EventTimes = append(rows[i].EventTimes, &at)
		}
		rows[i].Entity = map[string]json.RawMessage{"id": json.RawMessage(fmt.Sprint(1000 + i))}
	}
	body := answerOf(b, bind, rows...)
	b.Run("entities=100/decoder=sdk", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeRows[row](bind, body, n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("entities=100/decoder=encoding_json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var r api.LookupResponse
			if err := json.Unmarshal(body, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
