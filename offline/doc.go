// Package offline is the home of history: feature rows as columns in files.
//
// It holds nothing itself so far. The package beneath it, offline/source, reads
// the files that pipelines load into a store.
package offline
