package okta

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// clock is a clock that moves when somebody waits, or is told to.
type clock struct {
	mu     sync.Mutex
	t      time.Time
	waited time.Duration
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.advance(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited += d
	return ctx.Err()
}

// bench is a simulated org, a connector that reads it, and the clock of both.
type bench struct {
	tb    testing.TB
	clock *clock
	org   *oktasim.Server
	conn  *Connector
	cfg   *Config
	env   connectors.Env
}

// generous are limits that nobody reaches.
func generous() map[string]int {
	limits := map[string]int{}
	for _, name := range []string{"users", "users/{id}", "groups", "groups/{id}", "apps", "apps/{id}", "logs"} {
		limits["/api/v1/"+name] = 1_000_000
	}
	return limits
}

func start(tb testing.TB, o oktasim.Options, edit func(*Config)) *bench {
	tb.Helper()
	b := &bench{tb: tb, clock: newClock()}
	o.Now = b.clock.now
	if o.Limits == nil {
		o.Limits = generous()
	}
	var err error
	if b.org, err = oktasim.Start(o); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.org.Close)
	b.cfg = Defaults()
	b.cfg.URL, b.cfg.Token = b.org.URL, settings.NewSecret(b.org.Token())
	if edit != nil {
		edit(b.cfg)
	}
	if issues := b.cfg.Validate(); len(issues) > 0 {
		tb.Fatalf("configuration: %+v", issues)
	}
	b.reopen()
	return b
}

// reopen makes the connector anew, as a restart of the program does.
func (b *bench) reopen() {
	b.tb.Helper()
	var err error
	env := b.env
	env.Connection, env.Now = "test", b.clock.now
	env.Sleep = b.clock.sleep
	b.conn, err = open(b.cfg, env, nil)
	if err != nil {
		b.tb.Fatal(err)
	}
	conn := b.conn
	b.tb.Cleanup(func() { _ = conn.Close() })
}

// got is what a read brought.
type got struct {
	pages   int
	objects map[string]directory.Object
	order   []string
	removed []string
	members map[string][]string
	invalid []connectors.Invalid
	cursor  []byte
	proof   *connectors.Proof
	err     error
}

func (b *bench) read(stream string, mode connectors.Mode, cursor []byte) *got {
	b.tb.Helper()
	g := &got{objects: map[string]directory.Object{}, members: map[string][]string{}}
	g.err = connectors.Guard(b.conn).Read(b.tb.Context(), connectors.Request{Stream: stream, Mode: mode, Cursor: cursor}, func(p *connectors.Page) error {
		g.pages++
		for _, o := range p.Objects {
			g.objects[o.ID] = o
			g.order = append(g.order, o.ID)
		}
		for _, ref := range p.Removed {
			g.removed = append(g.removed, ref.ID)
		}
		for _, m := range p.Members {
			if m.Whole {
				g.members[m.Group] = []string{}
			}
			g.members[m.Group] = append(g.members[m.Group], m.Add...)
		}
		g.invalid = append(g.invalid, p.Invalid...)
		g.cursor, g.proof = p.Cursor, p.Proof
		return nil
	})
	return g
}

func (b *bench) full(stream string) *got {
	b.tb.Helper()
	g := b.read(stream, connectors.Full, nil)
	if g.err != nil {
		b.tb.Fatalf("full read of %s: %v", stream, g.err)
	}
	if g.proof == nil {
		b.tb.Fatalf("full read of %s without proof", stream)
	}
	return g
}

func (b *bench) delta(stream string, cursor []byte) *got {
	b.tb.Helper()
	g := b.read(stream, connectors.Delta, cursor)
	if g.err != nil {
		b.tb.Fatalf("delta of %s: %v", stream, g.err)
	}
	return g
}

// newKey makes a service app's key once for all tests.
var newKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pkcs8(key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func pkcs1(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// asApp configures a service app in place of the API token.
func asApp(o *oktasim.Options) func(*Config) {
	o.ClientID, o.Key = "0oaserviceapp0000000", &newKey().PublicKey
	return func(c *Config) {
		c.Token, c.ClientID, c.PrivateKey = settings.Secret{}, o.ClientID, settings.NewSecret(pkcs8(newKey()))
	}
}
