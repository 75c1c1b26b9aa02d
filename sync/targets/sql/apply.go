package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Apply implements targets.Desk. The jobs are one transaction; when the database refuses one of them, each is one of its own.
func (d *Desk) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	out := make([]targets.Result, len(jobs))
	err := d.together(ctx, jobs, out)
	var no refusal
	if err == nil || !errors.As(err, &no) {
		return out, err
	}
	if len(jobs) == 1 {
		out[0] = targets.Result{Err: no.error}
		return out, nil
	}
	for i := range jobs {
		switch err := d.together(ctx, jobs[i:i+1], out[i:i+1]); {
		case err == nil:
		case errors.As(err, &no):
			out[i] = targets.Result{Err: no.error}
		case i == 0:
			return nil, err
		default: // what is done before it is known
			for ; i < len(jobs); i++ {
				out[i] = targets.Result{Err: err}
			}
			return out, nil
		}
	}
	return out, nil
}

// refusal is an error that is about one job, of which it is sure that nothing was done.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// together does jobs in one transaction: all, or none of them. Jobs of which the rows that are there say that they cannot be done
// have a result with an error.
func (d *Desk) together(ctx context.Context, jobs []targets.Job, out []targets.Result) error {
	op := jobs[0].Op.String() + " a " + jobs[0].Kind.String()
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout.Std())
	defer cancel()
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return d.fail(outer, op, err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := d.prepare(ctx, tx, false); err != nil {
		return d.fail(outer, op, err)
	}
	tables, err := d.know(ctx, tx)
	if err != nil {
		return d.fail(outer, op, err)
	}
	t, ok := tables[jobs[0].Kind]
	if !ok {
		return refusal{d.unknown(jobs[0].Kind)}
	}
	b := &batch{Desk: d, t: t, tx: tx, op: op, jobs: jobs, out: out, sets: make([]sets, len(jobs)), prepared: map[string]*stdsql.Stmt{}}
	defer b.close()
	if err := b.run(ctx); err != nil {
		return b.refused(outer, err)
	}
	if err := tx.Commit(); err != nil {
		return b.refused(outer, err)
	}
	return nil
}

// batch is what one transaction does.
type batch struct {
	*Desk
	t    *table
	tx   *stdsql.Tx
	op   string
	jobs []targets.Job
	out  []targets.Result
	sets []sets // what is written, by job
	// prepared are statements of MariaDB and MySQL that were prepared for this transaction: each costs the server a question.
	prepared map[string]*stdsql.Stmt
}

// sets are values by column.
type sets map[string]any

func (b *batch) run(ctx context.Context) error {
	var ids, marks []string
	for i := range b.jobs {
		switch j := &b.jobs[i]; {
		case j.Op == directory.Create && j.Mark == "" || j.Op != directory.Create && j.ID == "":
			return refusal{b.error(fault.Internal, errors.New("the job names no row"), "")}
		case j.Op == directory.Create:
			marks = append(marks, j.Mark)
		default:
			ids = append(ids, j.ID)
		}
	}
	rows, err := b.rows(ctx, b.t.ID, ids)
	if err != nil {
		return err
	}
	var made []int
	for i := range b.jobs {
		j := &b.jobs[i]
		b.sets[i] = b.t.writes(b.Desk, j)
		if j.Op == directory.Create {
			made = append(made, i)
			continue
		}
		r := rows[j.ID]
		if b.out[i] = (targets.Result{Err: b.against(j, r)}); b.out[i].Err != nil {
			continue
		}
		if err := b.change(ctx, i, r); err != nil {
			return err
		}
	}
	if err := b.insert(ctx, made); err != nil {
		return err
	}
	return b.see(ctx, ids, marks)
}

// rows reads rows by the values of a unique column, and locks them. Their keys are the values as they were asked for, exactly:
// collations, and numbers made of texts, find what is like them, too.
func (b *batch) rows(ctx context.Context, column string, values []string) (map[string]row, error) {
	found := map[string]row{}
	if len(values) == 0 {
		return found, nil
	}
	params := make([]any, len(values))
	for i, v := range values {
		params[i] = b.t.param(column, v)
	}
	s := b.t.selects(true, 0).add(" WHERE t.", b.t.quote(column), " IN (").values(params).add(")")
	b.t.ends(s, true, 0)
	at := b.t.at[column]
	err := b.t.rows(ctx, b.tx, s, func(r row) error {
		v := r[at].String
		if column == b.t.Mark {
			v = r.mark()
		}
		if _, twice := found[v]; twice {
			return b.error(fault.Configuration, fmt.Errorf("%s is not unique in %s", column, b.t.from), "")
		}
		found[v] = slices.Clone(r)
		return nil
	})
	if database.ProblemOf(err) == database.Value && len(values) == 1 && column == b.t.ID {
		return nil, refusal{b.gone(b.op)} // the column cannot have this id
	}
	return found, err
}

// against says what speaks against a job when its row is as it is. A row without the mark that it should have is another one:
// ids are given away anew, and people clear columns.
func (b *batch) against(j *targets.Job, r row) error {
	switch {
	case r == nil:
		return b.gone(b.op)
	case j.Revision != "" && j.Revision != r.revision():
		return b.error(fault.Conflict, errors.New("the row was changed since it was looked at"), "")
	case j.Mark != "" && r.mark() != "" && r.mark() != j.Mark && j.Revision == "":
		return b.error(fault.Conflict, errors.New("the row has another record's mark"), "")
	case j.Mark == "" && (r.mark() == "" || j.Owner != "" && r.mark() != j.Owner):
		return b.error(fault.Gone, errors.New("the row with this id has not the record's mark: it is another one, or somebody cleared the mark"), "")
	default:
		return nil
	}
}

// writes are the values that a job writes.
func (t *table) writes(d *Desk, j *targets.Job) sets {
	set := sets{}
	if j.Op == directory.Delete {
		return set
	}
	for name, value := range j.Keys {
		if _, known := t.at[name]; known && slices.Contains(t.Anchors, name) {
			set[name] = t.param(name, value)
		}
	}
	for _, f := range j.Fields {
		if column, known := t.Columns[f.Name]; known {
			set[column] = t.written(column, f.Value)
		}
	}
	for field, id := range j.Refs {
		if column, known := t.References[field]; known {
			set[column] = any(nil)
			if id != "" {
				set[column] = t.param(column, id)
			}
		}
	}
	if j.Mark != "" {
		set[t.Mark] = j.Mark
	}
	if j.Op == directory.Create || j.Op == directory.Deactivate || j.Op == directory.Reactivate {
		if column, value := t.use(d, j.Op != directory.Deactivate); column != "" {
			set[column] = value
		}
	}
	return set
}

// change brings a row that is locked to what a job says.
func (b *batch) change(ctx context.Context, i int, r row) error {
	j, t := &b.jobs[i], b.t
	id, mark := t.param(t.ID, j.ID), any(nil)
	if r[1].Valid {
		mark = r[1].String
	}
	where := func(s *statement) *statement {
		return s.add(" WHERE ", t.quote(t.ID), " = ").value(id).add(" AND ").same(t.quote(t.Mark), mark)
	}
	if j.Op == directory.Delete {
		if t.Members != nil {
			m := t.Members
			if _, err := b.exec(ctx, t.statement("DELETE FROM ", nameOf(t.driver, nameParts(m.Table)), " WHERE ", t.quote(m.Group), " = ").value(id)); err != nil {
				return err
			}
		}
		return b.one(ctx, where(t.statement("DELETE FROM ", t.from)))
	}
	if (j.Op == directory.Deactivate || j.Op == directory.Reactivate) && t.inUse(r) == (j.Op == directory.Reactivate) {
		column, _ := t.use(b.Desk, true)
		delete(b.sets[i], column) // it is so already, perhaps by another of its values
	}
	if set := b.sets[i]; len(set) > 0 {
		s := t.statement("UPDATE ", t.from, " SET ")
		for n, column := range slices.Sorted(maps.Keys(set)) {
			if n > 0 {
				s.add(", ")
			}
			s.add(t.quote(column), " = ").value(set[column])
		}
		if err := b.one(ctx, where(s)); err != nil {
			return err
		}
	}
	return b.membership(ctx, j.ID, j.Add, j.Remove)
}

func (b *batch) exec(ctx context.Context, s *statement) (int64, error) {
	if b.t.driver != database.MySQL {
		done, err := b.tx.ExecContext(ctx, s.String(), s.args...)
		if err != nil {
			return 0, err
		}
		return done.RowsAffected()
	}
	text := s.String()
	if b.prepared[text] == nil {
		st, err := b.tx.PrepareContext(ctx, text) //nolint:sqlclosecheck // close does, when the transaction is over
		if err != nil {
			return 0, err
		}
		b.prepared[text] = st
	}
	done, err := b.prepared[text].ExecContext(ctx, s.args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func (b *batch) close() {
	for _, st := range b.prepared {
		_ = st.Close()
	}
}

// one runs a statement that must write exactly one row.
func (b *batch) one(ctx context.Context, s *statement) error { return b.exactly(ctx, s, 1) }

func (b *batch) exactly(ctx context.Context, s *statement, want int) error {
	switch n, err := b.exec(ctx, s); {
	case err != nil:
		return err
	case n < int64(want):
		return refusal{b.error(fault.Invalid, errors.New("the database wrote nothing and says no error"), "a trigger, a rule or a policy of the table keeps rows from being written")}
	case n > int64(want):
		return refusal{b.error(fault.Configuration, fmt.Errorf("%d rows would have been written and not %d", n, want), "a trigger or a rule writes other rows in their place, or the id is not unique")}
	default:
		return nil
	}
}

// insert makes rows, those with the same columns by one statement.
func (b *batch) insert(ctx context.Context, jobs []int) error {
	t := b.t
	for len(jobs) > 0 {
		columns := slices.Sorted(maps.Keys(b.sets[jobs[0]]))
		n := 1
		for n < len(jobs) && n*(len(columns)+1) < 2000 && slices.Equal(columns, slices.Sorted(maps.Keys(b.sets[jobs[n]]))) {
			n++
		}
		s := t.statement("INSERT INTO ", t.from, " (")
		for i, column := range columns {
			if i > 0 {
				s.add(", ")
			}
			s.add(t.quote(column))
		}
		s.add(") VALUES ")
		for i, job := range jobs[:n] {
			values := make([]any, len(columns))
			for c, column := range columns {
				values[c] = b.sets[job][column]
			}
			if i > 0 {
				s.add(", ")
			}
			s.add("(").values(values).add(")")
		}
		if err := b.exactly(ctx, s, n); err != nil {
			return err
		}
		jobs = jobs[n:]
	}
	return nil
}

// membership adds and removes members of a row that is locked.
func (b *batch) membership(ctx context.Context, id string, add, remove []string) error {
	if b.t.Members == nil || len(add)+len(remove) == 0 {
		return nil
	}
	t, m := b.t, b.t.Members
	from, group := nameOf(t.driver, nameParts(m.Table)), t.param(t.ID, id)
	there, err := t.members(ctx, b.tx, id)
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, member := range there {
		has[member] = true
	}
	add = slices.DeleteFunc(slices.Clone(add), func(member string) bool { return has[member] })
	remove = slices.DeleteFunc(slices.Clone(remove), func(member string) bool { return !has[member] })
	for chunk := range slices.Chunk(add, 100) {
		s := t.statement("INSERT INTO ", from, " (", t.quote(m.Group), ", ", t.quote(m.Member), ") VALUES ")
		for i, member := range chunk {
			if i > 0 {
				s.add(", ")
			}
			s.add("(").value(group).add(", ").value(t.memberParam(member)).add(")")
		}
		if err := b.exactly(ctx, s, len(chunk)); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(remove, 100) {
		params := make([]any, len(chunk))
		for i, member := range chunk {
			params[i] = t.memberParam(member)
		}
		s := t.statement("DELETE FROM ", from, " WHERE ", t.quote(m.Group), " = ").value(group).add(" AND ", t.quote(m.Member), " IN (").values(params).add(")")
		if err := b.exactly(ctx, s, len(chunk)); err != nil {
			return err
		}
	}
	return nil
}

// see reads what was written as it is now, gives rows that were made their members, and makes results of it. What a trigger
// did to them is in it.
func (b *batch) see(ctx context.Context, ids, marks []string) error {
	changed, err := b.rows(ctx, b.t.ID, ids)
	if err != nil {
		return err
	}
	made, err := b.rows(ctx, b.t.Mark, marks)
	if err != nil {
		return err
	}
	for i := range b.jobs {
		j := &b.jobs[i]
		if b.out[i].Err != nil || j.Op == directory.Delete {
			continue
		}
		r := changed[j.ID]
		if j.Op == directory.Create {
			if r = made[j.Mark]; r == nil {
				return refusal{b.error(fault.Invalid, errors.New("the row that was made cannot be found by its mark"), "a trigger changes the mark, or the row was kept elsewhere: nothing but dirsyncd may write "+b.t.Mark)}
			}
			if err := b.membership(ctx, r.id(), j.Add, nil); err != nil {
				return err
			}
		}
		if r == nil || j.Mark != "" && r.mark() != j.Mark {
			return refusal{b.error(fault.Invalid, errors.New("the row has not the mark that was written"), "a trigger changes it: nothing but dirsyncd may write "+b.t.Mark)}
		}
		e := b.t.entity(r)
		if column, _ := b.t.use(b.Desk, true); column != "" && (j.Op == directory.Deactivate && e.Active || (j.Op == directory.Reactivate || j.Op == directory.Create) && !e.Active) {
			return refusal{b.error(fault.Invalid, fmt.Errorf("the database took it and shows another value: in use is %t", e.Active), "a trigger changes "+column)}
		}
		b.out[i] = targets.Result{Entity: e, Warnings: b.t.differs(b.sets[i], r)}
	}
	return nil
}

// differs says which columns do not show what was written: it was cut, or a trigger changed it.
func (t *table) differs(set sets, r row) (warnings []string) {
	for _, column := range slices.Sorted(maps.Keys(set)) {
		now := r[t.at[column]]
		c := t.columns[column]
		if set[column] == nil && !now.Valid || set[column] != nil && now.Valid && shown(set[column]) == now.String || c != nil && !c.text && !c.whole {
			continue
		}
		warnings = append(warnings, column+" shows another value than was written")
	}
	return warnings
}

func (b *batch) error(class fault.Class, err error, hint string) error {
	return &fault.Error{Class: class, Op: b.op, Where: b.cfg.Address(), Err: err, Hint: hint}
}

// refused says what an error of a batch means: a refusal, when it is about a row and the database has undone everything.
func (b *batch) refused(ctx context.Context, err error) error {
	var no refusal
	if ctx.Err() != nil || errors.As(err, &no) {
		return b.fail(ctx, b.op, err)
	}
	text := errors.New(database.Discreet(err.Error()))
	switch database.ProblemOf(err) {
	case database.Unique:
		return refusal{b.error(fault.Invalid, fmt.Errorf("%w: %w", targets.ErrExists, text), "")}
	case database.Reference:
		return refusal{b.error(fault.Invalid, text, "a row that it refers to is gone, or others refer to it")}
	case database.Missing:
		return refusal{b.error(fault.Invalid, text, "give the record a field for the column, or the column a default")}
	case database.TooLong, database.Value:
		return refusal{b.error(fault.Invalid, errors.Join(text, b.unfit()), "shorten it by a rule, or widen the column")}
	case database.Rule, database.Policy:
		return refusal{b.error(fault.Invalid, text, "a rule of the database refuses the row")}
	case database.Refused:
		b.forget() // the table may be another one now
		return refusal{b.error(fault.Invalid, text, "try the statement as this account, and look at the triggers of the table")}
	case database.Contended:
		return refusal{b.error(fault.Transient, text, "")}
	default:
		return b.fail(ctx, b.op, err)
	}
}

// unfit names the columns of the only job for which something is too long, or holds characters that they do not take.
func (b *batch) unfit() error {
	if len(b.jobs) != 1 {
		return nil
	}
	var names []string
	for _, column := range slices.Sorted(maps.Keys(b.sets[0])) {
		text, ok := b.sets[0][column].(string)
		c := b.t.columns[column]
		if !ok || c == nil {
			continue
		}
		switch {
		case strings.ContainsRune(text, 0):
			names = append(names, column+" would hold a NUL")
		case c.length > 0 && len([]rune(text)) > c.length:
			names = append(names, fmt.Sprintf("%s takes %d characters and would hold %d", column, c.length, len([]rune(text))))
		case strings.HasPrefix(c.charset, "utf8mb3") && strings.ContainsFunc(text, func(r rune) bool { return r > 0xffff }):
			names = append(names, column+" is of utf8mb3, which does not have every character")
		}
	}
	if len(names) == 0 {
		return nil
	}
	return errors.New(strings.Join(names, "; "))
}
