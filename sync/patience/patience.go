// Package patience tells how long something may take before it counts as hanging.
package patience

import (
	"sync"
	"time"
)

// Patience learns how long something usually takes. What takes four times as long counts as hanging. It may be used by
// many goroutines.
type Patience struct {
	// First is the limit until something was learned.
	First time.Duration
	// Least and Most bound the limit: short times vary too much to tell anything.
	Least, Most time.Duration
	// Over is over how many of the last times the average goes, about.
	Over int

	mu    sync.Mutex
	usual time.Duration // on the average; 0 before the first
}

// Limit is how long one more may take.
func (p *Patience) Limit() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.usual == 0 {
		return p.First
	}
	return min(max(4*p.usual, p.Least), p.Most)
}

// Learn takes into account how long one took.
func (p *Patience) Learn(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.usual == 0 {
		p.usual = took
	}
	p.usual = max(p.usual+(took-p.usual)/time.Duration(p.Over), 1)
}
