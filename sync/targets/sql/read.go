package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// read runs fn in a transaction that only reads, which the server sees to (of SQL Server: the account's rights), and in which
// all queries see the same. It lasts as long as the configuration allows, or, for a whole list, as long as ctx.
func (d *Desk) read(ctx context.Context, op string, kind directory.RecordKind, whole bool, fn func(context.Context, *stdsql.Tx, *table) error) error {
	outer := ctx
	if !whole {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.cfg.Timeout.Std())
		defer cancel()
	}
	opts := &stdsql.TxOptions{Isolation: stdsql.LevelRepeatableRead, ReadOnly: true}
	switch d.cfg.Driver {
	case database.SQLite:
		opts = nil
	case database.SQLServer:
		opts = &stdsql.TxOptions{Isolation: stdsql.LevelReadCommitted}
	}
	tx, err := d.reads.BeginTx(ctx, opts)
	if err != nil {
		return d.fail(outer, op, err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := d.prepare(ctx, tx, whole); err != nil {
		return d.fail(outer, op, err)
	}
	tables, err := d.know(ctx, tx)
	if err != nil {
		return d.fail(outer, op, err)
	}
	t, ok := tables[kind]
	if !ok {
		return d.unknown(kind)
	}
	var own ending
	if err := fn(ctx, tx, t); errors.As(err, &own) {
		return own.error
	} else if err != nil {
		return d.fail(outer, op, err)
	}
	return nil
}

// ending is an error that is none of the database's and goes back unchanged.
type ending struct{ error }

// prepare bounds the time of statements and says in which zone times are.
func (d *Desk) prepare(ctx context.Context, tx *stdsql.Tx, whole bool) error {
	if d.cfg.Driver != database.Postgres {
		return nil
	}
	timeout := max(1, d.cfg.Timeout.Std().Milliseconds())
	if whole {
		timeout = 0
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("SELECT set_config('statement_timeout', '%d', true), set_config('TimeZone', 'UTC', true)", timeout))
	return err
}

func (d *Desk) unknown(kind directory.RecordKind) error {
	return &fault.Error{Class: fault.Invalid, Op: "deliver", Err: fmt.Errorf("there is no table for a %s", kind), Hint: "give it one, or take the kind out of kinds of the target"}
}

// Survey implements targets.Desk. Rows and their number are of the same moment.
func (d *Desk) Survey(ctx context.Context, kind directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	var proof targets.Proof
	err := d.read(ctx, "list "+kind.String()+"s", kind, true, func(ctx context.Context, tx *stdsql.Tx, t *table) error {
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.from).Scan(&proof.Count); err != nil {
			return err
		}
		if d.cfg.Driver == database.Postgres {
			var hides bool
			if err := tx.QueryRowContext(ctx, "SELECT pg_catalog.row_security_active(pg_catalog.to_regclass($1::text)::oid)", t.from).Scan(&hides); err != nil {
				return err
			}
			if hides {
				proof.Doubt = "policies of the database may hide rows from this account"
			}
		}
		if t.Members != nil {
			return t.surveyGroups(ctx, tx, yield)
		}
		return t.rows(ctx, tx, t.selects(false, 0), func(r row) error {
			e := t.entity(r)
			return ended(yield(&e))
		})
	})
	if err != nil {
		return targets.Proof{}, err
	}
	return proof, nil
}

func ended(err error) error {
	if err != nil {
		return ending{err}
	}
	return nil
}

// surveyGroups lists rows with their members, which stand beside them in as many lines.
func (t *table) surveyGroups(ctx context.Context, tx *stdsql.Tx, yield func(*targets.Entity) error) error {
	s := t.statement("SELECT ")
	for _, c := range t.read {
		s.add(t.asText(c), ", ")
	}
	m := t.Members
	s.add(textOf(t.driver, "m."+t.quote(m.Member), nil), " FROM ", t.from, " AS t LEFT JOIN ", nameOf(t.driver, nameParts(m.Table)), " AS m ON m.", t.quote(m.Group), " = t.", t.quote(t.ID),
		" ORDER BY t.", t.quote(t.ID))
	rows, err := tx.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	r, into := t.row()
	var member stdsql.NullString
	into = append(into, &member)
	var e *targets.Entity
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if e == nil || e.ID != r.id() {
			if e != nil {
				if err := yield(e); err != nil {
					return ending{err}
				}
			}
			next := t.entity(r)
			e, next.MembersKnown = &next, true
		}
		if member.Valid {
			e.Members = append(e.Members, member.String)
		}
	}
	if err := rows.Err(); err != nil || e == nil {
		return err
	}
	return ended(yield(e))
}

// handful is how many rows Find returns at most.
const handful = 20

// scans are searches that look at each row of a table, since a time.
type scans struct {
	since time.Time
	n     int
}

// mostScans is how many of them there are in a minute: a whole list costs little more than as many, and serves everybody.
const mostScans = 25

// tooMany counts a search that looks at each row, and reports whether a list is the better way by now.
func (d *Desk) tooMany(kind directory.RecordKind) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.scans[kind]
	if now := d.now(); now.Sub(s.since) > time.Minute {
		s = scans{since: now}
	}
	s.n++
	d.scans[kind] = s
	return s.n > mostScans
}

// Find implements targets.Desk.
func (d *Desk) Find(ctx context.Context, kind directory.RecordKind, key, value string) ([]targets.Entity, error) {
	t, ok := d.tables[kind]
	if !ok {
		return nil, d.unknown(kind)
	}
	column, folded := t.Mark, false
	if key != targets.Mark {
		i := 0
		for ; i < len(t.keys) && t.keys[i].Name != key; i++ {
		}
		if i == len(t.keys) {
			return nil, targets.ErrCannotFind
		}
		column, folded = key, t.keys[i].Folded
	}
	value = strings.TrimSpace(value)
	switch {
	case value == "" || strings.ContainsRune(value, 0):
		return nil, nil
	case folded && d.cfg.Driver != database.MySQL && strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }):
		// What lower() makes of other letters depends on the locale, and of SQLite nothing.
		return nil, targets.ErrCannotFind
	case folded && d.tooMany(kind):
		return nil, targets.ErrCannotFind
	}
	var found []targets.Entity
	err := d.read(ctx, "find a "+kind.String(), kind, false, func(ctx context.Context, tx *stdsql.Tx, t *table) error {
		s := t.selects(false, handful).add(" WHERE ")
		t.matches(s, column, folded, value)
		t.ends(s, false, handful)
		return possible(t.rows(ctx, tx, s, func(r row) error {
			// Collations find what is like it, too.
			if have := strings.TrimSpace(r[t.at[column]].String); have == value || folded {
				e := t.entity(r)
				e.Short = t.Members != nil
				found = append(found, e)
			}
			return nil
		}))
	})
	return found, err
}

// Fetch implements targets.Desk.
func (d *Desk) Fetch(ctx context.Context, kind directory.RecordKind, id string) (targets.Entity, error) {
	var found *targets.Entity
	err := d.read(ctx, "read a "+kind.String(), kind, false, func(ctx context.Context, tx *stdsql.Tx, t *table) error {
		s := t.selects(false, 0).add(" WHERE t.", t.quote(t.ID), " = ").value(t.param(t.ID, id))
		err := possible(t.rows(ctx, tx, s, func(r row) error {
			if r.id() == id {
				e := t.entity(r)
				found = &e
			}
			return nil
		}))
		if err != nil || found == nil || t.Members == nil {
			return err
		}
		found.MembersKnown = true
		found.Members, err = t.members(ctx, tx, id)
		return err
	})
	switch {
	case err != nil:
		return targets.Entity{}, err
	case found == nil:
		return targets.Entity{}, d.gone("read a " + kind.String())
	default:
		return *found, nil
	}
}

func (d *Desk) gone(op string) error {
	return &fault.Error{Class: fault.Gone, Op: op, Where: d.cfg.Address(), Err: errors.New("there is no row with this id")}
}

// members are the ids of a group's members.
func (t *table) members(ctx context.Context, tx *stdsql.Tx, id string) (ids []string, err error) {
	m := t.Members
	s := t.statement("SELECT ", textOf(t.driver, "m."+t.quote(m.Member), nil), " FROM ", nameOf(t.driver, nameParts(m.Table)), " AS m WHERE m.", t.quote(m.Group), " = ").value(t.param(t.ID, id))
	err = ask(ctx, tx, s, func(scan func(...any) error) error {
		var member stdsql.NullString
		if err := scan(&member); err != nil {
			return err
		}
		if member.Valid {
			ids = append(ids, member.String)
		}
		return nil
	})
	return ids, err
}

// possible is the error of a query for a value: a column that cannot have the value has no row with it.
func possible(err error) error {
	if database.ProblemOf(err) == database.Value {
		return nil
	}
	return err
}
