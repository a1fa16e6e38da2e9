// Package ondemand computes on-demand features: expressions in CEL over stored
// features and values of the request, the same code for lookups and exports.
//
// Invariants:
//
//	D1. Equal inputs give equal outputs, on every machine: expressions read no
//	    clock, no randomness and nothing outside their inputs.
//	D2. Evaluation ends, in time and memory bounded by CostLimit and
//	    MemoryLimit and by the size of the inputs; it never panics.
//	D3. Where an input is null and the expression does not handle it, the
//	    output is null. An expression handles null by comparing with it:
//	    conv_rate == null ? 0.0 : conv_rate.
//	D4. An output that cannot be computed (integer overflow, integer division
//	    by zero, a value that its type cannot hold) is null and reported; the
//	    other outputs are not affected. Floats follow IEEE 754: 1.0 / 0.0 is an
//	    infinity, not a fault.
//
// Types in expressions:
//
//	int32, int64      int          float32, float64     double
//	bool              bool         timestamp            timestamp
//	string            string       bytes                bytes
//	uuid, decimal     string       json                 dyn: doc.user.age, numbers are double
//	list<T>           list(T)      vector<float32,N>    list(double)
//
// The same table holds for results; an int becomes a float feature, and json
// results are strings that hold a document. CEL does not mix int and double in
// arithmetic: double(trips) * 1.5. Comparisons may mix them.
//
// The language is the Common Expression Language, with the extensions math
// (math.greatest, math.ceil, …) and strings (s.split(","), …).
package ondemand
