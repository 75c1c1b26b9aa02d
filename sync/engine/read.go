package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

const (
	// attempts is how often one stream is tried in a run before the run fails and the schedule decides.
	attempts = 4
	// longestWait is the longest that a run waits for a source which asks for patience; beyond it the run
	// fails and the schedule decides.
	longestWait = 10 * time.Minute
	// stalledAfter is how long a connector may go without a page. Connectors have time limits of their own for
	// everything that they wait for; this one is for what they forgot: a run must not hang for ever.
	stalledAfter = time.Hour
	// idleCursor is how old a cursor, or the time of the last full read of a stream without delta, may grow while a
	// source has nothing new. Storing each new one would make every idle cycle a write; sources keep cursors for
	// longer than this, but not all for long.
	idleCursor = time.Hour
)

// read brings the store up to date with the source, one stream after the other. It fails as a whole: nothing
// is settled from a run that could not read everything, because half of an answer gives wrong records.
func (r *run) read(ctx context.Context) error {
	full := r.job.Full || r.state.WantFull
	if full && !r.job.Full {
		r.log.Info("reading in full", "why", r.state.Why)
	}
	r.reading = true
	allFull := true
	for _, s := range r.streams() {
		mode, err := r.readStream(ctx, s, full)
		if err != nil {
			return err
		}
		allFull = allFull && mode == connectors.Full
	}
	if allFull {
		r.rec.Mode = connectors.Full.String()
	}
	r.reading = false
	return r.concludeRead(ctx, allFull)
}

// concludeRead remembers that what is stored is a whole again, and that the next run must read in full or that this
// one has done so.
func (r *run) concludeRead(ctx context.Context, allFull bool) error {
	var steps []transition
	if !r.job.unlisted { // nobody read what the source no longer lists
		steps = append(steps, whole)
	}
	if allFull {
		steps = append(steps, wasReadInFull)
	}
	if r.unproven != "" {
		steps = append(steps, wantFull(r.unproven))
	}
	return r.state.update(ctx, nil, steps...)
}

// readStream reads one stream to its end, and acts on the class of every error of the source on the way. What the
// store fails with ends the run.
func (r *run) readStream(ctx context.Context, s connectors.Stream, full bool) (connectors.Mode, error) {
	for try := 1; ; try++ {
		l, err := r.openListing(ctx, s, full)
		if err != nil {
			return 0, err
		}
		err = l.read(ctx)
		if err == nil {
			return l.mode, nil
		}
		if l.unstored != nil {
			return 0, l.unstored // to ask the source again would not help, and would load it for nothing
		}
		class := fault.ClassOf(err)
		switch {
		case class == fault.CursorExpired && (l.mode == connectors.Delta || len(l.state.Partial) > 0):
			r.note("%s: the changes cannot be had, reading in full instead: %s", s.Name, fault.Text(err))
			if err := l.forgetCursor(ctx); err != nil {
				return 0, err
			}
		case class.Retryable() && try < attempts && ctx.Err() == nil:
			wait := backoff(try, fault.After(err))
			if wait > longestWait {
				return 0, err
			}
			r.log.Warn("source failed, trying again", "stream", s.Name, "class", class, "err", err, "wait", wait.Round(time.Millisecond))
			if err := r.opts.Sleep(ctx, wait); err != nil {
				return 0, err
			}
		default:
			return 0, err
		}
	}
}

// backoff is 1, 4, 16 s with jitter, or what the source asked for.
func backoff(try int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	base := time.Second << (2 * (try - 1))
	return base/2 + rand.N(base)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// listing is one attempt at reading one stream.
type listing struct {
	*run
	stream connectors.Stream
	mode   connectors.Mode
	state  store.StreamState
	seen   *seen // Full mode only
	// unsaved is what of it no resume point covers yet.
	unsaved *seen
	proof   *connectors.Proof
	// unnamed counts entries without an id: with one of them, nobody's absence is certain.
	unnamed int
	// invalid are the objects that were parked by this attempt.
	invalid []directory.Ref
	// unstored is why a page could not be stored: a failure of ours, whatever the connector makes of it.
	unstored error
	objects  int
	last     []byte // the previous page's cursor, to notice a source that goes round in circles
}

// openListing works out how the stream is to be read from where it stands.
func (r *run) openListing(ctx context.Context, s connectors.Stream, full bool) (*listing, error) {
	l := &listing{run: r, stream: s, mode: connectors.Delta}
	err := r.view(ctx, func(tx store.Reader) (err error) {
		if l.state, err = tx.Stream(s.Name); err != nil {
			return err
		}
		if full || !s.Delta || len(l.state.Cursor) == 0 {
			l.mode = connectors.Full
			l.seen, l.unsaved = newSeen(), newSeen()
			if len(l.state.Partial) > 0 {
				err = l.seen.load(tx, s.Name)
			}
		}
		return err
	})
	return l, err
}

// read has the connector read and stores what comes. A connector that panics fails like a source.
func (l *listing) read(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = internal("read "+l.stream.Name, "panic in the connector: %v\n%s", p, debug.Stack())
		}
	}()
	req := connectors.Request{Tenant: l.tenant, Stream: l.stream.Name, Mode: l.mode, Cursor: l.state.Cursor}
	if l.mode == connectors.Full {
		req.Cursor = l.state.Partial
	}
	stalled := &fault.Error{Class: fault.Transient, Op: "read " + l.stream.Name,
		Err: fmt.Errorf("nothing came for %s", stalledAfter), Hint: "the source hangs; if it answers others, please report it"}
	reading, giveUp := context.WithCancelCause(ctx)
	alarm := time.AfterFunc(stalledAfter, func() { giveUp(stalled) })
	err = l.conn.Source.Read(reading, req, func(p *connectors.Page) error {
		alarm.Reset(stalledAfter)
		return l.take(ctx, p)
	})
	alarm.Stop()
	giveUp(nil)
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(context.Cause(reading), stalled):
		return stalled
	case err != nil:
		return err
	}
	if l.proof == nil {
		return internal("read "+l.stream.Name, "the connector ended without a last page")
	}
	return nil
}

// take is called for every page: it distrusts it, stores it, and concludes after the last one.
func (l *listing) take(ctx context.Context, p *connectors.Page) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.distrust(p); err != nil {
		return err
	}
	if l.unstored = l.storePage(ctx, p); l.unstored != nil {
		return l.unstored
	}
	l.objects += len(p.Objects)
	l.rec.Read += len(p.Objects)
	l.progress("read", l.stream.Name, l.objects, 0)
	l.log.Debug("page", "stream", l.stream.Name, "objects", len(p.Objects), "removed", len(p.Removed), "groups", len(p.Members))
	if p.Proof == nil {
		return nil
	}
	l.proof = p.Proof
	if l.mode == connectors.Full {
		l.unstored = l.conclude(ctx, p)
	}
	return l.unstored
}

// distrust refuses pages that break the contract before they do harm.
func (l *listing) distrust(p *connectors.Page) error {
	op := "read " + l.stream.Name
	if l.proof != nil {
		return internal(op, "the connector sent a page after the last one")
	}
	if l.mode == connectors.Full && len(p.Removed) > 0 {
		return internal(op, "the connector sent removals in a full read")
	}
	if p.Proof == nil && len(p.Cursor) > 0 && bytes.Equal(p.Cursor, l.last) && len(p.Objects)+len(p.Members) == 0 {
		return &fault.Error{Class: fault.Transient, Op: op, Err: fmt.Errorf("the source answers the same empty page again and again")}
	}
	l.last = append(l.last[:0], p.Cursor...)
	for i := range p.Objects {
		o := &p.Objects[i]
		if o.ID == "" || !l.lists(o) {
			return internal(op, "the connector sent a %s object (id given: %t) that the stream does not have", o.Kind, o.ID != "")
		}
	}
	return nil
}

// forgetCursor makes the stream's next read a full one from its beginning.
func (l *listing) forgetCursor(ctx context.Context) error {
	l.state.Cursor, l.state.Partial = nil, nil
	return l.update(ctx, func(tx store.Writer) error {
		if err := tx.ClearSeen(l.stream.Name); err != nil {
			return err
		}
		return tx.PutStream(l.stream.Name, l.state)
	})
}
