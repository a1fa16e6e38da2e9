// Package simulation runs whole deployments in virtual time: real stores on
// disk, the replication and consistency rooms as they are in production, and a
// network in memory that delays, loses, repeats, reorders and cuts. Clients
// push and read in sessions; what they did and saw is a history; checkers judge
// it afterwards.
//
// A scenario is a list of commands, one a line, written by people
// (testdata/*.txtar) or drawn from a seed. A seed that fails prints its
// commands as such a script.
//
// Everything runs in a bubble of testing/synctest: hours pass in moments, and
// a wait that nothing can end is an error.
//
// Invariants:
//
//	V1. The network delivers nothing that was not sent, and what it delivers is
//	    what was sent.
//	V2. Checkers see only what clients saw, the logs, and the rows at the end.
//	V3. Every checker is proven by planted faults that it finds.
//
// After FoundationDB's and TigerBeetle's simulators, for faults drawn by seed
// against production code; Terry et al., 1994, for what is checked.
package simulation
