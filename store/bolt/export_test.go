package bolt

import (
	"syscall"
	"testing"
	"time"
)

// Suspend does to the store what it means that the process stands still for a time: its leases were not renewed.
func (s *Store) Suspend(d time.Duration) {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	now := s.leases.now
	s.leases.now = func() time.Time { return now().Add(d) }
}

// DiskUse is how many bytes the file takes on its disk. Holes take none.
func (s *Store) DiskUse(t testing.TB) int64 {
	t.Helper()
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(s.file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Blocks * 512
}
