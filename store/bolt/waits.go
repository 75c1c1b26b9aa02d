package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

// What waits at a target outside of its outbox. "waits" has the actions, by target and id. Three indexes find them: by
// subject, by what they wait for, and by when they are due. Ids and keys are hashed there: they may be longer than a key of bbolt.

func waitKey(target string, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(target+"\x00"), id)
}

func waitSubjectKey(target, subject string) []byte {
	h := hashName([]byte(subject))
	return append([]byte(target+"\x00"), h[:]...)
}

// waitKeyPrefix begins the entries of the index of what is waited for.
func waitKeyPrefix(target, key string) []byte { return waitSubjectKey(target, key) }

func waitDueKey(target string, due time.Time, id uint64) []byte {
	key := binary.BigEndian.AppendUint64([]byte(target+"\x00"), dueNumber(due))
	return binary.BigEndian.AppendUint64(key, id)
}

// dueNumber is a time such that numbers have the order of the times.
func dueNumber(t time.Time) uint64 { return uint64(max(t.UnixNano(), 1)) }

// parseWait reads a stored wait. The wait does not refer to v.
func parseWait(k, v []byte) (store.Wait, error) {
	target, id, ok := bytes.Cut(k, []byte{0})
	w, decoded := encoding.ParseWait(v)
	w.Target = string(target)
	var isID bool
	if w.ID, isID = keySeq(id); !ok || !decoded || !isID {
		return store.Wait{}, corrupt(waits.String())
	}
	return w, nil
}

func (t *tx) waitAt(key []byte) (store.Wait, bool, error) {
	value, ok := t.get(waits, key)
	if !ok {
		return store.Wait{}, false, nil
	}
	w, err := parseWait(key, value)
	if err != nil {
		return store.Wait{}, false, t.corrupt(waits)
	}
	return w, true, nil
}

// indexedWait is the wait that an index names; there must be one.
func (t *tx) indexedWait(index bucketID, target string, id []byte) (store.Wait, error) {
	n, ok := keySeq(id)
	if !ok {
		return store.Wait{}, t.corrupt(index)
	}
	w, found, err := t.waitAt(waitKey(target, n))
	if err == nil && !found {
		err = t.corrupt(index)
	}
	return w, err
}

// Waits implements store.Reader.
func (t *tx) Waits(target string, after uint64, fn func(store.Wait) bool) error {
	if after+1 == 0 {
		return nil
	}
	for k, v := range scan(t.bucket(waits), waitKey(target, after+1), []byte(target+"\x00")) {
		w, err := parseWait(k, v)
		if err != nil {
			return t.corrupt(waits)
		}
		if !fn(w) {
			return nil
		}
	}
	return nil
}

// WaitsOf implements store.Reader.
func (t *tx) WaitsOf(target string, subjects []string) ([]store.Wait, error) {
	var list []store.Wait
	if t.bucket(waitSubjects) == nil {
		return nil, nil
	}
	for _, subject := range subjects {
		id, ok := t.get(waitSubjects, waitSubjectKey(target, subject))
		if !ok {
			continue
		}
		w, err := t.indexedWait(waitSubjects, target, id)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

// WaitsDue implements store.Reader.
func (t *tx) WaitsDue(target string, by time.Time, fn func(store.Wait) bool) error {
	prefix := []byte(target + "\x00")
	for k := range scan(t.bucket(waitDue), prefix, prefix) {
		at, id, ok := cutDue(k[len(prefix):])
		if !ok {
			return t.corrupt(waitDue)
		}
		if at > dueNumber(by) {
			return nil
		}
		w, err := t.indexedWait(waitDue, target, id)
		if err != nil {
			return err
		}
		if !fn(w) {
			return nil
		}
	}
	return nil
}

// cutDue takes apart what follows the target in a key of the index of times.
func cutDue(rest []byte) (at uint64, id []byte, ok bool) {
	if len(rest) != 16 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(rest), rest[8:], true
}

// NextWait implements store.Reader.
func (t *tx) NextWait(target string) (time.Time, error) {
	prefix := []byte(target + "\x00")
	for k := range scan(t.bucket(waitDue), prefix, prefix) {
		at, _, ok := cutDue(k[len(prefix):])
		if !ok {
			return time.Time{}, t.corrupt(waitDue)
		}
		return time.Unix(0, int64(at)).UTC(), nil
	}
	return time.Time{}, nil
}

// WaitCounts implements store.Reader.
func (t *tx) WaitCounts(target string) (map[string]int, error) {
	var counts map[string]int
	prefix := []byte(target + "\x00")
	for k, v := range scan(t.bucket(waitCounts), prefix, prefix) {
		n, size := binary.Uvarint(v)
		if size <= 0 || size != len(v) || n == 0 {
			return nil, t.corrupt(waitCounts)
		}
		if counts == nil {
			counts = map[string]int{}
		}
		counts[string(k[len(prefix):])] = int(n)
	}
	return counts, nil
}

// countWait adds to the number of those that wait for a cause.
func (t *tx) countWait(target, cause string, by int) error {
	key := []byte(target + "\x00" + cause)
	var n uint64
	if v, ok := t.get(waitCounts, key); ok {
		var size int
		if n, size = binary.Uvarint(v); size <= 0 {
			return t.corrupt(waitCounts)
		}
	}
	n += uint64(by)
	if n == 0 {
		return t.del(waitCounts, key)
	}
	return t.put(waitCounts, key, binary.AppendUvarint(nil, n))
}

// PutWait implements store.Writer.
func (t *tx) PutWait(w store.Wait) (uint64, error) {
	if !canBeTarget(w.Target) || w.Subject == "" || w.Cause == "" {
		return 0, misuse("a wait needs a target, a subject and a cause: %q, %q, %q", w.Target, w.Subject, w.Cause)
	}
	old, err := t.WaitsOf(w.Target, []string{w.Subject})
	if err != nil {
		return 0, err
	}
	if len(old) > 0 {
		if w.ID = old[0].ID; w.Cause == old[0].Cause {
			w.Since = old[0].Since
		}
		if err := t.unindexWait(&old[0]); err != nil {
			return 0, err
		}
	} else {
		b, err := t.writable(waits)
		if err != nil {
			return 0, err
		}
		if w.ID, err = b.NextSequence(); err != nil {
			return 0, t.failed(err)
		}
		if err := t.put(waitSubjects, waitSubjectKey(w.Target, w.Subject), seqKey(w.ID)); err != nil {
			return 0, err
		}
	}
	return w.ID, t.storeWait(&w)
}

// storeWait writes a wait with its entries by key and by time, and counts it.
func (t *tx) storeWait(w *store.Wait) error {
	if err := t.put(waits, waitKey(w.Target, w.ID), encoding.AppendWait(nil, w)); err != nil {
		return err
	}
	if err := t.countWait(w.Target, w.Cause, 1); err != nil {
		return err
	}
	if w.Key != "" {
		prefix := waitKeyPrefix(w.Target, w.Key)
		if err := t.put(waitKeys, append(slices.Clip(prefix), seqKey(w.ID)...), nil); err != nil {
			return err
		}
		if err := awaiting().note(t, awaitedKey(w.Target, prefix, t.key), true); err != nil {
			return err
		}
	}
	if err := awaiting().note(t, awaitedPartition(w.Target, t.key), true); err != nil {
		return err
	}
	if w.Due.IsZero() {
		return nil
	}
	return t.put(waitDue, waitDueKey(w.Target, w.Due, w.ID), nil)
}

// unindexWait removes the entries by key and by time, and from the count.
func (t *tx) unindexWait(w *store.Wait) error {
	if err := t.countWait(w.Target, w.Cause, -1); err != nil {
		return err
	}
	if !w.Due.IsZero() {
		if err := t.del(waitDue, waitDueKey(w.Target, w.Due, w.ID)); err != nil {
			return err
		}
	}
	if w.Key == "" {
		return nil
	}
	prefix := waitKeyPrefix(w.Target, w.Key)
	if err := t.del(waitKeys, append(slices.Clip(prefix), seqKey(w.ID)...)); err != nil {
		return err
	}
	for range scan(t.bucket(waitKeys), prefix, prefix) {
		return nil
	}
	return awaiting().note(t, awaitedKey(w.Target, prefix, t.key), false)
}

// TryWaits implements store.Writer.
func (t *tx) TryWaits(target string, ids []uint64) error {
	for _, id := range ids {
		w, found, err := t.waitAt(waitKey(target, id))
		if err != nil {
			return err
		}
		if !found || w.Tried {
			continue
		}
		w.Tried = true
		if err := t.put(waits, waitKey(target, id), encoding.AppendWait(nil, &w)); err != nil {
			return err
		}
	}
	return nil
}

// WakeKeys implements store.Writer.
func (t *tx) WakeKeys(target string, keys []string, at time.Time) (int, error) {
	n := 0
	for _, key := range keys {
		prefix := waitKeyPrefix(target, key)
		var list []store.Wait
		for k := range scan(t.bucket(waitKeys), prefix, prefix) {
			w, err := t.indexedWait(waitKeys, target, k[len(prefix):])
			if err != nil {
				return n, err
			}
			list = append(list, w)
		}
		if err := t.wake(list, at, &n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// WakeRecords implements store.Writer.
func (t *tx) WakeRecords(target string, subjects []string, at time.Time) (n int, err error) {
	list, err := t.WaitsOf(target, subjects)
	if err != nil {
		return 0, err
	}
	return n, t.wake(list, at, &n)
}

// WakeCause implements store.Writer.
func (t *tx) WakeCause(target, cause string, at time.Time) (n int, err error) {
	var list []store.Wait
	err = t.Waits(target, 0, func(w store.Wait) bool {
		if w.Cause == cause {
			list = append(list, w)
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	return n, t.wake(list, at, &n)
}

func (t *tx) wake(list []store.Wait, at time.Time, n *int) error {
	for i := range list {
		w := &list[i]
		if !w.Due.IsZero() && !w.Due.After(at) {
			continue
		}
		if !w.Due.IsZero() {
			if err := t.del(waitDue, waitDueKey(w.Target, w.Due, w.ID)); err != nil {
				return err
			}
		}
		w.Due = at
		if err := t.put(waits, waitKey(w.Target, w.ID), encoding.AppendWait(nil, w)); err != nil {
			return err
		}
		if err := t.put(waitDue, waitDueKey(w.Target, at, w.ID), nil); err != nil {
			return err
		}
		*n++
	}
	return nil
}

// EndWaits implements store.Writer.
func (t *tx) EndWaits(target string, subjects []string) (int, error) {
	list, err := t.WaitsOf(target, subjects)
	if err != nil {
		return 0, err
	}
	ended := 0
	for i := range list {
		w := &list[i]
		key := waitKey(target, w.ID)
		if _, still := t.get(waits, key); !still {
			continue // it was named twice
		}
		ended++
		if err := t.del(waits, key); err != nil {
			return 0, err
		}
		if err := t.del(waitSubjects, waitSubjectKey(target, w.Subject)); err != nil {
			return 0, err
		}
		if err := t.unindexWait(w); err != nil {
			return 0, err
		}
	}
	prefix := []byte(target + "\x00")
	for range scan(t.bucket(waits), prefix, prefix) {
		return ended, nil
	}
	return ended, awaiting().note(t, awaitedPartition(target, t.key), false)
}

// waitTargets lists the targets at which something waits.
func (t *tx) waitTargets() ([]string, error) {
	b := t.bucket(waitCounts)
	if b == nil {
		return nil, nil
	}
	var list []string
	c := b.Cursor()
	for k, _ := c.First(); k != nil; {
		target, _, ok := bytes.Cut(k, []byte{0})
		if !ok {
			return nil, t.corrupt(waitCounts)
		}
		list = append(list, string(target))
		k, _ = c.Seek(append(bytes.Clone(target), 1))
	}
	return list, nil
}
