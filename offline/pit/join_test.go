package pit

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// How tests divide memory, and what a join must then have done at least once in
// all the worlds of a test.
var budgets = map[string]struct {
	budget
	did func(*Report) bool
}{
	"in memory": {Config{}.budget(), func(r *Report) bool { return r.Passes > 0 && r.SpilledBytes == 0 }},
	"all spilled": {budget{spool: 1, spine: 1, matches: 1, values: 1, pages: 1, blocks: 1, buffers: 1},
		func(r *Report) bool { return r.Partitions > 0 && r.SpilledBytes > 1000 }},
	"spine in pieces": {budget{spool: unlimited, spine: 700, matches: unlimited, values: 1, pages: unlimited, blocks: unlimited, buffers: 1 << 20},
		func(r *Report) bool { return r.Passes > 3 && r.Partitions == 0 }},
	"partitions": {budget{spool: unlimited, spine: 100, matches: 1 << 20, values: 1, pages: 1 << 20, blocks: 1 << 20, buffers: 1 << 20},
		func(r *Report) bool { return r.Partitions > 2 }},
	"values spilled": {budget{spool: unlimited, spine: unlimited, matches: unlimited, values: 60, pages: unlimited, blocks: 400, buffers: 1 << 20},
		func(r *Report) bool { return r.SpilledBytes > 0 && r.Passes > 0 }},
	"entity rows spilled": {budget{spool: 100, spine: unlimited, matches: unlimited, values: unlimited, pages: unlimited, blocks: unlimited, buffers: 1 << 20},
		func(r *Report) bool { return r.SpilledBytes > 0 }},
	"a feed for each column": {budget{spool: unlimited, spine: unlimited, matches: unlimited, values: unlimited, pages: 1, blocks: unlimited, buffers: 1 << 20},
		func(r *Report) bool { return r.Passes > 0 && r.SpilledBytes == 0 }},
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// run joins, and checks that nothing is left: memory, files.
func run(t tester, c Config, b budget, schema *arrow.Schema, entity []arrow.Record, r Request) ([][]any, *Report) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	dir, err := os.MkdirTemp("", "pit-test-")
	if err != nil {
		t.Fatalf("make a folder: %v", err)
	}
	defer os.RemoveAll(dir)
	c.Allocator, c.SpillDir = mem, dir
	in, err := array.NewRecordReader(schema, entity)
	if err != nil {
		t.Fatalf("read entity rows: %v", err)
	}
	defer in.Release()
	var rows [][]any
	report, err := joinWithin(context.Background(), c.withDefaults(), b, in, r, func(r arrow.Record) error {
		rows = append(rows, outputRows([]arrow.Record{r})...)
		return nil
	})
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	mem.AssertSize(t, 0)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the join left %v, %v in the spill directory", left, err)
	}
	return rows, report
}

// tables gives each view of the world a table in parts.
func (w *world) tables(t *rapid.T) (Request, func()) {
	request := w.request
	request.Views = append([]View(nil), w.request.Views...)
	made := map[int]*MemoryTable{}
	for i, v := range w.views {
		if made[v.twinOf] == nil {
			rows := rapid.Permutation(v.rows).Draw(t, "order of rows")
			cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
			parts := []MemoryPart{
				{"one", tableRecord(memory.DefaultAllocator, v.keys, rows[:cut])},
				{"two", tableRecord(memory.DefaultAllocator, v.keys, rows[cut:])},
			}
			if rapid.Bool().Draw(t, "order of parts") {
				parts[0], parts[1] = parts[1], parts[0]
			}
			table, err := NewMemoryTable(w.columns(v), parts...)
			if err != nil {
				t.Fatalf("make a table: %v", err)
			}
			for _, p := range parts {
				p.Rows.Release()
			}
			made[v.twinOf] = table
		}
		request.Views[i].Table = made[v.twinOf]
	}
	return request, func() {
		for _, table := range made {
			table.Release()
		}
	}
}

// B1 to B5, and B9's half that every output shows: against the plain twin, for
// every way of dividing memory, any order of parts and rows, and several
// threads.
func TestJoinIsThePlainJoin(t *testing.T) {
	for name, b := range budgets {
		t.Run(name, func(t *testing.T) {
			did := false
			rapid.Check(t, func(t *rapid.T) {
				w := drawWorld(t, 12)
				want := plainJoin(w)
				schema, entity := w.entityRecords(memory.DefaultAllocator, rapid.IntRange(0, 12).Draw(t, "entity cut"))
				request, release := w.tables(t)
				defer release()
				got, report := run(t, Config{Threads: rapid.IntRange(1, 3).Draw(t, "threads"), BatchRows: rapid.IntRange(1, 5).Draw(t, "batch rows")}, b.budget, schema, entity, request)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("%s", difference(got, want))
				}
				if report.EntityRows != int64(len(want)) {
					t.Errorf("the report has %d entity rows, want %d", report.EntityRows, len(want))
				}
				did = did || b.did(report)
			})
			if !did {
				t.Errorf("no join went the way that this test is for")
			}
		})
	}
}

func difference(got, want [][]any) string {
	if len(got) != len(want) {
		return fmt.Sprintf("got %d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			return fmt.Sprintf("row %d:\n got %v\nwant %v", i, got[i], want[i])
		}
	}
	return "equal"
}
