package flight

import (
	"io"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"featurestore/api"
)

func schemaOf(rec arrow.Record) ipc.Option { return ipc.WithSchema(rec.Schema()) }

// record makes one of columns.
func record(t testing.TB, names []string, columns ...arrow.Array) arrow.Record {
	t.Helper()
	var fields []arrow.Field
	for i, c := range columns {
		fields = append(fields, arrow.Field{Name: names[i], Type: c.DataType(), Nullable: true})
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), columns, int64(columns[0].Len()))
}

// FL7: entity rows that do not fit are told why, and the server goes on.
func TestEntityRowsThatDoNotFit(t *testing.T) {
	h := open(t)
	h.write(500)
	client := h.serve()
	_, good := entityRecords(2000)
	d := command(t, api.ExportRequest{Features: []string{"driver_stats:rate", "ratio:of"}})
	keys, times, demand := good.Column(0), good.Column(1), good.Column(2)
	text := func(values ...string) arrow.Array {
		b := array.NewStringBuilder(memory.NewGoAllocator())
		defer b.Release()
		b.AppendValues(values, nil)
		return b.NewArray()
	}
	bad := array.NewData(arrow.BinaryTypes.String, 2, []*memory.Buffer{nil,
		memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, 900, 3})), memory.NewBufferBytes([]byte("abc"))}, nil, 0, 0)
	two := good.NewSlice(0, 2)
	for _, tc := range []struct {
		claim string
		rec   arrow.Record
		with  []ipc.Option
		text  string
	}{
		{"no key", record(t, []string{"event_timestamp", "demand"}, times, demand), nil, "driver_id"},
		{"no times", record(t, []string{"driver_id", "demand"}, keys, demand), nil, "event_timestamp"},
		{"times of text", record(t, []string{"driver_id", "event_timestamp", "demand"}, two.Column(0), text("a", "b"), two.Column(2)), nil, "event_timestamp"},
		{"no request value", record(t, []string{"driver_id", "event_timestamp"}, keys, times), nil, "demand"},
		{"keys of text", record(t, []string{"driver_id", "event_timestamp", "demand"}, text("a", "b"), two.Column(1), two.Column(2)), nil, "driver_id"},
		{"a compressed batch", good, []ipc.Option{ipc.WithZstd()}, "compressed"},
		{"offsets that lead nowhere", record(t, []string{"driver_id", "event_timestamp", "demand", "label"}, two.Column(0), two.Column(1), two.Column(2), array.MakeFromData(bad)), nil, "label"},
	} {
		t.Run(tc.claim, func(t *testing.T) {
			_, err := exchange(t.Context(), client, d, tc.rec, 1, tc.with...)
			wantStatus(t, tc.claim, err, codes.InvalidArgument, tc.text)
		})
	}
	if got, err := exchange(t.Context(), client, d, good, 2); err != nil || len(got.rows) != 2000 {
		t.Errorf("rows that fit: %v", err)
	}
	// Not a word, a request for rows, no entity rows at all.
	silent, err := client.DoExchange(t.Context())
	if err == nil {
		err = silent.CloseSend()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = silent.Recv()
	wantStatus(t, "silence", err, codes.InvalidArgument, "descriptor")
	_, err = exchange(t.Context(), client, command(t, api.ExportRequest{Rows: "driver_stats"}), good, 1)
	wantStatus(t, "rows of a view", err, codes.InvalidArgument, "DoGet")
	alone, err := client.DoExchange(t.Context())
	if err == nil {
		err = alone.Send(&flight.FlightData{FlightDescriptor: d})
	}
	if err == nil {
		err = alone.CloseSend()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = alone.Recv()
	wantStatus(t, "no columns", err, codes.InvalidArgument, "entity rows")
}

// FL7: bytes that were spoiled anywhere are an error or other rows, never the end of the
// server.
func TestSpoiledEntityRowsDoNoHarm(t *testing.T) {
	h := open(t)
	h.write(500)
	client := h.serve()
	_, rec := entityRecords(300)
	d := command(t, api.ExportRequest{Features: []string{"driver_stats:rate", "driver_stats:note"}})
	var messages recorder
	w := flight.NewRecordWriter(&messages, schemaOf(rec))
	w.SetFlightDescriptor(d)
	for from := int64(0); from < 300; from += 100 {
		if err := w.Write(rec.NewSlice(from, from+100)); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(11, 1))
	refused := 0
	for range 400 {
		at := random.IntN(len(messages))
		stream, err := client.DoExchange(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range messages {
			header, body := append([]byte(nil), m.DataHeader...), append([]byte(nil), m.DataBody...)
			if i == at {
				for range 1 + random.IntN(3) {
					if b := header; len(body) == 0 || random.IntN(2) == 0 {
						b[random.IntN(len(b))] = byte(random.IntN(256))
					} else {
						body[random.IntN(len(body))] = byte(random.IntN(256))
					}
				}
				if random.IntN(8) == 0 && len(body) > 0 {
					body = body[:random.IntN(len(body))]
				}
			}
			if stream.Send(&flight.FlightData{FlightDescriptor: m.FlightDescriptor, DataHeader: header, DataBody: body}) != nil {
				break
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = stream.Recv() // a zone that was spoiled cannot be printed
		}
		if err != io.EOF {
			refused++
			if c := status.Code(err); c != codes.InvalidArgument && c != codes.ResourceExhausted {
				t.Errorf("spoiled entity rows: %v", err)
			}
		}
	}
	if refused < 20 {
		t.Errorf("%d of 400 were refused", refused)
	}
	if got, err := exchange(t.Context(), client, d, rec, 1); err != nil || len(got.rows) != 300 {
		t.Errorf("sound rows afterwards: %v", err)
	}
}

// recorder keeps messages.
type recorder []*flight.FlightData

func (r *recorder) Send(m *flight.FlightData) error {
	*r = append(*r, &flight.FlightData{FlightDescriptor: m.FlightDescriptor, DataHeader: append([]byte(nil), m.DataHeader...), DataBody: append([]byte(nil), m.DataBody...)})
	return nil
}
