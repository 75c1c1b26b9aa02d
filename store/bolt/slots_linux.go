package bolt

import "syscall"

// mapMemory asks the system for memory, all zero.
func mapMemory(size int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

func unmapMemory(bytes []byte) { _ = syscall.Munmap(bytes) }
