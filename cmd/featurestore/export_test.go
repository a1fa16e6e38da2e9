package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"featurestore/api"
)

func TestTheFileOfTheEntityRowsIsKnownByEveryName(t *testing.T) {
	dir := t.TempDir()
	rows, other, link := filepath.Join(dir, "rows.csv"), filepath.Join(dir, "other.csv"), filepath.Join(dir, "link.csv")
	for _, path := range []string{rows, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(rows, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rows, out string
		want      bool
	}{
		{rows, rows, true}, {rows, link, true}, {rows, filepath.Join(dir, ".", "rows.csv"), true},
		{rows, other, false}, {rows, filepath.Join(dir, "new.csv"), false}, {"", rows, false},
		{"s3://lake/rows.csv?region=eu", "s3://lake/rows.csv", true}, {"s3://lake/rows.csv", "s3://lake/train.csv", false}, {rows, "s3://lake/rows.csv", false},
	} {
		if got := isSameFile(c.rows, c.out); got != c.want {
			t.Errorf("%s and %s: got %v, want %v", c.rows, c.out, got, c.want)
		}
	}
}

func TestAnExportSaysHowOldItsHistoryIs(t *testing.T) {
	now := time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		age  time.Duration
		want string
	}{
		{0, ", history up to commit 7"},
		{999 * time.Millisecond, ", history up to commit 7"},
		{1500 * time.Millisecond, ", history up to commit 7 of 1s ago"},
		{90 * time.Second, ", history up to commit 7 of 1m ago"},
		{26*time.Hour + 3*time.Minute, ", history up to commit 7 of 26h3m ago"},
		{-time.Hour, ", history up to commit 7"}, // of a clock that is ahead
	} {
		h := api.HistoryManifest{Commit: 7, CommittedAt: now.Add(-c.age).Format(time.RFC3339Nano)}
		if got := describeHistory(h, now); got != c.want {
			t.Errorf("%v: got %q, want %q", c.age, got, c.want)
		}
	}
	if got, want := describeHistory(api.HistoryManifest{}, now), ", of a history that has no commit yet"; got != want {
		t.Errorf("no commit: got %q, want %q", got, want)
	}
}
