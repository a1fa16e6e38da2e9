package probe

import (
	"fmt"
	"math"
	"time"
)

// Kind is a promise that was broken.
type Kind string

// The kinds of violations.
const (
	OwnWrite  Kind = "own_write"  // a session did not see what it wrote
	Monotonic Kind = "monotonic"  // reads of a session, or at quorum with blocking repair, went back
	Bound     Kind = "bounded"    // a bounded read lacks, or tells that it may lack, more than it was asked
	Quorum    Kind = "quorum"     // a read at quorum lacks a write acknowledged at quorum
	Leader    Kind = "leader"     // a read at leader lacks an acknowledged write
	Everyone  Kind = "all"        // a read lacks a write that every member acknowledged
	Told      Kind = "told_bound" // an answer is staler than it told
)

// Kinds are all of them, in the order of reports.
var Kinds = []Kind{OwnWrite, Monotonic, Bound, Quorum, Leader, Everyone, Told}

// Write is one that was acknowledged. Numbers rise from write to write. Times are
// since the probe began, by the prober's clock.
type Write struct {
	Number      int64
	Asked       string // region that was asked
	Origin      string // region in whose log it stands
	Concern     string
	Sent, Acked time.Duration
}

// Read is what one read asked and got.
type Read struct {
	Region string // that was asked
	Level  string
	// Members of a read at quorum, 0 for a majority; Blocking says that it waited
	// for a majority to have what it shows.
	Members  int
	Blocking bool
	Bound    time.Duration // of a read at bounded

	Sent, Answered time.Duration
	// Seen is the number it showed, 0 for none.
	Seen                int64
	Met                 string
	Served              string
	Degraded, Forwarded bool
	Waited              time.Duration
	// Told is the bound on staleness for each region; Unknown for none.
	Told map[string]time.Duration
	// Session is what the read's session had seen when it was sent.
	Session Session
}

// Unknown says that an answer told no bound.
const Unknown = time.Duration(math.MaxInt64)

// Session is the greatest numbers that a session wrote and read; zero without.
type Session struct{ Wrote, Read int64 }

// Violation is an answer that broke a promise.
type Violation struct {
	Kind Kind
	Read Read
	// Missing is the number that the read should have shown at least; Ago, how long
	// before the read it was acknowledged.
	Missing int64
	Ago     time.Duration
}

// Text says what was promised and what was got.
func (v Violation) Text() string {
	r := v.Read
	if v.Kind == Bound && v.Missing == 0 {
		return fmt.Sprintf("met bounded %v, and tells a staleness of %v", r.Bound, v.Ago)
	}
	text := fmt.Sprintf("showed %d, must show at least %d", r.Seen, v.Missing)
	if v.Ago > 0 {
		text += fmt.Sprintf(", acknowledged %v before", v.Ago.Round(time.Microsecond))
	}
	return text
}

// keptWrites is how many writes of each region are remembered (J2). Bounds that
// reach back further are not judged.
const keptWrites = 1024

// ledger is what was acknowledged, and what reads at quorum showed.
type ledger struct {
	writes map[string][]Write // by origin, oldest first
	// The newest acknowledged at any concern, at a majority, by all.
	any, majority, all Write
	// shown is the newest that a read at quorum with blocking repair showed, and
	// before it those shown earlier, by when they were answered.
	shown []shown
}

type shown struct {
	number int64
	at     time.Duration
}

func (l *ledger) acknowledged(w Write) {
	if l.writes == nil {
		l.writes = map[string][]Write{}
	}
	of := append(l.writes[w.Origin], w)
	if len(of) > 2*keptWrites {
		of = append(of[:0], of[len(of)-keptWrites:]...)
	}
	l.writes[w.Origin] = of
	l.any = w
	switch w.Concern {
	case "all":
		l.all, l.majority = w, w
	case "quorum", "each_region":
		l.majority = w
	}
}

// before is the newest write of an origin that was acknowledged by then.
func (l *ledger) before(origin string, then time.Duration) (Write, bool) {
	of := l.writes[origin]
	for i := len(of) - 1; i >= 0; i-- {
		if of[i].Acked <= then {
			return of[i], true
		}
	}
	return Write{}, false
}

// missing is how old the oldest acknowledged write of an origin is that a read
// lacks; 0 for none.
func (l *ledger) missing(origin string, r Read) time.Duration {
	var oldest time.Duration
	of := l.writes[origin]
	for i := len(of) - 1; i >= 0 && of[i].Number > r.Seen; i-- {
		if of[i].Acked <= r.Sent {
			oldest = r.Sent - of[i].Acked
		}
	}
	return oldest
}

// judge returns what a read broke. A read is judged by what its answer says was
// met: one that says it is degraded claims no more than that.
func (l *ledger) judge(r Read) []Violation {
	var out []Violation
	lacks := func(kind Kind, w Write) {
		if w.Number > r.Seen && w.Acked <= r.Sent {
			out = append(out, Violation{Kind: kind, Read: r, Missing: w.Number, Ago: r.Sent - w.Acked})
		}
	}
	if r.Met != "eventual" {
		lacks(OwnWrite, Write{Number: r.Session.Wrote, Acked: r.Sent})
		lacks(Monotonic, Write{Number: r.Session.Read, Acked: r.Sent})
	}
	switch r.Met {
	case "bounded":
		for origin := range l.writes {
			if w, ok := l.before(origin, r.Sent-r.Bound); ok {
				lacks(Bound, w)
			}
		}
		for _, told := range r.Told {
			if told > r.Bound {
				out = append(out, Violation{Kind: Bound, Read: r, Ago: told})
			}
		}
	case "quorum":
		if r.Members == 0 {
			lacks(Quorum, l.majority)
		}
		for _, s := range l.shown {
			if s.at <= r.Sent && s.number > r.Seen && r.Members == 0 {
				lacks(Monotonic, Write{Number: s.number, Acked: r.Sent})
				break
			}
		}
	case "leader":
		lacks(Leader, l.any)
	}
	lacks(Everyone, l.all)
	for origin := range l.writes {
		told, ok := r.Told[origin]
		if !ok && origin != r.Served || told == Unknown {
			continue // nothing was told
		}
		if w, ok := l.before(origin, r.Sent-told); ok {
			lacks(Told, w)
		}
	}
	if r.Met == "quorum" && r.Blocking && r.Members == 0 {
		l.show(r)
	}
	return out
}

// show remembers what a read at quorum showed: at most the last few, for no read
// takes longer than some of them.
func (l *ledger) show(r Read) {
	l.shown = append(l.shown, shown{r.Seen, r.Answered})
	if len(l.shown) > 256 {
		l.shown = append(l.shown[:0], l.shown[128:]...)
	}
}
