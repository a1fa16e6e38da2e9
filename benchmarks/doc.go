// Package benchmarks measures what the store promises, each figure beside a
// baseline in the same run. It holds tests only: `make bench`, or
//
//	go test ./benchmarks -run '^$' -bench Lookup -benchtime 5s
//
// RESULTS.md records what was seen, on which machine, at which commit. Timings
// decide no test.
package benchmarks
