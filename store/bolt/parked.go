package bolt

import (
	"bytes"
	"encoding/json"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Ids and subjects are hashed in the keys of the indexes: a source may make them longer than a key can be.

func parkedObjectKey(kind directory.Kind, id string) []byte {
	h := hashName([]byte(id))
	return append([]byte{byte(kind)}, h[:]...)
}

func parkedActionKey(target, subject string) []byte {
	h := hashName([]byte(subject))
	return append([]byte(target+"\x00"), h[:]...)
}

// parkedIndex says where an entry is looked up; ok is false for one that is about nothing in particular.
func parkedIndex(p *store.Parked) (index bucketID, key []byte, ok bool) {
	switch {
	case p.Target != "":
		return parkedActions, parkedActionKey(p.Target, p.Subject), true
	case p.Object != "":
		return parkedObjects, parkedObjectKey(p.Kind, p.Object), true
	default:
		return 0, nil, false
	}
}

func parseParked(k, v []byte) (store.Parked, error) {
	var p store.Parked
	id, ok := keySeq(k)
	if !ok || json.Unmarshal(v, &p) != nil || p.ID != id {
		return store.Parked{}, corrupt("parked")
	}
	return p, nil
}

// Parked implements store.Reader.
func (t *tx) Parked(fn func(store.Parked) bool) error {
	for k, v := range t.all(parked) {
		p, err := parseParked(k, v)
		if err != nil {
			return t.corrupt(parked)
		}
		if !fn(p) {
			return nil
		}
	}
	return nil
}

// ParkedObject implements store.Reader.
func (t *tx) ParkedObject(kind directory.Kind, id string) (store.Parked, bool, error) {
	return t.parkedAt(parkedObjects, parkedObjectKey(kind, id))
}

// ParkedAction implements store.Reader.
func (t *tx) ParkedAction(target, subject string) (store.Parked, bool, error) {
	return t.parkedAt(parkedActions, parkedActionKey(target, subject))
}

func (t *tx) parkedAt(index bucketID, key []byte) (store.Parked, bool, error) {
	id, ok := t.get(index, key)
	if !ok {
		return store.Parked{}, false, nil
	}
	value, ok := t.get(parked, id)
	if !ok {
		return store.Parked{}, false, t.corrupt(index)
	}
	p, err := parseParked(id, value)
	if err != nil {
		return store.Parked{}, false, t.corrupt(parked)
	}
	return p, true, nil
}

// parkedTargets lists the targets that have parked actions, reading one entry of each.
func (t *tx) parkedTargets() ([]string, error) {
	b := t.bucket(parkedActions)
	if b == nil {
		return nil, nil
	}
	var list []string
	c := b.Cursor()
	for k, _ := c.First(); k != nil; {
		target, _, ok := bytes.Cut(k, []byte{0})
		if !ok {
			return nil, t.corrupt(parkedActions)
		}
		list = append(list, string(target))
		k, _ = c.Seek(append(bytes.Clone(target), 1))
	}
	return list, nil
}

// Park implements store.Writer. What replaces an entry takes over its id, and with it its place in the order.
func (t *tx) Park(p store.Parked) (uint64, error) {
	if strings.Contains(p.Target, "\x00") {
		return 0, misuse("target %q cannot be named", p.Target)
	}
	index, key, indexed := parkedIndex(&p)
	p.ID = 0
	if indexed {
		old, _, err := t.parkedAt(index, key)
		if err != nil {
			return 0, err
		}
		p.ID = old.ID
	}
	if p.ID == 0 {
		t.count.lastParked++
		t.count.parked++
		p.ID = t.count.lastParked
		if indexed {
			if err := t.put(index, key, seqKey(p.ID)); err != nil {
				return 0, err
			}
		}
	}
	value, err := json.Marshal(p)
	if err != nil {
		return 0, misuse("park: %w", err)
	}
	return p.ID, t.put(parked, seqKey(p.ID), value)
}

// Unpark implements store.Writer.
func (t *tx) Unpark(id uint64) (bool, error) {
	value, ok := t.get(parked, seqKey(id))
	if !ok {
		return false, nil
	}
	p, err := parseParked(seqKey(id), value)
	if err != nil {
		return false, t.corrupt(parked)
	}
	if index, key, ok := parkedIndex(&p); ok {
		if err := t.del(index, key); err != nil {
			return false, err
		}
	}
	t.count.parked--
	return true, t.del(parked, seqKey(id))
}
