package peer

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication"
	"featurestore/replication/oplog"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

const golden = "testdata/frames.golden"

type named struct {
	name    string
	message replication.Message
}

// goldenMessages are one of each kind that has a layout of its own.
func goldenMessages(t fataler) []named {
	t.Helper()
	drivers := feature.Shard{Group: 1, Partition: 7}
	first := oplog.Entry{Kind: oplog.Delta, Origin: 4, At: 200, Prev: 90}
	first.Rows = []oplog.Row{logRow(t, first.Position(), "driver 1", 0.5)}
	entries := []oplog.Logged{logged(t, first), logged(t, oplog.Entry{Kind: oplog.Noop, Origin: 4, At: 300, Prev: 200})}
	sent := time.Unix(1_700_000_000, 5).UTC()
	return []named{
		{"hello", replication.Hello{Deployment: "rides", Incarnation: 2, Member: meta.Member{
			Store: "eu-1", Region: "eu", State: meta.Active, Origin: 4, Address: "10.0.0.1:9080", URL: "http://10.0.0.1:8080", Since: 3,
		}}},
		{"follow", replication.Follow{Origin: 4, After: map[feature.Shard]hlc.Timestamp{drivers: 100, {Group: 2}: 0}}},
		{"interval", replication.Interval{Interval: oplog.Interval{Shard: drivers, Origin: 4, After: 100, Through: 310, Entries: entries}}},
		{"closed", replication.Closed{Origin: 4, Through: 500, After: map[feature.Shard]hlc.Timestamp{drivers: 310}}},
		{"status", replication.Status{
			Progress: map[feature.Shard]hlc.Vector{drivers: {4: 310, 5: 7}, {Group: 2}: nil},
			Heads:    map[feature.Shard]hlc.Vector{drivers: {5: 7}}, Membership: meta.Version{Epoch: 1, Home: "eu-1", Revision: 2}, Registry: feature.RegistryVersion{Line: feature.Line{Epoch: 1, Home: "eu-1"}, Revision: 3}, Whole: true, ID: 4,
		}},
		{"ping", replication.Ping{ID: 9}},
		{"pong", replication.Pong{ID: 9, Wall: sent}},
		{"chunk", replication.Chunk{Chunk: oplog.Chunk{
			Shard: drivers, After: []byte("a"), Next: []byte("d"), Progress: hlc.Vector{4: 310}, Horizon: 50,
			Rows: []oplog.ChunkRow{{View: 1, Key: feature.Key("c"), Row: []byte("row")}},
		}}},
		{"audited", replication.Audited{
			Audit: replication.Audit{Shard: drivers, Cut: 400, Horizon: 50, Bucket: 3}, Progress: hlc.Vector{4: 310}, Collected: 40,
			Rows: []replication.AuditedRow{{View: 1, Key: feature.Key("c"), Hash: 5, Newest: 300}},
		}},
		{"read_rows", replication.ReadRows{ID: 3, Within: time.Second, Keys: []feature.RowKey{{Shard: drivers, View: 1, Key: feature.Key("c")}}}},
		{"rows_read", replication.RowsRead{ID: 3, Progress: map[feature.Shard]hlc.Vector{drivers: {4: 310}}, Rows: [][]byte{[]byte("row"), nil}}},
		{"relogged", replication.Relogged{Shard: drivers, After: 300, UpTo: 310, As: hlc.Position{Origin: 5, At: 900}}},
	}
}

// TestFramesStayAsTheyAre: stores of two versions talk to each other during an
// upgrade.
func TestFramesStayAsTheyAre(t *testing.T) {
	c := testCodec(t, 1<<20, false)
	var got strings.Builder
	for _, m := range goldenMessages(t) {
		fmt.Fprintf(&got, "%s %x\n", m.name, encoded(t, c, m.message))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("%s differs; -update rewrites it\ngot\n%s\nwant\n%s", golden, got.String(), want)
	}
	for line := range strings.Lines(string(want)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		frame, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := c.decode(frame); err != nil {
			t.Errorf("%s decodes to %v, %v", name, m, err)
		}
	}
}
