package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"featurestore/api"
)

// BenchmarkFeastLookup is a lookup in Feast's dialect beside the same one in
// the native dialect.
func BenchmarkFeastLookup(b *testing.B) {
	c := newFeast(b)
	for _, keys := range []int{1, 100} {
		list := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(make([]int, keys))), ","), "[]")
		for i := range keys {
			list = strings.Replace(list, "0", fmt.Sprint(i+1), 1)
		}
		c.ok("/push", `{"push_source_name": "driver_push", "df": {"driver_id": [`+list+`], "conv_rate": 0.5, "avg_daily_trips": 7, "event_timestamp": "2026-08-21T10:00:00"}}`)
		for _, x := range []struct{ dialect, path, service string }{
			{"feast", "/get-online-features", "feature_service"},
			{"native", "/v1/projects/drivers/lookup", "service"},
		} {
			body := fmt.Sprintf(`{%q: "driver_v1", "entities": {"driver_id": [%s]}}`, x.service, list)
			if w := c.do(http.MethodPost, x.path, body); w.Code != http.StatusOK {
				b.Fatalf("got status %d: %s", w.Code, w.Body)
			}
			b.Run(fmt.Sprintf("keys=%d/dialect=%s", keys, x.dialect), func(b *testing.B) {
				b.ReportAllocs()
				w := discard{header: http.Header{}}
				for b.Loop() {
					r := httptest.NewRequest(http.MethodPost, x.path, strings.NewReader(body))
					r.Header.Set("Content-Type", api.MediaJSON)
					c.server.Handler().ServeHTTP(w, r)
				}
			})
		}
	}
}
