package bolt

import (
	"bytes"
	"encoding/json"

	"dirsyncd/store"
)

// keptRuns is how many runs of a partition are kept: a day of one run every seven minutes.
const keptRuns = 200

// Tenant implements store.Reader.
func (t *tx) Tenant() (store.TenantState, error) {
	var s store.TenantState
	if value := t.value(tenantKey); value != nil && json.Unmarshal(value, &s) != nil {
		return store.TenantState{}, damage("read state", t.s.path, corrupt(tenantKey))
	}
	return s, nil
}

// PutTenant implements store.Writer. A state that is stored already costs no write.
func (t *tx) PutTenant(s store.TenantState) error {
	value, err := json.Marshal(s)
	if err != nil {
		return misuse("tenant: %w", err)
	}
	if bytes.Equal(t.value(tenantKey), value) {
		return nil
	}
	return t.putValue(tenantKey, value)
}

func parseRun(k, v []byte) (store.Run, error) {
	var r store.Run
	if _, ok := keySeq(k); !ok || json.Unmarshal(v, &r) != nil || r.ID == "" {
		return store.Run{}, corrupt("runs")
	}
	return r, nil
}

// Runs implements store.Reader.
func (t *tx) Runs(fn func(store.Run) bool) error {
	b := t.bucket(runs)
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for k, v := c.Last(); k != nil; k, v = c.Prev() {
		r, err := parseRun(k, v)
		if err != nil {
			return t.corrupt(runs)
		}
		if !fn(r) {
			return nil
		}
	}
	return nil
}

// PutRun implements store.Writer. A run keeps the place that it had when it was first stored.
func (t *tx) PutRun(r store.Run) error {
	if r.ID == "" {
		return misuse("a run has no id")
	}
	value, err := json.Marshal(r)
	if err != nil {
		return misuse("run %s: %w", r.ID, err)
	}
	if seq, ok := t.get(runIDs, []byte(r.ID)); ok {
		return t.put(runs, seq, value)
	}
	b, err := t.writable(runs)
	if err != nil {
		return err
	}
	seq, err := b.NextSequence()
	if err != nil {
		return t.failed(err)
	}
	if err := t.put(runs, seqKey(seq), value); err != nil {
		return err
	}
	if err := t.put(runIDs, []byte(r.ID), seqKey(seq)); err != nil {
		return err
	}
	return t.forgetRun(seq - keptRuns)
}

// forgetRun deletes a run that fell out of what is kept, unless actions of it are kept: it goes with them then.
func (t *tx) forgetRun(seq uint64) error {
	value, ok := t.get(runs, seqKey(seq))
	if !ok {
		return nil
	}
	old, err := parseRun(seqKey(seq), value)
	if err != nil {
		return t.corrupt(runs)
	}
	prefix := append([]byte(old.ID), 0)
	for range scan(t.bucket(runActions), prefix, prefix) {
		return nil
	}
	if err := t.del(runIDs, []byte(old.ID)); err != nil {
		return err
	}
	return t.del(runs, seqKey(seq))
}

// value returns one of the values that are beside the buckets.
func (t *tx) value(key string) []byte {
	if t.root == nil {
		return nil
	}
	return t.root.Get([]byte(key))
}
