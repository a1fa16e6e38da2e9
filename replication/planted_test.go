package replication

import (
	"testing"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// Faults of terms that hardly show from outside: whoever has something beyond the
// end of a term hands it over within a round trip. So the core alone is asked,
// with each fault and without.

// led is a core of us-1 in a leader group whose only shard has a term.
func led(t *testing.T, term meta.Term, local *localFacts, faults fault.Set) *Core {
	t.Helper()
	m := twoStores(t)
	term.Shard = onlyShard
	m.Terms = []meta.Term{term}
	local.groups = []*feature.Group{{ID: onlyShard.Group, Placement: feature.Leader}}
	return NewCore(CoreConfig{Self: meta.Member{Store: "us-1", Region: "us", Origin: 2}, Local: local, Membership: m, Faults: faults})
}

// leads returns what the core would have its store lead.
func leads(c *Core) map[feature.Shard]hlc.Origin {
	for _, o := range drive(c, Tick{Closed: 100}) {
		if o, ok := o.(SetLeading); ok {
			return o.Origins
		}
	}
	return nil
}

func TestWhoLacksSomeOfATermDoesNotLeadTheNext(t *testing.T) {
	term := meta.Term{Number: 2, Leader: "us-1", Origin: 12, Ended: []meta.TermEnd{{Origin: 11, Leader: "eu-1", Final: 50}}}
	for _, c := range []struct {
		claim  string
		has    hlc.Timestamp
		faults fault.Set
		want   bool
	}{
		{"with all of it", 50, 0, true},
		{"with less", 49, 0, false},
		{"with less, and lead_uncovered planted", 49, fault.Of(fault.LeadUncovered), true},
	} {
		v := hlc.Vector{11: c.has}
		got := leads(led(t, term, &localFacts{progress: v, heads: v}, c.faults))
		if (got[onlyShard] == 12) != c.want {
			t.Errorf("%s it leads %v, want that it does: %v", c.claim, got, c.want)
		}
	}
}

func TestATermThatIsToEndIsNotWrittenOnceItIsSaidToBeObeyed(t *testing.T) {
	for _, c := range []struct {
		claim  string
		faults fault.Set
		writes bool
	}{
		{"as it is", 0, false},
		{"with write_after_end planted", fault.Of(fault.WriteAfterEnd), true},
	} {
		local := &localFacts{progress: hlc.Vector{}, heads: hlc.Vector{}}
		core := led(t, meta.Term{Number: 1, Leader: "us-1", Origin: 11}, local, c.faults)
		drive(core, LeadingSet{Origins: leads(core)})
		stopping := *core.membership
		stopping.Revision++
		stopping.Terms = []meta.Term{{Shard: onlyShard, Number: 1, Leader: "us-1", Origin: 11, State: meta.Stopping, Next: "eu-1"}}
		for _, o := range drive(core, Kept{Membership: &stopping}) {
			switch o := o.(type) {
			case SetLeading:
				drive(core, LeadingSet{Origins: o.Origins})
			case SetWriting:
				drive(core, WritingSet(o))
			}
		}
		drive(core, WritingSet{Allowed: true})
		if core.told != stopping.Version() {
			t.Errorf("%s: it obeys %v, want %v", c.claim, core.told, stopping.Version())
		}
		if _, writes := core.leading.terms[onlyShard]; writes != c.writes {
			t.Errorf("%s: it writes the term: %v, want %v", c.claim, writes, c.writes)
		}
	}
}
