package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/control"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// operations does what operators ask for, in this process.
type operations struct {
	*app
	// base is the context of runs: a run that was begun does not end because whoever asked for it went away.
	base context.Context
}

var _ control.Operations = (*operations)(nil)

// operator is the trigger of runs that an operator asked for.
const operator = "operator"

// Sync implements control.Operations.
func (o *operations) Sync(ctx context.Context, req control.SyncRequest, show func(control.Progress)) (control.SyncResult, error) {
	names, err := o.choose(req.Connections)
	if err != nil {
		return control.SyncResult{}, err
	}
	if show != nil {
		defer o.watch(func(p engine.Progress) { show(progressOf(p)) })()
	}
	return o.runAndDeliver(ctx, names, func(name string) ([]engine.Result, error) {
		return o.run(o.runContext(ctx), name, engine.Job{Full: req.Full, Trigger: operator})
	})
}

// runContext is the context of a run that ctx asked for: in a daemon, a run outlives the one who asked.
func (o *operations) runContext(ctx context.Context) context.Context {
	if o.daemon {
		return o.base
	}
	return ctx
}

// choose checks the named connections; none named means all.
func (o *operations) choose(names []string) ([]string, error) {
	all := o.current().names()
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, unknownConnection(name, all)
		}
	}
	return names, nil
}

// runAndDeliver runs connections side by side and delivers what came of it.
func (o *operations) runAndDeliver(ctx context.Context, names []string, run func(string) ([]engine.Result, error)) (control.SyncResult, error) {
	before := o.deliveredSoFar()
	runs := make([][]control.Run, len(names))
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			var results []engine.Result
			results, errs[i] = run(name)
			for _, r := range results {
				runs[i] = append(runs[i], runOf(ctx, o.store, r))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return control.SyncResult{}, ctx.Err()
	}
	if err := errors.Join(errs...); err != nil {
		return control.SyncResult{}, err
	}
	delivered, err := o.drain(ctx, names, before)
	return control.SyncResult{Runs: slices.Concat(runs...), Delivered: delivered}, err
}

func progressOf(p engine.Progress) control.Progress {
	return control.Progress{
		Connection: p.Partition.Connection, Tenant: p.Partition.Tenant, Stage: p.Stage, Stream: p.Stream, Done: p.Done, Total: p.Total,
	}
}

// runOf turns a result into what operators see, with the reasons of a held plan.
func runOf(ctx context.Context, st store.Store, r engine.Result) control.Run {
	run := control.Run{Connection: r.Partition.Connection, Tenant: r.Partition.Tenant, Run: r.Run}
	_ = st.View(ctx, r.Partition, func(tx store.Reader) error { // the run is worth showing without these, too
		state, err := tx.Tenant()
		run.TenantName = state.Name
		if state.Held != nil && r.Run.Held != "" {
			run.HeldReasons = state.Held.Reasons
		}
		return err
	})
	return run
}

// Plan implements control.Operations: the same road on a throw-away copy of the store, whose outbox nobody empties.
func (o *operations) Plan(ctx context.Context, req control.PlanRequest, visit func(control.PlannedAction)) ([]control.Run, error) {
	names, err := o.choose(req.Connections)
	if err != nil {
		return nil, err
	}
	parts, err := o.store.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	parts = slices.DeleteFunc(parts, func(p store.Partition) bool { return !slices.Contains(names, p.Connection) })
	scratch, err := o.store.Scratch(ctx, parts...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = scratch.Close() }()
	dry := engine.New(scratch, engine.Options{Log: quiet(), Now: o.now})
	var runs []control.Run
	for _, name := range names {
		conn, done, err := o.use(name)
		if err != nil {
			return nil, err
		}
		job := engine.Job{Full: req.Full, Offline: req.Offline, Trigger: "plan", Visit: func(a *directory.Action) { visit(plannedAction(a)) }}
		results := dry.RunConnection(ctx, &conn.Connection, job)
		done()
		for _, r := range results {
			runs = append(runs, runOf(ctx, scratch, r))
		}
	}
	return runs, nil
}

func plannedAction(a *directory.Action) control.PlannedAction {
	p := control.PlannedAction{
		Connection: a.Origin.Connection, Tenant: a.Origin.Tenant, Op: a.Op.String(), Kind: a.Kind.String(),
		Key: a.Record, Rule: a.Rule, Reason: a.Reason,
	}
	for _, f := range a.Fields {
		if f.Name == directory.FieldName {
			p.Name = f.Value.Text()
		}
		if a.Op == directory.Create {
			p.Changes = append(p.Changes, control.PlannedChange{Field: f.Name, To: f.Value.Any()})
		}
	}
	for _, c := range a.Changes {
		p.Changes = append(p.Changes, control.PlannedChange{Field: c.Name, From: c.From.Any(), To: c.To.Any()})
	}
	for _, s := range a.Sets {
		p.Added += len(s.Added)
		p.Removed += len(s.Removed)
	}
	return p
}

// heldPartition finds the partition whose held plan has a hash.
func (o *operations) heldPartition(ctx context.Context, hash string) (store.Partition, store.TenantState, error) {
	parts, err := o.store.Partitions(ctx)
	if err != nil {
		return store.Partition{}, store.TenantState{}, err
	}
	for _, p := range parts {
		var state store.TenantState
		err := o.store.View(ctx, p, func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
		if err != nil {
			return store.Partition{}, state, err
		}
		if state.Held != nil && state.Held.Hash == hash {
			return p, state, nil
		}
	}
	return store.Partition{}, store.TenantState{}, &fault.Error{Class: fault.Configuration, Op: "find plan " + hash,
		Err: errors.New("no plan with this hash is held"), Hint: "`dirsyncd status` shows what is held"}
}

// Approve implements control.Operations.
func (o *operations) Approve(ctx context.Context, hash string) (control.SyncResult, error) {
	p, state, err := o.heldPartition(ctx, hash)
	if err != nil {
		return control.SyncResult{}, err
	}
	return o.runAndDeliver(ctx, []string{p.Connection}, func(name string) ([]engine.Result, error) {
		conn, done, err := o.use(name)
		if err != nil {
			return nil, err
		}
		defer done()
		t := connectors.Tenant{ID: p.Tenant, Name: state.Name, Domain: state.Domain}
		r := o.engine.Approve(o.runContext(ctx), &conn.Connection, t, hash)
		o.metrics.ran(&r)
		return []engine.Result{r}, nil
	})
}

// Discard implements control.Operations.
func (o *operations) Discard(ctx context.Context, hash string) error {
	p, _, err := o.heldPartition(ctx, hash)
	if err != nil {
		return err
	}
	return o.engine.Discard(ctx, p, hash)
}

// Runs implements control.Operations.
func (o *operations) Runs(ctx context.Context, req control.RunsRequest) ([]control.Run, error) {
	var names []string
	if req.Connection != "" {
		names = []string{req.Connection}
	}
	parts, err := o.partitionsOf(ctx, names)
	if err != nil {
		return nil, err
	}
	if req.Limit <= 0 {
		req.Limit = 20
	}
	var runs []control.Run
	for _, p := range parts {
		err := o.store.View(ctx, p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			if err != nil {
				return err
			}
			n := 0
			return tx.Runs(func(r store.Run) bool {
				n++
				runs = append(runs, control.Run{Connection: p.Connection, Tenant: p.Tenant, TenantName: state.Name, Run: r})
				return n < req.Limit
			})
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(runs, func(a, b control.Run) int { return b.Started.Compare(a.Started) })
	return runs[:min(len(runs), req.Limit)], nil
}

// Why implements control.Operations.
func (o *operations) Why(ctx context.Context, kind, who string) ([]engine.Reason, error) {
	k, ok := directory.ParseRecordKind(kind)
	if !ok || !slices.Contains(explainedKinds(), k) {
		return nil, &fault.Error{Class: fault.Configuration, Op: "why", Err: fmt.Errorf("there is no record kind %q", kind),
			Hint: strings.Join(words(explainedKinds()), ", ")}
	}
	var reasons []engine.Reason
	var missing error
	for _, name := range o.current().names() {
		conn, done, err := o.use(name)
		if err != nil {
			return nil, err
		}
		found, err := o.whyIn(ctx, conn, k, who)
		done()
		switch {
		case fault.ClassOf(err) == fault.Gone:
			missing = err
		case err != nil:
			return nil, err
		}
		reasons = append(reasons, found...)
	}
	if len(reasons) == 0 && missing == nil {
		missing = &fault.Error{Class: fault.Gone, Op: "why", Err: errors.New("nothing was read yet"), Hint: "run `dirsyncd sync` first"}
	}
	if len(reasons) > 0 {
		missing = nil
	}
	return reasons, missing
}

// whyIn asks one connection. A record key names its connection, so that others need not be asked.
func (o *operations) whyIn(ctx context.Context, conn *connection, kind directory.RecordKind, who string) ([]engine.Reason, error) {
	if head, _, ok := strings.Cut(who, "/"); ok && head != conn.Name && o.current().connections[head] != nil {
		return nil, nil
	}
	tenants, err := o.engine.StoredTenants(ctx, conn.Name)
	if err != nil {
		return nil, err
	}
	var reasons []engine.Reason
	var missing error
	for _, t := range tenants {
		found, err := o.engine.Why(ctx, &conn.Connection, t, kind, who)
		switch {
		case fault.ClassOf(err) == fault.Gone:
			missing = err
		case err != nil:
			return nil, err
		default:
			reasons = append(reasons, found...)
		}
	}
	if len(reasons) > 0 {
		missing = nil
	}
	return reasons, missing
}

// Parked implements control.Operations.
func (o *operations) Parked(ctx context.Context) ([]control.ParkedItem, error) {
	var items []control.ParkedItem
	err := o.eachParked(ctx, func(p store.Partition, item store.Parked) {
		items = append(items, parkedItem(p, item))
	})
	return items, err
}

func (o *operations) eachParked(ctx context.Context, fn func(store.Partition, store.Parked)) error {
	parts, err := o.store.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range parts {
		err := o.store.View(ctx, p, func(tx store.Reader) error {
			return tx.Parked(func(item store.Parked) bool { fn(p, item); return true })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func parkedID(p store.Partition, id uint64) string {
	return p.String() + ":" + strconv.FormatUint(id, 10)
}

func parkedItem(p store.Partition, item store.Parked) control.ParkedItem {
	view := control.ParkedItem{
		ID: parkedID(p, item.ID), Connection: p.Connection, Tenant: p.Tenant, Since: item.Since, Stage: item.Stage,
		Target: item.Target, Subject: item.Subject, Class: item.Class, Reason: item.Reason,
	}
	if item.Target == "" {
		view.Subject = item.Kind.String() + " " + item.Object
	} else if a, err := directory.ParseAction(item.Action); err == nil {
		view.Op = a.Op.String()
	}
	return view
}

// Replay implements control.Operations: actions go back to the outbox, objects are looked at again.
func (o *operations) Replay(ctx context.Context, ids []string) (int, error) {
	chosen, err := o.chooseParked(ctx, ids)
	if err != nil {
		return 0, err
	}
	n := 0
	for p, items := range chosen {
		var actions []uint64
		remap := false
		for _, item := range items {
			n++
			if item.Target != "" {
				actions = append(actions, item.ID)
				continue
			}
			remap = true
			if err := o.engine.Remap(ctx, p, item); err != nil {
				return n, err
			}
		}
		if _, err := deliver.Replay(ctx, o.store, p, actions, o.now()); err != nil {
			return n, err
		}
		if remap {
			if _, err := o.run(o.runContext(ctx), p.Connection, engine.Job{Offline: true, Trigger: "replay"}); err != nil {
				return n, err
			}
		}
	}
	_, err = o.drain(ctx, o.current().names(), nil)
	return n, err
}

// Drop implements control.Operations.
func (o *operations) Drop(ctx context.Context, ids []string) (int, error) {
	chosen, err := o.chooseParked(ctx, ids)
	if err != nil {
		return 0, err
	}
	n := 0
	for p, items := range chosen {
		err := o.store.Update(ctx, p, func(tx store.Writer) error {
			for _, item := range items {
				if _, err := tx.Unpark(item.ID); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// chooseParked finds the named items, or all when none is named.
func (o *operations) chooseParked(ctx context.Context, ids []string) (map[store.Partition][]store.Parked, error) {
	chosen := map[store.Partition][]store.Parked{}
	found := map[string]bool{}
	err := o.eachParked(ctx, func(p store.Partition, item store.Parked) {
		id := parkedID(p, item.ID)
		if len(ids) == 0 || slices.Contains(ids, id) {
			chosen[p] = append(chosen[p], item)
			found[id] = true
		}
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !found[id] {
			return nil, &fault.Error{Class: fault.Configuration, Op: "find parked item", Err: fmt.Errorf("nothing is parked as %q", id),
				Hint: "`dirsyncd parked list` shows the ids"}
		}
	}
	return chosen, nil
}

// Backup implements control.Operations. The copy is made first and sent then: who reads slowly holds up nobody.
func (o *operations) Backup(ctx context.Context, to io.Writer) error {
	snapshot, err := o.store.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = snapshot.Close() }()
	_, err = io.Copy(to, snapshot)
	return err
}

// pid is told in the status of a daemon.
func pid(daemon bool) int {
	if daemon {
		return os.Getpid()
	}
	return 0
}

// quiet is the log of work whose result says all there is to say.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
