package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/hlc"
)

// twoShards is what eu-1 tells of itself, us-1 and a store that is gone.
func twoShards() *api.Replication {
	at := func(ms int64) string { return hlc.New(ms, 0).String() }
	return &api.Replication{
		Region: "eu", Store: "eu-1", Origin: "0a",
		Shards: []api.ShardReplication{
			{Group: "main", Partition: 0, LogBytes: 1 << 20, Origins: []api.OriginReplication{
				{Origin: "0a", Self: true, Applied: at(5000), LagMs: 1},
				{Origin: "0b", Store: "us-1", Region: "us", Applied: at(4000), LagMs: 90},
			}},
			{Group: "main", Partition: 1, LogBytes: 1 << 19, Origins: []api.OriginReplication{
				{Origin: "0a", Self: true, LagMs: 1},
				{Origin: "0b", Store: "us-1", Region: "us", Applied: at(3000), LagMs: 250},
				{Origin: "09", LagMs: 7000},
			}},
		},
		Peers: []api.PeerReplication{
			{Store: "us-1", Region: "us", State: "active", Live: true, RoundTripMs: 80.25, ClockOffsetMs: -1.5, Acked: []api.ShardAcked{
				{Group: "main", Partition: 0, Origins: map[string]string{"0a": at(4999), "0b": at(6000)}},
				{Group: "main", Partition: 1, Origins: map[string]string{"0b": at(6000)}},
			}},
			{Store: "sa-1", Region: "sa", State: "removed"},
		},
	}
}

func TestLagIsThatOfTheShardThatLagsMost(t *testing.T) {
	rows := lagRows(twoShards())
	type row struct {
		of, store string
		lag       time.Duration
		applied   hlc.Timestamp
		have      int
		logBytes  int64
	}
	var got []row
	for _, r := range rows {
		got = append(got, row{r.origin, r.ofStore, r.lag, r.applied, r.have, r.logBytes})
		if r.peers != 1 {
			t.Errorf("origin %s: got %d other stores, want 1: one was removed", r.origin, r.peers)
		}
	}
	want := []row{
		{"0a", "eu-1", time.Millisecond, hlc.New(5000, 0), 0, 3 << 19}, // us-1 lacks a millisecond
		{"09", "", 7 * time.Second, 0, 1, -1},
		{"0b", "us-1", 250 * time.Millisecond, hlc.New(4000, 0), 1, -1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	up := twoShards()
	up.Peers[0].Acked[0].Origins["0a"] = hlc.New(5000, 0).String()
	if got := lagRows(up)[0].have; got != 1 {
		t.Errorf("got %d stores that have everything, want 1", got)
	}
	if got := lagRows(&api.Replication{}); len(got) != 0 {
		t.Errorf("got %v of a store without shards", got)
	}
}

func TestLagIsDrawnAsATable(t *testing.T) {
	const want = `at       of         lag      applied                  acked   log      round trip  clock
eu/eu-1  eu/eu-1    1 ms     1970-01-01 00:00:05.000  0 of 1  1.5 MiB  -           -
eu/eu-1  origin 09  7000 ms  -                        1 of 1  -        -           -
eu/eu-1  us/us-1    250 ms   1970-01-01 00:00:04.000  1 of 1  -        80.2 ms     -1.5 ms
`
	if got := lagTable(lagRows(twoShards())); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	gone := twoShards()
	gone.Peers[0].Live = false
	if got := lagTable(lagRows(gone)); !strings.Contains(got, "away") {
		t.Errorf("got\n%swant us-1 away", got)
	}
}

func TestLagIsPrintedAgainOnATerminalAlone(t *testing.T) {
	for _, c := range []struct {
		watch, onScreen bool
		count, want     int
	}{
		{false, true, 0, 1}, {false, false, 0, 1},
		{true, true, 0, 0}, {true, false, 0, 1},
		{true, true, 3, 3}, {true, false, 3, 3},
	} {
		l := lag{watch: c.watch, count: c.count}
		if got := l.times(c.onScreen); got != c.want {
			t.Errorf("%+v: got %d times", c, got)
		}
	}
}

func TestBytesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 10 << 30: "10.0 GiB", 1 << 60: "1048576.0 TiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

// What a store writes as a leader is one row, whatever the shards and terms: it is
// behind by the worst, and had by those that have all of them.
func TestLagOfLeadersIsOneRowAStore(t *testing.T) {
	at := func(ms int64) string { return hlc.New(ms, 0).String() }
	r := twoShards()
	for p, origin := range []string{"c1", "c2"} {
		r.Shards[p].Origins = append(r.Shards[p].Origins, api.OriginReplication{
			Origin: origin, Store: "us-1", Region: "us", Term: true, Applied: at(int64(7000 + p)), LagMs: int64(10 * (p + 1)),
		})
	}
	has := func(second string) lagRow {
		r.Peers[0].Acked[0].Origins["c1"], r.Peers[0].Acked[1].Origins["c2"] = at(7000), second
		var found []lagRow
		for _, row := range lagRows(r) {
			if row.terms {
				found = append(found, row)
			}
		}
		if len(found) != 1 {
			t.Fatalf("%d rows of leaders, want 1: %+v", len(found), found)
		}
		return found[0]
	}
	row := has(at(7001))
	if row.ofStore != "us-1" || row.origin != "" || row.lag != 20*time.Millisecond || row.applied != hlc.New(7001, 0) || row.have != 1 || row.link == nil {
		t.Errorf("got %+v", row)
	}
	if row := has(at(6999)); row.have != 0 {
		t.Error("a store that lacks some of one term has all of them")
	}
	if text := lagTable(lagRows(r)); !strings.Contains(text, "us/us-1 leading") {
		t.Errorf("the table does not show it:\n%s", text)
	}
}
