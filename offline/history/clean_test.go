package history

import (
	"context"
	"errors"
	"strings"
	"testing"

	"featurestore/feature"
)

// opened is Files that tell which files of rows are opened.
type opened struct {
	Files
	open func(name string)
}

func (o *opened) Open(ctx context.Context, name string) (File, error) {
	if strings.HasSuffix(name, dataEnding) {
		o.open(name)
	}
	return o.Files.Open(ctx, name)
}

// An erasure goes on where the one before it was broken off.
func TestAnErasureReadsNoFileAgainThatHadNothing(t *testing.T) {
	s := openStore(t, "eu-1")
	files := &opened{Files: newTestDisk(t), open: func(string) {}}
	h := open(t, files)
	in := ingester(t, s, h)
	for range 12 {
		s.write(3, "driver_stats")
		mustCatchUp(t, in)
	}
	u := upkeep(t, h, s.Registry)
	r := h.Reader()
	views, all := r.Views(), len(r.state.data)
	r.Close()
	key, err := feature.AppendKeyValue(nil, feature.OfInt64(7))
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	first := map[string]bool{}
	last := ""
	files.open = func(name string) {
		if first[name], last = true, name; len(first) == all/2 {
			cancel()
		}
	}
	done, err := u.Erase(ctx, views, key)
	if !errors.Is(err, context.Canceled) || done.Files == 0 {
		t.Fatalf("got %+v, %v, want some done, then %v", done, err, context.Canceled)
	}
	delete(first, last) // it was not read to its end
	files.open = func(name string) {
		if first[name] {
			t.Errorf("%s is read again", name)
		}
	}
	more, err := u.Erase(context.Background(), views, key)
	if err != nil || more.Files == 0 {
		t.Fatalf("got %+v, %v, want the rest", more, err)
	}
	files.open = func(name string) { t.Errorf("%s is read when all is done", name) }
	for range 2 {
		again, err := u.Erase(context.Background(), views, key)
		if err != nil || again != (Erased{}) {
			t.Errorf("again: got %+v, %v", again, err)
		}
		left, err := u.Count(context.Background(), views, key)
		if err != nil || left != (Erased{}) {
			t.Errorf("left: got %+v, %v", left, err)
		}
	}

	// Other keys are others, and of many sets the last few are remembered.
	read := 0
	files.open = func(string) { read++ }
	for i := range int64(2 * keySetsRemembered) {
		nobody, err := feature.AppendKeyValue(nil, feature.OfInt64(1000+i))
		if err != nil {
			t.Fatal(err)
		}
		if left, err := u.Count(context.Background(), views, nobody); err != nil || left != (Erased{}) {
			t.Errorf("left: got %+v, %v", left, err)
		}
	}
	if want := 2 * keySetsRemembered * len(h.state().data); read != want || len(u.clean) != keySetsRemembered {
		t.Errorf("%d files were read, want %d; %d sets are remembered, want %d", read, want, len(u.clean), keySetsRemembered)
	}
}
