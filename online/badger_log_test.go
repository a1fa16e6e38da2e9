package online

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Badger complains of a compaction that fails ten times a second.
func TestBadgersComplaintsArePassedOnOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newBadgerLog(slog.New(slog.NewTextHandler(&out, nil)))
		for range 1201 { // two minutes
			l.Warningf("compaction of %s failed: %v", time.Now(), errors.New("no such file"))
			time.Sleep(100 * time.Millisecond)
		}
		l.Errorf("another")
		if got := strings.Count(out.String(), "compaction of"); got != 3 {
			t.Errorf("%d lines of one complaint in two minutes, want 3:\n%s", got, out.String())
		}
		if got := strings.Count(out.String(), "held_back=599"); got != 2 {
			t.Errorf("%d lines say that 599 were held back, want 2:\n%s", got, out.String())
		}
		if !strings.Contains(out.String(), "level=ERROR msg=another") {
			t.Errorf("another complaint was held back:\n%s", out.String())
		}
	})
}

func TestComplaintsTakeBoundedMemory(t *testing.T) {
	l := newBadgerLog(slog.New(slog.DiscardHandler))
	for n := range 10 * maxComplaints {
		l.Errorf(strings.Repeat("x", n))
	}
	if got := len(l.mu.complaints); got > maxComplaints {
		t.Errorf("%d complaints are remembered, want at most %d", got, maxComplaints)
	}
}
