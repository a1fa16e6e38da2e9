package sdk

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// K8.
func TestABudgetBoundsRowsAndBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing := make(chan struct{})
		b := newBudget(2, 10, closing)
		ctx, cancel := context.WithCancel(t.Context())
		take := func(n int) {
			t.Helper()
			if err := b.take(ctx, n, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		take(9)
		taken := make(chan int, 3)
		var waiting sync.WaitGroup
		for range 3 {
			waiting.Go(func() {
				if err := b.take(ctx, 5, func() {}); err == nil {
					taken <- 5
				}
			})
		}
		synctest.Wait()
		if len(taken) != 0 {
			t.Fatalf("%d rows of 5 bytes were taken beside 9 of 10", len(taken))
		}
		b.give(1, 9)
		synctest.Wait()
		if rows, bytes := b.held(); len(taken) != 2 || rows != 2 || bytes != 10 {
			t.Errorf("with room for two: %d were taken, %d rows of %d bytes are held", len(taken), rows, bytes)
		}
		cancel()
		waiting.Wait()
		if rows, bytes := b.held(); rows != 2 || bytes != 10 {
			t.Errorf("after the third gave up: %d rows of %d bytes are held, want 2 of 10", rows, bytes)
		}
		close(closing)
		if err := b.take(context.WithoutCancel(ctx), 1, func() {}); !errors.Is(err, ErrClosed) {
			t.Errorf("closed and full: got %v, want %v", err, ErrClosed)
		}
	})
}

func TestALaneSealsByRowsBytesAndTime(t *testing.T) {
	cfg := WriterConfig{MaxBatchRows: 3, MaxBatchBytes: 10, MaxDelay: 1}
	l := &lane{wake: make(chan struct{}, 1)}
	add := func(row string) *Future {
		t.Helper()
		f, err := l.add([]byte(row), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	a, b := add("aaaa"), add("bbbb")
	c := add("cccc") // does not fit beside the two
	if a.batch != b.batch || b.batch == c.batch {
		t.Error("rows of 4 bytes: want two in a batch of 10 bytes, the third in the next")
	}
	add("d")
	e := add("e")
	f := add("f") // the fourth of a batch of three
	if e.batch != c.batch || f.batch == e.batch {
		t.Error("want three rows in a batch, the fourth in the next")
	}
	for _, want := range []*batch{a.batch, c.batch} {
		if got := l.next(); got != want {
			t.Errorf("got batch %p, want %p: the oldest first", got, want)
		}
	}
	if got := l.next(); got != nil {
		t.Error("an open batch is sent before its time")
	}
	if l.seal() != f.batch || l.next() != f.batch {
		t.Error("a flush does not seal the open batch")
	}
	if got := string(c.batch.body([]byte(`{"view":"v"`), []int{0, 2})); got != `{"view":"v","rows":[cccc,e]}` {
		t.Errorf("got body %s", got)
	}
}

// held returns what is taken now.
func (b *budget) held() (rows, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.rows, b.mu.bytes
}
