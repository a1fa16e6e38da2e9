package replication

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

var onlyShard = feature.Shard{Group: 1}

// localFacts are what a core reads of a store.
type localFacts struct {
	progress, heads hlc.Vector
	shards          []feature.Shard // nil is onlyShard
	revision        uint64
	groups          []*feature.Group
}

func (l *localFacts) Shards(meta.Region) []feature.Shard {
	if l.shards == nil {
		return []feature.Shard{onlyShard}
	}
	return l.shards
}

func (l *localFacts) Progress(feature.Shard) hlc.Vector { return l.progress }
func (l *localFacts) Heads(feature.Shard) hlc.Vector    { return l.heads }
func (l *localFacts) Groups() []*feature.Group          { return l.groups }
func (l *localFacts) Group(id feature.GroupID) *feature.Group {
	i := slices.IndexFunc(l.groups, func(g *feature.Group) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return l.groups[i]
}
func (l *localFacts) RegistryVersion() feature.RegistryVersion {
	return feature.RegistryVersion{Revision: max(1, l.revision)}
}

// twoStores is the membership of eu-1 and us-1, whose home is eu-1.
func twoStores(t *testing.T) *meta.Membership {
	t.Helper()
	m := meta.Found(meta.Member{Store: "eu-1", Region: "eu", Origin: 1})
	m, err := m.Introduce(meta.Member{Store: "us-1", Region: "us", Origin: 2, Address: "us:1"}, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Members {
		m.Members[i].State = meta.Active
	}
	return m
}

// drive gives inputs to a core at moments a millisecond apart and returns what
// it says in the end.
func drive(c *Core, inputs ...Input) (out []Output) {
	for _, in := range inputs {
		c.now.Mono += time.Millisecond
		c.now.Wall = time.UnixMilli(1000).Add(c.now.Mono)
		out = append(c.Step(c.now, in), c.Settle(c.now)...)
	}
	return out
}

// A store that writes nothing tells that its log is complete; telling of
// others' entries in between must not take it back.
func TestAStatusAlwaysTellsOfTheOwnLog(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{}}
	c := NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: local, Membership: twoStores(t)})
	drive(c, Opened{Hello: Hello{Member: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}}}, Tick{Closed: 40})
	entry := oplog.Interval{Shard: onlyShard, Origin: 1, Through: 50, Entries: []oplog.Logged{{Entry: oplog.Entry{At: 50, Origin: 1}}}}
	drive(c, Received{From: "eu-1", Message: Interval{entry}})
	local.progress = hlc.Vector{1: 50}
	told := 0
	for _, o := range drive(c, Joined{Shard: onlyShard, Position: hlc.Position{Origin: 1, At: 50}}) {
		s, ok := o.(Send)
		if !ok {
			continue
		}
		if m, ok := s.Message.(Status); ok {
			told++
			if want := (hlc.Vector{1: 50, 2: 40}); !m.Progress[onlyShard].Equal(want) {
				t.Errorf("told the progress %v, want %v", m.Progress[onlyShard], want)
			}
		}
	}
	if told != 1 {
		t.Errorf("%d statuses were told after entries were joined, want 1", told)
	}
}

// A follower that has newer definitions asks for shards that are not known here
// yet; it is served once they are, and need not ask again.
func TestAFollowBeforeTheDefinitionsIsServedAfterThem(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{2: 50}, heads: hlc.Vector{2: 50}}
	c := NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: local, Membership: twoStores(t)})
	later := feature.Shard{Group: 7}
	serves := func(out []Output) (reads []LogRead) {
		for _, o := range out {
			if s, ok := o.(Serve); ok {
				reads = append(reads, s.Reads...)
			}
		}
		return reads
	}
	follow := Received{From: "eu-1", Message: Follow{Origin: 2, After: map[feature.Shard]hlc.Timestamp{later: 0}}}
	if got := serves(drive(c, Opened{Hello: Hello{Member: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}}, Serving: true}, follow)); len(got) > 0 {
		t.Fatalf("it reads %v for a follower, of a shard that it does not know", got)
	}
	local.shards, local.revision = []feature.Shard{onlyShard, later}, 2
	if got := serves(drive(c, Adopted{})); len(got) != 1 || got[0].Shard != later || got[0].Origin != 2 {
		t.Errorf("once it knows the shard, it reads %v for its follower", got)
	}
}

// What operators see of gaps and of joined entries is what happened.
func TestCountsAreOfWhatHappened(t *testing.T) {
	c := NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: &localFacts{progress: hlc.Vector{}}, Membership: twoStores(t)})
	from := func(m Message) Received { return Received{From: "eu-1", Message: m} }
	drive(c, Opened{Hello: Hello{Member: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}}}, Tick{Closed: 40},
		from(Interval{oplog.Interval{Shard: onlyShard, Origin: 1, After: 30, Through: 50}}),
		from(Interval{oplog.Interval{Shard: onlyShard, Origin: 1, Through: 50, Entries: []oplog.Logged{{Entry: oplog.Entry{At: 50, Origin: 1}}}}}),
		Joined{Shard: onlyShard, Position: hlc.Position{Origin: 1, At: 50}, Entries: 1},
		from(Interval{oplog.Interval{Shard: onlyShard, Origin: 1, After: 50, Through: 60,
			Entries: []oplog.Logged{{Entry: oplog.Entry{At: 60, Prev: 50, Origin: 1, Deps: []hlc.Position{{Origin: 9, At: 5}}}}}}}),
		from(Truncated{Shard: onlyShard, Origin: 1, Floor: 70}))
	if want := (Counts{Intervals: 1, Entries: 1, Gaps: 1, Held: 1, Truncated: 1, Rebuilds: 1}); c.counts != want {
		t.Errorf("counted %+v, want %+v", c.counts, want)
	}
}

func TestAStoreSaysWhyItTakesNoWrites(t *testing.T) {
	us := meta.Member{Store: "us-1", Region: "us", Origin: 2}
	active := twoStores(t)
	another := us
	another.Origin = 3
	unknown := meta.Member{Store: "ap-1", Region: "ap", Origin: 4}
	for _, c := range []struct {
		claim string
		cfg   CoreConfig
		act   func(*Core)
		want  string
		clock bool
	}{
		{claim: "a founder names whom it waits for", cfg: CoreConfig{Self: us, Founder: true, Founding: []meta.Region{"eu", "ap"}}, want: "missing: eu, ap"},
		{claim: "a founder alone begins", cfg: CoreConfig{Self: us, Founder: true}, want: "it begins the deployment"},
		{claim: "others wait to hear", cfg: CoreConfig{Self: us}, want: "has not heard of the deployment"},
		{claim: "one that nobody knows waits for the home", cfg: CoreConfig{Self: unknown, Membership: active}, want: "let into the deployment by its home, store eu-1: its configuration names region ap, or an operator says featurestore members add --region ap --store ap-1"},
		{claim: "one under a new origin says what became of the old", cfg: CoreConfig{Self: another, Membership: active}, want: "its data directory was lost or replaced; evict it first"},
		{claim: "one that told less than others have", cfg: CoreConfig{Self: us, Membership: active, Begun: 50}, act: func(c *Core) { c.recall(50) }, want: "store us-1 is active"},
		{claim: "one that told more than its directory has", cfg: CoreConfig{Self: us, Membership: active, Begun: 50}, act: func(c *Core) { c.close(90); c.recall(51) }, want: "it is an older copy; evict the store"},
		{claim: "one that told it in this life", cfg: CoreConfig{Self: us, Membership: active, Begun: 50}, act: func(c *Core) { c.close(90); c.recall(90) }, want: "store us-1 is active"},
		{claim: "one whose clock is off says by how much", cfg: CoreConfig{Self: us, Membership: active}, act: func(c *Core) { c.fencedClock, c.clockOff = true, 800*time.Millisecond },
			want: "the clock differs by 800ms", clock: true},
	} {
		c.cfg.Local = &localFacts{}
		core := NewCore(c.cfg)
		if c.act != nil {
			c.act(core)
		}
		err := core.refusal()
		if !errors.Is(err, ErrNotWriting) || errors.Is(err, ErrClockOff) != c.clock || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.claim, err, c.want)
		}
	}
}

// A store whose clock is off when it starts says so, rather than that it starts.
func TestAClockThatIsOffStopsWrites(t *testing.T) {
	c := NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: &localFacts{progress: hlc.Vector{}}, Membership: twoStores(t)})
	drive(c, Opened{Hello: Hello{Member: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}}}, Tick{Closed: 40})
	c.peers["eu-1"].clock.add(clockSample{offset: -2 * time.Second, roundTrip: time.Millisecond})
	c.nextPing = 0
	drive(c, Tick{Closed: 41}, WritingSet{Allowed: true}, Tick{Closed: 42})
	if err := c.refusal(); !errors.Is(err, ErrClockOff) {
		t.Errorf("got %v, want ErrClockOff", err)
	}
	if c.writing.allowed {
		t.Error("a store that is two seconds ahead takes writes")
	}
}

// The home is in nobody's list of peers: it must note itself that it moved.
func TestTheHomeNotesItsOwnNewAddress(t *testing.T) {
	moved := meta.Member{Store: "eu-1", Region: "eu", Origin: 1, URL: "http://eu.example:8080", Address: "eu.example:9080"}
	c := NewCore(CoreConfig{Self: moved, Local: &localFacts{progress: hlc.Vector{}}, Membership: twoStores(t)})
	for _, o := range drive(c, Tick{Closed: 40}) {
		if keep, ok := o.(Keep); ok {
			if x, _ := keep.Membership.Member("eu-1"); x.URL != moved.URL || x.Address != moved.Address || x.State != meta.Active {
				t.Errorf("noted %+v", x)
			}
			drive(c, Kept{Membership: keep.Membership})
			for _, o := range drive(c, Tick{Closed: 41}) {
				if _, again := o.(Keep); again {
					t.Error("it is noted again and again")
				}
			}
			return
		}
	}
	t.Error("nothing was noted")
}
