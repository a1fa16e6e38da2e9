package probe

import (
	"context"
	"slices"
	"testing"
	"time"
)

const at = time.Millisecond

// TestBrokenPromisesAreViolations holds J1: each promise, broken by what ended
// before the read began, and not by what overlaps it.
func TestBrokenPromisesAreViolations(t *testing.T) {
	// Three writes, of eu at local, of us at quorum, of eu at all.
	local := Write{Number: 11, Asked: "eu", Origin: "eu", Concern: "local", Sent: 0, Acked: 10 * at}
	quorum := Write{Number: 12, Asked: "us", Origin: "us", Concern: "quorum", Sent: 20 * at, Acked: 30 * at}
	all := Write{Number: 13, Asked: "eu", Origin: "eu", Concern: "all", Sent: 40 * at, Acked: 50 * at}
	for _, c := range []struct {
		claim  string
		writes []Write
		read   Read
		want   []Kind
	}{
		{"eventual may miss what is at one member", []Write{local}, Read{Met: "eventual", Served: "us", Sent: 60 * at}, nil},
		{"eventual owes a session nothing", nil, Read{Met: "eventual", Sent: at, Session: Session{Wrote: 11, Read: 11}}, nil},
		{"a session misses its write", nil, Read{Met: "session", Sent: at, Seen: 10, Session: Session{Wrote: 11}}, []Kind{OwnWrite}},
		{"a session sees its write", nil, Read{Met: "session", Sent: at, Seen: 11, Session: Session{Wrote: 11}}, nil},
		{"a session goes back", nil, Read{Met: "session", Sent: at, Seen: 10, Session: Session{Read: 11}}, []Kind{Monotonic}},
		{"quorum honours sessions", nil, Read{Met: "quorum", Sent: at, Seen: 10, Session: Session{Read: 11}}, []Kind{Monotonic}},
		{"bounded misses what is older than its bound", []Write{local}, Read{Met: "bounded", Served: "us", Bound: 40 * at, Sent: 50 * at}, []Kind{Bound}},
		{"bounded may miss what is younger", []Write{local}, Read{Met: "bounded", Served: "us", Bound: 41 * at, Sent: 50 * at}, nil},
		{"bounded tells more than was asked", nil, Read{Met: "bounded", Bound: 40 * at, Sent: at, Told: map[string]time.Duration{"eu": 41 * at}}, []Kind{Bound}},
		{"quorum misses a majority's write", []Write{quorum}, Read{Met: "quorum", Served: "eu", Sent: 31 * at, Seen: 11}, []Kind{Quorum}},
		{"quorum may miss a local write", []Write{local}, Read{Met: "quorum", Served: "us", Sent: 31 * at}, nil},
		{"quorum overlaps the write", []Write{quorum}, Read{Met: "quorum", Served: "eu", Sent: 29 * at, Seen: 11}, nil},
		{"a quorum of other size promises nothing", []Write{quorum}, Read{Met: "quorum", Served: "eu", Members: 1, Sent: 31 * at, Seen: 11}, nil},
		{"leader misses a local write", []Write{local}, Read{Met: "leader", Served: "us", Sent: 11 * at}, []Kind{Leader}},
		{"leader sees it", []Write{local}, Read{Met: "leader", Served: "us", Sent: 11 * at, Seen: 11}, nil},
		{"leader degraded to eventual claims nothing", []Write{local}, Read{Level: "leader", Met: "eventual", Degraded: true, Served: "us", Sent: 11 * at}, nil},
		{"anyone misses what all have", []Write{all}, Read{Met: "eventual", Served: "us", Sent: 51 * at, Seen: 12}, []Kind{Everyone}},
		{"a bound told too small", []Write{local}, Read{Met: "eventual", Served: "us", Sent: 60 * at, Told: map[string]time.Duration{"eu": 50 * at}}, []Kind{Told}},
		{"a bound that is true", []Write{local}, Read{Met: "eventual", Served: "us", Sent: 60 * at, Told: map[string]time.Duration{"eu": 51 * at}}, nil},
		{"no bound was told", []Write{local}, Read{Met: "eventual", Served: "us", Sent: 60 * at, Told: map[string]time.Duration{"eu": Unknown}}, nil},
		{"a store forgets what it took", []Write{local}, Read{Met: "eventual", Served: "eu", Sent: 60 * at}, []Kind{Told}},
		{"an older write of the origin counts", []Write{local, {Number: 14, Origin: "eu", Concern: "local", Acked: 58 * at}}, Read{Met: "eventual", Served: "us", Sent: 60 * at, Told: map[string]time.Duration{"eu": 40 * at}}, []Kind{Told}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			var l ledger
			for _, w := range c.writes {
				l.acknowledged(w)
			}
			var got []Kind
			for _, v := range l.judge(c.read) {
				got = append(got, v.Kind)
				if v.Text() == "" {
					t.Error("a violation without words")
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestQuorumReadsWithBlockingRepairNeverGoBack(t *testing.T) {
	read := Read{Met: "quorum", Blocking: true, Sent: 10 * at, Answered: 20 * at, Seen: 12}
	for _, c := range []struct {
		claim  string
		first  Read
		sent   time.Duration
		broken bool
	}{
		{"a later read shows less", read, 20 * at, true},
		{"a read that overlaps may", read, 19 * at, false},
		{"after a read without repair it may", Read{Met: "quorum", Sent: 10 * at, Answered: 20 * at, Seen: 12}, 30 * at, false},
	} {
		var l ledger
		l.judge(c.first)
		got := l.judge(Read{Met: "quorum", Sent: c.sent, Answered: 40 * at, Seen: 11})
		if (len(got) == 1 && got[0].Kind == Monotonic) != c.broken {
			t.Errorf("%s: got %v", c.claim, got)
		}
	}
}

// TestWhatIsKeptIsBounded holds J2.
func TestWhatIsKeptIsBounded(t *testing.T) {
	r, err := NewRecorder(Config{Regions: []string{"eu", "us"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(10_000) {
		w := Write{Number: n + 1, Asked: "eu", Origin: "eu", Concern: "all", Sent: time.Duration(2*n) * at, Acked: time.Duration(2*n+1) * at}
		r.Wrote(context.Background(), w)
		r.Read(context.Background(), Read{Level: "quorum", Met: "quorum", Blocking: true, Served: "us", Sent: w.Acked, Answered: w.Acked})
	}
	if n := len(r.mu.ledger.writes["eu"]); n > 2*keptWrites {
		t.Errorf("%d writes are kept", n)
	}
	if n := len(r.mu.ledger.shown); n > 256 {
		t.Errorf("%d reads are kept", n)
	}
	report := r.Report(time.Second)
	if len(report.Examples) != keptViolations || report.Violations != 20_000 {
		t.Errorf("got %d examples of %d violations; want %d of 20000: quorum and all, each time", len(report.Examples), report.Violations, keptViolations)
	}
}
