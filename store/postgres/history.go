package postgres

import (
	"cmp"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"dirsyncd/sync/directory"
)

// What is kept of the actions of runs is in parts, as many actions in one as were queued in a transaction. position is that of a part's first
// action. How many bytes all parts take is counted beside them: whoever asks each time reads none.
const schemaHistory = `
create table @.run_action (part int, run text collate "C", position int4, size int4 not null, data bytea not null, primary key (part, run, position));
create table @.history (part int primary key, bytes int8 not null);
`

// partBytes is what a part takes besides its run's id and its data.
const partBytes = 5

// KeepActions implements store.Writer.
func (t *tx) KeepActions(run string, from int, list []directory.RunAction) error {
	if run == "" || !isText(run) {
		return misuse("a run has no id")
	}
	if len(list) == 0 {
		return nil
	}
	h := &t.desk.history
	if h.first == "" || run < h.first {
		h.first, h.at = run, from
	}
	data := directory.AppendRunActions(nil, list)
	size := len(run) + partBytes + len(data)
	h.bytes += int64(size)
	if err := t.write(`insert into @.run_action (part, run, position, size, data) values ($1, $2, $3, $4, $5)`, run, from, size, data); err != nil {
		return err
	}
	return t.write(`insert into @.history as h (part, bytes) values ($1, $2) on conflict (part) do update set bytes = h.bytes + excluded.bytes`, size)
}

// actionsPart is a part as it is stored.
type actionsPart struct {
	run   string
	first int
	list  []directory.RunAction
}

// actionParts reads parts, those of a record's key only when there is one.
func (t *tx) actionParts(f *fetch, key, sql string, args ...any) (parts []actionsPart, err error) {
	err = t.query(func(rows pgx.Rows) error {
		var p actionsPart
		var data []byte
		if err := rows.Scan(&p.run, &p.first, &data); err != nil {
			return err
		}
		f.got(len(data))
		var err error
		if p.list, err = directory.ParseRunActions(data, key); err != nil {
			return t.s.corrupt("run_action")
		}
		parts = append(parts, p)
		return nil
	}, sql, append(args, f.limit)...)
	return parts, err
}

// RunActions implements store.Reader.
func (t *tx) RunActions(run string, from int, fn func(at int, a directory.RunAction) bool) error {
	if run == "" || !isText(run) || from > math.MaxInt32 { // none of which there is anything
		return nil
	}
	next := from
	for f, more := newFetch(), true; more; more = f.more() {
		// The first action that is wanted may be in a part that begins before it.
		parts, err := t.actionParts(f, "", `select run, position, data from @.run_action where part = $1 and run = $2 and position >=
			coalesce((select max(position) from @.run_action where part = $1 and run = $2 and position <= $3), $3) order by position limit $4`, run, next)
		if err != nil {
			return err
		}
		for _, p := range parts {
			for i := range p.list {
				if at := p.first + i; at >= next && !fn(at, p.list[i]) {
					return nil
				}
			}
			next = max(next, p.first+len(p.list))
		}
	}
	return nil
}

// ActionsOf implements store.Reader.
func (t *tx) ActionsOf(key string, fn func(run string, a directory.RunAction) bool) error {
	if key == "" {
		return nil
	}
	// A condition that may not apply is one that no index serves.
	const parts = `select run, position, data from @.run_action where part = $1`
	sql, args := parts+` order by run desc, position desc limit $2`, []any{}
	for f, more := newFetch(), true; more; more = f.more() {
		list, err := t.actionParts(f, key, sql, args...)
		if err != nil {
			return err
		}
		for _, p := range list {
			for _, a := range slices.Backward(p.list) {
				if !fn(p.run, a) {
					return nil
				}
			}
			sql, args = parts+` and (run, position) < ($2, $3) order by run desc, position desc limit $4`, []any{p.run, p.first}
		}
	}
	return nil
}

// ActionsKept implements store.Reader.
func (t *tx) ActionsKept() (first string, at int, kept int64, err error) {
	h := &t.desk.history
	if !h.known {
		*h = history{}
		err = t.queries(t.historyQuestions()...)
		h.known = err == nil && t.writable
	}
	return h.first, h.at, h.bytes, cmp.Or(err, t.failed)
}

// history is of what actions are kept, as a writer knows it.
type history struct {
	known bool
	first string
	at    int
	bytes int64
}

func (t *tx) historyQuestions() []question {
	h := &t.desk.history
	return []question{
		{func(rows pgx.Rows) error { return rows.Scan(&h.first, &h.at) }, `select run, position from @.run_action where part = $1 order by run, position limit 1`, nil},
		{func(rows pgx.Rows) error { return rows.Scan(&h.bytes) }, `select bytes from @.history where part = $1`, nil},
	}
}

// ForgetActions implements store.Writer. Its cost follows what is forgotten.
func (t *tx) ForgetActions(before string, most int64) error {
	first, _, kept, err := t.ActionsKept()
	if err != nil || first == "" || first >= before && kept <= most {
		return err
	}
	run, position, left, done := "", 0, kept, false
	var runs []string
	err = chunks(firstForgotten, func(limit int) (more bool, err error) {
		n := 0
		err = t.query(func(rows pgx.Rows) error {
			var r string
			var at int
			var size int64
			if err := rows.Scan(&r, &at, &size); err != nil {
				return err
			}
			n++
			if done = done || r >= before && left <= most; !done {
				if r != run {
					runs = append(runs, r)
				}
				run, position, left = r, at, left-size
			}
			return nil
		}, `select run, position, size from @.run_action where part = $1 and (run, position) > ($2, $3) order by run, position limit $4`, run, position, limit)
		return n == limit && !done, err
	})
	if err != nil {
		return err
	}
	t.desk.history = history{}
	if err := t.write(`delete from @.run_action where part = $1 and (run, position) <= ($2, $3)`, run, position); err != nil {
		return err
	}
	if err := t.write(`update @.history set bytes = bytes - $2 where part = $1`, kept-left); err != nil {
		return err
	}
	return t.forgetRuns(runs)
}

// firstForgotten is how many parts are looked at first: what comes in a run is about what goes.
const firstForgotten = 20
