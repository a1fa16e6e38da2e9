package server

import (
	"fmt"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature"
)

// BenchmarkConvert reads and converts a push of a thousand rows of five
// features, in both forms, from the bytes of the body to the changes.
func BenchmarkConvert(b *testing.B) {
	h := newHouse(b)
	c, _ := h.store.Registry().Catalog("rides")
	view, _ := c.View("driver_stats")
	const n = 1000
	var rows, ids, rates, names []string
	for i := range n {
		rows = append(rows, fmt.Sprintf(`{"driver_id":%d,"conv_rate":0.%d,"trips":1,"name":"driver %d","level":7,"total":%d,"event_time":"2026-08-21T10:59:42Z"}`, i, i, i, i))
		ids = append(ids, fmt.Sprint(i))
		rates = append(rates, fmt.Sprintf("0.%d", i))
		names = append(names, fmt.Sprintf(`"driver %d"`, i))
	}
	bodies := map[string]string{
		"rows": `{"view":"driver_stats","rows":[` + strings.Join(rows, ",") + `]}`,
		"columns": `{"view":"driver_stats","columns":{"driver_id":[` + strings.Join(ids, ",") + `],"conv_rate":[` + strings.Join(rates, ",") +
			`],"trips":[` + strings.Join(ids, ",") + `],"name":[` + strings.Join(names, ",") + `],"level":[` + strings.Join(ids, ",") + `],"total":[` + strings.Join(ids, ",") + `]}}`,
	}
	for _, form := range []string{"rows", "columns"} {
		b.Run("form="+form, func(b *testing.B) {
			body := []byte(bodies[form])
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				push, err := api.ScanPush(body, n)
				if err != nil {
					b.Fatal(err)
				}
				var src rowSource = pushRows{push}
				if push.Columns != nil {
					if src, err = newColumns(push.Columns); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := convert([]*feature.ResolvedView{view}, rowRules{eventTime: "event_time", now: noon.UnixNano(), most: 1 << 20}, src); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}
