package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/schedule"
)

// scheduled is what the schedule calls. What came of it is logged. Where others can help it may return a round of shares instead of results.
func (d *daemon) scheduled(ctx context.Context, name string, t schedule.Trigger, p part) (round engine.Round, results []engine.Result, err error) {
	job := engine.Job{Full: t.Full, Trigger: t.Cause, Patient: slices.Contains([]string{schedule.CauseSchedule, schedule.CauseFull, causeChange}, t.Cause)}
	round, results, err = d.service.runPart(ctx, name, job, p)
	if ctx.Err() != nil || errors.Is(err, fleet.ErrNotBegun) {
		return round, results, err // each run says so itself, if it began
	}
	if err != nil {
		d.Log.Error("run could not begin", "connection", name, "err", err)
		return round, nil, err
	}
	if round.Shares > 0 {
		d.Log.Debug("several workers run the tenants", "connection", name, "round", round.Name, "shares", round.Shares)
		return round, nil, nil
	}
	if t.Cause == causeChange {
		d.watchers.ran(name, p.round, !slices.ContainsFunc(results, func(r engine.Result) bool {
			return r.Err != nil || r.Run.Changed+r.Run.Removed+len(r.Run.Counts) > 0
		}))
	}
	failed := 0
	for _, r := range results {
		if r.Err != nil {
			failed++
		}
	}
	if p.share.Of > 0 {
		name = fmt.Sprintf("%s, share %d of %d", name, p.share.Number, p.share.Of)
	}
	d.systemd.status(fmt.Sprintf("running; last run: %s, %d of %d tenants failed", name, failed, len(results)))
	return round, results, nil
}

// triggerMade runs the connections that are made of one, when its runs changed something or one of them came to its first end; and one
// that failed because the read of a contributor had broken off, when all of them are whole.
func (s *Service) triggerMade(name string, results []engine.Result) {
	if s.host == nil || s.host.trigger == nil {
		return // who runs connections by hand says which
	}
	ctx := s.host.runs
	changed := slices.ContainsFunc(results, func(r engine.Result) bool { return r.Run.Changed+r.Run.Removed+len(r.Run.Counts) > 0 })
	came := slices.ContainsFunc(results, func(r engine.Result) bool { return r.Err == nil })
	for _, made := range s.current().cfg.MadeOf(name) {
		if changed || came && s.waitsForParts(ctx, made) {
			s.host.trigger(made)
		}
	}
}

// waitsForParts reports whether a connection that is made of others failed for no lasting reason, and nothing stands in its way now.
func (s *Service) waitsForParts(ctx context.Context, made string) bool {
	var state store.TenantState
	read := func(p store.Partition) error {
		return s.store.View(ctx, p, func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
	}
	if read(store.Partition{Connection: made}) != nil || state.Failing == nil || !fault.Class(state.Failing.Class).Retryable() {
		return false
	}
	parts, err := s.store.Partitions(ctx, s.current().contributorsOf(made)...)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(parts, func(p store.Partition) bool { return read(p) != nil || state.HalfRead })
}

// triggerNewcomers runs connections at once that were never read to the end, instead of at their next time: new
// ones, and those whose first run was cut.
func (d *daemon) triggerNewcomers(ctx context.Context) {
	for _, name := range d.service.current().names() {
		if d.newcomer(ctx, name) {
			d.times.Trigger(name, schedule.Trigger{Cause: schedule.CauseStartup})
		}
	}
}

func (d *daemon) newcomer(ctx context.Context, name string) bool {
	parts, err := d.service.partitionsOf(ctx, chosen{connection: name})
	if err != nil {
		return false
	}
	for _, p := range parts {
		var state store.TenantState
		err := d.service.store.View(ctx, p, func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
		if err == nil && state.Proven.IsZero() {
			return true
		}
	}
	return len(parts) == 0
}

// triggerEdited runs connections at once whose source was edited: the credentials may be the mended ones.
func (d *daemon) triggerEdited(old *generation) {
	for name, conn := range d.service.current().connections {
		if was := old.connections[name]; was != nil && was.Source != conn.Source {
			d.times.Trigger(name, schedule.Trigger{Cause: causeReload})
		}
	}
}

// causeMade is the trigger of runs of connections that are made of one that has changed.
const causeMade = "contributor"

// causeReload is the trigger of runs that an edited configuration asks for.
const causeReload = "reload"
