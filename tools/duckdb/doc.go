// Command duckdb compares the point-in-time join of featurestore/offline/pit
// with DuckDB's ASOF join: that both give the same rows, and what each takes of
// time and memory on the same files. See README.md.
//
// It is a module of its own because DuckDB needs a C compiler and brings a
// library of 130 MB, which the product and its tests have no use for.
package main
