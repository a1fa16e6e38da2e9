package history

import (
	"context"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"featurestore/feature"
)

// A reader by columns finds what it needs, also in a file from before a rename,
// and knows whether columns say it all.
func TestLayoutSaysWhatTheColumnsHold(t *testing.T) {
	ctx := context.Background()
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	h := open(t, d)
	in := ingester(t, s, h)
	for range 12 {
		s.write(1, "driver_stats")
		mustCatchUp(t, in)
	}
	old := view(t, s.Registry(), "driver_stats")
	later := rides()
	later.Views[0].Fields[0] = feature.Field{Name: "conv", RenamedFrom: "rate", Type: feature.ScalarOf(feature.Float64)}
	if _, err := s.Apply(ctx, later, nil); err != nil {
		t.Fatal(err)
	}
	rate, _ := old.Field("rate")
	taken, _ := old.Field(ColumnAt)
	h2 := open(t, newTestDisk(t))
	mustCatchUp(t, ingester(t, s, h2))
	plain, other := 0, 0
	for _, c := range []struct {
		h    *History
		name string
	}{{h, "rate"}, {h2, "conv"}} {
		r := c.h.Reader()
		for _, f := range r.Files(old.ID, AllTime) {
			got, err := r.Layout(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Keys, []string{"driver_id"}) || got.Features[rate.ID] != c.name || got.Features[taken.ID] != "" {
				t.Errorf("%s: got %+v", f.Name, got)
			}
			if want := !hasDelta(t, c.h, f); got.Plain != want {
				t.Errorf("%s: plain is %v, want %v", f.Name, got.Plain, want)
			}
			if got.Plain {
				plain++
			} else {
				other++
			}
		}
		r.Close()
	}
	if plain == 0 || other == 0 {
		t.Errorf("%d files are plain and %d are not: want some of both", plain, other)
	}
}

// hasDelta reads the column.
func hasDelta(t *testing.T, h *History, f DataFile) bool {
	t.Helper()
	ctx := context.Background()
	contents, err := h.opener.open(ctx, f.Name, f.SizeBytes, f.Sum)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = contents.Close() }()
	raw, err := file.NewParquetReader(contents)
	if err != nil {
		t.Fatal(err)
	}
	in, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{}, memory.NewGoAllocator())
	if err != nil {
		t.Fatal(err)
	}
	table, err := in.ReadTable(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	column := table.Column(int(table.NumCols()) - 1)
	if column.Name() != ColumnDelta {
		t.Fatalf("the last column is %s", column.Name())
	}
	return column.NullN() < column.Len()
}
