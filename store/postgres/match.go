package postgres

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin/key"
)

// The index by which people are found at sign-in: "matching" says by which of their fields, "match" has the hashes of what is in these.
const schemaMatch = `
create table @.matching (part int primary key, form text not null);
create table @.match (part int, key uuid, num int, primary key (part, key, num));
`

// matchForm is stored: by which fields people are found, and by which normal forms.
type matchForm struct {
	Form   int         `json:"form"`
	Fields []key.Field `json:"fields"`
}

// matchState is what a transaction knows of the index. What changes is collected.
type matchState struct {
	stored  bool // there is a row of matching, of whatever forms
	fields  []key.Field
	pending map[matchEntry]bool // what enters the index, or leaves it
}

type matchEntry struct {
	key store.MatchKey
	num store.Num
}

// matchFields returns the fields of the index. One of other normal forms is none: it finds nobody until it is made anew.
func (t *tx) matchFields() ([]key.Field, error) {
	return t.desk.match.fields, t.failed
}

// scanMatching reads a row of matching.
func (t *tx) scanMatching(text string) error {
	var form matchForm
	if json.Unmarshal([]byte(text), &form) != nil {
		return t.s.corrupt("matching")
	}
	m := &t.desk.match
	if m.stored = true; form.Form == key.Form {
		m.fields = form.Fields
	}
	return nil
}

// matchKeys are the keys by which an object is found in the index match (SetMatching): none where there is no index, and of objects
// that are no people.
func (t *tx) matchKeys(o *directory.Object) ([]store.MatchKey, error) {
	if o.Kind != directory.Person {
		return nil, nil
	}
	fields, err := t.matchFields()
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	return hashesOfKeys(key.OfObject(o, fields)), nil
}

func hashesOfKeys(keys []key.Key) []store.MatchKey {
	hashes := make([]store.MatchKey, len(keys))
	for i, k := range keys {
		hashes[i] = store.MatchKeyOf(k)
	}
	return hashes
}

// replaceMatch takes the keys that a person had, and gives those that it has now.
func (t *tx) replaceMatch(n store.Num, old, now []store.MatchKey) error {
	m := &t.desk.match
	if m.pending == nil {
		m.pending = map[matchEntry]bool{}
	}
	for _, k := range old {
		if !slices.Contains(now, k) {
			m.pending[matchEntry{k, n}] = false
		}
	}
	for _, k := range now {
		if !slices.Contains(old, k) {
			m.pending[matchEntry{k, n}] = true
		}
	}
	return nil
}

// flushMatch turns what was collected into statements.
func (t *tx) flushMatch() error {
	m := &t.desk.match
	if len(m.pending) == 0 {
		return nil
	}
	var enter, leave []matchEntry
	for e, in := range m.pending {
		if in {
			enter = append(enter, e)
		} else {
			leave = append(leave, e)
		}
	}
	m.pending = nil
	if len(leave) > 0 {
		keys, nums := matchColumns(leave)
		err := t.erase(`delete from @.match where ctid = any(array(select d.ctid from unnest($2::uuid[], $3::int[]) k(key, num)
			cross join lateral (select ctid from @.match where part = $1 and key = k.key and num = k.num limit 1) d))`, keys, nums)
		if err != nil {
			return err
		}
	}
	return t.addMatches(enter)
}

// matchesAtOnce is how many entries one statement stores.
const matchesAtOnce = 20_000

func (t *tx) addMatches(entries []matchEntry) error {
	for chunk := range slices.Chunk(entries, matchesAtOnce) {
		keys, nums := matchColumns(chunk)
		err := t.write(`insert into @.match (part, key, num) select $1, * from unnest($2::uuid[], $3::int[]) on conflict do nothing`, keys, nums)
		if err != nil {
			return err
		}
	}
	return nil
}

func matchColumns(entries []matchEntry) (keys []pgtype.UUID, nums []int32) {
	slices.SortFunc(entries, func(a, b matchEntry) int { return cmp.Or(bytes.Compare(a.key[:], b.key[:]), cmp.Compare(a.num, b.num)) })
	for _, e := range entries {
		keys, nums = append(keys, uuidOf(nameHash(e.key))), append(nums, int32(e.num))
	}
	return keys, nums
}

// Matching implements store.Reader.
func (t *tx) Matching() ([]key.Field, error) {
	fields, err := t.matchFields()
	return slices.Clone(fields), err
}

// Match implements store.Reader.
func (t *tx) Match(keys []store.MatchKey, fn func(key int, n store.Num) bool) error {
	if fields, err := t.matchFields(); err != nil || len(fields) == 0 || len(keys) == 0 {
		return err
	}
	if err := t.resolve(); err != nil {
		return err
	}
	if err := t.flushMatch(); err != nil {
		return err
	}
	hashes := make([]pgtype.UUID, len(keys))
	for i, k := range keys {
		hashes[i] = uuidOf(nameHash(k))
	}
	type found struct {
		key int
		num int32
	}
	var list []found
	err := t.query(func(rows pgx.Rows) error {
		var f found
		err := rows.Scan(&f.key, &f.num)
		list = append(list, f)
		return err
	}, `select k.n - 1, m.num from unnest($2::uuid[]) with ordinality k (key, n) cross join lateral (select num from @.match where part = $1 and key = k.key offset 0) m order by k.n, m.num`, hashes)
	if err != nil {
		return err
	}
	for _, f := range list {
		if !fn(f.key, store.Num(f.num)) {
			return nil
		}
	}
	return nil
}

// SetMatching implements store.Writer: one pass over the people.
func (t *tx) SetMatching(fields []key.Field) error {
	before, err := t.matchFields()
	if err != nil || slices.Equal(before, fields) && len(fields) > 0 {
		return err
	}
	m := &t.desk.match
	if len(fields) == 0 && !m.stored {
		return nil
	}
	if err := t.resolve(); err != nil { // what was put before has keys of the fields before
		return err
	}
	m.fields, m.pending = slices.Clone(fields), nil
	m.stored = len(fields) > 0
	if err := t.erase(`delete from @.match where part = $1`); err != nil {
		return err
	}
	if len(fields) == 0 {
		return t.erase(`delete from @.matching where part = $1`)
	}
	form, err := json.Marshal(matchForm{Form: key.Form, Fields: fields})
	if err != nil {
		return misuse("index of %d fields: %w", len(fields), err)
	}
	err = t.write(`insert into @.matching (part, form) values ($1, $2) on conflict (part) do update set form = excluded.form`, string(form))
	if err != nil {
		return err
	}
	entries, err := t.allMatches()
	if err != nil {
		return err
	}
	return t.addMatches(entries)
}

// allMatches returns what the index has to hold.
func (t *tx) allMatches() (entries []matchEntry, err error) {
	var bad error
	err = t.Rows(directory.Person, 0, func(row store.Row) bool {
		o, err := directory.ParseObject(row.Data)
		if err != nil {
			bad = t.s.corrupt("object")
			return false
		}
		for _, k := range hashesOfKeys(key.OfObject(&o, t.desk.match.fields)) {
			entries = append(entries, matchEntry{k, row.Num})
		}
		return true
	})
	return entries, cmp.Or(err, bad)
}
