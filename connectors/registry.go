package connectors

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/rest"
)

// Factory makes connectors of one kind. A registry of them is a plain list that the program's main package
// writes down; there is no registration at import.
type Factory struct {
	// Name is the word in `connector: NAME`, and the key of the connector's own block.
	Name string
	// Summary is one line for help texts.
	Summary string
	// NewConfig returns a pointer to the connector's own configuration with its defaults set. The caller
	// decodes the operator's block into it. It may have a method Validate() []settings.Issue, and be Selective.
	NewConfig func() any
	// Open makes a connector from a decoded configuration of NewConfig. It does no network I/O.
	Open func(cfg any, env Env) (Connector, error)
}

// Env is what a connector gets from the program.
type Env struct {
	Connection string           // the connection's name
	Log        *slog.Logger     // for debug lines only: errors are returned
	Now        func() time.Time // nil is time.Now
	// Sleep waits, or returns the context's error; nil is a timer. Tests put a clock of their own here.
	Sleep func(ctx context.Context, d time.Duration) error
	// Observe is told of every request to the source; nil when nobody listens. Connectors call Requested.
	Observe func(request string, took time.Duration, err error)
	// Stored is what is stored of other connections, for a source that is made of them; nil where nothing is stored.
	Stored Stored
	// Portion is which part of what may be asked of the source is for this process at present, from 0 to 1: other workers have the rest, where
	// several read different tenants of it at a time. It changes while they come and go, and is 0 for a moment then. A quota that
	// each tenant has for itself is not shared: one worker at a time reads a tenant. Nil: all of it.
	Portion func() float64
	// Public takes calls from outside until release is called, at an address of the connection's own on the public front; nil where
	// there is none. Anybody can call: the handler trusts nothing but what it can verify.
	Public func(h http.Handler) (address string, release func(), err error)
}

// WithClock is the same with a clock: that of the system, and a timer, where it has none.
func (e Env) WithClock() Env {
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Sleep == nil {
		e.Sleep = rest.Sleep
	}
	return e
}

// Stored reads what is stored of connections (store.Store).
type Stored interface {
	View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error
	Partitions(ctx context.Context, connections ...string) ([]store.Partition, error)
}

// Requested tells of one request to the source: its kind ("search", "bind", "GET users"), when it began, and how
// it ended. A connector calls it once per request, with the context of the call that needed it, on any
// goroutine.
func (e *Env) Requested(ctx context.Context, request string, began time.Time, err error) {
	if m, ok := ctx.Value(meterKey{}).(*Meter); ok {
		m.requests.Add(1)
	}
	if e.Observe != nil {
		e.Observe(request, time.Since(began), err)
	}
}

// Meter counts the requests that are made for one run. It may be used by many goroutines.
type Meter struct{ requests atomic.Int64 }

type meterKey struct{}

// WithMeter makes the requests under a context count.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// Requests returns how many there were.
func (m *Meter) Requests() int { return int(m.requests.Load()) }

// New makes a factory whose functions know the connector's configuration type C. What it opens is guarded.
func New[C any](name, summary string, defaults func() *C, open func(*C, Env) (Connector, error)) Factory {
	return Factory{
		Name: name, Summary: summary,
		NewConfig: func() any { return defaults() },
		Open: func(cfg any, env Env) (Connector, error) {
			c, err := open(cfg.(*C), env)
			if err != nil {
				return nil, err
			}
			return Guard(c), nil
		},
	}
}

// Registry is the list of the connectors that a program was built with.
type Registry []Factory

// Lookup returns the factory with this name.
func (r Registry) Lookup(name string) (Factory, bool) {
	i := slices.IndexFunc(r, func(f Factory) bool { return f.Name == name })
	if i < 0 {
		return Factory{}, false
	}
	return r[i], true
}

// Names lists the names in alphabetical order.
func (r Registry) Names() []string {
	names := make([]string, len(r))
	for i, f := range r {
		names[i] = f.Name
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
