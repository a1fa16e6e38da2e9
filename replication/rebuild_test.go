package replication

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

func metaID(s string) meta.StoreID { return meta.StoreID(s) }

// A copy begins where every chunk was, and is whole where all of them were.
func TestACopyBeginsAtTheLeastAndEndsAtTheGreatestVector(t *testing.T) {
	var r rebuild
	r.add(hlc.Vector{1: 10, 2: 50}, nil)
	r.add(hlc.Vector{1: 20, 2: 40}, hlc.Vector{3: 5}) // of a store that is rebuilding itself
	if want := (hlc.Vector{1: 10, 2: 40}); !r.Low.Equal(want) {
		t.Errorf("it begins at %v, want %v", r.Low, want)
	}
	if want := (hlc.Vector{1: 20, 2: 50, 3: 5}); !r.High.Equal(want) {
		t.Errorf("its barrier is %v, want %v", r.High, want)
	}
	if r.last = true; r.Copied || !r.joined().Copied {
		t.Error("it is copied before its last chunk is here, or not after")
	}
}

func TestNotesOfARebuildingAreReadAsTheyWereWritten(t *testing.T) {
	vector := rapid.MapOf(rapid.Uint32Range(1, 9), rapid.Uint64Range(1, 1<<40))
	rapid.Check(t, func(t *rapid.T) {
		r := &rebuild{Begun: rapid.Bool().Draw(t, "begun"), Copied: rapid.Bool().Draw(t, "copied"), Low: hlc.Vector{}, High: hlc.Vector{}}
		if rapid.Bool().Draw(t, "more") {
			r.After = rapid.SliceOf(rapid.Byte()).Draw(t, "after")
		}
		for o, at := range vector.Draw(t, "low") {
			r.Low[hlc.Origin(o)] = hlc.Timestamp(at)
		}
		for o, at := range vector.Draw(t, "high") {
			r.High[hlc.Origin(o)] = hlc.Timestamp(at)
		}
		got, err := decodeRebuild(encodeRebuild(r))
		if err != nil {
			t.Fatal(err)
		}
		if string(got.After) != string(r.After) || (got.After == nil) != (r.After == nil) || got.Begun != r.Begun || got.Copied != r.Copied || !got.Low.Equal(r.Low) || !got.High.Equal(r.High) {
			t.Fatalf("got %+v, want %+v", got, r)
		}
	})
}

func FuzzDecodeNote(f *testing.F) {
	f.Add(encodeRebuild(&rebuild{}))
	f.Add(encodeRebuild(&rebuild{Begun: true, After: []byte("k"), Low: hlc.Vector{1: 2}, High: hlc.Vector{1: 3}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeRebuild(b); err == nil && r == nil {
			t.Fatal("neither a note nor an error")
		}
	})
}

func TestAClockIsOffWhenMostPeersSaySo(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		claim   string
		offsets []time.Duration
		off     bool
		by      time.Duration
	}{
		{"nobody to compare with", nil, false, 0},
		{"all agree", []time.Duration{10 * ms, -20 * ms}, false, 0},
		{"one of two peers disagrees", []time.Duration{10 * ms, -900 * ms}, false, 900 * ms},
		{"both peers disagree", []time.Duration{-900 * ms, -950 * ms}, true, 950 * ms},
		{"two of three", []time.Duration{0, 900 * ms, 950 * ms}, true, -950 * ms},
		{"of two stores the one ahead stops", []time.Duration{-900 * ms}, true, 900 * ms},
		{"of two stores the one behind goes on", []time.Duration{900 * ms}, false, -900 * ms},
	} {
		if off, by := clockIsOff(c.offsets, 400*ms); off != c.off || by != c.by {
			t.Errorf("%s: got %v by %v, want %v by %v", c.claim, off, by, c.off, c.by)
		}
	}
}

func TestTheShortestRoundTripTellsTheClockBest(t *testing.T) {
	var k peerClock
	if got := k.ahead(time.Second); got != time.Second {
		t.Errorf("before it is measured it may be ahead by %v, want what is given", got)
	}
	k.add(clockSample{offset: 80 * time.Millisecond, roundTrip: 200 * time.Millisecond})
	k.add(clockSample{offset: 5 * time.Millisecond, roundTrip: 10 * time.Millisecond})
	k.add(clockSample{offset: -40 * time.Millisecond, roundTrip: 90 * time.Millisecond})
	if k.offset != 5*time.Millisecond || k.ahead(0) != 10*time.Millisecond {
		t.Errorf("offset %v, ahead at most %v; want 5ms and 10ms", k.offset, k.ahead(0))
	}
	for range keptSamples {
		k.add(clockSample{offset: 70 * time.Millisecond, roundTrip: 60 * time.Millisecond})
	}
	if k.offset != 70*time.Millisecond {
		t.Errorf("after the clock stepped, offset %v, want 70ms", k.offset)
	}
}

func TestRowsThatDiffer(t *testing.T) {
	row := func(key string, hash uint64, newest hlc.Timestamp) AuditedRow {
		return AuditedRow{View: 1, Key: []byte(key), Hash: hash, Newest: newest}
	}
	a := []AuditedRow{row("same", 1, 10), row("unlike", 1, 10), row("only here", 1, 10), row("young here", 1, 99), row("young there", 1, 10)}
	b := []AuditedRow{row("same", 1, 10), row("unlike", 2, 10), row("only there", 1, 10), row("young here", 2, 10), row("young there", 2, 99), row("only there, young", 3, 99)}
	var got []string
	for _, r := range differing(a, b, 50) {
		got = append(got, string(r.Key))
	}
	want := []string{"unlike", "only here", "only there"}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// copying is a core of us-1 that copies the only shard from eu-1 or ap-1.
func copying(t *testing.T) *Core {
	t.Helper()
	m, err := twoStores(t).Introduce(meta.Member{Store: "ap-1", Region: "ap", Origin: 3, Address: "ap:1"}, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Members {
		m.Members[i].State = meta.Active
	}
	c := NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: &localFacts{progress: hlc.Vector{}}, Membership: m})
	for _, x := range m.Members {
		if x.Store != "us-1" {
			drive(c, Opened{Hello: Hello{Member: x}})
		}
	}
	c.begin(onlyShard, nil)
	return c
}

// fetches are whom outputs ask for chunks.
func fetches(out []Output) (from []meta.StoreID) {
	for _, o := range out {
		if s, ok := o.(Send); ok {
			if _, ok := s.Message.(Fetch); ok {
				from = append(from, s.To)
			}
		}
	}
	return from
}

// joins are the chunks that outputs join.
func joins(out []Output) (chunks []JoinChunk) {
	for _, o := range out {
		if j, ok := o.(JoinChunk); ok {
			chunks = append(chunks, j)
		}
	}
	return chunks
}

// On a slow way every chunk comes after another member was asked for it.
func TestAChunkThatComesLateCounts(t *testing.T) {
	c := copying(t)
	first := fetches(drive(c, Tick{Closed: 1}))
	if len(first) != 1 {
		t.Fatalf("asked %v, want one", first)
	}
	c.now.Mono += 4 * c.cfg.Stall
	c.Step(c.now, Received{From: "eu-1", Message: Ping{}})
	second := fetches(drive(c, Received{From: "ap-1", Message: Ping{}}))
	if len(second) != 1 || second[0] == first[0] {
		t.Fatalf("after %v did not answer %v was asked, want the other one", first, second)
	}
	late := Chunk{oplog.Chunk{Shard: onlyShard, Next: []byte("k"), Progress: hlc.Vector{1: 10}}}
	if got := joins(drive(c, Received{From: first[0], Message: late})); len(got) != 1 {
		t.Errorf("%d chunks are joined of the one that came late", len(got))
	}
}

// I8: rows of a store that is being put out may lie beyond its seal.
func TestNothingIsCopiedFromAFencedStore(t *testing.T) {
	c := copying(t)
	from := fetches(drive(c, Tick{Closed: 1}))[0]
	for i := range c.membership.Members {
		if x := &c.membership.Members[i]; x.Store == from {
			x.State = meta.Fenced
		}
	}
	if got := joins(drive(c, Received{From: from, Message: Chunk{oplog.Chunk{Shard: onlyShard, Progress: hlc.Vector{1: 10}}}})); len(got) > 0 {
		t.Errorf("it joins what it asked %s for, which is fenced by now", from)
	}
}

// I3: a crash between a chunk's rows and the note on it must not leave rows that
// go beyond what the note before says.
func TestTheBarrierIsKeptBeforeTheRowsThatReachIt(t *testing.T) {
	c := copying(t)
	from := fetches(drive(c, Tick{Closed: 1}))[0]
	chunk := oplog.Chunk{Shard: onlyShard, Next: []byte("k"), Progress: hlc.Vector{1: 10}, Barrier: hlc.Vector{3: 7}}
	got := joins(drive(c, Received{From: from, Message: Chunk{chunk}}))
	if len(got) != 1 {
		t.Fatalf("%d chunks are joined, want 1", len(got))
	}
	before, err := decodeRebuild(got[0].Before)
	if err != nil {
		t.Fatal(err)
	}
	if want := (hlc.Vector{1: 10, 3: 7}); !before.High.Equal(want) || before.After != nil || before.Begun {
		t.Errorf("before the rows are joined, %+v is kept, want the barrier %v and nothing joined", before, want)
	}
	drive(c, ChunkJoined{Shard: onlyShard})
	again := chunk
	again.After, again.Next = []byte("k"), []byte("m")
	if got := joins(drive(c, Received{From: from, Message: Chunk{again}})); len(got) != 1 || got[0].Before != nil {
		t.Errorf("a chunk that raises no barrier has the store sync one: %+v", got)
	}
}

// Chunks that come faster than they are joined wait in memory.
func TestFewShardsAreCopiedAtOnce(t *testing.T) {
	c := copying(t)
	local := c.cfg.Local.(*localFacts)
	for p := range uint16(3 * maxCopies) {
		local.shards = append(local.shards, feature.Shard{Group: 2, Partition: p})
	}
	local.revision = 2
	c.refreshShards()
	for _, id := range local.shards {
		c.begin(id, nil)
	}
	if got := len(fetches(drive(c, Tick{Closed: 1}))); got != maxCopies {
		t.Fatalf("%d chunks were asked for at once, want %d", got, maxCopies)
	}
	// Those that a source cannot serve keep no other waiting.
	var refused []Input
	for id, s := range c.shards {
		if s.rebuild != nil && s.rebuild.asked > 0 {
			refused = append(refused, Received{From: s.rebuild.source, Message: Refused{Shard: id}})
		}
	}
	for _, in := range refused {
		c.Step(c.now, in)
	}
	if got := len(fetches(c.Settle(c.now))); got != maxCopies {
		t.Errorf("%d others were asked for then, want %d", got, maxCopies)
	}
}

// Who asks again for what is on its way waits for it: else chunks that nobody
// needs any more keep those back that are needed.
func TestAChunkIsServedOnceAtATime(t *testing.T) {
	c := followed(t, &localFacts{progress: hlc.Vector{}})
	fetch := Received{From: "eu-1", Message: Fetch{Shard: onlyShard}}
	serves := func(inputs ...Input) (n int) {
		for _, in := range inputs {
			for _, o := range drive(c, in) {
				if _, ok := o.(ServeChunk); ok {
					n++
				}
			}
		}
		return n
	}
	if got := serves(fetch, fetch, fetch); got != 1 {
		t.Errorf("asked three times, it serves %d chunks, want 1", got)
	}
	if got := serves(ChunkServed{To: "eu-1", Shard: onlyShard}, fetch); got != 1 {
		t.Errorf("asked again after that, it serves %d chunks, want 1", got)
	}
	if got := serves(Opened{Hello: Hello{Member: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}}, Serving: true}, fetch); got != 1 {
		t.Errorf("asked in another conversation, it serves %d chunks, want 1", got)
	}
}

// What nobody else holds cannot be copied: a store that joins has what there is.
func TestAStoreThatAloneHoldsAShardJoins(t *testing.T) {
	for _, other := range []meta.State{meta.Active, meta.Joining, meta.Removed} {
		local := &placed{localFacts{shards: []feature.Shard{onlyShard}, revision: 1}, "eu"}
		self := member("eu-1", 10, meta.Joining)
		core := NewCore(CoreConfig{Self: self, Local: local, Membership: &meta.Membership{
			Epoch: 1, Revision: 5, Home: "us-1", Members: meta.Members{{Store: "eu-2", Region: "eu", Origin: 11, State: other}, self, member("us-1", 20, meta.Active)},
		}})
		core.membership.Members[0], core.membership.Members[1] = core.membership.Members[1], core.membership.Members[0] // ordered by store
		drive(core, Opened{Hello: Hello{Member: member("us-1", 20, meta.Active)}})
		if core.isWhole() {
			t.Fatal("it is whole before it has heard of any definitions")
		}
		drive(core, Received{From: "us-1", Message: Status{Registry: local.RegistryVersion()}}, Tick{Closed: 40}, Tick{Closed: 41})
		if got := core.isWhole(); got != (other != meta.Active) {
			t.Errorf("beside a holder that is %v it is whole: %v", other, got)
		}
	}
}
