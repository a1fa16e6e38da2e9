package sdk

import (
	"testing"
	"time"
)

// TestUrgedBatchesTakeRowsWhileOthersAreSent: a writer that is full gets room
// for a few rows at a time. They must not become batches of a few rows.
func TestUrgedBatchesTakeRowsWhileOthersAreSent(t *testing.T) {
	cfg := WriterConfig{MaxBatchRows: 3, MaxBatchBytes: 100, MaxDelay: time.Hour}
	l := &lane{wake: make(chan struct{}, 1)}
	add := func(rows int) {
		t.Helper()
		for range rows {
			if _, err := l.add([]byte("row"), cfg); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := func() int {
		t.Helper()
		if l.wait(time.NewTimer(time.Hour)) {
			t.Fatal("the lane is over; it is not closed")
		}
		return l.next().len()
	}
	add(3)
	add(1)
	l.urge()
	if got := next(); got != 3 {
		t.Fatalf("got a batch of %d, want the full one", got)
	}
	add(1) // while that is on its way
	l.urge()
	add(2)
	if got := next(); got != 3 {
		t.Errorf("got a batch of %d, want one that filled up meanwhile", got)
	}
	if got := next(); got != 1 {
		t.Errorf("got a batch of %d, want the row that is not to wait an hour", got)
	}
	// Room may be taken before its row is here.
	l.urge()
	add(1)
	if got := next(); got != 1 {
		t.Errorf("got a batch of %d, want the row that came after the urging", got)
	}
}
