package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dirsyncd/sync/fleet"
)

// Units implements fleet.Fleet.
func (f *Fleet) Units(ctx context.Context, of fleet.Selector) ([]fleet.UnitState, error) {
	rows, err := f.pool.Query(ctx, f.sql(`
select u.kind, u.connection, u.tenant, u.target, u.want, u.doing, u.cause, u.wanted, u.since, coalesce(w.name, ''), least(u.next, u.next_full), u.not_before, u.proven,
  coalesce(u.failing, ''), u.failing_since, coalesce(p.text, '')
from fleet.unit u left join fleet.worker w on w.id = u.holder left join fleet.progress p on p.unit = u.id and p.fence = u.fence and u.holder is not null
where `+selected+` order by u.kind, u.connection, u.tenant, u.target`), of.Kind, of.Connection, of.Tenant, of.Target)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s fleet.UnitState, err error) {
		var wanted, since, next, notBefore, proven, failing *time.Time
		err = row.Scan(&s.Unit.Kind, &s.Unit.Connection, &s.Unit.Tenant, &s.Unit.Target, &s.Want, &s.Doing, &s.Cause, &wanted, &since, &s.Holder, &next, &notBefore, &proven,
			&s.Failing, &failing, &s.Progress)
		s.Wanted, s.Since, s.Next, s.NotBefore, s.Proven, s.FailingSince = at(wanted), at(since), at(next), at(notBefore), at(proven), at(failing)
		return s, err
	})
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Workers implements fleet.Fleet.
func (f *Fleet) Workers(ctx context.Context) ([]fleet.WorkerState, error) {
	rows, err := f.pool.Query(ctx, f.sql(`
select w.id::text, w.name, w.program, w.lanes, w.started, w.hash = (select hash from fleet.generation order by id desc limit 1), w.draining from fleet.worker w
where not w.dead and w.expires > clock_timestamp() order by w.name, w.id`))
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s fleet.WorkerState, err error) {
		err = row.Scan(&s.ID, &s.Worker.Name, &s.Worker.Program, &s.Worker.Lanes, &s.Started, &s.Current, &s.Draining)
		return s, err
	})
	if err != nil {
		return nil, err
	}
	for i := range list {
		rows, err := f.pool.Query(ctx, f.sql("select kind, connection, tenant, target from fleet.unit where holder = $1 order by kind, connection, tenant, target"), list[i].ID)
		if err != nil {
			return nil, err
		}
		list[i].Holds, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (u fleet.Unit, err error) {
			err = row.Scan(&u.Kind, &u.Connection, &u.Tenant, &u.Target)
			return u, err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, f.delivering(ctx, list)
}

// delivering adds which targets workers deliver to: whose lease of that in the state it is. A process has the same name for its sessions there as here.
func (f *Fleet) delivering(ctx context.Context, list []fleet.WorkerState) error {
	if f.state == "" {
		return nil
	}
	state := pgx.Identifier{f.state}.Sanitize()
	rows, err := f.pool.Query(ctx, f.sql(`select w.id::text, substr(l.name, 9) from `+state+`.lease l join `+state+`.worker s on s.id = l.holder and s.expires > clock_timestamp()
join fleet.worker w on w.session = s.session where starts_with(l.name, 'deliver ') order by l.name`))
	if err != nil {
		return err
	}
	var id, target string
	_, err = pgx.ForEachRow(rows, []any{&id, &target}, func() error {
		for i := range list {
			if list[i].ID == id {
				list[i].Delivers = append(list[i].Delivers, target)
			}
		}
		return nil
	})
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == undefinedTable {
		return nil // there is no state yet
	}
	return err
}

// Drain implements fleet.Fleet.
func (f *Fleet) Drain(ctx context.Context, name string) (int, error) {
	return f.setDraining(ctx, name, true)
}

// Resume implements fleet.Fleet.
func (f *Fleet) Resume(ctx context.Context, name string) (int, error) {
	return f.setDraining(ctx, name, false)
}

func (f *Fleet) setDraining(ctx context.Context, name string, draining bool) (int, error) {
	tag, err := f.pool.Exec(ctx, f.sql("update fleet.worker set draining = $2 where name = $1 and not dead and expires > clock_timestamp()"), name, draining)
	return int(tag.RowsAffected()), err
}
