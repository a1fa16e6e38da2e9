package batch

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
	"featurestore/offline/jobs"
)

func openBucket(t testing.TB, url string) (*bucket.Bucket, *Bucket) {
	t.Helper()
	at, err := bucket.Open(t.Context(), url, bucket.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return at, NewBucket(at, t.TempDir())
}

// TestABucketNamesWhatADiskDoes compares the two, pattern by pattern.
func TestABucketNamesWhatADiskDoes(t *testing.T) {
	all := []string{"a.csv", "b/c.parquet", "b/d/e.jsonl.gz", "b/_SUCCESS", "b/.hidden.csv", "b/_temporary/f.csv", "b/notes.txt", "b2/g.csv", "day=1/p.csv", "day=2/p.csv"}
	disk := openDisk(t, tree(t, all...))
	at, files := openBucket(t, buckettest.New(t).URL("sources/deep"))
	for _, name := range all {
		if err := at.Create(t.Context(), name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	list := func(f Files, pattern string) string {
		found, err := f.List(t.Context(), pattern)
		var names []string
		for _, file := range found {
			if names = append(names, file.Name); file.SizeBytes != int64(len(file.Name)) {
				t.Errorf("%s is said to have %d bytes", file.Name, file.SizeBytes)
			}
		}
		if err != nil {
			names = append(names, "error")
		}
		return strings.Join(names, " ")
	}
	for _, pattern := range []string{
		".", "a.csv", "./a.csv", "b", "b/", "b/*.parquet", "b/*", "*", "*.csv", "*/*.csv", "day=*/p.csv", "day=*", "b?/*", "b/notes.txt", "b/d", "b/_temporary", "b/_temporary/f.csv",
		"none.csv", "none/*", "b/*.csv", "../x", "b/../../x", "[",
	} {
		if got, want := list(files, pattern), list(disk, pattern); got != want {
			t.Errorf("%s names %q in a bucket, and %q on a disk", pattern, got, want)
		}
	}
}

func TestABucketIsMaterialized(t *testing.T) {
	at, files := openBucket(t, buckettest.New(t).URL("sources"))
	w := newWorld(t, func(c *Config) { c.Files = files })
	if err := at.Create(t.Context(), "in/a.csv", []byte(lines(1, 2))); err != nil {
		t.Fatal(err)
	}
	w.done(stats)
	if d := w.done(stats); d.FilesUnchanged != 1 || d.Rows != 0 {
		t.Errorf("the second time it did %+v", d)
	}
	if err := errors.Join(at.Remove(t.Context(), "in/a.csv"), at.Create(t.Context(), "in/a.csv", []byte(lines(1, 2, 3)))); err != nil {
		t.Fatal(err)
	}
	if d := w.done(stats); d.Rows != 1 {
		t.Errorf("of an object that grew it made %+v", d)
	}
	w.wantTotals(map[int64]int64{1: 1, 2: 1, 3: 1})
	if left, err := filepath.Glob(filepath.Join(files.dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left of what was fetched, %v", left, err)
	}
	// What is replaced between listing and reading is not taken for either.
	listed, err := files.List(t.Context(), "in")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(at.Remove(t.Context(), "in/a.csv"), at.Create(t.Context(), "in/a.csv", []byte(lines(4)))); err != nil {
		t.Fatal(err)
	}
	if f, err := files.Open(t.Context(), listed[0]); err == nil || !strings.Contains(err.Error(), "in/a.csv changed while it was read") {
		text, _ := io.ReadAll(f)
		t.Errorf("it was opened as %q, %v", text, err)
	}
	// One that is out of reach is an error that names it.
	_, gone := openBucket(t, "s3://sources?endpoint=http://127.0.0.1:1")
	w.m.cfg.Files = gone
	if j, err := w.run(stats); err != nil || j.State != jobs.Failed || !strings.Contains(j.Err.Error(), "s3://sources") {
		t.Errorf("it is %s: %v, %v", j.State, j.Err, err)
	}
}
