package replication

import (
	"context"
	"errors"
	"slices"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

// followed is a core of us-1 with a follower, eu-1, of its log in some shards.
func followed(t *testing.T, local *localFacts) *Core {
	t.Helper()
	c := NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: local, Membership: twoStores(t)})
	after := map[feature.Shard]hlc.Timestamp{}
	for _, id := range local.Shards("us") {
		after[id] = 0
	}
	c.Step(c.now, Opened{Hello: Hello{Member: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}}, Serving: true})
	c.Step(c.now, Received{From: "eu-1", Message: Follow{Origin: 2, After: after}})
	return c
}

// More logs are written to all the time than one Serve reads: all have their
// turn.
func TestBusyLogsKeepNoOtherWaiting(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{}, heads: hlc.Vector{}}
	for p := range uint16(3 * maxReads) {
		local.shards = append(local.shards, feature.Shard{Group: 1, Partition: p})
	}
	c := followed(t, local)
	served := map[feature.Shard]int{}
	for round := range hlc.Timestamp(6) {
		at := 10 * (round + 1)
		local.progress, local.heads = hlc.Vector{2: at}, hlc.Vector{2: at}
		for _, o := range c.Settle(c.now) {
			if o, ok := o.(Serve); ok {
				for _, r := range o.Reads {
					served[r.Shard]++
					c.Step(c.now, Served{To: "eu-1", Read: r, Through: at})
				}
				c.Step(c.now, ServeEnded{To: "eu-1"})
			}
		}
	}
	for _, id := range local.shards {
		if served[id] != 2 {
			t.Fatalf("shard %v was read %d times in six turns of a third each, want 2", id, served[id])
		}
	}
}

// Definitions that take a group from a region end what is sent there of it,
// whatever was asked for before.
func TestARegionThatMayNotHoldAGroupAnyMoreIsSentNoneOfIt(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{2: 10}, heads: hlc.Vector{2: 10}}
	c := followed(t, local)
	local.shards, local.revision = []feature.Shard{}, 2
	for _, o := range c.Settle(c.now) {
		if o, ok := o.(Serve); ok {
			t.Errorf("it reads %v for a region that may not hold it", o.Reads)
		}
	}
}

// brokenLog is a store one of whose logs cannot be read.
type brokenLog struct{ Store }

func (brokenLog) ReadLog(_ context.Context, shard feature.Shard, o hlc.Origin, after hlc.Timestamp, _ int) (oplog.Interval, hlc.Timestamp, error) {
	if shard.Partition == 0 {
		return oplog.Interval{}, 0, errors.New("a bit is rotten")
	}
	at := after + 1
	return oplog.Interval{Shard: shard, Origin: o, After: after, Through: at, Entries: []oplog.Logged{{Entry: oplog.Entry{Origin: o, At: at}}}}, 0, nil
}

// heardBy is a conversation that keeps what is said.
type heardBy struct {
	Conversation
	said []Message
}

func (h *heardBy) Send(_ context.Context, m Message) error {
	h.said = append(h.said, m)
	return nil
}

func TestALogThatCannotBeReadKeepsNoOtherBack(t *testing.T) {
	n := &Node{cfg: Config{Store: brokenLog{}}.withDefaults()}
	n.inbox.wake = make(chan struct{}, 1)
	var h heardBy
	reads := []LogRead{{Shard: feature.Shard{Group: 1}, Origin: 2}, {Shard: feature.Shard{Group: 1, Partition: 1}, Origin: 2}}
	if err := n.serveReads(t.Context(), &h, Serve{To: "eu-1", Reads: reads}); err != nil {
		t.Errorf("the conversation ends: %v", err)
	}
	if len(h.said) != 1 || h.said[0].(Interval).Shard != reads[1].Shard {
		t.Errorf("said %v, want the log that can be read", h.said)
	}
	var failed []bool
	for _, e := range n.inbox.take() {
		served := e.input.(Served)
		failed = append(failed, served.Err != nil && served.Unreadable)
	}
	if !slices.Equal(failed, []bool{true, false}) {
		t.Errorf("answered with errors: %v, want for the first alone", failed)
	}
}

// Nothing is gained by reading it again at once.
func TestALogThatCannotBeReadRests(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{2: 10}, heads: hlc.Vector{2: 10}}
	c := followed(t, local)
	serves := func() (n int) {
		for _, o := range c.Settle(c.now) {
			if o, ok := o.(Serve); ok {
				n++
				for _, r := range o.Reads {
					c.Step(c.now, Served{To: "eu-1", Read: r, Err: errEnded})
				}
				c.Step(c.now, ServeEnded{To: "eu-1"})
			}
		}
		return n
	}
	if first, again := serves(), serves(); first != 1 || again != 0 {
		t.Errorf("it was read %d times, then %d times at once, want 1 and 0", first, again)
	}
	c.now.Mono += c.cfg.Stall
	if serves() != 1 {
		t.Error("it is not tried again after a while")
	}
}

// Sums of rows, and their keys, go where the rows may go.
func TestARegionIsToldNothingOfRowsThatItMayNotHold(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{}}
	c := followed(t, local)
	answers := func() (n int) {
		for _, o := range c.Step(c.now, Received{From: "eu-1", Message: Audit{Shard: onlyShard}}) {
			if _, ok := o.(ServeAudit); ok {
				n++
			}
		}
		return n
	}
	if answers() != 1 {
		t.Error("a member that holds the rows is not answered")
	}
	local.shards = []feature.Shard{}
	if answers() != 0 {
		t.Error("a member whose region may not hold the rows is answered")
	}
}

// Who follows a log that its source cannot read is told, once a read.
func TestAFollowerIsToldOfALogThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		claim      string
		unreadable bool
		want       int
	}{{"the log is rotten", true, 1}, {"the conversation ended", false, 0}} {
		core := followed(t, &localFacts{progress: hlc.Vector{2: 10}, heads: hlc.Vector{2: 10}})
		told := 0
		for _, o := range core.Settle(core.now) {
			if o, ok := o.(Serve); ok {
				for _, r := range o.Reads {
					for _, o := range core.Step(core.now, Served{To: "eu-1", Read: r, Err: errors.New("no"), Unreadable: c.unreadable}) {
						if s, ok := o.(Send); ok && s.Serving && s.Message == (Refused{Shard: onlyShard, Origin: 2}) {
							told++
						}
					}
				}
			}
		}
		if told != c.want {
			t.Errorf("%s: told %d times, want %d", c.claim, told, c.want)
		}
	}
}

// A log that its own store cannot read is got from a relay that has it, and from
// its store again after a while, or when no relay has more.
func TestALogThatItsStoreCannotReadComesFromARelay(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{10: 30}, heads: hlc.Vector{10: 30}}
	c := NewCore(CoreConfig{Self: member("us-1", 20, meta.Active), Local: local, Membership: &meta.Membership{
		Epoch: 1, Revision: 5, Home: "us-1", Members: meta.Members{member("ap-1", 30, meta.Active), member("eu-1", 10, meta.Active), member("us-1", 20, meta.Active)},
	}})
	status := func(from meta.StoreID, has hlc.Timestamp) Input {
		return Received{From: from, Message: Status{Progress: map[feature.Shard]hlc.Vector{onlyShard: {10: has}}}}
	}
	drive(c, Opened{Hello: Hello{Member: member("ap-1", 30, meta.Active)}}, Opened{Hello: Hello{Member: member("eu-1", 10, meta.Active)}},
		status("ap-1", 50), status("eu-1", 90))
	source := func() meta.StoreID { return c.following[10].peer }
	if source() != "eu-1" {
		t.Fatalf("it follows %s, want the log's own store", source())
	}
	drive(c, Received{From: "eu-1", Message: Refused{Shard: onlyShard, Origin: 10}})
	if source() != "ap-1" {
		t.Errorf("it follows %s, want the relay that has more", source())
	}
	if c.following[30].peer != "ap-1" {
		t.Errorf("other logs are followed elsewhere")
	}
	c.now.Mono += refusalStalls * c.cfg.Stall
	drive(c, status("ap-1", 50), status("eu-1", 90))
	if source() != "eu-1" {
		t.Errorf("after a while it follows %s, want the log's own store", source())
	}
	c.shards[onlyShard].pending[10] = 50
	drive(c, Received{From: "eu-1", Message: Refused{Shard: onlyShard, Origin: 10}})
	if source() != "eu-1" {
		t.Errorf("it follows %s, which has no more", source())
	}
}
