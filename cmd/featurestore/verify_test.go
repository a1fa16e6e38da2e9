package main

import (
	"strings"
	"testing"

	"featurestore/api"
)

func TestAVerificationIsATable(t *testing.T) {
	v := &api.Verification{Shards: []api.ShardVerified{
		{Group: "main", Partition: 0, Peer: "us-1", UpTo: "2026-08-21T10:59:42.123Z+7"},
		{Group: "main", Partition: 1, Peer: "us-1", UpTo: "2026-08-21T10:59:43.000Z+0", Differing: 2, Examples: []string{"driver_stats 1001", "driver_stats 7"}},
		{Group: "main", Partition: 0, Peer: "ap-1", Skipped: "not in reach"},
	}}
	const want = `group  partition  peer  up to                       differing
main   0          us-1  2026-08-21T10:59:42.123Z+7  0
main   1          us-1  2026-08-21T10:59:43.000Z+0  2          driver_stats 1001, driver_stats 7
main   0          ap-1  -                           -          not in reach
`
	if got := verificationTable(v); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if err := unequal(v); err == nil || !strings.HasPrefix(err.Error(), "2 rows differ;") {
		t.Errorf("got %v, want 2 rows that differ", err)
	}
	v.Shards[1].Differing = 0
	if err := unequal(v); err != nil {
		t.Errorf("got %v of equal rows, and a shard that was passed over; want nil", err)
	}
	if err := unequal(&api.Verification{Equal: true, Shards: v.Shards[2:]}); err == nil {
		t.Error("nothing was compared, and that is no error")
	}
	if got := verificationTable(&api.Verification{Equal: true}); got != "no other store holds a shard of this one\n" {
		t.Errorf("a store alone: got %q", got)
	}
}
