package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin/key"
)

// matchSize is that of an entry of the index: hash16 of a key and the number of a person who has it, without a value.
const matchSize = 20

type matchEntry [matchSize]byte

func matchOf(k store.MatchKey, n store.Num) (e matchEntry) {
	copy(e[:], k[:])
	binary.BigEndian.PutUint32(e[16:], uint32(n))
	return e
}

// matching is what a transaction knows of the index. What changes is collected and written in the order of the keys.
type matching struct {
	known   bool
	fields  []key.Field
	pending map[matchEntry]bool // what enters the index, or leaves it
}

// matchForm is stored: by which fields people are found, and by which normal forms.
type matchForm struct {
	Form   int         `json:"form"`
	Fields []key.Field `json:"fields"`
}

// matchFields returns the fields of the index. One of other normal forms is none: it finds nobody until it is made anew.
func (t *tx) matchFields() ([]key.Field, error) {
	m := &t.matching
	if m.known {
		return m.fields, nil
	}
	if value := t.value(matchingKey); value != nil {
		var stored matchForm
		if json.Unmarshal(value, &stored) != nil {
			return nil, damage("read state", t.s.path, corrupt(matchingKey))
		}
		if stored.Form == key.Form {
			m.fields = stored.Fields
		}
	}
	m.known = true
	return m.fields, nil
}

// matchKeys returns by what an object is found.
func (t *tx) matchKeys(o *directory.Object) ([]store.MatchKey, error) {
	if o.Kind != directory.Person {
		return nil, nil
	}
	fields, err := t.matchFields()
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	keys := key.OfObject(o, fields)
	hashes := make([]store.MatchKey, len(keys))
	for i, k := range keys {
		hashes[i] = store.MatchKeyOf(k)
	}
	return hashes, nil
}

// replaceMatch notes that a person is found by other keys than before.
func (t *tx) replaceMatch(n store.Num, old, now []store.MatchKey) error {
	m := &t.matching
	if m.pending == nil {
		m.pending = map[matchEntry]bool{}
	}
	for _, k := range old {
		if !slices.Contains(now, k) {
			m.pending[matchOf(k, n)] = false
		}
	}
	for _, k := range now {
		if !slices.Contains(old, k) {
			m.pending[matchOf(k, n)] = true
		}
	}
	if len(m.pending) < maxPending {
		return nil
	}
	return t.flushMatch()
}

// flushMatch writes what was collected.
func (t *tx) flushMatch() error {
	m := &t.matching
	if len(m.pending) == 0 {
		return nil
	}
	entries := make([]matchEntry, 0, len(m.pending))
	for e := range m.pending {
		entries = append(entries, e)
	}
	sortMatch(entries)
	for i := range entries {
		e := &entries[i]
		var err error
		if m.pending[*e] {
			err = t.put(match, e[:], nil)
		} else {
			err = t.del(match, e[:])
		}
		if err != nil {
			return err
		}
	}
	clear(m.pending)
	return nil
}

func sortMatch(entries []matchEntry) {
	slices.SortFunc(entries, func(a, b matchEntry) int { return bytes.Compare(a[:], b[:]) })
}

// Matching implements store.Reader.
func (t *tx) Matching() ([]key.Field, error) {
	fields, err := t.matchFields()
	return slices.Clone(fields), err
}

// Match implements store.Reader.
func (t *tx) Match(keys []store.MatchKey, fn func(key int, n store.Num) bool) error {
	if fields, err := t.matchFields(); err != nil || len(fields) == 0 {
		return err
	}
	if err := t.flushMatch(); err != nil {
		return err
	}
	b := t.bucket(match)
	for i := range keys {
		for k := range scan(b, keys[i][:], keys[i][:]) {
			if len(k) != matchSize {
				return t.corrupt(match)
			}
			if !fn(i, store.Num(binary.BigEndian.Uint32(k[16:]))) {
				return nil
			}
		}
	}
	return nil
}

// SetMatching implements store.Writer. One pass over the people in the order of their numbers, and one over the index in its own.
func (t *tx) SetMatching(fields []key.Field) error {
	before, err := t.matchFields()
	if err != nil || slices.Equal(before, fields) && len(fields) > 0 {
		return err
	}
	m := &t.matching
	m.fields, m.pending = slices.Clone(fields), nil
	if err := t.remove(match); err != nil {
		return err
	}
	if len(fields) == 0 {
		if t.value(matchingKey) == nil {
			return nil
		}
		t.changed = true
		return t.failed(t.root.Delete([]byte(matchingKey)))
	}
	form, err := json.Marshal(matchForm{Form: key.Form, Fields: fields})
	if err != nil {
		return misuse("index of %d fields: %w", len(fields), err)
	}
	if err := t.putValue(matchingKey, form); err != nil {
		return err
	}
	entries, err := t.allMatches()
	if err != nil || len(entries) == 0 {
		return err
	}
	b, err := t.writable(match)
	if err != nil {
		return err
	}
	b.FillPercent = 0.9 // what comes between is little
	for i := range entries {
		if err := t.failed(b.Put(entries[i][:], nil)); err != nil {
			return err
		}
	}
	return nil
}

// allMatches returns what the index has to hold, in order.
func (t *tx) allMatches() (entries []matchEntry, err error) {
	p := objects + bucketID(directory.Person)
	var bad error
	err = t.Rows(directory.Person, 0, func(row store.Row) bool {
		o, err := directory.ParseObject(row.Data)
		if err != nil {
			bad = t.corrupt(p)
			return false
		}
		keys, err := t.matchKeys(&o)
		for _, k := range keys {
			entries = append(entries, matchOf(k, row.Num))
		}
		bad = err
		return err == nil
	})
	if err == nil {
		err = bad
	}
	sortMatch(entries)
	return slices.Compact(entries), err
}

// match checks that the index says what the people do.
func (v *verifier) match() {
	fields, err := v.matchFields()
	if !v.check(match, err) {
		return
	}
	var want []matchEntry
	if len(fields) > 0 {
		if want, err = v.allMatches(); err != nil {
			return // objects has reported it
		}
	} else if v.value(matchingKey) != nil {
		return // of other normal forms, it is made anew
	}
	i := 0
	for k := range v.all(match) {
		for ; i < len(want) && bytes.Compare(want[i][:], k) < 0; i++ {
			v.missing(&want[i])
		}
		if i == len(want) || !bytes.Equal(want[i][:], k) {
			v.bad(match, "entry %x is of no person", k)
			continue
		}
		i++
	}
	for ; i < len(want); i++ {
		v.missing(&want[i])
	}
}

func (v *verifier) missing(e *matchEntry) {
	v.bad(match, "a key of person %d is missing", binary.BigEndian.Uint32(e[16:]))
}
