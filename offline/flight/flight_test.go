package flight

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/grpc/codes"

	"featurestore/api"
	"featurestore/offline/export"
	"featurestore/offline/pit"
)

// FL1: all parts together are what the export gives in this process, row for row, and
// each has its manifest.
func TestAStockClientReadsWhatIsExported(t *testing.T) {
	h := open(t)
	h.write(2000)
	earlier := h.exported(h.past().Rows(export.ViewRequest{View: "driver_stats"}, pit.Config{})).manifest.History
	h.write(3000)
	client, p := h.serve(), h.past()
	spill := pit.Config{SpillDir: t.TempDir()}
	for _, tc := range []struct {
		name string
		d    *flight.FlightDescriptor
		want *table
		rows bool // their number is known beforehand
	}{
		{"path", &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: []string{"rides", "driver_stats"}},
			h.exported(p.Rows(export.ViewRequest{View: "driver_stats"}, spill)), true},
		{"rows", command(t, api.ExportRequest{Rows: "driver_stats"}), h.exported(p.Rows(export.ViewRequest{View: "driver_stats"}, spill)), true},
		{"rows since", command(t, api.ExportRequest{Rows: "driver_stats", Since: &earlier}),
			h.exported(p.Rows(export.ViewRequest{View: "driver_stats", Since: &earlier}, spill)), false},
		{"no rows", command(t, api.ExportRequest{Rows: "empty"}), h.exported(p.Rows(export.ViewRequest{View: "empty"}, spill)), true},
		{"snapshot", command(t, api.ExportRequest{Snapshot: "driver_stats"}),
			h.exported(p.Snapshot(export.ViewRequest{View: "driver_stats"}, spill)), false},
		{"changes", command(t, api.ExportRequest{Changes: "driver_stats", Since: &earlier}),
			h.exported(p.Changes(export.ViewRequest{View: "driver_stats", Since: &earlier}, spill)), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			info, err := client.GetFlightInfo(t.Context(), tc.d)
			if err != nil {
				t.Fatal(err)
			}
			schema, err := flight.DeserializeSchema(info.Schema, memory.NewGoAllocator())
			if err != nil || !schema.Equal(tc.want.schema) {
				t.Errorf("schema %v, %v, want %v", schema, err, tc.want.schema)
			}
			if tc.rows && info.TotalRecords != int64(len(tc.want.rows)) || !tc.rows && info.TotalRecords != unknown {
				t.Errorf("%d rows are told, there are %d", info.TotalRecords, len(tc.want.rows))
			}
			var rows []string
			var sum int64
			for _, e := range info.Endpoint {
				got, err := get(t.Context(), client, e.Ticket)
				if err != nil {
					t.Fatal(err)
				}
				if got.manifest == nil || got.manifest.Rows != int64(len(got.rows)) || !got.schema.Equal(tc.want.schema) {
					t.Fatalf("%d rows of %v with manifest %+v", len(got.rows), got.schema, got.manifest)
				}
				if got.manifest.History.Commit != tc.want.manifest.History.Commit || got.manifest.View != tc.want.manifest.View || got.manifest.Kind != tc.want.manifest.Kind {
					t.Errorf("manifest %+v, want that of %+v", got.manifest, tc.want.manifest)
				}
				sum += got.manifest.Rows
				rows = append(rows, got.rows...)
			}
			if !slices.Equal(rows, tc.want.rows) || sum != tc.want.manifest.Rows {
				t.Errorf("%d rows came, and %d are told, which are not the %d exported", len(rows), sum, len(tc.want.rows))
			}
			if tc.name == "rows" && len(info.Endpoint) < 2 {
				t.Errorf("%d endpoints: rows of days can be read in parallel", len(info.Endpoint))
			}
		})
	}
}

// A training set over Flight is the one made here, however the entity rows are cut.
func TestAnExchangeIsATrainingSet(t *testing.T) {
	h := open(t)
	h.write(3000)
	client, p := h.serve(), h.past()
	features := []string{"driver_stats:trips", "driver_stats:rate", "driver_stats:tags", "ratio:of"}
	for _, rows := range []int{0, 1, 5000} {
		schema, rec := entityRecords(rows)
		made, err := p.Training(t.Context(), export.TrainingRequest{Features: features, EventTime: "event_timestamp"})
		if err != nil {
			t.Fatal(err)
		}
		in, err := array.NewRecordReader(schema, nil)
		if rows > 0 {
			in, err = array.NewRecordReader(schema, []arrow.Record{rec})
		}
		want := h.exported(made.Of(pit.Config{SpillDir: t.TempDir()}, in), err)
		for _, records := range []int{1, 3} {
			got, err := exchange(t.Context(), client, command(t, api.ExportRequest{Features: features}), rec, records)
			if err != nil {
				t.Fatal(err)
			}
			if !got.schema.Equal(want.schema) {
				t.Errorf("schema %v, want %v", got.schema, want.schema)
			}
			if !slices.Equal(got.rows, want.rows) {
				t.Errorf("%d entity rows in %d records: got %d rows, want %d, or others", rows, records, len(got.rows), len(want.rows))
			}
			if got.manifest == nil || got.manifest.Rows != int64(rows) || got.manifest.Matched["driver_stats"] != want.manifest.Matched["driver_stats"] {
				t.Errorf("manifest %+v, want %+v", got.manifest, want.manifest)
			}
		}
	}
}

// A training set whose entity rows are in the request, or asked of history, has a ticket
// like any other flight.
func TestATicketMayBringItsEntityRows(t *testing.T) {
	h := open(t)
	h.write(2000)
	client := h.serve()
	at := noon.Add(-time.Hour).Format(time.RFC3339)
	for name, asked := range map[string]api.ExportRequest{
		"in the request": {Service: "driver_v1", EntityRows: &api.EntityRows{Rows: []json.RawMessage{
			json.RawMessage(`{"driver_id": 7, "event_timestamp": "` + at + `", "label": "a"}`), json.RawMessage(`{"driver_id": 1000, "event_timestamp": "` + at + `"}`),
		}}},
		"of history": {Service: "driver_v1", KeysOf: &api.ExportKeysOf{View: "driver_stats", At: []string{at}}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := h.past().Ask(t.Context(), "rides", &asked, nil, pit.Config{SpillDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer closeExport(e)
			want := h.exported(e, err)
			info, err := client.GetFlightInfo(t.Context(), command(t, asked))
			if err != nil || len(info.Endpoint) != 1 {
				t.Fatalf("%+v, %v: want one endpoint", info, err)
			}
			schema, err := flight.DeserializeSchema(info.Schema, memory.NewGoAllocator())
			if err != nil || !schema.Equal(want.schema) {
				t.Errorf("schema %v, %v, want %v", schema, err, want.schema)
			}
			h.write(100) // it is of the commit it was given for
			got, err := get(t.Context(), client, info.Endpoint[0].Ticket)
			if err != nil || !slices.Equal(got.rows, want.rows) || len(got.rows) < 2 || got.manifest.Rows != int64(len(got.rows)) {
				t.Errorf("got %d rows, %v, want %d", len(got.rows), err, len(want.rows))
			}
			_, rec := entityRecords(2)
			_, err = exchange(t.Context(), client, command(t, asked), rec, 1)
			wantStatus(t, "entity rows twice", err, codes.InvalidArgument, "two ways")
		})
	}
}
