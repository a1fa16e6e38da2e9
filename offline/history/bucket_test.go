package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bucket is Files as object storage is: a map with conditional puts, whose answers
// may get lost, before or after the deed.
type bucket struct {
	sync.Mutex
	objects map[string][]byte
	// fails says what becomes of a request: nil is nothing, lost is a deed without
	// an answer, other errors are no deed.
	fails func() error
}

var errLost = errors.New("the answer was lost")

func newBucket() *bucket {
	return &bucket{objects: map[string][]byte{}, fails: func() error { return nil }}
}

func (b *bucket) Create(_ context.Context, name string, contents []byte) error {
	b.Lock()
	defer b.Unlock()
	err := b.fails()
	if err != nil && !errors.Is(err, errLost) {
		return err
	}
	if _, taken := b.objects[name]; taken {
		return errors.Join(ErrExists, err)
	}
	b.objects[name] = bytes.Clone(contents)
	return err
}

type object struct{ *bytes.Reader }

func (object) Close() error { return nil }

func (b *bucket) Open(_ context.Context, name string) (File, error) {
	b.Lock()
	defer b.Unlock()
	data, ok := b.objects[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, ErrNotExist)
	}
	return object{bytes.NewReader(data)}, nil
}

func (b *bucket) List(_ context.Context, prefix string) iter.Seq2[string, error] {
	b.Lock()
	all := slices.Collect(maps.Keys(b.objects))
	b.Unlock()
	return func(yield func(string, error) bool) {
		for _, name := range all {
			if strings.HasPrefix(name, prefix) && !yield(name, nil) {
				return
			}
		}
	}
}

func (b *bucket) Remove(_ context.Context, name string) error {
	b.Lock()
	defer b.Unlock()
	if err := b.fails(); err != nil {
		if errors.Is(err, errLost) {
			delete(b.objects, name)
		}
		return err
	}
	delete(b.objects, name)
	return nil
}

// Z3 in a bucket: each request fails once, before or after it did what it was to
// do, and the same process goes on.
func TestHistoryIsTheLogWhateverAnswerIsLost(t *testing.T) {
	ctx := context.Background()
	s := openStore(t, "eu-1")
	s.write(14, "driver_stats")
	boom := errors.New("boom")
	for _, fault := range []error{boom, errLost} {
		t.Run(fault.Error(), func(t *testing.T) {
			for failAt := 1; ; failAt++ {
				b := newBucket()
				request := 0
				b.fails = func() error {
					if request++; request == failAt {
						return fault
					}
					return nil
				}
				h, err := Open(ctx, Config{Files: b, CompactFiles: 2, Keep: 1})
				for errors.Is(err, fault) { // a lost answer may fence: then it is opened again
					h, err = Open(ctx, Config{Files: b, CompactFiles: 2, Keep: 1})
				}
				if err != nil {
					t.Fatal(err)
				}
				in := ingester(t, small{s}, h, func(c *IngestConfig) { c.MaxBytes = 4 << 10 })
				u := upkeep(t, h, s.Registry)
				work := func() error {
					return errors.Join(catchUp(ctx, in), u.Once(ctx))
				}
				for err = work(); errors.Is(err, fault); {
					err = work()
				}
				if err != nil {
					t.Fatal(err)
				}
				r := h.Reader()
				wantLog(t, s, r)
				r.Close()
				h.Close()
				if request < failAt {
					if failAt < 30 {
						t.Fatalf("only %d requests were seen to fail", failAt)
					}
					return
				}
			}
		})
	}
}
