package simulation

import (
	"errors"
	"testing"

	"featurestore/fault"
)

// ingredients are what a scenario needs to show a planted fault.
var ingredients = map[fault.Fault]Kinds{
	fault.CollectOnceApplied: Cuts | Deletes,
	fault.LastVectorWins:     Cuts | Limits | Losses,
	fault.PatchOutsideLog:    Cuts | Losses,
	fault.ForgetFloor:        Cuts | Limits,
	fault.AdvancePastFence:   Cuts | Evictions,
	fault.WipeBeforeSalvage:  Cuts | Evictions,
	fault.TellNoStaleness:    Cuts,

	fault.SkipLease:      Terms | Usurpers,
	fault.SkipCommitGate: Terms | Cuts,
	fault.ObeyAtOnce:     Terms | Usurpers,
	fault.LeadWithTail:   Terms | Cuts,

	fault.MinorityQuorum:          Quorums | Cuts,
	fault.SkipReadRepair:          Quorums | Noise,
	fault.RepairCountsCoordinator: Quorums | Noise,
	fault.VectorAfterRows:         Quorums | Cuts,
}

// hidden are faults that random scenarios do not show, or hardly; a script or a
// test of the store alone does.
var hidden = map[fault.Fault]string{
	fault.ForgetClockLimit: "few scenarios restart a store with an earlier clock soon enough: see a_clock_limit_forgotten_is_found.txtar",
	fault.AckOnReceipt:     "a commit takes no virtual time, and a lost disk must meet an entry that is held back: see a_receipt_that_is_taken_for_having_is_found.txtar",
	fault.ClaimUnwritten:   "a commit takes no virtual time, so almost nothing happens meanwhile: see online.TestClaimUnwrittenClosesDuringACommit",
	fault.SealBySome:       "whoever has what a seal cut off hands it over within a round trip, if it is not too old: see a_term_that_one_member_ends_is_found.txtar",
	fault.LeadUncovered:    "what the terms before lack here comes within a round trip too: see replication.TestWhoLacksSomeOfATermDoesNotLeadTheNext",
	fault.WriteAfterEnd:    "as above: see replication.TestATermThatIsToEndIsNotWrittenOnceItIsSaidToBeObeyed",
	fault.CountTwice:       "what is delivered again is left out before it reaches the store: see online.TestCountTwiceCountsWhatIsDeliveredAgain",
}

// TestCheckersFindPlantedFaults is the negative control of the checkers (V3):
// each fault switches one rule of the protocol off, and some random scenario
// that has what it takes must show it. It prints how many it took.
func TestCheckersFindPlantedFaults(t *testing.T) {
	if !*plant {
		t.Skip("runs many scenarios, for some minutes: make sim, or -sim.faults")
	}
	for _, f := range fault.All() {
		t.Run(f.String(), func(t *testing.T) {
			if reason, ok := hidden[f]; ok {
				t.Skip(reason)
			}
			for n := range *tries {
				err := runLines(t, DrawWith(*first+uint64(n), ingredients[f]), fault.Of(f))
				var broken *BrokenError
				switch {
				case err == nil:
				case errors.As(err, &broken):
					t.Logf("found by scenario %d: %v", n+1, broken.Violations[0])
					return
				default:
					t.Logf("found by scenario %d, which got stuck: %.300v", n+1, err)
					return
				}
			}
			t.Errorf("%d scenarios did not show it", *tries)
		})
	}
}
