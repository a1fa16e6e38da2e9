package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature/definition"
)

// drivers is a project as a user of Feast has it.
const drivers = `
project: drivers
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: customer, join_keys: [{name: customer_id, type: string}]}
  - {name: place, join_keys: [{name: city, type: string}, {name: zone, type: int32}]}
views:
  - name: driver_hourly_stats
    entity: driver
    push_source: driver_push
    features: [{name: conv_rate, type: float32}, {name: acc_rate, type: float32}, {name: avg_daily_trips, type: int64}]
  - name: driver_totals
    entity: driver
    push_source: driver_push
    features: [{name: trips, type: int64, conflict: counter}]
  - name: driver_profile
    entity: driver
    features:
      - {name: name, type: string}
      - {name: prefs, type: json}
      - {name: photo, type: bytes}
      - {name: since, type: timestamp}
      - {name: tags, type: "list<string>"}
      - {name: fare, type: decimal}
      - {name: badge, type: uuid}
      - {name: vip, type: bool}
      - {name: taste, type: "vector<float32,2>"}
      - {name: conv_rate, type: float64}
  - name: driver_fresh
    entity: driver
    ttl: 1h
    features: [{name: speed, type: float64}]
  - name: driver_batch
    entity: driver
    push_source: batch_push
    batch_source: {path: data/*.parquet, event_time: ts, columns: {hours: "hours worked", driver_id: id}}
    features: [{name: hours, type: float64}, {name: rides, type: int64}]
  - name: customer_stats
    entity: customer
    features: [{name: spend, type: float64}]
  - name: place_stats
    entity: place
    features: [{name: demand, type: float64}, {name: city_id, type: int64}]
  - name: odd
    entity: customer
    features: [{name: driver_id, type: int64}]
on_demand:
  - name: surge
    inputs: ["driver_hourly_stats:conv_rate"]
    request: [{name: factor, type: float64}]
    features: [{name: score, type: float64, expr: "conv_rate * factor"}]
  - name: numbered
    inputs: ["driver_hourly_stats:conv_rate"]
    request: [{name: driver_id, type: int64}]
    features: [{name: number, type: int64, expr: "driver_id + 1"}]
services:
  - {name: driver_v1, features: ["driver_hourly_stats:conv_rate", "driver_hourly_stats:avg_daily_trips"]}
`

// A feastClient asks as Feast's clients do. It shares a house's store, where
// the project rides is too.
type feastClient struct {
	*house
	base string
}

func newFeast(t testing.TB, change ...func(*Config)) feastClient {
	t.Helper()
	h := newHouse(t, append([]func(*Config){func(c *Config) { c.FeastProject = "drivers" }}, change...)...)
	d, err := definition.Parse("drivers.yaml", strings.NewReader(drivers))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Apply(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	return feastClient{house: h}
}

// raised is what a client makes of an answer that is not 2xx.
type raised struct {
	status int
	// class and message are of the exception that Feast's client raises, ""
	// when the body is none that it knows and it raises its own.
	module, class, message string
	faults                 []api.FeastFault
}

// send posts a body; anything but 2xx is read as Feast's remote online store
// does: the body is JSON, and a string is JSON once more.
func (c feastClient) send(path, body string, headers ...string) (*httptest.ResponseRecorder, *raised) {
	c.Helper()
	w := c.do(http.MethodPost, c.base+path, body, headers...)
	if w.Code/100 == 2 {
		return w, nil
	}
	if got := w.Header().Get("Content-Type"); got != api.MediaJSON {
		c.Errorf("an error of type %q, want %s", got, api.MediaJSON)
	}
	out := &raised{status: w.Code}
	var detail string
	if err := json.Unmarshal(w.Body.Bytes(), &detail); err == nil {
		var m map[string]string
		if err := json.Unmarshal([]byte(detail), &m); err != nil || len(m) != 3 {
			c.Fatalf("the string holds no exception: %s", detail)
		}
		out.module, out.class, out.message = m["module"], m["class"], m["message"]
		return w, out
	}
	var list api.FeastFaults
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Detail) == 0 {
		c.Fatalf("got status %d, neither an exception nor a list of faults: %s", w.Code, w.Body)
	}
	out.faults = list.Detail
	return w, out
}

// ok posts a body that must be taken, and returns the answer.
func (c feastClient) ok(path, body string, headers ...string) *httptest.ResponseRecorder {
	c.Helper()
	w, err := c.send(path, body, headers...)
	if err != nil {
		c.Fatalf("%s: got status %d: %s", path, w.Code, w.Body)
	}
	return w
}

// refused posts a body that must be refused.
func (c feastClient) refused(path, body string, headers ...string) *raised {
	c.Helper()
	w, err := c.send(path, body, headers...)
	if err == nil {
		c.Fatalf("%s: got status %d, want a refusal: %s", path, w.Code, body)
	}
	return err
}

// feastAnswer is the answer to a lookup.
type feastAnswer struct {
	Results []struct {
		Values     []json.RawMessage
		Statuses   []string
		Timestamps []string `json:"event_timestamps"`
	}
	Metadata struct {
		Names []string `json:"feature_names"`
	}
}

// lookup posts a lookup and returns its columns by name, each element as
// "value status time".
func (c feastClient) lookup(body string, headers ...string) map[string][]string {
	c.Helper()
	var a feastAnswer
	if err := json.Unmarshal(c.ok("/get-online-features", body, headers...).Body.Bytes(), &a); err != nil {
		c.Fatal(err)
	}
	if len(a.Results) != len(a.Metadata.Names) {
		c.Fatalf("%d results for %d names", len(a.Results), len(a.Metadata.Names))
	}
	out := map[string][]string{}
	for i, name := range a.Metadata.Names {
		if _, ok := out[name]; ok {
			c.Errorf("the name %s stands twice", name)
		}
		r := a.Results[i]
		if len(r.Values) != len(a.Results[0].Values) || len(r.Values) != len(r.Statuses) || len(r.Values) != len(r.Timestamps) {
			c.Fatalf("column %s has other lengths than the first: %+v", name, r)
		}
		out[name] = []string{}
		for row := range r.Values {
			out[name] = append(out[name], string(r.Values[row])+" "+r.Statuses[row]+" "+r.Timestamps[row])
		}
	}
	return out
}

// sameJSON compares an answer with a text, spaces aside.
func (c feastClient) sameJSON(got []byte, want string) {
	c.Helper()
	norm := func(text []byte) string {
		var v any
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			c.Fatalf("%v in %s", err, text)
		}
		b, err := json.Marshal(v)
		if err != nil {
			c.Fatal(err)
		}
		return string(b)
	}
	if g, w := norm(got), norm([]byte(want)); g != w {
		c.Errorf("got  %s\nwant %s", g, w)
	}
}
