package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// parquetWriter writes records as the product does: no dictionaries for
// columns of many values.
func parquetWriter(path string, s *arrow.Schema, groupRows int64) (*pqarrow.FileWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	props := parquet.NewWriterProperties(parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Snappy), parquet.WithMaxRowGroupLength(groupRows))
	return pqarrow.NewFileWriter(s, f, props, pqarrow.DefaultWriterProps())
}

func writeParquet(path string, r arrow.Record, groupRows int64) error {
	w, err := parquetWriter(path, r.Schema(), groupRows)
	if err != nil {
		return err
	}
	if err := w.Write(r); err != nil {
		return err
	}
	return w.Close()
}

// shape says how large the files of a benchmark are.
type shape struct {
	features, entities, rows, files int
}

func (s *shape) flags(f *flag.FlagSet) {
	f.IntVar(&s.features, "features", 100_000, "feature rows")
	f.IntVar(&s.entities, "entities", 1_000, "entities")
	f.IntVar(&s.rows, "rows", 10_000, "entity rows")
	f.IntVar(&s.files, "files", 10, "files of feature rows")
}

// generate is a command of its own, which bench runs.
func generate(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("generate", flag.ExitOnError)
	var s shape
	s.flags(flags)
	dir := flags.String("data", ".", "folder for the files")
	_ = flags.Parse(args) // it exits on errors
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	return s.generate(*dir)
}

const (
	day      = int64(24 * 3600 * 1_000_000_000)
	days     = 90
	began    = int64(1_767_225_600) * 1_000_000_000 // 2026-01-01
	width    = 10
	groupLen = 128 << 10
)

// generate writes features-N.parquet and entity.parquet. Rows are in random
// order; files hold consecutive event times, as history does.
func (s shape) generate(dir string) error {
	for f := range s.files {
		rng := rand.New(rand.NewPCG(1, uint64(f)))
		n := s.features/s.files + min(1, max(0, s.features%s.files-f))
		fields := []arrow.Field{
			{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64},
			{Name: "event_timestamp", Type: &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}},
		}
		for c := range width {
			fields = append(fields, arrow.Field{Name: fmt.Sprintf("f%d", c), Type: arrow.PrimitiveTypes.Float64, Nullable: true})
		}
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
		span := days * day / int64(s.files)
		for range n {
			b.Field(0).(*array.Int64Builder).Append(rng.Int64N(int64(s.entities)))
			b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(began + int64(f)*span + rng.Int64N(span)))
			for c := range width {
				b.Field(2 + c).(*array.Float64Builder).Append(rng.Float64())
			}
		}
		if err := writeParquet(filepath.Join(dir, fmt.Sprintf("features-%03d.parquet", f)), b.NewRecord(), groupLen); err != nil {
			return err
		}
	}
	return s.generateEntity(filepath.Join(dir, "entity.parquet"))
}

func (s shape) generateEntity(path string) error {
	rng := rand.New(rand.NewPCG(2, 2))
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "event_timestamp", Type: &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}},
		{Name: "label", Type: arrow.PrimitiveTypes.Float64},
	}, nil))
	for range s.rows {
		b.Field(0).(*array.Int64Builder).Append(rng.Int64N(int64(s.entities)))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(began + rng.Int64N(days*day)))
		b.Field(2).(*array.Float64Builder).Append(rng.Float64())
	}
	return writeParquet(path, b.NewRecord(), groupLen)
}
