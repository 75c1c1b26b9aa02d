package postgres

import (
	"maps"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// referrer is an object that states a link.
type referrer struct {
	link link
	num  store.Num
}

// ReferrersOf implements store.Reader.
func (t *tx) ReferrersOf(l directory.LinkType, handles []store.Num, fn func(handle, object store.Num) bool) error {
	if err := t.resolve(); err != nil {
		return err
	}
	if known := t.ahead.referrers[l]; known != nil && !slices.ContainsFunc(handles, func(h store.Num) bool { _, ok := known[h]; return !ok && t.isKnown(h) }) {
		t.handOut(handles, known, fn)
		return nil
	}
	if err := t.flushLinks(); err != nil {
		return err
	}
	return t.pairs(handles, fn, referrersOf, int16(l))
}

const referrersOf = `select h.n, l.num from unnest($2::int[]) h(n) cross join lateral (select num from @.link where part = $1 and type = $3 and target = h.n offset 0) l`

// referrersAhead asks, for a reader, who states links to handles.
func (t *tx) referrersAhead(need *store.Need) (list []question) {
	if t.writable || len(need.Referrers) == 0 {
		return nil
	}
	t.ahead.referrers = map[directory.LinkType]map[store.Num][]store.Num{}
	for l, handles := range need.Referrers {
		known := make(map[store.Num][]store.Num, len(handles))
		for _, h := range handles {
			known[h] = nil
		}
		t.ahead.referrers[l] = known
		each := slices.Sorted(maps.Keys(known)) // one that is foreseen twice is answered once
		list = append(list, question{scanPair(func(h, n store.Num) { known[h] = append(known[h], n) }), referrersOf, []any{ints(each), int16(l)}})
	}
	return list
}

func (t *tx) flushLinks() error {
	var types [2][]int16
	var targets, nums [2][]int32
	for r, there := range t.links {
		i := 0
		if there {
			i = 1
		}
		types[i], targets[i], nums[i] = append(types[i], int16(r.link.kind)), append(targets[i], int32(r.link.to)), append(nums[i], int32(r.num))
	}
	clear(t.links)
	if len(types[0]) > 0 {
		err := t.erase(`delete from @.link where ctid = any(array(select d.ctid from unnest($2::int2[], $3::int[], $4::int[]) k(type, target, num)
			cross join lateral (select ctid from @.link where part = $1 and type = k.type and target = k.target and num = k.num limit 1) d))`, types[0], targets[0], nums[0])
		if err != nil {
			return err
		}
	}
	if len(types[1]) > 0 {
		return t.write(`insert into @.link (part, type, target, num) select $1, * from unnest($2::int2[], $3::int[], $4::int[]) on conflict do nothing`,
			types[1], targets[1], nums[1])
	}
	return nil
}
