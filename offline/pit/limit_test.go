package pit

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/zeebo/xxh3"
)

// drawnRows is a stream of random entity rows that takes no memory itself: it
// makes a record when asked. skew is the share of rows that have key 0.
type drawnRows struct {
	left, batch int
	keys        int64
	span        int64
	skew        float64
	rng         *rand.Rand
	schema      *arrow.Schema
	record      arrow.Record
}

func newDrawnRows(rows int, keys, span int64, skew float64) *drawnRows {
	return &drawnRows{left: rows, batch: 1 << 13, keys: keys, span: span, skew: skew, rng: rand.New(rand.NewPCG(3, 4)),
		schema: arrow.NewSchema([]arrow.Field{{Name: "id", Type: int64s}, {Name: "t", Type: nanosUTC}, {Name: "label", Type: arrow.PrimitiveTypes.Float64}}, nil)}
}

func (d *drawnRows) Retain()               {}
func (d *drawnRows) Release()              {}
func (d *drawnRows) Schema() *arrow.Schema { return d.schema }
func (d *drawnRows) Record() arrow.Record  { return d.record }
func (d *drawnRows) Err() error            { return nil }

func (d *drawnRows) Next() bool {
	n := min(d.left, d.batch)
	if n == 0 {
		return false
	}
	d.left -= n
	b := array.NewRecordBuilder(memory.DefaultAllocator, d.schema)
	defer b.Release()
	for range n {
		key := d.rng.Int64N(d.keys)
		if d.rng.Float64() < d.skew {
			key = 0
		}
		b.Field(0).(*array.Int64Builder).Append(key)
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(d.rng.Int64N(d.span)))
		b.Field(2).(*array.Float64Builder).Append(d.rng.Float64())
	}
	d.record = b.NewRecord()
	return true
}

// drawnFiles writes feature rows of many values to files.
func drawnFiles(t testing.TB, files, rows, width int, keys, span int64) *ParquetTable {
	t.Helper()
	var paths []string
	for f := range files {
		rng := rand.New(rand.NewPCG(5, uint64(f)))
		fields := []arrow.Field{{Name: "k", Type: int64s}, {Name: "e", Type: nanosUTC}}
		for c := range width {
			fields = append(fields, arrow.Field{Name: fmt.Sprintf("f%d", c), Type: arrow.PrimitiveTypes.Float64, Nullable: true})
		}
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
		for range rows {
			b.Field(0).(*array.Int64Builder).Append(rng.Int64N(keys))
			b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(rng.Int64N(span)))
			for c := range width {
				b.Field(2 + c).(*array.Float64Builder).Append(rng.Float64())
			}
		}
		paths = append(paths, filepath.Join(t.TempDir(), fmt.Sprintf("%d.parquet", f)))
		r := b.NewRecord()
		b.Release()
		writeParquet(t, paths[f], r, 1<<15, parquet.WithDataPageSize(1<<17))
		r.Release()
	}
	table, err := OpenParquet(context.Background(), fileColumns, nil, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func drawnRequest(table Table, width int) Request {
	r := Request{EventTime: "t", Views: []View{{Name: "v", Table: table, Keys: []string{"id"}, TTL: 500_000}}}
	for c := range width {
		r.Features = append(r.Features, Feature{View: "v", Name: fmt.Sprintf("f%d", c)})
	}
	return r
}

// heapPeak runs f and returns by how much the live heap grew at most, as the
// collector finds it. How much garbage lies about beside it depends on what else
// the machine does.
func heapPeak(f func()) int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	read := func() int64 {
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	debug.FreeOSMemory()
	before, peak := read(), int64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				peak = max(peak, read()-before)
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return peak
}

// B6 and B5: inputs of many times the limit, evenly spread over keys or most of
// them of one key, stay within it, and give the bytes that no limit gives.
func TestMemoryLimitIsKept(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of thousands of entity rows")
	}
	const (
		limit = LeastMemory
		rows  = 250_000
		width = 80 // 640 bytes of values a row: 160 MB
		span  = 1_000_000
	)
	table := drawnFiles(t, 4, 40_000, width, 20_000, span)
	for _, skew := range []float64{0, 0.95} {
		sums, peaks := map[int64]uint64{}, map[int64]int64{}
		for _, memoryLimit := range []int64{0, limit} {
			var report *Report
			var hashes []*xxh3.Hasher // of columns: where records end depends on the limit
			peak := heapPeak(func() {
				var err error
				report, err = Join(context.Background(), Config{MemoryLimit: memoryLimit, Threads: 2, SpillDir: t.TempDir()}, newDrawnRows(rows, 20_000, span, skew), drawnRequest(table, width), func(r arrow.Record) error {
					for i, c := range r.Columns() {
						if i == len(hashes) {
							hashes = append(hashes, xxh3.New())
						}
						from := c.Data().Offset() * 8
						_, err := hashes[i].Write(c.Data().Buffers()[1].Bytes()[from : from+c.Len()*8])
						if err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
			for i, h := range hashes {
				sums[memoryLimit] ^= h.Sum64() + uint64(i)
			}
			t.Logf("skew %v, limit %d MiB: peak %d MiB, %+v", skew, memoryLimit>>20, peak>>20, *report)
			if memoryLimit > 0 && (peak > limit || report.SpilledBytes < limit/2) {
				t.Errorf("skew %v: the heap grew by %d MiB, the limit is %d; %d MiB were spilled", skew, peak>>20, limit>>20, report.SpilledBytes>>20)
			}
			peaks[memoryLimit] = peak
		}
		if peaks[0] < peaks[limit]*3/2 {
			t.Errorf("skew %v: without a limit the heap grew by %d MiB only, with it by %d: this test would see nothing", skew, peaks[0]>>20, peaks[limit]>>20)
		}
		if len(sums) != 2 || sums[0] != sums[limit] {
			t.Errorf("skew %v: with the limit the bytes are others: %v", skew, sums)
		}
	}
	runtime.KeepAlive(table)
}

// B5: the same bytes as an Arrow stream, on every run, for any order of files
// and number of threads; each configuration has its own records, but every run
// of it the same.
func TestOutputIsTheSameToTheByte(t *testing.T) {
	const width = 3
	table := drawnFiles(t, 6, 3000, width, 500, 100_000)
	for name, b := range map[string]budget{
		"in memory":  Config{}.budget(),
		"pieces":     {spool: 50_000, spine: 80_000, matches: 30_000, values: 60_000, pages: 1, blocks: 40_000, buffers: 1 << 16},
		"partitions": {spool: 50_000, spine: 10_000, matches: 30_000, values: 20_000, pages: 1 << 30, blocks: 40_000, buffers: 1 << 16},
	} {
		var want []byte
		for i, threads := range []int{1, 2, 3, 4, 2} {
			shuffled := shuffledTable{table, uint64(i)}
			var out bytes.Buffer
			var w *ipc.Writer
			_, err := joinWithin(context.Background(), Config{Threads: threads, SpillDir: t.TempDir(), BatchRows: 1000}.withDefaults(), b, newDrawnRows(5000, 500, 100_000, 0), drawnRequest(shuffled, width), func(r arrow.Record) error {
				if w == nil {
					w = ipc.NewWriter(&out, ipc.WithSchema(r.Schema()))
				}
				return w.Write(r)
			})
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = out.Bytes()
			} else if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s: with %d threads the bytes are others", name, threads)
			}
		}
		if len(want) < 5000*width*8 {
			t.Errorf("%s: only %d bytes came", name, len(want))
		}
	}
}

// shuffledTable gives a table's files in another order.
type shuffledTable struct {
	*ParquetTable
	seed uint64
}

func (s shuffledTable) Parts() []Part {
	byFile := map[string][]Part{}
	var names []string
	for _, p := range s.ParquetTable.Parts() {
		if byFile[p.Name()] == nil {
			names = append(names, p.Name())
		}
		byFile[p.Name()] = append(byFile[p.Name()], p)
	}
	rand.New(rand.NewPCG(s.seed, 1)).Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	var parts []Part
	for _, name := range names {
		parts = append(parts, byFile[name]...)
	}
	return parts
}
