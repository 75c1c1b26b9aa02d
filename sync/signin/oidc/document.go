package oidc

import (
	"context"
	"sync"
	"time"

	"dirsyncd/sync/signin"
)

const (
	// fresh is how long what a provider published is used without asking again; stale how long the last good copy is used when
	// nobody answers. These are Microsoft's figures for keys.
	fresh, stale = time.Hour, 24 * time.Hour
	// forced is how often a fetch may be forced, such as by a key that is not there.
	forced = 5 * time.Minute
	// retry is how soon a fetch that failed is tried again.
	retry = 10 * time.Second
)

// document is something that a provider publishes. It is fetched when it is needed, by one goroutine for all, and its last good copy
// outlives the provider's bad hours and our own restarts.
type document[T any] struct {
	name  string // in Kept
	now   func() time.Time
	kept  signin.Kept
	fetch func(ctx context.Context) ([]byte, error)
	// read makes the value, or says why the copy is of no use. before is the last good one, nil when there is none.
	read func(data []byte, before *T) (*T, error)

	// turn is held by whoever loads or fetches. It is no mutex, because those who wait for it must be able to give up.
	turn chan struct{}

	mu     sync.Mutex // not held while anybody fetches
	loaded bool       // Kept was asked
	value  *T
	at     time.Time // when value was fetched
	tried  time.Time // when the last fetch that failed ended
	err    error     // of that fetch
	forced time.Time // when a fetch was last forced
}

func newDocument[T any](p *Provider, name string, fetch func(context.Context) ([]byte, error), read func([]byte, *T) (*T, error)) *document[T] {
	return &document[T]{
		name: "oidc/" + p.o.Name + "/" + name, now: p.o.Now, kept: p.o.Kept, fetch: fetch, read: read, turn: make(chan struct{}, 1),
	}
}

// get returns the document, an hour old at most, or a day when it cannot be had.
func (d *document[T]) get(ctx context.Context) (*T, error) {
	if value, err, done := d.known(); done {
		return value, err
	}
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	d.load(ctx)
	if value, err, done := d.known(); done {
		return value, err // somebody else has fetched it meanwhile, or it was kept
	}
	return d.renew(ctx)
}

// again returns the document as it is now, because one that was fetched before seen will not do, unless it was forced lately.
func (d *document[T]) again(ctx context.Context, seen *T) (*T, error) {
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	d.mu.Lock()
	value, now := d.value, d.now()
	lately := !d.forced.IsZero() && now.Sub(d.forced) < forced
	if value == seen && !lately {
		d.forced = now
	}
	d.mu.Unlock()
	if value != seen || lately {
		return value, nil
	}
	return d.renew(ctx)
}

// anew fetches the document whatever is kept, for a probe.
func (d *document[T]) anew(ctx context.Context) (*T, error) {
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	d.load(ctx)
	data, err := d.fetch(ctx)
	if err != nil {
		return nil, err
	}
	return d.accept(ctx, data)
}

func (d *document[T]) take(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *document[T]) release() { <-d.turn }

// known returns what needs no fetch: a fresh copy; soon after a fetch that failed, an older one or the error.
func (d *document[T]) known() (value *T, err error, done bool) { //nolint:revive // the error is a remembered one, not that of the call
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	switch {
	case d.value != nil && now.Sub(d.at) < fresh:
		return d.value, nil, true
	case d.err != nil && now.Sub(d.tried) < retry:
		if d.value != nil && now.Sub(d.at) < stale {
			return d.value, nil, true
		}
		return nil, d.err, true
	}
	return nil, nil, false
}

// load takes the copy that is kept, once. A copy that cannot be read is as good as none.
func (d *document[T]) load(ctx context.Context) {
	d.mu.Lock()
	loaded := d.loaded
	d.mu.Unlock()
	if loaded {
		return
	}
	data, at, err := d.kept.Load(ctx, d.name)
	var value *T
	if err == nil && data != nil {
		value, err = d.read(data, nil)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		return // the next one tries
	}
	d.loaded = true
	if err == nil && value != nil && !at.After(d.now()) {
		d.value, d.at = value, at
	}
}

// renew fetches. What cannot be had or is of no use changes nothing.
func (d *document[T]) renew(ctx context.Context) (*T, error) {
	data, err := d.fetch(ctx)
	var value *T
	if err == nil {
		value, err = d.accept(ctx, data)
	}
	if err == nil {
		return value, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // who asked gave up; that says nothing of the provider
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tried, d.err = d.now(), err
	if d.value != nil && d.now().Sub(d.at) < stale {
		return d.value, nil
	}
	return nil, err
}

// accept reads a copy that was fetched and makes it the last good one.
func (d *document[T]) accept(ctx context.Context, data []byte) (*T, error) {
	d.mu.Lock()
	before := d.value
	d.mu.Unlock()
	value, err := d.read(data, before)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.value, d.at, d.err = value, d.now(), nil
	d.mu.Unlock()
	// A copy that is not kept is missed after a restart only, and only when the provider is away then.
	_ = d.kept.Store(ctx, d.name, data)
	return value, nil
}
