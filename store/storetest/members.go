package storetest

import (
	"fmt"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

func members(e *env) {
	var g, h store.Num
	var people []store.Num
	e.update(func(w store.Writer) error {
		g, h = must(w.PutRow(group("g"), store.Here)), must(w.PutRow(group("h"), store.Here))
		people = intern(w, "a", "b", "c", "d")
		return nil
	})
	a, b, c, d := people[0], people[1], people[2], people[3]
	e.both(func(w store.Writer) error {
		e.equal("added", sorted(must(w.AddMembers(g, []store.Num{c, a, c, b}, nil))), []store.Num{a, b, c})
		e.equal("kept", must(w.AddMembers(h, []store.Num{b}, []store.Num{99})), []store.Num{99, b})
		return nil
	}, func(r store.Reader) {
		e.equal("members", membersOf(r, g), []store.Num{a, b, c})
		e.equal("members of the other", membersOf(r, h), []store.Num{b})
		e.equal("groups", groupsOf(r, b), []store.Num{g, h})
		e.equal("groups of a", groupsOf(r, a), []store.Num{g})
		e.equal("groups of d", groupsOf(r, d), []store.Num{})
		e.equal("memberships", must(r.Memberships()), 4)
	})
	e.both(func(w store.Writer) error {
		e.equal("added", must(w.AddMembers(g, []store.Num{a, d}, nil)), []store.Num{d})
		e.equal("removed", sorted(must(w.RemoveMembers(g, []store.Num{d, b, b, h}, nil))), []store.Num{b, d})
		e.equal("added again", must(w.AddMembers(g, []store.Num{d}, nil)), []store.Num{d})
		e.equal("nothing", must(w.AddMembers(g, nil, nil)), []store.Num{})
		return nil
	}, func(r store.Reader) {
		e.equal("members", membersOf(r, g), []store.Num{a, c, d})
		e.equal("groups of b", groupsOf(r, b), []store.Num{h})
		e.equal("groups of d", groupsOf(r, d), []store.Num{g})
		e.equal("memberships", must(r.Memberships()), 4)
	})
	e.both(func(w store.Writer) error {
		must(w.RemoveMembers(g, []store.Num{a, c, d}, nil))
		must(w.AddMembers(g, []store.Num{h, g}, nil))
		return nil
	}, func(r store.Reader) {
		e.equal("members", membersOf(r, g), []store.Num{g, h})
		e.equal("a group in itself", groupsOf(r, g), []store.Num{g})
		e.equal("memberships", must(r.Memberships()), 3)
	})
	e.view(func(r store.Reader) error {
		calls := 0
		err := r.Members(g, func(store.Num) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 1)
		err = r.GroupsOf([]store.Num{h}, func(_, _ store.Num) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 2)
		return nil
	})
}

func manyMembers(e *env) {
	const people, groups = 3000, 20
	var handles, nums []store.Num
	e.update(func(w store.Writer) error {
		handles, nums = nil, nil
		for i := range people {
			handles = append(handles, intern(w, fmt.Sprint("p", i))[0])
		}
		for i := range groups {
			g := must(w.PutRow(group(fmt.Sprint(i)), store.Here))
			nums = append(nums, g)
			for j := i; j < people; j += i + 1 {
				must(w.AddMembers(g, handles[j:j+1], nil))
			}
		}
		return nil
	})
	total := 0
	e.view(func(r store.Reader) error {
		for i, g := range nums {
			var want []store.Num
			for j := i; j < people; j += i + 1 {
				want = append(want, handles[j])
			}
			total += len(want)
			e.equal(fmt.Sprint("members of ", i), membersOf(r, g), want)
		}
		for j, h := range handles {
			var want []store.Num
			for i, g := range nums {
				if j >= i && (j-i)%(i+1) == 0 {
					want = append(want, g)
				}
			}
			e.equal(fmt.Sprint("groups of ", j), groupsOf(r, h), want)
		}
		e.equal("memberships", must(r.Memberships()), total)
		return nil
	})
}

func memberDigest(e *env) {
	var g store.Num
	var people []store.Num
	d := store.MemberDigest{Count: 1, Sum: [2]uint64{1 << 63, 7}}
	set := func(w store.Writer) error { return w.SetMemberDigest(g, d) }
	check := func(want store.MemberDigest) func(store.Reader) {
		return func(r store.Reader) { e.Helper(); e.equal("digest", must(r.MemberDigest(g)), want) }
	}
	e.both(func(w store.Writer) error {
		g, people = must(w.PutRow(group("g"), store.Here)), intern(w, "a", "b")
		must(w.AddMembers(g, people[:1], nil))
		return set(w)
	}, check(d))
	e.both(func(w store.Writer) error {
		must(w.AddMembers(g, people[:1], nil))
		must(w.RemoveMembers(g, people[1:], nil))
		return nil
	}, check(d)) // nothing was added or removed
	e.both(func(w store.Writer) error { must(w.AddMembers(g, people, nil)); return nil }, check(store.MemberDigest{}))
	e.both(set, check(d))
	e.both(func(w store.Writer) error { must(w.RemoveMembers(g, people, nil)); return nil }, check(store.MemberDigest{}))
	e.both(set, check(d))
	e.both(func(w store.Writer) error { return w.SetMemberDigest(g, store.MemberDigest{}) }, check(store.MemberDigest{}))
}

func deleteGroup(e *env) {
	var g, h store.Num
	var people []store.Num
	e.update(func(w store.Writer) error {
		g, h = must(w.PutRow(group("g"), store.Here)), must(w.PutRow(group("h"), store.Here))
		people = intern(w, "a", "b")
		must(w.AddMembers(g, people, nil))
		must(w.AddMembers(h, append([]store.Num{g}, people...), nil))
		return w.SetMemberDigest(g, store.MemberDigest{Count: 2})
	})
	e.both(func(w store.Writer) error { return w.DeleteRow(directory.Group, g) }, func(r store.Reader) {
		e.equal("members", membersOf(r, g), []store.Num{})
		e.equal("groups of a", groupsOf(r, people[0]), []store.Num{h})
		e.equal("still listed", groupsOf(r, g), []store.Num{h})
		e.equal("memberships", must(r.Memberships()), 3)
		e.equal("digest", must(r.MemberDigest(g)), store.MemberDigest{})
	})
}
