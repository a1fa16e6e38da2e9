package training

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
)

// What is written comes back, in every format, with the sum that was told.
func TestATrainingSetComesBackFromItsFile(t *testing.T) {
	rows := []entityRow{{7, 8, "Rome", 1, time.Minute}, {-1, 9, "São Paulo, \"SP\"", 2, 0}}
	for _, name := range []string{"out.parquet", "out.arrow", "out.csv"} {
		path := filepath.Join(t.TempDir(), name)
		in := recordsOf(rows)
		o, err := Create(path, in.Schema())
		if err != nil {
			t.Fatal(err)
		}
		for in.Next() {
			if err := o.Write(in.Record()); err != nil {
				t.Fatal(err)
			}
		}
		in.Release()
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there before it is complete", name)
		}
		w, err := o.Commit()
		if err != nil {
			t.Fatal(err)
		}
		contents, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(contents); w.Rows != 2 || w.Bytes != int64(len(contents)) || w.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: got %+v of %d bytes", name, w, len(contents))
		}
		back, err := OpenEntityRows(t.Context(), path, map[string]feature.Type{
			"driver_id": feature.ScalarOf(feature.Int64), "other_id": feature.ScalarOf(feature.Int32),
			"zone": feature.ScalarOf(feature.Int32), "at": feature.ScalarOf(feature.Timestamp),
		})
		if err != nil {
			t.Fatal(err)
		}
		var cells []string
		for back.Next() {
			rec := back.Record()
			for i := range int(rec.NumRows()) {
				for c := range int(rec.NumCols()) {
					cells = append(cells, rec.Column(c).ValueStr(i))
				}
			}
		}
		if err := errors.Join(back.Err(), back.Close()); err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(strings.Join(cells, "|"), ".000000000Z", "Z")
		const want = `7|8|Rome|1|2026-08-21 12:01:00Z|(null)|9|São Paulo, "SP"|2|2026-08-21 12:00:00Z`
		if strings.ReplaceAll(got, ".000Z", "Z") != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		left, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(left) != 1 {
			t.Errorf("%s: left behind: %v, %v", name, left, err)
		}
	}
}

func TestATrainingSetThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}}, nil)
	if _, err := Create(filepath.Join(dir, "out.xlsx"), schema); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want %v", err, ErrFormat)
	}
	o, err := Create(filepath.Join(dir, "out.parquet"), schema)
	if err != nil {
		t.Fatal(err)
	}
	o.Abandon()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestARowOfTextThatDoesNotFitIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte("driver_id,at\n7,2026-08-21T12:00:00Z\nseven,2026-08-21T12:00:00Z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, err := OpenEntityRows(t.Context(), path, map[string]feature.Type{"driver_id": feature.ScalarOf(feature.Int64)})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() || rows.Err() == nil || !strings.Contains(rows.Err().Error(), "rows.csv:3: column driver_id") {
		t.Errorf("got %v, want line and column", rows.Err())
	}
	if _, err := OpenEntityRows(t.Context(), strings.Replace(path, ".csv", ".txt", 1), nil); err == nil {
		t.Error("a .txt file is opened")
	}
}
