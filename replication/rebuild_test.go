package replication

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/hlc"
	"featurestore/meta"
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
