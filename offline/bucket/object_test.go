package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

func noise(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(b) // it never fails
	return b
}

// Reading asks for each byte once: what is verified from front to back and then read
// here and there is one download, and a footer is not all of a file.
func TestAFileIsDownloadedOnce(t *testing.T) {
	s := buckettest.New(t)
	contents := noise(20*bucket.BlockBytes + 17)
	s.Replace("p/large", contents)
	s.Replace("p/small", contents[:bucket.BlockBytes])
	var gets atomic.Int64
	s.SetFault(func(r buckettest.Request) buckettest.Fault {
		if r.Operation == "GetObject" {
			gets.Add(1)
		}
		return buckettest.None
	})
	b := open(t, s.URL("p"))
	for _, c := range []struct {
		claim, name string
		footer      bool
		want        int64
	}{
		{"a small file is one request", "small", false, 1},
		{"a large one is a few, each twice the one before", "large", false, 5},
		{"a footer is the first and the last block", "large", true, 2},
	} {
		gets.Store(0)
		f, err := b.Open(t.Context(), c.name)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := s.Object("p/" + c.name)
		if !c.footer {
			if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: read %d bytes, %v", c.claim, len(got), err)
			}
		}
		for range 3 { // again, from what is here
			p := make([]byte, 8)
			if _, err := f.ReadAt(p, int64(len(want)-8)); err != nil || !bytes.Equal(p, want[len(want)-8:]) {
				t.Fatalf("%s: the end is %x, %v", c.claim, p, err)
			}
		}
		if got := gets.Load(); got != c.want {
			t.Errorf("%s: got %d requests, want %d", c.claim, got, c.want)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Answers that are cut, lost or late are asked for again from where they ended.
func TestAReadGoesOnWhereAnAnswerEnded(t *testing.T) {
	s := buckettest.New(t)
	contents := noise(9*bucket.BlockBytes + 5)
	s.Replace("p/a", contents)
	b := open(t, s.URL("p"))
	b.Hurry(3, patient)
	var count atomic.Int64
	s.SetFault(func(buckettest.Request) buckettest.Fault {
		return []buckettest.Fault{buckettest.Half, buckettest.None, buckettest.Drop, buckettest.Refuse}[count.Add(1)%4]
	})
	f, err := b.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, contents) {
		t.Fatalf("read %d bytes, %v, want the %d there are", len(got), err, len(contents))
	}
	s.SetFault(func(buckettest.Request) buckettest.Fault { return buckettest.Half })
	if _, err := b.Open(t.Context(), "a"); !errors.Is(err, bucket.ErrUnreachable) {
		t.Errorf("all answers are cut: got %v, want ErrUnreachable", err)
	}
}

// BK5.
func TestAnObjectThatIsReplacedWhileItIsReadIsAnError(t *testing.T) {
	s := buckettest.New(t)
	s.Replace("p/a", noise(3*bucket.BlockBytes))
	b := open(t, s.URL("p"))
	f, err := b.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s.Replace("p/a", noise(3*bucket.BlockBytes+1))
	if _, err := io.ReadAll(f); !errors.Is(err, bucket.ErrChanged) {
		t.Fatalf("got %v, want ErrChanged", err)
	}
}

// Temporary files go with their reader; and a folder that is not there is told.
func TestWhatIsReadLeavesNothingBehind(t *testing.T) {
	s := buckettest.New(t)
	s.Replace("p/a", noise(3*bucket.BlockBytes))
	dir := t.TempDir()
	for _, c := range []struct {
		dir string
		ok  bool
	}{{dir, true}, {dir + "/none", false}} {
		b, err := bucket.Open(t.Context(), s.URL("p"), bucket.Options{Dir: c.dir})
		if err != nil {
			t.Fatal(err)
		}
		f, err := b.Open(t.Context(), "a")
		if c.ok != (err == nil) || err != nil && (!errors.Is(err, os.ErrNotExist) || errors.Is(err, bucket.ErrUnreachable)) {
			t.Fatalf("in %s: got %v", c.dir, err)
		}
		if err == nil {
			if _, err := io.Copy(io.Discard, f); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// A fetched object is a file with its ending; one that fails leaves none.
func TestFetchMakesAFile(t *testing.T) {
	s := buckettest.New(t)
	dir := t.TempDir()
	for _, size := range []int{0, 5, 3*bucket.BlockBytes + 1} {
		s.Replace("p/rows.csv.gz", noise(size))
		file, err := bucket.Fetch(t.Context(), strings.Replace(s.URL("p"), "/p?", "/p/rows.csv.gz?", 1), dir)
		if err != nil || !strings.HasSuffix(file, "-rows.csv.gz") {
			t.Fatalf("got %s, %v", file, err)
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, noise(size)) {
			t.Fatalf("%d bytes were fetched, %d others are there: %v", size, len(got), err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, s.URL("p"))
	b.Hurry(2, patient)
	if _, err := b.Fetch(t.Context(), "none.csv", dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	s.SetFault(func(buckettest.Request) buckettest.Fault { return buckettest.Half })
	if _, err := b.Fetch(t.Context(), "rows.csv.gz", dir); !errors.Is(err, bucket.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// A list says enough of an object to tell whether it changed; a file that is opened
// has it all, and no name.
func TestWhatChangedIsToldByAList(t *testing.T) {
	s := buckettest.New(t)
	dir := t.TempDir()
	b, err := bucket.Open(t.Context(), s.URL("p"), bucket.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var seen [2]bucket.Object
	for i, contents := range []string{"one", "two"} {
		s.Replace("p/a/b.csv", []byte(contents))
		for o, err := range b.Objects(t.Context(), "a/") {
			if err != nil {
				t.Fatal(err)
			}
			seen[i] = o
		}
		f, err := b.OpenFile(t.Context(), "a/b.csv")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || string(got) != contents {
			t.Fatalf("got %q, %v, want %s", got, err, contents)
		}
	}
	if seen[0].Name != "a/b.csv" || seen[0].SizeBytes != 3 || seen[0].Modified.IsZero() || seen[0].Tag == "" || seen[0].Tag == seen[1].Tag {
		t.Errorf("got %+v, and when it had changed %+v", seen[0], seen[1])
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
