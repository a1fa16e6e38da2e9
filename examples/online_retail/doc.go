// Package retail is an example on real data: the lines of every invoice of a
// web shop, loaded line by line, and ten lookups whose answers a program that
// knows nothing of the store computes from the same file. See README.md.
//
// Invariants:
//
//	X1. What is served equals what the expected program computes: values,
//	    statuses and event times, in both dialects.
//	X2. Loading the file again changes nothing.
package retail
