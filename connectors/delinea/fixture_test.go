package delinea

import (
	"context"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/delineasim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// clock is a clock that moves when somebody waits.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return ctx.Err()
}

// bench is a simulated tenant and a connector that reads it.
type bench struct {
	tb     testing.TB
	clock  *clock
	tenant *delineasim.Server
	conn   *Connector
}

func start(tb testing.TB, o delineasim.Options, edit func(*Config)) *bench {
	tb.Helper()
	b := &bench{tb: tb, clock: &clock{t: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}}
	o.Now = b.clock.now
	var err error
	if b.tenant, err = delineasim.Start(o); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.tenant.Close)
	cfg := valid()
	cfg.URL, cfg.PageSize = b.tenant.URL, 20
	if o.Centrify {
		cfg.Product, cfg.Application, cfg.Scope = centrify, delineasim.Application, delineasim.Scope
	}
	if edit != nil {
		edit(cfg)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		tb.Fatalf("configuration: %+v", issues)
	}
	if b.conn, err = open(cfg, connectors.Env{Connection: "test", Now: b.clock.now, Sleep: b.clock.sleep}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.conn.Close() })
	return b
}

// valid is a configuration without faults.
func valid() *Config {
	c := Defaults()
	c.URL, c.Product, c.ClientID, c.ClientSecret = "https://example.delinea.app", platform, delineasim.Client, settings.NewSecret(delineasim.Secret)
	return c
}

// got is what a read brought.
type got struct {
	objects map[string]directory.Object
	members map[string][]string
	invalid []connectors.Invalid
	notes   []string
	last    *connectors.Page
	err     error
}

func (b *bench) read(req connectors.Request) *got {
	b.tb.Helper()
	g := &got{objects: map[string]directory.Object{}, members: map[string][]string{}}
	g.err = connectors.Guard(b.conn).Read(b.tb.Context(), req, func(p *connectors.Page) error {
		for _, o := range p.Objects {
			g.objects[o.ID] = o
		}
		for _, m := range p.Members {
			g.members[m.Group] = m.Add
		}
		g.invalid = append(g.invalid, p.Invalid...)
		g.notes = append(g.notes, p.Notes...)
		if p.Proof != nil {
			g.last = p
		}
		return nil
	})
	return g
}

func (b *bench) full(stream string) *got {
	b.tb.Helper()
	return b.read(connectors.Request{Stream: stream, Mode: connectors.Full})
}
