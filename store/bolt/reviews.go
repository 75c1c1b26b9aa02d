package bolt

import (
	"bytes"
	"encoding/json"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// What humans decide about links. "reviews" has the reviews by number8, "reviews.subject" finds them by hash16 of the subject; "rejected" has
// the pairs that are none, by hash16 of the subject, kind1, hash16 of the id. The values are JSON.

const deskKey = "desk"

func rejectedKey(subject string, kind directory.RecordKind, id string) []byte {
	return append(linkKey(subject), linkIDPrefix(kind, id)...)
}

func parseRejection(k, v []byte) (store.Rejection, error) {
	var r store.Rejection
	if json.Unmarshal(v, &r) != nil || !bytes.Equal(k, rejectedKey(r.Subject, r.Kind, r.ID)) {
		return store.Rejection{}, corrupt(rejected.String())
	}
	return r, nil
}

// Rejected implements store.Reader.
func (t *tx) Rejected(subjects []string) ([]store.Rejection, error) {
	var list []store.Rejection
	for _, subject := range subjects {
		first := len(list)
		for k, v := range scan(t.bucket(rejected), linkKey(subject), linkKey(subject)) {
			r, err := parseRejection(k, v)
			if err != nil {
				return nil, t.corrupt(rejected)
			}
			list = append(list, r)
		}
		slices.SortFunc(list[first:], compareRejections)
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
	return t.put(rejected, rejectedKey(r.Subject, r.Kind, r.ID), value)
}

// Unreject implements store.Writer.
func (t *tx) Unreject(subject string, kind directory.RecordKind, id string) error {
	if id != "" {
		return t.del(rejected, rejectedKey(subject, kind, id))
	}
	var keys [][]byte
	for k := range scan(t.bucket(rejected), linkKey(subject), linkKey(subject)) {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := t.del(rejected, k); err != nil {
			return err
		}
	}
	return nil
}

func parseReview(k, v []byte) (store.Review, error) {
	var r store.Review
	n, ok := keySeq(k)
	if !ok || json.Unmarshal(v, &r) != nil || r.Number != n || r.Subject == "" {
		return store.Review{}, corrupt(reviews.String())
	}
	return r, nil
}

// Review implements store.Reader.
func (t *tx) Review(number uint64) (store.Review, bool, error) {
	value, ok := t.get(reviews, seqKey(number))
	if !ok {
		return store.Review{}, false, nil
	}
	r, err := parseReview(seqKey(number), value)
	if err != nil {
		return store.Review{}, false, t.corrupt(reviews)
	}
	return r, true, nil
}

// ReviewsOf implements store.Reader.
func (t *tx) ReviewsOf(subjects []string) ([]store.Review, error) {
	var list []store.Review
	for _, subject := range subjects {
		number, ok := t.get(reviewSubjects, linkKey(subject))
		if !ok {
			continue
		}
		n, ok := keySeq(number)
		if !ok {
			return nil, t.corrupt(reviewSubjects)
		}
		r, found, err := t.Review(n)
		if err == nil && !found {
			err = t.corrupt(reviewSubjects)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// Reviews implements store.Reader.
func (t *tx) Reviews(after uint64, fn func(store.Review) bool) error {
	if after+1 == 0 {
		return nil
	}
	for k, v := range scan(t.bucket(reviews), seqKey(after+1), nil) {
		r, err := parseReview(k, v)
		if err != nil {
			return t.corrupt(reviews)
		}
		if !fn(r) {
			return nil
		}
	}
	return nil
}

// ReviewCount implements store.Reader.
func (t *tx) ReviewCount() (int, error) {
	c, err := t.deskCounts()
	if err != nil {
		return 0, err
	}
	return int(c.reviews), nil
}

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
		counts, err := t.deskCounts()
		if err != nil {
			return 0, err
		}
		counts.reviews++
		b, err := t.writable(reviews)
		if err != nil {
			return 0, err
		}
		if r.Number, err = b.NextSequence(); err != nil {
			return 0, t.failed(err)
		}
		if err := t.put(reviewSubjects, linkKey(r.Subject), seqKey(r.Number)); err != nil {
			return 0, err
		}
	}
	value, err := json.Marshal(r)
	if err != nil {
		return 0, misuse("review: %w", err)
	}
	return r.Number, t.put(reviews, seqKey(r.Number), value)
}

// DeleteReview implements store.Writer.
func (t *tx) DeleteReview(subject string) (bool, error) {
	list, err := t.ReviewsOf([]string{subject})
	if err != nil || len(list) == 0 {
		return false, err
	}
	counts, err := t.deskCounts()
	if err != nil {
		return false, err
	}
	counts.reviews--
	if err := t.del(reviewSubjects, linkKey(subject)); err != nil {
		return false, err
	}
	return true, t.del(reviews, seqKey(list[0].Number))
}

// Desk implements store.Reader.
func (t *tx) Desk() (store.DeskState, error) {
	var d store.DeskState
	if value := t.value(deskKey); value != nil && json.Unmarshal(value, &d) != nil {
		return store.DeskState{}, damage("read state", t.s.path, corrupt(deskKey))
	}
	return d, nil
}

// PutDesk implements store.Writer. A state that is stored already costs no write.
func (t *tx) PutDesk(d store.DeskState) error {
	value, err := json.Marshal(d)
	if err != nil {
		return misuse("desk: %w", err)
	}
	if bytes.Equal(t.value(deskKey), value) {
		return nil
	}
	return t.putValue(deskKey, value)
}
