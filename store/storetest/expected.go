package storetest

import (
	"fmt"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// What is foreseen changes no answer, be it right, wrong, or about a partition that is another one by now.
func expected(e *env) {
	person := func(id string, links ...directory.Link) *directory.Object {
		return &directory.Object{Kind: directory.Person, ID: id, Handles: []string{"uid:" + id, "shared"}, Links: links}
	}
	fill := func(w store.Writer, ids ...string) []store.Num {
		var nums []store.Num
		for _, id := range ids {
			n := must(w.PutRow(person(id, directory.Link{Type: directory.Manager, To: "uid:" + ids[0]}), store.Here))
			must(0, w.MarkDirty(directory.Person, n, store.Changed))
			must(0, w.PutRecord(n, &directory.Record{Kind: directory.UserRecord, Key: id, Active: true}))
			nums = append(nums, n)
		}
		group := must(w.PutRow(&directory.Object{Kind: directory.Group, ID: "group"}, store.Here))
		must(w.AddMembers(group, append(nums, group), nil))
		must(0, w.SetMemberDigest(group, store.MemberDigest{Count: uint64(len(nums))}))
		return append(nums, group)
	}
	need := func(nums []store.Num, ids ...string) store.Need {
		n := store.Need{
			Kinds: []directory.Kind{directory.Person, directory.Group}, Digests: true, Handles: []string{"shared", "nobody"}, Nums: sorted(nums),
			Members: map[store.Num][]store.Num{nums[len(nums)-1]: nums}, Records: []directory.RecordKind{directory.UserRecord}, Groups: true,
			Linked: []directory.Kind{directory.Person}, Referrers: map[directory.LinkType][]store.Num{directory.Manager: append(nums, nums...)}, Marks: directory.Person, Actions: true,
		}
		for _, id := range append(ids, "group", "nobody") {
			n.IDs = append(n.IDs, directory.IDHandle(id))
			n.Handles = append(n.Handles, "uid:"+id)
		}
		return n
	}
	answers := func(r store.Reader, nums []store.Num, ids ...string) (text string) {
		note := func(v ...any) { text += fmt.Sprintf("%+v\n", v) }
		all := nums
		for _, id := range ids {
			all = append(all, must(r.Lookup([]string{"uid:" + id, directory.IDHandle(id), "shared", "nobody"}, nil))...)
		}
		note(all)
		note(must(r.Owners(all, nil)))
		note(pairs(func(fn func(a, b store.Num) bool) error { return r.Contestants(all, fn) }))
		note(pairs(func(fn func(a, b store.Num) bool) error { return r.GroupsOf(all, fn) }))
		note(pairs(func(fn func(a, b store.Num) bool) error { return r.ReferrersOf(directory.Manager, all, fn) }))
		for _, kind := range []directory.Kind{directory.Person, directory.Group} {
			note(must(r.RowsOf(kind, all, nil)))
			must(0, r.Dirty(kind, 0, func(n store.Num, why store.DirtyReason) bool { note(n, why); return true }))
			must(0, r.Dirty(kind, nums[0]-1, func(n store.Num, why store.DirtyReason) bool { note(n, why); return true }))
		}
		must(0, r.RecordsOf(nil, []directory.RecordKind{directory.UserRecord}, all, func(n store.Num, rec directory.Record) bool { note(n, rec); return true }))
		for _, n := range all {
			note(must(r.MemberDigest(n)))
		}
		return text
	}
	compare := func(what string, n store.Need, nums []store.Num, ids ...string) {
		e.Helper()
		ctx := store.Expect(e.Context(), func() store.Need { return n })
		var with, without string
		must(0, e.store.View(e.Context(), e.p, func(r store.Reader) error { without = answers(r, nums, ids...); return nil }))
		must(0, e.store.View(ctx, e.p, func(r store.Reader) error { with = answers(r, nums, ids...); return nil }))
		e.equal(what+", view", with, without)
		must(0, e.store.Update(ctx, e.p, func(w store.Writer) error { with = answers(w, nums, ids...); return nil }))
		e.equal(what+", update", with, without)
		// What is written holds, whatever was read before.
		var after, later string
		must(0, e.store.Update(ctx, e.p, func(w store.Writer) error {
			must(w.RemoveMembers(nums[len(nums)-1], nums[:1], nil))
			must(0, w.PutRecord(nums[0], &directory.Record{Kind: directory.UserRecord, Key: "other"}))
			must(w.PutRow(&directory.Object{Kind: directory.Person, ID: ids[0], Handles: []string{"uid:other"}}, store.Here))
			must(0, w.ClearDirty(directory.Person, nums[:1]))
			after = answers(w, nums, ids...)
			return nil
		}))
		must(0, e.store.View(ctx, e.p, func(r store.Reader) error { later = answers(r, nums, ids...); return nil }))
		e.equal(what+", after a change", later, after)
	}
	ids := []string{"a", "b", "c", "d"}
	var nums []store.Num
	must(0, e.store.Update(e.Context(), e.p, func(w store.Writer) error { nums = fill(w, ids...); return nil }))
	compare("right", need(nums, ids...), nums, ids...)
	compare("wrong", need([]store.Num{1, 2, 1000}, "x"), nums, ids...)
	compare("too little", store.Need{Groups: true, Linked: []directory.Kind{directory.Person}, Marks: directory.Person}, nums, ids...)
	must(0, e.store.DropPartition(e.Context(), e.p))
	must(0, e.store.Update(e.Context(), e.p, func(w store.Writer) error { nums = fill(w, "d", "x"); return nil }))
	compare("another partition of the name", need([]store.Num{1, 2, 3, 4}, "a", "d"), nums, "d", "x")
	// Whoever comes first after the partition is gone knows nothing of it.
	gone := store.Expect(e.Context(), func() store.Need { return need([]store.Num{1, 2, 3, 4}, ids...) })
	var with, without string
	must(0, e.store.DropPartition(e.Context(), e.p))
	must(0, e.store.View(gone, e.p, func(r store.Reader) error { with = answers(r, nums, ids...); return nil }))
	must(0, e.store.View(e.Context(), e.p, func(r store.Reader) error { without = answers(r, nums, ids...); return nil }))
	e.equal("no partition, view", with, without)
	must(0, e.store.Update(e.Context(), e.p, func(w store.Writer) error { fill(w, ids...); return nil }))
	must(0, e.store.DropPartition(e.Context(), e.p))
	former := nums
	must(0, e.store.Update(gone, e.p, func(w store.Writer) error {
		with = answers(w, former, ids...)
		nums = fill(w, "b", "new")
		return nil
	}))
	e.equal("no partition, update", with, without)
	compare("anew", need(nums, "b", "new"), nums, "b", "new")
}
