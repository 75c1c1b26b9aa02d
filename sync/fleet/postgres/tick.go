package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/robfig/cron/v3"

	"dirsyncd/sync/fleet"
	"dirsyncd/sync/schedule"
)

// ticks looks every second at what there is to do. All workers do; whoever comes first does it.
func (l *life) ticks() {
	every := time.NewTicker(look)
	defer every.Stop()
	rearrange := time.NewTicker(arrangeEvery)
	defer rearrange.Stop()
	for {
		var err error
		select {
		case <-l.working.Done():
			return
		case <-rearrange.C:
			err = l.rearranged()
		case <-l.looks:
			err = l.tick()
		case <-every.C:
			err = l.tick()
		}
		if err != nil && l.working.Err() == nil {
			l.fleet.log.Debug("a look at what there is to do failed", "worker", l.me.Name, "err", err)
		}
	}
}

// sight is what one look sees. It costs one statement, so that idle workers cost next to nothing. An index serves no volatile function,
// hence (select clock_timestamp()).
type sight struct{ due, wanted, undelivered, dead, stray bool }

func (l *life) tick() error {
	ctx, cancel := context.WithTimeout(l.working, ttl)
	defer cancel()
	f := l.fleet
	var s sight
	err := f.pool.QueryRow(ctx, f.sql(`select
exists (select 1 from fleet.unit where least(next, next_full) <= (select clock_timestamp())),
exists (select 1 from fleet.unit where want <> 0 and holder is null and job is null and kind <> 3 and (not_before is null or not_before <= clock_timestamp())),
exists (select 1 from fleet.unit where kind = 3 and holder is null and (not_before is null or not_before <= clock_timestamp())),
exists (select 1 from fleet.worker where dead or expires <= clock_timestamp()) or exists (select 1 from fleet.unit u where `+heldByNobody+`),
exists (select 1 from fleet.unit u where `+strayJob+`) or exists (select 1 from fleet.river_job j where `+orphanedJob+`)`)).
		Scan(&s.due, &s.wanted, &s.undelivered, &s.dead, &s.stray)
	if err != nil {
		return err
	}
	if err := l.namesake(ctx); err != nil {
		return err
	}
	if s.dead || s.stray {
		if err := f.bury(ctx); err != nil {
			return err
		}
		s.wanted, s.undelivered = true, true
	}
	l.mu.Lock()
	c := l.carrier
	l.mu.Unlock()
	if c == nil {
		return nil
	}
	if s.due {
		if err := l.fire(ctx); err != nil {
			return err
		}
		s.wanted = true
	}
	if s.wanted {
		l.offer()
	}
	if s.undelivered {
		return l.deliver(ctx, c)
	}
	return nil
}

// namesake warns, once in a life, of another worker of the same name. It looks when one that was killed before counts as dead.
func (l *life) namesake(ctx context.Context) error {
	if l.compared || time.Since(l.registered) <= ttl {
		return nil
	}
	var there bool
	err := l.fleet.pool.QueryRow(ctx, l.fleet.sql("select exists (select 1 from fleet.worker where name = $1 and id::text <> $2 and not dead and expires > clock_timestamp())"), l.me.Name, l.id).Scan(&there)
	l.compared = err == nil
	if there {
		l.fleet.log.Warn("another worker has the same name: nobody can tell them apart, and what is bound to the name is done by either", "worker", l.me.Name,
			"hint", "call one of them otherwise, with `worker: NAME` in `state` or run --worker NAME")
	}
	return err
}

// firedAtOnce bounds one transaction of firing.
const firedAtOnce = 100

// timed is a unit whose schedule has come.
type timed struct {
	id                       int64
	unit                     fleet.Unit
	due, dueFull, next, full *time.Time
	now                      time.Time
}

// fire wants what schedules say, each once, however many workers look: whose row another one has locked is skipped. What was missed in
// between is one run.
func (l *life) fire(ctx context.Context) error {
	f, plan := l.fleet, l.following()
	planned := make(map[fleet.Unit]fleet.Planned, len(plan.Units))
	for _, p := range plan.Units {
		planned[p.Unit] = p
	}
	for more := true; more; {
		err := f.transact(ctx, func(tx pgx.Tx) error {
			if g, err := f.generation(ctx, tx); err != nil || g.hash != plan.Generation {
				more = false
				return err
			}
			rows, err := tx.Query(ctx, f.sql(`select id, kind, connection, target, due, due_full, next, next_full, clock_timestamp() from fleet.unit
where least(next, next_full) <= (select clock_timestamp()) order by id limit $1 for update skip locked`), firedAtOnce)
			if err != nil {
				return err
			}
			list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t timed, err error) {
				err = row.Scan(&t.id, &t.unit.Kind, &t.unit.Connection, &t.unit.Target, &t.due, &t.dueFull, &t.next, &t.full, &t.now)
				return t, err
			})
			if err != nil {
				return err
			}
			more = len(list) == firedAtOnce
			var batch pgx.Batch
			for _, t := range list {
				f.fireOne(&batch, planned[t.unit], t)
			}
			return tx.SendBatch(ctx, &batch).Close()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) fireOne(batch *pgx.Batch, of fleet.Planned, t timed) {
	r := fleet.Request{Want: fleet.Incremental, Cause: schedule.CauseSchedule}
	if came(t.next, t.now) {
		t.due, t.next = following(of.Incremental, *t.due, t.now, of.Jitter)
	}
	if came(t.full, t.now) {
		r = fleet.Request{Want: fleet.Full, Cause: schedule.CauseFull}
		t.dueFull, t.full = following(of.Full, *t.dueFull, t.now, of.Jitter)
	}
	batch.Queue(f.sql(`update fleet.unit u set due = $2, next = $3, due_full = $4, next_full = $5, `+wanting("$6::int2", "$7", "$8::int2", "null::jsonb", "false")+` where id = $1`),
		t.id, t.due, t.next, t.dueFull, t.full, r.Want, r.Cause, r.Rank())
}

func came(next *time.Time, now time.Time) bool { return next != nil && !next.After(now) }

// following are when a schedule that came at due comes next, and when that begins.
func following(s cron.Schedule, due, now time.Time, jitter time.Duration) (at, start *time.Time) {
	if s == nil {
		return nil, nil
	}
	return times(schedule.After(s, due, now), jitter)
}

// times are when a schedule comes and when that begins; nil when never.
func times(due time.Time, jitter time.Duration) (at, start *time.Time) {
	if due.IsZero() {
		return nil, nil
	}
	begin := schedule.Start(due, jitter)
	return &due, &begin
}
