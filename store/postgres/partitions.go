package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// ask runs one statement that reads, outside of any transaction, and calls scan for each row. "@." stands for the schema.
func (s *Store) ask(ctx context.Context, op string, scan func(pgx.Rows) error, sql string, args ...any) error {
	if err := ended(ctx, op); err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, s.in(sql), args...)
	if err == nil {
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return s.classify(op, err)
			}
		}
		err = rows.Err()
	}
	if err == nil {
		s.noteBack()
		return nil
	}
	s.noteAway(err)
	if ended := ended(ctx, op); ended != nil {
		return ended
	}
	return s.classify(op, err)
}

// listPartitions runs a statement that gives connections and tenants.
func (s *Store) listPartitions(ctx context.Context, sql string, args ...any) (list []store.Partition, err error) {
	err = s.ask(ctx, "list partitions", func(rows pgx.Rows) error {
		var p store.Partition
		err := rows.Scan(&p.Connection, &p.Tenant)
		list = append(list, p)
		return err
	}, sql, args...)
	return list, err
}

// Partitions implements store.Store.
func (s *Store) Partitions(ctx context.Context, connections ...string) ([]store.Partition, error) {
	if len(connections) == 0 {
		all, err := s.listPartitions(ctx, `select connection, tenant from @.partition order by connection, tenant`)
		return slices.DeleteFunc(all, func(p store.Partition) bool { _, ok := p.Target(); return ok }), err
	}
	return s.listPartitions(ctx, `select connection, tenant from @.partition where connection = any($1::text[]) order by connection, tenant`, connections)
}

// DropPartition implements store.Store.
func (s *Store) DropPartition(ctx context.Context, p store.Partition) error {
	if err := checkName(p); err != nil {
		return err
	}
	return s.transact(ctx, "drop partition", &tx{name: p, writable: true, long: true}, func(t *tx) error {
		var err error
		for _, table := range tables() {
			err = errors.Join(err, t.erase(`delete from @.`+table+` where part = $1`))
		}
		return errors.Join(err, t.erase(`delete from @.partition where id = $1`))
	})
}

// MovePartition implements store.Store. Nothing but the name is changed.
func (s *Store) MovePartition(ctx context.Context, from, to store.Partition) error {
	if err := errors.Join(checkName(from), checkName(to)); err != nil {
		return err
	}
	return s.transact(ctx, "move partition", &tx{name: from, writable: true}, func(t *tx) error {
		taken := false
		err := t.query(func(pgx.Rows) error { taken = true; return nil },
			`select from @.partition where connection = $2 and tenant = $3 and id <> $1`, to.Connection, to.Tenant)
		if err != nil {
			return err
		}
		if taken {
			return misuse("partition %q is moved to %q, where there is something", from, to)
		}
		return t.erase(`update @.partition set connection = $2, tenant = $3 where id = $1`, to.Connection, to.Tenant)
	})
}
