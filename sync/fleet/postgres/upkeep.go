package postgres

import (
	"context"
	"time"

	"dirsyncd/sync/fleet"
)

// Upkeep implements fleet.Fleet. When the transactions of other roles began only a member of these sees, and of pg_read_all_stats; prepared
// ones everybody does. What only vacuums keeps nothing, and is no client; what this asks with is left out.
func (f *Fleet) Upkeep(ctx context.Context) (u fleet.Upkeep, err error) {
	var state *string
	if f.state != "" {
		outbox := f.state + ".outbox"
		state = &outbox
	}
	var seconds float64
	var outbox, units int64
	err = f.pool.QueryRow(ctx, `select coalesce(greatest(0, extract(epoch from clock_timestamp() - least(
  (select min(xact_start) from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
    and (backend_xmin is not null or backend_xid is not null)),
  (select min(prepared) from pg_prepared_xacts where database = current_database())))), 0)::float8,
coalesce(pg_stat_get_dead_tuples(to_regclass($1)), 0), coalesce(pg_stat_get_dead_tuples(to_regclass($2)), 0)`, state, f.schema+".unit").Scan(&seconds, &outbox, &units)
	if err != nil {
		return u, err
	}
	return fleet.Upkeep{OldestSnapshot: time.Duration(seconds * float64(time.Second)), DeadRows: map[string]int64{"outbox": outbox, "unit": units}}, nil
}
