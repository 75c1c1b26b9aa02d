package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store/encoding"
	"dirsyncd/sync/fault"
)

// Whoever works on a state has an advisory lock in the database that several can share, in the session of its signs of life; a move has it
// alone. So a move knows whether anybody has the state open, and nobody opens it meanwhile. Who only reads takes no part. A session of a pooler is
// several people's: there nobody takes it, and nothing is moved.

// OpenToExport opens a state that nobody works on, to be handed out. Nobody opens it for work until it is closed.
func OpenToExport(ctx context.Context, opts Options) (*Store, error) {
	opts.ReadOnly = true
	s, err := Open(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := s.takeAlone(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// OpenToImport opens a schema into which another state is moved, and makes it when there is none. It must be empty, or have been moved to where the
// other one is, and then Begin empties it. It says of itself that it is being moved into until Accept: nobody else opens it. Of a move that did not come to its end
// before, the remains are removed, and what it was is returned.
func OpenToImport(ctx context.Context, opts Options, m encoding.Moving) (s *Store, before *encoding.Moving, err error) {
	if s, err = prepare(opts); err != nil {
		return nil, nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, nil, err
	}
	s.moving = m
	err = s.takeAlone(ctx)
	if err == nil {
		before, err = s.remains(ctx)
	}
	if err == nil && s.replaced == nil {
		err = s.beginEmpty(ctx, before != nil)
	}
	if err != nil {
		_ = s.Close() // the reason why it is of no use is the better error
		return nil, nil, s.classify("begin to move state", err)
	}
	return s, before, nil
}

// beginEmpty marks a schema that is made here, or has nothing in it, or what a move left.
func (s *Store) beginEmpty(ctx context.Context, remains bool) error {
	if remains {
		return s.empty(ctx)
	}
	err := s.migrate(ctx, migrations())
	if err == nil {
		err = s.mustBeEmpty(ctx)
	}
	if err == nil {
		err = s.setFormat(ctx, s.moving.Format())
	}
	return err
}

// Begin removes the state that was moved from here before, if there is one, and returns what it said of itself.
func (s *Store) Begin(ctx context.Context) (*encoding.Moved, error) {
	if s.replaced == nil {
		return nil, nil
	}
	return s.replaced, s.classify("begin to move state", s.empty(ctx))
}

func (s *Store) setFormat(ctx context.Context, format string) error {
	_, err := s.pool.Exec(ctx, s.in(`update @.meta set format = $1`), format)
	return err
}

// takeAlone takes the lock that others share.
func (s *Store) takeAlone(ctx context.Context) error {
	if s.pooled {
		return &fault.Error{Class: fault.Configuration, Op: "move state", Where: s.where, Err: errors.New("a pooler is between, and a move has to know who else is there"),
			Hint: "name the server itself in the URL"}
	}
	if s.leases == nil {
		s.leases = newLeases(s, 0)
	}
	line := &s.leases.line
	line.mu.Lock()
	defer line.mu.Unlock()
	line.begin = func(ctx context.Context, conn *pgx.Conn) error {
		var got bool
		if err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1)`, s.useLock()).Scan(&got); err != nil {
			return err
		}
		if who, err := s.users(ctx, conn); err != nil || len(who) > 0 || !got {
			return errors.Join(err, s.inUse(who))
		}
		return nil
	}
	if err := line.open(ctx); err != nil {
		return s.classify("move state", err)
	}
	line.begin = func(context.Context, *pgx.Conn) error { return s.disturbed() } // whoever has lost it cannot take it again
	return nil
}

// Undisturbed reports whether nobody else could open the state for work since OpenToExport or OpenToImport.
func (s *Store) Undisturbed(ctx context.Context) error {
	line := &s.leases.line
	line.mu.Lock()
	defer line.mu.Unlock()
	if line.conn == nil || line.conn.Ping(ctx) != nil {
		return s.disturbed()
	}
	return nil
}

func (s *Store) disturbed() error {
	return &fault.Error{Class: fault.Transient, Op: "move state", Where: s.where, Err: errors.New("the connection was lost that kept others away"), Hint: "move it again: it begins anew"}
}

// useLock is the key of the lock of the schema.
func (s *Store) useLock() int64 {
	sum := sha256.Sum256([]byte("dirsyncd state in " + s.schema))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// use takes the lock for one of those who work on the state.
func (s *Store) use(ctx context.Context, conn *pgx.Conn) error {
	var got bool
	if err := conn.QueryRow(ctx, `select pg_try_advisory_lock_shared($1)`, s.useLock()).Scan(&got); err != nil || got {
		return err
	}
	return &fault.Error{Class: fault.Transient, Op: "open state", Where: s.place(), Err: errors.New("it is being moved: a `dirsyncd state move` reads it, or fills it"),
		Hint: "wait until that is over. It says what to write in `state` then"}
}

// users names the processes that have the state open for work: those that share the lock, and those of former versions, which give signs of life.
func (s *Store) users(ctx context.Context, conn *pgx.Conn) (who []string, err error) {
	tables := []string{s.schema + ".worker", s.schema + "_fleet.worker"}
	var rows []string
	for _, table := range tables {
		var there bool
		if err := conn.QueryRow(ctx, `select to_regclass($1) is not null`, table).Scan(&there); err != nil {
			return nil, err
		}
		if there {
			rows = append(rows, `select session, name from `+table+` where expires > clock_timestamp()`)
		}
	}
	known := `select null::text as session, null::text as name where false`
	if len(rows) > 0 {
		known = strings.Join(rows, " union all ")
	}
	found, err := conn.Query(ctx, `with known as (`+known+`), locked as (
			select l.pid from pg_locks l where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid() and l.objsubid = 1
				and l.database = (select oid from pg_database where datname = current_database())
				and (l.classid::int8 << 32 | l.objid::int8) = $1)
		select distinct coalesce((select min(name) from known k where k.session = a.application_name), a.application_name, 'a session of another role'),
			coalesce(host(a.client_addr), 'this machine')
		from pg_stat_activity a where a.pid in (select pid from locked) or a.application_name in (select session from known) order by 1, 2`, s.useLock())
	if err != nil {
		return nil, err
	}
	var name, from string
	_, err = pgx.ForEachRow(found, []any{&name, &from}, func() error {
		who = append(who, fmt.Sprintf("%s (from %s)", name, from))
		return nil
	})
	return slices.Compact(who), err
}

func (s *Store) inUse(who []string) error {
	if len(who) == 0 {
		who = []string{"a process that is gone by now"}
	}
	return &fault.Error{Class: fault.Transient, Op: "move state", Where: s.place(), Err: fmt.Errorf("it is in use by %s", strings.Join(who, ", ")),
		Hint: "stop every daemon that has this state (systemctl stop dirsyncd), and wait for commands that are at work; nothing was changed"}
}

// remains is what a move left in the schema that did not come to its end. A state that was moved away is what Begin removes, if it became the one
// that comes, and else refused.
func (s *Store) remains(ctx context.Context) (before *encoding.Moving, err error) {
	_, err = s.version(ctx, s.pool)
	if !errors.Is(err, encoding.ErrMoving) && !errors.Is(err, encoding.ErrMoved) {
		return nil, err
	}
	var format string
	var version int
	if err := s.pool.QueryRow(ctx, s.in(`select format, version from @.meta`)).Scan(&format, &version); err != nil {
		return nil, err
	}
	if latest := len(migrations()) + 1; version > latest {
		return nil, s.tooNew(version, latest)
	}
	if m, ok := encoding.MovingOf(format); ok {
		return &m, nil
	}
	moved, _ := encoding.MovedOf(format)
	if moved.To != s.moving.From {
		return nil, moved.NotItsPlace(s.place())
	}
	s.replaced = &moved
	return nil, nil
}

// empty removes what is there, and says what the schema is.
func (s *Store) empty(ctx context.Context) error {
	sql := `truncate @.partition, @.item, @.used, @.ledger`
	for _, table := range tables() {
		sql += `, @.` + table
	}
	batch := &pgx.Batch{}
	batch.Queue(s.in(sql))
	batch.Queue(s.in(`update @.meta set format = $1`), s.moving.Format())
	return s.pool.SendBatch(ctx, batch).Close() // one transaction
}

// mustBeEmpty refuses a state in which something is.
func (s *Store) mustBeEmpty(ctx context.Context) error {
	parts, err := s.listPartitions(ctx, `select connection, tenant from @.partition order by connection, tenant`)
	if err != nil {
		return err
	}
	beside := false
	err = s.ask(ctx, "open state", func(rows pgx.Rows) error { return rows.Scan(&beside) }, `select exists (select from @.item) or exists (select from @.used) or exists (select from @.ledger)`)
	if err != nil || len(parts) == 0 && !beside {
		return err
	}
	return encoding.NotEmpty(s.place(), parts)
}

// Accept ends a move into the schema: from now on it is a state as any other.
func (s *Store) Accept(ctx context.Context) error {
	if err := s.Undisturbed(ctx); err != nil {
		return err
	}
	return s.classify("end the move of state", s.setFormat(ctx, formatName))
}

// MarkMoved has the schema say that it was moved: nobody opens it any more, until Reopen.
func (s *Store) MarkMoved(ctx context.Context, m encoding.Moved) error {
	if err := s.Undisturbed(ctx); err != nil {
		return err
	}
	return s.classify("mark state as moved", s.setFormat(ctx, m.Format()))
}

// Reopen makes a state that was moved one to work on again, as it was then, and returns what it said of itself; nil for one that does not say that it was
// moved, which is left as it is.
func Reopen(ctx context.Context, opts Options) (was *encoding.Moved, err error) {
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.takeAlone(ctx); err != nil {
		return nil, err
	}
	version, err := s.version(ctx, s.pool)
	if err == nil && version == 0 {
		err = &fault.Error{Class: fault.Configuration, Op: "reopen state", Where: s.place(), Err: ErrNone}
	}
	if !errors.Is(err, encoding.ErrMoved) {
		return nil, err
	}
	var format string
	if err := s.pool.QueryRow(ctx, s.in(`select format from @.meta`)).Scan(&format); err != nil {
		return nil, s.classify("reopen state", err)
	}
	m, _ := encoding.MovedOf(format)
	return &m, s.classify("reopen state", s.setFormat(ctx, formatName))
}
