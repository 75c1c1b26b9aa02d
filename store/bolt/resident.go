package bolt

import (
	"bytes"
	"os"
	"strconv"
	"unsafe"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// A memory-mapped file counts as the process's resident memory as far as it was touched, although the system
// can take those pages back at any time. An operator who limits or watches the daemon's memory sees the two
// together, so that the store lets go of the pages by itself: they stay in the system's cache, and touching
// them again costs a microsecond each.

// residentPages is how much of mapped files may stay in memory, in bytes, before they are let go.
const residentPages = 128 << 20

// releasePages is called after every transaction.
func (s *Store) releasePages() {
	if mappedFiles() < residentPages {
		return
	}
	// A read transaction keeps the mapping where it is.
	_ = s.db.View(func(tx *bbolt.Tx) error {
		info := s.db.Info() // it tells the address as a number
		mapped := unsafe.Slice(*(**byte)(unsafe.Pointer(&info.Data)), tx.Size())
		return unix.Madvise(mapped, unix.MADV_DONTNEED) // advice: a refusal changes nothing
	})
}

// mappedFiles returns how much of mapped files is resident, in bytes: the third number of /proc/self/statm
// (proc_pid_statm(5)), in pages. Zero where the system does not tell.
func mappedFiles() int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 3 {
		return 0
	}
	pages, err := strconv.Atoi(string(fields[2]))
	if err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}
