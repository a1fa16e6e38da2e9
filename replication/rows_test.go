package replication

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// rowStore answers each key with itself, and as many at a time as it is told.
type rowStore struct {
	Store
	most     int
	registry *feature.Registry
	progress hlc.Vector
	// read is told of every reading that begins.
	read func()
}

func (s *rowStore) Progress(feature.Shard) hlc.Vector { return s.progress }

func (s *rowStore) Registry() *feature.Registry { return s.registry }

func (s *rowStore) ReadRows(_ context.Context, keys []feature.RowKey, _ int) ([][]byte, error) {
	if s.read != nil {
		s.read()
	}
	var rows [][]byte
	for _, k := range keys[:min(len(keys), s.most)] {
		rows = append(rows, k.Key)
	}
	return rows, nil
}

// rowNode is a node of eu-1 whose only conversation is with us-1, which nobody
// holds: what is said waits in its link.
func rowNode(s *rowStore) (*Node, *link) {
	s.registry = feature.NewRegistry()
	n := &Node{cfg: Config{Store: s, Self: meta.Member{Store: "eu-1", Region: "eu", Origin: 1}}.withDefaults()}
	n.asks.waiting = map[uint64]*rowAsk{}
	n.membership.Store(&meta.Membership{Members: meta.Members{
		{Store: "eu-1", Region: "eu", Origin: 1, State: meta.Active}, {Store: "us-1", Region: "us", Origin: 2, State: meta.Active},
	}})
	l := &link{peer: "us-1", wake: make(chan struct{}, 1)}
	n.links.node = n
	n.links.mu.dialed = map[meta.StoreID]*link{"us-1": l}
	return n, l
}

// said returns what waits to be said in a link.
func said(l *link) (out []Message) {
	out, _ = l.take()
	return out
}

func keysOf(n int) []feature.RowKey {
	out := make([]feature.RowKey, n)
	for i := range out {
		out[i] = feature.RowKey{Shard: feature.Shard{Group: 1}, View: 1, Key: feature.Key{byte(i), byte(i >> 8), 1}}
	}
	return out
}

// answered collects what a question came to.
type answered struct {
	times    int
	progress map[feature.Shard]hlc.Vector
	rows     [][]byte
	err      error
}

func (a *answered) take(progress map[feature.Shard]hlc.Vector, rows [][]byte, err error) {
	a.times, a.progress, a.rows, a.err = a.times+1, progress, rows, err
}

// Many rows are asked for by several messages, each as large as one may be, and
// the progress is that from before the first.
func TestManyRowsAreAskedForInPieces(t *testing.T) {
	n, l := rowNode(&rowStore{})
	var a answered
	keys := keysOf(2*MaxReadKeys + 5)
	n.AskRows(t.Context(), "us-1", keys, a.take)
	shard := keys[0].Shard
	for asked, rounds := 0, 0; asked < len(keys); rounds++ {
		m := said(l)[0].(ReadRows)
		if len(m.Keys) > MaxReadKeys || string(m.Keys[0].Key) != string(keys[asked].Key) {
			t.Fatalf("asked for %d keys from %v", len(m.Keys), m.Keys[0])
		}
		some := m.Keys[:max(1, len(m.Keys)*2/3)] // the rest did not fit
		answer := RowsRead{ID: m.ID, Progress: map[feature.Shard]hlc.Vector{shard: {2: hlc.Timestamp(100 + rounds)}}}
		for _, k := range some {
			answer.Rows = append(answer.Rows, k.Key)
		}
		n.rowsRead("us-1", answer)
		n.rowsRead("us-1", answer) // repeated on the way
		asked += len(some)
	}
	if a.times != 1 || a.err != nil || len(a.rows) != len(keys) || a.progress[shard][2] != 100 {
		t.Fatalf("answered %d times: %d rows, progress %v, %v", a.times, len(a.rows), a.progress, a.err)
	}
	for i := range keys {
		if string(a.rows[i]) != string(keys[i].Key) {
			t.Fatalf("row %d is that of another key", i)
		}
	}
	if len(n.asks.waiting) > 0 {
		t.Errorf("%d questions are kept", len(n.asks.waiting))
	}
}

func TestAKeyThatIsLargeIsAskedForAlone(t *testing.T) {
	large := []feature.RowKey{{Key: make(feature.Key, MaxReadBytes)}, {Key: feature.Key("b")}}
	if got := firstKeys(large); len(got) != 1 {
		t.Errorf("got %d keys", len(got))
	}
}

// A question fails at once where there is nobody to ask, where the conversation
// ends, and where the other refuses.
func TestAQuestionThatCannotBeAnsweredFails(t *testing.T) {
	for _, c := range []struct {
		claim string
		then  func(*Node, *link, ReadRows)
		says  string
	}{
		{"the conversation ended", func(n *Node, l *link, _ ReadRows) { n.links.close(l) }, "not in reach"},
		{"it was refused", func(n *Node, _ *link, m ReadRows) { n.rowsRead("us-1", RowsRead{ID: m.ID, Refused: "it joins"}) }, "it joins"},
		{"it has more rows than keys", func(n *Node, _ *link, m ReadRows) {
			n.rowsRead("us-1", RowsRead{ID: m.ID, Rows: make([][]byte, 9)})
		}, "9 rows"},
		{"it has none", func(n *Node, _ *link, m ReadRows) { n.rowsRead("us-1", RowsRead{ID: m.ID}) }, "0 rows"},
	} {
		n, l := rowNode(&rowStore{})
		n.inbox.wake = make(chan struct{}, 1)
		var a answered
		n.AskRows(t.Context(), "us-1", keysOf(1), a.take)
		c.then(n, l, said(l)[0].(ReadRows))
		if a.times != 1 || a.err == nil || !strings.Contains(a.err.Error(), c.says) {
			t.Errorf("%s: answered %d times, %v, want an error that says %q", c.claim, a.times, a.err, c.says)
		}
		n.AskRows(t.Context(), "ap-1", keysOf(1), a.take)
		if a.times != 2 || !errors.Is(a.err, errNotInReach) {
			t.Errorf("a store without a conversation: answered %d times, %v", a.times, a.err)
		}
	}
}

// Nobody is told after the end of his time, nor of what somebody else answers.
func TestAnswersThatComeTooLateAreDropped(t *testing.T) {
	n, l := rowNode(&rowStore{})
	ctx, cancel := context.WithCancel(t.Context())
	var a answered
	n.AskRows(ctx, "us-1", keysOf(1), a.take)
	m := said(l)[0].(ReadRows)
	n.rowsRead("ap-1", RowsRead{ID: m.ID, Rows: [][]byte{nil}})
	cancel()
	n.rowsRead("us-1", RowsRead{ID: m.ID, Rows: [][]byte{nil}})
	if a.times != 0 {
		t.Errorf("answered %d times: %v", a.times, a.rows)
	}
}

// A store answers while it has the rows, and only whom it may.
func TestRowsAreRefusedWhereTheyAreNotOrMayNotBe(t *testing.T) {
	for _, c := range []struct {
		claim string
		edit  func(*meta.Membership)
		says  string
	}{
		{"both are active", func(*meta.Membership) {}, ""},
		{"it leaves", func(m *meta.Membership) { m.Members[0].State = meta.Leaving }, ""},
		{"it joins", func(m *meta.Membership) { m.Members[0].State = meta.Joining }, "not active"},
		{"it was evicted", func(m *meta.Membership) { m.Members[0].State = meta.Removed }, "not active"},
		{"another stands in its place", func(m *meta.Membership) { m.Members[0].Origin = 9 }, "not active"},
		{"who asks was evicted", func(m *meta.Membership) { m.Members[1].State = meta.Fenced }, "store us-1 is"},
		{"nobody knows who asks", func(m *meta.Membership) { m.Members = m.Members[:1] }, "knows of no store us-1"},
	} {
		n, _ := rowNode(&rowStore{most: 9, progress: hlc.Vector{1: 5}})
		m := *n.membership.Load()
		m.Members = slices.Clone(m.Members)
		c.edit(&m)
		n.membership.Store(&m)
		got := n.answerRows(t.Context(), "us-1", rowRead{ReadRows{ID: 4, Keys: keysOf(2)}, time.Now().Add(time.Minute)})
		if got.ID != 4 || (got.Refused == "") != (c.says == "") || !strings.Contains(got.Refused, c.says) || (c.says == "") != (len(got.Rows) == 2) {
			t.Errorf("%s: got %+v, want a refusal that says %q", c.claim, got, c.says)
		}
	}
}

// Rows go where they may go, and are asked of who may have them.
func TestRowsOfAGroupStayInItsRegions(t *testing.T) {
	for regions, want := range map[string]string{"eu us": "", "eu ap": "region us does not hold group near", "us ap": "region eu does not hold group near"} {
		s := &rowStore{most: 9, progress: hlc.Vector{1: 5}}
		n, _ := rowNode(s)
		registry, _, err := feature.NewRegistry().Apply(feature.Definitions{
			Project: "p", Groups: []feature.Group{{Name: "near", Regions: strings.Fields(regions)}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.registry = registry
		key := feature.RowKey{Shard: feature.Shard{Group: registry.Groups()[0].ID}, View: 1, Key: feature.Key{1}}
		got := n.answerRows(t.Context(), "us-1", rowRead{ReadRows{ID: 4, Keys: []feature.RowKey{key}}, time.Now().Add(time.Minute)})
		if got.Refused != want || (want == "") != (len(got.Rows) == 1) {
			t.Errorf("held in %s: got %+v, want %q", regions, got, want)
		}
	}
}

// Of what a peer asks at once, some is read for, some waits, some is refused, and
// nothing is read whose time is up.
func TestWhatAPeerAsksIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads, gate := 0, make(chan struct{})
		begun := make(chan struct{}, 9)
		s := &rowStore{most: 9}
		s.read = func() { begun <- struct{}{}; <-gate }
		n, l := rowNode(s)
		for id := range uint64(maxRowReads) {
			n.serveRows(t.Context(), l, ReadRows{ID: id, Within: time.Minute, Keys: keysOf(1)})
		}
		synctest.Wait()
		if reads = len(begun); reads != maxRowReads {
			t.Fatalf("%d are read for at one time, want %d", reads, maxRowReads)
		}
		for id := range uint64(maxWaitingRowReads) {
			n.serveRows(t.Context(), l, ReadRows{ID: 1000 + id, Within: time.Second, Keys: keysOf(1)})
		}
		n.serveRows(t.Context(), l, ReadRows{ID: 7, Within: time.Minute, Keys: keysOf(1)})
		if got := said(l); len(got) != 1 || got[0].(RowsRead).ID != 7 || got[0].(RowsRead).Refused == "" {
			t.Errorf("got %v, want a refusal of the one beyond", got)
		}
		time.Sleep(2 * time.Second) // of virtual time: those that wait are not waited for any more
		close(gate)
		n.wg.Wait()
		if got := said(l); len(got) != maxRowReads || len(begun) != maxRowReads {
			t.Errorf("%d were answered, %d read for, want only the first %d", len(got), len(begun), maxRowReads)
		}
	})
}
