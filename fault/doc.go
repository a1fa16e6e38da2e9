// Package fault names the faults that simulations plant on purpose. A checker
// that never fired is no evidence: each fault switches one rule of the protocol
// off, and a test shows that a checker finds what follows.
//
// Rooms take a Set in their Config. It is empty in production, where nothing
// but a test can fill it: no setting, flag or variable reaches it.
package fault
