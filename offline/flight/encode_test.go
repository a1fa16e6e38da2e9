package flight

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/protobuf/proto"
)

// FL4, and the codec: what is sent is FlightData, and its bodies are those of the
// library's own writer.
func TestMessagesAreFlightData(t *testing.T) {
	wide := func(rows, text int) arrow.Record {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), arrow.NewSchema([]arrow.Field{
			{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
			{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32), Nullable: true},
		}, nil))
		defer b.Release()
		for i := range rows {
			if i%5 == 0 {
				b.Field(0).AppendNull()
				b.Field(1).AppendNull()
				b.Field(2).AppendNull()
				continue
			}
			b.Field(0).(*array.Int64Builder).Append(int64(i))
			b.Field(1).(*array.StringBuilder).Append(strings.Repeat("x", i*text/rows))
			b.Field(2).(*array.ListBuilder).Append(true)
			b.Field(2).(*array.ListBuilder).ValueBuilder().(*array.Float32Builder).AppendValues(make([]float32, i%9), nil)
		}
		return b.NewRecord()
	}
	for _, rec := range []arrow.Record{wide(1, 10), wide(7, 0), wide(40_000, 300), wide(9, 5<<20)} {
		var stream queue
		c := newCodec()
		out := newEncoder(rec.Schema(), []byte("first"), func(m *message) error {
			encoded, err := c.Marshal(m)
			if err != nil {
				return err
			}
			var data flight.FlightData
			if err := proto.Unmarshal(encoded.Materialize(), &data); err != nil {
				return err
			}
			stream = append(stream, &data)
			return nil
		})
		if err := errors.Join(out.record(rec), out.end([]byte(`{"rows": 1}`))); err != nil {
			t.Fatal(err)
		}
		if string(stream[0].AppMetadata) != "first" || len(stream[0].DataBody) != 0 {
			t.Errorf("the first message: %v", stream[0])
		}
		for i, m := range stream {
			// Of the last record no row but the first is small: each has a message of its own.
			if rec.NumRows() != 9 && len(m.DataBody) > messageBytes+messageBytes/8 {
				t.Errorf("message %d of %d rows has %d bytes", i, rec.NumRows(), len(m.DataBody))
			}
		}
		if n := len(stream); rec.NumRows() == 9 && n < 9 {
			t.Errorf("%d messages of 9 rows, of which 8 are too large for two", n)
		}
		want := &table{}
		want.add(rec)
		got, err := readAll(&stream)
		if err != nil || strings.Join(got.rows, "\n") != strings.Join(want.rows, "\n") || got.manifest == nil || got.manifest.Rows != 1 {
			t.Errorf("%d rows came back as %d, %v", len(want.rows), len(got.rows), err)
		}
	}
}

// queue is a stream of messages that are there.
type queue []*flight.FlightData

func (q *queue) Recv() (*flight.FlightData, error) {
	if len(*q) == 0 {
		return nil, io.EOF
	}
	m := (*q)[0]
	*q = (*q)[1:]
	return m, nil
}
