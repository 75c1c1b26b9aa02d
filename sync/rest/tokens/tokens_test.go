package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// endpoint hands out numbered tokens.
type endpoint struct {
	takes  time.Duration
	life   time.Duration // 0: it does not say
	err    error
	asked  int
	claims []string
}

func (e *endpoint) fetch(ctx context.Context, claims string) (Token, error) {
	e.asked++
	e.claims = append(e.claims, claims)
	n := e.asked
	select {
	case <-time.After(e.takes):
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	t := Token{Value: fmt.Sprint("token ", n)}
	if e.life > 0 {
		t.Expires = time.Now().Add(e.life)
	}
	return t, e.err
}

func (e *endpoint) cache() *Cache { return New(Options{Fetch: e.fetch, Now: time.Now}) }

func get(t *testing.T, c *Cache, want string) {
	t.Helper()
	if token, err := c.Get(t.Context(), ""); token != want || err != nil {
		t.Errorf("%q, %v, want %q", token, err, want)
	}
}

// TestLife: a token serves until a tenth of its life is left, at most five minutes.
func TestLife(t *testing.T) {
	for _, tc := range []struct{ life, last time.Duration }{
		{0, 54 * time.Second}, {10 * time.Second, 9 * time.Second}, {20 * time.Minute, 18 * time.Minute},
		{time.Hour, 55 * time.Minute}, {24 * time.Hour, 24*time.Hour - 5*time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := &endpoint{life: tc.life}
			c := e.cache()
			get(t, c, "token 1")
			time.Sleep(tc.last - time.Second)
			get(t, c, "token 1")
			time.Sleep(time.Second)
			get(t, c, "token 2")
		})
	}
}

// TestOneForAll: of many that need a token at once one asks for it.
func TestOneForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{takes: time.Second, life: time.Hour}
		c := e.cache()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { get(t, c, "token 1") })
		}
		all.Wait()
	})
}

// TestWaiting: who waits for another's token can give up, and a wait that began never holds up a Drop.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{takes: time.Minute, life: time.Hour}
		c := e.cache()
		var others sync.WaitGroup
		others.Go(func() { get(t, c, "token 1") })
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("why"))
		defer cancel()
		if _, err := c.Get(ctx, ""); err != context.DeadlineExceeded { //nolint:errorlint // unchanged means identical
			t.Errorf("%v", err)
		}
		c.Drop("token 0")
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
		others.Wait()
		get(t, c, "token 1")
	})
}

// TestTheNextTries: when who asks gives up or fails, the next in the queue asks for himself.
func TestTheNextTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{takes: time.Minute, life: time.Hour}
		c := e.cache()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var first sync.WaitGroup
		first.Go(func() {
			if _, err := c.Get(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		get(t, c, "token 2")
		first.Wait()

		c.Drop("token 2")
		e.err = errors.New("refused")
		if _, err := c.Get(t.Context(), ""); !errors.Is(err, e.err) {
			t.Errorf("%v", err)
		}
		e.err = nil
		get(t, c, "token 4")
	})
}

// TestDrop: a refused token is let go of once, whoever refuses it how often.
func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, dropped := &endpoint{life: time.Hour}, 0
		c := New(Options{Fetch: e.fetch, Now: time.Now, Dropped: func() { dropped++ }})
		get(t, c, "token 1")
		c.Drop("token 1")
		c.Drop("token 1")
		get(t, c, "token 2")
		c.Drop("token 1") // a late answer to a request that carried the old one
		get(t, c, "token 2")
		if dropped != 1 {
			t.Errorf("dropped %d times", dropped)
		}
	})
}

// TestClaims: what the service asks for is fetched whatever is kept, and kept in its place.
func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		c := e.cache()
		get(t, c, "token 1")
		if token, err := c.Get(t.Context(), "{nbf}"); token != "token 2" || err != nil || e.claims[1] != "{nbf}" {
			t.Errorf("%q, %v, claims %q", token, err, e.claims)
		}
		get(t, c, "token 2")
	})
}
