package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// begin returns a registry that runs until the returned stop, which waits for it.
func begin(t testing.TB, cfg Config) (*Registry, func()) {
	t.Helper()
	cfg.Prefix = "eu-1"
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return r, func() { cancel(); running.Wait() }
}

func start(t testing.TB, r *Registry, s Spec) Job {
	t.Helper()
	j, err := r.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func wait(t testing.TB, r *Registry, id ID) Job {
	t.Helper()
	j, err := r.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func untilCanceled(ctx context.Context, _ *Report) error { <-ctx.Done(); return ctx.Err() }

func nothing(context.Context, *Report) error { return nil }

func TestAJobTellsHowFarItIsAndThatItIsDone(t *testing.T) {
	r, stop := begin(t, Config{})
	defer stop()
	told, goOn := make(chan struct{}), make(chan struct{})
	j := start(t, r, Spec{Kind: "materialize", Project: "rides", Of: "driver_stats", Unit: "bytes", Work: func(_ context.Context, report *Report) error {
		report.Total(10)
		report.Done(4)
		report.Detail("a.csv")
		close(told)
		<-goOn
		report.Done(10)
		return nil
	}})
	<-told
	got, err := r.Get(j.ID)
	if err != nil || got.State != Running || got.Done != 4 || got.Total != 10 || got.Unit != "bytes" || got.Detail != "a.csv" || got.Started.IsZero() {
		t.Fatalf("while it runs it is %+v, %v", got, err)
	}
	close(goOn)
	if got = wait(t, r, j.ID); got.State != Done || got.Done != 10 || got.Err != nil || got.Ended.Before(got.Started) {
		t.Fatalf("at its end it is %+v", got)
	}
	if all := r.List("rides"); len(all) != 1 || all[0].ID != j.ID {
		t.Errorf("the project has %+v", all)
	}
	if all := r.List("other"); len(all) != 0 {
		t.Errorf("another project has %+v", all)
	}
}

func TestAJobFailsWithWhatItsWorkReturned(t *testing.T) {
	r, stop := begin(t, Config{})
	defer stop()
	wrong := errors.New("a.csv:3: column trips: no number")
	failed := wait(t, r, start(t, r, Spec{Work: func(context.Context, *Report) error { return wrong }}).ID)
	if failed.State != Failed || !errors.Is(failed.Err, wrong) {
		t.Errorf("it is %s with %v", failed.State, failed.Err)
	}
	panicked := wait(t, r, start(t, r, Spec{Work: func(context.Context, *Report) error { panic("index out of range") }}).ID)
	if panicked.State != Failed || panicked.Err == nil {
		t.Errorf("what panicked is %s with %v", panicked.State, panicked.Err)
	}
	if after := wait(t, r, start(t, r, Spec{Work: nothing}).ID); after.State != Done {
		t.Errorf("the job after them is %s", after.State)
	}
}

// TestTwoJobsNeverShareALock is JB2.
func TestTwoJobsNeverShareALock(t *testing.T) {
	r, stop := begin(t, Config{Running: 1})
	defer stop()
	first := start(t, r, Spec{Locks: []string{"rides/a", "rides/b"}, Work: untilCanceled})
	_, err := r.Start(Spec{Locks: []string{"rides/c", "rides/b"}, Work: nothing})
	var busy *BusyError
	if !errors.As(err, &busy) || !errors.Is(err, ErrBusy) || busy.By != first.ID || busy.Lock != "rides/b" {
		t.Fatalf("the second got %v", err)
	}
	waits := start(t, r, Spec{Locks: []string{"rides/c"}, Work: nothing}) // the refused one took nothing
	if _, err := r.Start(Spec{Locks: []string{"rides/c"}, Work: nothing}); !errors.Is(err, ErrBusy) {
		t.Errorf("the lock of a job that waits was given away: %v", err)
	}
	if _, err := r.Cancel(first.ID); err != nil {
		t.Fatal(err)
	}
	if j := wait(t, r, first.ID); j.State != Canceled || j.Err != nil {
		t.Errorf("what was canceled is %s with %v", j.State, j.Err)
	}
	wait(t, r, waits.ID)
	again := start(t, r, Spec{Locks: []string{"rides/b", "rides/c"}, Work: nothing})
	if j := wait(t, r, again.ID); j.State != Done {
		t.Errorf("after that it is %s", j.State)
	}
}

func TestAJobThatWaitsIsCanceledAtOnce(t *testing.T) {
	r, stop := begin(t, Config{Running: 1})
	first := start(t, r, Spec{Work: untilCanceled})
	ran := false
	second := start(t, r, Spec{Work: func(context.Context, *Report) error { ran = true; return nil }})
	for range 2 { // canceling again changes nothing
		if j, err := r.Cancel(second.ID); err != nil || j.State != Canceled {
			t.Fatalf("it is %s, %v", j.State, err)
		}
	}
	if _, err := r.Cancel(first.ID); err != nil {
		t.Fatal(err)
	}
	stop()
	if ran {
		t.Error("it ran all the same")
	}
	if _, err := r.Cancel("eu-1-none"); !errors.Is(err, ErrUnknown) {
		t.Errorf("one that is not there gives %v", err)
	}
}

// TestWhatIsDoneIsNotCanceled: work that noticed nothing was done.
func TestWhatIsDoneIsNotCanceled(t *testing.T) {
	r, stop := begin(t, Config{})
	defer stop()
	running := make(chan struct{})
	j := start(t, r, Spec{Work: func(ctx context.Context, _ *Report) error { close(running); <-ctx.Done(); return nil }})
	<-running
	if _, err := r.Cancel(j.ID); err != nil {
		t.Fatal(err)
	}
	if j = wait(t, r, j.ID); j.State != Done {
		t.Errorf("it is %s", j.State)
	}
}

func TestTooManyJobsAreRefused(t *testing.T) {
	r, stop := begin(t, Config{Running: 2, Waiting: 3})
	defer stop()
	for range 5 {
		start(t, r, Spec{Work: untilCanceled})
	}
	if _, err := r.Start(Spec{Work: nothing}); !errors.Is(err, ErrFull) {
		t.Fatalf("the sixth got %v", err)
	}
	if _, err := r.Cancel(r.List("")[0].ID); err != nil {
		t.Fatal(err)
	}
	// It may still be ending: Wait says when.
	for _, j := range r.List("") {
		if j.State == Canceled || j.State == Running {
			continue
		}
		start(t, r, Spec{Work: untilCanceled})
		return
	}
}

func TestTheEndOfRunEndsEveryJob(t *testing.T) {
	r, stop := begin(t, Config{Running: 1})
	a, b := start(t, r, Spec{Work: untilCanceled}), start(t, r, Spec{Work: untilCanceled})
	stop()
	for _, id := range []ID{a.ID, b.ID} {
		if j := wait(t, r, id); j.State != Canceled {
			t.Errorf("%s is %s", id, j.State)
		}
	}
	if _, err := r.Start(Spec{Work: nothing}); !errors.Is(err, ErrClosed) {
		t.Errorf("a job after the end got %v", err)
	}
}

func TestOldJobsAreForgotten(t *testing.T) {
	r, stop := begin(t, Config{Keep: 3})
	defer stop()
	alive := start(t, r, Spec{Work: untilCanceled})
	var ids []ID
	for range 5 {
		j := start(t, r, Spec{Work: nothing})
		wait(t, r, j.ID)
		ids = append(ids, j.ID)
	}
	for i, id := range ids {
		if _, err := r.Get(id); errors.Is(err, ErrUnknown) != (i < 2) {
			t.Errorf("job %d gives %v", i, err)
		}
	}
	if _, err := r.Get(alive.ID); err != nil {
		t.Errorf("the one that runs gives %v", err)
	}
}

func TestListIsLatestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stop := begin(t, Config{})
		defer stop()
		var want []ID
		for range 4 {
			j := start(t, r, Spec{Work: nothing})
			want = append([]ID{j.ID}, want...)
			wait(t, r, j.ID)
			<-time.After(time.Second)
		}
		var got []ID
		for _, j := range r.List("") {
			got = append(got, j.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestConfigNamesEveryFault(t *testing.T) {
	_, err := New(Config{Running: -1, Keep: -2})
	want := "jobs configuration: Prefix is empty: give the store's name\nRunning is -1: it must be positive, or zero for the default\nKeep is -2: it must be positive, or zero for the default"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// TestLocksAndBoundsHoldUnderLoad draws jobs, cancels and waits, and counts who is
// at what (JB1, JB2, JB3).
func TestLocksAndBoundsHoldUnderLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		running := rapid.IntRange(1, 3).Draw(t, "running")
		r, err := New(Config{Prefix: "eu-1", Running: running, Waiting: 4, Keep: 1000})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { _ = r.Run(ctx) })
		var atOnce atomic.Int64
		var held [3]atomic.Int64
		var faults atomic.Int64
		n := rapid.IntRange(1, 30).Draw(t, "jobs")
		var ids []ID
		for i := range n {
			lock := rapid.IntRange(0, 2).Draw(t, "lock")
			j, err := r.Start(Spec{Locks: []string{fmt.Sprint(lock)}, Work: func(context.Context, *Report) error {
				if atOnce.Add(1) > int64(running) || held[lock].Add(1) > 1 {
					faults.Add(1)
				}
				held[lock].Add(-1)
				atOnce.Add(-1)
				if i%5 == 0 {
					return errors.New("wrong")
				}
				return nil
			}})
			if err != nil && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			if err == nil {
				ids = append(ids, j.ID)
				if rapid.Bool().Draw(t, "cancel") {
					_, _ = r.Cancel(j.ID)
				}
			}
			if len(ids) > 0 && rapid.Bool().Draw(t, "wait") {
				if j, _ := r.Wait(context.Background(), ids[len(ids)-1]); !j.State.HasEnded() {
					t.Fatalf("Wait returned a job that is %s", j.State)
				}
			}
		}
		for _, id := range ids {
			before, _ := r.Wait(context.Background(), id)
			if after, _ := r.Cancel(id); after != before {
				t.Fatalf("an ended job changed from %+v to %+v", before, after)
			}
		}
		cancel()
		all.Wait()
		if faults.Load() > 0 {
			t.Fatal("more ran at once than may")
		}
	})
}
