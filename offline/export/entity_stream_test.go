package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/api"
)

// entityRecord are drivers at noon, with columns of many kinds beside.
func entityRecord(ids ...int64) arrow.Record {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "event_timestamp", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
		{Name: "label", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "taste", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32)},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String)},
		{Name: "point", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.FixedWidthTypes.Boolean})},
	}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer b.Release()
	for i, id := range ids {
		if b.Field(0).(*array.Int64Builder).Append(id); i%3 == 2 {
			b.Field(2).AppendNull()
		} else {
			b.Field(2).(*array.StringBuilder).Append(strings.Repeat("label ", i%5))
		}
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(noon.UnixMicro()))
		b.Field(3).(*array.FixedSizeListBuilder).Append(true)
		b.Field(3).(*array.FixedSizeListBuilder).ValueBuilder().(*array.Float32Builder).AppendValues([]float32{1, 2}, nil)
		b.Field(4).(*array.ListBuilder).Append(true)
		b.Field(4).(*array.ListBuilder).ValueBuilder().(*array.StringBuilder).Append("tag")
		b.Field(5).(*array.StructBuilder).Append(true)
		b.Field(5).(*array.StructBuilder).FieldBuilder(0).(*array.BooleanBuilder).Append(i%2 == 0)
	}
	return b.NewRecord()
}

func streamOf(t testing.TB, options []ipc.Option, records ...arrow.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	w := ipc.NewWriter(&b, append(options, ipc.WithSchema(records[0].Schema()))...)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEntityRowsComeThroughAStream(t *testing.T) {
	one, two := entityRecord(1, 2, 3), entityRecord(4, 5)
	for name, options := range map[string][]ipc.Option{"plain": nil, "lz4": {ipc.WithLZ4()}} {
		s, err := NewEntityStream(t.Context(), bytes.NewReader(streamOf(t, options, one, two)), StreamLimits{Bytes: 1 << 20, Rows: 5, RecordBytes: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for s.Next() {
			for i := range int(s.Record().NumRows()) {
				got = append(got, s.Record().Column(0).ValueStr(i))
			}
		}
		if err := s.Err(); err != nil || !slices.Equal(got, []string{"1", "2", "3", "4", "5"}) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		s.Close()
	}
}

func TestEntityStreamsAreBounded(t *testing.T) {
	whole := streamOf(t, nil, entityRecord(1, 2, 3))
	read := func(in io.Reader, limits StreamLimits) error {
		s, err := NewEntityStream(t.Context(), in, limits)
		if err != nil {
			return err
		}
		defer s.Close()
		for s.Next() {
		}
		return s.Err()
	}
	for _, c := range []struct {
		limits StreamLimits
		says   string
	}{
		{StreamLimits{Rows: 2}, "more than 2 rows"}, {StreamLimits{Bytes: int64(len(whole)) - 9}, "bytes: send fewer"}, {StreamLimits{RecordBytes: 100}, "100 bytes in one record"},
	} {
		err := read(bytes.NewReader(whole), c.limits)
		var large *TooLargeError
		if !errors.As(err, &large) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: got %v, want %q", c.limits, err, c.says)
		}
	}
	if err := read(bytes.NewReader(whole), StreamLimits{Bytes: int64(len(whole)), Rows: 3, RecordBytes: 1 << 20}); err != nil {
		t.Errorf("within its limits: %v", err)
	}
	for what, in := range map[string]string{"text": "driver_id,event_timestamp\n1,2026-08-21T12:00:00Z\n", "nothing": "", "a length": "\xff\xff\xff\xff\xff\xff\xff\x7f"} {
		if err := read(strings.NewReader(in), StreamLimits{RecordBytes: 1 << 20}); !errors.Is(err, ErrStream) || !strings.Contains(err.Error(), "no Arrow IPC stream") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	dictionary := arrow.NewSchema([]arrow.Field{{Name: "city", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}}}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), dictionary)
	defer b.Release()
	if err := read(bytes.NewReader(streamOf(t, nil, b.NewRecord())), StreamLimits{}); !errors.Is(err, ErrStream) || !strings.Contains(err.Error(), "column city: its type is dictionary") || !strings.Contains(err.Error(), "plain column") {
		t.Errorf("a dictionary: got %v", err)
	}
	if err := read(bytes.NewReader(streamOf(t, []ipc.Option{ipc.WithZstd()}, entityRecord(1))), StreamLimits{}); !errors.Is(err, ErrStream) || !strings.Contains(err.Error(), "LZ4") {
		t.Errorf("zstd: got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	s, err := NewEntityStream(ended, bytes.NewReader(whole), StreamLimits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if cancel(); s.Next() || !errors.Is(s.Err(), context.Canceled) {
		t.Errorf("it goes on after its context ended: %v", s.Err())
	}
}

// Whatever is done to a stream, it is refused, or what it has can be joined: the process
// goes on, and so does every goroutine.
func TestDamagedEntityStreamsDoNoHarm(t *testing.T) {
	h := open(t, 1)
	h.write(30)
	p := h.past()
	var bases [][]byte
	for _, options := range [][]ipc.Option{nil, {ipc.WithLZ4()}} {
		bases = append(bases, streamOf(t, options, entityRecord(1, 2, 3, 4, 5, 6, 7), entityRecord(8, 9)))
	}
	refused, joined := 0, 0
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		damaged := slices.Clone(bases[random.IntN(2)])
		switch random.IntN(4) {
		case 0:
			damaged = damaged[:random.IntN(len(damaged))]
		default:
			for range 1 + random.IntN(4) {
				damaged[random.IntN(len(damaged))] = byte(random.IntN(256))
			}
		}
		err := func() error {
			s, err := NewEntityStream(t.Context(), bytes.NewReader(damaged), StreamLimits{Bytes: 1 << 20, Rows: 1000, RecordBytes: 1 << 20})
			if err != nil {
				return err
			}
			defer s.Close()
			e, err := p.Ask(t.Context(), "", &api.ExportRequest{Service: "driver_v1"}, func(*Training) (array.RecordReader, error) { return s, nil }, h.config())
			if err != nil {
				return err
			}
			_, err = Stream(t.Context(), e, io.Discard, nil)
			return err
		}()
		if err != nil {
			refused++
		} else {
			joined++
		}
	}
	if refused < 60 || joined < 6 {
		t.Errorf("%d were refused and %d joined: the test has become too simple", refused, joined)
	}
}

// The JSON form gives what the Arrow form does, and what is wrong in it is named.
func TestEntityRowsComeAsJSON(t *testing.T) {
	h := open(t, 2)
	h.write(40)
	p := h.past()
	lines := func(rows api.EntityRows) string {
		t.Helper()
		e, err := p.Ask(t.Context(), "rides", &api.ExportRequest{Features: []string{"driver_stats:trips", "driver_stats:tags"}, EntityRows: &rows}, nil, h.config())
		return plain(h.run(e, err).rows)
	}
	byRow := api.EntityRows{Rows: []json.RawMessage{
		json.RawMessage(`{"driver_id": 1, "event_timestamp": "2026-08-21T12:30:00Z", "label": "a", "n": 1}`),
		json.RawMessage(`{"event_timestamp": "2026-08-21T12:30:00Z", "driver_id": 2, "paid": true, "n": 1.5}`),
		json.RawMessage(`{"driver_id": null, "event_timestamp": 1787309982.5}`),
	}}
	byColumn := api.EntityRows{Columns: json.RawMessage(`{"driver_id": [1, 2, null], "event_timestamp": ["2026-08-21T12:30:00Z", "2026-08-21T14:30:00+02:00", "2026-08-21T10:59:42.5Z"],
		"label": ["a", null, null], "n": [1, 1.5, null], "paid": [null, true, null]}`)}
	if a, b := lines(byRow), lines(byColumn); a != b || strings.Count(a, "\n") != 3 || !strings.HasPrefix(a, "1|2026-08-2112:30:00Z|a|1|(null)|") {
		t.Errorf("by row\n%s\nby column\n%s", a, b)
	}
	for text, field := range map[string]string{
		`{"rows": [{"driver_id": "x", "event_timestamp": "2026-08-21T12:30:00Z"}]}`: "entity_rows.rows[0].driver_id",
		`{"rows": [7]}`: "entity_rows.rows[0]",
		`{"columns": {"driver_id": [1, 1.5], "event_timestamp": ["2026-08-21T12:30:00Z", "2026-08-21T12:30:00Z"]}}`: "entity_rows.columns.driver_id[1]",
		`{"columns": {"driver_id": [1, 2], "event_timestamp": ["2026-08-21T12:30:00Z"]}}`:                           "entity_rows.columns.event_timestamp",
		`{"columns": {"driver_id": 7}}`:                                                                   "entity_rows.columns.driver_id",
		`{"columns": {"driver_id": [1], "event_timestamp": ["soon"]}}`:                                    "entity_rows.columns.event_timestamp[0]",
		`{"columns": {"driver_id": [1], "event_timestamp": ["2026-08-21T12:30:00Z"], "odd": [{"a": 1}]}}`: "entity_rows.columns.odd[0]",
		`{"columns": {"driver_id": [1]}}`:                                                                 "entity_rows",
		`{}`:                                                                                              "entity_rows",
		`{"rows": [], "columns": {}}`:                                                                     "entity_rows",
	} {
		var rows api.EntityRows
		if err := api.Decode([]byte(text), &rows); err != nil {
			t.Fatal(err)
		}
		_, err := p.Ask(t.Context(), "rides", &api.ExportRequest{Features: []string{"driver_stats:trips"}, EntityRows: &rows}, nil, h.config())
		var problem *api.Problem
		if !errors.As(Problem(err), &problem) || problem.Field != field {
			t.Errorf("%s: got %v, want field %s", text, Problem(err), field)
		}
	}
}

// A stream has its manifest first and its end last, and is cut into messages; what fails
// leaves it without an end.
func TestAStreamIsWholeOrVisiblyNot(t *testing.T) {
	h := open(t, 3)
	h.write(60)
	p := h.past()
	ask := func() Export {
		e, err := p.Ask(t.Context(), "", &api.ExportRequest{Rows: "driver_stats"}, nil, h.config())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	var out bytes.Buffer
	flushed := 0
	m, err := Stream(t.Context(), ask(), &out, func() error { flushed++; return nil })
	if err != nil || flushed == 0 || m.Bytes != int64(out.Len()) || m.SHA256 == "" {
		t.Fatalf("got %+v, %d flushes, %v", m, flushed, err)
	}
	in, err := ipc.NewReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Release()
	var before api.ExportManifest
	text, _ := in.Schema().Metadata().GetValue(api.MetadataExport)
	if err := json.Unmarshal([]byte(text), &before); err != nil || before.History.Commit != m.History.Commit || before.Definition != m.Definition || before.View != "driver_stats" {
		t.Errorf("its schema says %s, %v", text, err)
	}
	rows := int64(0)
	for in.Next() {
		rows += in.Record().NumRows()
	}
	if in.Err() != nil || rows != m.Rows || !bytes.HasSuffix(out.Bytes(), []byte("\xff\xff\xff\xff\x00\x00\x00\x00")) {
		t.Errorf("%d rows of %d, %v", rows, m.Rows, in.Err())
	}
	var again bytes.Buffer
	if _, err := Stream(t.Context(), ask(), &again, nil); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Errorf("the same request of the same commit gives other bytes (EX3): %v", err)
	}
	broken := errors.New("broken")
	var cut bytes.Buffer
	if _, err := Stream(t.Context(), ask(), &cut, func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if bytes.HasSuffix(cut.Bytes(), []byte("\xff\xff\xff\xff\x00\x00\x00\x00")) {
		t.Error("a stream that failed has an end")
	}
}
