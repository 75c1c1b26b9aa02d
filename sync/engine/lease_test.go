package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// Whoever waits for the turn of a tenant waits for no longer than its context.
func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	_, release, err := r.engine.lease(t.Context(), r.part())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res := r.engine.Run(ctx, r.conn, connectors.Tenant{}, Job{}); !errors.Is(res.Err, context.Canceled) || res.Run.Outcome != Failed {
		t.Errorf("run: %s %v", res.Run.Outcome, res.Err)
	}
	if err := r.engine.Discard(ctx, r.part(), "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("discard: %v", err)
	}
	release()
	r.expect("the turn came", Clean, "create user 1")
}

// losing is a store whose leases are lost in the middle of the first read.
type losing struct {
	store.Store
	lose context.CancelCauseFunc
}

func (l *losing) Lease(ctx context.Context, _ string, _ time.Duration) (context.Context, func(), error) {
	ctx, l.lose = context.WithCancelCause(ctx)
	return ctx, func() { l.lose(nil) }, nil
}

// Update is fenced once the lease is lost.
func (l *losing) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	if l.lose != nil {
		l.lose(store.ErrLeaseLost)
		return &fault.Error{Class: fault.Conflict, Op: "write state", Err: store.ErrLeaseLost}
	}
	return l.Store.Update(ctx, p, fn)
}

// A run that lost its lease says so: it was neither stopped nor did its source fail.
func TestLostLease(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	var log bytes.Buffer
	r.engine.store, r.engine.opts.Log = &losing{Store: r.store}, slog.New(slog.NewTextHandler(&log, nil))
	res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{})
	if !errors.Is(res.Err, store.ErrLeaseLost) || errors.Is(res.Err, context.Canceled) || res.Run.Class != string(fault.Conflict) || r.reads != 1 {
		t.Errorf("class %s after %d reads: %v", res.Run.Class, r.reads, res.Err)
	}
	if strings.Contains(log.String(), "connection is failing") || !strings.Contains(log.String(), "run failed") {
		t.Error(log.String())
	}
	r.engine.store = r.store
	r.expect("whoever took over", Clean, "create user 1")
}
