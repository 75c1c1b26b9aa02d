package google

import "sync"

// addresses remembers which group had which address, because the audit log names groups by address only, and an
// address leads nowhere once its group is gone. It is filled by every read and lost with the process; whoever asks
// for what it does not know reads in full. It may be used by many goroutines.
type addresses struct {
	mu sync.Mutex
	id map[string]string // by folded address
}

func (a *addresses) learn(address, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.id == nil {
		a.id = map[string]string{}
	}
	a.id[fold(address)] = id
}

func (a *addresses) of(address string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, ok := a.id[fold(address)]
	return id, ok
}
