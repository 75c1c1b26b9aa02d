package relations

import (
	"cmp"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// holders tells which objects of a list have a handle; two may state the same one. Sorted by handle.
type holders []holder

type holder struct {
	handle store.Num
	object int // where it is in the list
}

func holdersOf(objects []Object) holders {
	n := 0
	for i := range objects {
		n += len(objects[i].Nums)
	}
	list := make(holders, 0, n)
	for i := range objects {
		for _, n := range objects[i].Nums {
			list = append(list, holder{n, i})
		}
	}
	slices.SortFunc(list, func(a, b holder) int { return cmp.Or(cmp.Compare(a.handle, b.handle), a.object-b.object) })
	return list
}

// handles are all of them, ascending.
func (h holders) handles() []store.Num {
	list := make([]store.Num, len(h))
	for i := range h {
		list[i] = h[i].handle
	}
	return slices.Compact(list)
}

// of are those who have a handle.
func (h holders) of(handle store.Num) holders {
	first, _ := slices.BinarySearchFunc(h, handle, func(x holder, n store.Num) int { return cmp.Compare(x.handle, n) })
	last := first
	for last < len(h) && h[last].handle == handle {
		last++
	}
	return h[first:last]
}

// naming lists for each object the groups that have it among their members, by any of its handles that mean it and nobody
// else.
func naming(tx store.Reader, objects []Object) ([][]store.Num, error) {
	groups, by := make([][]store.Num, len(objects)), holdersOf(objects)
	lost := map[claim]bool{} // stated, and had by another object or by nobody
	err := tx.Contestants(by.handles(), func(handle, object store.Num) bool {
		lost[claim{handle, object}] = true
		return true
	})
	if err != nil {
		return nil, err
	}
	err = tx.GroupsOf(by.handles(), func(handle, group store.Num) bool {
		for _, h := range by.of(handle) {
			if len(lost) == 0 || !lost[claim{handle, objects[h.object].Num}] {
				groups[h.object] = append(groups[h.object], group)
			}
		}
		return true
	})
	return groups, err
}

// claim is an object that states a handle.
type claim struct{ handle, object store.Num }

// link is a link that an object of a list states, and an object that has the handle to which it points.
type link struct {
	object int // where it is in the list
	typ    directory.LinkType
	to     store.Num
}

// follow returns where the links of objects lead, in their order, but for links to what nobody ever mentioned. Whoever
// says to be in a group is in every group that states the handle (see directory.NumberHandle).
func follow(tx store.Reader, objects []Object, wanted func(directory.LinkType) bool) ([]link, error) {
	var links []link
	var texts []string
	for i := range objects {
		for _, l := range objects[i].Links {
			if wanted(l.Type) {
				links, texts = append(links, link{object: i, typ: l.Type}), append(texts, l.To)
			}
		}
	}
	if len(links) == 0 {
		return nil, nil
	}
	handles, err := tx.Lookup(texts, make([]store.Num, 0, len(texts)))
	if err != nil {
		return nil, err
	}
	to, err := tx.Owners(handles, make([]store.Num, 0, len(handles)))
	if err != nil {
		return nil, err
	}
	others, err := contestants(tx, handles)
	if err != nil {
		return nil, err
	}
	for i := range to {
		links[i].to = to[i]
		if links[i].typ == directory.MemberOf {
			for _, other := range others[handles[i]] {
				links = append(links, link{links[i].object, directory.MemberOf, other})
			}
		}
	}
	return slices.DeleteFunc(links, func(l link) bool { return l.to == 0 }), nil
}

// contestants are those who state handles that they do not have.
func contestants(tx store.Reader, handles []store.Num) (map[store.Num][]store.Num, error) {
	list := map[store.Num][]store.Num{}
	err := tx.Contestants(handles, func(handle, object store.Num) bool {
		list[handle] = append(list[handle], object)
		return true
	})
	return list, err
}

// claimants returns the numbers of all objects that state handles.
func claimants(tx store.Reader, handles []string) ([]store.Num, error) {
	nums, err := tx.Lookup(handles, make([]store.Num, 0, len(handles)))
	if err != nil {
		return nil, err
	}
	all, err := tx.Owners(nums, make([]store.Num, 0, len(nums)))
	if err != nil {
		return nil, err
	}
	err = tx.Contestants(nums, func(_, object store.Num) bool { all = append(all, object); return true })
	return all, err
}

// Referrers calls fn for everybody who states a link of a type to one of some handles.
func Referrers(tx store.Reader, link directory.LinkType, handles []store.Num, fn func(handle, object store.Num)) error {
	if len(handles) == 0 {
		return nil
	}
	return tx.ReferrersOf(link, distinct(handles), func(h, n store.Num) bool { fn(h, n); return true })
}

// Pointing lists for each object those that state a link of a type to it, by any of its handles.
func Pointing(tx store.Reader, link directory.LinkType, objects []Object) ([][]store.Num, error) {
	list, by := make([][]store.Num, len(objects)), holdersOf(objects)
	err := Referrers(tx, link, by.handles(), func(handle, n store.Num) {
		for _, h := range by.of(handle) {
			list[h.object] = append(list[h.object], n)
		}
	})
	return list, err
}

// distinct sorts numbers and leaves out zero and what comes twice.
func distinct(nums []store.Num) []store.Num {
	slices.Sort(nums)
	nums = slices.Compact(nums)
	if len(nums) > 0 && nums[0] == 0 {
		nums = nums[1:]
	}
	return nums
}
