package server

import (
	"net/http"
	"testing"
)

// fuzzFeast sends whatever comes to one path: the answer is 2xx, or JSON as
// Feast's clients read it that blames the request and has stored nothing.
func fuzzFeast(f *testing.F, path string) {
	for _, r := range feastRefusals {
		if r.path == path {
			f.Add([]byte(r.body))
		}
	}
	shared := newFeast(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c := feastClient{house: &house{TB: t, store: shared.store, server: shared.server}}
		before := c.progress()
		w, err := c.send(path, string(body))
		switch {
		case err == nil:
			return
		case w.Code >= http.StatusInternalServerError:
			t.Fatalf("the store blames itself: %s", w.Body)
		}
		if after := c.progress(); after != before {
			t.Fatalf("a refused request moved the log from %s to %s: %s", before, after, w.Body)
		}
	})
}

func FuzzFeastPush(f *testing.F) {
	f.Add([]byte(`{"push_source_name": "driver_push", "df": {"driver_id": [1, "2", 3.0], "conv_rate": [0.5, null, "NaN"], "trips": 1, "x": [[], {}, true], "event_timestamp": ["2026-08-21 10:00:00", 1787309985, "2026-08-21T10:00:00.5+01:00"]}, "to": "offline", "allow_registry_cache": true}`))
	f.Add([]byte(`{"push_source_name": "batch_push", "df": {"id": [1], "hours worked": [7.5], "ts": [0]}}`))
	fuzzFeast(f, "/push")
}

func FuzzFeastWrite(f *testing.F) {
	f.Add([]byte(`{"feature_view_name": "driver_profile", "df": {"driver_id": [1], "prefs": ["{\"a\": [\"\\u00e9\"]}"], "tags": [["a"]], "taste": [[1, 2]], "photo": ["/wA="], "fare": ["1.5"], "created": [null], "event_timestamp": ["2026-08-21T10:00:00"]}}`))
	fuzzFeast(f, "/write-to-online-store")
}

func FuzzFeastLookup(f *testing.F) {
	f.Add([]byte(`{"entities": {"driver_id": {"val": [1]}, "factor": [1.5]}, "features": {"val": ["surge:score", "driver_profile:prefs"]}, "request_context": {"x": [null]}, "full_feature_names": true}`))
	f.Add([]byte(`{"entities": {"city": ["a"], "zone": ["1"], "customer": ["b"]}, "features": ["place_stats:demand", "customer_stats:spend"]}`))
	f.Add([]byte(`{"feature_service": "driver_v1", "entities": {"driver": []}}`))
	fuzzFeast(f, "/get-online-features")
}
