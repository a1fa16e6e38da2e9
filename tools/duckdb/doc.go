// Command duckdb compares what the product joins with what DuckDB does: the
// point-in-time join of offline/pit with an ASOF join, training sets of random
// histories and of a real file with SQL over their files, and the files as they lie
// with what was written; and what a join takes of time and memory. See README.md.
//
// It is a module of its own because DuckDB needs a C compiler and brings a
// library of 130 MB, which the product and its tests have no use for.
package main
