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

// An evicted store with many tails, on a way on which an answer takes long,
// comes to an end with them.
func TestFewTailsAreOfferedAtOnceAndWithPatience(t *testing.T) {
	local := &localFacts{heads: hlc.Vector{10: 50}}
	for p := range uint16(3 * maxOffers) {
		local.shards = append(local.shards, feature.Shard{Group: 1, Partition: p})
	}
	peer := member("us-1", 20, meta.Active)
	core := NewCore(CoreConfig{Self: member("eu-1", 10, meta.Removed), Local: local, Membership: &meta.Membership{
		Epoch: 1, Revision: 5, Home: "us-1", Members: meta.Members{member("eu-1", 10, meta.Removed), peer}, Seals: []meta.Seal{{Origin: 10, Store: "eu-1"}},
	}})
	core.Step(core.now, Opened{Hello: Hello{Member: peer}})
	offered := map[feature.Shard]int{}
	settle := func() {
		core.Step(core.now, Received{From: "us-1", Message: Ping{}})
		for _, o := range core.Settle(core.now) {
			if o, ok := o.(Salvage); ok {
				offered[o.Shard]++
				core.Step(core.now, Salvaged{Shard: o.Shard})
			}
		}
	}
	settle()
	if len(offered) != maxOffers {
		t.Fatalf("%d tails were offered at once, want %d", len(offered), maxOffers)
	}
	for range 16 { // 64 stalls
		core.now.Mono += 4 * core.cfg.Stall
		settle()
	}
	for id, n := range offered {
		if n > 7 {
			t.Errorf("the tail of shard %v was offered %d times in 64 stalls, want it ever more seldom", id, n)
		}
	}
	for id := range offered {
		core.Step(core.now, Received{From: "us-1", Message: Relogged{Shard: id, UpTo: 50}}) // it is too old
	}
	settle()
	if len(offered) != 2*maxOffers {
		t.Errorf("%d tails were offered when the first were settled, want %d", len(offered), 2*maxOffers)
	}
}

// A tail that no member can ever take over keeps no store from beginning anew. That
// nobody can is certain only by definitions as new as any.
func TestATailThatIsNobodysStaysInTheOldDirectory(t *testing.T) {
	alone := feature.Shard{Group: 2}
	local := &placed{localFacts{heads: hlc.Vector{10: 50}, shards: []feature.Shard{alone}}, "eu"}
	peer := member("us-1", 20, meta.Active)
	core := NewCore(CoreConfig{Self: member("eu-1", 10, meta.Removed), Local: local, Membership: &meta.Membership{
		Epoch: 1, Revision: 5, Home: "us-1", Members: meta.Members{member("eu-1", 10, meta.Removed), peer}, Seals: []meta.Seal{{Origin: 10, Store: "eu-1"}},
	}})
	retired := func(in Input) *Retired {
		for _, o := range drive(core, in) {
			if r, ok := o.(Retired); ok {
				return &r
			}
		}
		return nil
	}
	status := func(revision uint64) Input {
		return Received{From: "us-1", Message: Status{Registry: feature.RegistryVersion{Revision: revision}}}
	}
	if retired(Opened{Hello: Hello{Member: peer}}) != nil {
		t.Error("it gave its tail up before it had heard of anybody's definitions")
	}
	if retired(status(2)) != nil {
		t.Error("it gave its tail up by definitions that are older than another store's")
	}
	local.revision = 2
	got := retired(status(2))
	if got == nil || len(got.Kept) != 1 || got.Kept[0] != alone {
		t.Errorf("retired %+v, want it with shard %v kept", got, alone)
	}
}

// placed is a Local whose shards one region holds.
type placed struct {
	localFacts
	region meta.Region
}

func (p *placed) Shards(region meta.Region) []feature.Shard {
	if region != p.region {
		return nil
	}
	return p.localFacts.Shards(region)
}

// Nobody dials a store that has ended: it is told of definitions where it dialed.
func TestAStoreThatHasEndedHearsOfDefinitions(t *testing.T) {
	self := member("us-1", 20, meta.Active)
	core := NewCore(CoreConfig{Self: self, Local: nothing{registry: 7}, Membership: &meta.Membership{
		Epoch: 1, Revision: 5, Home: "us-1", Members: meta.Members{member("eu-1", 10, meta.Removed), self}, Seals: []meta.Seal{{Origin: 10, Store: "eu-1"}},
	}})
	drive(core, Opened{Hello: Hello{Member: member("eu-1", 10, meta.Active)}, Serving: true}, Received{From: "eu-1", Message: Status{Registry: feature.RegistryVersion{Revision: 6}}})
	told, sent := false, false
	for _, o := range drive(core, Tick{Closed: 40}) {
		switch o := o.(type) {
		case SendRegistry:
			sent = o.To == "eu-1" && o.Serving
		case Send:
			m, ok := o.Message.(Status)
			told = told || ok && o.Serving && m.Registry == core.cfg.Local.RegistryVersion()
		}
	}
	if !told || !sent {
		t.Errorf("told which definitions are newest %v, sent them %v; want both", told, sent)
	}
}

// While the disk hangs, what is asked of it does not pile up.
func TestTailsAndDefinitionsWaitForTheDiskOneAtATime(t *testing.T) {
	self := member("us-1", 20, meta.Active)
	local := &localFacts{revision: 7}
	for p := range uint16(3 * maxOffers) {
		local.shards = append(local.shards, feature.Shard{Group: 1, Partition: p})
	}
	core := NewCore(CoreConfig{Self: self, Local: local, Membership: &meta.Membership{
		Epoch: 1, Revision: 5, Home: "us-1", Members: meta.Members{member("eu-1", 10, meta.Removed), self}, Seals: []meta.Seal{{Origin: 10, Store: "eu-1"}},
	}})
	relogs, news := 0, 0
	count := func(out []Output) {
		for _, o := range out {
			switch o.(type) {
			case RelogFor:
				relogs++
			case SendRegistry:
				news++
			}
		}
	}
	now := func() Instant { return Instant{Mono: core.now.Mono, Wall: time.UnixMilli(1000)} }
	count(core.Step(now(), Opened{Hello: Hello{Member: member("eu-1", 10, meta.Active)}, Serving: true}))
	ask := func() {
		for range 20 {
			core.now.Mono += time.Second
			count(core.Step(now(), Received{From: "eu-1", Message: Status{Registry: feature.RegistryVersion{Revision: 6}}}))
			count(core.Step(now(), Tick{Closed: 40}))
			for _, id := range local.shards {
				at := hlc.New(900, 0)
				entry := oplog.Logged{Entry: oplog.Entry{Kind: oplog.Noop, Origin: 10, At: at}}
				count(core.Step(now(), Received{From: "eu-1", Message: Relog{Shard: id, Entries: []oplog.Logged{entry}}}))
			}
		}
	}
	ask()
	if relogs != maxOffers || news != 1 {
		t.Errorf("%d tails and %d times definitions wait for the disk, want %d and 1", relogs, news, maxOffers)
	}
	count(core.Step(now(), RegistrySent{To: "eu-1"}))
	for _, id := range local.shards {
		count(core.Step(now(), RelogEnded{To: "eu-1", Shard: id}))
	}
	ask()
	if relogs != 2*maxOffers || news != 2 {
		t.Errorf("%d tails and %d times definitions were asked for once the first were done, want %d and 2", relogs, news, 2*maxOffers)
	}
}
