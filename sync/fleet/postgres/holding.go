package postgres

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
)

// holding is a unit in the hands of this worker.
type holding struct {
	life    *life
	unit    int64
	held    fleet.Held
	divided bool // tenants of the connection are units, too

	mu       sync.Mutex
	complete func(ctx context.Context, tx pgx.Tx) error // the unit's job; nil: there is none
	finished bool                                       // in a transaction of the handler, which may not have been committed
	shown    time.Time
}

type holdingKey struct{}

// progressEvery is how often progress is stored at most.
const progressEvery = 2 * time.Second

// toTheEnd is a context for what must still be stored when the work was stopped. It ends with the worker's life.
func (l *life) toTheEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ttl)
	stop := context.AfterFunc(l.alive, cancel)
	return ctx, func() { stop(); cancel() }
}

// workOn has the unit worked on and gives it back.
func (h *holding) workOn(ctx context.Context) {
	f := h.life.fleet
	h.held.Progress = h.progress
	if h.held.Aside == nil {
		h.held.Aside = func() {} // it has no lane
	}
	h.held.Takes = h.life.takes()
	finish, err := h.call(ctx)
	undone := err != nil && (ctx.Err() != nil || errors.Is(err, fleet.ErrNotBegun))
	if err != nil && !undone && finish.Failing == "" {
		finish.Failing = string(fault.ClassOf(err))
	}
	ctx, cancel := h.life.toTheEnd(ctx)
	defer cancel()
	err = f.transact(ctx, func(tx pgx.Tx) error { return h.finish(ctx, tx, finish, undone) })
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil, h.finished && errors.Is(err, fleet.ErrLost):
	case h.life.alive.Err() != nil: // told, and others take it over
		f.log.Debug("a unit went to others", "kind", h.held.Unit.Kind.String(), "connection", h.held.Unit.Connection, "target", h.held.Unit.Target)
	default:
		f.log.Warn("a unit could not be given back", "kind", h.held.Unit.Kind.String(), "connection", h.held.Unit.Connection, "target", h.held.Unit.Target, "err", err)
		if !errors.Is(err, fleet.ErrLost) {
			h.life.die(err) // or it would be held for ever by a worker that lives
		}
	}
}

func (h *holding) call(ctx context.Context) (finish fleet.Finish, err error) {
	defer fault.Recover("work on "+h.held.Unit.Kind.String(), &err)
	return h.life.handle(context.WithValue(ctx, holdingKey{}, h), h.held)
}

// Share locks the unit that ctx, a handler's, holds, until the transaction ends: nobody takes it over before that. Whatever a handler
// stores, it stores after this. It fails with fault.Conflict and fleet.ErrLost when the unit is no longer held.
func Share(ctx context.Context, tx pgx.Tx) error {
	h, ok := ctx.Value(holdingKey{}).(*holding)
	if !ok {
		return errors.New("nothing is held here")
	}
	var one int
	err := tx.QueryRow(ctx, h.life.fleet.sql("select 1 from fleet.unit where id = $1 and holder = $2 and fence = $3 for share"), h.unit, h.life.id, h.held.Fence).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return lost()
	}
	return err
}

// Finish gives back the unit that ctx, a handler's, holds, in the transaction of the last that the handler stores. When that is not
// committed, what the handler returns counts, as it does without Finish.
func Finish(ctx context.Context, tx pgx.Tx, finish fleet.Finish) error {
	h, ok := ctx.Value(holdingKey{}).(*holding)
	if !ok {
		return errors.New("nothing is held here")
	}
	h.mu.Lock()
	h.finished = true
	h.mu.Unlock()
	return h.finish(ctx, tx, finish, false)
}

func lost() error { return &fault.Error{Class: fault.Conflict, Op: "store", Err: fleet.ErrLost} }

// finish gives the unit back. undone: what was wanted of it is wanted again.
func (h *holding) finish(ctx context.Context, tx pgx.Tx, finish fleet.Finish, undone bool) error {
	f := h.life.fleet
	tag, err := tx.Exec(ctx, f.sql(`
update fleet.unit set holder = null, since = null, job = null, taker = null, doing = 0, doing_args = null,
  want = case when $4 then want | doing else want end,
  args = case when $4 and want | doing <> 0 then coalesce(doing_args, '{}') || coalesce(args, '{}') else args end,
  wanted = case when $4 and want | doing <> 0 then coalesce(wanted, since) else wanted end,
  proven = case when $5 then clock_timestamp() else proven end,
  failing = case when $4 then failing else nullif($6, '') end,
  failing_since = case when $4 then failing_since when $6 = '' then null else coalesce(failing_since, clock_timestamp()) end,
  not_before = case when $7 > interval '0' and not (want <> 0 and prio = $8) then clock_timestamp() + $7 else null end
where id = $1 and holder = $2 and fence = $3`), h.unit, h.life.id, h.held.Fence, undone, finish.Proven, finish.Failing, finish.LeaveAlone, fleet.Urgent)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return lost()
	}
	if h.held.Unit.Kind == fleet.List && !undone && (len(finish.Tenants) > 0 || h.divided && finish.Failing == "") {
		if err := h.enter(ctx, tx, finish); err != nil {
			return err
		}
	}
	h.mu.Lock()
	complete := h.complete
	h.mu.Unlock()
	if complete == nil {
		return nil
	}
	return complete(ctx, tx)
}

// enter wants each of a connection's tenants as the connection was wanted, and forgets those that were not named.
func (h *holding) enter(ctx context.Context, tx pgx.Tx, finish fleet.Finish) error {
	f, u := h.life.fleet, h.held.Unit
	h.life.presses(u.Connection, len(finish.Tenants) > 0)
	if _, err := tx.Exec(ctx, f.sql("delete from fleet.unit where kind = 2 and connection = $1 and holder is null and want = 0 and job is null and tenant <> all($2)"), u.Connection, named(finish.Tenants)); err != nil {
		return err
	}
	all := maps.Clone(h.held.Request.Args)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, finish.Args)
	args, err := arguments(all)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, f.sql(`
insert into fleet.unit as u (kind, connection, tenant, places, want, cause, wanted, prio, args)
select $1::int2, $2::text, t, (select places from fleet.unit where id = $3), $4::int2, $5::text, clock_timestamp(), $6::int2, $7::jsonb from unnest($8::text[]) t order by t
on conflict (kind, connection, tenant, target) do update set `+wanting("excluded.want", "excluded.cause", "excluded.prio", "excluded.args", "false")),
		fleet.Run, u.Connection, h.unit, h.held.Want, h.held.Request.Cause, h.held.Request.Rank(), args, finish.Tenants)
	return err
}

// named is a list as the database takes it: an empty one is none of nothing.
func named(list []string) []string { return append([]string{}, list...) }

// progress stores how far the work is, now and then.
func (h *holding) progress(ctx context.Context, text string) {
	h.mu.Lock()
	now := time.Now()
	due := now.Sub(h.shown) >= progressEvery
	if due {
		h.shown = now
	}
	h.mu.Unlock()
	if !due {
		return
	}
	f := h.life.fleet
	_, _ = f.pool.Exec(ctx, f.sql(`insert into fleet.progress as p (unit, fence, text) values ($1, $2, $3)
on conflict (unit) do update set fence = excluded.fence, text = excluded.text where p.fence <= excluded.fence`), h.unit, h.held.Fence, text)
}
