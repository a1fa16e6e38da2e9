// Package featurestore is the root of a feature store for machine learning.
// It holds no product code: it holds the tests that keep the shape of the
// repository.
//
//   - rooms_test.go says which package may import which, and which package is
//     the home of each library.
//   - style_test.go says what every package must carry, and what none may.
//   - docs_test.go says that pages link to what is there, name what the code
//     exports, and that a decision the code cites can be read.
//
// Read README.md for what the store is, ARCHITECTURE.md for its picture,
// docs/glossary.md for its words and docs/adr for its decisions. Programs
// import [featurestore/sdk]; operators run cmd/featurestore.
//
// Invariants:
//
//	R1. Every package of the module stands in the table of rooms_test.go.
//	R2. A room imports the rooms its row names, and no other.
//	R3. A library is imported in the rooms its row names, and no other.
//	R4. The rooms form no cycle, and no mechanism (consistency, replication,
//	    online, offline) imports another.
//	R5. Each of these tests has a negative control: planted faults it must find.
package featurestore
