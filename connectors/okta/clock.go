package okta

import (
	"net/http"
	"sync"
	"time"
)

// serverClock knows how far the org's clock is from the local one. All watermarks are by the org's clock. It may
// be used by many goroutines.
type serverClock struct {
	local func() time.Time

	mu    sync.Mutex
	ahead time.Duration
}

// learn takes the Date header of an answer that has just come, and returns the org's time.
func (c *serverClock) learn(h http.Header) time.Time {
	local := c.local()
	c.mu.Lock()
	defer c.mu.Unlock()
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		c.ahead = date.Sub(local)
	}
	return local.Add(c.ahead)
}

// now returns the org's time, as far as it is known.
func (c *serverClock) now() time.Time {
	local := c.local()
	c.mu.Lock()
	defer c.mu.Unlock()
	return local.Add(c.ahead)
}
