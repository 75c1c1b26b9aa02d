package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/robfig/cron/v3"

	"dirsyncd/sync/fleet"
	"dirsyncd/sync/schedule"
)

const (
	// arrangeEvery is how often the units are held against the configuration.
	arrangeEvery = time.Minute
	// stepBack is how far the database's clock may be set back before the times of schedules are computed anew.
	stepBack = time.Hour
)

func (l *life) rearranged() error {
	ctx, cancel := context.WithTimeout(l.working, ttl)
	defer cancel()
	return l.fleet.deciding(ctx, func(tx pgx.Tx) error {
		if err := l.arrange(ctx, tx); err != nil {
			return err
		}
		return l.fleet.clear(ctx, tx)
	})
}

// clear removes jobs that ended long ago, and queues of former configurations: what River's leader would do, of which nothing else is needed.
func (f *Fleet) clear(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	batch.Queue(f.sql(`delete from fleet.river_job where id in (select id from fleet.river_job
where state in ('completed', 'cancelled', 'discarded') and finalized_at < clock_timestamp() - $1::interval limit $2)`), keptDone, cleared)
	batch.Queue(f.sql("delete from fleet.river_queue where updated_at < clock_timestamp() - $1::interval"), keptQueue)
	return tx.SendBatch(ctx, &batch).Close()
}

// stored is a unit as arrange finds it.
type stored struct {
	id           int64
	unit         fleet.Unit
	spec         string
	places       []string
	due, dueFull *time.Time
}

// arrange makes the units what the configuration says, if it is the current one. A connection that is new is run at once. Units of which
// the configuration says nothing any more go, as soon as nobody holds them. The caller's transaction is one of deciding.
func (m *member) arrange(ctx context.Context, tx pgx.Tx) error {
	f, plan := m.fleet, m.following()
	if g, err := f.generation(ctx, tx); err != nil || g.hash != plan.Generation {
		return err
	}
	var now time.Time
	if err := tx.QueryRow(ctx, "select clock_timestamp()").Scan(&now); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, f.sql("select id, kind, connection, target, spec, places, due, due_full from fleet.unit where kind <> 2 order by id"))
	if err != nil {
		return err
	}
	there := map[fleet.Unit]stored{}
	for rows.Next() {
		var s stored
		if err := rows.Scan(&s.id, &s.unit.Kind, &s.unit.Connection, &s.unit.Target, &s.spec, &s.places, &s.due, &s.dueFull); err != nil {
			return err
		}
		there[s.unit] = s
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var batch pgx.Batch
	connections := []string{}
	for _, p := range plan.Units {
		if p.Kind == fleet.List {
			connections = append(connections, p.Connection)
		}
		s, known := there[p.Unit]
		delete(there, p.Unit)
		f.arrangeOne(&batch, p, s, known, now)
	}
	gone := []int64{}
	for _, s := range there {
		gone = append(gone, s.id)
	}
	slices.Sort(gone)
	batch.Queue(f.sql("update fleet.unit t set places = c.places from fleet.unit c where c.kind = 1 and t.kind = 2 and t.connection = c.connection and t.places is distinct from c.places"))
	batch.Queue(f.sql("delete from fleet.unit where holder is null and (id = any($1) or kind = 2 and connection <> all($2))"), gone, connections)
	batch.Queue(f.sql("update fleet.unit set next = null, next_full = null, due = null, due_full = null, want = 0 where id = any($1) or kind = 2 and connection <> all($2) and want <> 0"), gone, connections)
	return tx.SendBatch(ctx, &batch).Close()
}

func (f *Fleet) arrangeOne(batch *pgx.Batch, p fleet.Planned, s stored, known bool, now time.Time) {
	var places []string
	if len(p.Places) > 0 {
		places = p.Places
	}
	if !known {
		want, cause := fleet.Want(0), ""
		if p.Kind == fleet.List {
			want, cause = fleet.Incremental, schedule.CauseStartup
		}
		due, next := first(p.Incremental, now, p.Jitter)
		dueFull, full := first(p.Full, now, p.Jitter)
		batch.Queue(f.sql(`insert into fleet.unit (kind, connection, target, spec, places, due, next, due_full, next_full, want, cause, wanted, prio)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::int2, $11, case when $10::int2 <> 0 then clock_timestamp() end, $12)`),
			p.Kind, p.Connection, p.Target, p.Spec, places, due, next, dueFull, full, want, cause, fleet.Bulk)
		return
	}
	if s.spec != p.Spec || beyond(p.Incremental, s.due, now) || beyond(p.Full, s.dueFull, now) {
		due, next := first(p.Incremental, now, p.Jitter)
		dueFull, full := first(p.Full, now, p.Jitter)
		batch.Queue(f.sql("update fleet.unit set spec = $2, due = $3, next = $4, due_full = $5, next_full = $6 where id = $1"), s.id, p.Spec, due, next, dueFull, full)
	}
	if !slices.Equal(s.places, places) {
		batch.Queue(f.sql("update fleet.unit set places = $2 where id = $1"), s.id, places)
	}
}

// first is when a schedule comes first after now, and when that begins.
func first(s cron.Schedule, now time.Time, jitter time.Duration) (due, next *time.Time) {
	if s == nil {
		return nil, nil
	}
	return times(s.Next(now).Round(0), jitter)
}

// beyond reports whether a time was computed by a clock that had been ahead.
func beyond(s cron.Schedule, due *time.Time, now time.Time) bool {
	return s != nil && due != nil && due.Sub(s.Next(now)) > stepBack
}
