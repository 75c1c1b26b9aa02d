package postgres

import (
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// keptRuns is how many runs of a partition are kept: a day of one run every seven minutes.
const keptRuns = 200

// Runs are numbered in the order in which they were first stored, without gaps at their end.
const schemaRuns = `
create table @.run (part int, seq int8, id text collate "C" not null, data bytea not null, primary key (part, seq));
create unique index run_id on @.run (part, id);
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

// PutRun implements store.Writer. A run keeps the place that it had when it was first stored.
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
	// At most one falls out of those that are kept. It stays while actions of it are kept (ForgetActions).
	return t.write(`delete from @.run r where part = $1 and seq = (select max(seq) from @.run where part = $1) - $2 and `+withoutActions, keptRuns)
}

// withoutActions is whether no actions of a run r are kept: one look into the index, whatever the planner thinks of the table.
const withoutActions = `(select a.position from @.run_action a where a.part = $1 and a.run = r.id order by a.run, a.position limit 1) is null`

// forgetRuns forgets those of some runs that fell out of what is kept and of which no actions are.
func (t *tx) forgetRuns(ids []string) error {
	return t.write(`delete from @.run r where part = $1 and id = any($2::text[]) and seq <= (select max(seq) from @.run where part = $1) - $3 and `+withoutActions, ids, keptRuns)
}
