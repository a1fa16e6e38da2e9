package simulation

import (
	"fmt"

	"featurestore/consistency"
)

// checkQuorum wants every read of a majority to hold each write that a majority
// had acknowledged before the read began, whoever made either.
func checkQuorum(e *Evidence) []Violation {
	var out []Violation
	for _, op := range e.quorumReads() {
		for i := range e.Operations {
			w := &e.Operations[i]
			if w.Driver != op.Driver || !isQuorumWrite(w) || !w.Ended.Before(op.Began) {
				continue
			}
			if text := e.missing(op.Driver, w.Written, op.Row); text != "" {
				out = append(out, Violation{"quorum", fmt.Sprintf("read at %s at %s of %d of %d members lacks what %d members acknowledged at %s by %s: %s",
					op.Served, clock(op.Began), op.Met.Members, op.Met.Of, w.Acks.Acks.Stores, w.Region, clock(w.Ended), text)})
			}
		}
	}
	return out
}

func isQuorumWrite(op *Operation) bool {
	if op.Push == nil || op.Err != nil || !op.Acks.Met {
		return false
	}
	switch op.Push.Concern.Kind {
	case consistency.MemberQuorum, consistency.EachRegion, consistency.All:
		return true
	}
	return false
}

// quorumReads are the reads of a majority: those that asked for one, whatever
// they were told.
func (e *Evidence) quorumReads() []*Operation {
	var out []*Operation
	for i := range e.Operations {
		op := &e.Operations[i]
		if op.Lookup != nil && op.Err == nil && op.Met.Met.Level == consistency.Quorum &&
			(op.Met.Met.Members == 0 || 2*op.Met.Members > op.Met.Of) {
			out = append(out, op)
		}
	}
	return out
}

// checkMonotone wants a read of a majority to hold what an earlier one showed
// that waited for its repair, whatever stores joined the rows.
func checkMonotone(e *Evidence) []Violation {
	var out []Violation
	reads := e.quorumReads()
	for _, before := range reads {
		if before.Met.Met.Repair == consistency.NoRepair {
			continue
		}
		for _, after := range reads {
			if after.Driver != before.Driver || !before.Ended.Before(after.Began) {
				continue
			}
			if text := e.missing(after.Driver, before.Row, after.Row); text != "" {
				out = append(out, Violation{"quorum reads never go back", fmt.Sprintf("read at %s at %s, after one at %s that ended at %s: %s",
					after.Served, clock(after.Began), before.Served, clock(before.Ended), text)})
			}
		}
	}
	return out
}
