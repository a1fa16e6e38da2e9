package replication

import (
	"errors"
	"maps"
	"testing"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

const euTerm = hlc.Origin(41)

// ledBy is a deployment of three with a leader group of one shard.
func ledBy(term meta.Term) *meta.Membership {
	term.Shard = onlyShard
	return &meta.Membership{
		Epoch: 1, Revision: 5, Home: "eu-1",
		Members: meta.Members{
			{Store: "ap-1", Region: "ap", Origin: 3, State: meta.Active, Address: "ap:1"},
			{Store: "eu-1", Region: "eu", Origin: 1, State: meta.Active, Address: "eu:1"},
			{Store: "us-1", Region: "us", Origin: 2, State: meta.Active, Address: "us:1"},
		},
		Terms: []meta.Term{term},
	}
}

var euLeads = meta.Term{Number: 1, Leader: "eu-1", Origin: euTerm, Since: 5}

// after is the document that follows m, with another term.
func after(m *meta.Membership, change func(*meta.Term)) *meta.Membership {
	n := *m
	n.Revision++
	term := m.Terms[0]
	change(&term)
	term.Since = n.Revision
	n.Terms = []meta.Term{term}
	return &n
}

func depose(t *meta.Term) { t.State, t.Next, t.Lossy = meta.Deposed, "us-1", true }

// ledCore is the core of a store of that deployment, where acknowledgements name
// so many members.
func ledCore(self meta.StoreID, m *meta.Membership, distinct int, faults ...fault.Fault) (*Core, *localFacts) {
	x, _ := m.Member(self)
	local := &localFacts{
		progress: hlc.Vector{}, heads: hlc.Vector{},
		groups: []*feature.Group{{ID: onlyShard.Group, Name: "led", Placement: feature.Leader}},
	}
	return NewCore(CoreConfig{
		Self: x, Local: local, Membership: m, Faults: fault.Of(faults...),
		Distinct: func(*feature.Group, meta.Members) int { return distinct },
		Draw:     func() hlc.Origin { return 77 },
	}), local
}

// leadings are what a store is told to lead.
func leadings(out []Output) (told []map[feature.Shard]hlc.Origin) {
	for _, o := range out {
		if s, ok := o.(SetLeading); ok {
			told = append(told, s.Origins)
		}
	}
	return told
}

// keepIn has a core take a document.
func keepIn(c *Core, m *meta.Membership) []Output { return drive(c, Kept{Membership: m}) }

// Q1, I10: a store leads once it has all of the terms before, and until then nobody
// may rely on it.
func TestAStoreLeadsOnceItHasTheTermsBefore(t *testing.T) {
	second := meta.Term{Number: 2, Leader: "eu-1", Origin: euTerm, Ended: []meta.TermEnd{{Origin: 40, Leader: "us-1", Final: 50}}}
	c, local := ledCore("eu-1", ledBy(second), 2)
	local.progress = hlc.Vector{40: 49}
	if told := leadings(drive(c, Tick{Closed: 40})); len(told) != 1 || len(told[0]) > 0 {
		t.Fatalf("with 49 of 50 it is told to lead %v", told)
	}
	drive(c, LeadingSet{})
	local.progress = hlc.Vector{40: 50}
	told := leadings(drive(c, Tick{Closed: 41}))
	if len(told) != 1 || !maps.Equal(told[0], map[feature.Shard]hlc.Origin{onlyShard: euTerm}) {
		t.Fatalf("with all of it, it is told to lead %v", told)
	}
	if got := c.ownLog(onlyShard); got != 0 {
		t.Errorf("before the store has confirmed, it writes the log of %v", got)
	}
	local.heads = hlc.Vector{40: 50, euTerm: 60}
	drive(c, LeadingSet{Origins: told[0]})
	if got := c.leading.open[onlyShard]; got != (hlc.Position{Origin: euTerm, At: 60}) || c.ownLog(onlyShard) != euTerm {
		t.Errorf("it answers from %v on, and writes %v", got, c.ownLog(onlyShard))
	}
	if told := leadings(drive(c, Tick{Closed: 42})); len(told) > 0 {
		t.Errorf("it is told again: %v", told)
	}
	// It goes on, whatever becomes of its copies: it has begun.
	local.progress = hlc.Vector{}
	if !c.mayLead(&c.membership.Terms[0]) {
		t.Error("a leader that has begun may not go on")
	}
	for claim, change := range map[string]func(*Core){
		"another store's term": func(c *Core) { c.cfg.Self.Store, c.cfg.Self.Origin = "us-1", 2 },
		"its rows are being copied": func(c *Core) {
			c.shards[onlyShard].rebuild = &rebuild{}
		},
	} {
		c, local := ledCore("eu-1", ledBy(second), 2)
		local.progress = hlc.Vector{40: 50}
		change(c)
		for _, told := range leadings(drive(c, Tick{Closed: 41})) {
			if len(told) > 0 {
				t.Errorf("%s: it is told to lead %v", claim, told)
			}
		}
	}
	c, _ = ledCore("eu-1", ledBy(second), 2, fault.LeadUncovered)
	if told := leadings(drive(c, Tick{Closed: 40})); len(told) != 1 || len(told[0]) == 0 {
		t.Errorf("with the rule off it is told to lead %v", told)
	}
}

// A store that cannot begin is told again, after a while.
func TestAStoreThatFailedToLeadIsToldAgain(t *testing.T) {
	c, _ := ledCore("eu-1", ledBy(euLeads), 2)
	told := leadings(drive(c, Tick{Closed: 40}))
	drive(c, LeadingSet{Origins: told[0], Err: errors.New("the disk is full")})
	if c.ownLog(onlyShard) != 0 {
		t.Error("it leads all the same")
	}
	if again := leadings(drive(c, Tick{Closed: 41})); len(again) > 0 {
		t.Errorf("it is told again at once: %v", again)
	}
	c.now.Mono += c.cfg.Stall
	if again := leadings(drive(c, Tick{Closed: 42})); len(again) != 1 || len(again[0]) != 1 {
		t.Errorf("after a while it is told %v", again)
	}
}

// Q2, I1: a leader lets nobody rely on a document in which its term is over before
// it has stopped.
func TestALeaderStopsBeforeItObeys(t *testing.T) {
	for _, state := range []meta.TermState{meta.Stopping, meta.Deposed} {
		c, local := ledCore("eu-1", ledBy(euLeads), 2)
		local.heads = hlc.Vector{euTerm: 10}
		told := leadings(drive(c, Tick{Closed: 40}))
		drive(c, LeadingSet{Origins: told[0]}, WritingSet{Allowed: true}, Tick{Closed: 41})
		over := after(c.membership, func(t *meta.Term) { t.State, t.Next = state, "us-1" })
		told = leadings(keepIn(c, over))
		if len(told) != 1 || len(told[0]) > 0 {
			t.Fatalf("%v: it is told to lead %v", state, told)
		}
		if c.told.Revision == over.Revision || c.obeysTerms() {
			t.Errorf("%v: others may rely on revision %d before it has stopped", state, c.told.Revision)
		}
		drive(c, LeadingSet{}, Tick{Closed: 42})
		if c.told.Revision != over.Revision || c.ownLog(onlyShard) != 0 {
			t.Errorf("%v: others may rely on revision %d, want %d; it writes %v", state, c.told.Revision, over.Revision, c.ownLog(onlyShard))
		}
	}
	c, _ := ledCore("eu-1", ledBy(euLeads), 2, fault.WriteAfterEnd)
	told := leadings(drive(c, Tick{Closed: 40}))
	drive(c, LeadingSet{Origins: told[0]}, WritingSet{Allowed: true})
	keepIn(c, after(c.membership, func(t *meta.Term) { t.State, t.Next = meta.Stopping, "us-1" }))
	if c.ownLog(onlyShard) != euTerm || c.told.Revision != c.membership.Revision {
		t.Error("with the rule off it stops, or does not obey")
	}
}

// Q3: members that joined something of a deposed leader's log do not obey before it
// is joined, nor before what they promised has run out.
func TestAMemberObeysWhenItsPromiseHasRunOut(t *testing.T) {
	lease := Timing{}.WithDefaults().Lease
	m := ledBy(euLeads)
	next := after(m, depose)
	for _, tt := range []struct {
		claim    string
		promised time.Duration // before the document comes; negative: never
		faults   []fault.Fault
		wait     time.Duration
	}{
		{"promised a moment ago", 0, nil, lease},
		{"promised half a lease ago", lease / 2, nil, lease / 2},
		{"promised longer ago than it keeps", 2 * lease, nil, 0},
		{"promised a moment ago, and the rule is off", 0, []fault.Fault{fault.ObeyAtOnce}, 0},
	} {
		c, _ := ledCore("us-1", m, 2, tt.faults...)
		drive(c, Tick{Closed: 40}, LeadingSet{}, WritingSet{Allowed: true})
		c.now.Mono = time.Minute
		c.peer("eu-1").promised = c.now.Mono - tt.promised
		keepIn(c, next)
		begun := c.now.Mono
		for c.told.Revision != next.Revision && c.now.Mono < begun+2*lease {
			c.now.Mono += lease / 100
			drive(c, Tick{Closed: 41})
		}
		if waited := c.now.Mono - begun; waited < tt.wait-lease/50 || waited > tt.wait+lease/50 {
			t.Errorf("%s: it obeys after %v, want %v", tt.claim, waited, tt.wait)
		}
	}
	// What is taken already is joined first.
	c, _ := ledCore("us-1", m, 2)
	drive(c, Tick{Closed: 40}, LeadingSet{}, WritingSet{Allowed: true})
	c.now.Mono = time.Minute
	c.shards[onlyShard].flight = map[hlc.Origin]int{euTerm: 1}
	keepIn(c, next)
	if c.obeysTerms() {
		t.Error("it obeys while something of the log is on its way to the disk")
	}
	c.shards[onlyShard].flight[euTerm] = 0
	if !c.obeysTerms() {
		t.Error("it does not obey when that is there")
	}
}

// Q3: of the promises of the life before nothing is known, but that they were given
// before this one; and hearing of the same again starts nothing anew.
func TestPromisesOutliveARestartAndAreKeptOnce(t *testing.T) {
	m := ledBy(euLeads)
	gone := after(m, depose)
	c, _ := ledCore("us-1", gone, 2)
	drive(c, Tick{Closed: 40}, LeadingSet{}, WritingSet{Allowed: true})
	if c.obeysTerms() {
		t.Error("a store that has just begun obeys at once")
	}
	c.now.Mono = c.cfg.Lease / 2
	keepIn(c, after(gone, func(t *meta.Term) { t.Next = "ap-1" }))
	c.now.Mono = c.cfg.Lease
	if !c.obeysTerms() {
		t.Error("it does not obey after a lease, though nothing was promised meanwhile")
	}
}

// Q4: a promise counts for a little less than a lease from when it was asked for,
// and says nothing under a document that the leader does not have.
func TestAPromiseCountsFromWhenItWasAskedFor(t *testing.T) {
	m := ledBy(euLeads)
	c, _ := ledCore("eu-1", m, 2)
	drive(c, Tick{Closed: 40})
	asked := 10 * time.Second
	c.takePromise(c.peer("us-1"), asked, m.Version())
	last := asked + c.cfg.Lease - c.cfg.Lease/drift
	for now, want := range map[time.Duration]bool{asked: true, last - 1: true, last: false, asked + c.cfg.Lease: false} {
		if got := c.hasLease(onlyShard, now); got != want {
			t.Errorf("%v after it was asked for: %v, want %v", now-asked, got, want)
		}
	}
	c.takePromise(c.peer("us-1"), asked-time.Second, m.Version()) // an answer to what was asked before
	if !c.hasLease(onlyShard, last-1) {
		t.Error("an older answer takes a promise back")
	}
	newer := m.Version()
	newer.Revision++
	c.takePromise(c.peer("us-1"), time.Minute, newer)
	if c.hasLease(onlyShard, time.Minute) {
		t.Error("a promise under a document that is not known here counts")
	}
}

// Q4, I12: who promised, and any who could decide that another leads, have one in
// common.
func TestALeaseMeetsEverySealQuorum(t *testing.T) {
	for members := 1; members <= 7; members++ {
		for distinct := 1; distinct <= members; distinct++ {
			m := ledBy(euLeads)
			m.Members = meta.Members{{Store: "eu-1", Region: "eu", Origin: 1, State: meta.Active}}
			for i := range members - 1 {
				id := string(rune('f' + i))
				m.Members = append(m.Members, meta.Member{Store: meta.StoreID(id), Region: meta.Region(id), Origin: hlc.Origin(50 + i), State: meta.Active})
			}
			for promised := range members {
				c, _ := ledCore("eu-1", m, distinct)
				for _, x := range m.Members[1 : 1+promised] {
					c.takePromise(c.peer(x.Store), 0, m.Version())
				}
				others := members - 1
				deciding := min(meta.SealQuorum(members, distinct), others)
				meet := others == 0 || promised+deciding > others
				if got := c.hasLease(onlyShard, 1); got != meet {
					t.Errorf("%d of %d others promised, %d decide (durability %d): lease %v, want %v", promised, others, deciding, distinct, got, meet)
				}
			}
		}
	}
}

// Q4: members that others may count already count here too; those that are out do
// not.
func TestALeaseCountsWhoMayDecide(t *testing.T) {
	for state, counts := range map[meta.State]bool{meta.Joining: true, meta.Active: true, meta.Leaving: true, meta.Fenced: false, meta.Removed: false} {
		m := ledBy(euLeads)
		for i := range m.Members {
			if m.Members[i].Store == "ap-1" {
				m.Members[i].State = state
			}
		}
		c, _ := ledCore("eu-1", m, 2)
		c.takePromise(c.peer("ap-1"), 0, m.Version())
		if got := c.hasLease(onlyShard, 1); got != counts {
			t.Errorf("the only one that promised is %v: lease %v, want %v", state, got, counts)
		}
	}
}

// Q5, I10: a store does not answer for what it leads while it has something from
// beyond the end of a term.
func TestALeaderWithATailAnswersForNothing(t *testing.T) {
	second := meta.Term{Number: 2, Leader: "eu-1", Origin: euTerm, Ended: []meta.TermEnd{{Origin: 40, Leader: "us-1", Final: 50}}}
	for _, faults := range [][]fault.Fault{nil, {fault.LeadWithTail}} {
		c, local := ledCore("eu-1", ledBy(second), 2, faults...)
		local.progress, local.heads = hlc.Vector{40: 55}, hlc.Vector{40: 55}
		told := leadings(drive(c, Tick{Closed: 40}))
		local.heads = hlc.Vector{40: 55, euTerm: 60}
		drive(c, LeadingSet{Origins: told[0]})
		drive(c, Tick{Closed: 41})
		if _, open := c.leading.open[onlyShard]; open != (faults != nil) {
			t.Errorf("faults %v: with a tail it answers: %v", faults, open)
		}
		if c.ownLog(onlyShard) != euTerm {
			t.Errorf("faults %v: it cannot log its tail again: it does not write", faults)
		}
		local.progress, local.heads = hlc.Vector{40: 50, euTerm: 70}, hlc.Vector{40: 50, euTerm: 70}
		for id := range c.tails {
			c.tails[id].settled = true
		}
		drive(c, Tick{Closed: 42})
		drive(c, Tick{Closed: 43})
		if _, open := c.leading.open[onlyShard]; !open {
			t.Errorf("faults %v: without it, it does not answer", faults)
		}
	}
}

// First leaders wait a while for stores that join, and not for ever.
func TestFirstLeadersWaitForWhoJoins(t *testing.T) {
	m := ledBy(euLeads)
	m.Terms = nil
	m.Members[2].State = meta.Joining // us-1
	c, _ := ledCore("eu-1", m, 2)
	c.now.Mono = time.Minute
	if next := c.firstLeaders(); next != m {
		t.Errorf("it names %+v while a store joins", next.Terms)
	}
	c.now.Mono += joinPatience - 1
	if next := c.firstLeaders(); next != m {
		t.Errorf("it names %+v before its patience is over", next.Terms)
	}
	c.now.Mono++
	if next := c.firstLeaders(); len(next.Terms) != 1 || next.Terms[0].Origin != 77 {
		t.Errorf("then it names %+v", next.Terms)
	}
}
