package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Options says what a connector over a source can do. The zero value can everything.
type Options struct {
	// PageSize is how many objects a page holds; 100 when zero.
	PageSize int
	// Kinds are the kinds to list, a stream each; people and groups when nil.
	Kinds []directory.Kind
	// Scope is the scope of the proofs; "everything" when empty.
	Scope string
	// Rewritten, when not empty, is what all streams say of themselves (connectors.Stream): Source.Rewrite changes references
	// by handles that begin so.
	Rewritten string
	// Without takes abilities away from all streams.
	WithoutDelta, WithoutTombstones, WithoutResume, WithoutCount, WithoutByID bool
}

// Connector reads a Source.
type Connector struct {
	source *Source
	opts   Options
}

var _ connectors.Connector = (*Connector)(nil)

// sourceName is what cursors of this package begin with.
const sourceName = "memory"

// Open makes a connector over a source.
func Open(source *Source, opts Options) *Connector {
	opts.PageSize = cmp.Or(opts.PageSize, 100)
	opts.Scope = cmp.Or(opts.Scope, "everything")
	if opts.Kinds == nil {
		opts.Kinds = []directory.Kind{directory.Person, directory.Group}
	}
	return &Connector{source: source, opts: opts}
}

// FactoryOf opens connectors over one given source, for tests of whole programs. Its block takes no keys.
func FactoryOf(source *Source, opts Options) connectors.Factory {
	type nothing struct{}
	return connectors.New(sourceName, "a directory in memory", func() *nothing { return &nothing{} },
		func(*nothing, connectors.Env) (connectors.Connector, error) { return Open(source, opts), nil })
}

// StreamOf names the stream that lists a kind.
func StreamOf(kind directory.Kind) string {
	return map[directory.Kind]string{
		directory.Person: "users", directory.Group: "groups", directory.Licence: "licences",
		directory.Device: "devices", directory.Customer: "customers",
		directory.Site: "sites",
	}[kind]
}

// Describe implements connectors.Connector.
func (c *Connector) Describe() connectors.Description {
	d := connectors.Description{Permissions: []string{"none"}}
	for _, kind := range c.opts.Kinds {
		d.Streams = append(d.Streams, connectors.Stream{
			Name: StreamOf(kind), Kinds: []directory.Kind{kind}, Members: kind == directory.Group,
			Delta: !c.opts.WithoutDelta, Tombstones: !c.opts.WithoutDelta && !c.opts.WithoutTombstones,
			Resumable: !c.opts.WithoutResume, Counted: !c.opts.WithoutCount, Rewritten: c.opts.Rewritten,
			ByID: !c.opts.WithoutByID,
		})
	}
	return d
}

// Check implements connectors.Connector. It finds what Break set.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	silent, broken := c.source.state()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if broken != nil {
		return []connectors.Finding{{Subject: "memory", Detail: broken.Error(), Hint: fault.Hint(broken)}}, nil
	}
	return []connectors.Finding{{Subject: "memory", OK: true, Detail: "there"}}, nil
}

// Tenants implements connectors.Connector.
func (c *Connector) Tenants(ctx context.Context) ([]connectors.Tenant, error) {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	return slices.Clone(c.source.order), ctx.Err()
}

// Close implements connectors.Connector.
func (c *Connector) Close() error { return nil }

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	i := slices.IndexFunc(c.opts.Kinds, func(k directory.Kind) bool { return StreamOf(k) == req.Stream })
	if i < 0 {
		return &fault.Error{Class: fault.Internal, Op: "read " + req.Stream, Err: errors.New("no such stream")}
	}
	if req.Mode == connectors.Delta && c.opts.WithoutDelta {
		return &fault.Error{Class: fault.Internal, Op: "read " + req.Stream, Err: errors.New("there is no incremental read")}
	}
	r := &reader{
		connector: c, req: req, kind: c.opts.Kinds[i],
		script: c.source.strike(req.Tenant.ID, req.Stream),
	}
	r.emit = func(p *connectors.Page) error { return r.guard(emit, p) }
	if err := r.begin(); err != nil {
		return err
	}
	switch req.Mode {
	case connectors.Full:
		return r.full(ctx)
	case connectors.Referrers:
		return r.referrers(ctx)
	case connectors.ByID:
		return r.byID(ctx)
	default:
		return r.delta(ctx)
	}
}

// begin finds the tenant and checks the cursor.
func (r *reader) begin() error {
	s, opts := r.connector.source, r.connector.opts
	s.mu.Lock()
	defer s.mu.Unlock()
	op := "read " + r.req.Stream
	var ok bool
	if r.tenant, ok = s.tenants[r.req.Tenant.ID]; !ok {
		return &fault.Error{Class: fault.Gone, Op: op, Err: fmt.Errorf("no tenant %q", r.req.Tenant.ID)}
	}
	r.at = cursor{
		Source: sourceName, Epoch: s.epoch, Tenant: r.req.Tenant.ID, Stream: r.req.Stream, Seq: s.seq,
		Full: r.req.Mode == connectors.Full,
	}
	if len(r.req.Cursor) == 0 {
		if r.req.Mode == connectors.Delta {
			return &fault.Error{Class: fault.CursorExpired, Op: op, Err: errors.New("no cursor")}
		}
		return nil
	}
	from, err := parseCursor(r.req.Cursor, r.at)
	if _, scripted := r.script.has(ExpiredCursor); scripted || err == nil && r.at.Full && opts.WithoutResume {
		err = &fault.Error{Class: fault.CursorExpired, Op: op, Err: errors.New("the cursor has expired")}
	}
	if err != nil {
		return err
	}
	if r.at.Full {
		r.at = from
	}
	r.since = from.Seq
	return nil
}
