package sql

import (
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"dirsyncd/sync/targets"
)

// row is one as it was read: the values of table.read.
type row []stdsql.NullString

func (t *table) row() (row, []any) {
	r := make(row, len(t.read))
	into := make([]any, len(r), len(r)+1)
	for i := range r {
		into[i] = &r[i]
	}
	return r, into
}

func (r row) id() string   { return r[0].String }
func (r row) mark() string { return strings.TrimSpace(r[1].String) }

// rows runs a query that selects began and tells its rows one by one; they belong to yield until it returns.
func (t *table) rows(ctx context.Context, tx *stdsql.Tx, s *statement, yield func(row) error) error {
	rows, err := tx.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	r, into := t.row()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// entity translates a row. Its members are not in it.
func (t *table) entity(r row) targets.Entity {
	e := targets.Entity{Kind: t.kind, ID: r.id(), Keys: map[string]string{}, Fields: map[string]string{}, Refs: map[string]string{}, Active: t.inUse(r), Revision: r.revision()}
	if mark := r.mark(); mark != "" {
		e.Keys[targets.Mark] = mark
	}
	for _, k := range t.keys {
		if v := strings.TrimSpace(r[t.at[k.Name]].String); v != "" {
			e.Keys[k.Name] = v
		}
	}
	for field, column := range t.Columns {
		e.Fields[field] = r[t.at[column]].String
	}
	for field, column := range t.References {
		if v := r[t.at[column]]; v.Valid {
			e.Refs[field] = v.String
		}
	}
	return e
}

// inUse reports whether a row is in use. A value that nobody named counts as in use: only what is known to mean the end does.
func (t *table) inUse(r row) bool {
	if t.Ended != "" {
		return !r[t.at[t.Ended]].Valid
	}
	if t.Active == nil {
		return true
	}
	v := r[t.at[t.Active.Column]]
	text := strings.ToLower(strings.TrimSpace(v.String))
	if t.Active.InUse != "" {
		return !slices.ContainsFunc(t.Active.OutOfUse, func(out string) bool { return strings.EqualFold(out, text) })
	}
	return !v.Valid || !slices.Contains([]string{"0", "f", "false", "n", "no", "off"}, text)
}

// use is the column that says whether a row is in use, and the value that says so; "" when there is none.
func (t *table) use(d *Desk, active bool) (column string, value any) {
	switch {
	case t.Ended != "" && active:
		return t.Ended, nil
	case t.Ended != "":
		if c := t.columns[t.Ended]; c != nil && c.whole {
			return t.Ended, d.now().Unix()
		}
		return t.Ended, moment(t.driver, d.now())
	case t.Active == nil:
		return "", nil
	case t.Active.InUse != "" && active:
		return t.Active.Column, t.param(t.Active.Column, t.Active.InUse)
	case t.Active.InUse != "":
		return t.Active.Column, t.param(t.Active.Column, t.Active.OutOfUse[0])
	case active:
		return t.Active.Column, t.param(t.Active.Column, "1")
	default:
		return t.Active.Column, t.param(t.Active.Column, "0")
	}
}

// revision names the state of a row, as far as it is read.
func (r row) revision() string {
	h := sha256.New()
	var size [9]byte
	for _, v := range r {
		size[0] = 0
		if v.Valid {
			size[0] = 1
		}
		binary.BigEndian.PutUint64(size[1:], uint64(len(v.String)))
		_, _ = h.Write(size[:])
		_, _ = h.Write([]byte(v.String))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
