package postgres

import (
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
	if err := t.flushLinks(); err != nil {
		return err
	}
	return t.pairs(handles, fn, `select target, num from @.link where part = $1 and type = $3 and target = any($2::int[]) order by target, num`, int16(l))
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
		err := t.erase(`delete from @.link l using unnest($2::int2[], $3::int[], $4::int[]) k(type, target, num)
			where l.part = $1 and l.type = k.type and l.target = k.target and l.num = k.num`, types[0], targets[0], nums[0])
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
