package rest

import (
	"context"
	"math"
	"net/http"
	"sync"
	"time"

	"dirsyncd/sync/patience"
)

// Bucket is the pace of one quota: a bucket that fills with so many units a second, more slowly once the service has
// said that it is too much, and at the full rate again some time after it no longer does. What is taken is never
// refused, only waited for, in the order in which it was asked for. As a Pace it takes one unit for every request. It may be
// used by many goroutines.
//
// In no time do more units go out than fill in then and what was saved up: also when the rate falls while many wait, and when the machine
// stood still.
type Bucket struct {
	o    BucketOptions
	turn chan struct{} // of whoever is next of those who wait

	mu      sync.Mutex
	waiting int     // so many do
	factor  float64 // of the rate, learned
	// portion is that of the last look at it: what is saved up is not more than that of what one alone may save up.
	portion float64
	level   float64 // below zero when more was taken than was there
	at      time.Time
}

// BucketOptions say how a Bucket fills. Rate, Burst and Slowest are needed.
type BucketOptions struct {
	Rate  float64 // in units a second
	Burst float64 // for how many seconds unused units are kept
	// Slowest is the part of the rate below which nothing is slowed down, so that a wrong word of the service never
	// stops everything.
	Slowest float64
	// Portion is which part of the rate is for this bucket at present, from 0 to 1: others, in other processes, have the rest. It may change at
	// any time. Nil: all of it.
	Portion func() float64
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Sleep waits; nil is a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// NewBucket makes a full bucket.
func NewBucket(o BucketOptions) *Bucket {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = Sleep
	}
	if o.Portion == nil {
		o.Portion = func() float64 { return 1 }
	}
	return &Bucket{o: o, turn: make(chan struct{}, 1), factor: 1, portion: 1, level: o.Rate * o.Burst}
}

const (
	// PortionPause is how long whoever has no portion waits before asking for it again.
	PortionPause = 250 * time.Millisecond
	// longestPause is how long a changed portion goes unseen at most.
	longestPause = 5 * time.Second
	// rounding is what may be missing of a unit by the arithmetic of fractions.
	rounding = 1e-6
)

// SetRate changes the rate, in units a second.
func (b *Bucket) SetRate(rate float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.o.Rate = rate
}

// Take waits until units are there and takes them out. Nothing is taken when the context ends first, the cause of which it returns.
func (b *Bucket) Take(ctx context.Context, units float64) error {
	if b.takeAtOnce(units) {
		return nil
	}
	defer b.waited()
	select {
	case b.turn <- struct{}{}:
	default:
		patience.Waits(ctx)
		select {
		case b.turn <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer func() { <-b.turn }()
	for wait := b.takeInTurn(units, 0); wait > 0; wait = b.takeInTurn(units, wait) {
		if err := b.o.Sleep(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

// takeAtOnce takes units out if they are there and nobody waits. Else the caller does, until waited.
func (b *Bucket) takeAtOnce(units float64) bool {
	portion := b.o.Portion()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == 0 && b.take(units, portion, 0) == 0 {
		return true
	}
	b.waiting++
	return false
}

func (b *Bucket) waited() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting--
}

func (b *Bucket) takeInTurn(units float64, slept time.Duration) (wait time.Duration) {
	portion := b.o.Portion()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take(units, portion, slept)
}

// take takes units out, or says how long it is until they are there, or are to be looked for. slept is how long the caller has slept since
// the last look: so much time has passed, whatever a clock says that was set. The caller holds the lock.
func (b *Bucket) take(units, portion float64, slept time.Duration) (wait time.Duration) {
	now := b.o.Now()
	if until := b.at.Add(slept); now.Before(until) {
		now = until
	}
	// With a larger portion than at the last look nobody may send what others have sent since.
	least := min(b.portion, portion)
	switch {
	case !b.at.IsZero():
		b.level += now.Sub(b.at).Seconds() * b.o.Rate * b.factor * least
	case portion < 1: // others may just have sent at once what may be saved up
		b.level = min(b.level, 0)
	}
	most := b.o.Rate * b.o.Burst * least
	if slept > 0 { // whoever waits gets together what it needs
		most = max(most, units)
	}
	b.level = min(b.level, most)
	b.at, b.portion = now, portion
	if portion <= 0 {
		return PortionPause
	}
	missing := units - b.level
	if missing <= rounding {
		b.level -= units
		return 0
	}
	seconds := missing / (b.o.Rate * b.factor * portion)
	return time.Duration(math.Ceil(min(seconds, longestPause.Seconds()) * float64(time.Second)))
}

// Charge takes what a request has cost beyond what was taken for it, or gives back what it has not cost. Nobody waits.
func (b *Bucket) Charge(units float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.level -= units
}

// OnResponse makes the bucket fill more slowly or faster after an answer. near: the service says that its limit is near.
func (b *Bucket) OnResponse(status int, near bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case status == http.StatusTooManyRequests:
		b.factor = max(b.o.Slowest, b.factor/2)
	case near:
		b.factor = max(b.o.Slowest, b.factor*0.9)
	case status/100 == 2:
		b.factor = min(1, b.factor+0.01)
	}
}

// Wait implements Pace.
func (b *Bucket) Wait(ctx context.Context, _ *http.Request) error { return b.Take(ctx, 1) }

// Learn implements Pace.
func (b *Bucket) Learn(_ *http.Request, status int, _ http.Header) { b.OnResponse(status, false) }
