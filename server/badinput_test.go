package server

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"featurestore/api"
)

// refusal is a request that must be refused, and how.
type refusal struct {
	claim string
	path  string // below /v1/projects/
	body  string
	code  api.Code
	field string   // of the problem, or of its first row
	want  string   // in detail, or in the message of the first row
	head  []string // headers
}

var refusals = []refusal{
	{"unknown project", "ride/push", `{"view":"driver_stats","rows":[]}`, api.CodeProjectNotFound, "", `did you mean "rides"?`, nil},
	{"unknown view", "rides/push", `{"view":"driver_stat","rows":[]}`, api.CodeViewNotFound, "", `did you mean "driver_stats"?`, nil},
	{"unknown push source", "rides/push", `{"push_source":"driver_pus","rows":[]}`, api.CodePushSourceNotFound, "", `did you mean "driver_push"?`, nil},
	{"unknown feature in a row", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"conv_rat":1}]}`, api.CodeInvalidRows, "conv_rat", `did you mean "conv_rate"?`, nil},
	{"unknown feature column", "rides/push", `{"view":"driver_stats","columns":{"driver_id":[1],"conv_rat":[1]}}`, api.CodeInvalidRows, "conv_rat", `did you mean "conv_rate"?`, nil},
	{"unknown field", "rides/push", `{"veiw":"driver_stats","rows":[]}`, api.CodeUnknownField, "veiw", `did you mean "view"?`, nil},
	{"unknown service in a lookup", "rides/lookup", `{"service":"driver_v2","entities":{"driver_id":[1]}}`, api.CodeServiceNotFound, "", `did you mean "driver_v1"?`, nil},
	{"unknown feature in a lookup", "rides/lookup", `{"features":["driver_stats:convrate"],"entities":{"driver_id":[1]}}`, api.CodeFeatureNotFound, "", `conv_rate`, nil},

	{"missing join key", "rides/push", `{"view":"driver_stats","rows":[{"conv_rate":1}]}`, api.CodeInvalidRows, "driver_id", "missing", nil},
	{"one of two join keys missing", "rides/push", `{"view":"place_stats","rows":[{"city":"Rome","demand":1}]}`, api.CodeInvalidRows, "zone", "missing", nil},
	{"null join key", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":null,"conv_rate":1}]}`, api.CodeInvalidRows, "driver_id", "null", nil},
	{"mistyped join key", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":"seven","conv_rate":1}]}`, api.CodeInvalidRows, "driver_id", "whole number", nil},
	{"row without features", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1}]}`, api.CodeInvalidRows, "", "no feature", nil},
	{"missing join key of a delete", "rides/delete", `{"view":"place_stats","entities":{"city":["Rome"]}}`, api.CodeInvalidRows, "zone", "missing", nil},
	{"feature in a delete", "rides/delete", `{"view":"driver_stats","entities":{"driver_id":[1],"conv_rate":[1]}}`, api.CodeInvalidRows, "conv_rate", "no join key", nil},
	{"bad event time of a delete", "rides/delete", `{"view":"driver_stats","entities":{"driver_id":[1]},"event_time":"yesterday"}`, api.CodeInvalidValue, "event_time", "is not a time", nil},
	{"future event time of a delete", "rides/delete", `{"view":"driver_stats","entities":{"driver_id":[1]},"event_time":"2027-01-01T00:00:00Z"}`, api.CodeEventInFuture, "event_time", "max_future", nil},

	{"float for an int", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"total":1.5}]}`, api.CodeInvalidRows, "total", "not a whole number", nil},
	{"too large an int32", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"level":2147483648}]}`, api.CodeInvalidRows, "level", "outside int32", nil},
	{"float that overflows", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"conv_rate":1e39}]}`, api.CodeInvalidRows, "conv_rate", "outside what float32 holds", nil},
	{"string for a bool", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":"true"}]}`, api.CodeInvalidRows, "vip", "true or false", nil},
	{"bad base64", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"photo":"***"}]}`, api.CodeInvalidRows, "photo", "base64", nil},
	{"bad uuid", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"trip":"1"}]}`, api.CodeInvalidRows, "trip", "uuid", nil},
	{"bad decimal", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"fare":"cheap"}]}`, api.CodeInvalidRows, "fare", "want a number", nil},
	{"short vector", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"taste":[1,2]}]}`, api.CodeInvalidRows, "taste", "want 3 elements", nil},
	{"null in a list", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"tags":["a",null]}]}`, api.CodeInvalidRows, "tags", "element 1 is null", nil},
	{"bad timestamp", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"seen":"2026-02-30T00:00:00Z"}]}`, api.CodeInvalidRows, "seen", "is not a time", nil},
	{"bad event time", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true,"event_time":"noon"}]}`, api.CodeInvalidRows, "event_time", "is not a time", nil},
	{"event time in milliseconds", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true,"event_time":1787313600000}]}`, api.CodeInvalidRows, "event_time", "seconds, not milliseconds", nil},
	{"event time too far in the future", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true,"event_time":"2026-08-21T12:05:00.000000001Z"}]}`, api.CodeInvalidRows, "event_time", "max_future", nil},
	{"event time too old", "rides/push", `{"view":"place_stats","rows":[{"city":"Rome","zone":1,"demand":1,"event_time":"2026-08-01T00:00:00Z"}]}`, api.CodeInvalidRows, "event_time", "max_lateness", nil},
	{"null counter", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"trips":null}]}`, api.CodeInvalidRows, "trips", "never null", nil},
	{"null maximum", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"best":null}]}`, api.CodeInvalidRows, "best", "never null", nil},
	{"NaN maximum", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"best":"NaN"}]}`, api.CodeInvalidRows, "best", "NaN", nil},
	{"bare NaN", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"best":NaN}]}`, api.CodeInvalidJSON, "rows[0]", "expected a value", nil},
	{"set as an object of other keys", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"tags":{"put":["a"]}}]}`, api.CodeInvalidRows, "tags", `not "put"`, nil},
	{"mistyped entity in a lookup", "rides/lookup", `{"service":"driver_v1","entities":{"driver_id":["x"]}}`, api.CodeInvalidValue, "entities.driver_id[0]", "whole number", nil},

	{"ragged columns", "rides/push", `{"view":"driver_stats","columns":{"driver_id":[1,2],"conv_rate":[1]}}`, api.CodeInvalidRows, "conv_rate", "1 value, the others have 2", nil},
	{"ragged entities of a delete", "rides/delete", `{"view":"place_stats","entities":{"city":["a","b"],"zone":[1]}}`, api.CodeInvalidRows, "zone", "all columns have one length", nil},
	{"ragged entities of a lookup", "rides/lookup", `{"features":["place_stats:demand"],"entities":{"city":["a","b"],"zone":[1]}}`, api.CodeInvalidRequest, "entities.zone", "one length", nil},
	{"neither rows nor columns", "rides/push", `{"view":"driver_stats"}`, api.CodeInvalidRequest, "rows", "either rows or columns", nil},
	{"row that is no object", "rides/push", `{"view":"driver_stats","rows":[1]}`, api.CodeInvalidRequest, "rows[0]", "want an object", nil},
	{"nested junk", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"profile":` + strings.Repeat(`[`, 200) + strings.Repeat(`]`, 200) + `}]}`, api.CodeInvalidJSON, "rows[0]", "nested", nil},
	{"nested junk in a lookup", "rides/lookup", `{"service":"driver_v1","entities":{"driver_id":[` + strings.Repeat(`[`, 200) + strings.Repeat(`]`, 200) + `]}}`, api.CodeInvalidJSON, "entities.driver_id", "nest", nil},
	{"duplicate key", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true,"vip":false}]}`, api.CodeDuplicateKey, "rows[0].vip", "stands twice", nil},
	{"duplicate key at the top", "rides/push", `{"view":"driver_stats","view":"place_stats","rows":[]}`, api.CodeDuplicateKey, "view", "stands twice", nil},
	{"duplicate key in a lookup", "rides/lookup", `{"service":"driver_v1","service":"driver_v1","entities":{"driver_id":[1]}}`, api.CodeDuplicateKey, "service", "stands twice", nil},
	{"truncated JSON", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":tr`, api.CodeInvalidJSON, "rows[0]", "at byte", nil},
	{"trailing data", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true}]}{}`, api.CodeInvalidJSON, "", "at byte 59", nil},
	{"no body", "rides/push", ``, api.CodeInvalidJSON, "", "text ends here", nil},
	{"invalid UTF-8", "rides/push", "{\"view\":\"driver_stats\",\"rows\":[{\"driver_id\":1,\"name\":\"\xff\"}]}", api.CodeInvalidJSON, "", "UTF-8 at byte 54", nil},
	{"half a surrogate pair", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"name":"\ud800"}]}`, api.CodeInvalidJSON, "rows[0]", "surrogate", nil},
	{"invalid UTF-8 in a lookup", "rides/lookup", "{\"service\":\"driver_v1\",\"entities\":{\"driver_id\":[\"\xff\"]}}", api.CodeInvalidJSON, "", "UTF-8", nil},

	{"form body", "rides/push", `{"view":"driver_stats","rows":[]}`, api.CodeUnsupportedMediaType, "Content-Type", "send application/json", []string{"Content-Type", "application/x-www-form-urlencoded"}},
	{"other charset", "rides/push", `{"view":"driver_stats","rows":[]}`, api.CodeUnsupportedMediaType, "Content-Type", "UTF-8", []string{"Content-Type", "application/json; charset=latin1"}},
	{"unknown encoding", "rides/push", `{"view":"driver_stats","rows":[]}`, api.CodeUnsupportedMediaType, "Content-Encoding", "gzip", []string{"Content-Encoding", "br"}},
	{"false gzip", "rides/push", `{"view":"driver_stats","rows":[]}`, api.CodeInvalidRequest, "Content-Encoding", "not gzip", []string{"Content-Encoding", "gzip"}},
	{"bad timeout", "rides/push", `{"view":"driver_stats","rows":[]}`, api.CodeInvalidHeader, api.HeaderTimeout, "not a duration", []string{api.HeaderTimeout, "soon"}},
	{"timeout too long", "rides/push", `{"view":"driver_stats","rows":[]}`, api.CodeInvalidHeader, api.HeaderTimeout, "at most 1m0s", []string{api.HeaderTimeout, "2h"}},
	{"oversized body", "rides/push", `{"view":"driver_stats","rows":[{"driver_id":1,"name":"` + strings.Repeat("x", 8<<20) + `"}]}`, api.CodePayloadTooLarge, "", "larger than 8388608 bytes", nil},
	{"too many rows", "rides/push", `{"view":"driver_stats","rows":[` + strings.Repeat(`{"driver_id":1,"vip":true},`, 10_000) + `{"driver_id":1,"vip":true}]}`, api.CodeTooManyRows, "rows", "10000", nil},
	{"too many entities", "rides/lookup", `{"service":"driver_v1","entities":{"driver_id":[` + strings.Repeat(`1,`, 1000) + `1]}}`, api.CodeTooManyEntities, "entities", "1000", nil},

	{"definitions of another project", "rides/apply", "project: taxis\n", api.CodeInvalidDefinitions, "project", `"taxis"`, []string{"Content-Type", api.MediaYAML}},
	{"definitions with an unknown key", "rides/apply", "project: rides\nentites: []\n", api.CodeInvalidDefinitions, "", "body:2:1", []string{"Content-Type", api.MediaYAML}},
	{"definitions that disagree", "rides/plan", "project: rides\nviews: [{name: v, entity: nobody, features: [{name: a, type: int64}]}]\n", api.CodeInvalidDefinitions, "views[v].entities", "nobody", []string{"Content-Type", api.MediaYAML}},
	{"bad expected revision", "rides/apply?expect=first", "project: rides\n", api.CodeInvalidRequest, "expect", "whole number", []string{"Content-Type", api.MediaYAML}},
	{"conflicting apply", "rides/apply?expect=7", "project: rides\n", api.CodeConflict, "", "revision 1", []string{"Content-Type", api.MediaYAML}},
}

// TestBadInputIsRefusedAndStoresNothing is invariant E1, and the list of what
// a store meets in the wild.
func TestBadInputIsRefusedAndStoresNothing(t *testing.T) {
	h := newHouse(t)
	for _, r := range refusals {
		t.Run(r.claim, func(t *testing.T) {
			h := &house{TB: t, store: h.store, server: h.server}
			p := h.problem(h.do(http.MethodPost, "/v1/projects/"+r.path, r.body, r.head...))
			field, text := p.Field, p.Detail
			if p.Code == api.CodeInvalidRows && len(p.Rows) > 0 {
				field, text = p.Rows[0].Field, p.Rows[0].Message
			}
			if len(p.Problems) > 0 {
				text += "\n" + strings.Join(p.Problems, "\n")
			}
			if p.Code != r.code || field != r.field || !strings.Contains(text, r.want) {
				t.Errorf("got %s at %q: %s\nwant %s at %q with %q", p.Code, field, text, r.code, r.field, r.want)
			}
		})
	}
	if entries, rows := h.stored(); entries+rows != 0 {
		t.Errorf("%d log entries and %d rows were stored", entries, rows)
	}
	c, _ := h.store.Registry().Catalog("rides")
	if c.Revision() != 1 {
		t.Errorf("the project is at revision %d, want 1", c.Revision())
	}
}

// TestGoodRowsOfABadPushAreNotStored: nothing is half applied.
func TestGoodRowsOfABadPushAreNotStored(t *testing.T) {
	h := newHouse(t)
	var rows []string
	for i := range 250 {
		row := fmt.Sprintf(`{"driver_id":%d,"vip":true}`, i)
		if i%2 == 1 {
			row = fmt.Sprintf(`{"driver_id":%d,"vip":1}`, i)
		}
		rows = append(rows, row)
	}
	p := h.problem(h.post("push", `{"view":"driver_stats","rows":[`+strings.Join(rows, ",")+`]}`))
	if p.BadRows != 125 || len(p.Rows) != api.MaxRowProblems || p.Rows[0].Row != 1 || p.Rows[99].Row != 199 {
		t.Errorf("got %d rows at fault, %d named, the first %+v", p.BadRows, len(p.Rows), p.Rows[0])
	}
	if entries, stored := h.stored(); entries+stored != 0 {
		t.Errorf("%d log entries and %d rows were stored", entries, stored)
	}
}

// TestRefusalOfTheStoreNamesTheRow: what only the join can tell names its row
// too.
func TestRefusalOfTheStoreNamesTheRow(t *testing.T) {
	h := newHouse(t)
	answer[api.PushResponse](h, h.post("push", `{"view":"driver_stats","rows":[{"driver_id":1,"trips":9223372036854775807}]}`))
	p := h.problem(h.post("push", `{"view":"driver_stats","rows":[{"driver_id":2,"trips":1},{"driver_id":1,"trips":1}]}`))
	if p.Code != api.CodeInvalidRows || len(p.Rows) != 1 || p.Rows[0].Row != 1 || p.Rows[0].Code != api.CodeCounterOverflow {
		t.Errorf("got %+v", p)
	}
	if entries, rows := h.stored(); entries != 1 || rows != 1 {
		t.Errorf("%d entries and %d rows, want those of the first push", entries, rows)
	}
}

func TestGzipBodies(t *testing.T) {
	h := newHouse(t)
	zip := func(body string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	good := `{"view":"driver_stats","rows":[{"driver_id":1,"vip":true}]}`
	answer[api.PushResponse](h, h.post("push", zip(good), "Content-Encoding", "gzip"))
	bomb := zip(`{"view":"` + strings.Repeat("x", 64<<20))
	if len(bomb) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	if p := h.problem(h.post("push", bomb, "Content-Encoding", "gzip")); p.Code != api.CodePayloadTooLarge {
		t.Errorf("bomb: got %+v", p)
	}
	torn := zip(good)
	if p := h.problem(h.post("push", torn[:len(torn)-4], "Content-Encoding", "gzip")); p.Code != api.CodeInvalidRequest {
		t.Errorf("torn: got %+v", p)
	}
	damaged := []byte(torn)
	damaged[len(damaged)-6] ^= 0xff // of the checksum
	if p := h.problem(h.post("push", string(damaged), "Content-Encoding", "gzip")); p.Code != api.CodeInvalidRequest || !strings.Contains(p.Detail, "damaged") {
		t.Errorf("damaged: got %+v", p)
	}
	if held := h.server.held.Load(); held != 0 {
		t.Errorf("%d bytes of bodies are still counted", held)
	}
}

// TestManyWrongNamesAreRefusedCheaply: the first hundred faults are named with
// suggestions, the rest are only counted. A suggestion for each would take
// this test minutes.
func TestManyWrongNamesAreRefusedCheaply(t *testing.T) {
	h := newHouse(t)
	var body strings.Builder
	body.WriteString(`{"view":"driver_stats","rows":[{"driver_id":1`)
	for i := range 300_000 {
		fmt.Fprintf(&body, `,"conv_rate_%d":1`, i)
	}
	body.WriteString(`}]}`)
	p := h.problem(h.post("push", body.String()))
	if p.Code != api.CodeInvalidRows || len(p.Rows) != api.MaxRowProblems || p.BadRows != 1 || !strings.Contains(p.Detail, "first 100 faults") {
		t.Errorf("got %s: %d named, %d bad: %s", string(p.Code), len(p.Rows), p.BadRows, p.Detail)
	}
}
