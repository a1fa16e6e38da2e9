package sql

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/training"
)

// SQ3, SQ4: every rule, one view twice, defaults, names that need quotes, in every
// dialect. What DuckDB makes of the same text is compared with the join in tools/duckdb.
func TestAQueryReadsTheSameInEveryDialect(t *testing.T) {
	h := open(t)
	h.push("stats", driver, assign{name: "rate", value: feature.OfFloat64(1)})
	h.push("places", rome, assign{name: "kind", value: texts("x")})
	in := h.ingest()
	q := Query{
		Request: training.Request{EventTime: "at", KnownAsOf: noon, Features: append(append(
			h.features("stats", "rate", "seen", "trips", "spent", "top", "low", "tags", "mark"),
			training.Feature{View: h.view("stats"), Name: "rate", As: "origin__rate", Keys: []string{"origin's `id\""}}),
			h.features("places", "kind", "taste")...)},
		History: in, Location: "s3://bucket/it's", Entity: entity(), EntityRows: "/rows/e`*.parquet",
	}
	for _, d := range Dialects {
		text, err := Print(t.Context(), d, q)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, d.Name+".sql", text)
	}
}

// A feature that was renamed is read under both names, one that no file has is null.
func TestAQueryReadsWhatTheFilesHave(t *testing.T) {
	h := open(t)
	h.push("stats", driver, assign{name: "rate", value: feature.OfFloat64(1)})
	h.ingest()
	renamed := strings.NewReplacer("stats:rate", "stats:share", "rate * 2.0", "share * 2.0").Replace(rides)
	h.apply(strings.Replace(renamed, "{name: rate, type: float64}", "{name: share, type: float64, renamed_from: rate}\n      - {name: late, type: int64}", 1))
	q := Query{
		Request: training.Request{EventTime: "at", Features: h.features("stats", "share", "late")},
		History: h.ingest(), Location: "/h", Entity: entity(),
	}
	text, err := Print(t.Context(), Spark, q)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"`rate` AS v0", "CAST(NULL AS BIGINT) AS v1", "FROM entity_rows"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	h.push("stats", driver, assign{name: "share", value: feature.OfFloat64(2)}, assign{name: "late", value: feature.OfInt64(2)})
	q.History = h.ingest()
	if text, err = Print(t.Context(), Spark, q); err != nil || !strings.Contains(text, "coalesce(`rate`, `share`) AS v0") {
		t.Errorf("%v, or the two names are not in\n%s", err, text)
	}
}

// SQ2: what columns do not say is refused, with the feature and why, and all at once.
func TestWhatSQLCannotSayIsRefused(t *testing.T) {
	h := open(t)
	h.push("stats", driver, assign{name: "trips", value: feature.OfInt64(1)}, assign{name: "tags", value: tags(t, "a", "b")})
	h.push("stats", driver, assign{name: "tags", remove: tags(t, "a")})
	h.push("stats", driver)
	h.push("stats", driver, assign{name: "trips", value: feature.OfInt64(2)}, assign{name: "rate", value: feature.OfFloat64(2)})
	h.push("places", rome, assign{name: "event_date", value: texts("x")})
	in := h.ingest()
	c, _ := h.store.Registry().Catalog("rides")
	twice, _ := c.OnDemand("twice")
	steps, err := in.Steps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	untimed := arrow.NewSchema([]arrow.Field{{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64}, {Name: "at", Type: arrow.PrimitiveTypes.Int64}}, nil)
	twins := arrow.NewSchema(append(entity().Fields(), arrow.Field{Name: "CITY", Type: arrow.BinaryTypes.String}), nil)
	for _, c := range []struct {
		name string
		edit func(*Query)
		is   error
		want []string
	}{
		{"a counter and a set", func(q *Query) { q.Request.Features = h.features("stats", "rate", "trips", "tags") }, ErrInexpressible,
			[]string{"view stats: feature trips (counter): it was written after a delete", "feature tags (set): elements were removed", ".parquet"}},
		{"no files", func(q *Query) { q.Request.Features = h.features("unused", "some") }, ErrInexpressible, []string{"view unused: history has no rows of it yet"}},
		{"a partition's name", func(q *Query) { q.Request.Features = h.features("places", "event_date") }, ErrInexpressible, []string{"column event_date is hidden by the folders' names"}},
		{"on demand", func(q *Query) { q.Request.Features = []training.Feature{{OnDemand: twice, Name: "rate"}} }, ErrInexpressible, []string{"twice:rate is computed on demand"}},
		{"as served", func(q *Query) { q.Request.ServedIn = steps }, ErrInexpressible, []string{"as_served_in"}},
		{"one name twice", func(q *Query) { q.Request.Features = append(q.Request.Features, q.Request.Features[0]) }, ErrInexpressible, []string{"columns rate and rate of the result"}},
		{"cases", func(q *Query) { q.Entity = twins }, ErrInexpressible, []string{"columns city and CITY"}},
		{"no key", func(q *Query) {
			q.Request.Features = h.features("stats", "rate")
			q.Request.Features[0].Keys = []string{"who"}
		}, training.ErrRequest, []string{`no column "who", join key driver_id of view stats`, "driver_id, "}},
		{"no times", func(q *Query) { q.Request.EventTime = "when" }, training.ErrRequest, []string{`no column "when"`}},
		{"other times", func(q *Query) { q.Entity = untimed }, training.ErrRequest, []string{"column at of the entity rows is int64, it must be timestamps"}},
		{"another type", func(q *Query) {
			q.Request.Features = h.features("stats", "rate")
			q.Request.Features[0].Keys = []string{"city"}
		}, training.ErrRequest, []string{"column city of the entity rows is utf8, join key driver_id of view stats is int64"}},
		{"nothing", func(q *Query) { q.Request.Features = nil }, training.ErrRequest, []string{"Features is empty"}},
	} {
		q := Query{Request: training.Request{EventTime: "at", Features: h.features("stats", "rate")}, History: in, Location: "/h", Entity: entity()}
		c.edit(&q)
		text, err := Print(t.Context(), DuckDB, q)
		if !errors.Is(err, c.is) || text != "" {
			t.Errorf("%s: got %v and %q, want %v", c.name, err, text, c.is)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", c.name, err, want)
			}
		}
	}
}

// Trino's intervals have milliseconds.
func TestATTLThatTrinoCannotSayIsRefused(t *testing.T) {
	h := open(t)
	h.apply(strings.Replace(rides, "ttl: 90s", "ttl: 90001us", 1))
	h.push("stats", driver, assign{name: "rate", value: feature.OfFloat64(1)})
	q := Query{Request: training.Request{EventTime: "at", Features: h.features("stats", "rate")}, History: h.ingest(), Location: "/h", Entity: entity()}
	if _, err := Print(t.Context(), Trino, q); !errors.Is(err, ErrInexpressible) || !strings.Contains(err.Error(), "90.001ms") {
		t.Errorf("got %v", err)
	}
	if text, err := Print(t.Context(), Spark, q); err != nil || !strings.Contains(text, "e.t - 90001000") {
		t.Errorf("got %v and %s", err, text)
	}
}

func TestDialectsHaveTheirNames(t *testing.T) {
	for _, d := range Dialects {
		if got, err := Named(d.Name); got != d || err != nil {
			t.Errorf("%s: got %v, %v", d.Name, got, err)
		}
	}
	if _, err := Named("sql"); err == nil || !strings.Contains(err.Error(), "spark-sql, trino-sql, duckdb-sql") {
		t.Errorf("got %v", err)
	}
}

// SQ3: values as the dialects write them.
func TestLiterals(t *testing.T) {
	list, err := feature.OfList(feature.Int64, feature.OfInt64(-1), feature.OfInt64(2))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value feature.Value
		typ   feature.Type
		want  [3]string // Spark, Trino, DuckDB
	}{
		{texts(`a'b\c`), feature.ScalarOf(feature.String), [3]string{`'a\'b\\c'`, `'a''b\c'`, `'a''b\c'`}},
		{feature.OfBool(true), feature.ScalarOf(feature.Bool), [3]string{"true", "true", "true"}},
		{feature.OfInt32(-7), feature.ScalarOf(feature.Int32), [3]string{"CAST('-7' AS INT)", "CAST('-7' AS INTEGER)", "CAST('-7' AS INTEGER)"}},
		{feature.OfFloat64(1.5), feature.ScalarOf(feature.Float64), [3]string{"CAST('1.5' AS DOUBLE)", "CAST('1.5' AS DOUBLE)", "CAST('1.5' AS DOUBLE)"}},
		{feature.OfBytes([]byte{0, 255}), feature.ScalarOf(feature.Bytes), [3]string{"unhex('00FF')", "from_hex('00FF')", "from_hex('00FF')"}},
		{feature.OfNanos(noon.Add(time.Microsecond).UnixNano()), feature.ScalarOf(feature.Timestamp),
			[3]string{"timestamp_micros(1787313600000001000 div 1000)", "TIMESTAMP '2026-08-21 12:00:00.000001000'", "TIMESTAMPTZ '2026-08-21 12:00:00.000001+00'"}},
		{list, feature.ListOf(feature.Int64), [3]string{
			"CAST(array(CAST('-1' AS BIGINT), CAST('2' AS BIGINT)) AS ARRAY<BIGINT>)", "CAST(ARRAY[CAST('-1' AS BIGINT), CAST('2' AS BIGINT)] AS ARRAY(BIGINT))",
			"CAST([CAST('-1' AS BIGINT), CAST('2' AS BIGINT)] AS BIGINT[])",
		}},
		{feature.Value{}, feature.VectorOf(2), [3]string{"CAST(NULL AS ARRAY<FLOAT>)", "CAST(NULL AS ARRAY(REAL))", "CAST(NULL AS FLOAT[])"}},
	} {
		for i, d := range Dialects {
			if got := d.literal(c.value, c.typ); got != c.want[i] {
				t.Errorf("%s: got %s, want %s", d.Name, got, c.want[i])
			}
		}
	}
}

// unsaid is total over what a relog may bring.
func TestWhatColumnsDoNotSay(t *testing.T) {
	v := feature.Version{EventTime: 1, At: 5, Origin: 1}
	later := feature.Version{EventTime: 0, At: 9, Origin: 1}
	counter := &feature.Field{ID: 1, Name: "trips", Type: feature.ScalarOf(feature.Int64), Rule: feature.Counter}
	plain := &feature.Field{ID: 1, Name: "rate", Type: feature.ScalarOf(feature.Int64), Rule: feature.EventTime}
	cell := func(rule feature.Rule, totals ...feature.Total) feature.Row {
		return feature.Row{Cells: []feature.Cell{{Feature: 1, Rule: rule, Kind: feature.Int64, Version: v, Totals: totals}}}
	}
	own := feature.Total{Origin: 1, At: 5, Sum: feature.OfInt64(1)}
	twoDeletes := feature.Row{Tombstone: feature.Tombstone{ByEvent: v, ByWrite: later}}
	for _, c := range []struct {
		field *feature.Field
		delta feature.Row
		want  string
	}{
		{counter, cell(feature.Counter, own), ""},
		{counter, cell(feature.Counter), ""},
		{counter, feature.Row{}, ""},
		{counter, cell(feature.Counter, own, feature.Total{Origin: 2, At: 3, Sum: feature.OfInt64(1)}), "totals of several origins"},
		{counter, cell(feature.Counter, feature.Total{Origin: 1, At: 4, Sum: feature.OfInt64(1)}), "totals of several origins"},
		{counter, cell(feature.Max), "another type or rule"},
		{counter, twoDeletes, "deleted twice"},
		{plain, twoDeletes, ""},
	} {
		if got := unsaid(c.field, &history.Row{Version: v, Delta: c.delta}); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s of %+v: got %q, want %q", c.field.Name, c.delta, got, c.want)
		}
	}
}
