package history

import (
	"context"
	"errors"
	"os"

	"slices"
	"testing"
)

// newTestDisk is a disk that is not waited for: a death in a test loses no cache
// of the system's.
func newTestDisk(t testing.TB) *Disk {
	t.Helper()
	d := NewDisk(t.TempDir())
	d.sync = func(*os.File) error { return nil }
	return d
}

func names(t testing.TB, files Files, prefix string) []string {
	t.Helper()
	var out []string
	for name, err := range files.List(context.Background(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Whatever step fails, a file is there whole or not at all, under its name and in
// lists; and what is left beside it goes with Tidy.
func TestAFileIsThereWholeOrNotAtAll(t *testing.T) {
	ctx, contents := context.Background(), []byte("0123456789")
	boom := errors.New("boom")
	for fail := 0; ; fail++ {
		d := NewDisk(t.TempDir())
		step := 0
		d.before = func(string, string) error {
			if step++; step == fail+1 {
				return boom
			}
			return nil
		}
		err := d.Create(ctx, "a/b/c.x", contents)
		if err != nil && !errors.Is(err, boom) {
			t.Fatalf("step %d: got %v, want boom", fail, err)
		}
		if failed := step > fail; failed != (err != nil) {
			t.Fatalf("step %d failed is %v, and the error %v", fail, failed, err)
		}
		listed := names(t, d, "")
		if got, err := readAll(ctx, d, "a/b/c.x"); err == nil && string(got) != string(contents) || err == nil != (len(listed) == 1) {
			t.Fatalf("step %d: read %q, %v, and listed %q", fail, got, err, listed)
		}
		d.before = func(string, string) error { return nil }
		if err := d.Tidy(ctx); err != nil {
			t.Fatal(err)
		}
		for name := range d.walk(ctx, "", true) {
			t.Fatalf("step %d: Tidy left %s", fail, name)
		}
		if err := d.Create(ctx, "a/b/c.x", contents); err != nil && !errors.Is(err, ErrExists) {
			t.Fatalf("step %d: made again: %v", fail, err)
		}
		if step <= fail {
			if fail < 6 {
				t.Fatalf("only %d steps were seen to fail", fail)
			}
			return
		}
	}
}

func TestAFileIsMadeOnce(t *testing.T) {
	ctx, d := context.Background(), NewDisk(t.TempDir())
	if err := d.Create(ctx, "a/1.x", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := d.Create(ctx, "a/1.x", []byte("two")); !errors.Is(err, ErrExists) {
		t.Fatalf("got %v, want ErrExists", err)
	}
	if got, err := readAll(ctx, d, "a/1.x"); string(got) != "one" || err != nil {
		t.Fatalf("got %q, %v, want what was there", got, err)
	}
	if _, err := d.Open(ctx, "a/2.x"); !errors.Is(err, ErrNotExist) {
		t.Fatalf("got %v, want ErrNotExist", err)
	}
	for range 2 {
		if err := d.Remove(ctx, "a/1.x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, d, ""); len(got) > 0 {
		t.Fatalf("left are %q", got)
	}
}

// Who made a file may have died before its name was durable. It does not count as
// there before it is.
func TestAFileIsThereOnceItIsDurable(t *testing.T) {
	ctx, d := context.Background(), NewDisk(t.TempDir())
	boom := errors.New("boom")
	failing := true
	d.before = func(step, _ string) error {
		if failing && step == "sync folder" {
			return boom
		}
		return nil
	}
	for range 2 {
		if err := d.Create(ctx, "a/1.x", []byte("one")); !errors.Is(err, boom) || errors.Is(err, ErrExists) {
			t.Fatalf("got %v, want boom", err)
		}
	}
	failing = false
	if err := d.Create(ctx, "a/1.x", []byte("one")); !errors.Is(err, ErrExists) {
		t.Fatalf("got %v, want ErrExists", err)
	}
}

func TestListsArePrefixes(t *testing.T) {
	ctx, d := context.Background(), NewDisk(t.TempDir())
	for _, name := range []string{"_commits/1", "_commits/2", "a/b/1", "a/bc/2", "a/b1"} {
		if err := d.Create(ctx, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string][]string{
		"_commits/": {"_commits/1", "_commits/2"}, "a/b": {"a/b/1", "a/b1", "a/bc/2"}, "a/b/": {"a/b/1"}, "none/": nil,
	} {
		if got := names(t, d, prefix); !slices.Equal(got, want) {
			t.Errorf("prefix %q: got %q, want %q", prefix, got, want)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range d.List(ended, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	}
}
