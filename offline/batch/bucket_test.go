package batch

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

func openTestBucket(t testing.TB, s *buckettest.Server) *Bucket {
	t.Helper()
	b, err := OpenBucket(t.Context(), s.URL("in"), bucket.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A bucket names files as a folder with the same files does, whatever the pattern.
func TestABucketNamesWhatAFolderWould(t *testing.T) {
	names := []string{"a.csv", "b/c.parquet", "b/d/e.jsonl.gz", "b/_SUCCESS", "b/.hidden.csv", "b/_temporary/f.csv", "b/notes.txt", "b2/g.csv", "day=1/p.csv", "day=2/p.csv"}
	d := openDisk(t, tree(t, names...))
	s := buckettest.New(t)
	s.Replace("outside/secret.csv", []byte("x"))
	for _, name := range names {
		s.Replace("in/"+name, []byte(name))
	}
	b := openTestBucket(t, s)
	for _, pattern := range []string{
		"a.csv", "./a.csv", "b", "b/", "b/*.parquet", "day=*/p.csv", "day=*", "b?/*", "b/notes.txt", "b/*.txt", "b/*", "*", ".", "", "*/*", "b/d",
		"b/_temporary", "none.csv", "none/*", "b/*.csv", "[", "../outside/secret.csv", "/etc/passwd", "b/../../outside",
	} {
		want, wantErr := d.List(t.Context(), pattern)
		got, err := b.List(t.Context(), pattern)
		if (err == nil) != (wantErr == nil) || namesOf(got) != namesOf(want) {
			t.Errorf("%q names %q, %v; in a folder %q, %v", pattern, namesOf(got), err, namesOf(want), wantErr)
		}
	}
	if got, err := b.List(t.Context(), "s3://lake/in/b/*.parquet"); err != nil || namesOf(got) != "b/c.parquet" || got[0].SizeBytes != int64(len("b/c.parquet")) || got[0].Tag == "" {
		t.Errorf("a URL names %+v, %v", got, err)
	}
	for _, pattern := range []string{"s3://lake/outside/secret.csv", "s3://other/in/a.csv"} {
		if _, err := b.List(t.Context(), pattern); err == nil || !strings.Contains(err.Error(), "is not below s3://lake/in/") {
			t.Errorf("%s: got %v, want that it is not below the prefix", pattern, err)
		}
	}
}

func namesOf(files []File) string {
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

func TestAFileOfABucketIsOpenedWhole(t *testing.T) {
	s := buckettest.New(t)
	s.Replace("in/a.csv", []byte("driver_id\n7\n"))
	b := openTestBucket(t, s)
	f, err := b.Open(t.Context(), File{Name: "a.csv"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || string(got) != "driver_id\n7\n" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := b.Open(t.Context(), File{Name: "none.csv"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	s.SetGone(true)
	if _, err := b.List(t.Context(), "a.csv"); !errors.Is(err, bucket.ErrNoBucket) {
		t.Errorf("got %v, want ErrNoBucket", err)
	}
}

// TestABucketIsMaterialized: objects grow, and are replaced, as files are.
func TestABucketIsMaterialized(t *testing.T) {
	s := buckettest.New(t)
	files := openTestBucket(t, s)
	w := newWorld(t, func(c *Config) { c.Files = files })
	s.Replace("in/in/a.csv", []byte(lines(1, 2)))
	w.done(stats)
	if d := w.done(stats); d.FilesUnchanged != 1 || d.Rows != 0 {
		t.Errorf("the second time it did %+v", d)
	}
	s.Replace("in/in/a.csv", []byte(lines(1, 2, 3)))
	if d := w.done(stats); d.Rows != 1 {
		t.Errorf("of an object that grew it made %+v", d)
	}
	w.wantTotals(map[int64]int64{1: 1, 2: 1, 3: 1})
	// What is replaced between listing and reading is not taken for either.
	listed, err := files.List(t.Context(), "in")
	if err != nil {
		t.Fatal(err)
	}
	s.Replace("in/in/a.csv", []byte(lines(4)))
	if _, err := files.Open(t.Context(), listed[0]); err == nil || !strings.Contains(err.Error(), "in/a.csv changed while it was read") {
		t.Errorf("it gives %v", err)
	}
}
