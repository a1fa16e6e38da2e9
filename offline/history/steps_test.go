package history

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
)

// drawSteps draws what a watcher notes: in each log positions and times rise.
func drawSteps(t *rapid.T) []Step {
	var steps []Step
	for i := range rapid.IntRange(0, 3).Draw(t, "logs") {
		s := Step{Shard: feature.Shard{Group: 1, Partition: uint16(i)}, Origin: hlc.Origin(rapid.IntRange(1, 2).Draw(t, "origin")), AtMillis: 1_700_000_000_000}
		for range rapid.IntRange(1, 9).Draw(t, "steps") {
			s.Through += hlc.Timestamp(rapid.IntRange(1, 1000).Draw(t, "through"))
			s.SinceMillis = rapid.SampledFrom([]int64{0, s.AtMillis}).Draw(t, "since")
			s.AtMillis += int64(rapid.IntRange(0, 100).Draw(t, "later"))
			steps = append(steps, s)
		}
	}
	return steps
}

func TestStepsAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := drawSteps(rt)
		got, err := decodeSteps(encodeSteps(want))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// Z9 against the plain way, before and after thinning: a thinner function says
// the same or less, never something else.
func TestStepsTellWhenAPositionWasReadable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt)
		if len(steps) == 0 {
			return
		}
		exact, thinner := newSteps(slices.Clone(steps)), newSteps(thin(slices.Clone(steps)))
		s := rapid.SampledFrom(steps).Draw(rt, "step")
		p := hlc.Position{Origin: s.Origin, At: s.Through - hlc.Timestamp(rapid.IntRange(0, 1).Draw(rt, "before"))}
		var want *Step
		for i := range steps {
			if steps[i].log() == s.log() && steps[i].Through >= p.At && want == nil {
				want = &steps[i]
			}
		}
		since, at, ok := exact.AppliedAt(s.Shard, p)
		if !ok || since != want.SinceMillis || at != want.AtMillis {
			t.Fatalf("position %v: got %d to %d, %v, want %+v", p, since, at, ok, *want)
		}
		wide, late, ok := thinner.AppliedAt(s.Shard, p)
		if !ok || late < at || since != 0 && wide > since { // a later one is not readable before an earlier one is
			t.Fatalf("thinner, %v lies between %d and %d, %v; it did between %d and %d", p, wide, late, ok, since, at)
		}
		last := steps[len(steps)-1]
		if _, _, ok := exact.AppliedAt(last.Shard, hlc.Position{Origin: last.Origin, At: last.Through + 1}); ok {
			t.Fatal("a position beyond the last step was readable")
		}
		if _, _, ok := exact.AppliedAt(last.Shard, hlc.Position{Origin: 99, At: 1}); ok {
			t.Fatal("a position of an unknown origin was readable")
		}
	})
}

func FuzzDecodeSteps(f *testing.F) {
	f.Add(encodeSteps([]Step{{Shard: feature.Shard{Group: 1}, Origin: 2, Through: 3, AtMillis: 4, SinceMillis: 1}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		steps, err := decodeSteps(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("got %v, want ErrCorrupt", err)
			}
			return
		}
		slices.SortStableFunc(steps, compareSteps)
		again, err := decodeSteps(encodeSteps(steps))
		if err != nil || !bytes.Equal(encodeSteps(again), encodeSteps(steps)) {
			t.Fatalf("steps %+v are printed as %+v, %v", steps, again, err)
		}
	})
}

// Steps are committed with the rows, and a later life adds to them.
func TestStepsComeWithTheCommits(t *testing.T) {
	s, d := openStore(t, "eu-1"), NewDisk(t.TempDir())
	now := time.UnixMilli(1_800_000_000_000)
	wall := func() time.Time { return now }
	shard, origin := s.Shards("eu")[0], s.Origin()
	head := func() hlc.Position { return hlc.Position{Origin: origin, At: s.Heads(shard)[origin]} }
	ask := func(p hlc.Position) (since, at int64) {
		t.Helper()
		r, err := NewReader(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := r.Steps(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		since, at, ok := steps.AppliedAt(shard, p)
		if !ok {
			t.Fatalf("%v is in no step", p)
		}
		return since - now.UnixMilli(), at - now.UnixMilli()
	}
	in := ingester(t, s, open(t, d), func(c *IngestConfig) { c.Wall = wall })
	s.write(2, "driver_stats")
	first := head()
	in.watch.look()
	now = now.Add(10 * time.Millisecond)
	s.write(1, "driver_stats")
	second := head()
	in.watch.look()
	in.cfg.MaxAge = 1
	in.began = now.Add(-time.Second)
	if _, err := in.turn(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if since, at := ask(first); since != -now.UnixMilli() || at != -10 {
		t.Errorf("the first: got %d to %d, want unknown to -10", since, at)
	}
	if since, at := ask(second); since != -10 || at != 0 {
		t.Errorf("the second: got %d to %d, want -10 to 0", since, at)
	}
	// Another life, some time later: what was noted stays, and what was written
	// meanwhile is known to be here by now, and no more.
	s.write(1, "driver_stats")
	now = now.Add(time.Minute)
	in = ingester(t, s, open(t, d), func(c *IngestConfig) { c.Wall = wall })
	in.watch.look()
	in.began = now.Add(-time.Second)
	if _, err := in.turn(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if since, at := ask(second); since != -60_010 || at != -60_000 {
		t.Errorf("the second, later: got %d to %d, want -60010 to -60000", since, at)
	}
	if since, at := ask(head()); since != -now.UnixMilli() || at != 0 {
		t.Errorf("the last: got %d to %d, want unknown to 0", since, at)
	}
}

// A commit that was there already, with the steps of its time, takes no later ones
// along unsaid.
func TestStepsSurviveACommitWhoseAnswerWasLost(t *testing.T) {
	ctx := context.Background()
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	files := &flaky{Files: d}
	h := open(t, files)
	now := time.UnixMilli(1_800_000_000_000)
	in := ingester(t, s, h, func(c *IngestConfig) { c.Wall = func() time.Time { return now } })
	look := func() {
		now = now.Add(time.Second)
		s.write(1, "driver_stats")
		in.watch.look()
	}
	look()
	if _, err := in.pull(ctx); err != nil {
		t.Fatal(err)
	}
	errLost := errors.New("the answer was lost")
	files.create = func(ctx context.Context, name string, contents []byte) error {
		if err := d.Create(ctx, name, contents); err != nil || !strings.HasPrefix(name, commitsFolder) {
			return err
		}
		return errLost
	}
	if err := in.flush(ctx); !errors.Is(err, errLost) {
		t.Fatalf("got %v, want %v", err, errLost)
	}
	files.create = nil
	look()
	at, shard := now.UnixMilli(), s.Shards("eu")[0]
	second := hlc.Position{Origin: s.Origin(), At: s.Heads(shard)[s.Origin()]}
	if err := in.flush(ctx); err != nil {
		t.Fatal(err)
	}
	look()
	if _, err := in.pull(ctx); err != nil {
		t.Fatal(err)
	}
	if err := in.flush(ctx); err != nil {
		t.Fatal(err)
	}
	r := h.Reader()
	defer r.Close()
	wantLog(t, s, r)
	steps, err := r.Steps(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if since, got, ok := steps.AppliedAt(shard, second); !ok || got != at || since != at-1000 {
		t.Errorf("%v: got %d to %d, %v, want %d to %d", second, since, got, ok, at-1000, at)
	}
}

// The steps that are held are bounded, and none of what they say gets lost.
func TestHeldStepsAreBounded(t *testing.T) {
	s := openStore(t, "eu-1")
	w := newWatcher(s, "eu", time.Now, 8)
	for range 40 {
		s.write(1, "driver_stats")
		w.look()
	}
	steps := w.take()
	w.putBack(steps)
	if len(steps) == 0 || len(steps) > 8 || len(w.take()) != len(steps) || len(w.take()) != 0 {
		t.Fatalf("%d steps are held, of at most 8", len(steps))
	}
	shard, origin := s.Shards("eu")[0], s.Origin()
	for e, err := range s.Entries(context.Background(), shard, origin, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := newSteps(slices.Clone(steps)).AppliedAt(shard, e.Position()); !ok {
			t.Fatalf("%v is in no step", e.Position())
		}
	}
}
