package buckettest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"featurestore/offline/bucket"
)

// Files are what a history lies on: history.Files.
type Files interface {
	Create(ctx context.Context, name string, contents []byte) error
	Open(ctx context.Context, name string) (bucket.File, error)
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
	Remove(ctx context.Context, name string) error
}

// Contract wants of a place what a history relies on. Each call of files returns a
// place of its own with nothing in it; two of one name, the same place as two
// processes have it.
func Contract(t *testing.T, files func(t *testing.T, name string) Files) {
	for _, c := range []struct {
		claim string
		holds func(t *testing.T, f Files, other Files)
	}{
		{"a file is made once", madeOnce},
		{"of many that make a file at once, one does", madeOnceAtOnce},
		{"what is written is read, by any way", readByAnyWay},
		{"lists are of prefixes", listsArePrefixes},
		{"removing twice is no error", removedTwice},
		{"names may be odd", namesMayBeOdd},
		{"an ended context ends all", endedContext},
	} {
		t.Run(strings.ReplaceAll(c.claim, " ", "_"), func(t *testing.T) {
			name := strings.ReplaceAll(c.claim, " ", "-")
			c.holds(t, files(t, name), files(t, name))
		})
	}
}

func madeOnce(t *testing.T, f, other Files) {
	ctx := t.Context()
	if err := f.Create(ctx, "a/1.x", []byte("one")); err != nil {
		t.Fatal(err)
	}
	for _, again := range []Files{f, other} {
		if err := again.Create(ctx, "a/1.x", []byte("two")); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("made again: got %v, want fs.ErrExist", err)
		}
		if got := read(t, again, "a/1.x"); string(got) != "one" {
			t.Fatalf("got %q, want what was there", got)
		}
	}
	if _, err := f.Open(ctx, "a/2.x"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
}

func madeOnceAtOnce(t *testing.T, f, other Files) {
	ctx := t.Context()
	for round := range 5 {
		name := "race/" + strconv.Itoa(round)
		const writers = 8
		var all sync.WaitGroup
		results := make([]error, writers)
		for i := range writers {
			all.Go(func() { results[i] = []Files{f, other}[i%2].Create(ctx, name, bytes.Repeat([]byte{byte(i)}, 1000)) })
		}
		all.Wait()
		made := -1
		for i, err := range results {
			switch {
			case err == nil && made >= 0:
				t.Fatalf("%s was made by %d and by %d", name, made, i)
			case err == nil:
				made = i
			case !errors.Is(err, fs.ErrExist):
				t.Fatalf("got %v, want fs.ErrExist", err)
			}
		}
		if made < 0 {
			t.Fatalf("%s was made by nobody", name)
		}
		if got := read(t, f, name); !bytes.Equal(got, bytes.Repeat([]byte{byte(made)}, 1000)) {
			t.Fatalf("%s has not the contents of who made it", name)
		}
	}
}

// readByAnyWay wants a file of 17 MiB and some small ones back: from front to back,
// at places that jump about, and from a second reader.
func readByAnyWay(t *testing.T, f, other Files) {
	ctx := t.Context()
	random := rand.New(rand.NewPCG(5, 8))
	for _, size := range []int{0, 1, 4 << 10, 1 << 20, 1<<20 + 1, 17<<20 + 5} {
		contents := make([]byte, size)
		for i := range contents {
			contents[i] = byte(random.Uint32())
		}
		name := "sizes/" + strconv.Itoa(size)
		if err := f.Create(ctx, name, contents); err != nil {
			t.Fatal(err)
		}
		if got := read(t, other, name); !bytes.Equal(got, contents) {
			t.Fatalf("%d bytes were written, and others read", size)
		}
		in, err := other.Open(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		readAbout(t, in, contents, random)
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// readAbout reads the end first, as who wants a footer does, and then anywhere.
func readAbout(t *testing.T, in bucket.File, contents []byte, random *rand.Rand) {
	t.Helper()
	size := int64(len(contents))
	if end, err := in.Seek(0, io.SeekEnd); err != nil || end != size {
		t.Fatalf("its end is at %d, %v, want %d", end, err, size)
	}
	if n, err := in.ReadAt(make([]byte, 1), size); n != 0 || err != io.EOF {
		t.Fatalf("read at the end: %d, %v, want io.EOF", n, err)
	}
	if _, err := in.Seek(-1, io.SeekStart); err == nil {
		t.Fatal("there is a place before the beginning")
	}
	for i := range 40 {
		from := size - min(size, 8)
		if i > 0 {
			from = random.Int64N(size + 1)
		}
		p := make([]byte, random.IntN(3<<20))
		n, err := in.ReadAt(p, from)
		want := contents[from:min(from+int64(len(p)), size)]
		if !bytes.Equal(p[:n], want) || err != nil && err != io.EOF || (n < len(p)) != (err == io.EOF) {
			t.Fatalf("%d bytes at %d: %d bytes, %v, equal %v", len(p), from, n, err, bytes.Equal(p[:n], want))
		}
		if at, err := in.Seek(from, io.SeekStart); at != from || err != nil {
			t.Fatalf("Seek came to %d, %v, want %d", at, err, from)
		}
		if p, err := io.ReadAll(io.LimitReader(in, 100)); err != nil || !bytes.Equal(p, contents[from:min(from+100, size)]) {
			t.Fatalf("read on from %d: %v", from, err)
		}
	}
}

func listsArePrefixes(t *testing.T, f, other Files) {
	ctx := t.Context()
	if got := list(t, f, ""); len(got) > 0 {
		t.Fatalf("nothing was made, and there is %q", got)
	}
	var many []string
	for i := range 20 {
		many = append(many, "many/"+strings.Repeat("n", i+1))
	}
	for _, name := range append([]string{"_commits/1", "_commits/2", "a/b/1", "a/bc/2", "a/b1"}, many...) {
		if err := f.Create(ctx, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string][]string{
		"_commits/": {"_commits/1", "_commits/2"}, "a/b": {"a/b/1", "a/b1", "a/bc/2"}, "a/b/": {"a/b/1"}, "none/": nil, "many/": many,
	} {
		if got := list(t, other, prefix); !slices.Equal(got, want) {
			t.Errorf("prefix %q: got %q, want %q", prefix, got, want)
		}
	}
	for _, err := range f.List(ctx, "many/") {
		if err != nil {
			t.Fatal(err)
		}
		break // who stops early is not called again
	}
}

func removedTwice(t *testing.T, f, other Files) {
	ctx := t.Context()
	if err := f.Create(ctx, "a/b/1", []byte("one")); err != nil {
		t.Fatal(err)
	}
	for _, by := range []Files{f, other, f} {
		if err := by.Remove(ctx, "a/b/1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := other.Open(ctx, "a/b/1"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
	if err := f.Create(ctx, "a/b/1", []byte("two")); err != nil {
		t.Fatalf("made again: %v", err)
	}
	if got := read(t, other, "a/b/1"); string(got) != "two" {
		t.Fatalf("got %q, want two", got)
	}
}

func namesMayBeOdd(t *testing.T, f, other Files) {
	ctx := t.Context()
	names := []string{
		"p/v/event_date=2026-08-21/a b.x", "p/Žižkov/日本.x", "p/100%/a%20b", "p/a+b&c=d?e#f", "p/'quoted\"<x>/~!@$^*(){}[]|;:,.x", "p/.hidden", "p/a..b",
	}
	for _, name := range names {
		if err := f.Create(ctx, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, other, name); string(got) != name {
			t.Fatalf("%q: got %q", name, got)
		}
	}
	slices.Sort(names)
	if got := list(t, other, "p/"); !slices.Equal(got, names) {
		t.Errorf("got %q, want %q", got, names)
	}
	for _, name := range names {
		if err := other.Remove(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(t, f, ""); len(got) > 0 {
		t.Errorf("left are %q", got)
	}
}

func endedContext(t *testing.T, f, other Files) {
	ctx, cancel := context.WithCancel(t.Context())
	if err := f.Create(ctx, "a", []byte("one")); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, opened := f.Open(ctx, "a")
	var listed error
	for _, err := range f.List(ctx, "") {
		listed = err
	}
	for operation, err := range map[string]error{
		"create": f.Create(ctx, "b", nil), "open": opened, "list": listed, "remove": f.Remove(ctx, "a"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", operation, err)
		}
	}
	if got := list(t, other, ""); !slices.Equal(got, []string{"a"}) {
		t.Errorf("there is %q, want a as it was", got)
	}
}

func read(t *testing.T, f Files, name string) []byte {
	t.Helper()
	in, err := f.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	contents, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	return contents
}

func list(t *testing.T, f Files, prefix string) []string {
	t.Helper()
	var names []string
	for name, err := range f.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
