package outside

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
)

// overheadBytes is what the program takes before it reads anything, and what the Go
// runtime maps at a time.
const overheadBytes = 256 << 20

// niceness is how much less of the processors a child gets than others, in the words
// of nice(1).
const niceness = 10

// limitProcess bounds what this process may take, and has it stand back. RLIMIT_DATA
// counts memory that can be written; the address space, of which the Go runtime reserves
// much and uses little, is not bounded.
func limitProcess(bytes int64) error {
	debug.SetMemoryLimit(bytes)
	limit := syscall.Rlimit{Cur: uint64(bytes + overheadBytes), Max: uint64(bytes + overheadBytes)}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("limit memory to %d bytes: %w", bytes, err)
	}
	// Whoever serves comes first.
	if err := standBack(); err != nil {
		return fmt.Errorf("take a lower priority: %w", err)
	}
	// No core files of what was read.
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("switch core files off: %w", err)
	}
	return nil
}

// standBack lowers the priority of every thread: on Linux each has its own, and a new one
// that of the thread that made it.
func standBack() error {
	set := map[int]bool{}
	for more := true; more; {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		more = false
		for _, t := range tasks {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if set[id] {
				continue
			}
			if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, niceness); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
			set[id], more = true, true
		}
	}
	return nil
}
