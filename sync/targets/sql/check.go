package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// Check implements targets.Desk: it looks at the tables, and whether they can be read.
func (d *Desk) Check(ctx context.Context) error {
	d.forget()
	return d.each(ctx, "look at the tables", func(ctx context.Context, tx *stdsql.Tx, t *table) error {
		return t.rows(ctx, tx, t.selects(false, 0).add(" WHERE 1 = 0"), func(row) error { return nil })
	})
}

// each looks at every table, in one transaction.
func (d *Desk) each(ctx context.Context, op string, fn func(context.Context, *stdsql.Tx, *table) error) error {
	for _, kind := range directory.RecordKinds() {
		if _, ok := d.tables[kind]; !ok {
			continue
		}
		if err := d.read(ctx, op, kind, false, fn); err != nil {
			return err
		}
	}
	return nil
}

// Probe implements targets.Desk.
func (d *Desk) Probe(ctx context.Context) ([]targets.Ability, error) {
	var list []targets.Ability
	add := func(has bool, name, detail string) {
		list = append(list, targets.Ability{Name: name, Has: has, Detail: detail})
	}
	err := d.each(ctx, "look at the tables", func(ctx context.Context, tx *stdsql.Tx, t *table) error {
		name := strings.Join(t.parts, ".")
		add(true, name, "unique id and mark")
		if needs := t.needs(); len(needs) > 0 {
			add(false, "new rows in "+name, "columns need a value and have no default: "+strings.Join(needs, ", "))
		}
		if d.cfg.Driver != database.Postgres {
			return nil
		}
		for _, right := range []string{"INSERT", "UPDATE", "DELETE"} {
			var has bool
			query := "SELECT pg_catalog.has_table_privilege(pg_catalog.to_regclass($1::text)::oid, $2)"
			if right != "DELETE" {
				query = "SELECT pg_catalog.has_any_column_privilege(pg_catalog.to_regclass($1::text)::oid, $2)"
			}
			if err := tx.QueryRowContext(ctx, query, t.from, right).Scan(&has); err != nil {
				return err
			}
			add(has, fmt.Sprintf("right to %s in %s", strings.ToLower(right), name), "")
		}
		return nil
	})
	return list, err
}

// needs are the columns that must have a value and for which there may be none.
func (t *table) needs() (names []string) {
	for name, c := range t.columns {
		if _, read := t.at[name]; !read && !c.nullable && !c.filled {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
