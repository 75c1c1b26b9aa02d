package relations

import (
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Marker marks what must be settled again, and whom a change touches. One that is Off marks nothing: the first settling
// of a tenant looks at everybody anyway, marks would only cost time, and finding out whom to mark more of it.
type Marker struct{ Off bool }

// Changed marks an object that itself differs.
func (m Marker) Changed(tx store.Writer, kind directory.Kind, n store.Num) error {
	if m.Off {
		return nil
	}
	return tx.MarkDirty(kind, n, store.Changed)
}

// Stored marks those objects of a kind that are stored.
func (m Marker) Stored(tx store.Writer, kind directory.Kind, nums []store.Num, why store.DirtyReason) error {
	if m.Off || len(nums) == 0 {
		return nil
	}
	nums, err := stored(tx, kind, distinct(nums), nil)
	if err != nil {
		return err
	}
	return mark(tx, kind, nums, why)
}

func mark(tx store.Writer, kind directory.Kind, nums []store.Num, why store.DirtyReason) error {
	for _, n := range nums {
		if err := tx.MarkDirty(kind, n, why); err != nil {
			return err
		}
	}
	return nil
}

// Moved is a group and those who entered or left it, by their handles.
type Moved struct {
	Group   store.Num
	Handles []store.Num
}

// Moved marks groups and those who entered or left them: a person must be mapped again, a group means that everybody
// below it must be. A group that nobody entered or left is not marked.
func (m Marker) Moved(tx store.Writer, list ...Moved) error {
	if m.Off {
		return nil
	}
	var groups, handles []store.Num
	for i := range list {
		if len(list[i].Handles) > 0 {
			groups, handles = append(groups, list[i].Group), append(handles, list[i].Handles...)
		}
	}
	if len(handles) == 0 {
		return nil
	}
	nums, err := tx.Owners(distinct(handles), make([]store.Num, 0, len(handles)))
	if err != nil {
		return err
	}
	// An owner that is not there yet will be marked when it comes.
	nums = distinct(nums)
	people, err := stored(tx, directory.Person, nums, nil)
	if err != nil {
		return err
	}
	if err := mark(tx, directory.Person, people, store.Changed); err != nil {
		return err
	}
	rest := slices.DeleteFunc(nums, func(n store.Num) bool { _, is := slices.BinarySearch(people, n); return is })
	if err := m.Stored(tx, directory.Group, rest, store.Regrouped); err != nil {
		return err
	}
	return mark(tx, directory.Group, groups, store.MembersChanged)
}

// Change is an object that was stored in another form before.
type Change struct{ Before, After *directory.Object }

// Neighbours marks those whom changes of handles and links concern: who points to an object by a handle that it gained
// or lost, and the groups and licences to which it pointed or points. The changes are stored already.
func (m Marker) Neighbours(tx store.Writer, changes []Change) error {
	if m.Off {
		return nil
	}
	var handles, groups, licences []string
	for _, c := range changes {
		handles = append(handles, difference(c.Before.Handles, c.After.Handles)...)
		groups = append(groups, difference(linksOf(c.Before, directory.MemberOf), linksOf(c.After, directory.MemberOf))...)
		licences = append(licences, difference(linksOf(c.Before, directory.Holds), linksOf(c.After, directory.Holds))...)
	}
	if err := m.users(tx, handles); err != nil {
		return err
	}
	if err := m.owners(tx, directory.Group, groups); err != nil {
		return err
	}
	return m.owners(tx, directory.Licence, licences)
}

// owners marks the lists of the groups or licences that have handles.
func (m Marker) owners(tx store.Writer, kind directory.Kind, handles []string) error {
	if len(handles) == 0 {
		return nil
	}
	nums, err := claimants(tx, handles)
	if err != nil {
		return err
	}
	return m.Stored(tx, kind, nums, store.MembersChanged)
}

// users marks those who use handles that mean somebody else from now on: those who point to one, as the people who have it
// as their manager, their own group or a licence that they hold, or the devices whose owner it is, and the groups that list it.
func (m Marker) users(tx store.Writer, handles []string) error {
	if len(handles) == 0 {
		return nil
	}
	nums, err := tx.Lookup(handles, make([]store.Num, 0, len(handles)))
	if err != nil {
		return err
	}
	return m.usersOf(tx, distinct(nums))
}

func (m Marker) usersOf(tx store.Writer, nums []store.Num) error {
	for _, link := range directory.LinkTypes() {
		var users []store.Num
		if err := Referrers(tx, link, nums, func(_, n store.Num) { users = append(users, n) }); err != nil {
			return err
		}
		kinds := link.From()
		if len(kinds) == 1 {
			if err := mark(tx, kinds[0], distinct(users), store.Changed); err != nil {
				return err
			}
			continue
		}
		for _, kind := range kinds {
			if err := m.Stored(tx, kind, users, store.Changed); err != nil {
				return err
			}
		}
	}
	var groups []store.Num
	if err := tx.GroupsOf(nums, func(_, g store.Num) bool { groups = append(groups, g); return true }); err != nil {
		return err
	}
	return m.Stored(tx, directory.Group, groups, store.MembersChanged)
}

// difference lists what is in one of two lists only.
func difference(a, b []string) []string {
	var d []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			d = append(d, s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			d = append(d, s)
		}
	}
	return d
}

func linksOf(o *directory.Object, link directory.LinkType) (handles []string) {
	for _, l := range o.Links {
		if l.Type == link {
			handles = append(handles, l.To)
		}
	}
	return handles
}
