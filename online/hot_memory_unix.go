//go:build linux || darwin

package online

import "syscall"

// mapMemory returns n zeroed bytes that the garbage collector does not count:
// it paces itself by the live heap, and would let as much garbage stand as the
// hot tier holds. It falls back to the heap where the system refuses.
func mapMemory(n int) (memory []byte, unmap func([]byte)) {
	memory, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n), func([]byte) {}
	}
	return memory, func(b []byte) { _ = syscall.Munmap(b) } // nothing can be done about it
}
