package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/spelling"
)

// reading is one read of a stream.
type reading struct {
	*Connector
	source source
	op     string
	emit   func(*connectors.Page) error
	delta  bool

	layout   *columns.Layout
	keys     columns.Keys
	twins    map[string]bool // ids of several rows each
	twice    int             // rows with the key of another row
	badPairs int             // rows that name a member and not the group
	row      int
	count    int // as the query for it says; -1: none
	page     connectors.Page
	// The changes that were seen.
	changed   *changes
	startedAt time.Time // by the clock of the database
}

func (r *reading) run(ctx context.Context, encoded []byte) error {
	var from *cursor
	if r.delta {
		cur, err := r.decode(encoded)
		if err != nil {
			return err
		}
		from = &cur
	}
	return r.within(ctx, r.op, func(limited context.Context, tx *stdsql.Tx) error {
		query, args, err := r.statement(ctx, limited, tx, from)
		if err == nil && !r.delta {
			err = r.ask(ctx, limited, tx)
		}
		if err == nil && !r.delta && r.dialect.partOfAnother(query) {
			err = r.findTwins(ctx, limited, tx)
		}
		if err == nil {
			err = r.rows(ctx, limited, tx, query, args, r.prepare, r.take)
		}
		if err == nil && r.source.members != nil {
			err = r.members(ctx, limited, tx)
		}
		if err != nil {
			return err
		}
		r.end(from)
		return r.emit(&r.page)
	})
}

// statement returns the query to ask, after it has looked at the database's clock where that matters.
func (r *reading) statement(ctx, limited context.Context, tx *stdsql.Tx, from *cursor) (query string, args []any, err error) {
	query = r.source.query.Query
	ch := r.source.query.Changed
	if ch == nil {
		return query, nil, nil
	}
	if r.startedAt, err = r.now(ctx, limited, tx); err != nil || from == nil {
		return query, nil, err
	}
	overlap := ch.overlap().Std()
	if r.startedAt.Before(from.Clock.Add(-overlap)) {
		return "", nil, r.expired("the clock of the database was set back")
	}
	since := from.Changed.Add(-overlap)
	switch ch.As {
	case asSeconds:
		query, args = r.dialect.sinceNumber(query, from.Column, since.Unix())
	case asMilliseconds:
		query, args = r.dialect.sinceNumber(query, from.Column, since.UnixMilli())
	default:
		query, args = r.dialect.since(query, from.Column, from.Type, since)
	}
	return query, args, nil
}

func (r *reading) now(ctx, limited context.Context, tx *stdsql.Tx) (time.Time, error) {
	var value any
	if err := tx.QueryRowContext(limited, r.dialect.clock()).Scan(&value); err != nil {
		return time.Time{}, r.fail(ctx, r.op, err)
	}
	t, ok := value.(time.Time)
	if !ok {
		t, ok = r.dialect.moment(value)
	}
	if !ok {
		return t, r.configuration("the database does not say what time it is", "")
	}
	return t.UTC(), nil
}

// ask asks for the count of a full read.
func (r *reading) ask(ctx, limited context.Context, tx *stdsql.Tx) error {
	r.count = -1
	if r.source.query.Count == "" {
		return nil
	}
	began := r.env.Now()
	var n stdsql.NullInt64
	err := tx.QueryRowContext(limited, r.source.query.Count).Scan(&n)
	r.env.Requested(ctx, "count "+r.source.stream, began, err)
	switch {
	case errors.Is(err, stdsql.ErrNoRows) || err == nil && (!n.Valid || n.Int64 < 0):
		return r.configuration("the query for the count returns no number", "write SELECT count(*) …")
	case err != nil:
		return r.fail(ctx, r.op, err)
	}
	r.count = int(n.Int64)
	return nil
}

func (r *reading) configuration(what, hint string) error {
	return &fault.Error{Class: fault.Configuration, Op: r.op, Where: r.cfg.Address(), Err: errors.New(what), Hint: hint}
}

// result is a result set under way.
type result struct {
	header     []string
	types      []string
	values     []any
	pointers   []any
	converters []func(any) columns.Cell
	cells      []columns.Cell
}

// rows asks a query and hands over its rows, one at a time.
func (r *reading) rows(ctx, limited context.Context, tx *stdsql.Tx, query string, args []any, header func(*result) error, row func(*result) error) error {
	limited, stop := context.WithCancel(limited)
	defer stop()
	began := r.env.Now()
	rows, err := tx.QueryContext(limited, query, args...)
	r.env.Requested(ctx, "query "+r.source.stream, began, err)
	if err != nil {
		return r.fail(ctx, r.op, err)
	}
	defer func() {
		stop() // or what nobody wants is read to its end
		_ = rows.Close()
	}()
	res, err := r.result(rows)
	if err != nil {
		return r.fail(ctx, r.op, err)
	}
	if err := header(res); err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(res.pointers...); err != nil {
			return r.fail(ctx, r.op, err)
		}
		for i, convert := range res.converters {
			res.cells[i] = convert(res.values[i])
		}
		if err := row(res); err != nil {
			return err
		}
	}
	// A result set is whole only if its end came without an error.
	if err := rows.Err(); err != nil {
		return r.fail(ctx, r.op, err)
	}
	return nil
}

func (r *reading) result(rows *stdsql.Rows) (*result, error) {
	header, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	n := len(header)
	res := &result{
		header: header, types: make([]string, n), values: make([]any, n), pointers: make([]any, n),
		converters: make([]func(any) columns.Cell, n), cells: make([]columns.Cell, n),
	}
	for i, t := range types {
		res.types[i] = strings.ToUpper(t.DatabaseTypeName())
		res.converters[i] = r.dialect.converter(res.types[i])
		res.pointers[i] = &res.values[i]
	}
	return res, nil
}

// mostTwins bounds what is remembered of keys in several rows: more of them are no mistake of single rows.
const mostTwins = 10_000

// findTwins finds keys that stand in several rows: which of them is meant nobody can tell, so all are parked. It is asked
// beforehand, because the first of them would have been taken by the time at which the second comes.
func (r *reading) findTwins(ctx, limited context.Context, tx *stdsql.Tx) error {
	none := "SELECT * FROM (\n" + r.source.query.Query + "\n) AS no_rows WHERE 1 = 0"
	if err := r.rows(ctx, limited, tx, none, nil, r.prepare, r.take); err != nil {
		return err
	}
	var names []string
	for _, i := range r.layout.Key() {
		names = append(names, database.Quote(r.cfg.Driver, r.layout.Uses()[i].Column))
	}
	list := strings.Join(names, ", ")
	query := "SELECT " + list + " FROM (\n" + r.source.query.Query + "\n) AS all_rows GROUP BY " + list + " HAVING count(*) > 1"
	row := make([]columns.Cell, len(r.layout.Uses()))
	r.twins = map[string]bool{}
	return r.rows(ctx, limited, tx, query, nil, func(*result) error { return nil }, func(res *result) error {
		for n, i := range r.layout.Key() {
			row[i] = res.cells[n]
		}
		if id := r.layout.ID(row); id != "" {
			r.twins[id] = true
		}
		if len(r.twins) > mostTwins {
			return r.configuration("the query of "+r.source.word+" lists more than 10000 keys more than once", "a join lists a row once for each of its matches: use string_agg, group_concat or a query of their own")
		}
		return nil
	})
}

// prepare compiles the layout.
func (r *reading) prepare(res *result) error {
	var problems []columns.Problem
	if r.layout, problems = columns.Compile(&r.source.query.Config, r.options(r.source), res.header); len(problems) > 0 {
		return columns.Fault(fault.Configuration, r.op, "query of "+r.source.word, problems)
	}
	if ch := r.source.query.Changed; ch != nil {
		i := slices.IndexFunc(res.header, func(h string) bool { return strings.EqualFold(h, ch.Column) })
		if i < 0 {
			return r.configuration(fmt.Sprintf("the query of %s has no column %q, which changed names", r.source.word, ch.Column),
				spelling.Suggest(ch.Column, res.header))
		}
		r.changed = &changes{place: i, column: res.header[i], typ: res.types[i], as: ch.As, moment: r.dialect.moment}
	}
	r.page.Objects = make([]directory.Object, 0, r.pageSize)
	return nil
}

// take makes an object of a row.
func (r *reading) take(res *result) error {
	if len(r.page.Objects)+len(r.page.Invalid) >= r.pageSize {
		if err := r.flush(); err != nil {
			return err
		}
	}
	r.row++
	if r.changed != nil && !r.changed.see(res.values[r.changed.place]) {
		return r.configuration(fmt.Sprintf("column %q of the query of %s holds no time of change", r.changed.column, r.source.word),
			"it must be a time; for whole numbers write changed: {as: seconds} or {as: milliseconds}")
	}
	// The slices of an object of the page before are used again.
	r.page.Objects = r.page.Objects[:len(r.page.Objects)+1]
	o := &r.page.Objects[len(r.page.Objects)-1]
	problems := r.layout.Object(res.cells, o)
	if o.ID != "" && (!r.keys.Add(o.ID) || r.twins[o.ID]) {
		r.twice++
		problems = []columns.Problem{{Index: -1, Reason: "another row has the same key", Hint: "correct key, or the query: a join lists a row once for each of its matches"}}
	}
	if len(problems) > 0 {
		id := o.ID
		if id == "" && r.source.query.Absent != absentGone {
			id = r.where("") // nobody's absence counts, so nobody need know whose row it is
		}
		r.page.Objects = r.page.Objects[:len(r.page.Objects)-1]
		r.page.Invalid = append(r.page.Invalid, connectors.Invalid{Kind: r.source.kind, ID: id, Where: r.where(id), Err: columns.Fault(fault.Invalid, r.op, "", problems)})
		return nil
	}
	if r.layout.HasMembers() {
		r.page.Members = append(r.page.Members, connectors.Members{Group: o.ID, Add: r.layout.Members(res.cells, nil), Whole: true})
	}
	return nil
}

// where names a row for the operator.
func (r *reading) where(id string) string {
	if id != "" {
		return id
	}
	return fmt.Sprintf("row %d of the query of %s", r.row, r.source.word)
}

// flush emits the page that is full and begins another one.
func (r *reading) flush() error {
	if err := r.emit(&r.page); err != nil {
		return err
	}
	r.page = connectors.Page{Objects: r.page.Objects[:0], Invalid: r.page.Invalid[:0], Members: r.page.Members[:0]}
	return nil
}

// end completes the last page.
func (r *reading) end(from *cursor) {
	r.page.Proof = &connectors.Proof{Scope: r.scope(), Count: -1, Reads: r.layout.Says()}
	if r.source.members != nil {
		// Another query may list fewer members, and scopes are of objects.
		r.page.Proof.Reads = append(r.page.Proof.Reads, "members: query "+digest(strings.Fields(r.source.members.Query)))
	}
	if r.changed != nil {
		r.page.Cursor = r.encode(r.changed.cursor(from, r.startedAt))
	}
	if r.delta {
		return
	}
	r.page.Proof.Count = r.count
	keeps := r.source.query.Absent != absentGone
	switch {
	case r.badPairs > 0:
		r.page.Proof.Doubt = fmt.Sprintf("rows of the query of members do not name a whole key (%d)", r.badPairs)
	case r.twice > 0 && !keeps:
		r.page.Proof.Doubt = fmt.Sprintf("keys stand twice (rows with the key of another row: %d)", r.twice)
	}
	if keeps {
		r.page.Unlisted = []connectors.Part{connectors.Kept("absent: keep")}
	}
}

// changes are the times at which rows changed, as a result set has them.
type changes struct {
	place       int
	column, typ string
	as          string
	moment      func(any) (time.Time, bool)
	greatest    time.Time
}

// see takes the time of a row. It returns false when it is none; no time at all is one that is always read.
func (c *changes) see(value any) bool {
	t, ok := c.read(value)
	if ok && t.After(c.greatest) {
		c.greatest = t
	}
	return ok
}

func (c *changes) read(value any) (t time.Time, ok bool) {
	if value == nil {
		return t, true
	}
	if c.as == asSeconds || c.as == asMilliseconds {
		n, ok := whole(value)
		if c.as == asSeconds {
			return time.Unix(n, 0), ok
		}
		return time.UnixMilli(n), ok
	}
	if t, ok = value.(time.Time); ok {
		return t, true
	}
	if t, ok = c.moment(value); ok {
		return t, true
	}
	text, _ := value.(string)
	return t, strings.HasSuffix(text, "infinity")
}

// whole reads a whole number, in whatever type drivers return one.
func whole(value any) (int64, bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), v>>63 == 0
	case []byte:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return n, err == nil
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	default:
		return 0, false
	}
}

// cursor is where the next read goes on: what changed later than anything that was seen, and than the moment at which it was.
func (c *changes) cursor(from *cursor, clock time.Time) cursor {
	changed := c.greatest.UTC()
	if from != nil && changed.Before(from.Changed) {
		changed = from.Changed
	}
	if changed.After(clock) || changed.IsZero() {
		changed = clock
	}
	return cursor{Column: c.column, Type: c.typ, Changed: changed, Clock: clock}
}
