package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// deliver takes targets that nobody delivers to: a share of them, so that those who look at the same time divide them. Whoever has one
// keeps it.
func (l *life) deliver(ctx context.Context, c *carrier) error {
	f := l.fleet
	rows, err := f.pool.Query(ctx, f.sql(`
with free as (select u.id, u.places from fleet.unit u where u.kind = 3 and u.holder is null and (u.not_before is null or u.not_before <= clock_timestamp())),
able as (select w.id from fleet.worker w where not w.dead and not w.draining and w.expires > clock_timestamp() and w.hash = (select hash from fleet.generation order by id desc limit 1)),
pick as (select u.id from fleet.unit u where u.id in (select id from free where places is null or $2 = any(places)) and u.holder is null
  order by u.id limit (select ceil(count(*)::numeric / greatest(1, (select count(*) from able))) from free) for update skip locked)
update fleet.unit u set holder = $1, fence = fence + 1, since = clock_timestamp(), doing = want, doing_args = args, want = 0, args = null, wanted = null
from pick where pick.id = u.id and $1 in (select id from able) returning `+held), l.id, l.me.Name)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*holding, error) {
		h := &holding{life: l}
		return h, h.scan(row)
	})
	if err != nil {
		l.die(err) // some may have been taken, and nobody would know
		return err
	}
	for _, h := range list {
		if !l.begin() {
			continue // the life is over, and others bury it
		}
		go func() {
			defer l.work.Done()
			h.workOn(c.fresh)
		}()
	}
	return nil
}
