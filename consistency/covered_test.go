package consistency

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"

	"pgregory.net/rapid"
)

func sealOf(o hlc.Origin, final hlc.Timestamp, salvage ...meta.Salvage) meta.Seal {
	s := meta.Seal{Origin: o, Final: map[feature.Shard]hlc.Timestamp{shard: final}, Salvage: map[feature.Shard]meta.Salvage{}}
	for _, x := range salvage {
		s.Salvage[shard] = x
	}
	return s
}

func TestCoveredPosition(t *testing.T) {
	at := func(o hlc.Origin, t hlc.Timestamp) hlc.Position { return hlc.Position{Origin: o, At: t} }
	seals := []meta.Seal{
		sealOf(2, 100),
		sealOf(3, 100, meta.Salvage{UpTo: 150, As: at(4, 500)}),
		sealOf(4, 400, meta.Salvage{UpTo: 500, As: at(5, 900)}),
	}
	for _, tt := range []struct {
		claim    string
		progress hlc.Vector
		p        hlc.Position
		want     Coverage
		waits    hlc.Position
	}{
		{"it is here", hlc.Vector{1: 50}, at(1, 50), Covered, at(1, 50)},
		{"it is on its way", hlc.Vector{9: 50}, at(9, 51), Behind, at(9, 51)},
		{"an origin not known here is behind", nil, at(77, 1), Behind, at(77, 1)},
		{"of the own origin, beyond all it gave", hlc.Vector{1: 50}, at(1, 61), Lost, at(1, 61)},
		{"of the own origin, given and not published", hlc.Vector{1: 50}, at(1, 60), Behind, at(1, 60)},
		{"of an ended origin, what counts", hlc.Vector{2: 100}, at(2, 100), Covered, at(2, 100)},
		{"of an ended origin, what counts and is not here", hlc.Vector{2: 99}, at(2, 100), Behind, at(2, 100)},
		{"of an ended origin, what is beyond", hlc.Vector{2: 100}, at(2, 101), Lost, at(2, 101)},
		{"of an ended origin, what is beyond and is here all the same", hlc.Vector{2: 120}, at(2, 101), Covered, at(2, 101)},
		{"a shard that the seal does not name had nothing", hlc.Vector{}, at(2, 101), Lost, at(2, 101)},
		{"salvaged, and the ended log not whole", hlc.Vector{3: 99, 4: 500}, at(3, 120), Behind, at(3, 100)},
		{"salvaged, and what stands for it not here", hlc.Vector{3: 100, 4: 399}, at(3, 120), Behind, at(4, 400)},
		{"salvaged and here", hlc.Vector{3: 100, 4: 500}, at(3, 150), Covered, at(4, 500)},
		{"salvaged twice", hlc.Vector{3: 100, 4: 400}, at(3, 150), Behind, at(5, 900)},
		{"salvaged twice and here", hlc.Vector{3: 100, 4: 400, 5: 900}, at(3, 150), Covered, at(5, 900)},
		{"beyond what was salvaged", hlc.Vector{3: 100, 4: 500}, at(3, 151), Lost, at(3, 151)},
	} {
		origins := Origins{Self: 1, SelfAt: 60, Membership: &meta.Membership{Seals: seals}}
		got, waits := CoveredPosition(tt.progress, origins, shard, tt.p)
		if got != tt.want || waits != tt.waits {
			t.Errorf("%s: got %v waiting for %v, want %v, %v", tt.claim, got, waits, tt.want, tt.waits)
		}
	}
}

// An error about a position says whose log it is of, for people know stores and
// regions, and no origins.
func TestErrorsNameTheStoreThatWrote(t *testing.T) {
	m := &meta.Membership{
		Members: meta.Members{{Store: "ap-1", Region: "ap", Origin: 30, State: meta.Joining}, {Store: "us-1", Region: "us", Origin: 2, State: meta.Active}},
		Seals:   []meta.Seal{{Origin: 3, Store: "ap-1"}, {Origin: 4, Store: "sa-1"}},
	}
	here := Replica{Origins: Origins{Self: 1, Membership: m}}
	for _, tt := range []struct {
		claim  string
		origin hlc.Origin
		want   Writer
		says   string
		lost   bool
	}{
		{"a member", 2, Writer{"us-1", "us"}, " of store us-1 in region us, have ", false},
		{"a life that has ended, of a store that lives again", 3, Writer{"ap-1", "ap"}, " of store ap-1 in region ap, in group 1 ", true},
		{"a store that nobody remembers but for its seal", 4, Writer{"sa-1", ""}, " of store sa-1, in group 1 ", true},
		{"an origin that is not known here", 77, Writer{}, ", have ", false},
	} {
		var token Token
		token.Note(shard, hlc.Position{Origin: tt.origin, At: 50})
		err := Alternative{Level: Session}.unmet(&token, Target{Shard: shard}, here)
		var behind *BehindError
		var lost *SessionLostError
		var got Writer
		switch {
		case errors.As(err, &behind) && !tt.lost:
			got = behind.Writer
		case errors.As(err, &lost) && tt.lost:
			got = lost.Writer
		default:
			t.Errorf("%s: got %v", tt.claim, err)
			continue
		}
		if got != tt.want || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %+v and %q, want %+v and %q", tt.claim, got, err, tt.want, tt.says)
		}
	}
}

// More progress never takes coverage away, what is lost stays lost, and whoever
// has all that is waited for comes to an end (I15).
func TestCoverageOnlyGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const last = hlc.Origin(5)
		time := rapid.Uint64Range(0, 20)
		m := &meta.Membership{}
		for o := hlc.Origin(1); o < last; o++ {
			if !rapid.Bool().Draw(t, "ended") {
				continue
			}
			s := sealOf(o, hlc.Timestamp(time.Draw(t, "final")))
			if rapid.Bool().Draw(t, "salvaged") {
				s.Salvage[shard] = meta.Salvage{
					UpTo: s.Final[shard] + hlc.Timestamp(time.Draw(t, "tail")),
					As:   hlc.Position{Origin: hlc.Origin(rapid.Uint32Range(uint32(o)+1, uint32(last)).Draw(t, "as")), At: hlc.Timestamp(time.Draw(t, "at"))},
				}
			}
			m.Seals = append(m.Seals, s)
		}
		progress := hlc.Vector{}
		for o := hlc.Origin(1); o <= last; o++ {
			limit, _ := m.Limit(shard, o)
			progress[o] = min(limit, hlc.Timestamp(time.Draw(t, "progress")))
		}
		p := hlc.Position{Origin: hlc.Origin(rapid.Uint32Range(1, uint32(last)).Draw(t, "origin")), At: hlc.Timestamp(time.Draw(t, "position"))}
		before, waits := CoveredPosition(progress, Origins{Membership: m}, shard, p)
		for range 50 {
			if before == Behind {
				if limit, _ := m.Limit(shard, waits.Origin); waits.At > limit || progress[waits.Origin] >= waits.At {
					t.Fatalf("%v waits for %v, which cannot come: %v", p, waits, m.Seals)
				}
				progress[waits.Origin] = waits.At
			} else if o := hlc.Origin(rapid.Uint32Range(1, uint32(last)).Draw(t, "grows")); true {
				limit, _ := m.Limit(shard, o)
				progress[o] = min(limit, progress[o]+1)
			}
			var after Coverage
			after, waits = CoveredPosition(progress, Origins{Membership: m}, shard, p)
			if before != Behind && after != before {
				t.Fatalf("%v was %v and is %v with more progress %v: %v", p, before, after, progress, m.Seals)
			}
			before = after
		}
		if before == Behind {
			t.Fatalf("%v is behind with all that it waited for: %v, %v", p, progress, m.Seals)
		}
	})
}

// A wait for what an origin had written ends as soon as the membership says
// that it does not count (C5, I15), whatever the time left.
func TestSessionIsLostInFiniteTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		r := session(hlc.Position{Origin: 2, At: hlc.FromTime(time.Now())})
		r.Fallback.Wait = time.Hour
		time.AfterFunc(time.Second, func() {
			c.change(func(m *meta.Membership) { m.Seals = []meta.Seal{sealOf(2, stamp(1))} })
		})
		begin := time.Now()
		_, err := c.coordinator(t).AdmitRead(t.Context(), r, target)
		if !errors.Is(err, ErrSessionLost) {
			t.Fatalf("got %v, want ErrSessionLost", err)
		}
		if took := time.Since(begin); took > 1200*time.Millisecond {
			t.Errorf("lost after %v, a second after which it was known", took)
		}
	})
}

// What was logged again elsewhere is waited for there.
func TestSessionFollowsWhatWasSalvaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		now := hlc.FromTime(time.Now())
		c.change(func(m *meta.Membership) {
			m.Seals = []meta.Seal{sealOf(2, now-2, meta.Salvage{UpTo: now, As: hlc.Position{Origin: 3, At: now + 9}})}
		})
		c.tell("eu-1", hlc.Vector{2: now - 2})
		time.AfterFunc(10*time.Millisecond, func() { c.tell("eu-1", hlc.Vector{2: now - 2, 3: now + 9}) })
		met, err := c.coordinator(t).AdmitRead(t.Context(), session(hlc.Position{Origin: 2, At: now}), target)
		if err != nil || met.Met.Level != Session || met.Waited != 10*time.Millisecond {
			t.Errorf("got %+v, %v; want session after 10ms", met, err)
		}
	})
}
