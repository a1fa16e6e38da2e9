package replication

import (
	"testing"

	"pgregory.net/rapid"

	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// logOf returns the entries of origin 2 at some times, each naming the one
// before it. Deps are of origin 3.
func logOf(deps map[hlc.Timestamp]hlc.Timestamp, times ...hlc.Timestamp) []oplog.Logged {
	var out []oplog.Logged
	prev := hlc.Timestamp(0)
	for _, at := range times {
		e := oplog.Entry{Kind: oplog.Noop, Origin: 2, At: at, Prev: prev}
		if d := deps[at]; d > 0 {
			e.Deps = []hlc.Position{{Origin: 3, At: d}}
		}
		out = append(out, oplog.Logged{Entry: e})
		prev = at
	}
	return out
}

func times(entries []oplog.Logged) []hlc.Timestamp {
	var out []hlc.Timestamp
	for _, e := range entries {
		out = append(out, e.At)
	}
	return out
}

// I2, I8, I13.
func TestWhatOfAnIntervalMayBeJoined(t *testing.T) {
	const open = ^hlc.Timestamp(0)
	covered := func(upTo hlc.Timestamp) func(hlc.Position) bool {
		return func(p hlc.Position) bool { return p.At <= upTo }
	}
	log := logOf(map[hlc.Timestamp]hlc.Timestamp{30: 25}, 10, 20, 30, 40)
	whole := oplog.Interval{Origin: 2, After: 0, Through: 50, Entries: log}
	rest := oplog.Interval{Origin: 2, After: 20, Through: 50, Entries: log[2:]}
	for _, c := range []struct {
		claim          string
		pending, limit hlc.Timestamp
		iv             oplog.Interval
		deps           hlc.Timestamp
		joins          int
		progress       hlc.Timestamp
		gap            bool
		waits          hlc.Timestamp
	}{
		{"all of it", 0, open, whole, 25, 4, 50, false, 0},
		{"what is not here yet", 20, open, whole, 25, 2, 50, false, 0},
		{"nothing twice", 50, open, whole, 25, 0, 0, false, 0},
		{"nothing after a gap", 10, open, rest, 25, 0, 0, true, 0},
		{"what lies before an entry that waits", 0, open, whole, 24, 2, 29, false, 25},
		{"nothing before the first that waits", 29, open, whole, 24, 0, 0, false, 25},
		{"nothing beyond a seal", 0, 20, whole, 25, 2, 20, false, 0},
		{"nothing of an origin that ended before", 20, 20, rest, 25, 0, 0, false, 0},
		{"no entries: progress alone", 40, open, oplog.Interval{Origin: 2, After: 40, Through: 90}, 0, 0, 90, false, 0},
		{"no entries, after a gap", 30, open, oplog.Interval{Origin: 2, After: 40, Through: 90}, 0, 0, 0, true, 0},
		{"an entry that names one that is not here", 15, open, oplog.Interval{Origin: 2, After: 12, Through: 50, Entries: log[2:]}, 25, 0, 0, true, 0},
	} {
		v := judge(c.pending, c.limit, c.iv, covered(c.deps))
		if got := len(v.join.Entries); got != c.joins || v.claim != c.progress || v.gap != c.gap || v.waits.At != c.waits {
			t.Errorf("%s: joins %v, progress %v, gap %v, waits for %v; want %d entries, %v, %v, %v",
				c.claim, times(v.join.Entries), v.claim, v.gap, v.waits.At, c.joins, c.progress, c.gap, c.waits)
		}
	}
}

// I2: whatever order, repetition and overlap intervals arrive in, what is
// joined is a prefix of the log, each entry once and in order.
func TestIntervalsInAnyOrderJoinAPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "entries")
		var at []hlc.Timestamp
		for i := range n {
			at = append(at, hlc.Timestamp(10*(i+1)))
		}
		log := logOf(nil, at...)
		var joined []hlc.Timestamp
		pending := hlc.Timestamp(0)
		for range rapid.IntRange(0, 60).Draw(t, "messages") {
			from := rapid.IntRange(0, n).Draw(t, "from")
			to := rapid.IntRange(from, n).Draw(t, "to")
			iv := oplog.Interval{Origin: 2, Entries: log[from:to]}
			if from > 0 {
				iv.After = at[from-1]
			}
			iv.After += hlc.Timestamp(rapid.IntRange(0, 9).Draw(t, "late"))
			iv.Through = iv.After + 1
			if to > from {
				iv.Through = at[to-1]
			}
			if iv.After >= iv.Through {
				continue
			}
			v := judge(pending, ^hlc.Timestamp(0), iv, func(hlc.Position) bool { return true })
			joined = append(joined, times(v.join.Entries)...)
			if v.claim > 0 {
				if v.claim <= pending {
					t.Fatalf("progress went from %v to %v", pending, v.claim)
				}
				pending = v.claim
			}
			for i, x := range joined {
				if x != at[i] {
					t.Fatalf("joined %v, which is no prefix of %v", joined, at)
				}
			}
			if len(joined) < n && at[len(joined)] <= pending {
				t.Fatalf("progress is %v, and %v was not joined", pending, at[len(joined)])
			}
		}
	})
}

func TestAPeersSourceIsTheOriginsStoreWhileItIsInReach(t *testing.T) {
	owner := source{id: "us-1", owner: true, roundTrip: 90}
	near, far := source{id: "eu-2", ahead: true, roundTrip: 5}, source{id: "ap-1", ahead: true, roundTrip: 80}
	idle := source{id: "eu-3", roundTrip: 1}
	for _, c := range []struct {
		claim   string
		current string
		live    []source
		want    string
	}{
		{"its own store first", "eu-2", []source{near, far, owner}, "us-1"},
		{"the nearest that is ahead, without it", "", []source{idle, far, near}, "eu-2"},
		{"the one in use while it is ahead", "ap-1", []source{idle, far, near}, "ap-1"},
		{"another when the one in use is behind", "eu-3", []source{idle, far}, "ap-1"},
		{"whoever is there when nobody is ahead", "", []source{idle}, "eu-3"},
		{"nobody when nobody is in reach", "us-1", nil, ""},
	} {
		if got := chooseSource(metaID(c.current), c.live); string(got) != c.want {
			t.Errorf("%s: got %q, want %q", c.claim, got, c.want)
		}
	}
}
