// Package jobs runs work that takes longer than a request: loads of batch sources,
// exports. A job is started, runs beside everything else, tells how far it is, and is
// remembered for a while after it has ended.
//
//	waiting -> running -> done | failed | canceled
//	waiting -> canceled
//
// Jobs live in memory: a process that ends forgets them, and what they had not
// finished is begun again by who wants it. Work must therefore keep its own progress
// where that matters.
//
// Invariants:
//
//	JB1. At most Config.Running jobs run at once and Config.Waiting wait; beyond
//	     that Start refuses. Run owns every goroutine, and returns once all of
//	     them have ended.
//	JB2. Two jobs that share a lock are never alive, waiting or running, at once.
//	JB3. A job ends exactly once; from then on nothing about it changes, and who
//	     waits for it is told after its end can be seen.
//	JB4. Of jobs that ended, the Config.Keep that ended last are remembered; jobs
//	     that are alive always are.
//	JB5. Work that panics fails its job, not the process.
package jobs
