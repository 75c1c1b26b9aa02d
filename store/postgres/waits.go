package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
)

// What waits at a target outside of its outbox. A record's subject and what it waits for are hashed where they are looked up; they are
// stored as bytes beside it, which need not be text.
const schemaWaits = `
create table @.wait (part int, target text collate "C", id int8, about uuid not null, awaited uuid, cause text collate "C" not null, due int8, since int8 not null,
	tried bool not null, subject bytea not null, key bytea not null, said bytea not null, action bytea not null, primary key (part, target, id));
create unique index wait_about on @.wait (part, target, about);
create index wait_key on @.wait (target, awaited, part) where awaited is not null;
create index wait_due on @.wait (part, target, due, id) where due is not null;
create table @.wait_count (part int, target text collate "C", cause text collate "C", n int8 not null, primary key (part, target, cause)) with (fillfactor = 50);
create index wait_target on @.wait_count (target, part);
`

const waitColumns = `target, id, cause, due, since, tried, subject, key, said, action`

// waitState is what a transaction knows of what waits, and changes that are not in the table yet.
type waitState struct {
	counts  map[waitCause]int64     // how many wait for what
	changed map[waitCause]struct{}  // counts that are not in the table
	whole   map[string]struct{}     // targets of which every record that waits is in known
	known   map[waitAbout]*waitHead // nil for a record that does not wait
	next    map[string]time.Time    // when the first is due, of targets at which nothing changed since

	put   map[waitAbout]*store.Wait
	tried map[waitID]struct{}
}

type waitCause struct{ target, cause string }

type waitAbout struct {
	target string
	about  nameHash
}

type waitID struct {
	target string
	id     int64
}

// waitHead is what a change of a wait has to know of it.
type waitHead struct {
	id    int64
	cause string
	since int64
}

func waitOf(target, subject string) waitAbout { return waitAbout{target, hashName(subject)} }

// scanWait reads the columns waitColumns.
func scanWait(rows pgx.Rows) (w store.Wait, size int, err error) {
	var id, since int64
	var due *int64
	var subject, key, said []byte
	err = rows.Scan(&w.Target, &id, &w.Cause, &due, &since, &w.Tried, &subject, &key, &said, &w.Action)
	w.ID, w.Since, w.Subject, w.Key, w.Text = uint64(id), timeOf(since), string(subject), string(key), string(said)
	if due != nil {
		w.Due = time.Unix(0, *due).UTC()
	}
	return w, len(subject) + len(key) + len(said) + len(w.Action), err
}

// dueNumber is a time such that numbers have the order of the times.
func dueNumber(at time.Time) int64 { return max(at.UnixNano(), 1) }

// waitsAt returns how many wait at a target.
func (t *tx) waitsAt(target string) (n int64, err error) {
	for c, waiting := range t.desk.waits.counts {
		if c.target == target {
			n += waiting
		}
	}
	return n, t.failed
}

// Waits implements store.Reader.
func (t *tx) Waits(target string, after uint64, fn func(store.Wait) bool) error {
	n, err := t.waitsAt(target)
	if n == 0 || err != nil || after >= maxSeq {
		return err
	}
	if err := t.flushWaits(); err != nil {
		return err
	}
	last := int64(after)
	for f, more := newFetch(), true; more; more = f.more() {
		list, err := t.fetchWaits(f, `select `+waitColumns+` from @.wait where part = $1 and target = $2 and id > $3 order by id limit $4`, target, last, f.limit)
		if err != nil {
			return err
		}
		for _, w := range list {
			last = int64(w.ID)
			if !fn(w) {
				return nil
			}
		}
	}
	return nil
}

func (t *tx) fetchWaits(f *fetch, sql string, args ...any) (list []store.Wait, err error) {
	err = t.query(func(rows pgx.Rows) error {
		w, size, err := scanWait(rows)
		list = append(list, w)
		f.got(size)
		return err
	}, sql, args...)
	return list, err
}

// WaitsOf implements store.Reader.
func (t *tx) WaitsOf(target string, subjects []string) ([]store.Wait, error) {
	n, err := t.waitsAt(target)
	if n == 0 || err != nil || len(subjects) == 0 {
		return nil, err
	}
	if err := t.flushWaits(); err != nil {
		return nil, err
	}
	list, err := t.fetchWaits(newFetch(), `select `+waitColumns+` from unnest($3::uuid[]) with ordinality a (about, n)
		join @.wait w on w.part = $1 and w.target = $2 and w.about = a.about order by a.n`, target, uuidsOf(subjects))
	if err != nil || !t.writable {
		return list, err
	}
	for _, subject := range subjects {
		t.knowWait(waitOf(target, subject), nil)
	}
	for i := range list {
		t.knowWait(waitOf(target, list[i].Subject), headOf(&list[i]))
	}
	return list, nil
}

func headOf(w *store.Wait) *waitHead {
	return &waitHead{id: int64(w.ID), cause: w.Cause, since: nanos(w.Since)}
}

func (t *tx) knowWait(a waitAbout, head *waitHead) {
	if t.desk.waits.known == nil {
		t.desk.waits.known = map[waitAbout]*waitHead{}
	}
	t.desk.waits.known[a] = head
}

// WaitsDue implements store.Reader.
func (t *tx) WaitsDue(target string, by time.Time, fn func(store.Wait) bool) error {
	n, err := t.waitsAt(target)
	if n == 0 || err != nil {
		return err
	}
	if err := t.flushWaits(); err != nil {
		return err
	}
	due, id := int64(0), int64(0)
	for f, more := newFetch(), true; more; more = f.more() {
		list, err := t.fetchWaits(f, `select `+waitColumns+` from @.wait where part = $1 and target = $2 and due is not null and due <= $3 and (due, id) > ($4, $5)
			order by due, id limit $6`, target, dueNumber(by), due, id, f.limit)
		if err != nil {
			return err
		}
		for _, w := range list {
			due, id = w.Due.UnixNano(), int64(w.ID)
			if !fn(w) {
				return nil
			}
		}
	}
	return nil
}

// NextWait implements store.Reader.
func (t *tx) NextWait(target string) (time.Time, error) {
	n, err := t.waitsAt(target)
	if n == 0 || err != nil {
		return time.Time{}, err
	}
	if at, known := t.desk.waits.next[target]; known {
		return at, nil
	}
	if err := t.flushWaits(); err != nil {
		return time.Time{}, err
	}
	var first time.Time
	err = t.query(func(rows pgx.Rows) error {
		var due int64
		err := rows.Scan(&due)
		first = time.Unix(0, due).UTC()
		return err
	}, `select due from @.wait where part = $1 and target = $2 and due is not null order by due limit 1`, target)
	if err != nil {
		return time.Time{}, err
	}
	if t.desk.waits.next == nil {
		t.desk.waits.next = map[string]time.Time{}
	}
	t.desk.waits.next[target] = first
	return first, nil
}

// WaitCounts implements store.Reader.
func (t *tx) WaitCounts(target string) (map[string]int, error) {
	var counts map[string]int
	for c, n := range t.desk.waits.counts {
		if c.target != target {
			continue
		}
		if counts == nil {
			counts = map[string]int{}
		}
		counts[c.cause] = int(n)
	}
	return counts, nil
}

// uuidOf is a hash as PostgreSQL takes it.
func uuidOf(h nameHash) pgtype.UUID { return pgtype.UUID{Bytes: h, Valid: true} }

// uuidsOf are the hashes of texts, as PostgreSQL takes them.
func uuidsOf(list []string) []pgtype.UUID {
	hashes := make([]pgtype.UUID, len(list))
	for i, s := range list {
		hashes[i] = uuidOf(hashName(s))
	}
	return hashes
}
