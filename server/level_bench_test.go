package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"featurestore/api"
)

// BenchmarkLevel is a lookup with a token that is covered, at session, beside
// the same one at eventual, which does not look at it; of a store that is alone,
// and of one with a peer.
func BenchmarkLevel(b *testing.B) {
	for _, stores := range []int{1, 2} {
		var h *house
		if stores == 1 {
			h = newHouse(b)
		} else {
			h = newPair(b).eu
		}
		token := answer[api.PushResponse](h, h.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "conv_rate": 0.5, "trips": 1}]}`)).Session
		const body = `{"service": "driver_v1", "entities": {"driver_id": [7]}}`
		for _, level := range []string{"eventual", "session"} {
			b.Run(fmt.Sprintf("stores=%d/level=%s", stores, level), func(b *testing.B) {
				b.ReportAllocs()
				w := discard{header: http.Header{}}
				for b.Loop() {
					r := httptest.NewRequest(http.MethodPost, "/v1/projects/rides/lookup", strings.NewReader(body))
					r.Header["Content-Type"] = headerJSON
					r.Header[api.HeaderSession] = []string{token}
					r.Header[api.HeaderConsistency] = []string{level}
					h.server.Handler().ServeHTTP(w, r)
				}
			})
		}
	}
}
