package feature

import (
	"math"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"featurestore/hlc"
)

// failer is what testing.T and rapid.T have in common here.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkReadRow walks b with a RowReader, which must not panic, and must show
// what want holds, if b is the encoding of a row.
func checkReadRow(t failer, b []byte, want *Row) {
	t.Helper()
	r, err := ReadRow(b)
	n := 0
	for err == nil && r.Next() {
		v, err := r.Cell.Value()
		if want == nil {
			continue
		}
		c := want.Cells[n]
		if err != nil || !v.Equal(c.Read()) {
			t.Fatalf("feature %d: reader has %v, %v; the row %v", c.Feature, v, err, c.Read())
		}
		if e := r.Cell; e.Feature != c.Feature || e.Rule != c.Rule || e.Kind != c.Kind || e.Shape != c.Shape ||
			e.Version != c.Version || e.Epoch != c.Epoch || e.Null != c.isNull() {
			t.Fatalf("reader has %+v\nthe row %+v", e, c)
		}
		n++
	}
	if want != nil && (err != nil || r.Err() != nil || n != len(want.Cells) || r.Tombstone() != want.Tombstone) {
		t.Fatalf("reader ended with %v, %v after %d cells and tombstone %v; the row is %+v", err, r.Err(), n, r.Tombstone(), want)
	}
}

func TestReadRowShowsWhatReadersOfTheRowSee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, row := range append(reachable(t), rows.Draw(t, "any")) {
			checkReadRow(t, AppendRow(nil, row), &row)
		}
	})
}

// Every scalar kind, list and vector is read from a row as it was written.
func TestReadRowOfEveryType(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values.Filter(func(v Value) bool { return !v.IsNull() }).Draw(t, "value")
		c := Change{Assignments: []Assignment{{Feature: 1, Type: v.Type(), Value: v}}}
		row := must(c.Delta(Row{}, 1, 1))
		checkReadRow(t, AppendRow(nil, row), &row)
	})
}

func TestContributionsNamesEveryWriteInACell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rows.Draw(t, "row")
		r, err := ReadRow(AppendRow(nil, row))
		for i := 0; err == nil && r.Next(); i++ {
			var want []hlc.Position
			for _, total := range row.Cells[i].Totals {
				want = append(want, hlc.Position{Origin: total.Origin, At: total.At})
			}
			for _, e := range row.Cells[i].Elements {
				want = append(want, hlc.Position{Origin: e.Origin, At: e.At})
			}
			if row.Cells[i].Siblings != nil {
				for _, s := range row.Cells[i].Siblings.Beside {
					want = append(want, s.Version.Position())
				}
			}
			if n, err := r.Cell.Conflicts(); err != nil || r.Cell.Rule == Siblings && n != len(want) || r.Cell.Rule != Siblings && n != 0 {
				t.Fatalf("%s: %d conflicts, %v; want those of %v", r.Cell.Rule, n, err, want)
			}
			if got := slices.Collect(r.Cell.Contributions()); !slices.Equal(got, want) || len(want) > 0 && !r.Cell.Rule.Merges() {
				t.Fatalf("%s: got %v, want %v", r.Cell.Rule, got, want)
			}
			for range r.Cell.Contributions() {
				break
			}
		}
		if err != nil || r.Err() != nil {
			t.Fatal(err, r.Err())
		}
	})
}

// The lookup path calls Value for every feature of every entity.
func TestReadingScalarsDoesNotAllocate(t *testing.T) {
	var c Change
	for i, v := range []Value{
		OfBytes([]byte{1}), must(OfString("é")), OfInt32(1), OfInt64(1), OfFloat32(1), OfFloat64(math.NaN()), OfBool(true),
		OfNanos(-1), OfUUID(uuid.Max), must(ParseDecimal("-12.50")), OfJSON("{}"), OfVector([]float32{1, 2}),
	} {
		c.Assignments = append(c.Assignments, Assignment{Feature: FeatureID(i + 1), Type: v.Type(), Value: v})
	}
	for _, v := range []Value{OfInt64(1), OfFloat64(2)} {
		c.Assignments = append(c.Assignments, Assignment{Feature: FeatureID(len(c.Assignments) + 1), Rule: Counter, Type: v.Type(), Value: v})
	}
	c.Assignments = append(c.Assignments, Assignment{Feature: 90, Rule: Siblings, Type: ScalarOf(Int64), Value: OfInt64(1)})
	b := AppendRow(nil, must(c.Delta(Row{}, 1, 1)))
	allocs := testing.AllocsPerRun(100, func() {
		r, err := ReadRow(b)
		for r.Next() {
			_, err2 := r.Cell.Value()
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("got %v allocations a row, want none", allocs)
	}
}
