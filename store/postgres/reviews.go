package postgres

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// What humans decide about links, and what is known of a target's place as a whole.
const schemaReviews = `
create table @.desk_review (part int, number int8, subject uuid not null, data bytea not null, primary key (part, number));
create unique index desk_review_subject on @.desk_review (part, subject);
create table @.desk_rejected (part int, subject uuid, kind int2, id uuid, data bytea not null, primary key (part, subject, kind, id));
create table @.desk_state (part int primary key, state bytea not null);
`

// Rejected implements store.Reader.
func (t *tx) Rejected(subjects []string) (list []store.Rejection, err error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	at := map[string][]store.Rejection{}
	err = t.query(func(rows pgx.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		var r store.Rejection
		if json.Unmarshal(data, &r) != nil || r.Subject == "" {
			return t.s.corrupt("desk_rejected")
		}
		at[r.Subject] = append(at[r.Subject], r)
		return nil
	}, `select data from @.desk_rejected where part = $1 and subject = any($2::uuid[])`, uuidsOf(subjects))
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		slices.SortFunc(at[subject], func(a, b store.Rejection) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
		list = append(list, at[subject]...)
	}
	return list, nil
}

// Reject implements store.Writer.
func (t *tx) Reject(r store.Rejection) error {
	if r.Subject == "" || r.ID == "" {
		return misuse("a pair needs a subject and an id: %q, %q", r.Subject, r.ID)
	}
	value, err := json.Marshal(r)
	if err != nil {
		return misuse("reject: %w", err)
	}
	return t.write(`insert into @.desk_rejected (part, subject, kind, id, data) values ($1, $2, $3, $4, $5)
		on conflict (part, subject, kind, id) do update set data = excluded.data`,
		uuidOf(hashName(r.Subject)), int16(r.Kind), uuidOf(hashName(r.ID)), value)
}

// Unreject implements store.Writer.
func (t *tx) Unreject(subject string, kind directory.RecordKind, id string) error {
	if id == "" {
		return t.erase(`delete from @.desk_rejected where part = $1 and subject = $2`, uuidOf(hashName(subject)))
	}
	return t.erase(`delete from @.desk_rejected where part = $1 and subject = $2 and kind = $3 and id = $4`,
		uuidOf(hashName(subject)), int16(kind), uuidOf(hashName(id)))
}

func (t *tx) fetchReviews(f *fetch, sql string, args ...any) (list []store.Review, err error) {
	if t.count.desk[reviewCount] == 0 {
		return nil, nil
	}
	err = t.query(func(rows pgx.Rows) error {
		var number int64
		var data []byte
		if err := rows.Scan(&number, &data); err != nil {
			return err
		}
		var r store.Review
		if json.Unmarshal(data, &r) != nil || r.Number != uint64(number) || r.Subject == "" {
			return t.s.corrupt("desk_review")
		}
		f.got(len(data))
		list = append(list, r)
		return nil
	}, sql, args...)
	return list, err
}

// Review implements store.Reader.
func (t *tx) Review(number uint64) (store.Review, bool, error) {
	if number > maxSeq {
		return store.Review{}, false, nil
	}
	list, err := t.fetchReviews(newFetch(), `select number, data from @.desk_review where part = $1 and number = $2`, int64(number))
	if err != nil || len(list) == 0 {
		return store.Review{}, false, err
	}
	return list[0], true, nil
}

// ReviewsOf implements store.Reader.
func (t *tx) ReviewsOf(subjects []string) ([]store.Review, error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	return t.fetchReviews(newFetch(), `select r.number, r.data from unnest($2::uuid[]) with ordinality s (subject, n)
		join @.desk_review r on r.part = $1 and r.subject = s.subject order by s.n`, uuidsOf(subjects))
}

// Reviews implements store.Reader.
func (t *tx) Reviews(after uint64, fn func(store.Review) bool) error {
	for f, more := newFetch(), after < maxSeq; more; more = f.more() {
		list, err := t.fetchReviews(f, `select number, data from @.desk_review where part = $1 and number > $2 order by number limit $3`, int64(after), f.limit)
		if err != nil {
			return err
		}
		for _, r := range list {
			if after = r.Number; !fn(r) {
				return nil
			}
		}
	}
	return nil
}

// ReviewCount implements store.Reader.
func (t *tx) ReviewCount() (int, error) { return int(t.count.desk[reviewCount]), nil }

// PutReview implements store.Writer.
func (t *tx) PutReview(r store.Review) (uint64, error) {
	if r.Subject == "" || r.Cause == "" {
		return 0, misuse("a review needs a subject and a cause: %q, %q", r.Subject, r.Cause)
	}
	old, err := t.ReviewsOf([]string{r.Subject})
	if err != nil {
		return 0, err
	}
	if len(old) > 0 {
		if r.Number = old[0].Number; r.Cause == old[0].Cause {
			r.Since = old[0].Since
		}
	} else {
		t.count.desk[reviewCount]++
		t.count.desk[lastReview]++
		r.Number = t.count.desk[lastReview]
	}
	value, err := json.Marshal(r)
	if err != nil {
		return 0, misuse("review: %w", err)
	}
	return r.Number, t.write(`insert into @.desk_review (part, number, subject, data) values ($1, $2, $3, $4) on conflict (part, number) do update set data = excluded.data`,
		int64(r.Number), uuidOf(hashName(r.Subject)), value)
}

// DeleteReview implements store.Writer.
func (t *tx) DeleteReview(subject string) (found bool, err error) {
	if t.count.desk[reviewCount] == 0 {
		return false, nil
	}
	err = t.modify(func(pgx.Rows) error { found = true; return nil },
		`delete from @.desk_review where part = $1 and subject = $2 returning 1`, uuidOf(hashName(subject)))
	if found {
		t.count.desk[reviewCount]--
	}
	return found, err
}

// Desk implements store.Reader.
func (t *tx) Desk() (d store.DeskState, err error) {
	err = t.query(func(rows pgx.Rows) error {
		var state []byte
		if err := rows.Scan(&state); err != nil {
			return err
		}
		if json.Unmarshal(state, &d) != nil {
			return t.s.corrupt("desk_state")
		}
		return nil
	}, `select state from @.desk_state where part = $1`)
	return d, err
}

// PutDesk implements store.Writer. A state that is stored already costs no write.
func (t *tx) PutDesk(d store.DeskState) error {
	value, err := json.Marshal(d)
	if err != nil {
		return misuse("desk: %w", err)
	}
	return t.write(`insert into @.desk_state as d (part, state) values ($1, $2) on conflict (part) do update set state = excluded.state where d.state <> excluded.state`, value)
}
