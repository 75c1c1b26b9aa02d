package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const (
	// living are the workers that hold what they hold.
	living = "select 1 from fleet.worker w where not w.dead and w.expires > clock_timestamp()"
	// heldByNobody is whether a unit u is held by a worker that is buried.
	heldByNobody = "u.holder is not null and not exists (select 1 from fleet.worker w where w.id = u.holder and not w.dead)"
	// orphanedJob is whether a job j was fetched by a worker that is buried.
	orphanedJob = "j.state = 'running' and not exists (select 1 from fleet.worker w where w.id::text = split_part(j.attempted_by[array_length(j.attempted_by, 1)], '/', 1) and not w.dead)"
	// strayJob is whether a unit u waits for a job that will not come: it has ended without the unit, whoever ended it, or the only
	// worker that may fetch it does not. One that was fetched long ago may have been lost on its way to a worker that lives. Where that
	// worker only waits for a lane, somebody else may have one.
	strayJob = `u.job is not null and u.holder is null and (
  not exists (select 1 from fleet.river_job j where j.id = u.job and (j.state = 'available' or j.state = 'running' and j.attempted_at > clock_timestamp() - interval '1 minute'))
  or u.taker is not null and not exists (` + living + ` and w.name = u.taker and not w.draining and w.hash = (select hash from fleet.generation order by id desc limit 1)))`
)

// bury gives up the workers whose heartbeat is late: their sessions are ended, so that no transaction of theirs keeps a unit, or the row of its
// worker, their units are free, and their jobs are discarded. A row that is still locked is freed at the next look.
func (f *Fleet) bury(ctx context.Context) error {
	// Dead first, and committed: a heartbeat that is under way is waited for, and one that comes later finds that it is.
	err := f.transact(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, f.sql(`
update fleet.worker set dead = true where id in (select id from fleet.worker where not dead and expires <= clock_timestamp() order by id for update skip locked)
and expires <= clock_timestamp() returning name, program`))
		if err != nil {
			return err
		}
		var name, program string
		_, err = pgx.ForEachRow(rows, []any{&name, &program}, func() error {
			f.log.Warn("a worker no longer answers; what it held goes to others", "worker", name, "version", program)
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	return f.transact(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, f.sql(`
select pg_terminate_backend(a.pid) from pg_stat_activity a where a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid() and a.application_name not in ('', $1)
and exists (select 1 from fleet.worker d where (d.dead or d.expires <= clock_timestamp()) and d.session = a.application_name)
and not exists (`+living+` and w.session = a.application_name)`), f.session()) // this process knows that its former life is over
		if err != nil {
			return err
		}
		if err := f.free(ctx, tx); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, f.sql("delete from fleet.worker d where d.dead and not exists (select 1 from fleet.unit u where u.holder = d.id)"))
		return err
	})
}

// free frees the units of dead workers, whose holders are no more: what they did is wanted again.
func (f *Fleet) free(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, f.sql(`
with lost as (select u.id from fleet.unit u where `+heldByNobody+` for update skip locked)
update fleet.unit u set holder = null, since = null, fence = fence + 1, job = null, taker = null,
  wanted = case when want | doing <> 0 then coalesce(wanted, since) end,
  args = case when want | doing <> 0 then coalesce(doing_args, '{}') || coalesce(args, '{}') end,
  want = want | doing, doing = 0, doing_args = null
from lost where lost.id = u.id`))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, f.sql("update fleet.river_job j set state = 'discarded', finalized_at = clock_timestamp() where "+orphanedJob))
	if err != nil {
		return err
	}
	return f.withdraw(ctx, tx, strayJob)
}
