package meta

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
)

var (
	eu = Member{Store: "eu-1", Region: "eu", Origin: 1, Address: "eu:1"}
	us = Member{Store: "us-1", Region: "us", Origin: 2, Address: "us:1"}
	ap = Member{Store: "ap-1", Region: "ap", Origin: 3, Address: "ap:1"}

	shardA = feature.Shard{Group: 1}
)

// world is what members told, for Advance.
type world map[StoreID]Heard

func (w world) heard(id StoreID) (Heard, bool) {
	h, ok := w[id]
	if h.Head == nil {
		h.Head = func(feature.Shard, hlc.Origin) hlc.Timestamp { return 0 }
	}
	if h.Covers == nil {
		h.Covers = func(feature.Shard, hlc.Position) bool { return true }
	}
	return h, ok
}

func everyShard(Member) []feature.Shard { return []feature.Shard{shardA} }

// three returns a deployment of three active stores.
func three(t *testing.T) *Membership {
	t.Helper()
	m := Found(eu)
	for _, x := range []Member{us, ap} {
		var err error
		if m, err = m.Introduce(x, true); err != nil {
			t.Fatal(err)
		}
		w := world{}
		for _, y := range m.Members {
			w[y.Store] = Heard{Version: m.Version(), Whole: true}
		}
		m = m.Advance(w.heard, everyShard, Rules{})
	}
	if got := len(m.Members.Active()); got != 3 {
		t.Fatalf("%d members are active, want 3: %+v", got, m.Members)
	}
	return m
}

// M4.
func TestAMemberServesOnlyOnceEveryoneCountsItsOrigin(t *testing.T) {
	m, err := Found(eu).Introduce(us, true)
	if err != nil {
		t.Fatal(err)
	}
	told := func(revision uint64, whole bool) Heard {
		return Heard{Version: Version{Epoch: 1, Home: "eu-1", Revision: revision}, Whole: whole}
	}
	for _, c := range []struct {
		claim string
		w     world
		want  State
	}{
		{"nobody was heard of", world{}, Joining},
		{"it is not whole", world{"eu-1": told(2, true), "us-1": told(2, false)}, Joining},
		{"it has not heard that it was let in", world{"eu-1": told(2, true), "us-1": told(1, true)}, Joining},
		{"another does not count its origin", world{"eu-1": told(1, true), "us-1": told(2, true)}, Joining},
		{"another is of an older epoch", world{"eu-1": {Version: Version{Home: "eu-1", Revision: 9}, Whole: true}, "us-1": told(2, true)}, Joining},
		{"another follows another home", world{"eu-1": {Version: Version{Epoch: 1, Home: "us-1", Revision: 9}, Whole: true}, "us-1": told(2, true)}, Joining},
		{"all is in place", world{"eu-1": told(2, true), "us-1": told(2, true)}, Active},
	} {
		x, _ := m.Advance(c.w.heard, everyShard, Rules{}).Member("us-1")
		if x.State != c.want {
			t.Errorf("%s: it is %v, want %v", c.claim, x.State, c.want)
		}
	}
}

// M5.
func TestAFencedOriginEndsWhereAnyMemberHasIt(t *testing.T) {
	m, err := three(t).Evict("ap-1", Rules{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, fenced := m.Limit(shardA, ap.Origin); !fenced {
		t.Fatal("the origin of an evicted store is not fenced")
	}
	head := func(at hlc.Timestamp) func(feature.Shard, hlc.Origin) hlc.Timestamp {
		return func(_ feature.Shard, o hlc.Origin) hlc.Timestamp {
			if o == ap.Origin {
				return at
			}
			return 0
		}
	}
	w := world{
		"eu-1": {Version: m.Version(), Head: head(70)},
		"us-1": {Version: Version{Epoch: 1, Home: "eu-1", Revision: m.Revision - 1}, Head: head(90)},
	}
	if got := m.Advance(w.heard, everyShard, Rules{}); got != m {
		t.Fatal("it was sealed before us had stopped taking its entries")
	}
	w["us-1"] = Heard{Version: m.Version(), Head: head(90)}
	sealed := m.Advance(w.heard, everyShard, Rules{})
	x, _ := sealed.Member("ap-1")
	seal, ok := sealed.Sealed(ap.Origin)
	if !ok || seal.Final[shardA] != 90 || x.State != Removed {
		t.Fatalf("got seal %+v of a member that is %v, want final 90 and removed", seal, x.State)
	}
	if through, fenced := sealed.Limit(shardA, ap.Origin); through != 90 || fenced {
		t.Errorf("the limit is %v, fenced %v; want 90, not fenced", through, fenced)
	}
	if again := sealed.Advance(w.heard, everyShard, Rules{}); again != sealed {
		t.Error("a sealed origin was sealed again")
	}
}

// The store that leaves may be the last that has all of a log that has ended.
func TestALeavingMemberWaitsForWhoLacksAnEndedLog(t *testing.T) {
	m, err := three(t).Remove("us-1", Rules{})
	if err != nil {
		t.Fatal(err)
	}
	m.Seals = []Seal{{Origin: 9, Final: map[feature.Shard]hlc.Timestamp{shardA: 40}}}
	has := hlc.Vector{us.Origin: 50, 9: 39}
	h := Heard{
		Version: m.Version(),
		Head:    func(_ feature.Shard, o hlc.Origin) hlc.Timestamp { return 50 },
		Covers:  func(_ feature.Shard, p hlc.Position) bool { return has.CoversPosition(p) },
	}
	w := world{"eu-1": h, "us-1": h, "ap-1": h}
	if got := m.Advance(w.heard, everyShard, Rules{}); got != m {
		t.Error("it went although others lack some of a log that has ended")
	}
	has[9] = 40
	if _, gone := m.Advance(w.heard, everyShard, Rules{}).Sealed(us.Origin); !gone {
		t.Error("it stays although others lack nothing")
	}
}

func TestALeavingMemberGoesWhenOthersHaveAllOfIt(t *testing.T) {
	m, err := three(t).Remove("us-1", Rules{})
	if err != nil {
		t.Fatal(err)
	}
	covers := false
	h := Heard{
		Version: m.Version(),
		Head:    func(_ feature.Shard, o hlc.Origin) hlc.Timestamp { return 50 },
		Covers:  func(feature.Shard, hlc.Position) bool { return covers },
	}
	w := world{"eu-1": h, "us-1": h, "ap-1": h}
	if got := m.Advance(w.heard, everyShard, Rules{}); got != m {
		t.Fatal("it went although others lack some of its log")
	}
	delete(w, "us-1")
	covers = true
	if got := m.Advance(w.heard, everyShard, Rules{}); got != m {
		t.Fatal("it went although it was not heard to have stopped writing")
	}
	w["us-1"] = h
	gone := m.Advance(w.heard, everyShard, Rules{})
	if seal, ok := gone.Sealed(us.Origin); !ok || seal.Final[shardA] != 50 {
		t.Errorf("got seal %+v, want final 50", seal)
	}
	back := us
	back.Origin = 20
	if _, err := gone.Introduce(back, true); !errors.Is(err, ErrRefused) {
		t.Errorf("it came back by itself: %v", err)
	}
	added, err := gone.Invite(us)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := added.Introduce(back, false); err != nil {
		t.Errorf("it did not come back although it was added: %v", err)
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	m := three(t)
	evicted, err := m.Evict("ap-1", Rules{}, false)
	if err != nil {
		t.Fatal(err)
	}
	for claim, change := range map[string]func() (*Membership, error){
		"a stranger": func() (*Membership, error) {
			return m.Introduce(Member{Store: "sa-1", Region: "sa", Origin: 9}, false)
		},
		"a copied directory": func() (*Membership, error) {
			return m.Introduce(Member{Store: "sa-1", Region: "sa", Origin: us.Origin}, true)
		},
		"a lost directory": func() (*Membership, error) {
			return m.Introduce(Member{Store: "us-1", Region: "us", Origin: 99}, true)
		},
		"another region":      func() (*Membership, error) { return m.Introduce(Member{Store: "us-1", Region: "eu", Origin: 2}, true) },
		"no origin":           func() (*Membership, error) { return m.Introduce(Member{Store: "us-1", Region: "us"}, true) },
		"removing the home":   func() (*Membership, error) { return m.Remove("eu-1", Rules{}) },
		"removing nobody":     func() (*Membership, error) { return m.Remove("sa-1", Rules{}) },
		"evicting twice":      func() (*Membership, error) { return evicted.Evict("ap-1", Rules{}, false) },
		"draining an evicted": func() (*Membership, error) { return evicted.Remove("ap-1", Rules{}) },
		"the only holder": func() (*Membership, error) {
			return m.Remove("ap-1", Rules{Groups: []*feature.Group{{Name: "everywhere"}, {Name: "local", Regions: []string{"ap"}}}})
		},
		"evicting the only holder": func() (*Membership, error) {
			return m.Apply(Change{Action: Expel, Store: "ap-1"}, Rules{Groups: []*feature.Group{{Name: "everywhere"}, {Name: "local", Regions: []string{"ap"}}}})
		},
		"the last one":        func() (*Membership, error) { return Found(eu).Evict("eu-1", Rules{}, false) },
		"an incomplete guest": func() (*Membership, error) { return m.Invite(Member{Store: "sa-1", Region: "sa"}) },
		"a taken address":     func() (*Membership, error) { return m.Invite(Member{Store: "sa-1", Region: "sa", Address: us.Address}) },
		"a full region":       func() (*Membership, error) { return m.Invite(Member{Store: "us-2", Region: "us", Address: "us:2"}) },
		"a guest twice":       func() (*Membership, error) { return m.Invite(us) },
		"a second takeover":   func() (*Membership, error) { return m.TakeOver("eu-1") },
		"a stranger as home":  func() (*Membership, error) { return m.TakeOver("sa-1") },
	} {
		if next, err := change(); !errors.Is(err, ErrRefused) || next != nil {
			t.Errorf("%s: got %+v, %v; want ErrRefused", claim, next, err)
		}
	}
}

func TestAStoreComesBackUnderAnotherOrigin(t *testing.T) {
	m, err := three(t).Evict("ap-1", Rules{}, false)
	if err != nil {
		t.Fatal(err)
	}
	h := Heard{Version: m.Version()}
	m = m.Advance(world{"eu-1": h, "us-1": h}.heard, everyShard, Rules{})
	if _, err := m.Introduce(ap, true); err == nil {
		if again, _ := m.Introduce(ap, true); again != m {
			t.Error("the sealed origin came back")
		}
	}
	renewed := ap
	renewed.Origin = 30
	m, err = m.Introduce(renewed, false)
	if err != nil {
		t.Fatal(err)
	}
	if x, _ := m.Member("ap-1"); x.State != Joining || x.Origin != 30 {
		t.Errorf("it is %v under %v, want joining under o30", x.State, x.Origin)
	}
}

// M3.
func TestTakingOverMakesADocumentThatHolds(t *testing.T) {
	m := three(t)
	old := m
	for range 5 {
		old = old.next() // what the lost home did unseen
	}
	taken, err := m.Apply(Change{Action: Assume, Store: "us-1"}, Rules{})
	if err != nil {
		t.Fatal(err)
	}
	if taken.Compare(old) <= 0 || taken.Home != "us-1" {
		t.Errorf("document %d.%d of %s does not hold over %d.%d", taken.Epoch, taken.Revision, taken.Home, old.Epoch, old.Revision)
	}
	if taken.Revision < old.Revision {
		t.Errorf("revision %d is before %d: floors of sessions that the lost home served are never covered", taken.Revision, old.Revision)
	}
}

func TestSafeTimeWaitsForWhoMayWrite(t *testing.T) {
	m := three(t)
	all := func(Member) bool { return true }
	v := hlc.Vector{1: 100, 2: 80, 3: 60}
	if got := m.SafeTime(shardA, false, v, all); got != 60 {
		t.Errorf("the safe time is %v, want 60", got)
	}
	if got := m.SafeTime(shardA, false, v, func(x Member) bool { return x.Region != "ap" }); got != 80 {
		t.Errorf("without ap's writes the safe time is %v, want 80", got)
	}
	if got := m.SafeTime(shardA, false, hlc.Vector{1: 100, 2: 80}, all); got != 0 {
		t.Errorf("with nothing heard of ap the safe time is %v, want 0", got)
	}
	ended := m.sealed(m.Members[0], map[feature.Shard]hlc.Timestamp{shardA: 60}, nil) // ap, which is first by name
	if got := ended.SafeTime(shardA, false, v, all); got != 80 {
		t.Errorf("with all of a sealed origin the safe time is %v, want 80", got)
	}
	if got := ended.SafeTime(shardA, false, hlc.Vector{1: 100, 2: 80, 3: 59}, all); got != 59 {
		t.Errorf("with a part of a sealed origin the safe time is %v, want 59", got)
	}
}

func drawMembership(t *rapid.T) *Membership {
	text := rapid.StringMatching(`[a-z0-9:.-]{0,12}`)
	m := &Membership{
		Epoch: rapid.Uint64().Draw(t, "epoch"), Revision: rapid.Uint64().Draw(t, "revision"),
		Home: StoreID(text.Draw(t, "home")),
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "members") {
		m.Members = append(m.Members, Member{
			Store: StoreID(fmt.Sprintf("s%d", i)), Region: Region(text.Draw(t, "region")), State: State(rapid.IntRange(0, int(stateEnd)-1).Draw(t, "state")),
			Origin: hlc.Origin(rapid.Uint32().Draw(t, "origin")), Address: text.Draw(t, "address"), URL: text.Draw(t, "url"), Since: rapid.Uint64().Draw(t, "since"), Drained: rapid.Bool().Draw(t, "drained"),
		})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "seals") {
		s := Seal{Origin: hlc.Origin(10 + i), Store: StoreID(text.Draw(t, "store"))}
		for p := range rapid.IntRange(0, 3).Draw(t, "finals") {
			if s.Final == nil {
				s.Final = map[feature.Shard]hlc.Timestamp{}
			}
			s.Final[feature.Shard{Group: 1, Partition: uint16(p)}] = hlc.Timestamp(rapid.Uint64().Draw(t, "final"))
		}
		if rapid.Bool().Draw(t, "salvage") {
			s.Salvage = map[feature.Shard]Salvage{{Group: 2}: {UpTo: 7, As: hlc.Position{Origin: 3, At: hlc.Timestamp(rapid.Uint64().Draw(t, "as"))}}}
		}
		m.Seals = append(m.Seals, s)
	}
	for p := range rapid.IntRange(0, 3).Draw(t, "terms") {
		term := Term{
			Shard: feature.Shard{Group: 3, Partition: uint16(p)}, Number: rapid.Uint64().Draw(t, "number"), Origin: hlc.Origin(rapid.Uint32().Draw(t, "origin")),
			Leader: StoreID(text.Draw(t, "leader")), Next: StoreID(text.Draw(t, "next")), State: TermState(rapid.IntRange(0, int(termStateEnd)-1).Draw(t, "state")),
			Lossy: rapid.Bool().Draw(t, "lossy"), Since: rapid.Uint64().Draw(t, "since"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "ends") {
			term.Ended = append(term.Ended, TermEnd{
				Origin: hlc.Origin(rapid.Uint32().Draw(t, "origin")), Leader: StoreID(text.Draw(t, "leader")), Final: hlc.Timestamp(rapid.Uint64().Draw(t, "final")),
				Salvage: Salvage{UpTo: hlc.Timestamp(rapid.Uint64().Draw(t, "upto")), As: hlc.Position{Origin: hlc.Origin(rapid.Uint32().Draw(t, "as")), At: 9}},
			})
		}
		m.Terms = append(m.Terms, term)
	}
	return m
}

func TestMembershipsAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMembership(t)
		b := AppendMembership(nil, m)
		got, err := DecodeMembership(b)
		if err != nil {
			t.Fatal(err)
		}
		if again := AppendMembership(nil, got); !bytes.Equal(again, b) {
			t.Fatalf("it prints %x, want %x", again, b)
		}
		if !reflect.DeepEqual(got.Terms, m.Terms) {
			t.Fatalf("got the terms %+v, want %+v", got.Terms, m.Terms)
		}
		flipped := bytes.Clone(b)
		flipped[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := DecodeMembership(flipped); err == nil {
			t.Fatal("a flipped bit was not seen")
		}
	})
}

func FuzzDecodeMembership(f *testing.F) {
	f.Add(AppendMembership(nil, Found(eu)))
	f.Add([]byte{format, 1, 2})
	_, r := ledGroup(2)
	f.Add(AppendMembership(nil, Found(eu).Lead(r)))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMembership(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatalf("error %v is of no kind", err)
			}
			return
		}
		if again := AppendMembership(nil, m); !bytes.Equal(again, b) {
			t.Fatalf("%x was read, %x is written", b, again)
		}
	})
}

// M3: in whatever order stores hear of documents, they come to the same.
func TestVersionsAreTotallyOrdered(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) Version {
		return Version{Epoch: rapid.Uint64Range(1, 3).Draw(t, "epoch"), Home: StoreID(rapid.SampledFrom([]string{"eu-1", "us-1"}).Draw(t, "home")), Revision: rapid.Uint64Range(1, 3).Draw(t, "revision")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := draw.Draw(t, "a"), draw.Draw(t, "b"), draw.Draw(t, "c")
		if (a.Compare(b) == 0) != (a == b) || a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%v and %v: %d, and %d the other way round", a, b, a.Compare(b), b.Compare(a))
		}
		if a.Compare(b) < 0 && b.Compare(c) < 0 && a.Compare(c) >= 0 {
			t.Fatalf("%v < %v < %v, but not the first before the last", a, b, c)
		}
		if a.Epoch == b.Epoch && a.Home != b.Home {
			later := b
			later.Revision += 10
			if a.Compare(b) != a.Compare(later) {
				t.Fatalf("%v against the line of %v is decided by revisions", a, b)
			}
		}
	})
}

// The rows of a group that a dead store alone held are lost anyhow: an operator
// can say so.
func TestTheOnlyHolderIsEvictedOnAnOperatorsWord(t *testing.T) {
	groups := []*feature.Group{{Name: "local", Regions: []string{"ap"}}}
	m, err := three(t).Apply(Change{Action: Expel, Store: "ap-1", Abandon: true}, Rules{Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	if x, _ := m.Member("ap-1"); x.State != Fenced {
		t.Errorf("it is %v, want fenced", x.State)
	}
	guest, err := three(t).Introduce(Member{Store: "sa-1", Region: "sa", Origin: 9, Address: "sa:1"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guest.Evict("sa-1", Rules{Groups: []*feature.Group{{Name: "far", Regions: []string{"sa"}}}}, false); err != nil {
		t.Errorf("one that has not come to hold anything yet stays: %v", err)
	}
}
