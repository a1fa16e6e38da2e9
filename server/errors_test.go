package server

import (
	"fmt"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/meta"
	"featurestore/online"
	"featurestore/replication"
)

// TestAStoreThatTakesNoWritesSaysWhy: the SDK waits out the one, and leaves the
// other store.
func TestAStoreThatTakesNoWritesSaysWhy(t *testing.T) {
	leaving := &consistency.NotActiveError{Store: "eu-1", State: meta.Leaving}
	off := &consistency.NotActiveError{Store: "eu-1", State: meta.Active, Why: fmt.Errorf("by 2s: %w", replication.ErrClockOff)}
	for _, c := range []struct {
		err  error
		want api.Code
	}{{leaving, api.CodeNotActive}, {off, api.CodeClockFenced}, {online.ErrNotWriting, api.CodeNotActive}} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v is answered as %s, want %s", c.err, got, c.want)
		}
	}
}

// A commit that failed may be found in full after a restart: its writer is told
// how to repeat it without writing twice, and nothing of the machine.
func TestAFailedCommitSaysThatItMayBeThere(t *testing.T) {
	h := newHouse(t)
	cause := fmt.Errorf("%w: commit 7: write /data/000001.mem: input/output error", online.ErrReadOnly)
	p := h.server.problemOf(&request{id: "r", route: &route{}}, cause)
	if p.Code != api.CodeReadOnly || !strings.Contains(p.Detail, "may or may not be there") || !strings.Contains(p.Detail, api.HeaderIdempotency) {
		t.Errorf("got %+v", p)
	}
	if strings.Contains(p.Detail, "/data") {
		t.Errorf("the detail names a file of the machine: %s", p.Detail)
	}
	full := h.server.problemOf(&request{id: "r", route: &route{}}, online.ErrDiskFull)
	if full.Code != api.CodeReadOnly || strings.Contains(full.Detail, "may or may not") {
		t.Errorf("a full disk writes nothing, got %+v", full)
	}
}
