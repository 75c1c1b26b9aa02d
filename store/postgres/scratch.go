package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// copyMark is within the names of the schemas of copies, before when they were made and whose they are.
const copyMark = "_copy_"

// Scratch implements store.Store. The copy is a schema of its own in the same database, whose tables are not in the write-ahead log. What a
// process leaves behind that was killed, another one removes at its start (removeLeftovers).
func (s *Store) Scratch(ctx context.Context, parts ...store.Partition) (store.Store, error) {
	for _, p := range parts {
		if err := checkName(p); err != nil {
			return nil, err
		}
	}
	if err := ended(ctx, "copy state"); err != nil {
		return nil, err
	}
	base, _, _ := strings.Cut(s.schema, copyMark)
	id := newID()
	c := &Store{
		pool: s.pool, config: s.config, session: s.session, where: s.where, pooled: s.pooled, log: s.log, away: &atomic.Bool{}, left: s.left, longView: s.longView, longestView: s.longestView, names: &nameCache{}, drop: true,
		schema: fmt.Sprintf("%s%s%x", base, copyMark, id.Bytes[:6]),
	}
	c.leases = newLeases(c, s.leases.leaseFor)
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(btx pgx.Tx) error { return s.copyTo(ctx, btx, c, parts) })
	if err != nil {
		s.noteAway(err)
		if ended := ended(ctx, "copy state"); ended != nil {
			return nil, ended
		}
		return nil, s.classify("copy state", err)
	}
	return c, nil
}

// copyTo makes the schema of a copy and copies partitions into it.
func (s *Store) copyTo(ctx context.Context, btx pgx.Tx, c *Store, parts []store.Partition) error {
	ddl := strings.ReplaceAll(schemaObjects+schemaDesk, "create table", "create unlogged table")
	if _, err := btx.Exec(ctx, unhurried); err != nil {
		return err
	}
	whose := s.session
	if s.pooled { // nobody can tell whether it is there
		whose = "a copy of a process behind a pooler"
	}
	if _, err := btx.Exec(ctx, "create schema "+c.schema); err != nil {
		return s.mayNotMake(err, "copy state", "what is only looked at, such as a plan, is worked out on a copy, in a schema of its own: ",
			"use a configuration whose `state` names a role that reads the state and may make schemas (docs/postgresql.md)")
	}
	_, err := btx.Exec(ctx, c.in(ddl+"comment on schema "+c.schema+" is '"+whose+"'"), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	if _, err := btx.Exec(ctx, c.in("insert into @.meta select * from "+s.schema+".meta")); err != nil {
		return err
	}
	connections, tenants := make([]string, len(parts)), make([]string, len(parts))
	for i, p := range parts {
		connections[i], tenants[i] = p.Connection, p.Tenant
	}
	var ids []int32
	rows, err := btx.Query(ctx, s.in(`select p.id from @.partition p where (p.connection, p.tenant) in (select * from unnest($1::text[], $2::text[]))`), connections, tenants)
	if err != nil {
		return err
	}
	if ids, err = pgx.CollectRows(rows, pgx.RowTo[int32]); err != nil || len(ids) == 0 {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(c.in("insert into @.partition overriding system value select * from "+s.schema+".partition where id = any($1::int[])"), ids)
	batch.Queue(c.in("select setval(pg_get_serial_sequence('@.partition', 'id'), (select max(id) from @.partition))"))
	for _, table := range tables() {
		batch.Queue(c.in("insert into @."+table+" select * from "+s.schema+"."+table+" where part = any($1::int[])"), ids)
	}
	return btx.SendBatch(ctx, batch).Close()
}

// dropSchema removes the schema of a copy.
func (s *Store) dropSchema() error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	_, err := s.pool.Exec(ctx, "drop schema if exists "+s.schema+" cascade")
	return s.classify("remove the copy of the state", err)
}

// removeLeftovers removes copies of processes that are gone: none of their sessions is there any more. That it fails is no reason not to start.
func (s *Store) removeLeftovers(ctx context.Context) {
	if s.pooled || strings.Contains(s.schema, copyMark) {
		return // behind a pooler nobody knows whose session is whose
	}
	rows, err := s.pool.Query(ctx, `select n.nspname from pg_catalog.pg_namespace n where starts_with(n.nspname, $1) and pg_has_role(n.nspowner, 'member')
		and obj_description(n.oid, 'pg_namespace') like 'dirsyncd %' and obj_description(n.oid, 'pg_namespace') not in (select application_name from pg_stat_activity)`,
		s.schema+copyMark) // without our comment it is a state that somebody named so
	if err != nil {
		return
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range names {
		if err == nil {
			_, err = s.pool.Exec(ctx, "drop schema if exists "+pgx.Identifier{name}.Sanitize()+" cascade")
		}
	}
}
