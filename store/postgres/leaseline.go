package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// leaseLine is the connection of signs of life. It is never one of the pool: a pool whose connections are all in use must not
// cost a lease.
type leaseLine struct {
	mu     sync.Mutex
	config *pgx.ConnConfig
	conn   *pgx.Conn
	// begin is called with each new connection; nil does nothing. What it returns ends that.
	begin func(context.Context, *pgx.Conn) error
}

// newID is a random UUID (RFC 9562, version 4).
func newID() pgtype.UUID {
	id := pgtype.UUID{Valid: true}
	_, _ = rand.Read(id.Bytes[:]) // never fails
	id.Bytes[6], id.Bytes[8] = id.Bytes[6]&0x0f|0x40, id.Bytes[8]&0x3f|0x80
	return id
}

// open connects, unless it is connected. The caller has the line.
func (l *leaseLine) open(ctx context.Context) (err error) {
	if l.conn != nil && !l.conn.IsClosed() {
		return nil
	}
	if l.conn, err = pgx.ConnectConfig(ctx, l.config.Copy()); err != nil || l.begin == nil {
		return err
	}
	if err = l.begin(ctx, l.conn); err != nil {
		closeAtOnce(l.conn)
	}
	return err
}

func (l *leaseLine) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), leaseIO)
		defer cancel()
		_ = l.conn.Close(ctx)
	}
}

// send sends statements in one round trip and calls scan with the answer of each, in order.
func (l *leaseLine) send(ctx context.Context, batch *pgx.Batch, scan func(i int, row pgx.Row) error) error {
	if err := l.open(ctx); err != nil {
		return errors.Join(errNoLine, err)
	}
	results := l.conn.SendBatch(ctx, batch)
	var err error
	for i := range batch.Len() {
		if err = scan(i, results.QueryRow()); errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		if err != nil {
			break
		}
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return err
}

// join makes the row of a process that takes part. Rows of those that are long dead go.
func (l *leaseLine) join(ctx context.Context, s *Store, id pgtype.UUID, leaseFor time.Duration) error {
	host, _ := os.Hostname()
	batch := &pgx.Batch{}
	batch.Queue(s.in(`insert into @.worker (id, name, session, started, expires)
		values ($1, $2, $3, clock_timestamp(), clock_timestamp() + $4::int8 * interval '1 microsecond')`),
		id, fmt.Sprintf("%s/%d", host, os.Getpid()), s.session, leaseFor.Microseconds())
	batch.Queue(s.in(`delete from @.worker w where expires < clock_timestamp() - interval '1 hour' and not exists (select from @.lease l where l.holder = w.id)`))
	return l.send(ctx, batch, func(_ int, row pgx.Row) error { return row.Scan() })
}

// take takes a lease, if it is free: nobody's, or that of a process that is dead, or of this one, which does not know of it. Sessions of a
// dead one are ended, and what they have locked is free when it is looked at again; not those of one that was late only, and takes part again
// under another id: it knows that the lease is over, and what it did under it comes to its end by itself. It reports whether this process is
// alive, how many sessions were ended, and the fencing number; zero when the lease is not free.
func (l *leaseLine) take(ctx context.Context, s *Store, id pgtype.UUID, name string, unknown bool) (alive bool, ended int, fence int64, err error) {
	batch := &pgx.Batch{}
	batch.Queue(s.in(`insert into @.lease (name) values ($1) on conflict do nothing`), name)
	batch.Queue(s.in(`select exists (select from @.worker where id = $1 and expires > clock_timestamp())`), id)
	batch.Queue(s.in(`select count(pg_terminate_backend(a.pid)) from @.lease l join @.worker w on w.id = l.holder join pg_stat_activity a on a.application_name = w.session
		where l.name = $1 and w.expires <= clock_timestamp() and w.session <> $2
		and not exists (select from @.worker v where v.session = w.session and v.expires > clock_timestamp())`), name, s.session)
	batch.Queue(s.in(`update @.lease t set holder = $2, fence = t.fence + 1, since = clock_timestamp() from (
			select l.name from @.lease l where l.name = $1 and (l.holder is null or l.holder = $2 and $3
				or not exists (select from @.worker w where w.id = l.holder and w.expires > clock_timestamp()))
			for update of l skip locked) free
		where t.name = free.name and exists (select from @.worker w where w.id = $2 and w.expires > clock_timestamp()) returning t.fence`), name, id, unknown)
	err = l.send(ctx, batch, func(i int, row pgx.Row) error {
		switch i {
		case 1:
			return row.Scan(&alive)
		case 2:
			return row.Scan(&ended)
		case 3:
			return row.Scan(&fence)
		default:
			return row.Scan(nil)
		}
	})
	return alive, ended, fence, err
}

// live gives a sign of life and gives all leases back but those that are held. It reports whether the process was alive, and which of the
// leases that are awaited nobody has who is alive.
func (l *leaseLine) live(ctx context.Context, s *Store, id pgtype.UUID, leaseFor time.Duration, held, awaited []string) (alive bool, free []string, err error) {
	batch := &pgx.Batch{}
	batch.Queue(s.in(`with alive as (update @.worker set expires = clock_timestamp() + $2::int8 * interval '1 microsecond' where id = $1 and expires > clock_timestamp() returning true),
		back as (update @.lease set holder = null where holder = $1 and name <> all($3::text[]))
		select exists (select from alive), array(select a.name from unnest($4::text[]) a (name)
			where not exists (select from @.lease l join @.worker w on w.id = l.holder where l.name = a.name and w.expires > clock_timestamp()))`),
		id, leaseFor.Microseconds(), slices.Concat([]string{}, held), slices.Concat([]string{}, awaited))
	err = l.send(ctx, batch, func(_ int, row pgx.Row) error { return row.Scan(&alive, &free) })
	return alive, free, err
}

// giveBack gives a lease back; when it is the last one, the process does not take part any longer.
func (l *leaseLine) giveBack(ctx context.Context, s *Store, h *lease, id pgtype.UUID, last bool) error {
	batch := &pgx.Batch{}
	batch.Queue(s.in(`update @.lease set holder = null where name = $1 and holder = $2 and fence = $3`), h.name, h.holder, h.fence)
	if last {
		batch.Queue(s.in(`delete from @.worker where id = $1`), id)
	}
	return l.send(ctx, batch, func(_ int, row pgx.Row) error { return row.Scan() })
}
