package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// Guard keeps a connector to the half of the contract that is the same for all of them, so that each of them holds
// only what is its source's own. New puts it around every connector. It sees to this:
//
//   - Read is called for streams that the connector and the tenant have, in modes and with cursors that the stream
//     declares; anything else is answered here, before the source is asked.
//   - After an error of emit, the end of the context, or the last page no page gets through, and what emit or
//     the context said is what Read returns, whatever the connector makes of it.
//   - A Read that returns nil has emitted a Proof, on its last page.
//   - A full read that has no cursor to give up does not fail with fault.CursorExpired: the same read from its
//     beginning is what helps, so the error is a transient one.
//   - The end of the context is returned as the context's own error, ctx.Err(), not as its cause: that is what
//     fault.Canceled is known by, and whoever ended the context for a reason of his own can ask it for the cause.
//   - Every other error is classified; one that is not is a defect.
//
// A guarded Watcher is a Watcher, and nothing else is; likewise an Asker.
func Guard(c Connector) Connector {
	g := guard{c}
	if a, ok := c.(Asker); ok {
		return askingGuard{g, a}
	}
	if w, ok := c.(Watcher); ok {
		return watchingGuard{g, w}
	}
	return g
}

type guard struct{ Connector }

type watchingGuard struct {
	guard
	watcher Watcher
}

// Check implements Connector. What is found under a context that has ended says nothing of the source.
func (g guard) Check(ctx context.Context) ([]Finding, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	findings, err := g.Connector.Check(ctx)
	if ctx.Err() != nil {
		return findings, ctx.Err()
	}
	return findings, classified("check", err)
}

type askingGuard struct {
	guard
	asker Asker
}

// Questions implements Asker.
func (g askingGuard) Questions(ctx context.Context, view func(context.Context, func(store.Reader) error) error) ([]Question, error) {
	list, err := g.asker.Questions(ctx, view)
	return list, classified("list questions", err)
}

// Decide implements Asker.
func (g askingGuard) Decide(tx store.Writer, d Decision) error {
	return classified("decide", g.asker.Decide(tx, d))
}

// Tenants implements Connector.
func (g guard) Tenants(ctx context.Context) ([]Tenant, error) {
	list, err := g.Connector.Tenants(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return list, classified("list tenants", err)
}

// Read implements Connector.
func (g guard) Read(ctx context.Context, req Request, emit func(*Page) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	op := "read " + req.Stream
	if err := g.accepts(op, &req); err != nil {
		return err
	}
	p := pages{ctx: ctx, op: op, emit: emit}
	err := g.Connector.Read(ctx, req, p.take)
	switch {
	case p.over != nil:
		return p.over
	case err == nil && p.proven:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return defect(op, "the connector ended without a last page")
	}
	err = classified(op, err)
	var f *fault.Error
	if errors.As(err, &f) && f.Class == fault.CursorExpired && len(req.Cursor) == 0 && !p.resumable {
		again := *f
		again.Class = fault.Transient
		return &again
	}
	return err
}

// accepts holds a request against what the connector declares.
func (g guard) accepts(op string, req *Request) error {
	streams := g.Describe().Streams
	i := slices.IndexFunc(streams, func(s Stream) bool { return s.Name == req.Stream })
	expired := func(why string) error {
		return &fault.Error{Class: fault.CursorExpired, Op: op, Err: errors.New(why)}
	}
	switch {
	case i < 0 || !req.Tenant.Has(req.Stream):
		return defect(op, "there is no stream %q", req.Stream)
	case req.Mode == Delta && !streams[i].Delta:
		return expired("changes of this stream are not tracked")
	case req.Mode == Delta && len(req.Cursor) == 0:
		return expired("there is no cursor to go on from")
	case req.Mode == Referrers && streams[i].Rewritten == "":
		return defect(op, "who refers to whom cannot be asked for in this stream")
	case req.Mode == ByID && !streams[i].ByID:
		return defect(op, "objects of this stream cannot be asked for by id")
	case req.Mode == Full && len(req.Cursor) > 0 && !streams[i].Resumable:
		return expired("a full read of this stream cannot be resumed")
	}
	return nil
}

// Watch implements Watcher.
func (g watchingGuard) Watch(ctx context.Context, t Tenant, notify func()) error {
	err := g.watcher.Watch(ctx, t, notify)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return classified("watch", err)
}

// pages are those of one read, on their way to emit.
type pages struct {
	ctx  context.Context
	op   string
	emit func(*Page) error

	over      error // why no further page gets through
	proven    bool
	resumable bool // a page could be resumed from
}

func (p *pages) take(page *Page) error {
	switch {
	case p.over != nil:
	case p.ctx.Err() != nil:
		p.over = p.ctx.Err()
	case p.proven:
		p.over = defect(p.op, "the connector sent a page after the last one")
	default:
		p.proven = page.Proof != nil
		p.resumable = p.resumable || page.Resumable
		p.over = p.emit(page)
	}
	return p.over
}

// classified makes sure that an error has a class. One that speaks of a context that has not ended is unwrapped, or
// it would be taken for the end of the run.
func classified(op string, err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return defect(op, "%v", err)
	case errors.As(err, &f):
		return err
	default:
		return &fault.Error{Class: fault.ClassOf(err), Op: op, Err: err}
	}
}

func defect(op, format string, args ...any) error {
	return &fault.Error{Class: fault.Internal, Op: op, Err: fmt.Errorf(format, args...)}
}
