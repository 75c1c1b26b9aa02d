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
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
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

// overtakenSeats is a store in which the lease on seats is lost as soon as it is held.
type overtakenSeats struct{ store.Store }

func (s *overtakenSeats) Lease(ctx context.Context, name string, ttl time.Duration) (context.Context, func(), error) {
	held, release, err := s.Store.Lease(ctx, name, ttl)
	if err == nil && strings.HasPrefix(name, "seats ") {
		lost, lose := context.WithCancelCause(held)
		lose(store.ErrLeaseLost)
		return lost, release, nil
	}
	return held, release, err
}

// Two runs that count seats at the same time would both give the last one: who is overtaken gives none.
func TestLostLeaseOnSeats(t *testing.T) {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{agent("desk", "true")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.AgentRecord: {field("name", "= name")}},
		Seats:  map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Total: new(1)}}})
	r.add("1", "P1")
	r.conn.Source = &tenanted{world: r.world, list: []connectors.Tenant{{ID: "t"}}}
	r.engine.store = &overtakenSeats{r.store}
	res := r.engine.RunConnection(t.Context(), r.conn, Job{})
	if len(res) != 1 || !errors.Is(res[0].Err, store.ErrLeaseLost) || res[0].Run.Counts["agent"]["create"] != 0 {
		t.Errorf("%+v", res)
	}
}
