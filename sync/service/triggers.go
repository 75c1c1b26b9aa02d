package service

import (
	"context"
	"fmt"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/schedule"
)

// scheduled is what the schedule calls.
func (d *daemon) scheduled(ctx context.Context, name string, t schedule.Trigger) {
	results, err := d.service.run(ctx, name, engine.Job{
		Full: t.Full, Trigger: t.Cause, Patient: slices.Contains([]string{schedule.CauseSchedule, schedule.CauseFull, causeChange}, t.Cause),
	})
	if err != nil {
		d.Log.Error("run could not begin", "connection", name, "err", err)
		return
	}
	failed := 0
	for _, r := range results {
		if r.Err != nil {
			failed++
		}
	}
	d.systemd.status(fmt.Sprintf("running; last run: %s, %d of %d tenants failed", name, failed, len(results)))
}

// triggerNewcomers runs connections at once that were never read to the end, instead of at their next time: new
// ones, and those whose first run was cut.
func (d *daemon) triggerNewcomers(ctx context.Context) {
	for _, name := range d.service.current().names() {
		if d.newcomer(ctx, name) {
			d.loop.Trigger(name, schedule.Trigger{Cause: schedule.CauseStartup})
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
			d.loop.Trigger(name, schedule.Trigger{Cause: causeReload})
		}
	}
}

// causeReload is the trigger of runs that an edited configuration asks for.
const causeReload = "reload"
