package google

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// signingKey is made once: it takes longer than most tests.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// discovery are the documents of the SDK that is linked in.
var discovery = sync.OnceValues(func() ([][]byte, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		return nil, err
	}
	var docs [][]byte
	for _, name := range []string{"admin/directory/v1/admin-api.json", "admin/reports/v1/admin-api.json", "licensing/v1/licensing-api.json", "reseller/v1/reseller-api.json"} {
		data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), name))
		if err != nil {
			return nil, err
		}
		docs = append(docs, data)
	}
	return docs, nil
})

// clock is a clock that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// rig is a simulator, and what is needed to open connectors of it.
type rig struct {
	*googlesim.Server
	*clock
	slept atomic.Int64
}

// start starts a simulator that refuses what the discovery documents do not allow.
func start(tb testing.TB, change func(*googlesim.Options)) *rig {
	tb.Helper()
	docs, err := discovery()
	if err != nil {
		tb.Fatalf("discovery documents: %v", err)
	}
	r := &rig{clock: &clock{}}
	o := googlesim.Options{Key: signingKey(), Discovery: docs, Now: r.now, PageCap: 10}
	if change != nil {
		change(&o)
	}
	if r.Server, err = googlesim.Start(o); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = r.Close()
		if v := r.Violations(); len(v) > 0 {
			tb.Errorf("requests against the discovery documents: %q", v)
		}
	})
	return r
}

// configured is a configuration that reads the simulator.
func (r *rig) configured(change func(*Config)) *Config {
	cfg := Defaults()
	cfg.Endpoint, cfg.Credentials, cfg.Subject = r.Endpoint(), settings.NewSecret(string(r.KeyFile())), r.Customer(0).Admin()
	cfg.Quota, cfg.Share = 100_000_000, 100
	if change != nil {
		change(cfg)
	}
	return cfg
}

// open opens a connector whose waits take no time.
func (r *rig) open(tb testing.TB, change func(*Config)) *Connector {
	tb.Helper()
	cfg := r.configured(change)
	if issues := cfg.Validate(); len(issues) > 0 {
		tb.Fatalf("configuration: %+v", issues)
	}
	c, err := open(cfg, connectors.Env{Connection: "test", Now: r.now, Sleep: func(ctx context.Context, d time.Duration) error {
		r.slept.Add(int64(d))
		return ctx.Err()
	}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// world is what an engine would know after the pages it was given.
type world struct {
	objects map[directory.Ref]directory.Object
	members map[string][]string
	cursor  []byte
	scope   string
	pages   int
	invalid []connectors.Invalid
	removed []directory.Ref
}

func newWorld() *world {
	return &world{objects: map[directory.Ref]directory.Object{}, members: map[string][]string{}}
}

// read reads a stream the way the engine does: every page is stored when it comes, also when the read fails later; a
// full read that is proven sweeps what it did not list.
func (w *world) read(ctx context.Context, c *Connector, tenant, stream string, mode connectors.Mode) error {
	req := connectors.Request{Tenant: connectors.Tenant{ID: tenant}, Stream: stream, Mode: mode}
	if mode == connectors.Delta {
		req.Cursor = w.cursor
	}
	seen := map[directory.Ref]bool{}
	w.pages, w.invalid, w.removed = 0, nil, nil
	return connectors.Guard(c).Read(ctx, req, func(p *connectors.Page) error {
		w.pages++
		for i := range p.Objects {
			o := p.Objects[i]
			ref := directory.Ref{Kind: o.Kind, ID: o.ID}
			w.objects[ref], seen[ref] = o, true
		}
		for _, m := range p.Members {
			w.members[m.Group] = append([]string(nil), m.Add...)
		}
		for _, bad := range p.Invalid {
			seen[directory.Ref{Kind: bad.Kind, ID: bad.ID}] = true
		}
		w.invalid = append(w.invalid, p.Invalid...)
		w.removed = append(w.removed, p.Removed...)
		for _, ref := range p.Removed {
			w.remove(ref)
		}
		if p.Proof == nil {
			return nil
		}
		w.cursor, w.scope = append([]byte(nil), p.Cursor...), p.Proof.Scope
		if mode == connectors.Full {
			for ref := range w.objects {
				if !seen[ref] {
					w.remove(ref)
				}
			}
		}
		return nil
	})
}

func (w *world) remove(ref directory.Ref) {
	delete(w.objects, ref)
	if ref.Kind == directory.Group {
		delete(w.members, ref.ID)
	}
}

// full reads a stream in full and fails the test unless that works.
func (r *rig) full(t testing.TB, c *Connector, stream string) *world {
	t.Helper()
	w := newWorld()
	if err := w.read(t.Context(), c, "", stream, connectors.Full); err != nil {
		t.Fatalf("full read of %s: %v", stream, err)
	}
	return w
}

// delta reads on and fails the test unless that works.
func (w *world) delta(t testing.TB, c *Connector, stream string) {
	t.Helper()
	if err := w.read(t.Context(), c, "", stream, connectors.Delta); err != nil {
		t.Fatalf("delta of %s: %v", stream, err)
	}
}

func (w *world) has(kind directory.Kind, id string) bool {
	_, ok := w.objects[directory.Ref{Kind: kind, ID: id}]
	return ok
}

func (w *world) person(t testing.TB, id string) directory.Object {
	t.Helper()
	o, ok := w.objects[directory.Ref{Kind: directory.Person, ID: id}]
	if !ok {
		t.Fatalf("no person %s", id)
	}
	return o
}

func text(o directory.Object, name string) string {
	v, _ := o.Get(name)
	return v.String()
}
