package history

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/hlc"
)

// printed are the rows of records as text, but for some columns.
func printed(t testing.TB, without []string, each func(func(arrow.Record) error) error) (lines []string) {
	t.Helper()
	err := each(func(rec arrow.Record) error {
		for i := range int(rec.NumRows()) {
			var b strings.Builder
			for c := range int(rec.NumCols()) {
				if slices.Contains(without, rec.ColumnName(c)) {
					continue
				}
				b.WriteString(rec.ColumnName(c) + "=" + rec.Column(c).ValueStr(i) + " ")
			}
			lines = append(lines, b.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// What Records takes column by column is what is built row by row: of every type and
// rule, of all rows and some, of a view as it was and as it became.
func TestRecordsAreTheRowsOfAFile(t *testing.T) {
	ctx := context.Background()
	s := openStore(t, "eu-1")
	h := manyFiles(t, s, newTestDisk(t))
	later := rides()
	stats := &later.Views[0]
	stats.Fields = slices.Delete(stats.Fields, 1, 3)
	stats.Fields[0] = feature.Field{Name: "conv", RenamedFrom: "rate", Type: feature.ScalarOf(feature.Float64)}
	stats.Fields = append(stats.Fields, feature.Field{Name: "new", Type: feature.ListOf(feature.Float64)})
	changed, _, err := s.Registry().Apply(later, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := h.Reader()
	defer r.Close()
	even := func(at hlc.Position, _ func() feature.Key) bool { return at.At.Millis()%2 == 0 }
	keys := func(_ hlc.Position, key func() feature.Key) bool { k := key(); return k[len(k)-1]%2 == 0 }
	none := func(hlc.Position, func() feature.Key) bool { return false }
	copied, compared := 0, 0
	for _, registry := range []*feature.Registry{s.Registry(), changed} {
		var without []string
		if registry == changed {
			without = []string{ColumnNulls, ColumnDelta} // these say more of features that were dropped
		}
		for _, name := range []string{"driver_stats", "every_type"} {
			v := view(t, registry, name)
			for _, f := range r.Files(v.ID, AllTime) {
				for what, wanted := range map[string]Wanted{"all": nil, "some": even, "some entities'": keys, "none": none} {
					got := printed(t, without, func(visit func(arrow.Record) error) error {
						for rec, err := range r.Records(ctx, v, f, wanted) {
							if err != nil {
								return err
							}
							if !rec.Schema().Equal(RecordSchema(v)) {
								t.Fatalf("%s: schema %v", f.Name, rec.Schema())
							}
							if err := visit(rec); err != nil {
								return err
							}
						}
						return nil
					})
					want := printed(t, without, func(visit func(arrow.Record) error) error {
						in, err := openRows(ctx, r.opener, f)
						if err != nil {
							return err
						}
						defer in.close()
						if _, ok := columnsOf(v).sources(in.columns); ok {
							copied++
						}
						return in.eachBuilt(ctx, columnsOf(v), RecordSchema(v), wanted, visit)
					})
					if !slices.Equal(got, want) {
						t.Fatalf("%s, %s rows: got\n%s\nwant\n%s", f.Name, what, strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
					if what == "none" && len(got) > 0 {
						t.Fatalf("%s: %d rows that nobody wants", f.Name, len(got))
					}
					compared += len(got)
				}
			}
		}
	}
	if copied == 0 || compared < 100 {
		t.Fatalf("%d files went by column, %d rows were compared", copied, compared)
	}
}

// Whoever has enough ends it, and a damaged file is an error before the first record.
func TestRecordsEnd(t *testing.T) {
	ctx := context.Background()
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	h := manyFiles(t, s, d)
	v := view(t, s.Registry(), "driver_stats")
	r := h.Reader()
	defer r.Close()
	f := r.Files(v.ID, AllTime)[0]
	for rec, err := range r.Records(ctx, v, f, nil) {
		if err != nil || rec.NumRows() == 0 {
			t.Fatalf("%v rows, %v", rec, err)
		}
		break
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range r.Records(ended, v, f, nil) {
		if err == nil {
			t.Fatal("it goes on after its context has ended")
		}
	}
}

// Retyped lists share what they are made of, and nothing leaks of it.
func TestRetypedListsLeakNothing(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	b := array.NewListBuilder(mem, arrow.PrimitiveTypes.Float32)
	defer b.Release()
	b.Append(true)
	b.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{1, 2}, nil)
	b.AppendNull()
	in := b.NewArray()
	defer in.Release()
	out := retyped(in, arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32))
	defer out.Release()
	if out.Len() != 2 || !out.IsNull(1) || out.ValueStr(0) != "[1,2]" {
		t.Errorf("got %v", out)
	}
}
