package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/spelling"
)

// Resend implements api.Operations.
func (s *Service) Resend(ctx context.Context, req api.ResendRequest) (api.SyncResult, error) {
	gen := s.current()
	refuse := func(hint, format string, args ...any) error {
		return &fault.Error{Class: fault.Configuration, Op: "resend", Err: fmt.Errorf(format, args...), Hint: hint}
	}
	if gen.targets[req.Target] == nil {
		var names []string
		for _, t := range gen.cfg.Targets {
			names = append(names, t.Name)
		}
		return api.SyncResult{}, refuse(spelling.Suggest(req.Target, names), "there is no target %q", req.Target)
	}
	uses := func(name string) bool { return slices.Contains(gen.connections[name].Targets, req.Target) }
	var list []chosen
	if len(req.Connections) == 0 {
		for _, name := range gen.names() {
			if uses(name) {
				list = append(list, chosen{connection: name})
			}
		}
	} else {
		var err error
		if list, err = choose(req.Connections, gen.cfg); err != nil {
			return api.SyncResult{}, err
		}
	}
	for _, c := range list {
		if !uses(c.connection) {
			return api.SyncResult{}, refuse("`targets` of the connection names those that it has", "connection %s does not use target %s", c.connection, req.Target)
		}
	}
	if req.Since.After(s.now()) {
		return api.SyncResult{}, refuse("nothing was sent yet that a target could have lost", "%s is not past", req.Since.UTC().Format(time.RFC3339))
	}
	if req.Dry {
		return s.wouldResend(ctx, list, req)
	}
	before := s.baseline()
	runs, err := s.runAll(ctx, list, 0, func(c chosen) ([]engine.Result, error) {
		return s.run(s.runContext(ctx), c.connection, engine.Job{Offline: true, Resend: req.Target, ResendFrom: req.Since, Tenant: c.tenant, Trigger: engine.Operator})
	})
	if err != nil {
		return api.SyncResult{}, err
	}
	delivered, err := s.drain(ctx, []string{req.Target}, before)
	return api.SyncResult{Runs: runs, Delivered: delivered}, err
}

// wouldResend counts what would be sent, by tenant.
func (s *Service) wouldResend(ctx context.Context, list []chosen, req api.ResendRequest) (result api.SyncResult, err error) {
	parts, err := s.partitionsOf(ctx, list...)
	if err != nil {
		return result, err
	}
	for _, p := range parts {
		var state store.TenantState
		err := s.store.View(ctx, p, func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
		if err != nil {
			return result, err
		}
		if state.RulesHash == "" || !slices.Contains(state.Targets, req.Target) {
			continue // it gets every record with the next run
		}
		counts, err := s.engine.WouldTell(ctx, p, req.Since)
		if err != nil {
			return result, err
		}
		result.Runs = append(result.Runs, api.Run{Connection: p.Connection, Tenant: p.Tenant, TenantName: state.Name, Trigger: engine.Operator, Mode: "dry", Outcome: api.Clean, Counts: counts.Words()})
	}
	return result, nil
}

// tellings says how far targets are that are told every record of a tenant at once, of which so many are active.
func tellings(tx store.Reader, state *store.TenantState, targets []string, active int) (list []api.Telling, err error) {
	if state.RulesHash == "" {
		return nil, nil // the first run tells everybody
	}
	for _, target := range targets {
		i := slices.IndexFunc(state.Telling, func(t store.Telling) bool { return t.Target == target })
		is := api.Telling{Target: target}
		switch isNew := !slices.Contains(state.Targets, target); {
		case isNew, i >= 0 && !state.Telling[i].Queued:
			is.Coming, is.Again, is.Records, is.Waiting = true, !isNew, active, active
		case i >= 0:
			t := &state.Telling[i]
			is.Again, is.Records, is.Since = t.Seed != "", t.Records, t.Since
			waiting, e := stillWaiting(tx, t)
			is.Waiting = min(waiting, t.Records)
			err = errors.Join(err, e)
		}
		if is.Waiting > 0 {
			list = append(list, is)
		}
	}
	return list, err
}

// stillWaiting counts what of all that a target is told has not left the outbox. What was queued with it, or before, is
// sent no later.
func stillWaiting(tx store.Reader, t *store.Telling) (waiting int, err error) {
	depth, oldest, err := tx.OutboxDepth(t.Target)
	if err != nil || depth == 0 || oldest.After(t.Since) {
		return 0, err
	}
	err = tx.Outbox(t.Target, 0, func(q store.Queued) bool {
		if q.Queued.After(t.Since) {
			return false
		}
		waiting++
		return true
	})
	return waiting, err
}
