package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"

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

// forgetRun deletes a run that fell out of what is kept. Runs are numbered without gaps.
func (t *tx) forgetRun(seq uint64) error {
	value, ok := t.get(runs, seqKey(seq))
	if !ok {
		return nil
	}
	old, err := parseRun(seqKey(seq), value)
	if err != nil {
		return t.corrupt(runs)
	}
	if err := t.forgetActions(old.ID); err != nil {
		return err
	}
	if err := t.del(runIDs, []byte(old.ID)); err != nil {
		return err
	}
	return t.del(runs, seqKey(seq))
}

// actionKey is the key of an action of a run. No id of a run has a NUL.
func actionKey(run string, position int) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(run), 0), uint32(position))
}

// KeepActions implements store.Writer.
func (t *tx) KeepActions(run string, from int, list []store.RunAction) error {
	if run == "" || strings.IndexByte(run, 0) >= 0 {
		return misuse("a run has no id")
	}
	for i := range list {
		value, err := json.Marshal(&list[i])
		if err != nil {
			return misuse("action of run %s: %w", run, err)
		}
		if err := t.put(runActions, actionKey(run, from+i), value); err != nil {
			return err
		}
	}
	return nil
}

// RunActions implements store.Reader.
func (t *tx) RunActions(run string, fn func(store.RunAction) bool) error {
	prefix := append([]byte(run), 0)
	for k, value := range scan(t.bucket(runActions), prefix, prefix) {
		a, err := parseRunAction(k, value)
		if err != nil {
			return t.corrupt(runActions)
		}
		if !fn(a) {
			return nil
		}
	}
	return nil
}

func parseRunAction(k, v []byte) (store.RunAction, error) {
	var a store.RunAction
	if at := bytes.IndexByte(k, 0); at < 1 || len(k) != at+5 || json.Unmarshal(v, &a) != nil || a.Key == "" {
		return store.RunAction{}, corrupt("runs.actions")
	}
	return a, nil
}

// forgetActions forgets the actions of a run, and those that earlier runs left.
func (t *tx) forgetActions(run string) error {
	var old [][]byte
	for k := range t.all(runActions) {
		at := bytes.IndexByte(k, 0)
		if at < 0 || string(k[:at]) > run {
			break
		}
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		if err := t.del(runActions, k); err != nil {
			return err
		}
	}
	return nil
}

// value returns one of the values that are beside the buckets.
func (t *tx) value(key string) []byte {
	if t.root == nil {
		return nil
	}
	return t.root.Get([]byte(key))
}
