package peer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestARefusalIsToldOnceInAWhile: a peer that does not fit comes again and again.
func TestARefusalIsToldOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		r := refusals{log: log.logger()}
		want := func(n int) {
			t.Helper()
			if got := strings.Count(log.String(), "level=WARN"); got != n {
				t.Errorf("told %d times, want %d:\n%s", got, n, log)
			}
		}
		for range 10 {
			r.note("refused a peer", "us-1", errSecret)
			time.Sleep(time.Second)
		}
		want(1)
		r.note("refused a peer", "us-1", errFormat) // another reason
		r.note("refused a peer", "ap-1", errSecret) // another peer
		want(3)
		if got := r.list(); len(got) != 3 || got[0].Peer != "ap-1" || got[2].Peer != "us-1" {
			t.Errorf("refused were %v", got)
		}
		time.Sleep(refusalEvery)
		if got := r.list(); len(got) != 0 {
			t.Errorf("what was long ago still counts: %v", got)
		}
		r.note("refused a peer", "us-1", errSecret)
		want(4)
		r.fits("us-1")
		if got := r.list(); len(got) != 0 {
			t.Errorf("a peer that fits now is refused: %v", got)
		}
		for i := range 2 * maxRefusals {
			r.note("refused a peer", fmt.Sprint(i), errSecret)
		}
		want(4 + maxRefusals)
	})
}
