package relations

import (
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Names are the names of people by which groups list members (directory.NameHandle), before people are stored, and who was
// meant by them. Of several people who have a name, an account is meant rather than somebody who has none (who states the
// group that an account is in by itself, as posixAccount of RFC 2307 does). Of several accounts it is the one that the name
// meant before, if that one has a record: nobody loses what they have because another entry came. Otherwise it is nobody: a
// right is not given to somebody on a guess.
type Names struct {
	texts  []string
	before map[store.Num]store.Num // who was meant, by handle; known handles only
}

// NamesOf returns the names that people have, as an object in its old form and in its new one.
func NamesOf(tx store.Reader, objects ...*directory.Object) (*Names, error) {
	n := &Names{before: map[store.Num]store.Num{}}
	for _, o := range objects {
		if o == nil || o.Kind != directory.Person {
			continue
		}
		for _, h := range o.Handles {
			if directory.IsNameHandle(h) {
				n.texts = append(n.texts, h)
			}
		}
	}
	if len(n.texts) == 0 {
		return n, nil
	}
	handles, err := tx.Lookup(n.texts, make([]store.Num, 0, len(n.texts)))
	if err != nil {
		return nil, err
	}
	handles = distinct(handles)
	owners, err := tx.Owners(handles, make([]store.Num, 0, len(handles)))
	if err != nil {
		return nil, err
	}
	for i, h := range handles {
		if owners[i] != h {
			n.before[h] = owners[i]
		}
	}
	return n, nil
}

// Decide says who is meant by the names from now on, and marks whom that concerns. The people are stored already.
func (n *Names) Decide(tx store.Writer, m Marker) error {
	if len(n.texts) == 0 {
		return nil
	}
	handles, err := tx.Lookup(n.texts, make([]store.Num, 0, len(n.texts)))
	if err != nil {
		return err
	}
	handles = distinct(handles)
	others, err := contestants(tx, handles)
	if err != nil {
		return err
	}
	owners, err := tx.Owners(handles, make([]store.Num, 0, len(handles)))
	if err != nil {
		return err
	}
	for i, h := range handles {
		was, is := n.before[h], owners[i]
		if is == h {
			is = 0
		}
		if len(others[h]) > 0 {
			candidates := others[h]
			if is != 0 {
				candidates = append(candidates, is)
			}
			meant, err := meant(tx, was, candidates)
			if err != nil {
				return err
			}
			if err := tx.Give(h, meant); err != nil {
				return err
			}
			is = meant
		}
		if is == was || was == 0 && len(others[h]) == 0 {
			continue // somebody who comes with a new name is marked for that
		}
		if err := m.Stored(tx, directory.Person, []store.Num{was, is}, store.Changed); err != nil {
			return err
		}
		if m.Off {
			continue
		}
		if err := m.usersOf(tx, []store.Num{h}); err != nil {
			return err
		}
	}
	return nil
}

// meant chooses among people who state the same name; zero is nobody.
func meant(tx store.Reader, was store.Num, candidates []store.Num) (store.Num, error) {
	people, err := Load(tx, directory.Person, distinct(candidates))
	if err != nil {
		return 0, err
	}
	people = slices.DeleteFunc(people, func(o Object) bool { return o.Gone.Proven() })
	if find(people, was) != nil {
		had := false
		err := tx.RecordsOf(nil, directory.RecordKinds(), []store.Num{was}, func(_ store.Num, r directory.Record) bool {
			had = had || r.Active
			return !had
		})
		if err != nil || had {
			return was, err
		}
	}
	isAccount := func(o Object) bool {
		return slices.ContainsFunc(o.Links, func(l directory.Link) bool { return l.Type == directory.MemberOf })
	}
	if slices.ContainsFunc(people, isAccount) {
		people = slices.DeleteFunc(people, func(o Object) bool { return !isAccount(o) })
	}
	if len(people) != 1 {
		return 0, nil
	}
	return people[0].Num, nil
}

// Gone marks a person who is gone, and gives the names that others state, too, to whom they mean then.
func (m Marker) Gone(tx store.Writer, kind directory.Kind, n store.Num) error {
	if err := m.Changed(tx, kind, n); err != nil || kind != directory.Person {
		return err
	}
	return m.redecide(tx, n, func() error { return nil })
}

// Forget deletes a person, and gives the names that others state, too, to whom they mean then.
func (m Marker) Forget(tx store.Writer, n store.Num) error {
	return m.redecide(tx, n, func() error { return tx.DeleteRow(directory.Person, n) })
}

// redecide changes a person, and says then who is meant by the names that others state, too.
func (m Marker) redecide(tx store.Writer, n store.Num, change func() error) error {
	row, ok, err := tx.Row(directory.Person, n)
	if err != nil || !ok {
		return err
	}
	contested, err := Contested(tx, row.Handles)
	if err != nil {
		return err
	}
	if !contested {
		return change()
	}
	o, err := row.Object("look at a person")
	if err != nil {
		return err
	}
	names, err := NamesOf(tx, &o)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	return names.Decide(tx, m)
}

// Contested reports whether several objects state one of some handles.
func Contested(tx store.Reader, handles []store.Num) (yes bool, err error) {
	err = tx.Contestants(handles, func(_, _ store.Num) bool { yes = true; return false })
	return yes, err
}

// Shared tells who states handles that several objects of a kind state that are there: the ids of each, in order. Only
// handles count that need not be one object's alone.
func Shared(tx store.Reader, kind directory.Kind, handles []store.Num) (ids [][]string, err error) {
	handles = distinct(handles)
	others, err := contestants(tx, handles)
	if err != nil || len(others) == 0 {
		return nil, err
	}
	owners, err := tx.Owners(handles, make([]store.Num, 0, len(handles)))
	if err != nil {
		return nil, err
	}
	for i, h := range handles {
		if len(others[h]) == 0 {
			continue
		}
		objects, err := loadHere(tx, kind, append(others[h], owners[i]), nil)
		if err != nil {
			return nil, err
		}
		var list []string
		for j := range objects {
			place := slices.Index(objects[j].Nums[1:], h)
			if place < 0 {
				continue
			}
			if text := objects[j].Handles[place]; directory.IsNameHandle(text) || directory.IsNumberHandle(text) {
				list = append(list, objects[j].ID)
			}
		}
		if len(list) > 1 {
			slices.Sort(list)
			ids = append(ids, list)
		}
	}
	return ids, nil
}
