// Package meta says who takes part: the members of the store's deployment and
// where they stand. It decides nothing about data.
//
// Invariants:
//
//	M1. A store id is never given to a second store.
//	M2. Only active members acknowledge writes, vote, or count in a majority.
//
// One region with one store needs no agreement: its membership is Static.
package meta
