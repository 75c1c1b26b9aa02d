package bolt

import "time"

// Suspend does to the store what it means that the process stands still for a time: its leases were not renewed.
func (s *Store) Suspend(d time.Duration) {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	now := s.leases.now
	s.leases.now = func() time.Time { return now().Add(d) }
}
