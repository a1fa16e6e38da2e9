package served

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/offline/history"
)

// batchCells are turned into Parquet at a time.
const batchCells = 8 << 10

// writer makes one file, of lookups of one day, in memory.
type writer struct {
	day       history.Day
	first     int64 // At of the first lookup
	out       bytes.Buffer
	file      *pqarrow.FileWriter
	build     *array.RecordBuilder
	pending   int
	lookups   int64
	cells     int64
	sizeBytes int64 // of the lookups, as they were in memory
}

// repeats are the columns with few values.
var repeats = []int{colRequest, colRegion, colStore, colProject, colAsked, colMet, colView, colFrom, colUntil, colFeature, colStatus, colType, colKey}

func newWriter(first *Lookup) (w *writer, err error) {
	defer caught(&err)
	w = &writer{day: history.DayOf(first.At), first: first.At, build: array.NewRecordBuilder(memory.NewGoAllocator(), schema)}
	options := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDictionaryDefault(false), parquet.WithCreatedBy("featurestore"),
	}
	for _, i := range repeats {
		options = append(options, parquet.WithDictionaryFor(schema.Field(i).Name, true))
	}
	w.file, err = pqarrow.NewFileWriter(schema, &w.out, parquet.NewWriterProperties(options...), pqarrow.DefaultWriterProps())
	return w, err
}

// caught turns a panic of the library into an error.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("parquet: %v", p)
	}
}

func (w *writer) add(l *Lookup) (err error) {
	defer caught(&err)
	appendLookup(w.build, w.lookups, l)
	n := l.cells()
	w.lookups, w.cells, w.pending, w.sizeBytes = w.lookups+1, w.cells+int64(n), w.pending+n, w.sizeBytes+l.sizeBytes()
	if w.pending >= batchCells {
		return w.flush()
	}
	return nil
}

func (w *writer) flush() error {
	if w.pending == 0 {
		return nil
	}
	w.pending = 0
	record := w.build.NewRecord()
	defer record.Release()
	return w.file.WriteBuffered(record)
}

// end returns the file's name and contents.
func (w *writer) end(number uint64) (name string, contents []byte, err error) {
	defer caught(&err)
	defer w.build.Release()
	if err := w.flush(); err != nil {
		return "", nil, err
	}
	if err := w.file.Close(); err != nil {
		return "", nil, err
	}
	return fileName(w.day, w.first, number, w.out.Bytes()), w.out.Bytes(), nil
}

const ending = ".parquet"

// fileName sorts by day and time.
func fileName(day history.Day, first int64, number uint64, contents []byte) string {
	sum := sha256.Sum256(contents)
	return fmt.Sprintf("event_date=%s/%020d-%06d-%s%s", day, uint64(first), number, hex.EncodeToString(sum[:]), ending)
}

// parseName returns the day of a file and the sum that its contents must have.
func parseName(name string) (day time.Time, sum string, ok bool) {
	folder, file, cut := strings.Cut(name, "/")
	date, isDate := strings.CutPrefix(folder, "event_date=")
	stem, isFile := strings.CutSuffix(file, ending)
	if !cut || !isDate || !isFile {
		return time.Time{}, "", false
	}
	day, err := time.Parse(time.DateOnly, date)
	parts := strings.Split(stem, "-")
	if err != nil || len(parts) != 3 || len(parts[2]) != 2*sha256.Size {
		return time.Time{}, "", false
	}
	return day, parts[2], true
}
