package rest

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Bucket is the pace of one quota: a bucket that fills with so many units a second, more slowly once the service has
// said that it is too much, and at the full rate again some time after it no longer does. What is taken is never
// refused, only waited for. As a Pace it takes one unit for every request. It may be used by many goroutines.
type Bucket struct {
	o BucketOptions

	mu     sync.Mutex
	factor float64 // of the rate, learned
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
	portion := o.Portion()
	return &Bucket{o: o, factor: 1, portion: portion, level: o.Rate * o.Burst * portion}
}

// PortionPause is how long whoever has no portion waits before asking for it again.
const PortionPause = 250 * time.Millisecond

// SetRate changes the rate, in units a second.
func (b *Bucket) SetRate(rate float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.o.Rate = rate
}

// Take takes units out and waits until they were there. They are given back when the context ends first: what they
// were for is not sent.
func (b *Bucket) Take(ctx context.Context, units float64) error {
	wait, allowed := b.take(units)
	for !allowed {
		if err := b.o.Sleep(ctx, PortionPause); err != nil {
			return err
		}
		wait, allowed = b.take(units)
	}
	if wait <= 0 {
		return nil
	}
	if err := b.o.Sleep(ctx, wait); err != nil {
		b.Charge(-units)
		return err
	}
	return nil
}

// take takes units out and says how long it is until they are there. Nothing is allowed, and nothing taken, without a portion.
func (b *Bucket) take(units float64) (wait time.Duration, allowed bool) {
	portion := b.o.Portion()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.o.Now()
	if !b.at.IsZero() && now.After(b.at) {
		b.level += now.Sub(b.at).Seconds() * b.o.Rate * b.factor * b.portion
	}
	// What was saved up was so under the former portion: with a larger one nobody may send at once what others have just sent.
	b.level = min(b.level, b.o.Rate*b.o.Burst*min(b.portion, portion))
	b.at, b.portion = now, portion
	if portion <= 0 {
		return 0, false
	}
	b.level -= units
	return time.Duration(-b.level / (b.o.Rate * b.factor * portion) * float64(time.Second)), true
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
