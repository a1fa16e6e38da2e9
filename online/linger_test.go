package online

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A batch waits for writers that do not come back for a bounded time, and a
// lone writer for nobody: virtual time does not move while a goroutine spins,
// so a lone writer that lingered would never return here.
func TestALoneWriterWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &committer{store: &Store{queue: newQueue(1, 1)}, expected: 1}
		before := time.Now()
		c.linger()
		if took := time.Since(before); took != 0 {
			t.Errorf("lingered %v", took)
		}
	})
}

func TestABatchLingersForABoundedTime(t *testing.T) {
	c := &committer{store: &Store{queue: newQueue(1, 1)}, expected: 1000}
	c.linger() // of a thousand writers none comes; the test ends all the same
}

// What linger expects is counted by callers: whoever left must not be awaited.
func TestCallersAreCountedWhileTheyWait(t *testing.T) {
	h := openHouse(t)
	var wg sync.WaitGroup
	for id := range int64(8) {
		wg.Go(func() {
			if _, err := h.Append(context.Background(), write(change(id, 1))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := h.queue.callers.Load(); n != 0 {
		t.Errorf("%d callers are counted after all have left", n)
	}
}
