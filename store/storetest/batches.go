package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// The numbers that a batched read is asked for come in any order, more than once, with zeros and with numbers that have
// nothing among them.

// sample draws a list of numbers to ask for.
func sample(rnd *rand.Rand, from []store.Num) []store.Num {
	list := []store.Num{0, 1<<32 - 1}
	for range rnd.IntN(50) {
		list = append(list, from[rnd.IntN(len(from))])
	}
	if rnd.IntN(2) == 0 {
		list = append(list, from[rnd.IntN(len(from)):]...)
	}
	if rnd.IntN(3) > 0 {
		slices.Sort(list)
	} else {
		rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	if rnd.IntN(2) == 0 {
		list = slices.Compact(list)
	}
	return list
}

// pairs collects what an iteration over pairs hands out.
func pairs(iterate func(fn func(a, b store.Num) bool) error) [][2]store.Num {
	var list [][2]store.Num
	return must(list, iterate(func(a, b store.Num) bool { list = append(list, [2]store.Num{a, b}); return true }))
}

// wantPairs lists the pairs that an iteration over some numbers hands out.
func wantPairs(nums []store.Num, of func(store.Num) []store.Num) [][2]store.Num {
	var list [][2]store.Num
	for _, a := range slices.Compact(sorted(nums)) {
		for _, b := range sorted(of(a)) {
			list = append(list, [2]store.Num{a, b})
		}
	}
	return list
}

// crowd is a population and what is to be read of it.
type crowd struct {
	nums    []store.Num // all that there are
	groups  []store.Num
	objects map[store.Num]*directory.Object
	owners  map[store.Num]store.Num
	members map[store.Num][]store.Num // of groups
	in      map[store.Num][]store.Num // groups of members
	reports map[store.Num][]store.Num // of managers' handles
	records map[store.Num][]directory.RecordKind
}

func newCrowd(e *env, people int) (c *crowd) {
	e.update(func(w store.Writer) error {
		c = &crowd{
			objects: map[store.Num]*directory.Object{}, owners: map[store.Num]store.Num{}, members: map[store.Num][]store.Num{},
			in: map[store.Num][]store.Num{}, reports: map[store.Num][]store.Num{}, records: map[store.Num][]directory.RecordKind{},
		}
		for i := range people {
			o := person(fmt.Sprint(i), []string{fmt.Sprint("uid:", i), fmt.Sprint("dn:", i)}, fmt.Sprint("uid:", i/9))
			n := must(w.PutRow(o, store.Here))
			c.objects[n] = o
			handles := intern(w, append(slices.Clone(o.Handles), o.Links[0].To)...)
			c.owners[handles[0]], c.owners[handles[1]] = n, n
			c.reports[handles[2]] = append(c.reports[handles[2]], n)
			c.nums = append(c.nums, n, handles[0], handles[1])
			for j, kind := range []directory.RecordKind{directory.AgentRecord, directory.UserRecord} {
				if i%(2+j) == 0 {
					must(0, w.PutRecord(n, &directory.Record{Kind: kind, Key: fmt.Sprint("hq/", i), Active: i%4 == 0}))
					c.records[n] = append(c.records[n], kind)
				}
			}
		}
		for i := range 40 {
			g := must(w.PutRow(group(fmt.Sprint("g", i)), store.Here))
			c.groups = append(c.groups, g)
			for j := i; j < len(c.nums); j += 1 + 7*i {
				c.members[g] = append(c.members[g], c.nums[j])
				c.in[c.nums[j]] = append(c.in[c.nums[j]], g)
			}
			must(w.AddMembers(g, c.members[g], nil))
		}
		c.nums = append(c.nums, c.groups...)
		return nil
	})
	return c
}

func batches(e *env) {
	c := newCrowd(e, 1500)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		e.view(func(r store.Reader) error { c.compare(e, r, sample(rnd, c.nums)); return nil })
	}
	e.view(func(r store.Reader) error { c.compare(e, r, nil); return nil })
	e.view(func(r store.Reader) error {
		calls := 0
		count := func(a, b store.Num) bool { calls++; return false }
		must(0, r.GroupsOf(c.nums, count))
		must(0, r.MembersOf(c.groups, count))
		must(0, r.ReferrersOf(directory.Manager, c.nums, count))
		must(0, r.RecordsOf(nil, []directory.RecordKind{directory.UserRecord}, c.nums, func(store.Num, directory.Record) bool { calls++; return false }))
		e.equal("calls until false", calls, 4)
		// Rows stay valid while others are looked up.
		first, second := must(r.RowsOf(directory.Person, c.nums[:300], nil)), must(r.RowsOf(directory.Person, c.nums[300:], nil))
		for i, row := range append(first, second...) {
			c.compareRow(e, r, c.nums[i], row)
		}
		return nil
	})
	for what, err := range map[string]error{
		"rows":    e.store.View(e.Context(), e.p, func(r store.Reader) error { _, err := r.RowsOf(200, c.nums, nil); return err }),
		"records": e.store.View(e.Context(), e.p, func(r store.Reader) error { return r.RecordsOf(nil, []directory.RecordKind{200}, c.nums, nil) }),
	} {
		if err == nil {
			e.Errorf("%s of an unknown kind were read", what)
		}
	}
}

func (c *crowd) compare(e *env, r store.Reader, list []store.Num) {
	e.Helper()
	asked := slices.Clone(list)
	owners := []store.Num{7}
	rows := must(r.RowsOf(directory.Person, list, []store.Row{{Num: 7}}))
	e.equal("rows", len(rows), 1+len(list))
	for i, n := range list {
		c.compareRow(e, r, n, rows[1+i])
		owner := c.owners[n]
		if owner == 0 {
			owner = n
		}
		owners = append(owners, owner)
	}
	e.equal("owners", must(r.Owners(list, []store.Num{7})), owners)
	e.equal("groups", pairs(func(fn func(a, b store.Num) bool) error { return r.GroupsOf(list, fn) }),
		wantPairs(list, func(n store.Num) []store.Num { return c.in[n] }))
	e.equal("members", pairs(func(fn func(a, b store.Num) bool) error { return r.MembersOf(list, fn) }),
		wantPairs(list, func(n store.Num) []store.Num { return c.members[n] }))
	e.equal("referrers", pairs(func(fn func(a, b store.Num) bool) error { return r.ReferrersOf(directory.Manager, list, fn) }),
		wantPairs(list, func(n store.Num) []store.Num { return c.reports[n] }))
	var got, want []string
	must(0, r.RecordsOf(nil, []directory.RecordKind{directory.UserRecord, directory.AgentRecord}, list, func(n store.Num, rec directory.Record) bool {
		got = append(got, fmt.Sprint(n, rec.Kind, rec.Key))
		return true
	}))
	for _, n := range slices.Compact(sorted(list)) {
		for _, kind := range slices.Backward(c.records[n]) {
			want = append(want, fmt.Sprint(n, kind, "hq/", c.objects[n].ID))
		}
	}
	e.equal("records", got, want)
	e.equal("the list", list, asked)
}

func (c *crowd) compareRow(e *env, r store.Reader, n store.Num, row store.Row) {
	e.Helper()
	o := c.objects[n]
	if o == nil {
		e.equal("row of nobody", row, store.Row{})
		return
	}
	e.equal("row number", row.Num, n)
	e.equal("data", row.Data, data(o))
	e.equal("handles", row.Handles, must(r.Lookup(o.Handles, nil)))
}
