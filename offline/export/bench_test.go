package export

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/online"
)

const wide = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views:
  - name: wide
    entity: driver
    max_lateness: 8760h
    features: [{name: f0, type: float64}, {name: f1, type: float64}, {name: f2, type: float64}, {name: f3, type: float64}, {name: f4, type: float64},
      {name: f5, type: float64}, {name: f6, type: float64}, {name: f7, type: float64}, {name: f8, type: float64}, {name: f9, type: float64}]
`

// The sizes of the benchmark: rows of ten floats, of so many entities, over so many days.
const (
	benchRows     = 400_000
	benchEntities = 20_000
	benchDays     = 4
)

// fill writes the rows of the benchmark.
func (h *house) fill() {
	h.Helper()
	h.apply(wide)
	v := h.view("wide")
	for from := 0; from < benchRows; from += 2000 {
		var changes []online.Placed
		for i := from; i < from+2000; i++ {
			key, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(h.random.IntN(benchEntities))))
			if err != nil {
				h.Fatal(err)
			}
			c := feature.Change{View: v.ID, Key: key, EventTime: noon.UnixNano() - int64(h.random.IntN(benchDays*86_400))*1e9}
			for _, f := range v.Fields {
				c.Assignments = append(c.Assignments, feature.Assignment{Feature: f.ID, Rule: f.Rule, Type: f.Type, Value: feature.OfFloat64(h.random.Float64())})
			}
			changes = append(changes, online.Placed{Change: c, Shard: v.Shard(key)})
		}
		if _, err := h.store.Append(h.Context(), online.Write{Changes: changes}); err != nil {
			h.Fatal(err)
		}
	}
}

// countedBytes counts what goes through it to nowhere.
type countedBytes struct{ n int64 }

func (c *countedBytes) Write(b []byte) (int, error) { c.n += int64(len(b)); return len(b), nil }

// BenchmarkExport writes a view's history out, beside a plain copy of the same records by
// the same Arrow writer: of=rows is the export, of=copy reads the same Parquet files with
// the library and writes them, and of=memory writes records that are in memory already.
// Snapshots join rows one by one.
func BenchmarkExport(b *testing.B) {
	h := open(b, 1)
	h.fill()
	p := h.past()
	files := p.in.Files(h.view("wide").ID, history.AllTime)
	var held []arrow.Record
	if err := readPlainly(b.Context(), p, files, func(rec arrow.Record) error {
		rec.Retain()
		held = append(held, rec)
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	ask := func(of string) (Export, error) {
		if of == "snapshot" {
			return p.Snapshot(ViewRequest{View: "wide"}, h.config())
		}
		return p.Rows(ViewRequest{View: "wide"}, h.config())
	}
	each := func(of string, visit func(arrow.Record) error) error {
		switch of {
		case "copy":
			return readPlainly(b.Context(), p, files, visit)
		case "memory":
			for _, rec := range held {
				if err := visit(rec); err != nil {
					return err
				}
			}
			return nil
		}
		e, err := ask(of)
		if err != nil {
			return err
		}
		_, err = e.Run(b.Context(), visit)
		return err
	}
	for _, ending := range []string{".parquet", ".arrow"} {
		for _, of := range []string{"memory", "copy", "rows", "snapshot"} {
			b.Run(fmt.Sprintf("to=%s/of=%s", ending[1:], of), func(b *testing.B) {
				var rows, bytes int64
				for b.Loop() {
					path := filepath.Join(b.TempDir(), "out"+ending)
					if of == "rows" || of == "snapshot" { // all that an export does: sums, fsync, manifest
						e, err := ask(of)
						if err != nil {
							b.Fatal(err)
						}
						m, err := Write(b.Context(), e, path)
						if err != nil {
							b.Fatal(err)
						}
						rows, bytes = rows+m.Rows, bytes+m.Bytes
						continue
					}
					n, size, err := copyPlainly(path, ending, func(visit func(arrow.Record) error) error { return each(of, visit) })
					if err != nil {
						b.Fatal(err)
					}
					rows, bytes = rows+n, bytes+size
				}
				report(b, rows, bytes)
			})
		}
	}
	for _, of := range []string{"memory", "copy", "rows"} {
		b.Run("to=stream/of="+of, func(b *testing.B) {
			var rows int64
			var out countedBytes
			for b.Loop() {
				if of == "rows" {
					e, err := ask(of)
					if err != nil {
						b.Fatal(err)
					}
					m, err := Stream(b.Context(), e, &out, nil)
					if err != nil {
						b.Fatal(err)
					}
					rows += m.Rows
					continue
				}
				var w *ipc.Writer
				err := each(of, func(rec arrow.Record) error {
					if w == nil {
						w = ipc.NewWriter(&out, ipc.WithSchema(rec.Schema()))
					}
					rows += rec.NumRows()
					return w.Write(rec)
				})
				if err == nil {
					err = w.Close()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			report(b, rows, out.n)
		})
	}
}

func report(b *testing.B, rows, bytes int64) {
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
}

// copyPlainly writes records to a file by the writer that exports have, and nothing else.
func copyPlainly(path, ending string, each func(func(arrow.Record) error) error) (rows, size int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, 0, err
	}
	var write func(arrow.Record) error
	var finish func() error
	err = each(func(rec arrow.Record) error {
		if write == nil {
			var err error
			if write, finish, err = formats[ending](f, rec.Schema()); err != nil {
				return err
			}
		}
		rows += rec.NumRows()
		return write(rec)
	})
	if err == nil {
		err = finish()
	}
	if err != nil {
		return 0, 0, err
	}
	// The writer of Parquet closes what it was given.
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	_ = f.Close()
	return rows, info.Size(), nil
}

// readPlainly reads files as the library does when nothing else is said.
func readPlainly(ctx context.Context, p *Past, files []history.DataFile, visit func(arrow.Record) error) error {
	for _, f := range files {
		err := func() error {
			in, err := p.in.Open(ctx, f)
			if err != nil {
				return err
			}
			defer in.Close()
			raw, err := file.NewParquetReader(in)
			if err != nil {
				return err
			}
			r, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{BatchSize: 16 << 10}, memory.NewGoAllocator())
			if err != nil {
				return err
			}
			records, err := r.GetRecordReader(ctx, nil, nil)
			if err != nil {
				return err
			}
			defer records.Release()
			for records.Next() {
				if err := visit(records.Record()); err != nil {
					return err
				}
			}
			if err := records.Err(); err != nil && err != io.EOF {
				return err
			}
			return nil
		}()
		if err != nil {
			return err
		}
	}
	return nil
}
