package pit

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Config says what a join may use. The zero Config is valid.
type Config struct {
	// MemoryLimit bounds what the join holds, in bytes; 0: no bound. The least
	// is 64 MiB. The join plans with half of it, because Go's collector lets
	// garbage grow to the size of what is in use. Single rows, pages of Parquet
	// files and records of the caller's that are larger than the bound are
	// beyond it.
	MemoryLimit int64
	// Threads bounds the goroutines that work at once; 0: one a processor.
	Threads int
	// SpillDir is where files are made, and removed, when the limit makes the
	// join spill; "": the system's directory for temporary files.
	SpillDir string
	// BatchRows bounds the rows of an output record; 0: 65536. Output records
	// end where input records end.
	BatchRows int
	// Allocator holds the output records; nil: Go's heap.
	Allocator memory.Allocator
}

// LeastMemory is the least MemoryLimit but 0, in bytes.
const LeastMemory = 64 << 20

const (
	defaultBatchRows = 1 << 16
	maxBatchRows     = 1 << 20
)

// Validate reports all faults at once.
func (c Config) Validate() error {
	var errs []error
	if c.MemoryLimit < 0 || c.MemoryLimit > 0 && c.MemoryLimit < LeastMemory {
		errs = append(errs, fmt.Errorf("MemoryLimit is %d: it must be 0 for none, or at least %d", c.MemoryLimit, LeastMemory))
	}
	if c.Threads < 0 {
		errs = append(errs, fmt.Errorf("Threads is %d: it must not be negative", c.Threads))
	}
	if c.BatchRows < 0 || c.BatchRows > maxBatchRows {
		errs = append(errs, fmt.Errorf("BatchRows is %d: it must be between 0 (the default) and %d", c.BatchRows, maxBatchRows))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Threads == 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	if c.SpillDir == "" {
		c.SpillDir = os.TempDir()
	}
	if c.BatchRows == 0 {
		c.BatchRows = defaultBatchRows
	}
	if c.Allocator == nil {
		c.Allocator = memory.NewGoAllocator()
	}
	return c
}

// budget divides the memory among what lives at one time. All are bytes.
type budget struct {
	spool   int64 // entity rows kept in memory
	spine   int64 // one piece of the spine, while it is matched
	matches int64 // matches kept in memory
	values  int64 // values of matched rows kept in memory, and read back
	pages   int64 // pages of the files that are being read, in all threads
	blocks  int64 // output records under construction
	buffers int64 // partitions being written
}

// unshared is what no share counts: what workers have in their hands, footers
// of files, the runtime's own.
const unshared = 24 << 20

const unlimited = 1 << 56 // small enough to be multiplied

// budget gives the shares: while the spine is there, values are there of views
// joined before, but no blocks.
func (c Config) budget() budget {
	if c.MemoryLimit == 0 {
		return budget{unlimited, unlimited, unlimited, unlimited, unlimited, 64 << 20, 64 << 20}
	}
	unit := (c.MemoryLimit - unshared) / 2 / 32
	return budget{
		spool: 4 * unit, matches: 3 * unit, values: 6 * unit, pages: 5 * unit,
		spine: 12 * unit, buffers: 2 * unit,
		blocks: 8 * unit, // in the place of the spine and its buffers
	}
}

// batch bounds what one worker has in its hands: heads with what is made of
// them, or values.
func (b budget) batch(threads int) Batch {
	const headBytes = 128
	return Batch{
		Rows:  int(min(1<<15, max(1<<8, b.buffers/headBytes/int64(threads)))),
		Bytes: min(1<<20, max(1<<12, b.values/16)),
	}
}
