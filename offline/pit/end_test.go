package pit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// joinError joins and returns the error, after checking that nothing is left.
func joinError(t testing.TB, entity arrow.Record, r Request) error {
	t.Helper()
	return joinLeavesNothing(t, context.Background(), Config{}.budget(), entity, r, func(arrow.Record) error { return nil })
}

func joinLeavesNothing(t testing.TB, ctx context.Context, b budget, entity arrow.Record, r Request, yield func(arrow.Record) error) error {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	dir := t.TempDir()
	in, err := array.NewRecordReader(entity.Schema(), []arrow.Record{entity})
	if err != nil {
		t.Fatalf("read entity rows: %v", err)
	}
	defer in.Release()
	_, err = joinWithin(ctx, Config{Allocator: mem, SpillDir: dir, BatchRows: 3, Threads: 2}.withDefaults(), b, in, r, yield)
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the join left %v", left)
	}
	return err
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got the error %v, want one with %q", err, part)
		}
	}
}

// brokenTable fails at its n-th call.
type brokenTable struct {
	Table
	calls, fails int64
	onFail       func() error
}

func (b *brokenTable) step() error {
	if atomic.AddInt64(&b.calls, 1) == b.fails {
		return b.onFail()
	}
	return nil
}

func (b *brokenTable) Parts() []Part {
	var parts []Part
	for _, p := range b.Table.Parts() {
		parts = append(parts, brokenPart{p, b})
	}
	return parts
}

type brokenPart struct {
	Part
	table *brokenTable
}

func (p brokenPart) Heads(ctx context.Context, most Batch) (HeadReader, error) {
	if err := p.table.step(); err != nil {
		return nil, err
	}
	r, err := p.Part.Heads(ctx, most)
	return brokenHeads{r, p.table}, err
}

type brokenHeads struct {
	HeadReader
	table *brokenTable
}

func (r brokenHeads) Next() (*Heads, error) {
	if err := r.table.step(); err != nil {
		return nil, err
	}
	return r.HeadReader.Next()
}

func (p brokenPart) Values(ctx context.Context, columns []int, rows []int64, most Batch) (ValueReader, error) {
	if err := p.table.step(); err != nil {
		return nil, err
	}
	r, err := p.Part.Values(ctx, columns, rows, most)
	return brokenValues{r, p.table}, err
}

type brokenValues struct {
	ValueReader
	table *brokenTable
}

func (r brokenValues) Next() (arrow.Record, error) {
	if err := r.table.step(); err != nil {
		return nil, err
	}
	return r.ValueReader.Next()
}

// fewRowsRequest joins a few rows in several parts.
func fewRowsRequest(t testing.TB) (arrow.Record, *MemoryTable, Request) {
	t.Helper()
	var parts []arrow.Record
	for p := range 3 {
		var keys, times []any
		for i := range 20 {
			keys, times = append(keys, int64(i%5)), append(times, int64(p*20+i))
		}
		parts = append(parts, record(t, column{"k", int64s, keys}, column{"e", nanosUTC, times}, column{"n", int64s, times}))
	}
	table := memoryTable(t, Columns{Keys: []string{"k"}, EventTime: "e"}, parts...)
	var ids, times []any
	for i := range 30 {
		ids, times = append(ids, int64(i%5)), append(times, int64(i*2))
	}
	return record(t, column{"id", int64s, ids}, column{"t", nanosUTC, times}), table,
		Request{EventTime: "t", Views: []View{{Name: "v", Keys: []string{"id"}}}, Features: []Feature{{View: "v", Name: "n"}}}
}

var errPlanted = errors.New("planted")

// B7: whatever call of a table fails, or ends the context, the join returns
// that, and nothing stays behind.
func TestFailedAndCancelledJoinsLeaveNothing(t *testing.T) {
	for name, b := range budgets {
		for _, cancelled := range []bool{false, true} {
			for fails := int64(1); ; fails++ {
				entity, table, request := fewRowsRequest(t)
				ctx, cancel := context.WithCancel(context.Background())
				want := errPlanted
				if cancelled {
					want = context.Canceled
				}
				broken := &brokenTable{Table: table, fails: fails, onFail: func() error {
					if !cancelled {
						return errPlanted
					}
					cancel()
					return nil // the join has to notice by itself
				}}
				request.Views[0].Table = broken
				err := joinLeavesNothing(t, ctx, b.budget, entity, request, func(arrow.Record) error { return nil })
				cancel()
				if broken.calls < fails {
					if err != nil {
						t.Errorf("%s: a join that nothing disturbed: %v", name, err)
					}
					if fails < 10 {
						t.Errorf("%s: only %d calls were tried", name, fails)
					}
					break
				}
				if !errors.Is(err, want) {
					t.Fatalf("%s: call %d fails: got %v, want %v", name, fails, err, want)
				}
			}
		}
	}
}

// B7: the same for whoever takes the rows.
func TestYieldEndsTheJoin(t *testing.T) {
	for name, b := range budgets {
		for stop := range 10 {
			for _, cancelled := range []bool{false, true} {
				entity, table, request := fewRowsRequest(t)
				request.Views[0].Table = table
				ctx, cancel := context.WithCancel(context.Background())
				want, n := errPlanted, 0
				if cancelled {
					want = context.Canceled
				}
				err := joinLeavesNothing(t, ctx, b.budget, entity, request, func(arrow.Record) error {
					if n++; n == stop+1 {
						if !cancelled {
							return errPlanted
						}
						cancel()
					}
					return nil
				})
				cancel()
				if !errors.Is(err, want) {
					t.Errorf("%s, stopped at record %d: got %v, want %v", name, stop, err, want)
				}
			}
		}
	}
}

// B7, and errors that name what is wrong: no folder to spill to, and one that
// disappears.
func TestSpillDirectoryFails(t *testing.T) {
	entity, table, request := fewRowsRequest(t)
	request.Views[0].Table = table
	in, err := array.NewRecordReader(entity.Schema(), []arrow.Record{entity})
	if err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	_, err = joinWithin(context.Background(), Config{SpillDir: missing}.withDefaults(), budgets["all spilled"].budget, in, request, func(arrow.Record) error { return nil })
	wantError(t, err, "spill", missing)
}

// A reader of entity rows that fails.
type failingReader struct {
	array.RecordReader
	err error
}

func (r failingReader) Next() bool { return false }
func (r failingReader) Err() error { return r.err }

func TestEntityRowsThatCannotBeRead(t *testing.T) {
	entity, table, request := fewRowsRequest(t)
	request.Views[0].Table = table
	in, err := array.NewRecordReader(entity.Schema(), []arrow.Record{entity})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Join(context.Background(), Config{}, failingReader{in, errPlanted}, request, func(arrow.Record) error { return nil })
	if !errors.Is(err, errPlanted) {
		t.Errorf("got %v, want %v", err, errPlanted)
	}
	wantError(t, err, "read entity rows")
}

// lyingPart says it has other rows than it has.
type lyingPart struct {
	Part
	rows int64
}

func (p lyingPart) Rows() int64 { return p.rows }

type lyingTable struct{ *MemoryTable }

func (t lyingTable) Parts() []Part {
	var parts []Part
	for _, p := range t.MemoryTable.Parts() {
		parts = append(parts, lyingPart{p, p.Rows() + 1})
	}
	return parts
}

func TestPartsThatHaveChangedAreErrors(t *testing.T) {
	entity, table, request := fewRowsRequest(t)
	request.Views[0].Table = lyingTable{table}
	wantError(t, joinError(t, entity, request), "rows has 21 rows, and 20 were read")
}

func TestConfigFaultsAreReportedTogether(t *testing.T) {
	err := Config{MemoryLimit: 5, Threads: -1, BatchRows: -1}.Validate()
	wantError(t, err, "MemoryLimit is 5", "Threads is -1", "BatchRows is -1")
	if err := (Config{MemoryLimit: LeastMemory}).Validate(); err != nil {
		t.Errorf("the least memory: %v", err)
	}
	for limit := int64(LeastMemory); limit < 1<<40; limit *= 3 {
		b := Config{MemoryLimit: limit}.budget()
		for _, sum := range []int64{
			b.spool + b.matches + b.values + b.pages + b.spine + b.buffers, // while matching
			b.spool + b.matches + b.values + b.pages,                       // while fetching
			b.spool + b.values + b.blocks,                                  // while handing out
		} {
			if sum > limit/2 {
				t.Errorf("of %d bytes %d are planned, more than half", limit, sum)
			}
		}
	}
}
