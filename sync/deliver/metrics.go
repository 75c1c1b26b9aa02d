package deliver

import (
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Metrics is told what a worker does. Its methods are called by one goroutine at a time.
type Metrics interface {
	// Delivered counts actions that the target took, by operation.
	Delivered(op directory.Op, n int)
	// Parked counts actions that the target refused for good.
	Parked(class fault.Class)
	// Failed counts failures that are tried again: of the whole target, and of single actions.
	Failed(class fault.Class)
	// Took is how long one Deliver call took, and for how many actions.
	Took(d time.Duration, actions int)
}

type noMetrics struct{}

func (noMetrics) Delivered(directory.Op, int) {}
func (noMetrics) Parked(fault.Class)          {}
func (noMetrics) Failed(fault.Class)          {}
func (noMetrics) Took(time.Duration, int)     {}

// Counts is what a worker did.
type Counts struct {
	Delivered int // actions that the target took
	Folded    int // actions that another one made needless before they were sent
	Parked    int // actions that the target refused for good
	Waits     int // actions that the target said have to wait
}

// Minus returns what came after d.
func (c Counts) Minus(d Counts) Counts {
	return Counts{Delivered: c.Delivered - d.Delivered, Folded: c.Folded - d.Folded, Parked: c.Parked - d.Parked, Waits: c.Waits - d.Waits}
}

func (w *Worker) count(c Counts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts.Delivered += c.Delivered
	w.counts.Folded += c.Folded
	w.counts.Parked += c.Parked
	w.counts.Waits += c.Waits
}
