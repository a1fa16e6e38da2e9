package meta

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
)

// ledGroup is a leader group of one shard, whose acknowledgements name so many
// members; drawn counts the origins up from 100.
func ledGroup(distinct int, change ...func(*feature.Group)) (*feature.Group, Rules) {
	g := &feature.Group{ID: 1, Name: "led", Placement: feature.Leader, Home: []string{"eu"}}
	for _, c := range change {
		c(g)
	}
	drawn := hlc.Origin(99)
	return g, Rules{
		Groups: []*feature.Group{g}, Distinct: func(*feature.Group, Members) int { return distinct },
		Draw: func() hlc.Origin { drawn++; return drawn },
	}
}

// failing is a test, or a run of one with drawn inputs.
type failing interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func mustPromote(t failing, m *Membership, g *feature.Group, to StoreID, force bool) *Membership {
	t.Helper()
	n, err := m.Promote(g, -1, to, force)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// obeying is a store that goes by a document, has this of shard A, and covers it.
func obeying(m *Membership, has hlc.Vector) Heard {
	return Heard{
		Version: m.Version(), Whole: true,
		Head:   func(_ feature.Shard, o hlc.Origin) hlc.Timestamp { return has[o] },
		Covers: func(_ feature.Shard, p hlc.Position) bool { return has.CoversPosition(p) },
	}
}

func termOf(t failing, m *Membership) Term {
	t.Helper()
	term, led := m.Term(shardA)
	if !led {
		t.Fatalf("nobody leads: %+v", m.Terms)
	}
	return *term
}

// M7.
func TestFirstLeadersAreOfTheFirstHomeThatHasAny(t *testing.T) {
	for _, c := range []struct {
		claim string
		home  []string
		away  StoreID
		want  StoreID
	}{
		{"the first home", []string{"us", "eu"}, "", "us-1"},
		{"the second, where nobody is active in the first", []string{"us", "ap"}, "us-1", "ap-1"},
		{"any, where nobody is active in either", []string{"us"}, "us-1", "eu-1 or ap-1"},
	} {
		m := three(t)
		for i := range m.Members {
			if m.Members[i].Store == c.away {
				m.Members[i].State = Leaving
			}
		}
		g, r := ledGroup(2, func(g *feature.Group) { g.Home = c.home })
		n := m.Lead(r)
		term := termOf(t, n)
		if !strings.Contains(string(c.want), string(term.Leader)) || term.Number != 1 || term.State != Open || term.Origin != 100 || term.Since != n.Revision || n.Revision != m.Revision+1 {
			t.Errorf("%s: got %+v at revision %d, want %s", c.claim, term, n.Revision, c.want)
		}
		if len(m.Terms) > 0 {
			t.Errorf("%s: the document from before has terms", c.claim)
		}
		if again := n.Lead(r); again != n {
			t.Errorf("%s: shards of group %s that are led get leaders", c.claim, g.Name)
		}
	}
	if _, r := ledGroup(2, func(g *feature.Group) { g.Placement = feature.MultiLeader }); len(three(t).Lead(r).Terms) > 0 {
		t.Error("shards of a group without leaders get leaders")
	}
	if _, r := ledGroup(2, func(g *feature.Group) { g.Regions = []string{"sa"} }); len(three(t).Lead(r).Terms) > 0 {
		t.Error("a shard is led that nobody holds")
	}
}

// Where a group names no home, its shards are spread, the same by every home.
func TestLeadersAreSpreadOverRegions(t *testing.T) {
	_, r := ledGroup(2, func(g *feature.Group) { g.Home, g.Partitions = nil, 96 })
	first, second := three(t).Lead(r), three(t).Lead(r)
	led := map[StoreID]int{}
	origins := map[hlc.Origin]bool{}
	for i, term := range first.Terms {
		led[term.Leader]++
		origins[term.Origin] = true
		if second.Terms[i].Leader != term.Leader {
			t.Errorf("partition %d is led by %s, and by %s when drawn again", term.Shard.Partition, term.Leader, second.Terms[i].Leader)
		}
	}
	for _, x := range []StoreID{"eu-1", "us-1", "ap-1"} {
		if led[x] < 16 {
			t.Errorf("store %s leads %d of 96 shards", x, led[x])
		}
	}
	if len(origins) != 96 {
		t.Errorf("96 terms have %d origins", len(origins))
	}
}

// M1, M7: an origin that writes, or wrote, anything is not given to a term.
func TestATermHasAnOriginThatNobodyHad(t *testing.T) {
	m := three(t)
	m.Seals = []Seal{{Origin: 9}}
	m.Terms = []Term{{Shard: feature.Shard{Group: 7}, Origin: 8, Ended: []TermEnd{{Origin: 7}}}}
	_, r := ledGroup(2)
	draws := []hlc.Origin{0, 1, 9, 8, 7, 55}
	r.Draw = func() hlc.Origin { o := draws[0]; draws = draws[1:]; return o }
	if term := termOf(t, m.Lead(r)); term.Origin != 55 {
		t.Errorf("got origin %v, want 55: all before are used", term.Origin)
	}
}

func TestPromotionsPassThroughTheStatesOfATerm(t *testing.T) {
	g, r := ledGroup(2)
	open := three(t).Lead(r) // eu-1 leads
	stopping := mustPromote(t, open, g, "us-1", false)
	deposed := mustPromote(t, open, g, "us-1", true)
	for _, c := range []struct {
		claim string
		from  *Membership
		to    StoreID
		force bool
		want  Term
		error string
	}{
		{"in order", open, "us-1", false, Term{State: Stopping, Next: "us-1"}, ""},
		{"by force", open, "us-1", true, Term{State: Deposed, Next: "us-1", Lossy: true}, ""},
		{"who leads already", open, "eu-1", false, Term{}, "store eu-1 leads group led already"},
		{"another one meanwhile", stopping, "ap-1", false, Term{State: Stopping, Next: "ap-1"}, ""},
		{"back, for nothing was sealed", stopping, "eu-1", false, Term{State: Open}, ""},
		{"by force after all", stopping, "us-1", true, Term{State: Deposed, Next: "us-1", Lossy: true}, ""},
		{"another one by force", deposed, "ap-1", true, Term{State: Deposed, Next: "ap-1", Lossy: true}, ""},
		{"in order, of one that is away", deposed, "ap-1", false, Term{}, "is being taken from store eu-1 already"},
		{"back, of one that others obey no more", deposed, "eu-1", true, Term{}, "is being taken from store eu-1 already"},
		{"nobody that is known", open, "sa-1", false, Term{}, `store "sa-1" is no active member`},
	} {
		n, err := c.from.Promote(g, -1, c.to, c.force)
		if c.error != "" {
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.error) {
				t.Errorf("%s: got %v, want %q", c.claim, err, c.error)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.claim, err)
			continue
		}
		got := termOf(t, n)
		if got.State != c.want.State || got.Next != c.want.Next || got.Lossy != c.want.Lossy || got.Since != n.Revision || got.Leader != "eu-1" || got.Number != 1 {
			t.Errorf("%s: got %+v", c.claim, got)
		}
	}
	if _, err := open.Promote(g, 1, "us-1", false); !errors.Is(err, ErrRefused) {
		t.Errorf("a partition that is not there: got %v", err)
	}
	other := *g
	other.Placement = feature.MultiLeader
	if _, err := open.Promote(&other, -1, "us-1", false); !errors.Is(err, ErrRefused) {
		t.Errorf("a group without leaders: got %v", err)
	}
	other = *g
	other.Regions = []string{"eu"}
	if _, err := open.Promote(&other, -1, "us-1", false); !errors.Is(err, ErrRefused) {
		t.Errorf("a store that may not hold the group: got %v", err)
	}
}

// M7, M8, M9: in order the term ends where its leader stopped, once the next one has
// all of it. The next term has another number and origin, and the end is kept.
func TestATermEndsWhereItsLeaderStopped(t *testing.T) {
	g, r := ledGroup(2)
	open := three(t).Lead(r)
	m := mustPromote(t, open, g, "us-1", false)
	log := termOf(t, m).Origin
	for _, c := range []struct {
		claim  string
		eu, us Heard
		ends   bool
	}{
		{"the leader has not heard", obeying(open, hlc.Vector{log: 50}), obeying(m, hlc.Vector{log: 50}), false},
		{"the next one has not heard", obeying(m, hlc.Vector{log: 50}), obeying(open, hlc.Vector{log: 50}), false},
		{"the next one lacks some", obeying(m, hlc.Vector{log: 50}), obeying(m, hlc.Vector{log: 49}), false},
		{"both have", obeying(m, hlc.Vector{log: 50}), obeying(m, hlc.Vector{log: 50}), true},
		{"nothing was written", obeying(m, nil), obeying(m, nil), true},
	} {
		n := m.Advance(world{"eu-1": c.eu, "us-1": c.us}.heard, everyShard, r)
		if !c.ends {
			if n != m {
				t.Errorf("%s: the term ends: %+v", c.claim, n.Terms)
			}
			continue
		}
		got := termOf(t, n)
		if got.Number != 2 || got.Leader != "us-1" || got.State != Open || got.Next != "" || got.Origin == log || got.Since != n.Revision || len(got.Ended) != 1 {
			t.Fatalf("%s: got %+v", c.claim, got)
		}
		want := TermEnd{Origin: log, Leader: "eu-1", Final: c.eu.Head(shardA, log)}
		if got.Ended[0] != want {
			t.Errorf("%s: it ended as %+v, want %+v", c.claim, got.Ended[0], want)
		}
		if end, ended := n.End(shardA, log); !ended || end.Final != want.Final {
			t.Errorf("%s: the log ends at %+v, %v", c.claim, end, ended)
		}
		if _, ended := n.End(shardA, got.Origin); ended || n.IsEnded(got.Origin) || !n.IsEnded(log) {
			t.Errorf("%s: the present term's log has ended", c.claim)
		}
	}
}

// M8, I9: of a leader that is away the term ends where a seal quorum has it;
// where so many are not left, and by force alone, all who are.
func TestADeposedTermEndsWhereASealQuorumHasIt(t *testing.T) {
	for _, c := range []struct {
		claim    string
		distinct int
		us, ap   int // position; negative: not heard, or not obeying
		leader   int
		lossy    bool
		final    int // negative: it does not end
	}{
		{"the majority of others", 2, 40, 60, -1, false, 60},
		{"one of two is not enough", 2, 40, -1, -1, false, -1},
		{"one of two is not enough by force", 2, 40, -1, -1, true, -1},
		{"all others, where nothing less would do", 1, 40, 60, -1, false, -1},
		{"all others by force", 1, 40, 60, -1, true, 60},
		{"a leader that has stopped knows best", 2, 40, 60, 70, true, 70},
		{"a leader that has stopped, alone with the next one", 2, 40, -1, 70, true, 70},
	} {
		g, r := ledGroup(c.distinct)
		m := mustPromote(t, three(t).Lead(r), g, "us-1", true)
		m.Terms[0].Lossy = c.lossy
		log := termOf(t, m).Origin
		w := world{}
		for store, at := range map[StoreID]int{"us-1": c.us, "ap-1": c.ap, "eu-1": c.leader} {
			if at >= 0 {
				w[store] = obeying(m, hlc.Vector{log: hlc.Timestamp(at)})
			}
		}
		n := m.Advance(w.heard, everyShard, r)
		switch {
		case c.final < 0 && n != m:
			t.Errorf("%s: it ends: %+v", c.claim, n.Terms)
		case c.final >= 0 && n == m:
			t.Errorf("%s: it does not end", c.claim)
		case c.final >= 0:
			if got := termOf(t, n); got.Leader != "us-1" || got.Number != 2 || got.Ended[0].Final != hlc.Timestamp(c.final) {
				t.Errorf("%s: got %+v, want its end at %d", c.claim, got, c.final)
			}
		}
	}
}

// I9: those who decide about an end have one in common with those that
// acknowledged, and, when one member comes or goes, with those who decided before.
func TestAnyTwoQuorumsMeet(t *testing.T) {
	for members := 1; members <= 12; members++ {
		for distinct := 1; distinct <= members; distinct++ {
			q := SealQuorum(members, distinct)
			if q+distinct <= members {
				t.Errorf("%d of %d decide, %d acknowledge: they need not meet", q, members, distinct)
			}
			for other := 1; other <= members+1; other++ {
				if q+SealQuorum(members+1, other) <= members+1 {
					t.Errorf("%d of %d, and %d of one more, need not meet", q, members, SealQuorum(members+1, other))
				}
			}
		}
	}
}

// I9: whatever was acknowledged at the durability is before the end that a forced
// promotion decides, wherever it can be; Keeps says where. Stores are heard in
// any order, some never.
func TestAForcedPromotionKeepsWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, m := rapid.IntRange(2, 6).Draw(t, "members"), &Membership{Epoch: 1, Revision: 1, Home: "s0"}
		for i := range members {
			m.Members = append(m.Members, Member{Store: StoreID(fmt.Sprintf("s%d", i)), Region: Region(fmt.Sprintf("r%d", i)), State: Active, Origin: hlc.Origin(i + 1)})
		}
		distinct := rapid.IntRange(1, members).Draw(t, "distinct")
		g, r := ledGroup(distinct, func(g *feature.Group) { g.Home = []string{"r0"} })
		m = mustPromote(t, m.Lead(r), g, "s1", true)
		term := termOf(t, m)
		d := m.Deciders(&term, g, r)
		// The leader wrote up to some position; others have prefixes of it. What
		// distinct members have, the leader among them, was acknowledged.
		var have []int
		for i := 1; i < members; i++ {
			have = append(have, rapid.IntRange(0, 9).Draw(t, "has"))
		}
		acknowledged := 9
		for at := 9; at >= 0; at-- {
			n := 1
			for _, h := range have {
				if h >= at {
					n++
				}
			}
			if acknowledged = at; n >= distinct {
				break
			}
		}
		w, heard := world{}, rapid.Permutation(d.Others).Draw(t, "order")
		for _, x := range heard[:rapid.IntRange(0, len(heard)).Draw(t, "heard")] {
			var i int
			if _, err := fmt.Sscanf(string(x.Store), "s%d", &i); err != nil {
				t.Fatal(err)
			}
			w[x.Store] = obeying(m, hlc.Vector{term.Origin: hlc.Timestamp(have[i-1])})
		}
		n := m.Advance(w.heard, everyShard, r)
		if n == m {
			if _, next := w["s1"]; next && len(w) == len(d.Others) {
				t.Fatal("all who remain have told, and the term does not end")
			}
			return
		}
		if final := termOf(t, n).Ended[0].Final; d.Keeps() && final < hlc.Timestamp(acknowledged) {
			t.Fatalf("%d members, %d acknowledge: it ends at %v, and %d was acknowledged", members, distinct, final, acknowledged)
		}
	})
}

// Where nothing is promised to be kept it can indeed be lost: Keeps is no more
// careful than need be.
func TestKeepsIsExact(t *testing.T) {
	for others := 1; others <= 6; others++ {
		for distinct := 1; distinct <= others+1; distinct++ {
			d := Deciders{Others: make(Members, others), Distinct: distinct, Quorum: SealQuorum(others+1, distinct)}
			deciding := min(d.Quorum, others)
			// Acknowledged by the leader and those that do not decide, if they are enough.
			if canMiss := 1+others-deciding >= distinct; d.Keeps() == canMiss {
				t.Errorf("%d others, %d acknowledge, %d decide: Keeps is %v", others, distinct, deciding, d.Keeps())
			}
		}
	}
}

// Who leaves hands over in order; who is fenced is deposed, and nobody leads the
// store's shards for it when it is gone.
func TestWhoLeavesHandsItsShardsOver(t *testing.T) {
	_, r := ledGroup(2, func(g *feature.Group) { g.Home = []string{"us", "ap"} })
	led := three(t).Lead(r) // us-1
	left, err := led.Remove("us-1", r)
	if err != nil {
		t.Fatal(err)
	}
	if got := termOf(t, left); got.State != Stopping || got.Next != "ap-1" || got.Lossy {
		t.Errorf("it leaves: got %+v", got)
	}
	fenced, err := led.Evict("us-1", r, false)
	if err != nil {
		t.Fatal(err)
	}
	got := termOf(t, fenced)
	if got.State != Deposed || got.Next != "ap-1" || !got.Lossy {
		t.Errorf("it is evicted: got %+v", got)
	}
	w := world{"eu-1": obeying(fenced, hlc.Vector{got.Origin: 7}), "ap-1": obeying(fenced, hlc.Vector{got.Origin: 5})}
	n := fenced.Advance(w.heard, everyShard, r)
	if x, _ := n.Member("us-1"); x.State != Fenced || termOf(t, n).Leader != "ap-1" || termOf(t, n).Ended[0].Final != 7 {
		t.Errorf("first its term ends: %+v, %+v", n.Members, n.Terms)
	}
	for store := range w {
		w[store] = obeying(n, hlc.Vector{got.Origin: 7})
	}
	if gone := n.Advance(w.heard, everyShard, r); gone == n {
		t.Error("it is not removed afterwards")
	}
}

// M6: a tail that was logged again is noted once, and stands for what lies
// beyond the end.
func TestTailsOfTermsAreNotedOnce(t *testing.T) {
	g, r := ledGroup(2)
	m := mustPromote(t, three(t).Lead(r), g, "us-1", true)
	log := termOf(t, m).Origin
	m = m.Advance(world{"us-1": obeying(m, hlc.Vector{log: 40}), "ap-1": obeying(m, hlc.Vector{log: 40})}.heard, everyShard, r)
	here := func(v hlc.Vector) func(hlc.Position) bool { return v.CoversPosition }
	beyond := hlc.Position{Origin: log, At: 45}
	if _, ok := m.Follow(shardA, beyond, here(hlc.Vector{log: 40})); ok {
		t.Error("what nobody has logged again is not lost")
	}
	again := Salvage{UpTo: 50, As: hlc.Position{Origin: termOf(t, m).Origin, At: 90}}
	m, err := m.AddTermSalvage(shardA, log, again)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := m.Follow(shardA, beyond, here(hlc.Vector{log: 40})); !ok || got != again.As {
		t.Errorf("it stands at %v, %v; want %v", got, ok, again.As)
	}
	if got, ok := m.Follow(shardA, beyond, here(hlc.Vector{log: 39})); !ok || got != (hlc.Position{Origin: log, At: 40}) {
		t.Errorf("before all of the log is here, it waits for %v, %v", got, ok)
	}
	if n, err := m.AddTermSalvage(shardA, log, Salvage{UpTo: 60, As: hlc.Position{Origin: 3, At: 1}}); err != nil || n != m {
		t.Errorf("a second note: %v, %+v", err, n.Terms)
	}
	if _, err := m.AddTermSalvage(shardA, 4711, again); !errors.Is(err, ErrRefused) {
		t.Errorf("of a log that has not ended: %v", err)
	}
	if _, err := m.AddTermSalvage(feature.Shard{Group: 5}, log, again); !errors.Is(err, ErrRefused) {
		t.Errorf("of a shard that nobody leads: %v", err)
	}
}

// A term's origin is its leader's in one shard only.
func TestOriginsOfTermsHaveWriters(t *testing.T) {
	g, r := ledGroup(2)
	m := mustPromote(t, three(t).Lead(r), g, "us-1", false)
	old := termOf(t, m).Origin
	m = m.Advance(world{"eu-1": obeying(m, nil), "us-1": obeying(m, nil)}.heard, everyShard, r)
	now := termOf(t, m).Origin
	for o, want := range map[hlc.Origin]StoreID{old: "eu-1", now: "us-1", ap.Origin: "ap-1"} {
		if got, ok := m.WriterOf(o); !ok || got != want {
			t.Errorf("origin %v is written by %q, want %q", o, got, want)
		}
	}
	if shard, ok := m.ShardOf(old); !ok || shard != shardA {
		t.Errorf("the ended term was of %v", shard)
	}
	if _, err := m.Introduce(Member{Store: "sa-1", Region: "sa", Origin: now, Address: "sa:1"}, true); !errors.Is(err, ErrRefused) {
		t.Errorf("a store comes under the origin of a term: %v", err)
	}
}
