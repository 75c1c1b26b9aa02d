package service

import (
	"sync"

	"dirsyncd/sync/engine"
)

// audience is everybody who watches runs.
type audience struct {
	mu       sync.Mutex
	watchers map[int]func(engine.Progress)
	last     int
}

// show hands a run's progress to everybody who watches.
func (a *audience) show(p engine.Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, fn := range a.watchers {
		fn(p)
	}
}

// watch shows progress to fn until done is called. fn must be quick.
func (a *audience) watch(fn func(engine.Progress)) (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.watchers == nil {
		a.watchers = map[int]func(engine.Progress){}
	}
	a.last++
	id := a.last
	a.watchers[id] = fn
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.watchers, id)
	}
}
