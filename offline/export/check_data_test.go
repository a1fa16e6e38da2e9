package export

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// listStream is a stream of one entity row with a list beside, whose elements add makes.
func listStream(t testing.TB, options []ipc.Option, elem arrow.DataType, add func(array.Builder)) []byte {
	t.Helper()
	b := array.NewRecordBuilder(memory.NewGoAllocator(), arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "event_timestamp", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
		{Name: "x", Type: arrow.ListOf(elem), Nullable: true},
	}, nil))
	defer b.Release()
	b.Field(0).(*array.Int64Builder).Append(1)
	b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(noon.UnixMicro()))
	list := b.Field(2).(*array.ListBuilder)
	list.Append(true)
	add(list.ValueBuilder())
	return streamOf(t, options, b.NewRecord())
}

// readWhole reads a stream within limits that are wide for what the tests send.
func readWhole(t testing.TB, stream []byte) error {
	s, err := NewEntityStream(t.Context(), bytes.NewReader(stream), StreamLimits{Bytes: 64 << 20, Rows: 100, RecordBytes: 64 << 20})
	if err != nil {
		return err
	}
	defer s.Close()
	for s.Next() {
	}
	return s.Err()
}

// A few bytes cannot claim a list of any length: writing it would end the process.
func TestListsHaveWhatTheyClaim(t *testing.T) {
	const sent = 7919
	times := func(one func(array.Builder)) func(array.Builder) {
		return func(b array.Builder) {
			for range sent {
				one(b)
			}
		}
	}
	null := times(func(b array.Builder) { b.AppendNull() })
	for what, tt := range map[string]struct {
		elem    arrow.DataType
		add     func(array.Builder)
		claimed uint64
		says    string
	}{
		"nulls":                       {arrow.Null, null, 1<<31 - 1, "nulls within lists"},
		"structs of nothing":          {arrow.StructOf(), times(func(b array.Builder) { b.(*array.StructBuilder).Append(true) }), 1<<31 - 1, "a struct without fields"},
		"structs of nulls":            {arrow.StructOf(arrow.Field{Name: "n", Type: arrow.Null, Nullable: true}), null, 1<<31 - 1, "nulls within lists"},
		"bytes of no width":           {&arrow.FixedSizeBinaryType{}, null, 1<<31 - 1, "its type is fixed_size_binary"},
		"bytes whose bits overflow":   {&arrow.FixedSizeBinaryType{ByteWidth: 16}, null, 1 << 60, "elements in one record"},
		"numbers whose bits overflow": {arrow.PrimitiveTypes.Int16, null, 1 << 60, "after row 0"},
		"too few numbers":             {arrow.PrimitiveTypes.Int16, null, maxElements, "after row 0"},
	} {
		data := listStream(t, nil, tt.elem, tt.add)
		// The first length of as many is that of the elements; their number is the last
		// offset of the list.
		data = bytes.Replace(data, binary.LittleEndian.AppendUint64(nil, sent), binary.LittleEndian.AppendUint64(nil, tt.claimed), 1)
		offsets := bytes.LastIndex(data, binary.LittleEndian.AppendUint64(nil, sent<<32))
		if offsets < 0 {
			t.Fatalf("%s: there are no offsets", what)
		}
		binary.LittleEndian.PutUint32(data[offsets+4:], uint32(min(tt.claimed, 1<<30)))
		if err := readWhole(t, data); !errors.Is(err, ErrStream) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", what, err, tt.says)
		}
	}
}

// The bits of a column overflow likewise without a list around it.
func TestFixedWidthDoesNotOverflow(t *testing.T) {
	for _, elem := range []arrow.DataType{&arrow.FixedSizeBinaryType{ByteWidth: 16}, arrow.PrimitiveTypes.Int16} {
		d := array.NewData(elem, 1<<60, []*memory.Buffer{nil, memory.NewBufferBytes(make([]byte, 64))}, nil, 0, 0)
		if err := checkData(d); err == nil || !strings.Contains(err.Error(), "64 bytes are not") {
			t.Errorf("%s: got %v", elem, err)
		}
	}
}

// The elements of lists are bounded by number, for a bit of a stream can be one.
func TestListsAreBounded(t *testing.T) {
	bools := func(n int) []byte {
		return listStream(t, []ipc.Option{ipc.WithLZ4()}, arrow.FixedWidthTypes.Boolean, func(b array.Builder) {
			b.(*array.BooleanBuilder).AppendValues(make([]bool, n), nil)
		})
	}
	if err := readWhole(t, bools(maxElements)); err != nil {
		t.Errorf("as many as are taken: %v", err)
	}
	if err := readWhole(t, bools(maxElements+1)); !errors.Is(err, ErrStream) || !strings.Contains(err.Error(), "at most 16777216 are taken") {
		t.Errorf("one more: got %v", err)
	}
}
