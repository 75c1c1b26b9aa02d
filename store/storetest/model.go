package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin/key"
)

// model is what a store would be if it were a few maps. Numbers are the store's own.
type model struct {
	objects map[store.Num]*directory.Object
	gone    map[store.Num]store.GoneCause
	owners  map[store.Num]store.Num
	members map[[2]store.Num]bool // group, handle
	dirty   map[store.Num]store.DirtyReason
	match   []key.Field
}

func (m *model) clone() *model {
	return &model{objects: maps.Clone(m.objects), gone: maps.Clone(m.gone), owners: maps.Clone(m.owners),
		members: maps.Clone(m.members), dirty: maps.Clone(m.dirty), match: m.match}
}

// randomChanges makes random changes to a store and to a model, in transactions of which some fail, and
// compares the two within and after each.
func randomChanges(e *env) {
	rnd := rand.New(rand.NewPCG(1, 1))
	m := (&model{}).clone()
	m.objects, m.gone = map[store.Num]*directory.Object{}, map[store.Num]store.GoneCause{}
	m.owners, m.members = map[store.Num]store.Num{}, map[[2]store.Num]bool{}
	m.dirty = map[store.Num]store.DirtyReason{}
	for range 60 {
		var next *model
		fails, seed := rnd.IntN(5) == 0, rnd.Uint64()
		err := e.store.Update(e.Context(), e.p, func(w store.Writer) error {
			next = m.clone()
			rnd := rand.New(rand.NewPCG(seed, seed)) // every attempt makes the same changes
			for range rnd.IntN(30) {
				next.change(w, rnd)
			}
			next.compare(e, w)
			next.compareBatches(e, w, rnd)
			if fails {
				return errStop
			}
			return nil
		})
		if !fails {
			must(0, err)
			m = next
		}
		e.view(func(r store.Reader) error { m.compare(e, r); m.compareBatches(e, r, rnd); return nil })
		if e.Failed() {
			return
		}
	}
}

func (m *model) change(w store.Writer, rnd *rand.Rand) {
	id := fmt.Sprint(rnd.IntN(40))
	g := intern(w, directory.IDHandle(fmt.Sprint("g", rnd.IntN(5))))[0]
	switch rnd.IntN(8) {
	case 7:
		if rnd.IntN(4) == 0 {
			m.match = [][]key.Field{nil, byMail(), byMailAndName()}[rnd.IntN(3)]
			must(0, w.SetMatching(m.match))
		}
	case 6:
		m.give(w, rnd)
	case 0, 1:
		m.put(w, randomPerson(id, rnd), store.GoneCause(rnd.IntN(3)))
	case 2:
		if n := number(w, directory.IDHandle(id)); n != 0 {
			m.delete(w, n)
		}
	case 3, 4:
		var handles, want []store.Num
		add := rnd.IntN(3) > 0
		for range rnd.IntN(6) {
			handles = append(handles, intern(w, fmt.Sprint("uid:", rnd.IntN(60)))[0])
		}
		for _, h := range slices.Compact(sorted(handles)) {
			if pair := [2]store.Num{g, h}; m.members[pair] != add {
				m.members[pair] = add
				want = append(want, h)
			}
		}
		change := w.AddMembers
		if !add {
			change = w.RemoveMembers
		}
		if got := sorted(must(change(g, handles, nil))); !slices.Equal(got, want) {
			panic(fmt.Sprintf("changed members: got %v, want %v", got, want))
		}
	case 5:
		why := store.DirtyReason(1 + rnd.IntN(7))
		must(0, w.MarkDirty(directory.Group, g, why))
		m.dirty[g] |= why
		if rnd.IntN(3) == 0 {
			must(0, w.ClearDirty(directory.Group, []store.Num{g}))
			delete(m.dirty, g)
		}
	}
}

func randomPerson(id string, rnd *rand.Rand) *directory.Object {
	var handles, managers []string
	for range rnd.IntN(4) {
		handles = append(handles, fmt.Sprint("uid:", rnd.IntN(60)))
	}
	for range rnd.IntN(3) {
		managers = append(managers, fmt.Sprint("uid:", rnd.IntN(10)))
	}
	o := person(id, handles, managers...)
	o.SetText(directory.FieldEmail, []string{"", "no address"}[rnd.IntN(2)])
	if rnd.IntN(4) > 0 {
		o.SetText(directory.FieldEmail, fmt.Sprint("P", rnd.IntN(10), "@example.test"))
	}
	return o
}

func (m *model) put(w store.Writer, o *directory.Object, gone store.GoneCause) {
	n := must(w.PutRow(o, gone))
	m.release(w, n, o.Handles)
	m.objects[n], m.gone[n] = o, gone
	for _, h := range must(w.Lookup(o.Handles, nil)) {
		m.owners[h] = n
	}
}

func (m *model) delete(w store.Writer, n store.Num) {
	must(0, w.DeleteRow(directory.Person, n))
	m.release(w, n, nil)
	delete(m.objects, n)
	delete(m.gone, n)
}

// give gives a handle to one of those who state it, or to nobody.
func (m *model) give(w store.Writer, rnd *rand.Rand) {
	handle := fmt.Sprint("uid:", rnd.IntN(60))
	h := number(w, handle)
	if h == 0 {
		return
	}
	to := []store.Num{0}
	for _, n := range slices.Sorted(maps.Keys(m.objects)) {
		if slices.Contains(m.objects[n].Handles, handle) {
			to = append(to, n)
		}
	}
	n := to[rnd.IntN(len(to))]
	must(0, w.Give(h, n))
	m.owners[h] = n
}

// release gives up the handles that an object has and does not keep.
func (m *model) release(r store.Reader, n store.Num, keep []string) {
	old := m.objects[n]
	if old == nil {
		return
	}
	for i, h := range must(r.Lookup(old.Handles, nil)) {
		if m.owners[h] == n && !slices.Contains(keep, old.Handles[i]) {
			m.bequeath(h, n, old.Handles[i])
		}
	}
}

// bequeath gives a handle that an object gave up to the object with the highest number that states it.
func (m *model) bequeath(h, from store.Num, handle string) {
	delete(m.owners, h)
	for n, o := range m.objects {
		if n != from && n > m.owners[h] && slices.Contains(o.Handles, handle) {
			m.owners[h] = n
		}
	}
}

func (m *model) compare(e *env, r store.Reader) {
	e.Helper()
	e.equal("rows", rowNums(r, directory.Person, 0), slices.Sorted(maps.Keys(m.objects)))
	present := 0
	for n, o := range m.objects {
		row, ok, err := r.Row(directory.Person, n)
		e.equal("row", must(ok, err), true)
		e.equal("data", row.Data, data(o))
		e.equal("cause", row.Gone, m.gone[n])
		e.equal("handles", row.Handles, must(r.Lookup(o.Handles, nil)))
		if row.Gone == store.Here {
			present++
		}
	}
	e.equal("count", must(r.Count(directory.Person)), present)
	for i := range 60 {
		m.compareHandle(e, r, number(r, fmt.Sprint("uid:", i)))
	}
	total := 0
	for i := range 5 {
		g := number(r, directory.IDHandle(fmt.Sprint("g", i)))
		var want []store.Num
		for pair, in := range m.members {
			if in && pair[0] == g {
				want = append(want, pair[1])
			}
		}
		total += len(want)
		e.equal("members", membersOf(r, g), sorted(want))
	}
	e.equal("memberships", must(r.Memberships()), total)
	var marks []string
	for _, n := range slices.Sorted(maps.Keys(m.dirty)) {
		marks = append(marks, fmt.Sprint(n, ":", uint8(m.dirty[n])))
	}
	e.equal("dirty", dirtyOf(r, directory.Group, 0), marks)
	m.compareMatch(e, r)
}

// compareMatch asks for everybody by what they are called.
func (m *model) compareMatch(e *env, r store.Reader) {
	e.Helper()
	e.equal("fields of the index", must(r.Matching()), m.match)
	for i := range 10 {
		k := key.Of(key.Mail, fmt.Sprint("p", i, "@Example.test"))[0]
		var want []store.Num
		for n, o := range m.objects {
			if slices.Contains(key.OfObject(o, m.match), k) {
				want = append(want, n)
			}
		}
		e.equal("people with "+k.Value, matches(r, k), sorted(want))
	}
}

// compareBatches asks for many things at once.
func (m *model) compareBatches(e *env, r store.Reader, rnd *rand.Rand) {
	e.Helper()
	var handles, texts = []store.Num{}, []string{}
	for i := range 60 {
		texts = append(texts, fmt.Sprint("uid:", i))
	}
	for i := range 40 {
		texts = append(texts, directory.IDHandle(fmt.Sprint(i)))
	}
	for i := range 5 {
		texts = append(texts, directory.IDHandle(fmt.Sprint("g", i)))
	}
	handles = must(r.Lookup(texts, handles))
	c := &crowd{objects: m.objects, owners: m.owners, members: map[store.Num][]store.Num{}, in: map[store.Num][]store.Num{},
		reports: map[store.Num][]store.Num{}}
	for pair, in := range m.members {
		if in {
			c.members[pair[0]] = append(c.members[pair[0]], pair[1])
			c.in[pair[1]] = append(c.in[pair[1]], pair[0])
		}
	}
	for n, o := range m.objects {
		for _, l := range o.Links {
			if to := number(r, l.To); !slices.Contains(c.reports[to], n) {
				c.reports[to] = append(c.reports[to], n)
			}
		}
	}
	c.compare(e, r, sample(rnd, handles))
}

func (m *model) compareHandle(e *env, r store.Reader, h store.Num) {
	e.Helper()
	if h == 0 {
		return
	}
	owner := m.owners[h]
	if owner == 0 {
		owner = h
	}
	e.equal("owner", ownerOf(r, h), owner)
	var contestants []store.Num
	for n, o := range m.objects {
		if n != owner && slices.Contains(must(r.Lookup(o.Handles, nil)), h) {
			contestants = append(contestants, n)
		}
	}
	e.equal("contestants", contestantsOf(r, h), sorted(contestants))
	var groups, referrers []store.Num
	for pair, in := range m.members {
		if in && pair[1] == h {
			groups = append(groups, pair[0])
		}
	}
	for n, o := range m.objects {
		if slices.ContainsFunc(o.Links, func(l directory.Link) bool { return number(r, l.To) == h }) {
			referrers = append(referrers, n)
		}
	}
	e.equal("groups", groupsOf(r, h), sorted(groups))
	e.equal("referrers", referrersOf(r, directory.Manager, h), sorted(referrers))
}
