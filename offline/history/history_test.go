package history

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

// flaky is Files whose next Create does what is asked.
type flaky struct {
	Files
	// create is called in place of Create when it is not nil.
	create func(ctx context.Context, name string, contents []byte) error
}

func (f *flaky) Create(ctx context.Context, name string, contents []byte) error {
	if f.create != nil {
		return f.create(ctx, name, contents)
	}
	return f.Files.Create(ctx, name, contents)
}

func open(t testing.TB, files Files, edit ...func(*Config)) *History {
	t.Helper()
	cfg := Config{Files: files}
	for _, e := range edit {
		e(&cfg)
	}
	h, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

var shardA = feature.Shard{Group: 1}

// raise commits that origin 1 has come to a timestamp, and a file of that name.
func raise(h *History, at hlc.Timestamp) error {
	return h.commit(context.Background(), func(s *state) (*Manifest, error) {
		if s.progress[shardA][1] >= at {
			return nil, errThere
		}
		return &Manifest{
			Progress: map[feature.Shard]hlc.Vector{shardA: {1: at}},
			Added:    []DataFile{{Name: fmt.Sprintf("p/v/event_date=1970-01-01/%d.parquet", at), View: 1}},
		}, nil
	})
}

var errThere = errors.New("it is there already")

// Z2: what is loaded is what was committed last, through whole manifests and others.
func TestAHistoryIsOpenedAsItWasCommitted(t *testing.T) {
	d := NewDisk(t.TempDir())
	at := hlc.Timestamp(0)
	for range 4 {
		h := open(t, d, func(c *Config) { c.WholeEvery = 5 })
		if got := h.Progress(shardA)[1]; got != at {
			t.Fatalf("opened at %v, want %v", got, at)
		}
		for range 7 {
			at++
			if err := raise(h, at); err != nil {
				t.Fatal(err)
			}
			s, err := load(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			if s.progress[shardA][1] != at || len(s.data) != int(at) || s.number != h.state().number || s.sum != h.state().sum {
				t.Fatalf("after commit %v: loaded %v with %d files", at, s.progress, len(s.data))
			}
		}
	}
}

// Z4.
func TestWhoOpensAHistoryFencesWhoHadItBefore(t *testing.T) {
	d := NewDisk(t.TempDir())
	first := open(t, d)
	if err := raise(first, 1); err != nil {
		t.Fatal(err)
	}
	second := open(t, d)
	for range 2 {
		if err := raise(first, 2); !errors.Is(err, ErrFenced) {
			t.Fatalf("the first writer got %v, want ErrFenced", err)
		}
	}
	if err := raise(second, 3); err != nil {
		t.Fatal(err)
	}
	second.Close()
	if err := raise(second, 4); !errors.Is(err, ErrClosed) {
		t.Fatalf("after Close: got %v, want ErrClosed", err)
	}
}

// Whoever waits for a commit hears that there will be none.
func TestTheEndWakesThoseWhoWait(t *testing.T) {
	d := NewDisk(t.TempDir())
	first := open(t, d)
	second := open(t, d)
	heard := func(what string, committed <-chan struct{}) {
		t.Helper()
		select {
		case <-committed:
		default:
			t.Errorf("%s: nobody hears of it", what)
		}
	}
	committed := first.Committed()
	if err := raise(first, 2); !errors.Is(err, ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
	heard("fenced", committed)
	committed = second.Committed()
	second.Close()
	heard("closed", committed)
	second.Close()
}

// A commit whose making failed may be there. It is never made twice, and never
// forgotten.
func TestACommitThatFailedMayBeThere(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		claim string
		made  bool // the manifest is there although Create failed
		again error
	}{{"it is not", false, nil}, {"it is", true, errThere}} {
		t.Run(c.claim, func(t *testing.T) {
			d := NewDisk(t.TempDir())
			files := &flaky{Files: d}
			h := open(t, files)
			files.create = func(ctx context.Context, name string, contents []byte) error {
				if c.made {
					if err := d.Create(ctx, name, contents); err != nil {
						return err
					}
				}
				return boom
			}
			if err := raise(h, 1); !errors.Is(err, boom) {
				t.Fatalf("got %v, want boom", err)
			}
			files.create = nil
			if err := raise(h, 1); !errors.Is(err, c.again) {
				t.Fatalf("again: got %v, want %v", err, c.again)
			}
			if err := raise(h, 2); err != nil {
				t.Fatal(err)
			}
			s, err := load(context.Background(), d)
			if err != nil || s.progress[shardA][1] != 2 || len(s.data) != 2 || s.number != 3 {
				t.Fatalf("got %+v, %v, want 2 files in 3 manifests", s, err)
			}
		})
	}
}

// A bucket may carry out a request long after its answer was given up. Then
// another commit, not yet settled, has the number.
func TestACommitThatComesLateIsAdopted(t *testing.T) {
	d := NewDisk(t.TempDir())
	files := &flaky{Files: d}
	h := open(t, files)
	var late func() error
	files.create = func(ctx context.Context, name string, contents []byte) error {
		if late == nil {
			late = func() error { return d.Create(ctx, name, contents) }
			return errors.New("no answer")
		}
		if err := late(); err != nil {
			return err
		}
		files.create = nil
		return d.Create(ctx, name, contents)
	}
	if err := raise(h, 1); err == nil {
		t.Fatal("no error without an answer")
	}
	if err := raise(h, 1); !errors.Is(err, errThere) {
		t.Fatalf("got %v, want %v", err, errThere)
	}
	if got := h.Progress(shardA)[1]; got != 1 {
		t.Fatalf("got %v, want 1", got)
	}
}

func TestAChainWithAnotherManifestInItIsAnError(t *testing.T) {
	ctx, d := context.Background(), NewDisk(t.TempDir())
	h := open(t, d)
	for at := range hlc.Timestamp(3) {
		if err := raise(h, at+1); err != nil {
			t.Fatal(err)
		}
	}
	m, _, err := readManifest(ctx, d, 3)
	if err != nil {
		t.Fatal(err)
	}
	m.AtMillis++
	if err := errors.Join(d.Remove(ctx, manifestName(3)), d.Create(ctx, manifestName(3), encodeManifest(m))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, Config{Files: d}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("got %v, want ErrCorrupt", err)
	}
}

// Z5.
func TestWhatNoManifestNamesGoesAtOpen(t *testing.T) {
	ctx, d := context.Background(), NewDisk(t.TempDir())
	h := open(t, d)
	if err := raise(h, 1); err != nil {
		t.Fatal(err)
	}
	keep := "p/v/event_date=1970-01-01/1.parquet"
	for _, name := range []string{keep, "p/v/event_date=1970-01-01/orphan.parquet", "_steps/orphan.steps", "p/somebodys.txt"} {
		if err := d.Create(ctx, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	open(t, d)
	for name, want := range map[string]int{keep: 1, "p/v/event_date=1970-01-01/orphan.parquet": 0, "_steps/": 0, "p/somebodys.txt": 1} {
		if got := names(t, d, name); len(got) != want {
			t.Errorf("files like %s: got %q, want %d", name, got, want)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := Config{Keep: -1, WholeEvery: -1, TargetBytes: -1, CompactFiles: 1, Retain: -1}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 6 {
		t.Errorf("got %v, want 6 faults", err)
	}
}
