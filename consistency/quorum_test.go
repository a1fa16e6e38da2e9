package consistency

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// kept are the rows of a cluster's stores, one a store, under every key. A
// question takes the trip of its store.
type kept struct {
	*cluster
	mu struct {
		sync.Mutex
		rows  map[meta.StoreID][]byte
		asked []meta.StoreID
	}
	silent map[meta.StoreID]bool
	broken map[meta.StoreID]error
}

func newKept() *kept {
	k := &kept{cluster: newCluster(), silent: map[meta.StoreID]bool{}, broken: map[meta.StoreID]error{}}
	k.mu.rows = map[meta.StoreID][]byte{}
	return k
}

// write puts what an origin wrote at a time into the rows of some stores, and
// into what they have told.
func (k *kept) write(o hlc.Origin, at hlc.Timestamp, stores ...meta.StoreID) {
	for _, s := range stores {
		k.mu.Lock()
		row, err := joinEncoded(k.mu.rows[s], rowOf(o, at))
		k.mu.rows[s] = row
		k.mu.Unlock()
		if err != nil {
			panic(err)
		}
		k.tell(s, k.Acked(s, shard).Merge(hlc.Vector{o: at}))
	}
}

// rowOf is a row whose only cell names its write.
func rowOf(o hlc.Origin, at hlc.Timestamp) []byte {
	return feature.AppendRow(nil, feature.Row{Cells: []feature.Cell{{
		Feature: 1, Rule: feature.WriteTime, Kind: feature.Int64, Value: feature.OfInt64(int64(at)),
		Version: feature.Version{At: at, Origin: o},
	}}})
}

func (k *kept) read(store meta.StoreID, keys []feature.RowKey) (map[feature.Shard]hlc.Vector, [][]byte) {
	progress := map[feature.Shard]hlc.Vector{}
	var rows [][]byte
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		progress[key.Shard] = k.Acked(store, key.Shard)
		rows = append(rows, k.mu.rows[store])
	}
	return progress, rows
}

func (k *kept) ReadRows(_ context.Context, keys []feature.RowKey) (map[feature.Shard]hlc.Vector, [][]byte, error) {
	progress, rows := k.read("eu-1", keys)
	return progress, rows, nil
}

func (k *kept) AskLeader(ctx context.Context, store meta.StoreID, keys []feature.RowKey, answer func(map[feature.Shard]hlc.Vector, [][]byte, error)) {
	k.AskRows(ctx, store, keys, answer)
}

func (k *kept) AskRows(ctx context.Context, store meta.StoreID, keys []feature.RowKey, answer func(map[feature.Shard]hlc.Vector, [][]byte, error)) {
	k.mu.Lock()
	k.mu.asked = append(k.mu.asked, store)
	k.mu.Unlock()
	switch {
	case k.silent[store]:
		return
	case k.broken[store] != nil:
		answer(nil, nil, k.broken[store])
		return
	}
	time.AfterFunc(k.trips[store]/2, func() {
		progress, rows := k.read(store, keys)
		time.AfterFunc(k.trips[store]/2, func() {
			if ctx.Err() == nil {
				answer(progress, rows, nil)
			}
		})
	})
}

func (k *kept) asked() []meta.StoreID {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.mu.asked)
}

var (
	quorum  = Alternative{Level: Quorum}
	rowKeys = []feature.RowKey{{Shard: shard, View: 1, Key: feature.Key("driver")}}
)

// look reads at eu-1.
func (k *kept) look(t testing.TB, list []Alternative, token Token, change ...func(*Config)) (Read, Met, error) {
	t.Helper()
	c := k.coordinator(t, append([]func(*Config){func(c *Config) { c.Rows = k }}, change...)...)
	r := Read{Alternatives: list, Token: token, Fallback: Fallback{Wait: 30 * time.Millisecond}, Keys: rowKeys}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	met, err := c.AdmitRead(ctx, &r, target)
	return r, met, err
}

// A majority is asked, the nearest first, and what comes out is the join (C11).
func TestQuorumJoinsTheRowsOfAMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.write(2, stamp(900), "us-1", "ap-1")
		r, met, err := k.look(t, []Alternative{quorum}, Token{})
		if err != nil || met.Members != 2 || met.Of != 3 || met.Met != quorum || met.Degraded {
			t.Fatalf("got %+v, %v, want 2 of 3 members", met, err)
		}
		if string(r.Joined[0]) != string(rowOf(2, stamp(900))) {
			t.Errorf("got row %x, want what us-1 has", r.Joined[0])
		}
		if got := k.asked(); !slices.Equal(got, []meta.StoreID{"us-1"}) {
			t.Errorf("asked %v, want the nearest alone", got)
		}
		if met.Waited != k.trips["us-1"] {
			t.Errorf("it took %v, want one round trip", met.Waited)
		}
	})
}

// The token of a session may be covered by what several have together.
func TestQuorumCoversATokenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.write(1, stamp(100), "eu-1")
		k.write(3, stamp(200), "us-1", "ap-1")
		token := tokenOf(hlc.Position{Origin: 1, At: stamp(100)})
		token.Note(shard, hlc.Position{Origin: 3, At: stamp(200)})
		// ap-1 has told that it has the first, so that a majority has both.
		k.tell("ap-1", hlc.Vector{1: stamp(100), 3: stamp(200)})
		if _, met, err := k.look(t, []Alternative{quorum}, token); err != nil || met.Members != 2 {
			t.Errorf("got %+v, %v, want it met by two", met, err)
		}
	})
}

// What two do not have, the third may: it is asked before anybody is told that
// the session is ahead.
func TestQuorumAsksFurtherForWhatTheSessionSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.write(3, stamp(200), "ap-1")
		token := tokenOf(hlc.Position{Origin: 3, At: stamp(200)})
		none := quorum
		none.Repair = NoRepair
		r, met, err := k.look(t, []Alternative{none}, token)
		if err != nil || met.Members != 3 || string(r.Joined[0]) != string(rowOf(3, stamp(200))) {
			t.Errorf("got %+v, %v, want the third's row", met, err)
		}
	})
}

// A session that is ahead of everybody in reach waits, and is told in time.
func TestQuorumWaitsForWhatTheSessionSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		token := tokenOf(hlc.Position{Origin: 3, At: stamp(200)})
		if _, met, err := k.look(t, []Alternative{quorum}, token); !errors.Is(err, ErrBehind) || met.Waited < DefaultQuorumTimeout {
			t.Errorf("got %+v, %v, want BEHIND after its time", met, err)
		}
		time.AfterFunc(200*time.Millisecond, func() { k.write(3, stamp(200), "eu-1", "us-1") })
		if _, _, err := k.look(t, []Alternative{quorum}, token); err != nil {
			t.Errorf("got %v, want it met once the write is here", err)
		}
	})
}

// One that does not answer is not waited for: another is asked after a few round
// trips, at once where the first is out of reach.
func TestQuorumTurnsToTheNextMember(t *testing.T) {
	for _, x := range []struct {
		claim string
		edit  func(*kept)
		took  time.Duration
	}{
		{"silent", func(k *kept) { k.silent["us-1"] = true }, 3*80*time.Millisecond + 160*time.Millisecond},
		{"failing", func(k *kept) { k.broken["us-1"] = errors.New("refused") }, 160 * time.Millisecond},
		{"out of reach", func(k *kept) { delete(k.trips, "us-1") }, 160 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newKept()
			x.edit(k)
			if _, met, err := k.look(t, []Alternative{quorum}, Token{}); err != nil || met.Members != 2 || met.Waited != x.took {
				t.Errorf("%s: got %+v, %v, want ap-1's answer after %v", x.claim, met, err, x.took)
			}
		})
	}
}

// Too few answers are an error that says who is missing; less is answered by
// policy alone (C6).
func TestQuorumOfTooFewIsNotMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.silent["us-1"], k.broken["ap-1"] = true, errors.New("it is not in reach")
		_, met, err := k.look(t, []Alternative{quorum}, Token{})
		var short *QuorumError
		if !errors.As(err, &short) || !errors.Is(err, ErrNotEnoughLive) || short.Have != 1 || short.Of != 3 || short.Need != 2 {
			t.Fatalf("got %v, want 1 of 3 where 2 are needed", err)
		}
		for _, want := range []string{"us-1: did not answer in time", "ap-1: it is not in reach", "ask for fewer members, or for session"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
		if met.Waited != DefaultQuorumTimeout {
			t.Errorf("it took %v, want %v", met.Waited, DefaultQuorumTimeout)
		}
		second := []Alternative{quorum, {Level: Session}}
		if r, met, err := k.look(t, second, Token{}); err != nil || met.Met.Level != Session || met.Members != 0 || r.Joined != nil {
			t.Errorf("got %+v, %v, want the second preference", met, err)
		}
	})
}

// Where too few are in reach, nothing is waited for but what the fallback says.
func TestQuorumOfTooFewInReachIsToldSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.trips = map[meta.StoreID]time.Duration{}
		k.silent = map[meta.StoreID]bool{"us-1": true, "ap-1": true}
		if _, met, err := k.look(t, []Alternative{quorum}, Token{}); !errors.Is(err, ErrNotEnoughLive) || met.Waited != 30*time.Millisecond {
			t.Errorf("got %v after %v, want it after the fallback's wait", err, met.Waited)
		}
	})
}

func TestQuorumOfANumberOfMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := 1; n <= 4; n++ {
			k := newKept()
			_, met, err := k.look(t, []Alternative{{Level: Quorum, Members: n}}, Token{})
			if n <= 3 && (err != nil || met.Members != n || met.Of != 3) {
				t.Errorf("%d members: got %+v, %v", n, met, err)
			}
			if n == 4 && (!errors.Is(err, ErrLevelNotOffered) || !strings.Contains(err.Error(), "3 active ones of group default")) {
				t.Errorf("%d members: got %v, want how many there are", n, err)
			}
		}
	})
}

// What a read shows, a majority has before it is shown (C12).
func TestReadRepairWaitsForAMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.write(2, stamp(900), "us-1")
		const after = 300 * time.Millisecond
		time.AfterFunc(after, func() { k.write(2, stamp(900), "ap-1") })
		if _, met, err := k.look(t, []Alternative{quorum}, Token{}); err != nil || met.Waited < after || met.Waited > after+safeTimeInterval {
			t.Errorf("got %v after %v, want it once ap-1 has it too, after %v", err, met.Waited, after)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.write(2, stamp(900), "us-1")
		_, met, err := k.look(t, []Alternative{quorum}, Token{})
		var short *QuorumError
		if !errors.As(err, &short) || !short.Repair || short.Have != 1 || met.Waited < DefaultQuorumTimeout {
			t.Errorf("got %v after %v, want that one has it, and two must", err, met.Waited)
		}
		none := quorum
		none.Repair = NoRepair
		if _, met, err = k.look(t, []Alternative{none}, Token{}); err != nil || met.Waited != k.trips["us-1"] {
			t.Errorf("without repair: got %v after %v, want it at once", err, met.Waited)
		}
	})
}

// Progress beyond the end of a log counts for nothing: only who has the row has it.
func TestRepairDoesNotTrustProgressBeyondASeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.change(func(m *meta.Membership) { m.Seals = append(m.Seals, sealOf(9, stamp(100))) })
		k.write(9, stamp(900), "us-1")
		for _, s := range []meta.StoreID{"eu-1", "us-1", "ap-1"} { // as far as the log counts
			k.tell(s, hlc.Vector{9: stamp(100)})
		}
		if _, _, err := k.look(t, []Alternative{quorum}, Token{}); !errors.Is(err, ErrBehind) {
			t.Errorf("got %v, want it not shown while this store lacks it", err)
		}
		time.AfterFunc(100*time.Millisecond, func() { k.write(9, stamp(900), "eu-1") })
		if _, _, err := k.look(t, []Alternative{quorum}, Token{}); err != nil {
			t.Errorf("got %v, want it met once two have the row", err)
		}
	})
}

// A store that serves nothing asks nobody, and who holds the rows is asked to.
func TestQuorumIsCoordinatedByWhoHoldsTheRows(t *testing.T) {
	for _, x := range []struct {
		claim string
		edit  func(*kept) []Target
		unmet error
	}{
		{"a store that joins", func(k *kept) []Target { k.setState("eu-1", meta.Joining); return target }, ErrNotActive},
		{"a region that does not hold the group", func(*kept) []Target { return []Target{{Shard: feature.Shard{Group: 2}}} }, ErrElsewhere},
	} {
		k := newKept()
		targets := x.edit(k)
		c := k.coordinator(t, func(c *Config) { c.Rows = k })
		_, err := c.AdmitRead(t.Context(), &Read{Alternatives: []Alternative{quorum}, Keys: rowKeys, Fallback: DefaultFallback}, targets)
		var forward *ForwardError
		if !errors.As(err, &forward) || !errors.Is(err, x.unmet) || forward.To[0].Store != "us-1" || len(k.asked()) > 0 {
			t.Errorf("%s: got %v after asking %v, want it sent to us-1", x.claim, err, k.asked())
		}
	}
}

// Each group of a read has a majority of its own.
func TestEveryGroupOfAQuorumReadHasItsMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		west := feature.Shard{Group: 3} // of eu and us
		r := Read{Alternatives: []Alternative{quorum}, Fallback: DefaultFallback, Keys: []feature.RowKey{
			{Shard: shard, View: 1, Key: feature.Key("a")}, {Shard: west, View: 2, Key: feature.Key("b")},
		}}
		k.write(2, stamp(900), "eu-1", "us-1", "ap-1")
		k.trips["ap-1"] = 10 * time.Millisecond // the nearest, but it does not hold the second
		c := k.coordinator(t, func(c *Config) { c.Rows = k })
		met, err := c.AdmitRead(t.Context(), &r, []Target{{Shard: shard}, {Shard: west}})
		if err != nil || met.Members != 2 || met.Of != 3 && met.Of != 2 {
			t.Fatalf("got %+v, %v", met, err)
		}
		if got := k.asked(); !slices.Contains(got, "us-1") {
			t.Errorf("asked %v: us-1 is the only other one with the second row", got)
		}
		if r.Joined[0] == nil || r.Joined[1] == nil {
			t.Errorf("got %x", r.Joined)
		}
	})
}

// A quorum read sees what a majority acknowledged, whatever majority that was and
// whoever answers, and, with repair, what an earlier one showed (C11, C12). Each
// planted fault breaks one of them.
func TestQuorumAfterQuorum(t *testing.T) {
	stores := []meta.StoreID{"eu-1", "us-1", "ap-1"}
	// sees reports whether eu-1 sees a write that the stores have acknowledged.
	sees := func(have []meta.StoreID, far meta.StoreID, faults fault.Set) (seen bool) {
		synctest.Test(t, func(t *testing.T) {
			k := newKept()
			k.write(2, stamp(900), have...)
			delete(k.trips, far)
			r, _, err := k.look(t, []Alternative{quorum}, Token{}, func(c *Config) { c.Faults = faults })
			seen = err == nil && r.Joined[0] != nil
		})
		return seen
	}
	for i, missing := range stores {
		have := slices.Delete(slices.Clone(stores), i, i+1)
		for _, far := range []meta.StoreID{"", "us-1", "ap-1"} {
			if !sees(have, far, 0) {
				t.Errorf("without %v in reach, what all but %v have is not seen", far, missing)
			}
		}
	}
	if sees([]meta.StoreID{"us-1", "ap-1"}, "", fault.Of(fault.MinorityQuorum)) {
		t.Error("a minority saw what only the others have")
	}
	for _, f := range []fault.Fault{fault.SkipReadRepair, fault.RepairCountsCoordinator} {
		if sees([]meta.StoreID{"us-1"}, "", 0) {
			t.Error("what one has was shown")
		}
		if !sees([]meta.StoreID{"us-1"}, "", fault.Of(f)) {
			t.Errorf("%v changes nothing", f)
		}
	}
}

// Late answers are dropped, and hold nobody up.
func TestLateAnswersAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept()
		k.trips["us-1"], k.trips["ap-1"] = 80*time.Millisecond, 81*time.Millisecond
		late := quorum
		late.Within = 60 * time.Millisecond
		if _, met, err := k.look(t, []Alternative{late}, Token{}); !errors.Is(err, ErrNotEnoughLive) || met.Waited != late.Within {
			t.Errorf("got %v after %v", err, met.Waited)
		}
		synctest.Wait()
	})
}

func ExampleAlternative_String() {
	list, _ := ParseAlternatives("quorum; members=2; repair=none; within=80ms, session")
	fmt.Println(list[0], "or", list[1])
	// Output: quorum; members=2; repair=none; within=80ms or session
}
