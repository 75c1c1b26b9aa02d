// Package tokens keeps access tokens for as long as they are good.
package tokens

import (
	"context"
	"sync"
	"time"
)

// Token is an access token.
type Token struct {
	Value   string
	Expires time.Time // zero when nobody says
}

// Options say where tokens come from. Fetch and Now are needed.
type Options struct {
	// Fetch gets a new token, never an empty one. It is called by one goroutine at a time, in the context of whoever
	// needs the token, with the claims that Get was given.
	Fetch func(ctx context.Context, claims string) (Token, error)
	// Dropped, when there is one, is called before anybody can fetch in place of a token that was refused.
	Dropped func()
	Now     func() time.Time
}

// Cache keeps the newest token. Many goroutines may use it; the first that needs a new token gets one for all. No wait
// outlives its context.
type Cache struct {
	o Options
	// turn is held by whoever fetches. It is not a mutex, because those who wait for it must be able to give up.
	turn chan struct{}

	mu    sync.Mutex // not held while anybody fetches
	token string
	until time.Time // by Now; from then on the token is replaced
}

// New makes an empty cache.
func New(o Options) *Cache { return &Cache{o: o, turn: make(chan struct{}, 1)} }

// Get returns a token that is good for a while. claims, when there are any, are what the service wants of a new one,
// so that the one that is kept will not do.
func (c *Cache) Get(ctx context.Context, claims string) (string, error) {
	if token, ok := c.kept(); ok && claims == "" {
		return token, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if token, ok := c.kept(); ok && claims == "" {
		return token, nil // somebody else has got it meanwhile
	}
	t, err := c.o.Fetch(ctx, claims)
	if err != nil {
		return "", err
	}
	c.keep(t)
	return t.Value, nil
}

func (c *Cache) kept() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token, c.token != "" && c.o.Now().Before(c.until)
}

// keep replaces the token. It will be replaced before its end, for requests that are on their way and for clocks that
// differ; one that does not say when it ends is used for a minute, not for ever.
func (c *Cache) keep(t Token) {
	now := c.o.Now()
	life := time.Minute
	if !t.Expires.IsZero() {
		life = t.Expires.Sub(now)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.until = t.Value, now.Add(life-min(life/10, 5*time.Minute))
}

// Drop lets go of a token that the service refused, unless a newer one is there already. It waits for nobody.
func (c *Cache) Drop(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != token {
		return
	}
	c.token = ""
	if c.o.Dropped != nil {
		c.o.Dropped()
	}
}
