package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"dirsyncd/sync/fleet"
)

// taker works on jobs: it takes their units, or does nothing.
type taker[T interface {
	river.JobArgs
	unit() int64
}] struct {
	river.WorkerDefaults[T]
	life *life
}

// Timeout implements river.Worker.
func (t *taker[T]) Timeout(*river.Job[T]) time.Duration { return longestRun }

// Work implements river.Worker. It returns no error: what came of the run stands in the unit, and a job is never run twice. It returns when
// the run is aside, too, which goes on without a job then.
func (t *taker[T]) Work(ctx context.Context, j *river.Job[T]) error {
	l := t.life
	if !l.begin() {
		return nil // buried, or offered anew by whoever sees that nobody took it
	}
	beside := false
	defer func() {
		if !beside {
			l.work.Done()
		}
	}()
	select {
	case l.lanes <- struct{}{}:
		defer func() { <-l.lanes }()
	case <-ctx.Done():
	}
	h := &holding{life: l, complete: func(of context.Context, tx pgx.Tx) error {
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](jobContext{of, ctx}, tx, j)
		if errors.Is(err, rivertype.ErrNotFound) {
			return nil // somebody has put an end to the job, which does not make the run undone
		}
		return err
	}}
	take := h.take
	if j.Args.Kind() == fleet.Run.String() {
		take = h.takeInTurn
	}
	if taken := take(ctx, j.Args.unit(), j.ID); taken {
		beside = true
		h.workBeside(ctx)
	}
	l.offer()
	return nil
}

// jobContext ends as one context does and has what River put into another one.
type jobContext struct {
	context.Context
	job context.Context
}

// Value implements context.Context.
func (c jobContext) Value(key any) any { return c.job.Value(key) }

// workBeside has the unit worked on until that is done, or until it is aside. As long as there is a job, which ctx is of, the work ends with it.
func (h *holding) workBeside(ctx context.Context) {
	l := h.life
	run, cancel := context.WithTimeout(l.working, longestRun)
	run, end := context.WithCancelCause(run)
	withJob := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	aside, done := make(chan struct{}), make(chan struct{})
	h.held.Aside = sync.OnceFunc(func() { close(aside) })
	go func() {
		defer l.work.Done()
		defer cancel()
		defer l.offer()
		defer close(done)
		h.workOn(run)
	}()
	select {
	case <-done:
	case <-aside:
		withJob()
		h.leaveJob(ctx)
	}
}

// leaveJob has the unit held without a job. Where that cannot be stored, a lane of this worker counts as taken until the work is done.
func (h *holding) leaveJob(ctx context.Context) {
	h.mu.Lock()
	h.complete = nil
	h.mu.Unlock()
	f := h.life.fleet
	ctx, cancel := h.life.toTheEnd(ctx)
	defer cancel()
	if _, err := f.pool.Exec(ctx, f.sql("update fleet.unit set job = null, taker = null where id = $1 and holder = $2 and fence = $3"), h.unit, h.life.id, h.held.Fence); err != nil {
		f.log.Debug("a unit that is aside could not give back its lane", "connection", h.held.Unit.Connection, "err", err)
	}
}

// othersFirst is how long a worker that has a tenant or share of a connection leaves the next one to those that have none: River brings jobs to
// whoever asks first, which may be one worker for all.
const othersFirst = 3 * time.Second

// forOthers is whether a unit u is left to another worker that has room: worker $1 has one of the same connection, and that one has none.
const forOthers = `u.kind = 2 and u.wanted > clock_timestamp() - $4::interval
and exists (select 1 from fleet.unit m where m.holder = $1 and m.kind = 2 and m.connection = u.connection)
and exists (` + living + ` and w.id <> $1 and not w.draining and w.hash = (select hash from fleet.generation order by id desc limit 1) and (u.places is null or w.name = any(u.places))
  and not exists (select 1 from fleet.unit o where o.holder = w.id and o.kind = 2 and o.connection = u.connection)
  and w.lanes > (select count(*) from fleet.unit o where o.holder = w.id and o.job is not null))`

// take takes a unit for its job, if it is still there to be taken by this worker. If not, and the job is still the unit's, the unit is
// offered anew.
func (h *holding) take(ctx context.Context, unit, job int64) bool {
	l, f := h.life, h.life.fleet
	var err error
	if ctx.Err() == nil {
		err = h.scan(f.pool.QueryRow(ctx, f.sql(`
update fleet.unit u set holder = $1, fence = fence + 1, since = clock_timestamp(), doing = want, doing_args = args, want = 0, args = null, wanted = null
where u.id = $2 and u.job = $3 and u.holder is null
and exists (select 1 from fleet.worker w where w.id = $1 and not w.dead and not w.draining and w.expires > clock_timestamp() and w.hash = (select hash from fleet.generation order by id desc limit 1))
and not (`+forOthers+`)
returning `+held), l.id, unit, job, othersFirst))
		if err == nil {
			return true
		}
	}
	ctx, cancel := l.toTheEnd(ctx)
	defer cancel()
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		f.log.Debug("a unit could not be taken", "err", err)
		// It may have been, all the same, and nobody would know.
		_, err := f.pool.Exec(ctx, f.sql(`
update fleet.unit set holder = null, since = null, fence = fence + 1, want = want | doing, args = coalesce(doing_args, '{}') || coalesce(args, '{}'), wanted = coalesce(wanted, since), doing = 0, doing_args = null
where id = $1 and job = $2 and holder = $3`), unit, job, l.id)
		if err != nil {
			l.die(err)
		}
	}
	_, _ = f.pool.Exec(ctx, f.sql("update fleet.unit set job = null, taker = null where id = $1 and job = $2 and holder is null"), unit, job)
	return false
}

// takeInTurn takes one tenant or share after the other: of two at the same time neither would see that this worker has the other one.
func (h *holding) takeInTurn(ctx context.Context, unit, job int64) bool {
	h.life.taking.Lock()
	defer h.life.taking.Unlock()
	return h.take(ctx, unit, job)
}

// held are the columns of a unit u that scan reads.
const held = "u.id, u.kind, u.connection, u.tenant, u.target, u.doing, u.cause, u.prio, u.doing_args, u.fence, " +
	"u.kind <> 3 and exists (select 1 from fleet.unit r where r.kind = 2 and r.connection = u.connection)"

func (h *holding) scan(row pgx.Row) error {
	u := &h.held.Unit
	err := row.Scan(&h.unit, &u.Kind, &u.Connection, &u.Tenant, &u.Target, &h.held.Want, &h.held.Request.Cause, &h.held.Request.Priority, &h.held.Request.Args, &h.held.Fence, &h.divided)
	if err == nil {
		h.life.presses(u.Connection, h.divided)
	}
	h.held.Request.Want = h.held.Want
	return err
}
