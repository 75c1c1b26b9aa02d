package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/sync/fleet"
)

// generation is a configuration that was published. The last one is the current one.
type generation struct {
	id        int64
	hash      string
	published time.Time
	by        string
}

func (f *Fleet) generation(ctx context.Context, tx pgx.Tx) (g generation, err error) {
	err = tx.QueryRow(ctx, f.sql("select id, hash, published, by_worker from fleet.generation order by id desc limit 1")).Scan(&g.id, &g.hash, &g.published, &g.by)
	if errors.Is(err, pgx.ErrNoRows) {
		return generation{}, nil
	}
	return g, err
}

// publish makes a configuration the current one. What was offered to workers of the former one is offered anew.
func (f *Fleet) publish(ctx context.Context, tx pgx.Tx, hash, by string) error {
	if now, err := f.generation(ctx, tx); err != nil || now.hash == hash {
		return err
	}
	if _, err := tx.Exec(ctx, f.sql("insert into fleet.generation (hash, published, by_worker) values ($1, clock_timestamp(), $2)"), hash, by); err != nil {
		return err
	}
	return f.withdraw(ctx, tx, "true")
}

// withdraw takes back offers that nobody has taken yet.
func (f *Fleet) withdraw(ctx context.Context, tx pgx.Tx, which string) error {
	_, err := tx.Exec(ctx, f.sql(`
with untaken as (select u.id, u.job from fleet.unit u where u.job is not null and u.holder is null and `+which+` for update),
jobs as (update fleet.river_job j set state = 'discarded', finalized_at = clock_timestamp() from untaken where j.id = untaken.job and j.state in ('available', 'running'))
update fleet.unit u set job = null, taker = null from untaken where untaken.id = u.id`))
	return err
}

// Follow implements fleet.Fleet.
func (f *Fleet) Follow(ctx context.Context, plan fleet.Plan) error {
	m, err := f.worker()
	if err != nil {
		return err
	}
	m.follow(plan)
	defer m.followed()
	return f.deciding(ctx, func(tx pgx.Tx) error { return m.publish(ctx, tx) })
}

// Publish implements fleet.Fleet.
func (f *Fleet) Publish(ctx context.Context) (p fleet.Publication, err error) {
	m, err := f.worker()
	if err != nil {
		return p, err
	}
	m.hold()
	defer m.followed()
	err = f.deciding(ctx, func(tx pgx.Tx) error {
		was, err := f.generation(ctx, tx)
		if err != nil {
			return err
		}
		if plan := m.following(); was.hash != plan.Generation {
			switch other, _, err := m.other(ctx, tx, plan); {
			case err != nil:
				return err
			case other != "":
				return &fleet.AloneError{Other: other}
			}
		}
		if err := m.publish(ctx, tx); err != nil {
			return err
		}
		now, err := f.generation(ctx, tx)
		p = fleet.Publication{Generation: now.hash, At: now.published.UTC(), By: now.by, Already: now.id == was.id}
		return err
	})
	return p, err
}

// Superseded names a worker that lives and works by the current configuration, when that is another than one whose identity is given; empty:
// there is none, or there were never any workers. Without an identity it names whoever lives. It takes no part, so that commands can ask.
func Superseded(ctx context.Context, pool *pgxpool.Pool, schema, hash string) (name string, err error) {
	f := Fleet{schema: schema}
	err = pool.QueryRow(ctx, f.sql(`select w.name from fleet.worker w where not w.dead and w.expires > clock_timestamp() and w.hash <> $1
and ($1 = '' or w.hash = (select hash from fleet.generation order by id desc limit 1)) order by w.name limit 1`), hash).Scan(&name)
	if pg := (*pgconn.PgError)(nil); errors.Is(err, pgx.ErrNoRows) || errors.As(err, &pg) && pg.Code == undefinedTable {
		return "", nil
	}
	return name, err
}

const undefinedTable = "42P01"

// worker is this process as one.
func (f *Fleet) worker() (*member, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.member == nil {
		return nil, fleet.ErrNoWorker
	}
	return f.member, nil
}

// publish makes what this worker follows the current configuration. The caller's transaction is one of deciding: of two that publish the latter
// one looks at what is followed after the former one has ended.
func (m *member) publish(ctx context.Context, tx pgx.Tx) error {
	m.mu.Lock()
	id, plan := m.id, m.plan
	m.mu.Unlock()
	if _, err := tx.Exec(ctx, m.fleet.sql("update fleet.worker set hash = $2 where id::text = $1"), id, plan.Generation); err != nil {
		return err
	}
	if err := m.fleet.publish(ctx, tx, plan.Generation, m.me.Name); err != nil {
		return err
	}
	return m.arrange(ctx, tx)
}
