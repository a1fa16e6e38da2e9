package replication

import (
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// emptyStore is a store that holds one shard and has published nothing.
type emptyStore struct{}

func (emptyStore) Shards(meta.Region) []feature.Shard   { return []feature.Shard{{Group: 1}} }
func (emptyStore) Progress(feature.Shard) hlc.Vector    { return nil }
func (emptyStore) Heads(feature.Shard) hlc.Vector       { return nil }
func (emptyStore) Groups() []*feature.Group             { return nil }
func (emptyStore) Group(feature.GroupID) *feature.Group { return nil }
func (emptyStore) RegistryVersion() feature.RegistryVersion {
	return feature.RegistryVersion{Revision: 1}
}

// coreOfTwo is the core of a store whose one peer writes origin 2.
func coreOfTwo() *Core {
	self := meta.Member{Store: "eu-1", Region: "eu", State: meta.Active, Origin: 1}
	other := meta.Member{Store: "us-1", Region: "us", State: meta.Active, Origin: 2}
	c := NewCore(CoreConfig{
		Self: self, Local: emptyStore{},
		Membership: &meta.Membership{Revision: 1, Home: "eu-1", Members: meta.Members{self, other}},
	})
	c.Step(Instant{Mono: time.Second}, Opened{Hello: Hello{Member: other}})
	return c
}

// The store refuses an interval that begins after what it has. A heartbeat that
// comes while entries are on their way to the disk must not make that of the
// entries that follow it.
func TestWhatIsHandedToTheStoreLeavesNoGap(t *testing.T) {
	c := coreOfTwo()
	log := logOf(nil, 10, 30, 50)
	shard := feature.Shard{Group: 1}
	interval := func(after, through hlc.Timestamp, entries ...oplog.Logged) Message {
		return Interval{oplog.Interval{Shard: shard, Origin: 2, After: after, Through: through, Entries: entries}}
	}
	closed := func(after, through hlc.Timestamp) Message {
		return Closed{Origin: 2, Through: through, After: map[feature.Shard]hlc.Timestamp{shard: after}}
	}
	has := hlc.Timestamp(0)
	for _, m := range []Message{interval(0, 10, log[0]), closed(10, 20), closed(20, 25), interval(25, 30, log[1]), closed(30, 40), interval(40, 50, log[2])} {
		for _, o := range c.Step(Instant{Mono: time.Second}, Received{From: "us-1", Message: m}) {
			switch o := o.(type) {
			case Join:
				if o.Interval.After > has {
					t.Errorf("the store has %v and was handed what follows %v", has, o.Interval.After)
				}
				has = o.Interval.Through
			case Claim:
				t.Errorf("%v was claimed before what lies before it was joined", o.Position)
			}
		}
	}
	if has != 50 {
		t.Errorf("entries were handed over up to %v, want 50", has)
	}
	// A claim that nothing follows is made once the entries landed.
	c.Step(Instant{Mono: time.Second}, Received{From: "us-1", Message: closed(50, 60)})
	var claims []hlc.Timestamp
	for _, at := range []hlc.Timestamp{10, 30, 50} {
		for _, o := range c.Step(Instant{Mono: time.Second}, Joined{Shard: shard, Position: hlc.Position{Origin: 2, At: at}}) {
			if o, ok := o.(Claim); ok {
				claims = append(claims, o.Position.At)
			}
		}
	}
	if len(claims) != 1 || claims[0] != 60 {
		t.Errorf("claimed %v, want 60 once", claims)
	}
}
