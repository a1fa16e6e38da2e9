// Package replication brings every origin's log to every member, in order,
// without gaps, and keeps what each of them has acknowledged.
//
// A store follows the log of each origin at one peer that has it: the origin's
// own store while it is in reach, else any member that is ahead. What arrives
// is an interval, "these are all entries of origin o in (after, through]", so
// that data, heartbeat, gap check and acknowledgement are one message.
//
// The decisions are the Core: inputs in, outputs out, without I/O, clocks or
// goroutines. The Node runs it on a store and a transport. Production and
// simulation run the same two.
//
// Invariants:
//
//	I1. Single writer: an origin's log is appended by one store, with rising
//	    timestamps; nothing is appended after the store learns its seal.
//	I2. Prefix: progress of an origin at h means that every entry of it up to h
//	    is durably joined here.
//	I3. Row purity: rows of a whole member are the join of exactly the entries
//	    that its progress names, minus what was collected.
//	I4. Durable before seen: a position is acknowledged, shipped, readable and
//	    put into a token only after it is synced.
//	I5. Never close what may still be written: no entry gets a timestamp at or
//	    below a Through that its origin announced, across restarts too.
//	I6. An entry logged again at a position carries only versions younger than
//	    that position minus the grace.
//	I7. A tombstone is collected only below what every active member has passed,
//	    minus the grace.
//	I8. Seal: at most one an origin, in the membership, lowered only when nobody
//	    remains who has more; nobody takes entries beyond a fence or a seal.
//	I10. Amnesia: a store that lost state takes part only under a new origin.
//	I13. Causal gate: an entry is joined only after the positions it names.
//	I14. Convergence: when updates stop and links heal, members have equal rows.
//	I15. Finite answer: every position is covered in the end, or known as lost.
//
// And of leader groups, which rest on I1, I9, I10 and I12:
//
//	Q1. A store leads a shard once it has all of the terms before, and is told so by
//	    the store only after its log of the term has a first entry that names them.
//	Q2. A leader lets others rely on a document in which its term is over only after
//	    it has stopped writing.
//	Q3. A member lets others rely on a document that deposes a leader only after what
//	    it took of that log is joined, and what it promised the leader has run out:
//	    promises of the life before too.
//	Q4. A leader has the lease while those who promised, and any that could decide
//	    about the end of its term, have one in common. A promise counts from when it
//	    was asked for, for less time than it is kept, and never under a document that
//	    the leader does not have.
//	Q5. A store answers for what it leads only while nothing in its rows is from beyond
//	    the end of a term.
//
// After Terry et al., "Managing Update Conflicts in Bayou", 1995, for logs by
// origin and anti-entropy from any peer; Almeida et al., "Delta State Replicated
// Data Types", 2018, for joining only what follows what is here. The whole
// protocol is docs/protocol.md. Promises after Gray and Cheriton, "Leases", 1989.
package replication
