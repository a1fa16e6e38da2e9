package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"featurestore/api"
)

// TestFeastPushExample is the documented example, request and answer.
func TestFeastPushExample(t *testing.T) {
	c := newFeast(t)
	w := c.ok("/push", `{"push_source_name": "driver_push",
		"df": {"driver_id": [123], "conv_rate": [0.5], "event_timestamp": ["2026-08-21 10:59:42+00:00"], "created_timestamp": ["2026-08-21 10:59:42"]},
		"allow_registry_cache": true, "to": "online", "transform_on_write": true}`)
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("got status %d with %q, want 200 with an empty body", w.Code, w.Body)
	}
	got := c.lookup(`{"entities": {"driver_id": [123]}, "features": ["driver_hourly_stats:conv_rate"]}`)
	if got["conv_rate"][0] != "0.5 PRESENT 2026-08-21T10:59:42Z" {
		t.Errorf("got %v", got)
	}
}

// TestFeastWriteExample is what Feast's remote online store sends.
func TestFeastWriteExample(t *testing.T) {
	c := newFeast(t)
	w := c.ok("/write-to-online-store", `{"feature_view_name": "driver_profile", "df": {"driver_id": [1, 2], "name": ["a", null], "prefs": ["{\"k\": 1}", null],
		"event_timestamp": ["2026-08-21T10:59:42", "2026-08-21T10:59:42.123456"], "created": [null, "2026-08-21T11:00:00"]}, "allow_registry_cache": false, "transform_on_write": true}`)
	if w.Code != http.StatusOK || w.Body.String() != "null" || w.Header().Get("Content-Type") != api.MediaJSON {
		t.Errorf("got status %d, %q, want 200 and exactly null", w.Code, w.Body)
	}
	got := c.lookup(`{"entities": {"driver_id": [1, 2]}, "features": ["driver_profile:name", "driver_profile:prefs"]}`)
	if got["name"][0] != `"a" PRESENT 2026-08-21T10:59:42Z` || got["prefs"][0] != `"{\"k\":1}" PRESENT 2026-08-21T10:59:42Z` ||
		got["name"][1] != "null NULL_VALUE 2026-08-21T10:59:42.123456Z" {
		t.Errorf("got %v", got)
	}
}

// served returns what one feature of driver 1 is.
func (c feastClient) served(ref string) string {
	c.Helper()
	_, name, _ := strings.Cut(ref, ":")
	return c.lookup(`{"entities": {"driver_id": [1]}, "features": ["` + ref + `"]}`)[name][0]
}

func TestFeastEventTimes(t *testing.T) {
	c := newFeast(t)
	for given, want := range map[string]string{
		`"2026-08-21T10:59:42"`:            "2026-08-21T10:59:42Z",
		`"2026-08-21 10:59:42"`:            "2026-08-21T10:59:42Z",
		`"2026-08-21T12:59:43+02:00"`:      "2026-08-21T10:59:43Z",
		`"2026-08-21 10:59:44.123456789Z"`: "2026-08-21T10:59:44.123456789Z",
		`1787309985`:                       "2026-08-21T10:59:45Z",
		`1787309986.25`:                    "2026-08-21T10:59:46.250Z",
	} {
		c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [0.5], "event_timestamp": [`+given+`]}}`)
		got := c.lookup(`{"entities": {"driver_id": [1]}, "features": ["driver_hourly_stats:conv_rate"]}`)["conv_rate"][0]
		if got != "0.5 PRESENT "+want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
		c.house = newFeast(t).house
	}
}

func TestFeastScalarsStandForEveryRow(t *testing.T) {
	c := newFeast(t)
	c.ok("/push", `{"push_source_name": "driver_push", "df": {"event_timestamp": "2026-08-21T10:00:00", "driver_id": [1, 2], "conv_rate": 0.5, "acc_rate": null}}`)
	got := c.lookup(`{"entities": {"driver_id": [1, 2]}, "features": ["driver_hourly_stats:conv_rate", "driver_hourly_stats:acc_rate"]}`)
	for row := range 2 {
		if got["conv_rate"][row] != "0.5 PRESENT 2026-08-21T10:00:00Z" || got["acc_rate"][row] != "null NULL_VALUE 2026-08-21T10:00:00Z" {
			t.Errorf("row %d: got %v", row, got)
		}
	}
}

// TestFeastPushFeedsEveryView: all views of the source, in one write.
func TestFeastPushFeedsEveryView(t *testing.T) {
	c := newFeast(t)
	c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1, 1], "conv_rate": [0.5, 0.25], "trips": [2, 3], "event_timestamp": ["2026-08-21T10:00:00", "2026-08-21T10:00:01"]}}`)
	if got := c.served("driver_hourly_stats:conv_rate") + ", " + c.served("driver_totals:trips"); got != "0.25 PRESENT 2026-08-21T10:00:01Z, 5 PRESENT 2026-08-21T10:00:01Z" {
		t.Errorf("got %s", got)
	}
	// One view refuses, so neither is written.
	c.refused("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [0.75], "trips": [9223372036854775807], "event_timestamp": ["2026-08-21T10:00:02"]}}`)
	if got := c.served("driver_hourly_stats:conv_rate"); !strings.HasPrefix(got, "0.25 ") {
		t.Errorf("half of a refused push was stored: got %s", got)
	}
}

// TestFeastPartialUpdate: a missing column leaves its feature alone, a null
// stores a null, a column that no view needs is ignored.
func TestFeastPartialUpdate(t *testing.T) {
	c := newFeast(t)
	push := func(columns string) {
		c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], `+columns+`}}`)
	}
	push(`"conv_rate": [0.5], "acc_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00"]`)
	push(`"acc_rate": [0.25], "weather": ["sun"], "event_timestamp": ["2026-08-21T10:00:01"]`)
	if got := c.served("driver_hourly_stats:conv_rate") + ", " + c.served("driver_hourly_stats:acc_rate"); got != "0.5 PRESENT 2026-08-21T10:00:00Z, 0.25 PRESENT 2026-08-21T10:00:01Z" {
		t.Errorf("got %s", got)
	}
	push(`"conv_rate": [null], "acc_rate": [null], "event_timestamp": ["2026-08-21T10:00:02"]`)
	if got := c.served("driver_hourly_stats:conv_rate"); got != "null NULL_VALUE 2026-08-21T10:00:02Z" {
		t.Errorf("a row of nulls: got %s", got)
	}
}

func TestFeastOlderRowsChangeNothing(t *testing.T) {
	c := newFeast(t)
	push := func(value, at string) {
		c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [`+value+`], "event_timestamp": ["`+at+`"]}}`)
	}
	push("0.5", "2026-08-21T10:00:00")
	push("0.25", "2026-08-21T09:59:59")
	if got := c.served("driver_hourly_stats:conv_rate"); got != "0.5 PRESENT 2026-08-21T10:00:00Z" {
		t.Errorf("got %s", got)
	}
}

// TestFeastCreatedIsNotRead: of equal event times the later write counts,
// whatever was created when.
func TestFeastCreatedIsNotRead(t *testing.T) {
	c := newFeast(t)
	for _, df := range []string{
		`"driver_id": [1], "conv_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00"], "created_timestamp": ["2026-08-21T11:00:00"]`,
		`"driver_id": [1], "conv_rate": [0.25], "event_timestamp": ["2026-08-21T10:00:00"], "created_timestamp": ["2026-08-21T10:00:00"]`,
	} {
		c.ok("/push", `{"push_source_name": "driver_push", "df": {`+df+`}}`)
	}
	if got := c.served("driver_hourly_stats:conv_rate"); !strings.HasPrefix(got, "0.25 ") {
		t.Errorf("got %s, want the later push", got)
	}
}

func TestFeastCountersTakeIncrements(t *testing.T) {
	c := newFeast(t)
	for range 3 {
		c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "trips": [2], "event_timestamp": ["2026-08-21T10:00:00"]}}`)
	}
	if got := c.served("driver_totals:trips"); got != "6 PRESENT 2026-08-21T10:00:00Z" {
		t.Errorf("got %s", got)
	}
}

func TestFeastPushOffline(t *testing.T) {
	c := newFeast(t)
	push := `{"push_source_name": "driver_push", "to": %q, "df": {"driver_id": [1], "conv_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00"]}}`
	c.ok("/push", fmt.Sprintf(push, "offline"))
	if got := c.served("driver_hourly_stats:conv_rate"); !strings.HasPrefix(got, "null NOT_FOUND") {
		t.Errorf("got %s, want what is offline only not served", got)
	}
	c.ok("/push", fmt.Sprintf(push, "online_and_offline"))
	if got := c.served("driver_hourly_stats:conv_rate"); !strings.HasPrefix(got, "0.5 PRESENT") {
		t.Errorf("got %s", got)
	}
}

// TestFeastBatchColumns: a view whose batch source names its columns takes them
// by those names, and by its own.
func TestFeastBatchColumns(t *testing.T) {
	c := newFeast(t)
	c.ok("/push", `{"push_source_name": "batch_push", "df": {"id": [1], "hours worked": [7.5], "rides": [3], "ts": ["2026-08-21T10:00:00"]}}`)
	if got := c.served("driver_batch:hours") + ", " + c.served("driver_batch:rides"); got != "7.5 PRESENT 2026-08-21T10:00:00Z, 3 PRESENT 2026-08-21T10:00:00Z" {
		t.Errorf("got %s", got)
	}
	c.ok("/write-to-online-store", `{"feature_view_name": "driver_batch", "df": {"driver_id": [1], "hours": [8], "event_timestamp": ["2026-08-21T11:00:00"]}}`)
	if got := c.served("driver_batch:hours"); got != "8 PRESENT 2026-08-21T11:00:00Z" {
		t.Errorf("got %s", got)
	}
	err := c.refused("/push", `{"push_source_name": "batch_push", "df": {"driver_id": [1], "hours": [1], "hours worked": [2], "ts": ["2026-08-21T11:00:00"]}}`)
	if err.status != 422 || !strings.Contains(err.faults[0].Msg, "hours and hours worked both hold hours") {
		t.Errorf("got %+v", err)
	}
}

func TestFeastPushOfNoRows(t *testing.T) {
	c := newFeast(t)
	before := c.progress()
	c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [], "conv_rate": [], "event_timestamp": []}}`)
	if after := c.progress(); after != before {
		t.Errorf("the log moved from %s to %s", before, after)
	}
}
