package bolt

import (
	"bytes"
	"os"
	"strconv"
	"time"
	"unsafe"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// A memory-mapped file counts as the process's resident memory as far as it was touched, although the system
// can take those pages back at any time. An operator who limits or watches the daemon's memory sees the two
// together, so that the store lets go of the pages by itself: they stay in the system's cache, and touching
// them again costs a microsecond each.

const (
	// residentPages is how much of mapped files may stay in memory, in bytes, before they are let go.
	residentPages = 64 << 20
	// trimEvery is how often they are looked at while a transaction runs: one that writes much touches most of the
	// file, and bbolt touches it again when it commits.
	trimEvery = 2 * time.Millisecond
)

// trim looks at the mapped pages now and then, until the returned function is called. A short transaction is over
// before that costs anything.
func (s *Store) trim() (stop func()) {
	done := make(chan struct{})
	first := time.AfterFunc(trimEvery, func() {
		for {
			s.releasePages()
			select {
			case <-done:
				return
			case <-time.After(trimEvery):
			}
		}
	})
	return func() {
		first.Stop()
		close(done)
	}
}

// releasePages lets go of the mapped pages when there are many. Others may read and write meanwhile. What they hold of
// the mapping stays as it is: bbolt never writes through it, so that a page that is touched again is the same.
func (s *Store) releasePages() {
	if mappedFiles() < residentPages {
		return
	}
	var err error // of a file that is damaged so badly that the transactions under way will say it, too
	done := false
	defer s.guard("read state", &done, &err, func() {})()
	// bbolt moves the mapping only while nobody reads: until then what lies at the address is the file.
	_ = s.db.View(func(tx *bbolt.Tx) error {
		info := s.db.Info() // it tells the address as a number
		mapped := unsafe.Slice(*(**byte)(unsafe.Pointer(&info.Data)), tx.Size())
		return unix.Madvise(mapped, unix.MADV_DONTNEED) // advice: a refusal changes nothing
	})
	done = true
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
