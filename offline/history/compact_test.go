package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
)

func upkeep(t testing.TB, h *History, registry func() *feature.Registry) *Upkeep {
	t.Helper()
	u, err := NewUpkeep(UpkeepConfig{History: h, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// manyFiles opens a history of a store with a commit for every few writes.
func manyFiles(t testing.TB, s *storeHouse, d *Disk, edit ...func(*Config)) *History {
	t.Helper()
	h := open(t, d, append([]func(*Config){func(c *Config) { c.CompactFiles = 3 }}, edit...)...)
	in := ingester(t, s, h)
	for range 12 {
		s.write(3, "driver_stats", "every_type")
		mustCatchUp(t, in)
	}
	return h
}

// Z7: the rows are the same, in fewer files; who began to read before goes on, and
// files go when nobody has them and Keep is over.
func TestCompactionChangesNoRow(t *testing.T) {
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	now := time.Now()
	h := manyFiles(t, s, d, func(c *Config) { c.Wall = func() time.Time { return now } })
	u := upkeep(t, h, s.Registry)
	before := h.Reader()
	n, err := u.Compact(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	after := h.Reader()
	if was, is := len(before.state.data), len(after.state.data); n < 10 || is > was-n/2 {
		t.Fatalf("%d of %d files were replaced, %d are left", n, was, is)
	}
	wantLog(t, s, after)
	now = now.Add(2 * h.cfg.Keep)
	if err := u.Collect(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, before)
	before.Close()
	before.Close() // a second time does nothing
	now = now.Add(-2 * h.cfg.Keep)
	if err := u.Collect(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(h.state().removed) != n {
		t.Fatalf("%d files await collection, want %d: Keep is not over", len(h.state().removed), n)
	}
	now = now.Add(2 * h.cfg.Keep)
	if err := u.Collect(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantOnlyCommitted(t, d, h)
	wantLog(t, s, after)
	if len(h.state().removed) > 0 {
		t.Fatalf("removals %v are not forgotten", h.state().removed)
	}
	for range 2 { // nothing is left to do; and all is as it is on the disk
		if n, err := u.Compact(context.Background()); n > 0 || err != nil {
			t.Fatalf("again %d files were replaced: %v", n, err)
		}
	}
	again, err := NewReader(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, again)
}

// Files of rows that nobody could name get their columns when they are compacted,
// and dropped views keep theirs.
func TestCompactionGivesFilesTheColumnsOfToday(t *testing.T) {
	for _, c := range []struct {
		claim      string
		then, now  func(*storeHouse) *feature.Registry
		want, none string
	}{
		{"a view that was unknown", func(*storeHouse) *feature.Registry { return feature.NewRegistry() },
			func(s *storeHouse) *feature.Registry { return s.Registry() }, "rides/driver_stats/", "_unnamed/"},
		{"a view that was dropped", func(s *storeHouse) *feature.Registry { return s.Registry() },
			func(*storeHouse) *feature.Registry { return feature.NewRegistry() }, "rides/driver_stats/", "_unnamed/"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			s, d := openStore(t, "eu-1"), newTestDisk(t)
			h := open(t, d, func(c *Config) { c.CompactFiles, c.Keep = 2, time.Nanosecond })
			in := ingester(t, known{s, c.then(s)}, h)
			for range 25 {
				s.write(4, "driver_stats")
				mustCatchUp(t, in)
			}
			u := upkeep(t, h, func() *feature.Registry { return c.now(s) })
			if _, err := u.Compact(context.Background()); err != nil {
				t.Fatal(err)
			}
			r := h.Reader()
			defer r.Close()
			wantLog(t, s, r)
			counts := map[string]int{}
			for _, f := range r.Files(view(t, s.Registry(), "driver_stats").ID, AllTime) {
				for _, prefix := range []string{c.want, c.none} {
					if strings.HasPrefix(f.Name, prefix) {
						counts[prefix]++
					}
				}
			}
			if counts[c.want] == 0 || counts[c.none] > 0 {
				t.Errorf("files %v, want all in %s", counts, c.want)
			}
		})
	}
}

// known is a store with definitions of its own.
type known struct {
	*storeHouse
	registry *feature.Registry
}

func (k known) Registry() *feature.Registry { return k.registry }

// Z3 and Z7 with ingester and upkeep at once, and deaths at random steps.
func TestHistoryIsTheLogAfterDeathsInCompaction(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 8))
			s, d := openStore(t, "eu-1"), newTestDisk(t)
			boom := errors.New("boom")
			deaths := 0
			for range 12 {
				left, death := random.IntN(400), random.IntN(2) == 0
				d.before = func(string, string) error {
					if left--; left == 0 || death && left < 0 {
						return boom
					}
					return nil
				}
				life := func() error {
					h, err := Open(context.Background(), Config{Files: d, WholeEvery: 3, CompactFiles: 2, Keep: time.Nanosecond, TargetBytes: 64 << 10})
					if err != nil {
						return err
					}
					defer h.Close()
					in, u := ingester(t, s, h), upkeep(t, h, s.Registry)
					for range 3 {
						s.write(2, "driver_stats")
						// What fails once is tried again, in the same life.
						for try := 0; ; try++ {
							err := errors.Join(catchUp(context.Background(), in), u.Once(context.Background()))
							if err == nil {
								break
							}
							if death || try > 3 {
								return err
							}
						}
					}
					return nil
				}
				if err := life(); err != nil {
					if !errors.Is(err, boom) {
						t.Fatal(err)
					}
					deaths++
				}
			}
			d.before = func(string, string) error { return nil }
			h := open(t, d)
			mustCatchUp(t, ingester(t, s, h))
			r := h.Reader()
			defer r.Close()
			wantLog(t, s, r)
			if deaths == 0 {
				t.Error("it never died")
			}
		})
	}
}

// Z6: in every file of a history a flipped bit, a cut and an exchange are found
// before anything is read.
func TestDamagedFilesAreNotRead(t *testing.T) {
	s := openStore(t, "eu-1")
	ctx := context.Background()
	for _, c := range []struct {
		claim  string
		damage func(data, other []byte) []byte
	}{
		{"a flipped bit", func(data, _ []byte) []byte { data[len(data)/2] ^= 4; return data }},
		{"a cut", func(data, _ []byte) []byte { return data[:len(data)-1] }},
		{"another file", func(_, other []byte) []byte { return other }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			d := newTestDisk(t)
			manyFiles(t, s, d)
			files := names(t, d, "rides/")
			other, err := readAll(ctx, d, files[1])
			if err != nil {
				t.Fatal(err)
			}
			data, err := readAll(ctx, d, files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(d.Remove(ctx, files[0]), d.Create(ctx, files[0], c.damage(data, other))); err != nil {
				t.Fatal(err)
			}
			r, err := NewReader(ctx, d)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.state.files() {
				got := 0
				err = nil
				for _, e := range r.Rows(ctx, f) {
					if err = e; err == nil {
						got++
					}
				}
				if damaged := f.Name == files[0]; damaged != errors.Is(err, ErrCorrupt) || damaged && (got > 0 || !strings.Contains(err.Error(), f.Name)) {
					t.Fatalf("%s, damaged %v: read %d rows, then %v", f.Name, damaged, got, err)
				}
			}
		})
	}
}

func TestRetentionTakesWholeDays(t *testing.T) {
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	h := manyFiles(t, s, d, func(c *Config) {
		c.Retain = 24 * time.Hour
		c.Wall = func() time.Time { return time.Unix(86400+5, 0) }
	})
	r := h.Reader()
	all := kept(t, r)
	r.Close()
	if err := upkeep(t, h, s.Registry).Retain(context.Background()); err != nil {
		t.Fatal(err)
	}
	r = h.Reader()
	defer r.Close()
	left := kept(t, r)
	if len(left) == 0 || len(left) == len(all) {
		t.Fatalf("%d of %d rows are left", len(left), len(all))
	}
	for _, f := range r.state.files() {
		if f.Day < 0 {
			t.Errorf("%s is left, which ended before the cut", f.Name)
		}
	}
	for f := range all {
		old := strings.Contains(f, "version 1969-") || strings.Contains(f, "version 1677-")
		if _, there := left[f]; there == old {
			t.Errorf("left is %v: %s", there, f)
		}
	}
	if since, err := RetainedSince(context.Background(), d); err != nil || since.Unix() != 0 {
		t.Errorf("it says that it has what is since %v, %v, want 1970-01-01", since, err)
	}
	if since, err := RetainedSince(context.Background(), newTestDisk(t)); err != nil || !since.IsZero() {
		t.Errorf("one that let nothing go has what is since %v, %v", since, err)
	}
}

func TestWhatIsMadeOne(t *testing.T) {
	file := func(name string, view feature.ViewID, day Day, sizeBytes int64) DataFile {
		return DataFile{Name: name, View: view, Day: day, SizeBytes: sizeBytes}
	}
	got := choose([]DataFile{
		file("b", 1, 5, 1000), file("a", 1, 5, 20_000), // one class: below 32 KiB
		file("c", 1, 6, 1000), file("d", 1, 6, 500_000), // one day, two classes
		file("e", 2, 5, 1000),                          // another view
		file("f", 1, 7, 1<<20), file("g", 1, 7, 1<<20), // half the target: large enough
		file("h", 1, 8, 300_000), file("i", 1, 8, 400_000), file("j", 1, 8, 200_000),
	}, 2, 2<<20)
	var sets [][]string
	for _, set := range got {
		sets = append(sets, fileNames(set))
	}
	if want := [][]string{{"a", "b"}, {"h", "i", "j"}}; !slices.EqualFunc(sets, want, slices.Equal) {
		t.Errorf("got %v, want %v", sets, want)
	}
	if got := choose(slices.Repeat([]DataFile{file("x", 1, 1, 1)}, 200), 2, 1<<20); len(got) != 1 || len(got[0]) != maxMerged {
		t.Errorf("%d sets, want one of %d files", len(got), maxMerged)
	}
}

// Files of steps become one, which says the same.
func TestCompactedStepsSayTheSame(t *testing.T) {
	ctx := context.Background()
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	h := open(t, d)
	in := ingester(t, s, h)
	for range stepFiles + 3 {
		s.write(1, "driver_stats")
		mustCatchUp(t, in)
	}
	steps := func() []Step {
		r := h.Reader()
		defer r.Close()
		all, err := r.Steps(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return all.All()
	}
	before := steps()
	if _, err := upkeep(t, h, s.Registry).Compact(ctx); err != nil {
		t.Fatal(err)
	}
	if got := len(h.state().steps); got != 1 {
		t.Errorf("%d files of steps, want 1", got)
	}
	if after := steps(); len(before) < stepFiles || !slices.Equal(before, after) {
		t.Errorf("%d steps became %d others", len(before), len(after))
	}
}

// Manifests that a later whole one made superfluous go, and the history is whole.
func TestOldManifestsAreCollected(t *testing.T) {
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	now := time.Now()
	h := manyFiles(t, s, d, func(c *Config) { c.WholeEvery, c.Wall = 4, func() time.Time { return now } })
	now = now.Add(2 * h.cfg.Keep)
	if err := upkeep(t, h, s.Registry).Collect(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := len(names(t, d, commitsFolder)); n > 8 {
		t.Errorf("%d manifests are left", n)
	}
	r, err := NewReader(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, r)
}

// Upkeep ends with its context, and when the history is another's.
func TestUpkeepEnds(t *testing.T) {
	d := newTestDisk(t)
	h := open(t, d, func(c *Config) { c.Retain = time.Hour })
	u, err := NewUpkeep(UpkeepConfig{History: h, Registry: feature.NewRegistry, Every: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := u.Run(ctx); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	h.Close()
	if err := u.Run(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if _, err := NewUpkeep(UpkeepConfig{}); err == nil {
		t.Error("a configuration without a history is taken")
	}
}
