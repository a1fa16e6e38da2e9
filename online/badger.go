package online

import (
	"fmt"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// valueThreshold is Badger's largest. Every value stays below it, so none goes
// to the value log, whose sync errors Badger logs and does not return.
const valueThreshold = 1 << 20

// badgerOptions sets what a promise rests on explicitly, whatever Badger's
// defaults become.
func badgerOptions(cfg Config) badger.Options {
	o := badger.DefaultOptions(cfg.Dir).
		WithLogger(newBadgerLog(cfg.Logger)).
		WithMetricsEnabled(false).
		// S2: a commit returns after its log is synced, and a transaction is
		// read only after it returned.
		WithSyncWrites(true).
		// One goroutine writes, so there is nothing to detect.
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithValueThreshold(valueThreshold).
		// The value log stays empty; its file is mapped at twice this size.
		WithValueLogFileSize(1 << 20).
		// Uncompressed data needs no block cache: the page cache is one.
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(cfg.IndexBytes).
		WithMemTableSize(cfg.MemTableBytes).
		// One waits to be written, one is being written, one is filled.
		WithNumMemtables(1).
		// Badger builds tables in buffers that begin at twice the table size and
		// double as they grow; it keeps eight of them, each as large as the
		// largest table it ever held, which is a memtable. Tables of 2 MiB beside
		// memtables of 8 make that 12 MiB each; with the defaults it was 60.
		WithBaseTableSize(2 << 20).
		WithBaseLevelSize(32 << 20).
		WithNumLevelZeroTables(3).
		WithNumLevelZeroTablesStall(8).
		WithNumCompactors(2).
		WithCompactL0OnClose(false)
	o.TableSizeMultiplier = 1
	return o
}

// openBadger opens the directory for writing.
func openBadger(cfg Config) (*badger.DB, error) {
	return explainOpen(cfg.Dir)(badger.OpenManaged(badgerOptions(cfg)))
}

// badgerOpenReadOnly opens a directory that was closed, without changing it.
func badgerOpenReadOnly(cfg Config) (*badger.DB, error) {
	return badger.OpenManaged(badgerOptions(cfg).WithReadOnly(true))
}

// explainOpen turns Badger's words into this room's errors. Badger formats the
// cause instead of wrapping it, so its text is all there is to go by.
func explainOpen(dir string) func(*badger.DB, error) (*badger.DB, error) {
	return func(db *badger.DB, err error) (*badger.DB, error) {
		switch {
		case err == nil:
			return db, nil
		case strings.Contains(err.Error(), "Cannot acquire directory lock"):
			return nil, fmt.Errorf("open %s: %w", dir, ErrInUse)
		}
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
}
