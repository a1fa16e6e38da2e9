package pit

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/hlc"
)

// record builds a record column by column; each has a type and plain values.
func record(t testing.TB, columns ...column) arrow.Record {
	t.Helper()
	var fields []arrow.Field
	for _, c := range columns {
		fields = append(fields, arrow.Field{Name: c.name, Type: c.t, Nullable: true})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for i, c := range columns {
		for _, v := range c.values {
			appendValue(b.Field(i), v)
		}
	}
	return b.NewRecord()
}

type column struct {
	name   string
	t      arrow.DataType
	values []any
}

func memoryTable(t testing.TB, c Columns, rows ...arrow.Record) *MemoryTable {
	t.Helper()
	var parts []MemoryPart
	for _, r := range rows {
		parts = append(parts, MemoryPart{"rows", r})
	}
	table, err := NewMemoryTable(c, parts...)
	if err != nil {
		t.Fatalf("make a table: %v", err)
	}
	return table
}

// lastColumn joins and returns the output's last column.
func lastColumn(t testing.TB, entity arrow.Record, r Request) []any {
	t.Helper()
	rows, _ := run(t, Config{}, Config{}.budget(), entity.Schema(), []arrow.Record{entity}, r)
	var values []any
	for _, row := range rows {
		values = append(values, row[len(row)-1])
	}
	return values
}

var (
	int64s   = arrow.PrimitiveTypes.Int64
	text     = arrow.BinaryTypes.String
	nanosUTC = arrow.FixedWidthTypes.Timestamp_ns
)

// oneKey joins entity rows at the given times with feature rows at others, all
// of one key; the feature rows' values are their event times.
func oneKey(t testing.TB, ttl time.Duration, entityTimes, eventTimes []any) []any {
	t.Helper()
	keys := func(n int) []any { return make([]any, n) }
	entityKeys, featureKeys := keys(len(entityTimes)), keys(len(eventTimes))
	for i := range entityKeys {
		entityKeys[i] = int64(7)
	}
	for i := range featureKeys {
		featureKeys[i] = int64(7)
	}
	table := memoryTable(t, Columns{Keys: []string{"k"}, EventTime: "e"}, record(t,
		column{"k", int64s, featureKeys}, column{"e", nanosUTC, eventTimes}, column{"n", int64s, eventTimes}))
	return lastColumn(t, record(t, column{"id", int64s, entityKeys}, column{"t", nanosUTC, entityTimes}), Request{
		EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}, TTL: ttl}},
		Features: []Feature{{View: "v", Name: "n"}},
	})
}

// B2: both ends of the window are inside, to the nanosecond, before 1970, at
// the ends of time, and whatever arithmetic would overflow.
func TestWindowIncludesBothEnds(t *testing.T) {
	const ttl = 10
	least, greatest := int64(math.MinInt64), int64(math.MaxInt64)
	for _, at := range []int64{0, 1_700_000_000_000_000_000, -1_700_000_000_000_000_000, least + 20, greatest - 20} {
		for _, c := range []struct {
			event int64
			want  any
		}{
			{at, at}, {at + 1, nil}, {at - ttl, at - ttl}, {at - ttl - 1, nil}, {at - ttl + 1, at - ttl + 1},
		} {
			if got := oneKey(t, ttl, []any{at}, []any{c.event}); !reflect.DeepEqual(got, []any{c.want}) {
				t.Errorf("entity row at %d, feature row at %+d: got %v, want %v", at, c.event-at, got, c.want)
			}
		}
	}
	if got, want := oneKey(t, ttl, []any{least, greatest}, []any{least, greatest}), []any{least, greatest}; !reflect.DeepEqual(got, want) {
		t.Errorf("at the ends of time: got %v, want %v", got, want)
	}
	if got, want := oneKey(t, 0, []any{greatest}, []any{least}), []any{least}; !reflect.DeepEqual(got, want) {
		t.Errorf("without a ttl: got %v, want %v", got, want)
	}
	if got, want := oneKey(t, math.MaxInt64, []any{least + 5}, []any{least}), []any{least}; !reflect.DeepEqual(got, want) {
		t.Errorf("with a ttl that reaches before time: got %v, want %v", got, want)
	}
}

// B1: many entity rows of one key and time each get their row.
func TestDuplicatesAmongEntityRowsEachHaveARow(t *testing.T) {
	var times, want []any
	for i := range 100 {
		times, want = append(times, int64(i/10)), append(want, int64(i/10/2*2))
	}
	if got := oneKey(t, 0, times, []any{int64(0), int64(2), int64(4), int64(6), int64(8)}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// B2: the order of versions of one event time.
func TestTiesGoToTheHigherVersion(t *testing.T) {
	versions := []feature.Version{ // ascending
		{}, {Origin: 1}, {At: 1}, {At: 1, Origin: 2}, {At: hlc.New(1, 0)}, {Generation: 1}, {Generation: 1, Origin: 1}, {Generation: 2},
		{EventTime: 1}, {EventTime: 1, Generation: 1},
	}
	for i := range versions {
		for k := range versions {
			a, b := offer{versions[i], placeOf(5, false)}, offer{versions[k], placeOf(5, true)}
			if got, want := a.before(&b), i < k; got != want {
				t.Errorf("%v before %v: got %v, want %v", versions[i], versions[k], got, want)
			}
		}
	}
	nothing, something := offer{}, offer{feature.Version{EventTime: -5}, placeOf(0, false)}
	if !nothing.before(&something) || something.before(&nothing) || nothing.before(&nothing) {
		t.Error("no row must be before every row, those before 1970 too")
	}
	first, second := offer{place: placeOf(1, true)}, offer{place: placeOf(2, false)}
	if !first.before(&second) || second.before(&first) {
		t.Error("of equal rows the one that stands later must win, tombstone or not")
	}
}

// B4: what was known, and from when on.
func TestRowsAreSeenFromWhenTheyWereKnown(t *testing.T) {
	columns := Columns{Keys: []string{"k"}, EventTime: "e", KnownAt: "known"}
	ones := []any{int64(1), int64(1), int64(1), int64(1)}
	table := memoryTable(t, columns, record(t, column{"k", int64s, ones}, column{"e", nanosUTC, []any{int64(5), int64(3), int64(6), int64(1)}},
		column{"known", int64s, []any{int64(5), int64(7), int64(20), nil}}, column{"n", int64s, []any{int64(5), int64(3), int64(6), int64(1)}}))
	entity := record(t, column{"id", int64s, []any{int64(1), int64(1), int64(1), int64(1), int64(1)}},
		column{"t", nanosUTC, []any{int64(4), int64(6), int64(8), int64(19), int64(20)}})
	for _, c := range []struct {
		claim     string
		asServed  bool
		knownAsOf time.Time
		ttl       time.Duration
		want      []any
	}{
		{"all is known", false, time.Time{}, 0, []any{int64(3), int64(6), int64(6), int64(6), int64(6)}},
		{"what became known later than 7 is not there", false, time.Unix(0, 7), 0, []any{int64(3), int64(5), int64(5), int64(5), int64(5)}},
		{"nor what became known at 7", false, time.Unix(0, 6), 0, []any{int64(1), int64(5), int64(5), int64(5), int64(5)}},
		{"a late row never hides a newer one", true, time.Time{}, 0, []any{int64(1), int64(5), int64(5), int64(5), int64(6)}},
		{"the ttl counts from the event time", true, time.Time{}, 13, []any{int64(1), int64(5), int64(5), nil, nil}},
		{"both", true, time.Unix(0, 19), 0, []any{int64(1), int64(5), int64(5), int64(5), int64(5)}},
	} {
		got := lastColumn(t, entity, Request{
			EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}, TTL: c.ttl}}, Features: []Feature{{View: "v", Name: "n"}},
			AsServed: c.asServed, KnownAsOf: c.knownAsOf,
		})
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.claim, got, c.want)
		}
	}
}

// B3: which keys are equal.
func TestKeysAreEqualByValueAndClass(t *testing.T) {
	value := func(t arrow.DataType, v any) column { return column{"", t, []any{v}} }
	micros := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Asia/Tokyo"}
	for _, c := range []struct {
		claim        string
		mine, theirs column
		want         bool
	}{
		{"int64 and int32 of one number", value(int64s, int64(-3)), value(arrow.PrimitiveTypes.Int32, int64(-3)), true},
		{"int32 and int64 of one number", value(arrow.PrimitiveTypes.Int32, int64(-3)), value(int64s, int64(-3)), true},
		{"other numbers", value(int64s, int64(3)), value(arrow.PrimitiveTypes.Int32, int64(-3)), false},
		{"an unsigned number", value(arrow.PrimitiveTypes.Uint64, int64(3)), value(int64s, int64(3)), true},
		{"an unsigned number that no int64 holds", value(arrow.PrimitiveTypes.Uint64, int64(-3)), value(int64s, int64(-3)), false},
		{"null and null", value(int64s, nil), value(int64s, nil), false},
		{"null and zero", value(int64s, nil), value(int64s, int64(0)), false},
		{"null text and empty text", value(text, nil), value(text, ""), false},
		{"empty text", value(text, ""), value(text, ""), true},
		{"times of two units and zones", value(micros, int64(-5)), value(nanosUTC, int64(-5000)), true},
		{"times a nanosecond apart", value(micros, int64(-5)), value(nanosUTC, int64(-5001)), false},
	} {
		for _, composite := range []bool{false, true} {
			c.mine.name, c.theirs.name = "k0", "k0"
			mine, theirs, keys := []column{c.mine}, []column{c.theirs}, []string{"k0"}
			if composite {
				mine, theirs = append(mine, column{"k1", text, []any{"x"}}), append(theirs, column{"k1", text, []any{"x"}})
				keys = append(keys, "k1")
			}
			table := memoryTable(t, Columns{Keys: keys, EventTime: "e"}, record(t, append(theirs, column{"e", nanosUTC, []any{int64(1)}}, column{"n", int64s, []any{int64(9)}})...))
			got := lastColumn(t, record(t, append(mine, column{"t", nanosUTC, []any{int64(1)}})...), Request{
				EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: keys}}, Features: []Feature{{View: "v", Name: "n"}},
			})
			if (got[0] != nil) != c.want {
				t.Errorf("%s, composite %v: matched %v, want %v", c.claim, composite, got[0] != nil, c.want)
			}
		}
	}
}

// B3: values of a composite key do not run into each other.
func TestCompositeKeysAreNoConcatenatedText(t *testing.T) {
	table := memoryTable(t, Columns{Keys: []string{"a", "b"}, EventTime: "e"}, record(t,
		column{"a", text, []any{"ab", "a", "", "abc"}}, column{"b", text, []any{"c", "bc", "abc", ""}},
		column{"e", nanosUTC, []any{int64(1), int64(1), int64(1), int64(1)}}, column{"n", int64s, []any{int64(0), int64(1), int64(2), int64(3)}}))
	got := lastColumn(t, record(t, column{"x", text, []any{"a", "abc", "", "ab", "abcd"}}, column{"y", text, []any{"bc", "", "abc", "c", ""}},
		column{"t", nanosUTC, []any{int64(1), int64(1), int64(1), int64(1), int64(1)}}), Request{
		EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"x", "y"}}}, Features: []Feature{{View: "v", Name: "n"}},
	})
	if want := []any{int64(1), int64(3), int64(2), int64(0), nil}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// B3: floats, whose numbers have several forms, and text in dictionaries.
func TestFloatsAndDictionariesAsKeys(t *testing.T) {
	mem := memory.DefaultAllocator
	floats := func(values ...float64) arrow.Array {
		b := array.NewFloat64Builder(mem)
		b.AppendValues(values, nil)
		return b.NewArray()
	}
	var keys keyBatch
	if err := keys.read([]arrow.Array{floats(0, math.Copysign(0, -1), math.NaN(), 1)}, []keyClass{floatClass}); err != nil {
		t.Fatal(err)
	}
	if keys.words[0] != keys.words[1] || keys.null[0] || !keys.null[2] || keys.words[3] == keys.words[0] {
		t.Errorf("0 and -0 must be one key, NaN none: got %v, %v", keys.words, keys.null)
	}
	b := array.NewDictionaryBuilder(mem, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: text}).(*array.BinaryDictionaryBuilder)
	for _, s := range []string{"b", "a", "b"} {
		if err := b.AppendString(s); err != nil {
			t.Fatal(err)
		}
	}
	b.AppendNull()
	dictionary, plain := b.NewArray(), record(t, column{"s", text, []any{"b", "a", "b", nil}}).Column(0)
	var one, two keyBatch
	if err := one.read([]arrow.Array{dictionary}, []keyClass{textClass}); err != nil {
		t.Fatal(err)
	}
	if err := two.read([]arrow.Array{plain}, []keyClass{textClass}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(one, two) {
		t.Errorf("a dictionary's keys %+v, those of its text %+v", one, two)
	}
}

// B8: times that nanoseconds cannot hold.
func TestTimesBeyondNanosecondsAreErrors(t *testing.T) {
	seconds := &arrow.TimestampType{Unit: arrow.Second}
	table := memoryTable(t, Columns{Keys: []string{"k"}, EventTime: "e"}, record(t, column{"k", int64s, nil}, column{"e", nanosUTC, nil}, column{"n", int64s, nil}))
	entity := record(t, column{"id", int64s, []any{int64(1), int64(1), int64(1)}}, column{"t", seconds, []any{int64(0), int64(9_223_372_036), int64(9_223_372_037)}})
	request := Request{EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "n"}}}
	wantError(t, joinError(t, entity, request), "column t, row 2", "9223372037s")
	request.EventTime = "id"
	wantError(t, joinError(t, entity, request), "column id", "want a timestamp")
	late := memoryTable(t, Columns{Keys: []string{"k"}, EventTime: "e"}, record(t,
		column{"k", int64s, []any{int64(1), int64(1)}}, column{"e", seconds, []any{int64(1), int64(-9_223_372_037)}}, column{"n", int64s, []any{nil, nil}}))
	request.EventTime, request.Views[0].Table = "t", late
	wantError(t, joinError(t, entity.NewSlice(0, 2), request), "view v", "column e, row 1", "-9223372037s")
	request.KnownAsOf = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	wantError(t, joinError(t, entity, request), "2300-01-01")
}

// B8: times come exactly from every unit.
func TestUnitsAreConvertedExactly(t *testing.T) {
	for _, unit := range []arrow.TimeUnit{arrow.Second, arrow.Millisecond, arrow.Microsecond, arrow.Nanosecond} {
		for _, zone := range []string{"", "UTC", "America/New_York", "+05:30"} {
			scale := int64(unit.Multiplier())
			table := memoryTable(t, Columns{Keys: []string{"k"}, EventTime: "e"}, record(t, column{"k", int64s, []any{int64(1), int64(1)}},
				column{"e", nanosUTC, []any{-3 * scale, -3*scale + 1}}, column{"n", int64s, []any{int64(0), int64(1)}}))
			got := lastColumn(t, record(t, column{"id", int64s, []any{int64(1), int64(1), int64(1)}}, column{"t", &arrow.TimestampType{Unit: unit, TimeZone: zone}, []any{int64(-4), int64(-3), int64(-2)}}), Request{
				EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "n"}},
			})
			want := []any{nil, int64(0), int64(1)}
			if scale == 1 {
				want[2] = int64(1)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s in %q: got %v, want %v", unit, zone, got, want)
			}
		}
	}
}

func TestEmptyInputs(t *testing.T) {
	none := record(t, column{"k", int64s, nil}, column{"e", nanosUTC, nil}, column{"n", int64s, nil})
	table := memoryTable(t, Columns{Keys: []string{"k"}, EventTime: "e"}, none, none)
	request := Request{EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "n"}}}
	if got := lastColumn(t, record(t, column{"id", int64s, []any{int64(1), nil}}, column{"t", nanosUTC, []any{int64(1), nil}}), request); !reflect.DeepEqual(got, []any{nil, nil}) {
		t.Errorf("no feature rows: got %v, want two nulls", got)
	}
	entity := record(t, column{"id", int64s, nil}, column{"t", nanosUTC, nil})
	if got := lastColumn(t, entity, request); got != nil {
		t.Errorf("no entity rows: got %v", got)
	}
	if got, _ := run(t, Config{}, Config{}.budget(), entity.Schema(), nil, request); got != nil {
		t.Errorf("no records: got %v", got)
	}
	request.Views, request.Features = nil, nil
	if got := lastColumn(t, record(t, column{"id", int64s, []any{int64(1)}}, column{"t", nanosUTC, []any{int64(5)}}), request); !reflect.DeepEqual(got, []any{int64(5)}) {
		t.Errorf("no views: got %v, want the entity rows as they are", got)
	}
}

// B9.
func TestFixedSizeListsNeverLeave(t *testing.T) {
	mem := memory.DefaultAllocator
	fixed := arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32)
	b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{{Name: "id", Type: int64s}, {Name: "t", Type: nanosUTC}, {Name: "v", Type: fixed, Nullable: true}}, nil))
	for i := range 4 {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.TimestampBuilder).Append(0)
		if list := b.Field(2).(*array.FixedSizeListBuilder); i == 2 {
			list.AppendNull()
		} else {
			list.Append(true)
			list.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{float32(i), 0.5}, nil)
		}
	}
	entity := b.NewRecord().NewSlice(1, 4)
	request := Request{EventTime: "t"}
	want := []any{[]float32{1, 0.5}, nil, []float32{3, 0.5}}
	if got := lastColumn(t, entity, request); !reflect.DeepEqual(got, want) {
		t.Errorf("entity rows: got %v, want %v", got, want)
	}
	table := memoryTable(t, Columns{Keys: []string{"id"}, EventTime: "t"}, entity)
	request.Views = []View{{Name: "view", Table: table, Keys: []string{"id"}}}
	request.Features = []Feature{{View: "view", Name: "v", As: "w"}}
	wantError(t, joinError(t, entity, request), "feature v of view view", "must be a list")
	if _, err := withoutFixedLists(arrow.NewSchema([]arrow.Field{{Name: "deep", Type: arrow.ListOf(fixed)}}, nil)); !errors.Is(err, ErrRequest) {
		t.Errorf("a fixed-size list in a list: got %v, want ErrRequest", err)
	}
}

func TestRequestsThatDoNotFit(t *testing.T) {
	entity := record(t, column{"id", int64s, nil}, column{"t", nanosUTC, nil}, column{"s", text, nil})
	table := memoryTable(t, Columns{Keys: []string{"k"}, EventTime: "e"}, record(t, column{"k", int64s, nil}, column{"e", nanosUTC, nil}, column{"n", int64s, nil}))
	good := func() Request {
		return Request{EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "n"}}}
	}
	for _, c := range []struct {
		claim  string
		change func(*Request)
		want   string
	}{
		{"no such time", func(r *Request) { r.EventTime = "when" }, `no column "when"`},
		{"no such key", func(r *Request) { r.Views[0].Keys[0] = "who" }, `no column "who"`},
		{"too many keys", func(r *Request) { r.Views[0].Keys = []string{"id", "s"} }, "has 1 join keys, and 2 columns"},
		{"text for a number", func(r *Request) { r.Views[0].Keys[0] = "s" }, "never equal"},
		{"a negative ttl", func(r *Request) { r.Views[0].TTL = -1 }, "ttl"},
		{"no table", func(r *Request) { r.Views[0].Table = nil }, "no table"},
		{"a view twice", func(r *Request) { r.Views = append(r.Views, r.Views[0]) }, `two views are named "v"`},
		{"no such view", func(r *Request) { r.Features[0].View = "w" }, `no view "w"`},
		{"no such feature", func(r *Request) { r.Features[0].Name = "m" }, `no feature "m"`},
		{"a name that is taken", func(r *Request) { r.Features[0].As = "s" }, `named "s"`},
		{"a feature twice", func(r *Request) { r.Features = append(r.Features, r.Features[0]) }, `named "n"`},
	} {
		r := good()
		c.change(&r)
		if err := joinError(t, entity, r); !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrRequest with %q", c.claim, err, c.want)
		}
	}
	if got := lastColumn(t, entity, good()); got != nil {
		t.Errorf("the request that all others are changed from: got %v", got)
	}
}
