//go:build !linux

package outside

import "runtime/debug"

// limitMemory has the collector keep memory down; the system is not asked to end a
// process that goes beyond, as it is on Linux.
func limitMemory(bytes int64) error {
	debug.SetMemoryLimit(bytes)
	return nil
}
