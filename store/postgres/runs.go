package postgres

import (
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// keptRuns is how many runs of a partition are kept: a day of one run every seven minutes.
const keptRuns = 200

// Runs are numbered in the order in which they were first stored, without gaps.
const schemaRuns = `
create table @.run (part int, seq int8, id text collate "C" not null, data bytea not null, primary key (part, seq));
create unique index run_id on @.run (part, id);
create table @.run_action (part int, run text collate "C", position int4, data bytea not null, primary key (part, run, position));
`

// Runs implements store.Reader.
func (t *tx) Runs(fn func(store.Run) bool) error {
	var list []store.Run
	err := t.query(func(rows pgx.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		var r store.Run
		if json.Unmarshal(data, &r) != nil || r.ID == "" {
			return t.s.corrupt("run")
		}
		list = append(list, r)
		return nil
	}, `select data from @.run where part = $1 order by seq desc`)
	if err != nil {
		return err
	}
	for _, r := range list {
		if !fn(r) {
			return nil
		}
	}
	return nil
}

// PutRun implements store.Writer. A run keeps the place that it had when it was first stored. What is kept of actions goes with its run, and
// with those before it what earlier runs left.
func (t *tx) PutRun(r store.Run) error {
	if r.ID == "" || !isText(r.ID) {
		return misuse("a run has no id")
	}
	value, err := json.Marshal(r)
	if err != nil {
		return misuse("run %s: %w", r.ID, err)
	}
	err = t.write(`insert into @.run as r (part, seq, id, data) select $1, coalesce(max(seq), 0) + 1, $2, $3 from @.run where part = $1
		on conflict (part, id) do update set data = excluded.data`, r.ID, value)
	if err != nil {
		return err
	}
	return t.write(`with old as (delete from @.run where part = $1 and seq <= (select max(seq) from @.run where part = $1) - $2 returning id)
		delete from @.run_action where part = $1 and run <= (select max(id) from old)`, keptRuns)
}

// KeepActions implements store.Writer.
func (t *tx) KeepActions(run string, from int, list []store.RunAction) error {
	if run == "" || !isText(run) {
		return misuse("a run has no id")
	}
	if len(list) == 0 {
		return nil
	}
	positions, values := make([]int32, len(list)), make([][]byte, len(list))
	for i := range list {
		value, err := json.Marshal(&list[i])
		if err != nil {
			return misuse("action of run %s: %w", run, err)
		}
		positions[i], values[i] = int32(from+i), value
	}
	return t.write(`insert into @.run_action (part, run, position, data) select $1, $2, * from unnest($3::int4[], $4::bytea[])
		on conflict (part, run, position) do update set data = excluded.data`, run, positions, values)
}

// RunActions implements store.Reader.
func (t *tx) RunActions(run string, fn func(store.RunAction) bool) error {
	if !isText(run) {
		return nil
	}
	last := int32(-1)
	for f, more := newFetch(), true; more; more = f.more() {
		var list []store.RunAction
		err := t.query(func(rows pgx.Rows) error {
			var data []byte
			if err := rows.Scan(&last, &data); err != nil {
				return err
			}
			f.got(len(data))
			var a store.RunAction
			if json.Unmarshal(data, &a) != nil || a.Key == "" {
				return t.s.corrupt("run_action")
			}
			list = append(list, a)
			return nil
		}, `select position, data from @.run_action where part = $1 and run = $2 and position > $3 order by position limit $4`, run, last, f.limit)
		if err != nil {
			return err
		}
		for _, a := range list {
			if !fn(a) {
				return nil
			}
		}
	}
	return nil
}
