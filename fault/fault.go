package fault

import "fmt"

// Fault is one rule switched off.
type Fault uint8

// The faults, each with the invariant of docs/protocol.md that it breaks.
const (
	// SkipSessionWait answers session reads without looking at the token (I11).
	SkipSessionWait Fault = iota + 1
	// TokenFromVector builds tokens from progress instead of from cells (I11).
	TokenFromVector
	// DropDependency joins an entry before what its session had seen (I13).
	DropDependency
	// AcceptGap joins an interval that begins after what is here (I2).
	AcceptGap
	// AckOnReceipt tells others that an interval is here because it came, joined
	// or not (I4).
	AckOnReceipt
	// ClaimUnwritten closes the log up to now while a commit is under way (I5).
	ClaimUnwritten
	// ForgetClockLimit lets a restarted clock begin at the wall (I5).
	ForgetClockLimit
	// CollectOnceApplied collects tombstones as soon as all have them, without
	// the grace (I7).
	CollectOnceApplied
	// LastVectorWins starts a rebuilt shard at the last chunk's vector (I2).
	LastVectorWins
	// PatchOutsideLog mends a row by read repair, past the log (I3).
	PatchOutsideLog
	// ForgetFloor serves a truncated log as if it began there (I2).
	ForgetFloor
	// AdvancePastFence takes entries of a fenced origin (I8).
	AdvancePastFence
	// WipeBeforeSalvage wipes an evicted store before its tail is kept.
	WipeBeforeSalvage
	// CountTwice joins what was delivered again as if it were new (counters).
	CountTwice
	// TellNoStaleness tells every read that it is as fresh as can be.
	TellNoStaleness
	// SkipLease reads at level leader without being certain to lead (I12).
	SkipLease
	// SkipCommitGate reads at level leader what may be lost with the leader (I12).
	SkipCommitGate
	// ObeyAtOnce follows another leader before what was promised to the one before
	// has run out (I12).
	ObeyAtOnce
	// SealBySome decides where a term ends by the word of any one member (I9).
	SealBySome
	// LeadUncovered leads without having all of the terms before (I10).
	LeadUncovered
	// LeadWithTail leads with rows from beyond the ends of terms (I10).
	LeadWithTail
	// WriteAfterEnd goes on writing a term that is to end (I1).
	WriteAfterEnd
	// MinorityQuorum takes one member too few for a quorum read (C11).
	MinorityQuorum
	// SkipReadRepair answers quorum reads before a majority has what they show
	// (C12).
	SkipReadRepair
	// RepairCountsCoordinator takes for granted that the store which joins rows
	// has what they show (C12).
	RepairCountsCoordinator
	// VectorAfterRows takes a member's progress after its rows were read (C2).
	VectorAfterRows

	end
)

var names = [end]string{
	SkipSessionWait: "skip_session_wait", TokenFromVector: "token_from_vector", DropDependency: "drop_dependency",
	AcceptGap: "accept_gap", AckOnReceipt: "ack_on_receipt", ClaimUnwritten: "claim_unwritten",
	ForgetClockLimit: "forget_clock_limit", CollectOnceApplied: "collect_once_applied", LastVectorWins: "last_vector_wins",
	PatchOutsideLog: "patch_outside_log", ForgetFloor: "forget_floor",
	AdvancePastFence:  "advance_past_fence",
	WipeBeforeSalvage: "wipe_before_salvage", CountTwice: "count_twice", TellNoStaleness: "tell_no_staleness",
	SkipLease: "skip_lease", SkipCommitGate: "skip_commit_gate", ObeyAtOnce: "obey_at_once", SealBySome: "seal_by_some",
	LeadUncovered: "lead_uncovered", LeadWithTail: "lead_with_tail", WriteAfterEnd: "write_after_end",
	MinorityQuorum: "minority_quorum", SkipReadRepair: "skip_read_repair", RepairCountsCoordinator: "repair_counts_coordinator",
	VectorAfterRows: "vector_after_rows",
}

// String returns the fault's name, such as "drop_dependency".
func (f Fault) String() string {
	if f < end && f > 0 {
		return names[f]
	}
	return fmt.Sprintf("fault(%d)", uint8(f))
}

// All returns every fault.
func All() []Fault {
	out := make([]Fault, 0, end-1)
	for f := Fault(1); f < end; f++ {
		out = append(out, f)
	}
	return out
}

// Set is the faults that are planted. The zero Set is none.
type Set uint32

// Of returns the set of some faults.
func Of(faults ...Fault) Set {
	var s Set
	for _, f := range faults {
		s |= 1 << f
	}
	return s
}

// Has reports whether a fault is planted.
func (s Set) Has(f Fault) bool { return s&(1<<f) != 0 }
