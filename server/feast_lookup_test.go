package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"featurestore/api"
)

// noTime is what Feast shows where there is no event time.
const noTime = "1970-01-01T00:00:00Z"

// seedHourly writes the rows of the documented example of a lookup.
func seedHourly(c feastClient) {
	c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1001, 1002], "conv_rate": [0.7037, 0.0381], "acc_rate": [0.5, null],
		"event_timestamp": ["2021-12-31T23:00:00", "2021-12-31 23:00:00.250"]}}`)
}

// TestFeastLookupExample is the documented example, request and answer.
func TestFeastLookupExample(t *testing.T) {
	c := newFeast(t)
	seedHourly(c)
	w := c.ok("/get-online-features", `{"entities": {"driver_id": [1001, 1002, 9999]},
		"features": ["driver_hourly_stats:conv_rate"], "feature_service": null, "full_feature_names": false, "request_context": {}}`)
	c.sameJSON(w.Body.Bytes(), `{"results": [
		{"values": [1001, 1002, 9999], "statuses": ["PRESENT", "PRESENT", "PRESENT"],
		 "event_timestamps": ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]},
		{"values": [0.7037, 0.0381, null], "statuses": ["PRESENT", "PRESENT", "NOT_FOUND"],
		 "event_timestamps": ["2021-12-31T23:00:00Z", "2021-12-31T23:00:00.250Z", "1970-01-01T00:00:00Z"]}],
		"metadata": {"feature_names": ["driver_id", "conv_rate"]}}`)
	if got := w.Header().Get("Content-Type"); got != api.MediaJSON {
		t.Errorf("Content-Type %q", got)
	}
}

func TestFeastLookupForms(t *testing.T) {
	c := newFeast(t)
	seedHourly(c)
	plain := `{"entities": {"driver_id": [1001]}, "features": ["driver_hourly_stats:conv_rate"]}`
	want := c.ok("/get-online-features", plain).Body.String()
	for claim, body := range map[string]string{
		"protobuf's columns":              `{"entities": {"driver_id": {"val": [1001]}}, "features": ["driver_hourly_stats:conv_rate"]}`,
		"protobuf's features":             `{"entities": {"driver_id": [1001]}, "features": {"val": ["driver_hourly_stats:conv_rate"]}}`,
		"unknown fields":                  `{"entities": {"driver_id": [1001]}, "features": ["driver_hourly_stats:conv_rate"], "include_feature_view_version_metadata": true, "x": {"y": [1]}}`,
		"an empty service":                `{"entities": {"driver_id": [1001]}, "features": ["driver_hourly_stats:conv_rate"], "feature_service": ""}`,
		"nulls":                           `{"entities": {"driver_id": [1001]}, "features": ["driver_hourly_stats:conv_rate"], "feature_service": null, "full_feature_names": null, "request_context": null}`,
		"the entity's name for its key":   `{"entities": {"driver": [1001]}, "features": ["driver_hourly_stats:conv_rate"]}`,
		"a key as a string":               `{"entities": {"driver_id": ["1001"]}, "features": ["driver_hourly_stats:conv_rate"]}`,
		"a key as a float, as pandas has": `{"entities": {"driver_id": [1001.0]}, "features": ["driver_hourly_stats:conv_rate"]}`,
	} {
		if got := c.ok("/get-online-features", body).Body.String(); got != want {
			t.Errorf("%s: got %s, want %s", claim, got, want)
		}
	}
	if got := c.ok("/get-online-features?status=true", plain).Body.String(); got != want {
		t.Errorf("?status=true: got %s", got)
	}
	if got := c.ok("/get-online-features", plain, "Content-Type", "application/x-www-form-urlencoded").Body.String(); got != want {
		t.Errorf("as curl -d sends it: got %s", got)
	}
	c.base = "/feast/drivers"
	if got := c.ok("/get-online-features", plain).Body.String(); got != want {
		t.Errorf("by the project's own path: got %s", got)
	}
}

func TestFeastLookupByService(t *testing.T) {
	c := newFeast(t)
	seedHourly(c)
	got := c.lookup(`{"feature_service": "driver_v1", "features": ["driver_hourly_stats:acc_rate"], "entities": {"driver_id": [1001]}}`)
	if len(got) != 3 || got["conv_rate"][0] != "0.7037 PRESENT 2021-12-31T23:00:00Z" || got["avg_daily_trips"][0] != "null NOT_FOUND "+noTime {
		t.Errorf("a service wins over features; got %v", got)
	}
}

func TestFeastNames(t *testing.T) {
	c := newFeast(t)
	seedHourly(c)
	both := `{"entities": {"driver_id": [1001]}, "features": ["driver_hourly_stats:conv_rate", "driver_profile:conv_rate"], "full_feature_names": %v}`
	got := c.lookup(fmt.Sprintf(both, true))
	if got["driver_hourly_stats__conv_rate"] == nil || got["driver_profile__conv_rate"] == nil || len(got) != 3 {
		t.Errorf("got %v", got)
	}
	for body, want := range map[string]string{
		fmt.Sprintf(both, false): "set full_feature_names to true",
		`{"entities": {"driver_id": [1]}, "features": ["driver_profile:name", "driver_profile:name"], "full_feature_names": true}`: "asked for twice",
		`{"entities": {"driver_id": [1], "customer_id": ["a"]}, "features": ["odd:driver_id"]}`:                                    "a join key would both be named driver_id",
	} {
		err := c.refused("/get-online-features", body)
		if err.status != 422 || !strings.Contains(err.faults[0].Msg, want) {
			t.Errorf("got %+v, want %q", err, want)
		}
	}
	if got := c.lookup(`{"entities": {"driver_id": [1], "customer_id": ["a"]}, "features": ["odd:driver_id"], "full_feature_names": true}`); len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// TestFeastOrder: join keys first, then features in request order.
func TestFeastOrder(t *testing.T) {
	c := newFeast(t)
	a := c.ok("/get-online-features", `{"features": ["driver_totals:trips", "customer_stats:spend", "driver_hourly_stats:acc_rate"],
		"entities": {"driver_id": [1], "customer_id": ["a"]}}`).Body.String()
	if !strings.HasSuffix(a, `"metadata":{"feature_names":["driver_id","customer_id","trips","spend","acc_rate"]}}`) {
		t.Errorf("got %s", a)
	}
}

func TestFeastKeysThatAreNotNeeded(t *testing.T) {
	c := newFeast(t)
	seedHourly(c)
	got := c.lookup(`{"features": ["driver_hourly_stats:conv_rate"], "entities": {"customer_id": ["a"], "driver_id": ["1001"]}}`)
	if got["customer_id"][0] != `"a" PRESENT `+noTime || got["driver_id"][0] != "1001 PRESENT "+noTime || !strings.HasPrefix(got["conv_rate"][0], "0.7037") {
		t.Errorf("got %v", got)
	}
}

func TestFeastLookupOfNoRows(t *testing.T) {
	c := newFeast(t)
	w := c.ok("/get-online-features", `{"features": ["driver_hourly_stats:conv_rate"], "entities": {"driver_id": []}}`)
	c.sameJSON(w.Body.Bytes(), `{"results": [{"values": [], "statuses": [], "event_timestamps": []}, {"values": [], "statuses": [], "event_timestamps": []}],
		"metadata": {"feature_names": ["driver_id", "conv_rate"]}}`)
}

// TestFeastRequestData: among the entities as Python sends it, or in
// request_context as Go wants it.
func TestFeastRequestData(t *testing.T) {
	c := newFeast(t)
	c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [1], "conv_rate": [0.5], "event_timestamp": ["2026-08-21T10:00:00Z"]}}`)
	for _, body := range []string{
		`{"features": ["surge:score"], "entities": {"driver_id": [1, 2], "factor": [3, 4]}}`,
		`{"features": ["surge:score"], "entities": {"driver_id": [1, 2]}, "request_context": {"factor": {"val": [3, 4]}, "other": [1, 2]}}`,
	} {
		got := c.lookup(body)
		if want := []string{"1.5 PRESENT 2026-08-21T10:00:00Z", "null NULL_VALUE " + noTime}; !slices.Equal(got["score"], want) || len(got) != 2 {
			t.Errorf("got %v, want score %v and driver_id", got, want)
		}
	}
	for body, want := range map[string]string{
		`{"features": ["surge:score"], "entities": {"driver_id": [1]}}`:                                                    "the value is missing",
		`{"features": ["surge:score"], "entities": {"driver_id": [1], "factor": [3]}, "request_context": {"factor": [3]}}`: "in entities and in request_context",
		`{"features": ["surge:score"], "entities": {"driver_id": [1], "factor": [3, 4]}}`:                                  "all must have one length",
	} {
		if err := c.refused("/get-online-features", body); err.status != 422 || !strings.Contains(err.faults[0].Msg, want) {
			t.Errorf("got %+v, want %q", err, want)
		}
	}
}

// TestFeastKeyThatIsRequestDataToo: one column may be both.
func TestFeastKeyThatIsRequestDataToo(t *testing.T) {
	c := newFeast(t)
	seedHourly(c)
	got := c.lookup(`{"features": ["numbered:number", "driver_hourly_stats:conv_rate"], "entities": {"driver_id": [1001]}}`)
	if !strings.HasPrefix(got["number"][0], "1002 ") || !strings.HasPrefix(got["conv_rate"][0], "0.7037 ") {
		t.Errorf("got %v", got)
	}
	got = c.lookup(`{"features": ["numbered:number"], "entities": {"driver_id": [1001]}, "request_context": {"driver_id": [7]}}`)
	if !strings.HasPrefix(got["number"][0], "8 ") || !strings.HasPrefix(got["driver_id"][0], "1001 ") {
		t.Errorf("got %v", got)
	}
}

// TestFeastValues: how each type is written and shown.
func TestFeastValues(t *testing.T) {
	c := newFeast(t)
	c.ok("/write-to-online-store", `{"feature_view_name": "driver_profile", "df": {"driver_id": [1], "event_timestamp": ["2026-08-21T10:00:00.000001"],
		"name": ["Zoë"], "prefs": ["{\"a\": [1, null]}"], "photo": ["/wA="], "since": ["2026-08-21 10:59:42.9+02:00"], "tags": [["b", "a"]],
		"fare": [12.50], "badge": ["123E4567-e89b-12d3-a456-426614174000"], "vip": [true], "taste": [[0.1, 2]], "conv_rate": [null]}}`)
	at := " PRESENT 2026-08-21T10:00:00.000001Z"
	got := c.lookup(`{"entities": {"driver_id": [1]}, "features": ["driver_profile:name", "driver_profile:prefs", "driver_profile:photo", "driver_profile:since",
		"driver_profile:tags", "driver_profile:fare", "driver_profile:badge", "driver_profile:vip", "driver_profile:taste", "driver_profile:conv_rate"]}`)
	for name, want := range map[string]string{
		"name": `"Zoë"` + at, "prefs": `"{\"a\":[1,null]}"` + at, "photo": `"/wA="` + at, "since": "1787302782" + at, "tags": `["b","a"]` + at,
		"fare": `"12.50"` + at, "badge": `"123e4567-e89b-12d3-a456-426614174000"` + at, "vip": "true" + at, "taste": "[0.1,2]" + at,
		"conv_rate": "null NULL_VALUE 2026-08-21T10:00:00.000001Z",
	} {
		if g := got[name][0]; g != want {
			t.Errorf("%s: got %s, want %s", name, g, want)
		}
	}
}

// TestFeastJSONSurvivesReadingAndWriting: what a client reads it may write back.
func TestFeastJSONSurvivesReadingAndWriting(t *testing.T) {
	c := newFeast(t)
	write := func(value string) string {
		c.ok("/write-to-online-store", `{"feature_view_name": "driver_profile", "df": {"driver_id": [1], "prefs": [`+value+`], "event_timestamp": ["2026-08-21T10:00:00"]}}`)
		value, _, _ = strings.Cut(c.lookup(`{"entities": {"driver_id": [1]}, "features": ["driver_profile:prefs"]}`)["prefs"][0], " PRESENT")
		return value
	}
	for _, given := range []string{`"{\"a\":1}"`, `{"a": 1}`} {
		if got := write(given); got != `"{\"a\":1}"` || write(got) != got {
			t.Errorf("%s: got %s", given, got)
		}
	}
}

func TestFeastValueOutsideItsAgeIsNull(t *testing.T) {
	c := newFeast(t)
	c.ok("/write-to-online-store", `{"feature_view_name": "driver_fresh", "df": {"driver_id": [1, 2], "speed": [3, 4], "event_timestamp": ["2026-08-21T10:59:00", "2026-08-21T11:30:00"]}}`)
	got := c.lookup(`{"entities": {"driver_id": [1, 2]}, "features": ["driver_fresh:speed"]}`)["speed"]
	if want := []string{"null OUTSIDE_MAX_AGE 2026-08-21T10:59:00Z", "4 PRESENT 2026-08-21T11:30:00Z"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
