package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/signin/key"
)

// Who somebody is, for those who sign in. All of it is read from the store alone: it never waits for a run, a lease or a source, and what a
// half-done read has stored counts.

// Scope is where people are looked for.
type Scope struct {
	Connection string
	// Tenants are ids of the connection's tenants; none: all that were ever read.
	Tenants []string
}

// Owner is a person in the state.
type Owner struct {
	Partition store.Partition
	ID        string // of the object at its source
	Record    string // key of the person's records; empty when there never was one
}

// Found is somebody who was looked for.
type Found struct {
	Owner
	Key int // the position of the key by which it was, the first of several
}

// Standing is how it stands with a person.
type Standing struct {
	// There: the object is stored and counts as there. If not, Proven says whether its absence is proof: the source named it as removed, a
	// proven listing lacked it, or it is forgotten. Nobody is gone without proof.
	There, Proven bool
	// Enabled is false only when the source says so.
	Enabled bool
	// ForNow: the source has not named the object; it is there because the person signed in, and for as long as they come back.
	ForNow bool
	// Kinds are those of the active records, users before agents, and Fields the fields of the first of them.
	Kinds  []directory.RecordKind
	Fields []directory.Field
}

// Gone reports whether the person is proven to be gone.
func (s *Standing) Gone() bool { return !s.There && s.Proven }

// Find looks for people by keys in their normal form, in one view of each partition: in the order of the scopes and their partitions, and
// there of the keys. Each person is named once. Those who are gone or disabled are among them: see Standing. A partition that has people and no
// index of a key's kind is an error, of class fault.Transient: who is not found there may be there.
func (e *Engine) Find(ctx context.Context, where []Scope, keys []key.Key) ([]Found, error) {
	parts, err := e.partitionsOf(ctx, where)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var found []Found
	for _, p := range parts {
		err := e.store.View(ctx, p, func(tx store.Reader) error {
			s := search{tx: tx, part: p, keys: keys, by: map[store.Num]int{}}
			if err := s.run(); err != nil {
				return err
			}
			found = append(found, s.found...)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("find somebody in %s: %w", p, err)
		}
	}
	return found, nil
}

// partitionsOf lists the partitions of scopes, each once.
func (e *Engine) partitionsOf(ctx context.Context, where []Scope) (parts []store.Partition, err error) {
	for _, s := range where {
		list := make([]store.Partition, len(s.Tenants))
		for i, id := range s.Tenants {
			list[i] = store.Partition{Connection: s.Connection, Tenant: id}
		}
		if len(list) == 0 && s.Connection != "" {
			if list, err = e.store.Partitions(ctx, s.Connection); err != nil {
				return nil, err
			}
		}
		for _, p := range list {
			if !slices.Contains(parts, p) {
				parts = append(parts, p)
			}
		}
	}
	return parts, nil
}

// search is Find in one partition.
type search struct {
	tx    store.Reader
	part  store.Partition
	keys  []key.Key
	by    map[store.Num]int // the first key by which somebody may be meant
	found []Found
}

func (s *search) run() error {
	fields, err := s.tx.Matching()
	if err != nil {
		return err
	}
	if err := s.candidates(fields); err != nil {
		return err
	}
	type candidate struct {
		n  store.Num
		by int
	}
	var list []candidate
	for n, by := range s.by {
		list = append(list, candidate{n, by})
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.n, b.n))
	})
	for _, c := range list {
		if err := s.look(c.n, fields); err != nil {
			return err
		}
	}
	return nil
}

// candidates collects whom the keys may mean.
func (s *search) candidates(fields []key.Field) error {
	var hashes []store.MatchKey
	var at []int // positions of the hashes' keys
	for i, k := range s.keys {
		switch {
		case k.Kind == key.ID:
			nums, err := s.tx.Lookup([]string{directory.IDHandle(k.Value)}, nil)
			if err != nil {
				return err
			}
			s.note(nums[0], i)
		case slices.ContainsFunc(fields, func(f key.Field) bool { return f.Kind == k.Kind }):
			hashes, at = append(hashes, store.MatchKeyOf(k)), append(at, i)
		default:
			if err := s.mustBeEmpty(k.Kind); err != nil {
				return err
			}
		}
	}
	return s.tx.Match(hashes, func(i int, n store.Num) bool {
		s.note(n, at[i])
		return true
	})
}

func (s *search) note(n store.Num, by int) {
	if before, ok := s.by[n]; n != 0 && (!ok || by < before) {
		s.by[n] = by
	}
}

// mustBeEmpty fails when there are people of whom nobody knows whether they have a key.
func (s *search) mustBeEmpty(kind key.Kind) error {
	some := false
	if err := s.tx.Rows(directory.Person, 0, func(store.Row) bool { some = true; return false }); err != nil || !some {
		return err
	}
	return &fault.Error{Class: fault.Transient, Op: "find somebody by " + string(kind), Where: s.part.String(),
		Err: errors.New("there is no index of it yet"), Hint: "it is made when the service starts, or when the configuration is loaded again"}
}

// look compares what is stored of somebody with the keys themselves: a hash may be another one's.
func (s *search) look(n store.Num, fields []key.Field) error {
	row, ok, err := s.tx.Row(directory.Person, n)
	if err != nil {
		return err
	}
	var o directory.Object
	var has []key.Key
	if ok {
		if o, err = row.Object("find somebody"); err != nil {
			return err
		}
		has = append(key.OfObject(&o, fields), key.Key{Kind: key.ID, Value: o.ID})
	}
	record, err := recordKey(s.tx, n)
	if err != nil {
		return err
	}
	for i, k := range s.keys {
		switch {
		case ok && slices.Contains(has, k):
			s.found = append(s.found, Found{Owner: Owner{Partition: s.part, ID: o.ID, Record: record}, Key: i})
			return nil
		case !ok && k.Kind == key.ID && record != "" && s.by[n] == i: // forgotten, and known for what is left
			s.found = append(s.found, Found{Owner: Owner{Partition: s.part, ID: k.Value, Record: record}, Key: i})
			return nil
		}
	}
	return nil
}

// recordKey is the key of a person's records, those that are left of somebody included.
func recordKey(tx store.Reader, n store.Num) (k string, err error) {
	err = tx.RecordsOf(nil, mapping.RecordsOf(directory.Person), []store.Num{n}, func(_ store.Num, rec directory.Record) bool {
		k = rec.Key
		return k == ""
	})
	return k, err
}

// Standing says how it stands with a person, in one view of the partition. Of somebody who was never known it says the same as of one who is
// forgotten.
func (e *Engine) Standing(ctx context.Context, o Owner) (s Standing, err error) {
	err = e.store.View(ctx, o.Partition, func(tx store.Reader) error {
		s = Standing{Proven: true, Enabled: true}
		nums, err := tx.Lookup([]string{directory.IDHandle(o.ID)}, nil)
		if err != nil || nums[0] == 0 {
			return err
		}
		row, ok, err := tx.Row(directory.Person, nums[0])
		if err != nil {
			return err
		}
		if ok {
			object, err := row.Object("look at somebody's standing")
			if err != nil {
				return err
			}
			enabled, said := object.Get(directory.FieldEnabled)
			s.There, s.Enabled = row.Gone == store.Here, !said || enabled.Type() != directory.BoolType || enabled.Bool()
			_, s.ForNow = object.Get(directory.FieldSignedInUntil)
			s.Proven = row.Gone == store.NamedRemoved || row.Gone == store.Absent
		}
		return tx.RecordsOf(nil, mapping.RecordsOf(directory.Person), nums, func(_ store.Num, rec directory.Record) bool {
			if !rec.Active {
				return true
			}
			if len(s.Kinds) == 0 {
				for _, f := range rec.Fields {
					s.Fields = append(s.Fields, f.Field)
				}
			}
			s.Kinds = append(s.Kinds, rec.Kind)
			return true
		})
	})
	if err != nil {
		return Standing{}, fmt.Errorf("look at somebody's standing in %s: %w", o.Partition, err)
	}
	return s, nil
}
