package pit_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/offline/pit"
)

// records reads JSON lines as one record.
func records(schema *arrow.Schema, lines ...string) arrow.Record {
	r, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader("["+strings.Join(lines, ",")+"]"))
	if err != nil {
		log.Fatal(err)
	}
	return r
}

// Five trips, each with what was known of the driver when it began, and of the
// places where it began and ended: one table, joined twice.
func ExampleJoin() {
	when := &arrow.TimestampType{Unit: arrow.Second, TimeZone: "UTC"}
	drivers, err := pit.NewMemoryTable(pit.Columns{Keys: []string{"driver"}, EventTime: "event_time", Deleted: "deleted"}, pit.MemoryPart{Name: "drivers", Rows: records(
		arrow.NewSchema([]arrow.Field{{Name: "driver", Type: arrow.PrimitiveTypes.Int32}, {Name: "event_time", Type: when}, {Name: "trips", Type: arrow.PrimitiveTypes.Int64}, {Name: "deleted", Type: arrow.FixedWidthTypes.Boolean}}, nil),
		`{"driver": 1, "event_time": "2026-03-01T10:00:00Z", "trips": 10, "deleted": false}`,
		`{"driver": 1, "event_time": "2026-03-01T12:00:00Z", "trips": 12, "deleted": false}`,
		`{"driver": 2, "event_time": "2026-03-01T09:00:00Z", "trips": 70, "deleted": false}`,
		`{"driver": 2, "event_time": "2026-03-01T11:00:00Z", "trips": null, "deleted": true}`)})
	if err != nil {
		log.Fatal(err)
	}
	places, err := pit.NewMemoryTable(pit.Columns{Keys: []string{"place"}, EventTime: "event_time"}, pit.MemoryPart{Name: "places", Rows: records(
		arrow.NewSchema([]arrow.Field{{Name: "place", Type: arrow.BinaryTypes.String}, {Name: "event_time", Type: when}, {Name: "demand", Type: arrow.PrimitiveTypes.Float64}}, nil),
		`{"place": "harbour", "event_time": "2026-03-01T08:00:00Z", "demand": 0.5}`,
		`{"place": "airport", "event_time": "2026-03-01T11:30:00Z", "demand": 2.5}`)})
	if err != nil {
		log.Fatal(err)
	}
	trips := records(
		arrow.NewSchema([]arrow.Field{{Name: "driver", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "began", Type: when}, {Name: "from", Type: arrow.BinaryTypes.String}, {Name: "to", Type: arrow.BinaryTypes.String}}, nil),
		`{"driver": 1, "began": "2026-03-01T11:59:59Z", "from": "harbour", "to": "airport"}`,
		`{"driver": 1, "began": "2026-03-01T12:00:00Z", "from": "airport", "to": "harbour"}`,
		`{"driver": 1, "began": "2026-03-01T18:00:01Z", "from": "harbour", "to": "harbour"}`,
		`{"driver": 2, "began": "2026-03-01T11:00:00Z", "from": "airport", "to": "airport"}`,
		`{"driver": null, "began": "2026-03-01T09:00:00Z", "from": "harbour", "to": "moon"}`)
	in, err := array.NewRecordReader(trips.Schema(), []arrow.Record{trips})
	if err != nil {
		log.Fatal(err)
	}
	_, err = pit.Join(context.Background(), pit.Config{}, in, pit.Request{
		EventTime: "began",
		Views: []pit.View{
			{Name: "driver", Table: drivers, Keys: []string{"driver"}, TTL: 6 * time.Hour},
			{Name: "origin", Table: places, Keys: []string{"from"}},
			{Name: "destination", Table: places, Keys: []string{"to"}},
		},
		Features: []pit.Feature{
			{View: "driver", Name: "trips"},
			{View: "origin", Name: "demand", As: "demand_from"},
			{View: "destination", Name: "demand", As: "demand_to"},
		},
	}, func(r arrow.Record) error {
		for i := range int(r.NumRows()) {
			value := func(c int) string { return r.Column(c).ValueStr(i) }
			fmt.Println(value(0), value(1)[11:19], "trips", value(4), "from", value(5), "to", value(6))
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 11:59:59 trips 10 from 0.5 to 2.5
	// 1 12:00:00 trips 12 from 2.5 to 0.5
	// 1 18:00:01 trips (null) from 0.5 to 0.5
	// 2 11:00:00 trips (null) from (null) to (null)
	// (null) 09:00:00 trips (null) from 0.5 to (null)
}
