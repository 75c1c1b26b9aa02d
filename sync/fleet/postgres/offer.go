package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"dirsyncd/sync/fleet"
)

const (
	// atOnce is how many units of a connection are worked on at a time when nothing else is said.
	atOnce = 8
	// ahead is how many units are offered for each lane: one is worked on, one is next.
	ahead = 2
	// offerEvery is how often a worker offers at most.
	offerEvery = 50 * time.Millisecond
)

// offer has what is wanted offered soon.
func (l *life) offer() { signal(l.offers) }

func (l *life) offering() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-l.working.Done():
			return
		case <-l.offers:
		}
		l.mu.Lock()
		c := l.carrier
		l.mu.Unlock()
		if c != nil {
			ctx, cancel := context.WithTimeout(l.working, ttl)
			err := l.offerAll(ctx, c)
			cancel()
			if err != nil && l.working.Err() == nil {
				l.fleet.log.Debug("nothing could be offered", "worker", l.me.Name, "err", err)
			}
		}
		pause.Reset(offerEvery)
		select {
		case <-l.working.Done():
			return
		case <-pause.C:
		}
	}
}

// offerAll makes jobs of what is wanted: no more than there are lanes for, and of each connection no more than its sources may feel, over
// all workers. What has the same rank goes to the connection that has the least under way. A connection is listed again when all of its tenants
// that were wanted have been run: its runs follow each other.
func (l *life) offerAll(ctx context.Context, c *carrier) error {
	f, plan := l.fleet, l.following()
	return f.deciding(ctx, func(tx pgx.Tx) error {
		g, err := f.generation(ctx, tx)
		if err != nil || g.hash != plan.Generation || g.id != c.generation {
			return err
		}
		var lanes, offered int
		err = tx.QueryRow(ctx, f.sql(`select
(select coalesce(sum(w.lanes), 0) from fleet.worker w where not w.dead and w.expires > clock_timestamp() and not w.draining and w.hash = $1),
(select count(*) from fleet.unit where job is not null and taker is null)`), g.hash).Scan(&lanes, &offered)
		if err != nil {
			return err
		}
		if err := l.offerTo(ctx, tx, c, "", lanes*ahead-offered); err != nil {
			return err
		}
		return l.offerBound(ctx, tx, c)
	})
}

// offerBound offers what only some workers may take, of several to any first.
func (l *life) offerBound(ctx context.Context, tx pgx.Tx, c *carrier) error {
	f := l.fleet
	rows, err := tx.Query(ctx, f.sql(`
select w.name, sum(w.lanes) * $1::int - (select count(*) from fleet.unit o where o.job is not null and o.taker = w.name) from fleet.worker w
where not w.dead and w.expires > clock_timestamp() and not w.draining and w.hash = (select hash from fleet.generation order by id desc limit 1)
and exists (select 1 from fleet.unit u where u.want <> 0 and u.holder is null and u.job is null and w.name = any(u.places)) group by w.name order by random()`), ahead)
	if err != nil {
		return err
	}
	type place struct {
		name string
		room int
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p place, err error) {
		err = row.Scan(&p.name, &p.room)
		return p, err
	})
	if err != nil {
		return err
	}
	for _, p := range list {
		if err := l.offerTo(ctx, tx, c, p.name, p.room); err != nil {
			return err
		}
	}
	return nil
}

// offerTo offers to all workers or, with a name, to one.
func (l *life) offerTo(ctx context.Context, tx pgx.Tx, c *carrier, worker string, room int) error {
	if room <= 0 {
		return nil
	}
	names, caps := limits(l.following())
	rows, err := tx.Query(ctx, l.fleet.sql(`
select u.id, u.kind, u.rank from (
  select p.name, p.cap, (select count(*) from fleet.unit h where h.connection = p.name and (h.holder is not null or h.job is not null) and h.kind <> 3) as busy
  from unnest($1::text[], $2::int[]) p (name, cap)
) c cross join lateral (
  select o.*, row_number() over (order by o.rank, o.wanted, o.id) as turn from (
    select id, kind, wanted, case when wanted < clock_timestamp() - interval '5 minutes' then 1 else prio end as rank
    from fleet.unit w where w.connection = c.name and w.want <> 0 and w.holder is null and w.job is null and w.kind <> 3
    and not (w.kind = 1 and exists (select 1 from fleet.unit r where r.connection = w.connection and r.kind = 2 and (r.want <> 0 or r.holder is not null)))
    and (w.not_before is null or w.not_before <= clock_timestamp()) and case when $3 = '' then w.places is null else $3 = any(w.places) end
    order by rank, wanted, id limit greatest(0, c.cap - c.busy) for update skip locked) o
) u order by u.rank, c.busy + u.turn, u.wanted, u.id limit $4`), names, caps, worker, room)
	if err != nil {
		return err
	}
	var units []int64
	var jobs []river.InsertManyParams
	var id int64
	var kind fleet.Kind
	var rank int
	_, err = pgx.ForEachRow(rows, []any{&id, &kind, &rank}, func() error {
		units = append(units, id)
		jobs = append(jobs, river.InsertManyParams{Args: jobOf(kind, id), InsertOpts: &river.InsertOpts{MaxAttempts: 1, Priority: rank, Queue: queue(c.generation, worker)}})
		return nil
	})
	if err != nil || len(units) == 0 {
		return err
	}
	inserted, err := c.client.InsertManyTx(ctx, tx, jobs)
	if err != nil {
		return err
	}
	ids := make([]int64, len(inserted))
	for i, j := range inserted {
		ids[i] = j.Job.ID
	}
	// River dates them by this process' clock, and would wait for a time that is ahead of the database's.
	_, err = tx.Exec(ctx, l.fleet.sql(`
with dated as (update fleet.river_job set scheduled_at = clock_timestamp() where id = any($2) and scheduled_at > clock_timestamp())
update fleet.unit u set job = j.job, taker = nullif($3, '') from unnest($1::int8[], $2::int8[]) j (unit, job) where j.unit = u.id`), units, ids, worker)
	return err
}

// limits are how many units of each connection are worked on at a time. Audits are of none.
func limits(plan fleet.Plan) (names []string, caps []int) {
	names, caps = []string{""}, []int{1 << 20}
	for _, p := range plan.Units {
		if p.Kind != fleet.List {
			continue
		}
		n := p.AtOnce
		if n == 0 {
			n = atOnce
		}
		names, caps = append(names, p.Connection), append(caps, n)
	}
	return names, caps
}
