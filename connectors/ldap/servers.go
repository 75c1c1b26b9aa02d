package ldap

import (
	"sync"
	"time"
)

// restPeriod is how long a server that failed is tried after the others.
const restPeriod = 5 * time.Minute

// servers remembers which of the configured servers failed lately. It is safe for concurrent use.
type servers struct {
	names []string
	now   func() time.Time

	mu       sync.Mutex
	failures map[string]time.Time
}

// order lists all servers as configured, those that failed lately behind the others.
func (s *servers) order() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fit, resting []string
	for _, name := range s.names {
		if at, ok := s.failures[name]; ok && s.now().Sub(at) < restPeriod {
			resting = append(resting, name)
		} else {
			fit = append(fit, name)
		}
	}
	return append(fit, resting...)
}

// failed notes that a server broke a connection or could not be reached.
func (s *servers) failed(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures == nil {
		s.failures = make(map[string]time.Time)
	}
	s.failures[name] = s.now()
}
