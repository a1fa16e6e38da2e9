package training

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"featurestore/feature"
)

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
