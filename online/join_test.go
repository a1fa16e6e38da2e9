package online

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// remote writes the log of another origin as its store would.
type remote struct {
	origin hlc.Origin
	rows   plain
	log    []oplog.Logged
}

func newRemote(origin hlc.Origin) *remote { return &remote{origin: origin, rows: plain{}} }

// head is the last position.
func (r *remote) head() hlc.Timestamp {
	if len(r.log) == 0 {
		return 0
	}
	return r.log[len(r.log)-1].At
}

// write logs changes of distinct keys at a timestamp.
func (r *remote) write(t fataler, at hlc.Timestamp, logOnly bool, changes ...Placed) {
	e := oplog.Entry{Kind: oplog.Delta, LogOnly: logOnly, At: at, Origin: r.origin, Prev: r.head()}
	for _, c := range changes {
		key := string(c.Key)
		delta, err := c.Delta(r.rows[key], at, r.origin)
		if errors.Is(err, feature.ErrCounterOverflow) {
			return
		}
		if err != nil {
			t.Fatalf("delta: %v", err)
		}
		e.Rows = append(e.Rows, oplog.Row{View: c.View, Key: c.Key, Delta: delta})
		if !logOnly {
			r.rows[key] = feature.JoinRow(r.rows[key], delta)
		}
	}
	oplog.SortRows(e.Rows)
	l, err := oplog.DecodeLogged(oplog.Append(nil, e))
	if err != nil {
		t.Fatalf("entry: %v", err)
	}
	r.log = append(r.log, l)
}

// after is the log from a position on, as an interval.
func (r *remote) after(after hlc.Timestamp) oplog.Interval {
	iv := oplog.Interval{Shard: shardA, Origin: r.origin, After: after, Through: r.head()}
	for _, e := range r.log {
		if e.At > after {
			iv.Entries = append(iv.Entries, e)
		}
	}
	return iv
}

// fataler is a test or a check of rapid's.
type fataler interface{ Fatalf(string, ...any) }

// join joins and waits.
func (h *house) join(iv oplog.Interval) error {
	done := make(chan error, 1)
	h.Join(iv, func(err error) { done <- err })
	return <-done
}

func (h *house) mustJoin(ivs ...oplog.Interval) {
	h.Helper()
	for _, iv := range ivs {
		if err := h.join(iv); err != nil {
			h.Fatalf("Join: %v", err)
		}
	}
}

// readLog is the whole log of an origin.
func (h *house) readLog(t fataler, origin hlc.Origin, after hlc.Timestamp, maxBytes int) []oplog.Logged {
	var out []oplog.Logged
	for {
		iv, floor, err := h.ReadLog(context.Background(), shardA, origin, after, maxBytes)
		if err != nil || floor > after {
			t.Fatalf("ReadLog after %v: floor %v, %v", after, floor, err)
		}
		if len(iv.Entries) == 0 {
			if iv.Through != after {
				t.Fatalf("an interval without entries goes from %v to %v", after, iv.Through)
			}
			return out
		}
		if err := iv.Validate(); err != nil {
			t.Fatalf("ReadLog: %v", err)
		}
		out, after = append(out, iv.Entries...), iv.Through
	}
}

// S3, S4, S15: intervals of several origins, cut anywhere, delivered again,
// interleaved with local writes and restarts, give what a plain map gives that
// joins the entries.
func TestJoinGivesTheRowsOfAPlainJoin(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := openHouse(t)
		defer h.stop()
		origins := []*remote{newRemote(h.Origin() + 1), newRemote(h.Origin() + 2)}
		at := hlc.New(1_700_000_000_000, 0)
		rt.Repeat(map[string]func(*rapid.T){
			"write there": func(rt *rapid.T) {
				at += hlc.Timestamp(rapid.Uint64Range(1, 5).Draw(rt, "later"))
				c := drawChange(rt)
				rapid.SampledFrom(origins).Draw(rt, "origin").write(rt, at, rapid.IntRange(0, 9).Draw(rt, "log only") == 0, c)
			},
			"write here": func(rt *rapid.T) {
				if _, err := h.Append(context.Background(), write(drawChange(rt))); err != nil && !errors.Is(err, feature.ErrCounterOverflow) {
					rt.Fatalf("Append: %v", err)
				}
			},
			"join": func(rt *rapid.T) {
				r := rapid.SampledFrom(origins).Draw(rt, "origin")
				progress := h.Progress(shardA)[r.origin]
				after := hlc.Timestamp(rapid.Uint64Range(0, uint64(progress)).Draw(rt, "after"))
				iv := r.after(after)
				if n := len(iv.Entries); n > 0 {
					iv = iv.Cut(iv.Entries[rapid.IntRange(0, n-1).Draw(rt, "cut")].At)
				}
				if iv.Through <= after {
					return
				}
				if err := h.join(iv); err != nil {
					rt.Fatalf("Join %v after %v: %v", iv.Position(), iv.After, err)
				}
				if !h.Progress(shardA).CoversPosition(iv.Position()) {
					rt.Fatalf("progress %v does not cover %v", h.Progress(shardA), iv.Position())
				}
			},
			"close there": func(rt *rapid.T) {
				r := rapid.SampledFrom(origins).Draw(rt, "origin")
				here := h.Progress(shardA)[r.origin]
				if r.head() > here {
					return
				}
				at++
				if rapid.Bool().Draw(rt, "claim") {
					h.Claim(shardA, hlc.Position{Origin: r.origin, At: at})
				} else if err := h.join(oplog.Interval{Shard: shardA, Origin: r.origin, After: here, Through: at}); err != nil {
					rt.Fatalf("Join: %v", err)
				}
			},
			"restart": func(rt *rapid.T) {
				if rapid.IntRange(0, 9).Draw(rt, "really") == 0 {
					h.restart()
				}
			},
			"": func(rt *rapid.T) {
				twin := plain{}
				twin.join(h, 0)
				for _, r := range origins {
					got := h.readLog(rt, r.origin, 0, rapid.IntRange(0, 300).Draw(rt, "max bytes"))
					want := r.after(0).Cut(h.Progress(shardA)[r.origin]).Entries
					if !slices.EqualFunc(got, want, func(a, b oplog.Logged) bool { return bytes.Equal(a.Raw, b.Raw) }) {
						rt.Fatalf("log of %v has %d entries, want %d", r.origin, len(got), len(want))
					}
					head := hlc.Timestamp(0)
					for _, e := range got {
						twin.joinEntry(e.Entry)
						head = e.At
					}
					if h.Heads(shardA)[r.origin] != head {
						rt.Fatalf("head of %v is %v, want %v", r.origin, h.Heads(shardA)[r.origin], head)
					}
				}
				if err := differs(t, h.Store, twin); err != nil {
					rt.Fatal(err)
				}
			},
		})
	})
}

// S15: what an interval claims is checked, and a wrong one changes nothing.
func TestJoinRefusesWhatDoesNotFollow(t *testing.T) {
	h := openHouse(t)
	r := newRemote(h.Origin() + 1)
	for i := range hlc.Timestamp(4) {
		r.write(t, 10*(i+1), false, change(int64(i), 1, setRate(1)))
	}
	h.mustJoin(r.after(0).Cut(10))
	unchained := r.after(10)
	unchained.Entries = slices.Delete(slices.Clone(unchained.Entries), 1, 2)
	own := r.after(10)
	own.Origin = h.Origin()
	for name, tc := range map[string]struct {
		iv   oplog.Interval
		want error
	}{
		"gap":       {r.after(20), ErrGap},
		"unchained": {unchained, oplog.ErrInvalid},
		"own":       {own, oplog.ErrInvalid},
		"backwards": {oplog.Interval{Shard: shardA, Origin: r.origin, After: 30, Through: 20}, oplog.ErrInvalid},
	} {
		if err := h.join(tc.iv); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if got := h.Progress(shardA); !got.Equal(hlc.Vector{r.origin: 10}) {
		t.Errorf("progress %v, want %v", got, r.after(0).Cut(10).Position())
	}
	h.mustJoin(r.after(0).Cut(20), r.after(0), r.after(0)) // more than it needs, and again
	for id := range int64(4) {
		if h.row(shardA, 1, entity(id)).IsEmpty() {
			t.Errorf("row %d is missing", id)
		}
	}
}

// An interval that no transaction holds is split at its entries; an entry that
// no transaction holds, before its log entry.
func TestJoinSplitsWhatIsTooLarge(t *testing.T) {
	h := openHouse(t)
	big := func(id int64, n int) Placed { return change(id, 1, setNote(strings.Repeat("x", n))) }
	r := newRemote(h.Origin() + 1)
	for i := range 6 {
		r.write(t, hlc.Timestamp(i+1), false, big(int64(i), 400<<10))
	}
	// As another store with larger memtables writes it, over rows of this one.
	var wide []Placed
	for id := range int64(3) {
		h.append(write(change(100+id, 1, addTags(strings.Repeat("y", 350<<10)))))
		wide = append(wide, big(100+id, 250<<10))
	}
	r.write(t, 7, false, wide...)
	r.write(t, 8, false, big(9, 10))
	h.mustJoin(r.after(0))
	if got := h.Progress(shardA)[r.origin]; got != 8 {
		t.Errorf("progress %v, want 8", got)
	}
	twin := plain{}
	twin.join(h, 0)
	for _, e := range h.readLog(t, r.origin, 0, 1) {
		twin.joinEntry(e.Entry)
	}
	if len(twin) != 10 {
		t.Fatalf("%d rows, want 10", len(twin))
	}
	compareWithTwin(t, h.Store, twin)
	h.restart()
	compareWithTwin(t, h.Store, twin)
}

// Joins of one log take their turn whatever batch they come in, and those after
// one that failed fail for the gap.
func TestJoinsAreAnsweredInOrder(t *testing.T) {
	h := openHouse(t)
	r := newRemote(h.Origin() + 1)
	const n = 200
	for i := range n {
		r.write(t, hlc.Timestamp(i+1), false, change(int64(i%7), int64(i), setRate(float64(i)), addTrips(1)))
	}
	type answer struct {
		i   int
		err error
	}
	answers := make(chan answer, n)
	for i := range n {
		iv := r.after(hlc.Timestamp(i)).Cut(hlc.Timestamp(i + 1))
		if i == 150 {
			iv.Entries = nil
			iv.Through = iv.After
		}
		h.Join(iv, func(err error) { answers <- answer{i, err} })
	}
	for range n {
		a := <-answers
		want := error(nil)
		if a.i > 150 {
			want = ErrGap
		}
		if !errors.Is(a.err, want) {
			t.Fatalf("join %d: %v, want %v", a.i, a.err, want)
		}
	}
	if got := h.Progress(shardA)[r.origin]; got != 150 {
		t.Errorf("progress %v, want 150", got)
	}
	h.stop()
	if err := h.join(r.after(150)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want %v", err, ErrClosed)
	}
}

func TestClaimsRaiseProgressUntilTheStoreIsClosed(t *testing.T) {
	h := openHouse(t)
	r := newRemote(h.Origin() + 1)
	r.write(t, 10, false, change(1, 1, setRate(1)))
	h.mustJoin(r.after(0))
	drain(h)
	waited := make(chan error, 1)
	go func() { waited <- h.Wait(t.Context(), shardA, hlc.Vector{r.origin: 50}) }()
	h.Claim(shardA, hlc.Position{Origin: r.origin, At: 60})
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	select {
	case <-h.Changed():
	default:
		t.Error("a claim gives no signal")
	}
	h.Claim(shardA, hlc.Position{Origin: r.origin, At: 20})
	h.Claim(shardA, hlc.Position{Origin: h.Origin(), At: 99})
	if got, want := h.Progress(shardA), (hlc.Vector{r.origin: 60}); !got.Equal(want) {
		t.Errorf("progress %v, want %v", got, want)
	}
	if got, want := h.Heads(shardA), (hlc.Vector{r.origin: 10}); !got.Equal(want) {
		t.Errorf("heads %v, want %v", got, want)
	}
	for e, err := range h.Entries(t.Context(), shardA, r.origin, 0) {
		if err != nil || e.At != 10 {
			t.Errorf("entry %v, %v", e.At, err)
		}
	}
	h.restart()
	if got, want := h.Progress(shardA), (hlc.Vector{r.origin: 10}); !got.Equal(want) {
		t.Errorf("progress after a restart %v, want %v", got, want)
	}
}

func drain(h *house) {
	select {
	case <-h.Changed():
	default:
	}
}

// S5: writes over what was joined are later than it, and name the own entry
// before, whatever else their batch holds.
func TestLocalWritesFollowWhatWasJoined(t *testing.T) {
	h := openHouse(t)
	now, err := h.Clock().Now()
	if err != nil {
		t.Fatal(err)
	}
	r := newRemote(h.Origin() + 1)
	r.write(t, now+1000, false, change(1, 1, setNote("there")))
	h.append(write(change(1, 1, setNote("before"))))
	h.mustJoin(r.after(0))
	h.append(write(change(1, 1, setNote("here"))))
	if got := read(h.row(shardA, 1, entity(1)), note); got != text("here") {
		t.Errorf("note is %v, want the later one", got)
	}
	own := h.entries(shardA)
	if len(own) != 2 || own[1].Prev != own[0].At || own[1].At <= now+1000 {
		t.Errorf("own log: %v", own)
	}
	// From far in the future: joined all the same, the clock stays.
	r.write(t, now+hlc.New(3_600_000, 0), false, change(1, 1, setNote("future")))
	h.mustJoin(r.after(now + 1000))
	if at, err := h.Clock().Now(); err != nil || at > r.head() {
		t.Errorf("the clock went to %v, %v", at, err)
	}
	if got := read(h.row(shardA, 1, entity(1)), note); got != text("future") {
		t.Errorf("note is %v, want the latest", got)
	}
}

// S2, S9: what could not be written is not shown, and its callers learn it.
func TestAFailedCommitFailsItsJoins(t *testing.T) {
	h := openHouse(t)
	r := newRemote(h.Origin() + 1)
	r.write(t, 1, false, change(1, 1, setRate(1)))
	h.disk.commit = func(*badger.Txn, uint64) error { return errDisk }
	if err := h.join(r.after(0)); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Join: %v, want %v", err, ErrReadOnly)
	}
	if got := h.Progress(shardA); len(got) != 0 {
		t.Errorf("progress %v, want none", got)
	}
	if !h.row(shardA, 1, entity(1)).IsEmpty() {
		t.Error("a row shows that was not written")
	}
}
