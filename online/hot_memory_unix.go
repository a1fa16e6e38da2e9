//go:build unix

package online

import "golang.org/x/sys/unix"

// mapMemory returns n zeroed bytes that the garbage collector does not count:
// it paces itself by the live heap, and would let as much garbage stand as the
// hot tier holds. It falls back to the heap where the system refuses.
func mapMemory(n int) (memory []byte, unmap func([]byte)) {
	memory, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n), func([]byte) {}
	}
	return memory, func(b []byte) { _ = unix.Munmap(b) } // nothing can be done about it
}
