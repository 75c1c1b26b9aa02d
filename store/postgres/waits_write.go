package postgres

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
)

// knownWaits is of how many waits at a target a transaction that writes reads at once which records they are about. Where there are more it asks
// for each.
const knownWaits = 10_000

// waitAt returns what is known of the wait about a record; nil where there is none.
func (t *tx) waitAt(a waitAbout) (*waitHead, error) {
	w := &t.desk.waits
	if head, known := w.known[a]; known {
		return head, nil
	}
	n, err := t.waitsAt(a.target)
	if n == 0 || err != nil {
		return nil, err
	}
	if _, whole := w.whole[a.target]; whole {
		return nil, nil
	}
	const heads = `select about, id, cause, since from @.wait where part = $1 and target = $2`
	scan := func(rows pgx.Rows) error {
		head, about := &waitHead{}, pgtype.UUID{}
		err := rows.Scan(&about, &head.id, &head.cause, &head.since)
		if at := (waitAbout{a.target, about.Bytes}); err == nil && w.put[at] == nil {
			t.knowWait(at, head)
		}
		return err
	}
	if n > knownWaits {
		err = t.query(scan, heads+` and about = $3`, a.target, uuidOf(a.about))
	} else if err = t.query(scan, heads, a.target); err == nil {
		if w.whole == nil {
			w.whole = map[string]struct{}{}
		}
		w.whole[a.target] = struct{}{}
	}
	return w.known[a], err
}

// PutWait implements store.Writer.
func (t *tx) PutWait(wait store.Wait) (uint64, error) {
	if !canBeTarget(wait.Target) || wait.Subject == "" || wait.Cause == "" || !isText(wait.Cause) {
		return 0, misuse("a wait needs a target, a subject and a cause: %q, %q, %q", wait.Target, wait.Subject, wait.Cause)
	}
	a := waitOf(wait.Target, wait.Subject)
	old, err := t.waitAt(a)
	if err != nil {
		return 0, err
	}
	if old != nil {
		if wait.ID = uint64(old.id); wait.Cause == old.cause {
			wait.Since = timeOf(old.since)
		}
		t.countWait(wait.Target, old.cause, -1)
	} else {
		t.count.desk[lastWait]++
		wait.ID = t.count.desk[lastWait]
	}
	t.countWait(wait.Target, wait.Cause, 1)
	t.knowWait(a, headOf(&wait))
	w := &t.desk.waits
	delete(w.tried, waitID{wait.Target, int64(wait.ID)})
	delete(w.next, wait.Target)
	if w.put == nil {
		w.put = map[waitAbout]*store.Wait{}
	}
	wait.Action = bytes.Clone(wait.Action)
	w.put[a] = &wait
	return wait.ID, nil
}

// countWait adds to the number of those that wait for a cause.
func (t *tx) countWait(target, cause string, by int64) {
	w, c := &t.desk.waits, waitCause{target, cause}
	if w.changed == nil {
		w.changed = map[waitCause]struct{}{}
	}
	w.changed[c] = struct{}{}
	if w.counts[c] += by; w.counts[c] == 0 {
		delete(w.counts, c)
	}
}

// TryWaits implements store.Writer.
func (t *tx) TryWaits(target string, ids []uint64) error {
	n, err := t.waitsAt(target)
	if n == 0 || err != nil {
		return err
	}
	w := &t.desk.waits
	if w.tried == nil {
		w.tried = map[waitID]struct{}{}
	}
	for _, id := range ids {
		w.tried[waitID{target, int64(min(id, maxSeq))}] = struct{}{}
	}
	return nil
}

// WakeKeys implements store.Writer.
func (t *tx) WakeKeys(target string, keys []string, at time.Time) (int, error) {
	return t.wake(target, at, `awaited = any($4::uuid[])`, uuidsOf(keys))
}

// WakeRecords implements store.Writer.
func (t *tx) WakeRecords(target string, subjects []string, at time.Time) (int, error) {
	return t.wake(target, at, `about = any($4::uuid[])`, uuidsOf(subjects))
}

// WakeCause implements store.Writer.
func (t *tx) WakeCause(target, cause string, at time.Time) (int, error) {
	if !isText(cause) {
		return 0, nil
	}
	return t.wake(target, at, `cause = $4`, cause)
}

// wake makes those due at a time that are not due earlier.
func (t *tx) wake(target string, at time.Time, which string, arg any) (woken int, err error) {
	n, err := t.waitsAt(target)
	if n == 0 || err != nil {
		return 0, err
	}
	if err := t.flushWaits(); err != nil {
		return 0, err
	}
	err = t.modify(func(pgx.Rows) error { woken++; return nil },
		`update @.wait set due = $3 where part = $1 and target = $2 and (due is null or due > $3) and `+which+` returning 1`, target, dueNumber(at), arg)
	if woken > 0 {
		delete(t.desk.waits.next, target)
	}
	return woken, err
}

// EndWaits implements store.Writer.
func (t *tx) EndWaits(target string, subjects []string) (ended int, err error) {
	n, err := t.waitsAt(target)
	if n == 0 || err != nil || len(subjects) == 0 {
		return 0, err
	}
	if err := t.flushWaits(); err != nil {
		return 0, err
	}
	gone := map[string]int64{}
	err = t.modify(func(rows pgx.Rows) error {
		var cause string
		err := rows.Scan(&cause)
		gone[cause]++
		ended++
		return err
	}, `delete from @.wait where part = $1 and target = $2 and about = any($3::uuid[]) returning cause`, target, uuidsOf(subjects))
	for cause, n := range gone {
		t.countWait(target, cause, -n)
	}
	for _, subject := range subjects {
		t.knowWait(waitOf(target, subject), nil)
	}
	delete(t.desk.waits.next, target)
	return ended, err
}

// flushWaits turns what was collected into statements.
func (t *tx) flushWaits() error {
	w := &t.desk.waits
	if err := t.flushPutWaits(); err != nil {
		return err
	}
	if len(w.tried) > 0 {
		ids := slices.SortedFunc(maps.Keys(w.tried), func(a, b waitID) int { return cmp.Or(cmp.Compare(a.target, b.target), cmp.Compare(a.id, b.id)) })
		targets, numbers := make([]string, len(ids)), make([]int64, len(ids))
		for i, id := range ids {
			targets[i], numbers[i] = id.target, id.id
		}
		w.tried = nil
		err := t.erase(`update @.wait w set tried = true from unnest($2::text[], $3::int8[]) i (target, id)
			where w.part = $1 and w.target = i.target and w.id = i.id and not w.tried`, targets, numbers)
		if err != nil {
			return err
		}
	}
	if len(w.changed) == 0 {
		return nil
	}
	var targets, causes []string
	var counts []int64
	for c := range w.changed {
		targets, causes, counts = append(targets, c.target), append(causes, c.cause), append(counts, w.counts[c])
	}
	w.changed = nil
	return t.write(`with c as (select * from unnest($2::text[], $3::text[], $4::int8[]) c (target, cause, n)),
		none as (delete from @.wait_count w using c where w.part = $1 and w.target = c.target and w.cause = c.cause and c.n = 0)
		insert into @.wait_count (part, target, cause, n) select $1, target, cause, n from c where n > 0
			on conflict (part, target, cause) do update set n = excluded.n`, targets, causes, counts)
}

func (t *tx) flushPutWaits() error {
	w := &t.desk.waits
	if len(w.put) == 0 {
		return nil
	}
	list := slices.SortedFunc(maps.Values(w.put), func(a, b *store.Wait) int { return cmp.Compare(a.ID, b.ID) })
	w.put = nil
	n := len(list)
	targets, causes := make([]string, n), make([]string, n)
	ids, since, dues := make([]int64, n), make([]int64, n), make([]*int64, n)
	abouts, awaited := make([]pgtype.UUID, n), make([]pgtype.UUID, n)
	tried := make([]bool, n)
	subjects, keys, said, actions := make([][]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, wait := range list {
		targets[i], causes[i], ids[i], since[i], tried[i] = wait.Target, wait.Cause, int64(wait.ID), nanos(wait.Since), wait.Tried
		if !wait.Due.IsZero() {
			due := dueNumber(wait.Due)
			dues[i] = &due
		}
		abouts[i] = uuidOf(hashName(wait.Subject))
		if wait.Key != "" {
			awaited[i] = uuidOf(hashName(wait.Key))
		}
		subjects[i], keys[i], said[i], actions[i] = []byte(wait.Subject), []byte(wait.Key), []byte(wait.Text), wait.Action
		if actions[i] == nil {
			actions[i] = []byte{}
		}
	}
	return t.write(`insert into @.wait (part, target, id, about, awaited, cause, due, since, tried, subject, key, said, action)
			select $1, * from unnest($2::text[], $3::int8[], $4::uuid[], $5::uuid[], $6::text[], $7::int8[], $8::int8[], $9::bool[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[])
		on conflict (part, target, id) do update set awaited = excluded.awaited, cause = excluded.cause, due = excluded.due, since = excluded.since,
			tried = excluded.tried, key = excluded.key, said = excluded.said, action = excluded.action`,
		targets, ids, abouts, awaited, causes, dues, since, tried, subjects, keys, said, actions)
}
