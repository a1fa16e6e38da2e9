package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestScanPushRefuses(t *testing.T) {
	for _, tt := range []struct {
		body  string
		code  Code
		field string
		want  string
	}{
		{`{"view":"v","rows":[{"a":1}`, CodeInvalidJSON, "", "at byte 27: the text ends here"},
		{`{"view":"v","rows":[{"a":tru}]}`, CodeInvalidJSON, "rows[0]", "at byte 25"},
		{``, CodeInvalidJSON, "", "the text ends here"},
		{`[]`, CodeInvalidJSON, "", "expected an object"},
		{`{"view":"v","rows":[]} {}`, CodeInvalidJSON, "", "at byte 23: expected the end"},
		{"{\"view\":\"\xff\",\"rows\":[]}", CodeInvalidJSON, "", "UTF-8"},
		{`{"veiw":"v","rows":[]}`, CodeUnknownField, "veiw", `did you mean "view"?`},
		{`{"zzzzzzzz":1}`, CodeUnknownField, "zzzzzzzz", "use view, push_source, to"},
		{`{"view":"v","event_time":1,"rows":[]}`, CodeUnknownField, "event_time", "belongs in each row"},
		{`{"view":"v","view":"w","rows":[]}`, CodeDuplicateKey, "view", "stands twice"},
		{`{"view":"v","rows":[{"a":1},{"b":1,"b":2}]}`, CodeDuplicateKey, "rows[1].b", "stands twice"},
		{`{"view":"v","rows":[{"a":{"x":1,"x":2}}]}`, CodeDuplicateKey, "rows[0].x", "stands twice"},
		{`{"view":"v","columns":{"a":[1],"a":[2]}}`, CodeDuplicateKey, "a", "stands twice"},
		{`{"view":"v","columns":{"a":[{"x":1,"x":1}]}}`, CodeDuplicateKey, "columns.a.x", "stands twice"},
		{`{"view":1,"rows":[]}`, CodeInvalidRequest, "view", "want a string, got 1"},
		{`{"view":"v","rows":{}}`, CodeInvalidRequest, "rows", "want an array of objects, got an object"},
		{`{"view":"v","rows":[1]}`, CodeInvalidRequest, "rows[0]", "want an object, got 1"},
		{`{"view":"v","columns":[]}`, CodeInvalidRequest, "columns", "want an object of columns, got a list"},
		{`{"view":"v","columns":{"a":1}}`, CodeInvalidRequest, "columns.a", "want an array of values, got 1"},
		{`{"view":"v","generation":-1,"rows":[]}`, CodeInvalidRequest, "generation", "from 0 to 65535"},
		{`{"view":"v","to":"nowhere","rows":[]}`, CodeInvalidRequest, "to", "online_and_offline"},
		{`{"rows":[]}`, CodeInvalidRequest, "view", "either a view or a push_source"},
		{`{"view":"v","push_source":"p","rows":[]}`, CodeInvalidRequest, "view", "either"},
		{`{"view":"v"}`, CodeInvalidRequest, "rows", "either rows or columns"},
		{`{"view":"v","rows":[],"columns":{}}`, CodeInvalidRequest, "rows", "either rows or columns"},
		{`{"view":"v","rows":[{},{},{},{}]}`, CodeTooManyRows, "rows", "more than 3 rows"},
		{`{"view":"v","columns":{"a":[1,2,3,4]}}`, CodeTooManyRows, "columns.a", "more than 3"},
		{`{"view":"v","rows":[{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}]}`, CodeInvalidJSON, "rows[0]", "nested more than 64 deep"},
	} {
		_, err := ScanPush([]byte(tt.body), 3)
		checkProblem(t, tt.body, err, tt.code, tt.field, tt.want)
	}
}

func TestScanDeleteRefuses(t *testing.T) {
	for _, tt := range []struct {
		body  string
		code  Code
		field string
		want  string
	}{
		{`{"entities":{"a":[1]}}`, CodeInvalidRequest, "view", "names a view"},
		{`{"view":"v"}`, CodeInvalidRequest, "entities", "names entities"},
		{`{"view":"v","entity":{"a":[1]}}`, CodeUnknownField, "entity", `did you mean "entities"?`},
		{`{"view":"v","entities":{"a":[1,2,3,4]}}`, CodeTooManyEntities, "entities.a", "more than 3"},
	} {
		_, err := ScanDelete([]byte(tt.body), 3)
		checkProblem(t, tt.body, err, tt.code, tt.field, tt.want)
	}
}

func checkProblem(t *testing.T, body string, err error, code Code, field, want string) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) {
		t.Errorf("%s: got %v, want a Problem", body, err)
		return
	}
	if p.Code != code || p.Field != field || !strings.Contains(p.Detail, want) {
		t.Errorf("%s: got %s at %q: %s; want %s at %q with %q", body, p.Code, p.Field, p.Detail, code, field, want)
	}
}

// compareWithPushRequest fails when ScanPush took what encoding/json reads
// otherwise.
func compareWithPushRequest(t testing.TB, body []byte) {
	t.Helper()
	got, err := ScanPush(body, 1000)
	if err != nil {
		var p *Problem
		if !errors.As(err, &p) || p.Code.Title() == "" {
			t.Fatalf("%q: error %v is no Problem of the table", body, err)
		}
		return
	}
	var want PushRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		t.Fatalf("%q was read, encoding/json says %v", body, err)
	}
	rows := make([]map[string]json.RawMessage, got.Rows())
	for i := range rows {
		rows[i] = map[string]json.RawMessage{}
		for _, c := range got.Row(i) {
			rows[i][c.Name] = c.Value
		}
	}
	columns := map[string][]json.RawMessage{}
	for _, c := range got.Columns {
		columns[string(c.Name)] = nil
		for _, v := range c.Values {
			columns[string(c.Name)] = append(columns[string(c.Name)], v)
		}
	}
	if got.View != want.View || got.PushSource != want.PushSource || got.To != want.To || got.Generation != want.Generation {
		t.Fatalf("%q: got %+v, want %+v", body, got, want)
	}
	if fmt.Sprintf("%s %s", rows, columns) != fmt.Sprintf("%s %s", want.Rows, nonNil(want.Columns)) {
		t.Fatalf("%q: got %s %s, want %s %s", body, rows, columns, want.Rows, want.Columns)
	}
}

func nonNil(m map[string][]json.RawMessage) map[string][]json.RawMessage {
	if m == nil {
		return map[string][]json.RawMessage{}
	}
	return m
}

var pushBodies = []string{
	`{"view": "driver_stats", "rows": [{"driver_id": 1001, "conv_rate": 0.5, "trips": {"increment": 1}, "event_time": "2026-08-21T10:59:42Z"}]}`,
	`{"view": "driver_stats", "columns": {"driver_id": [1001, 1002], "conv_rate": [0.5, null]}, "generation": 7}`,
	`{"push_source":"p","to":"offline","rows":[{},{"a":[1,{"b":"\u00e9"}]}]}`,
	`{"view":"v","columns":{}}`,
}

func TestScanPushReadsWhatEncodingJSONReads(t *testing.T) {
	for _, body := range pushBodies {
		if _, err := ScanPush([]byte(body), 10); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		compareWithPushRequest(t, []byte(body))
	}
}

func FuzzPushBody(f *testing.F) {
	for _, body := range pushBodies {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { compareWithPushRequest(t, body) })
}

func TestScanDeleteReads(t *testing.T) {
	d, err := ScanDelete([]byte(`{"view":"v","entities":{"a":[1,2],"b":["x","y"]},"event_time":"2026-08-21T10:59:42Z"}`), 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []Column{{Name: []byte("a"), Values: [][]byte{[]byte("1"), []byte("2")}}, {Name: []byte("b"), Values: [][]byte{[]byte(`"x"`), []byte(`"y"`)}}}
	if d.View != "v" || string(d.EventTime) != `"2026-08-21T10:59:42Z"` || !reflect.DeepEqual(d.Entities, want) {
		t.Errorf("got %+v", d)
	}
}
