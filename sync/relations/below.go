package relations

import (
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Of so many groups the members, and of so many members the rows are looked at in one call: a group can be large.
const (
	groupsAtOnce = 256
	rowsAtOnce   = 4096
)

// Tree holds who is directly in groups and in the groups below those.
type Tree map[store.Num]*content

// content is what is directly in a group.
type content struct {
	people *roaring.Bitmap
	groups []store.Num
}

// Below looks up everybody below groups, through all levels, level by level. The groups themselves may be gone
// already; a gone group on the way has no members.
func Below(tx store.Reader, groups []store.Num) (Tree, error) {
	t := Tree{}
	for level := slices.Clone(groups); ; {
		level = slices.DeleteFunc(distinct(level), func(n store.Num) bool { return t[n] != nil })
		if len(level) == 0 {
			return t, nil
		}
		for _, n := range level {
			t[n] = &content{people: roaring.New()}
		}
		var below []store.Num
		for chunk := range slices.Chunk(level, groupsAtOnce) {
			groups, err := t.fill(tx, chunk)
			if err != nil {
				return nil, err
			}
			below = append(below, groups...)
		}
		level = below
	}
}

// AddPeople adds everybody below a group that was asked about.
func (t Tree) AddPeople(group store.Num, people *roaring.Bitmap) {
	visited := map[store.Num]bool{}
	for next := []store.Num{group}; len(next) > 0; {
		n := next[len(next)-1]
		next = next[:len(next)-1]
		if !visited[n] {
			visited[n] = true
			people.Or(t[n].people)
			next = append(next, t[n].groups...)
		}
	}
}

// AddEverybody adds everybody below any of the groups.
func (t Tree) AddEverybody(people *roaring.Bitmap) {
	for _, c := range t {
		people.Or(c.people)
	}
}

// Strangers counts those whom a group, or one below it, lists and who are nobody that is stored.
func Strangers(tx store.Reader, group store.Num) (n int, err error) {
	tree, err := Below(tx, []store.Num{group})
	if err != nil {
		return 0, err
	}
	listed := roaring.New()
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(tree)), groupsAtOnce) {
		err := tx.MembersOf(chunk, func(_, handle store.Num) bool { listed.Add(uint32(handle)); return true })
		if err != nil {
			return 0, err
		}
	}
	owners, err := tx.Owners(Nums(listed), make([]store.Num, 0, listed.GetCardinality()))
	if err != nil {
		return 0, err
	}
	known := roaring.New()
	for _, kind := range []directory.Kind{directory.Person, directory.Group, directory.Device} {
		for chunk := range slices.Chunk(distinct(slices.Clone(owners)), rowsAtOnce) {
			here, err := stored(tx, kind, chunk, nil)
			if err != nil {
				return 0, err
			}
			known.Or(Set(here))
		}
	}
	for _, owner := range owners {
		if !known.Contains(uint32(owner)) {
			n++
		}
	}
	return n, nil
}

// fill looks up the people and groups that are directly in groups and stored: by the groups' lists, and by their own
// word. Handles that nobody owns (yet) are passed over. It returns the groups.
func (t Tree) fill(tx store.Reader, groups []store.Num) (below []store.Num, err error) {
	type member struct{ group, handle store.Num }
	var members []member
	handles := roaring.New()
	err = tx.MembersOf(groups, func(group, handle store.Num) bool {
		members = append(members, member{group, handle})
		handles.Add(uint32(handle))
		return true
	})
	if err != nil {
		return nil, err
	}
	asked := Nums(handles)
	owner, err := tx.Owners(asked, make([]store.Num, 0, len(asked)))
	if err != nil {
		return nil, err
	}
	people, subgroups := roaring.New(), roaring.New()
	if err := tellApart(tx, distinct(slices.Clone(owner)), people, subgroups); err != nil {
		return nil, err
	}
	for _, m := range members {
		i, _ := slices.BinarySearch(asked, m.handle)
		switch n := owner[i]; {
		case people.Contains(uint32(n)):
			t[m.group].people.Add(uint32(n))
		case subgroups.Contains(uint32(n)):
			t[m.group].groups = append(t[m.group].groups, n)
		}
	}
	return Nums(subgroups), t.addOwnWord(tx, groups)
}

// tellApart finds out which of some objects are people, and which are groups that are there.
func tellApart(tx store.Reader, nums []store.Num, people, groups *roaring.Bitmap) error {
	for chunk := range slices.Chunk(nums, rowsAtOnce) {
		persons, err := stored(tx, directory.Person, chunk, nil)
		if err != nil {
			return err
		}
		people.Or(Set(persons))
		rest := slices.DeleteFunc(slices.Clone(chunk), func(n store.Num) bool { return people.Contains(uint32(n)) })
		if len(rest) == 0 {
			continue
		}
		here, err := stored(tx, directory.Group, rest, func(row *store.Row) bool { return row.Gone == store.Here })
		if err != nil {
			return err
		}
		groups.Or(Set(here))
	}
	return nil
}

// addOwnWord adds the people who say themselves that they are in one of the groups.
func (t Tree) addOwnWord(tx store.Reader, groups []store.Num) error {
	objects, err := Load(tx, directory.Group, groups)
	if err != nil {
		return err
	}
	people, err := Pointing(tx, directory.MemberOf, objects)
	for i := range people {
		t[objects[i].Num].people.Or(Set(people[i]))
	}
	return err
}
