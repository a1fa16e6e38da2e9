package flight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"featurestore/api"
)

// command is a request as a descriptor.
func command(t testing.TB, r api.ExportRequest) *flight.FlightDescriptor {
	t.Helper()
	return full(t, api.FlightRequest{ExportRequest: r})
}

func full(t testing.TB, r api.FlightRequest) *flight.FlightDescriptor {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: text}
}

// table is what came: rows as text, and the manifest.
type table struct {
	schema   *arrow.Schema
	rows     []string
	messages int
	manifest *api.ExportManifest // nil where the stream brought none
}

func (t *table) add(rec arrow.Record) {
	for i := range int(rec.NumRows()) {
		var row []string
		for c := range int(rec.NumCols()) {
			row = append(row, rec.Column(c).ValueStr(i))
		}
		t.rows = append(t.rows, strings.Join(row, "|"))
	}
}

// get reads the stream of a ticket, with the client as it is.
func get(ctx context.Context, c flight.Client, ticket *flight.Ticket) (*table, error) {
	stream, err := c.DoGet(ctx, ticket)
	if err != nil {
		return nil, err
	}
	return readAll(stream)
}

func readAll(stream flight.DataStreamReader) (*table, error) {
	r, err := flight.NewRecordReader(stream)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	out := &table{schema: r.Schema()}
	for r.Next() {
		out.messages++
		out.add(r.Record())
		if last := r.LatestAppMetadata(); len(last) > 0 {
			if r.Record().NumRows() > 0 || out.manifest != nil {
				return out, errors.New("a manifest came before the last message")
			}
			if err := json.Unmarshal(last, &out.manifest); err != nil {
				return out, err
			}
		}
	}
	return out, r.Err()
}

// entityRows are drivers at times, with what a computed feature takes.
func entityRecords(rows int) (*arrow.Schema, arrow.Record) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "event_timestamp", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		{Name: "demand", Type: arrow.PrimitiveTypes.Float64}, {Name: "label", Type: arrow.BinaryTypes.String},
	}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i % 120))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(noon.Add(-time.Duration(i*7919%259200) * time.Second).UnixMilli()))
		b.Field(2).(*array.Float64Builder).Append(float64(1 + i%7))
		b.Field(3).(*array.StringBuilder).Append(fmt.Sprint("label ", i))
	}
	return schema, b.NewRecord()
}

// exchange sends entity rows in so many records, and reads the training set.
func exchange(ctx context.Context, c flight.Client, d *flight.FlightDescriptor, rec arrow.Record, records int, options ...ipc.Option) (*table, error) {
	stream, err := c.DoExchange(ctx)
	if err != nil {
		return nil, err
	}
	w := flight.NewRecordWriter(stream, append([]ipc.Option{ipc.WithSchema(rec.Schema())}, options...)...)
	w.SetFlightDescriptor(d)
	each := (rec.NumRows() + int64(records) - 1) / int64(max(1, records))
	for from := int64(0); from < rec.NumRows() || from == 0; from += max(1, each) {
		part := rec.NewSlice(from, min(from+each, rec.NumRows()))
		err := w.Write(part)
		part.Release()
		if err != nil {
			break // the answer says why
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	return readAll(stream)
}

// wantStatus fails unless an error has a code and its message a text.
func wantStatus(t testing.TB, what string, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got %v, want %v with %q", what, err, code, text)
	}
}
