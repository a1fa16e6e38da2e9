package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// damagedFile is a file that something is wrong with.
type damagedFile struct {
	what, name string
	contents   []byte
	// want is what its error must say; "": flipped bytes may also be a value that is
	// another one, which nothing can tell.
	want string
}

// damages are ways to damage files, each drawn by seed.
var damages = []func(*testing.T, *rand.Rand) damagedFile{
	flippedParquet, flippedParquet, flippedParquet, flippedParquet, flippedArrow, flippedArrow, cutFile, cutFile,
	hugeLength, foreignMagic, wrongColumns, wrongText, brokenText,
}

// goodRows are rows of the view that the damaged files claim to be of.
func goodRows(n int, name arrow.DataType) (*arrow.Schema, arrow.Record) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "event_timestamp", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "rate", Type: arrow.PrimitiveTypes.Float64, Nullable: true}, {Name: "name", Type: name},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(1_785_000_000_000_000 + int64(i)))
		b.Field(2).(*array.Float64Builder).Append(float64(i) / 7)
		text := fmt.Sprintf("driver %d", i*7919)
		if s, ok := b.Field(3).(*array.StringBuilder); ok {
			s.Append(text)
		} else {
			b.Field(3).(*array.BinaryBuilder).Append([]byte{0xff, byte(i)})
		}
		tags := b.Field(4).(*array.ListBuilder)
		tags.Append(true)
		tags.ValueBuilder().(*array.StringBuilder).Append("tag")
	}
	return schema, b.NewRecord()
}

func goodParquet(t *testing.T, random *rand.Rand) []byte {
	schema, record := goodRows(500, arrow.BinaryTypes.String)
	defer record.Release()
	codec := []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Zstd, compress.Codecs.Gzip}[random.IntN(4)]
	props := parquet.NewWriterProperties(parquet.WithMaxRowGroupLength(200), parquet.WithCompression(codec), parquet.WithDictionaryDefault(random.IntN(2) == 0))
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, props, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func goodArrow(t *testing.T, random *rand.Rand) []byte {
	schema, record := goodRows(300, arrow.BinaryTypes.String)
	defer record.Release()
	var out bytes.Buffer
	if random.IntN(2) == 0 {
		w := ipc.NewWriter(&out, ipc.WithSchema(schema))
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	w, err := ipc.NewFileWriter(&seekable{&out}, ipc.WithSchema(schema))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// seekable is a buffer that tells where it is, which is all that the writer asks.
type seekable struct{ *bytes.Buffer }

// Seek implements io.Seeker as far as that.
func (s *seekable) Seek(int64, int) (int64, error) { return int64(s.Len()), nil }

func flip(random *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(b) - 8)
		for i := range 8 {
			b[at+i] = byte(random.Uint32())
		}
	}
	return b
}

func flippedParquet(t *testing.T, random *rand.Rand) damagedFile {
	return damagedFile{what: "flipped Parquet", name: "x.parquet", contents: flip(random, goodParquet(t, random))}
}

func flippedArrow(t *testing.T, random *rand.Rand) damagedFile {
	return damagedFile{what: "flipped Arrow", name: "x.arrow", contents: flip(random, goodArrow(t, random))}
}

func cutFile(t *testing.T, random *rand.Rand) damagedFile {
	if random.IntN(2) == 0 {
		b := goodParquet(t, random)
		return damagedFile{what: "cut Parquet", name: "x.parquet", contents: b[:random.IntN(len(b)-1)], want: "not a Parquet file|the file is cut short"}
	}
	// The end of a stream in Arrow's form may be missing between two of its messages.
	b := goodArrow(t, random)
	return damagedFile{what: "cut Arrow", name: "x.arrow", contents: b[:random.IntN(len(b)-1)]}
}

// hugeLength claims that a footer, or a message, is as long as can be said.
func hugeLength(t *testing.T, random *rand.Rand) damagedFile {
	if random.IntN(2) == 0 {
		b := slices.Clone(goodParquet(t, random))
		binary.LittleEndian.PutUint32(b[len(b)-8:], 1<<31-1+uint32(random.IntN(1<<31)))
		return damagedFile{what: "huge footer", name: "x.parquet", contents: b, want: "x.parquet"}
	}
	b := binary.LittleEndian.AppendUint32([]byte{0xff, 0xff, 0xff, 0xff}, 1<<30+uint32(random.IntN(1<<29)))
	return damagedFile{what: "huge message", name: "x.arrow", contents: append(b, make([]byte, 4096)...), want: "x.arrow"}
}

func foreignMagic(_ *testing.T, random *rand.Rand) damagedFile {
	contents := [][]byte{[]byte("PK\x03\x04 a zip archive of some length"), {}, []byte("\x1f\x8b\x08 gzip"), bytes.Repeat([]byte{0}, 5000), []byte("FEA1 of old")}[random.IntN(5)]
	name := []string{"x.parquet", "x.arrow", "x.csv.gz", "x.jsonl.gz"}[random.IntN(4)]
	return damagedFile{what: "foreign", name: name, contents: contents, want: "x."}
}

// wrongColumns is a file whose columns do not fit the view's.
func wrongColumns(_ *testing.T, random *rand.Rand) damagedFile {
	choice := []struct{ text, want string }{
		{"id,event_timestamp\n1,2026-08-01\n", "has no column of a feature of the view"},
		{"event_timestamp,rate\n2026-08-01,1\n", "has no column id for join key driver_id"},
		{"id,rate\n1,1\n", "has no column event_timestamp of event times"},
		{"id,id,event_timestamp,rate\n1,1,2026-08-01,1\n", `columns 1 and 2 are both named "id"`},
	}[random.IntN(4)]
	return damagedFile{what: "columns", name: "x.csv", contents: []byte(choice.text), want: choice.want}
}

// wrongText has one row that does not fit, among good ones.
func wrongText(_ *testing.T, random *rand.Rand) damagedFile {
	line := 2 + random.IntN(1500)
	choice := []struct{ row, column, want string }{
		{"1,yesterday,1", "event_timestamp", "is not a time such as"},
		{"1,,1", "event_timestamp", "has no event time"},
		{"one,2026-08-01,1", "id", "is not an int64"},
		{",2026-08-01,1", "id", "has no join key"},
		{"1,2026-08-01,x", "rate", "is not a float64"},
		{"1,9026-08-01,1", "event_timestamp", "x.csv"},
		{"1,2126-08-01,1", "event_timestamp", "future"},
	}[random.IntN(7)]
	var text strings.Builder
	text.WriteString("id,event_timestamp,rate\n")
	for at := 2; at < 1600; at++ {
		if at == line {
			text.WriteString(choice.row + "\n")
			continue
		}
		fmt.Fprintf(&text, "%d,2026-08-01T00:00:00Z,0.5\n", at)
	}
	return damagedFile{what: "a value", name: "x.csv", contents: []byte(text.String()), want: fmt.Sprintf("in/x.csv:%d: column %s", line, choice.column)}
}

// brokenText is no CSV and no JSON.
func brokenText(_ *testing.T, random *rand.Rand) damagedFile {
	const head = "id,event_timestamp,rate\n1,2026-08-01,1\n"
	choice := []struct{ name, text, want string }{
		{"x.csv", head + "2,\"2026-08-01,1\n" + strings.Repeat("3,2026-08-01,1\n", 100_000), "x.csv"},
		{"x.csv", head + "2,20\"26,1\n", "x.csv"},
		{"x.csv", head + "2,2026-08-01\n", "x.csv:3"},
		{"x.csv", head + strings.Repeat("x", 3<<20), "x.csv"},
		{"x.jsonl", `{"id": 1, "event_timestamp": "2026-08-01", "rate": 1` + "\n", "x.jsonl:1"},
		{"x.jsonl", strings.Repeat("[", 100_000) + "\n", "x.jsonl:1"},
		{"x.jsonl", `{"id": 1, "event_timestamp": "2026-08-01", "rate": "` + strings.Repeat("9", 3<<20) + `"}` + "\n", "x.jsonl:1"},
		{"x.jsonl", "\xff\xfe{\x00}\n", "x.jsonl:1"},
	}[random.IntN(8)]
	return damagedFile{what: "text", name: choice.name, contents: []byte(choice.text), want: choice.want}
}
