package replication

import (
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// one is a Local that holds one shard.
type one struct{ nothing }

func (one) Shards(meta.Region) []feature.Shard { return []feature.Shard{{Group: 1}} }

// I6: a tombstone that hides what is as old as the grace may have been
// collected already.
func TestOldTailsAreNotLoggedAgain(t *testing.T) {
	now := time.UnixMilli(1_000_000_000)
	ago := func(d time.Duration) hlc.Timestamp { return hlc.New(now.Add(-d).UnixMilli(), 0) }
	entry := func(at, cell hlc.Timestamp) oplog.Logged {
		delta := feature.Row{Cells: []feature.Cell{{Version: feature.Version{At: cell, Origin: 10}}}}
		return oplog.Logged{Entry: oplog.Entry{Kind: oplog.Delta, Origin: 10, At: at, Rows: []oplog.Row{{View: 1, Delta: delta}}}}
	}
	tail := []oplog.Logged{entry(ago(time.Minute), ago(time.Minute)), entry(ago(0), ago(0))}
	for _, c := range []struct {
		claim  string
		tail   []oplog.Logged
		as     meta.State // of the store that offers it
		sealed bool
		whole  bool // the store that is asked
		logs   bool
		says   bool // that it refuses
	}{
		{"a young tail of a sealed log", tail, meta.Removed, true, true, true, false},
		{"one that begins within the grace, barely", []oplog.Logged{entry(ago(time.Hour-time.Millisecond), ago(time.Hour-time.Millisecond))}, meta.Removed, true, true, true, false},
		{"one that begins at the grace", []oplog.Logged{entry(ago(time.Hour), ago(time.Hour)), tail[1]}, meta.Removed, true, true, false, true},
		{"a young entry with an old version", []oplog.Logged{entry(ago(0), ago(2*time.Hour))}, meta.Removed, true, true, false, true},
		{"of a log that has not ended", tail, meta.Fenced, false, true, false, false},
		{"at a store that is being rebuilt", tail, meta.Removed, true, false, false, false},
	} {
		self := member("us-1", 20, meta.Active)
		m := &meta.Membership{Epoch: 1, Revision: 5, Home: "us-1", Members: meta.Members{member("eu-1", 10, c.as), self}}
		if c.sealed {
			m.Seals = []meta.Seal{{Origin: 10, Store: "eu-1"}}
		}
		core := NewCore(CoreConfig{Self: self, Local: one{}, Membership: m, Timing: Timing{Grace: time.Hour}})
		if !c.whole {
			core.begin(feature.Shard{Group: 1}, nil)
		}
		at := Instant{Wall: now}
		core.Step(at, Opened{Hello: Hello{Member: member("eu-1", 10, meta.Removed)}, Serving: true})
		logs, says := false, false
		for _, o := range core.Step(at, Received{From: "eu-1", Message: Relog{Shard: feature.Shard{Group: 1}, Entries: c.tail}}) {
			switch o := o.(type) {
			case RelogFor:
				logs = len(o.Entries) == len(c.tail)
			case Send:
				answer, ok := o.Message.(Relogged)
				says = ok && answer.As.At == 0 && answer.UpTo == c.tail[len(c.tail)-1].At
			}
		}
		if logs != c.logs || says != c.says {
			t.Errorf("%s: logged %v, refused %v, want %v, %v", c.claim, logs, says, c.logs, c.says)
		}
	}
}
