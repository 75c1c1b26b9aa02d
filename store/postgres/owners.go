package postgres

import (
	"cmp"
	"slices"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// Several objects may state the same handle: sources do not keep their names unique, and in mid-rename two
// entries have the same one. The last to claim it has it; the others are contestants, of whom one gets it
// when the owner gives it up.

type pair struct{ a, b store.Num }

// claims are what a writer knows of who has a handle and who contests it, and what of that is not flushed.
type claims struct {
	owner       map[store.Num]store.Num // zero: nobody claims it
	contestants map[store.Num][]store.Num
	changed     map[store.Num]bool
	contested   map[pair]bool // handle, object: false for one that is gone
	none        bool          // nothing is contested in the tables
}

// learnOwners is the question that makes it known who has handles.
func (t *tx) learnOwners(handles []store.Num) *question {
	c := &t.claims
	var list []store.Num
	for _, h := range handles {
		if _, ok := c.owner[h]; ok || !t.isKnown(h) {
			continue
		}
		if c.owner[h] = 0; !t.isFresh(h) {
			list = append(list, h)
		}
	}
	if len(list) == 0 || t.part == 0 {
		return nil
	}
	return ownersQuestion(list, func(h, n store.Num) { c.owner[h] = n })
}

func ownersQuestion(handles []store.Num, found func(h, n store.Num)) *question {
	return &question{scanPair(found), `select o.handle, o.num from unnest($2::int[]) h(handle)
		cross join lateral (select handle, num from @.owner where part = $1 and handle = h.handle limit 1) o`,
		[]any{ints(handles)}}
}

func scanPair(found func(a, b store.Num)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var a, b int32
		err := rows.Scan(&a, &b)
		if err == nil {
			found(store.Num(a), store.Num(b))
		}
		return err
	}
}

// addContestant notes one that was read, be it once more.
func (c *claims) addContestant(handle, n store.Num) {
	if !slices.Contains(c.contestants[handle], n) {
		c.contestants[handle] = append(c.contestants[handle], n)
	}
}

// learnContestants is the question that makes it known who contests handles.
func (t *tx) learnContestants(handles []store.Num) *question {
	c := &t.claims
	var list []store.Num
	for _, h := range handles {
		if _, ok := c.contestants[h]; ok || !t.isKnown(h) {
			continue
		}
		if c.contestants[h] = nil; !t.isFresh(h) && !c.none {
			list = append(list, h)
		}
	}
	if len(list) == 0 || t.part == 0 {
		return nil
	}
	return &question{scanPair(c.addContestant),
		`select h.n, o.num from unnest($2::int[]) h(n) ` + contestantsOf, []any{ints(list)}}
}

// Owners implements store.Reader.
func (t *tx) Owners(handles, owners []store.Num) ([]store.Num, error) {
	if err := t.resolve(); err != nil {
		return owners, err
	}
	known := t.claims.owner
	var err error
	if t.remembers() {
		err = t.ask(t.learnOwners(handles))
	} else {
		known = map[store.Num]store.Num{}
		if asked := t.given(handles); len(asked) > 0 {
			err = t.ask(ownersQuestion(asked, func(h, n store.Num) { known[h] = n }))
		}
	}
	if err != nil {
		return owners, err
	}
	for _, h := range handles {
		owners = append(owners, cmp.Or(known[h], h))
	}
	return owners, nil
}

// given returns those of some numbers that were ever given, in ascending order, each once.
func (t *tx) given(nums []store.Num) []store.Num {
	list := slices.DeleteFunc(slices.Clone(nums), func(n store.Num) bool { return !t.isKnown(n) })
	if !slices.IsSorted(list) {
		slices.Sort(list)
	}
	return slices.Compact(list)
}

// Contestants implements store.Reader.
func (t *tx) Contestants(handles []store.Num, fn func(handle, object store.Num) bool) error {
	if err := t.resolve(); err != nil {
		return err
	}
	switch {
	case t.claims.none && !t.writable:
		return nil
	case t.foreseen():
		if err := t.learnNaming(handles); err != nil {
			return err
		}
		t.handOut(handles, t.claims.contestants, fn)
		return nil
	case t.remembers():
		if err := t.ask(t.learnContestants(handles)); err != nil {
			return err
		}
		t.handOut(handles, t.claims.contestants, fn)
		return nil
	}
	return t.pairs(handles, fn, `select h.n, o.num from unnest($2::int[]) h(n) `+contestantsOf)
}

// pairs asks for pairs of some numbers and hands them out in order when all are there. $2 are the numbers.
func (t *tx) pairs(nums []store.Num, fn func(a, b store.Num) bool, sql string, args ...any) error {
	nums = t.given(nums)
	if len(nums) == 0 {
		return nil
	}
	var list []pair
	err := t.query(scanPair(func(a, b store.Num) { list = append(list, pair{a, b}) }), sql, append([]any{ints(nums)}, args...)...)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(p, q pair) int { return cmp.Or(cmp.Compare(p.a, q.a), cmp.Compare(p.b, q.b)) })
	for _, p := range list {
		if !fn(p.a, p.b) {
			return nil
		}
	}
	return nil
}

// Give implements store.Writer.
func (t *tx) Give(handle, object store.Num) error {
	if err := t.resolve(); err != nil {
		return err
	}
	one := []store.Num{handle}
	if err := t.ask(t.learnOwners(one), t.learnContestants(one)); err != nil {
		return err
	}
	holder := t.claims.owner[handle]
	if holder == object {
		return nil
	}
	if object != 0 {
		if !slices.Contains(t.claims.contestants[handle], object) {
			return misuse("object %d does not state handle %d", object, handle)
		}
		t.contest(handle, object, false)
	}
	if holder != 0 {
		t.contest(handle, holder, true)
	}
	t.setOwner(handle, object)
	return nil
}

// setOwner says who has a handle; zero for nobody.
func (t *tx) setOwner(handle, n store.Num) {
	t.claims.owner[handle] = n
	t.claims.changed[handle] = true
}

// contest says whether an object contests a handle.
func (t *tx) contest(handle, n store.Num, does bool) {
	c := &t.claims
	at := slices.Index(c.contestants[handle], n)
	switch {
	case does && at < 0:
		c.contestants[handle] = append(c.contestants[handle], n)
	case !does && at >= 0:
		c.contestants[handle] = slices.Delete(c.contestants[handle], at, at+1)
	default:
		return
	}
	c.contested[pair{handle, n}] = does
}

// takeOver makes an object the owner of a handle that somebody may have. What there is about the handle is known.
func (t *tx) takeOver(n, handle store.Num) {
	holder := t.claims.owner[handle]
	if holder == n {
		return
	}
	if holder != 0 {
		t.contest(handle, holder, true)
	}
	t.contest(handle, n, false) // also where nobody was given it
	if handle == n {            // its own number is an object's without any entry
		if holder != 0 {
			t.setOwner(handle, 0)
		}
		return
	}
	t.setOwner(handle, n)
}

// unclaim gives up a handle. Of several contestants the one with the highest number gets it. What there is about the handle is known.
func (t *tx) unclaim(n, handle store.Num) {
	if t.claims.owner[handle] != n {
		t.contest(handle, n, false)
		return
	}
	heir := store.Num(0)
	if list := t.claims.contestants[handle]; len(list) > 0 {
		heir = slices.Max(list)
		t.contest(handle, heir, false)
	}
	t.setOwner(handle, heir)
}

func (t *tx) flushClaims() error {
	c := &t.claims
	var set, to, dropped []int32
	for h := range c.changed {
		if n := c.owner[h]; n != 0 {
			set, to = append(set, int32(h)), append(to, int32(n))
		} else {
			dropped = append(dropped, int32(h))
		}
	}
	clear(c.changed)
	if len(set) > 0 {
		err := t.write(`insert into @.owner (part, handle, num) select $1, * from unnest($2::int[], $3::int[])
			on conflict (part, handle) do update set num = excluded.num`, set, to)
		if err != nil {
			return err
		}
	}
	if len(dropped) > 0 {
		if err := t.erase(`delete from @.owner where part = $1 and handle = any($2::int[])`, dropped); err != nil {
			return err
		}
	}
	return t.flushPairs(c.contested, `insert into @.contested (part, handle, num) select $1, * from unnest($2::int[], $3::int[]) on conflict do nothing`,
		`delete from @.contested where ctid = any(array(select d.ctid from unnest($2::int[], $3::int[]) k(handle, num)
			cross join lateral (select ctid from @.contested where part = $1 and handle = k.handle and num = k.num limit 1) d))`)
}

// flushPairs flushes what is there now and what is gone of a set of pairs.
func (t *tx) flushPairs(pairs map[pair]bool, insert, remove string) error {
	var a, b, goneA, goneB []int32
	for p, there := range pairs {
		if there {
			a, b = append(a, int32(p.a)), append(b, int32(p.b))
		} else {
			goneA, goneB = append(goneA, int32(p.a)), append(goneB, int32(p.b))
		}
	}
	clear(pairs)
	if len(goneA) > 0 {
		if err := t.erase(remove, goneA, goneB); err != nil {
			return err
		}
	}
	if len(a) > 0 {
		return t.write(insert, a, b)
	}
	return nil
}
