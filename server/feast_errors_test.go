package server

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature"

	"github.com/labstack/echo/v4"
)

// progress returns where the log of the project drivers stands.
func (c feastClient) progress() string {
	c.Helper()
	catalog, ok := c.store.Registry().Catalog("drivers")
	if !ok {
		c.Fatal("no project drivers")
	}
	out := ""
	for _, g := range catalog.Groups() {
		out += c.store.Progress(feature.Shard{Group: g.ID}).String()
	}
	return out
}

// TestFeastNotFound: the exceptions that Feast's clients raise.
func TestFeastNotFound(t *testing.T) {
	c := newFeast(t)
	frame := `"df": {"driver_id": [1], "conv_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00"]}`
	for _, x := range []struct{ path, body, class, message string }{
		{"/get-online-features", `{"features": ["x:y"], "entities": {"driver_id": [1]}}`, "FeatureViewNotFoundException", "Feature view x does not exist in project drivers"},
		{"/get-online-features", `{"features": ["driver_fresh:speeed"], "entities": {"driver_id": [1]}}`, "FeastObjectNotFoundException", "Feature driver_fresh:speeed does not exist in project drivers; did you mean driver_fresh:speed?"},
		{"/get-online-features", `{"feature_service": "x", "entities": {"driver_id": [1]}}`, "FeatureServiceNotFoundException", "Feature service x does not exist in project drivers"},
		{"/get-online-features", `{"features": ["driver_fresh:speed"], "entities": {"driver_id": [1], "x": [1]}}`, "EntityNotFoundException", "Entity x does not exist in project drivers"},
		{"/push", `{"push_source_name": "x", ` + frame + `}`, "PushSourceNotFoundException", "Unable to find push source 'x'."},
		{"/write-to-online-store", `{"feature_view_name": "driver_hourly_stat", ` + frame + `}`, "FeatureViewNotFoundException", "Feature view driver_hourly_stat does not exist in project drivers; did you mean driver_hourly_stats?"},
		{"/materialize", `{"feature_views": ["x"], "disable_event_timestamp": true}`, "FeatureViewNotFoundException", "Feature view x does not exist in project drivers"},
	} {
		err := c.refused(x.path, x.body)
		if err.status != 404 || err.module != "feast.errors" || err.class != x.class || err.message != x.message {
			t.Errorf("%s: got %+v, want %s: %s", x.path, err, x.class, x.message)
		}
	}
	// To the letter, as Python prints it.
	w, _ := c.send("/get-online-features", `{"features": ["x:y"], "entities": {"driver_id": [1]}}`)
	want := `"{\"module\": \"feast.errors\", \"class\": \"FeatureViewNotFoundException\", \"message\": \"Feature view x does not exist in project drivers\"}"`
	if w.Body.String() != want {
		t.Errorf("got  %s\nwant %s", w.Body, want)
	}
	c.base = "/feast/x"
	if err := c.refused("/push", `{}`); err.status != 404 || err.class != "ProjectObjectNotFoundException" || err.message != "Project x does not exist" {
		t.Errorf("got %+v", err)
	}
}

// feastRefusals are bodies that are refused with 422, and where and why.
var feastRefusals = []struct {
	claim, path, body string
	loc               []any
	want              string
}{
	{"no JSON", "/push", `{`, []any{"body"}, "not valid JSON"},
	{"bare NaN", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [NaN]}}`, []any{"body", "df", "conv_rate"}, "not valid JSON"},
	{"no object", "/push", `[]`, []any{"body"}, "expected an object"},
	{"no source", "/push", `{"df": {"driver_id": [1]}}`, []any{"body", "push_source_name"}, "missing"},
	{"a source that is no string", "/push", `{"push_source_name": 1, "df": {}}`, []any{"body", "push_source_name"}, "want a string"},
	{"no rows", "/push", `{"push_source_name": "driver_push"}`, []any{"body", "df"}, "missing"},
	{"rows as a list", "/push", `{"push_source_name": "driver_push", "df": []}`, []any{"body", "df"}, "an object of columns"},
	{"only scalars", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": 1, "conv_rate": 0.5, "event_timestamp": "2026-08-21T10:00:00"}}`, []any{"body", "df"}, "lists of one value"},
	{"a column as an object", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": {"0": 1}}}`, []any{"body", "df", "driver_id"}, "want a list"},
	{"a column twice", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "driver_id": [2]}}`, []any{"body", "driver_id"}, "twice"},
	{"columns of two lengths", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1, 2], "conv_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00", "2026-08-21T10:00:00"]}}`, []any{"body", "df", "conv_rate", 1.0}, "one length"},
	{"another to", "/push", `{"push_source_name": "driver_push", "to": "both", "df": {"driver_id": [1]}}`, []any{"body", "to"}, "online_and_offline"},
	{"no event time", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [0.5]}}`, []any{"body", "df", "event_timestamp"}, "missing"},
	{"a null event time", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1, 2], "conv_rate": [0.5, 1], "event_timestamp": ["2026-08-21T10:00:00", null]}}`, []any{"body", "df", "event_timestamp", 1.0}, "null"},
	{"no time", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [0.5], "event_timestamp": ["soon"]}}`, []any{"body", "df", "event_timestamp", 0.0}, "not a time"},
	{"milliseconds", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [0.5], "event_timestamp": [1787309985000]}}`, []any{"body", "df", "event_timestamp", 0.0}, "not milliseconds"},
	{"the future", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [0.5], "event_timestamp": ["2026-08-21T13:00:00"]}}`, []any{"body", "df", "event_timestamp", 0.0}, "after the store's clock"},
	{"no join key", "/push", `{"push_source_name": "driver_push", "df": {"conv_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00"]}}`, []any{"body", "df", "driver_id", 0.0}, "the join key is missing"},
	{"a null join key", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [null], "conv_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00"]}}`, []any{"body", "df", "driver_id", 0.0}, "null"},
	{"no feature", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rat": [0.5], "event_timestamp": ["2026-08-21T10:00:00"]}}`, []any{"body", "df", 0.0}, "no feature"},
	{"a wrong type", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1, 2], "conv_rate": [0.5, "x"], "event_timestamp": "2026-08-21T10:00:00"}}`, []any{"body", "df", "conv_rate", 1.0}, "float32"},
	{"a null counter", "/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "trips": [null], "event_timestamp": ["2026-08-21T10:00:00"]}}`, []any{"body", "df", "trips", 0.0}, "never null"},
	{"a string that is no document", "/write-to-online-store", `{"feature_view_name": "driver_profile", "df": {"driver_id": [1], "prefs": ["hello"], "event_timestamp": ["2026-08-21T10:00:00"]}}`, []any{"body", "df", "prefs", 0.0}, "JSON"},
	{"no view", "/write-to-online-store", `{"push_source_name": "driver_push", "df": {"driver_id": [1]}}`, []any{"body", "feature_view_name"}, "missing"},

	{"no features", "/get-online-features", `{"entities": {"driver_id": [1]}}`, []any{"body", "features"}, "feature_service"},
	{"an empty list of features", "/get-online-features", `{"features": [], "entities": {"driver_id": [1]}}`, []any{"body", "features"}, "no features"},
	{"features as a string", "/get-online-features", `{"features": "a:b", "entities": {"driver_id": [1]}}`, []any{"body", "features"}, "list of strings"},
	{"a reference without a view", "/get-online-features", `{"features": ["conv_rate"], "entities": {"driver_id": [1]}}`, []any{"body", "features"}, "view:feature"},
	{"no entities", "/get-online-features", `{"features": ["driver_fresh:speed"]}`, []any{"body", "entities", "driver_id"}, "missing"},
	{"entities as a list", "/get-online-features", `{"features": ["driver_fresh:speed"], "entities": [{"driver_id": 1}]}`, []any{"body"}, "expected an object"},
	{"a key that is no list", "/get-online-features", `{"features": ["driver_fresh:speed"], "entities": {"driver_id": 1}}`, []any{"body", "entities", "driver_id"}, "array"},
	{"the second join key missing", "/get-online-features", `{"features": ["place_stats:demand"], "entities": {"city": ["Rome"]}}`, []any{"body", "entities", "zone"}, "the join key is missing; this lookup needs city (string), zone (int32)"},
	{"an entity of several keys by name", "/get-online-features", `{"features": ["place_stats:demand"], "entities": {"place": ["Rome"]}}`, []any{"body", "entities", "place"}, "several join keys"},
	{"a key of another type", "/get-online-features", `{"features": ["driver_fresh:speed"], "entities": {"driver_id": [1, "x"]}}`, []any{"body", "entities", "driver_id", 1.0}, "int64"},
	{"a null key", "/get-online-features", `{"features": ["driver_fresh:speed"], "entities": {"driver_id": [null]}}`, []any{"body", "entities", "driver_id", 0.0}, "null"},
	{"a key twice", "/get-online-features", `{"features": ["driver_fresh:speed"], "entities": {"driver_id": [1], "driver": [1]}}`, []any{"body", "entities", "driver_id"}, "twice"},
	{"columns of two lengths in a lookup", "/get-online-features", `{"features": ["place_stats:demand"], "entities": {"city": ["a", "b"], "zone": [1]}}`, []any{"body", "entities", "zone"}, "one length"},
	{"one column too short that is not needed", "/get-online-features", `{"features": ["driver_fresh:speed"], "entities": {"driver_id": [1, 2], "customer_id": ["a"]}}`, []any{"body", "entities", "customer_id"}, "one length"},

	{"no times", "/materialize", `{}`, []any{"body", "start_ts"}, "missing"},
	{"a null end", "/materialize", `{"start_ts": "2021-01-01T00:00:00", "end_ts": null}`, []any{"body", "end_ts"}, "missing"},
	{"a start that is the end", "/materialize", `{"start_ts": "2021-01-02T00:00:00", "end_ts": "2021-01-02"}`, []any{"body", "start_ts"}, "not before"},
	{"a start that is no time", "/materialize", `{"start_ts": "soon", "end_ts": "2021-01-02"}`, []any{"body", "start_ts"}, "not a time"},
	{"views as a string", "/materialize", `{"disable_event_timestamp": true, "feature_views": "driver_fresh"}`, []any{"body", "feature_views"}, "a list of names"},
	{"a switch that is none", "/materialize?async=maybe", `{"disable_event_timestamp": true}`, []any{"query", "async"}, "true or false"},
	{"a flag that is none", "/materialize", `{"disable_event_timestamp": 1}`, []any{"body", "disable_event_timestamp"}, "true or false"},
	{"no end", "/materialize-incremental", `{"feature_views": []}`, []any{"body", "end_ts"}, "missing"},
}

// TestFeastMalformedBodies: 422 with the place and the reason, and nothing is
// stored.
func TestFeastMalformedBodies(t *testing.T) {
	c := newFeast(t)
	before := c.progress()
	for _, r := range feastRefusals {
		t.Run(r.claim, func(t *testing.T) {
			c := feastClient{house: &house{TB: t, store: c.store, server: c.server}}
			err := c.refused(r.path, r.body)
			if err.status != 422 || len(err.faults) == 0 {
				t.Fatalf("got %+v, want a list of faults", err)
			}
			f := err.faults[0]
			if !reflect.DeepEqual(f.Loc, r.loc) || !strings.Contains(f.Msg, r.want) || f.Type == "" {
				t.Errorf("got %v: %s (%s)\nwant %v with %q", f.Loc, f.Msg, f.Type, r.loc, r.want)
			}
		})
	}
	if after := c.progress(); after != before {
		t.Errorf("refused requests moved the log from %s to %s", before, after)
	}
}

// TestFeastOtherErrors: what Feast has no name for is a FeastError that says
// our code.
func TestFeastOtherErrors(t *testing.T) {
	c := newFeast(t)
	look := `{"features": ["driver_fresh:speed"], "entities": {"driver_id": [1]}}`
	row := `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00"]}}`
	wide := `{"push_source_name": "driver_push", "df": {"driver_id": [` + strings.Repeat("1,", 9999) + `1]`
	for i := range 120 {
		wide += fmt.Sprintf(`, "x%d": null`, i)
	}
	many := `{"push_source_name": "driver_push", "df": {"driver_id": [` + strings.Repeat("1,", 10_000) + `1]}}`
	for _, x := range []struct {
		path, body string
		head       []string
		status     int
		want       string
	}{
		{"/push", many, nil, 413, "too_many_rows: df.driver_id: more than 10000 values"},
		{"/push", wide + "}}", nil, 413, "too_many_rows: df: 120 single values stand for 10000 rows each"},
		{"/push", row, []string{"Content-Type", "text/csv"}, 415, "unsupported_media_type"},
		{"/push", row, []string{api.HeaderSession, "AAAA"}, 400, "TOKEN_INVALID"},
		{"/push", row, []string{api.HeaderWriteConcern, "any:3"}, 503, "NOT_ENOUGH_LIVE"},
		{"/get-online-features", look, []string{api.HeaderSession, "AAAA"}, 400, "TOKEN_INVALID"},
		{"/get-online-features", `{"features": ["driver_fresh:speed"], "entities": {"driver_id": [` + strings.Repeat("1,", 1000) + `1]}}`, nil, 413, "too_many_entities"},
		{"/search", `{"vector_field": "x"}`, nil, 501, "does not search by vector"},
		{"/retrieve-online-documents", `{}`, nil, 501, "does not search by vector"},
		{"/materialize", `{"start_ts": "2021-01-01T00:00:00", "end_ts": "2021-01-02T00:00:00", "feature_views": ["driver_hourly_stats"], "disable_event_timestamp": false}`, nil, 422, "reads no batch sources"},
		{"/materialize?async=true&force=true", `{"disable_event_timestamp": true, "feature_views": null}`, nil, 422, "reads no batch sources"},
		{"/materialize-incremental", `{"end_ts": "2021-01-02T00:00:00+00:00", "feature_views": ["driver_batch"]}`, nil, 422, "reads no batch sources"},
	} {
		err := c.refused(x.path, x.body, x.head...)
		if err.status != x.status || err.class != "FeastError" || !strings.Contains(err.message, x.want) {
			t.Errorf("%s: got %+v, want %d with %q", x.path, err, x.status, x.want)
		}
	}
	for _, name := range []string{api.HeaderConsistency, api.HeaderTimeout, api.HeaderOnUnmet} {
		err := c.refused("/get-online-features", look, name, "no such thing")
		if err.status != 422 || !reflect.DeepEqual(err.faults[0].Loc, []any{"header", name}) {
			t.Errorf("%s: got %+v", name, err)
		}
	}
}

// TestFeastErrorsOfTheEdge: those that no handler made have the same form.
func TestFeastErrorsOfTheEdge(t *testing.T) {
	var log journal
	c := newFeast(t, logged(&log))
	add := func(path string, handle func(*request) error) {
		rt := &route{method: http.MethodPost, path: path, dialect: "feast", handle: inFeastWords(handle), fail: (*request).writeFeastError}
		c.server.echo.Add(rt.method, rt.path, func(e echo.Context) error { return c.server.serve(rt, e) })
	}
	add("/panics", func(*request) error { panic("secret") })
	add("/fails", func(*request) error { return errors.New("secret") })
	add("/slow", func(r *request) error { <-r.context().Done(); return r.context().Err() })
	for path, want := range map[string]string{"/panics": "internal", "/fails": "internal", "/slow": "deadline_exceeded"} {
		err := c.refused(path, "", api.HeaderTimeout, "1ms")
		if err.status < 500 || err.class != "FeastError" || !strings.Contains(err.message, want) || strings.Contains(err.message, "secret") {
			t.Errorf("%s: got %+v", path, err)
		}
	}
	c.server.Drain()
	w, err := c.send("/get-online-features", `{}`)
	if err == nil || err.status != 503 || !strings.Contains(err.message, "draining") || w.Header().Get("Retry-After") == "" {
		t.Errorf("draining: got %+v", err)
	}
	for _, base := range []string{"", "/feast/drivers"} {
		if w := c.do(http.MethodGet, base+"/health", ""); w.Code != 503 {
			t.Errorf("%s/health: got status %d while draining", base, w.Code)
		}
	}
}
