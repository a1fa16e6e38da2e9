package replication

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/hlc"
	"featurestore/meta"
)

// Facts answer like a list that is searched from end to end, and nothing that
// they answer is better than what was learned.
func TestFactsAreThoseThatWereLearned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var facts, plain []fact
		for range rapid.IntRange(0, 40).Draw(t, "facts") {
			f := fact{through: hlc.Timestamp(rapid.IntRange(1, 30).Draw(t, "through")), asOf: time.Duration(rapid.IntRange(1, 30).Draw(t, "as of"))}
			facts, plain = addFact(facts, f), append(plain, f)
		}
		for i := 1; i < len(facts); i++ {
			if facts[i-1].through >= facts[i].through || facts[i-1].asOf >= facts[i].asOf {
				t.Fatalf("facts do not rise: %v", facts)
			}
		}
		for at := hlc.Timestamp(0); at <= 31; at++ {
			want := time.Duration(0)
			for _, f := range plain {
				if f.through <= at {
					want = max(want, f.asOf)
				}
			}
			if got, ok := asOf(facts, at); ok != (want > 0) || ok && got != want {
				t.Fatalf("at %v: got %v, %v; want %v of %v", at, got, ok, want, plain)
			}
		}
	})
}

func TestFactsOfAnOriginAreBounded(t *testing.T) {
	var facts []fact
	for i := range 10 * keptFacts {
		facts = addFact(facts, fact{through: hlc.Timestamp(i + 1), asOf: time.Duration(i + 1)})
	}
	if len(facts) > keptFacts {
		t.Errorf("%d facts are kept, want at most %d", len(facts), keptFacts)
	}
	if got, _ := asOf(facts, 1<<40); got != 10*keptFacts {
		t.Errorf("the latest is %v, want %v", got, 10*keptFacts)
	}
}

func TestEchoesAreForgottenInTime(t *testing.T) {
	var e echoes
	if _, ok := e.sentAt(0); ok {
		t.Error("nothing was sent, and something is remembered")
	}
	first := e.next(7)
	if at, ok := e.sentAt(first); !ok || at != 7 {
		t.Errorf("got %v, %v; want 7", at, ok)
	}
	for range keptEchoes {
		e.next(9)
	}
	if _, ok := e.sentAt(first); ok {
		t.Error("a Status is remembered that was overwritten")
	}
	if _, ok := e.sentAt(e.last + 1); ok {
		t.Error("a Status is remembered that was not sent")
	}
}

// While the store cannot say up to when its log is complete, what it said before
// is no newer for it.
func TestALogThatCannotBeClosedIsNotToldToBeFresh(t *testing.T) {
	c := coreOfTwo()
	c.Step(Instant{Mono: time.Second}, Tick{Closed: 40})
	c.Step(Instant{Mono: 3 * time.Second}, Tick{})
	c.Step(Instant{Mono: 3 * time.Second}, Closing{})
	if since, ok := asOf(c.facts[1], 40); !ok || since != time.Second {
		t.Errorf("all that was accepted before %v is said to be at or before 40, want before 1s", since)
	}
}

// A log that has ended, and is wholly here, makes nothing stale: nothing is kept of
// it, nor told to others. One of which some is missing does.
func TestFactsOfALogThatIsOverAreForgotten(t *testing.T) {
	local := &localFacts{progress: hlc.Vector{9: 99}}
	c := NewCore(CoreConfig{Self: member("eu-1", 10, meta.Active), Local: local, Membership: threeOneEnded(meta.Active)})
	drive(c, Opened{Hello: Hello{Member: member("us-1", 20, meta.Active)}})
	tells := func() (facts, told int) {
		sent := c.peers["us-1"].echoes.next(c.now.Mono)
		drive(c, Received{From: "us-1", Message: Fresh{Echo: sent, Facts: []Fact{{Origin: 9, Through: 120}, {Origin: 20, Through: 120}}}})
		c.nextUpkeep = 0
		drive(c, Tick{Closed: 40})
		c.peers["us-1"].echo = 1
		c.tellFresh(c.peers["us-1"])
		for _, o := range c.take() {
			for _, f := range o.(Send).Message.(Fresh).Facts {
				if f.Origin == 9 {
					told++
				}
			}
		}
		return len(c.facts[9]), told
	}
	if facts, told := tells(); facts != 1 || told != 1 {
		t.Errorf("while some of the log is missing, %d facts are kept and %d told, want 1 and 1", facts, told)
	}
	local.progress = hlc.Vector{9: 100}
	c.shards[onlyShard].pending = local.progress.Clone()
	if facts, told := tells(); facts != 0 || told != 0 || len(c.facts[20]) == 0 {
		t.Errorf("once all is here, %d facts are kept and %d told, want none; of a log that goes on %d", facts, told, len(c.facts[20]))
	}
}
