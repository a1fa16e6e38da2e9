package outside

import (
	"fmt"
	"runtime/debug"
	"syscall"
)

// overheadBytes is what the program takes before it reads anything, and what the Go
// runtime maps at a time.
const overheadBytes = 256 << 20

// limitMemory bounds what this process may take. RLIMIT_DATA counts memory that can
// be written; the address space, of which the Go runtime reserves much and uses
// little, is not bounded.
func limitMemory(bytes int64) error {
	debug.SetMemoryLimit(bytes)
	limit := syscall.Rlimit{Cur: uint64(bytes + overheadBytes), Max: uint64(bytes + overheadBytes)}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("limit memory to %d bytes: %w", bytes, err)
	}
	// No core files of what was read.
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("switch core files off: %w", err)
	}
	return nil
}
