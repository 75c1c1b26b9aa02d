package web

import (
	"net/netip"
	"sync"
	"time"
)

// What one client may ask: so many requests at once, and so many a second in the long run. Behind one address there may be a whole
// company whose people sign in at nine o'clock.
const (
	mostAtOnce = 600
	perSecond  = 20
	// mostClients is how many addresses are remembered, some 100 bytes each. When there are more, all of them begin anew.
	mostClients = 10_000
)

// limit counts what each client asks, as a bucket of tokens that fills up again. The zero value is ready; it may be used by many goroutines.
type limit struct {
	mu      sync.Mutex
	buckets map[netip.Addr]bucket
}

// bucket is what a client had left at a moment.
type bucket struct {
	left float64
	at   time.Time
}

// allow takes one request off what a client has left at a moment. It reports false when nothing is.
func (l *limit) allow(from netip.Addr, now time.Time) bool {
	from = Client(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[from]
	if !known {
		if len(l.buckets) >= mostClients {
			l.forget(now)
		}
		if l.buckets == nil {
			l.buckets = map[netip.Addr]bucket{}
		}
		b = bucket{mostAtOnce, now}
	}
	b.left, b.at = b.filled(now), now
	allowed := b.left >= 1
	if allowed {
		b.left--
	}
	l.buckets[from] = b
	return allowed
}

// filled is what a client has left by now. A clock that was set back gives nothing.
func (b bucket) filled(now time.Time) float64 {
	return min(mostAtOnce, b.left+max(now.Sub(b.at).Seconds(), 0)*perSecond)
}

// forget makes room: of those who are as good as new, and of all others where there is nobody such.
func (l *limit) forget(now time.Time) {
	for from, b := range l.buckets {
		if b.filled(now) >= mostAtOnce {
			delete(l.buckets, from)
		}
	}
	if len(l.buckets) >= mostClients {
		clear(l.buckets)
	}
}

// Client is as whom the requests of an address are counted: the address, or of version 6 the network of 64 bits, of which one customer has at
// least one.
func Client(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
