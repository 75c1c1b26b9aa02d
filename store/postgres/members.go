package postgres

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
)

// memberships are what a writer knows of members, and what of that is not flushed.
type memberships struct {
	of      map[store.Num]*memberSet
	changed map[pair]bool // group, handle: false for one that left
	digests digests
}

// memberSet is what is known of a group's members: all of them, or some handles that are or are not.
type memberSet struct {
	all bool
	has map[store.Num]bool
}

func (t *tx) memberSet(group store.Num) *memberSet {
	s := t.members.of[group]
	if s == nil {
		s = &memberSet{all: t.isFresh(group), has: map[store.Num]bool{}}
		t.members.of[group] = s
	}
	return s
}

// Members implements store.Reader.
func (t *tx) Members(group store.Num, fn func(handle store.Num) bool) error {
	if !t.isKnown(group) {
		return t.failed
	}
	var s *memberSet
	if t.writable {
		if s = t.memberSet(group); s.all {
			return s.each(fn)
		}
	}
	if err := t.flushMembers(); err != nil {
		return err
	}
	var list []store.Num
	err := t.query(func(rows pgx.Rows) error {
		var n int32
		err := rows.Scan(&n)
		list = append(list, store.Num(n))
		return err
	}, `select handle from @.member where part = $1 and grp = $2 order by handle`, int32(group))
	if err != nil {
		return err
	}
	if s != nil {
		clear(s.has)
		for _, n := range list {
			s.has[n] = true
		}
		s.all = true
	}
	for _, n := range list {
		if !fn(n) {
			return nil
		}
	}
	return nil
}

func (s *memberSet) each(fn func(store.Num) bool) error {
	for _, n := range slices.Sorted(maps.Keys(s.has)) {
		if s.has[n] && !fn(n) {
			return nil
		}
	}
	return nil
}

// MembersOf implements store.Reader.
func (t *tx) MembersOf(groups []store.Num, fn func(group, handle store.Num) bool) error {
	if err := t.flushMembers(); err != nil {
		return err
	}
	return t.pairs(groups, fn, `select h.n, m.handle from unnest($2::int[]) h(n) cross join lateral (select handle from @.member where part = $1 and grp = h.n offset 0) m`)
}

// GroupsOf implements store.Reader.
func (t *tx) GroupsOf(handles []store.Num, fn func(handle, group store.Num) bool) error {
	if t.foreseen() && t.ahead.need.Groups {
		if err := t.learnNaming(handles); err != nil {
			return err
		}
		t.handOut(handles, t.ahead.groups, fn)
		return nil
	}
	if err := t.flushMembers(); err != nil {
		return err
	}
	return t.pairs(handles, fn, groupsOf)
}

const groupsOf = `select h.n, m.grp from unnest($2::int[]) h(n) cross join lateral (select grp from @.member where part = $1 and handle = h.n offset 0) m`

// AddMembers implements store.Writer. What it appends to added is in ascending order.
func (t *tx) AddMembers(group store.Num, handles, added []store.Num) ([]store.Num, error) {
	return t.changeMembers(group, handles, added, true)
}

// RemoveMembers implements store.Writer. What it appends to removed is in ascending order.
func (t *tx) RemoveMembers(group store.Num, handles, removed []store.Num) ([]store.Num, error) {
	return t.changeMembers(group, handles, removed, false)
}

func (t *tx) changeMembers(group store.Num, handles, changed []store.Num, is bool) ([]store.Num, error) {
	if err := t.checkNum(group); err != nil {
		return changed, err
	}
	for _, h := range handles {
		if err := t.checkNum(h); err != nil {
			return changed, err
		}
	}
	handles = t.given(handles)
	s := t.memberSet(group)
	if err := t.ask(t.learnMembers(group, s, handles)); err != nil {
		return changed, err
	}
	before := len(changed)
	for _, h := range handles {
		if s.has[h] != is {
			s.has[h] = is
			t.members.changed[pair{group, h}] = is
			changed = append(changed, h)
		}
	}
	switch n := uint64(len(changed) - before); {
	case n == 0:
		return changed, nil
	case is:
		t.count.members += n
	default:
		t.count.members -= n
	}
	t.members.digests.set(group, store.MemberDigest{})
	return changed, nil
}

// learnMembers is the question that makes it known whether some handles are members of a group.
func (t *tx) learnMembers(group store.Num, s *memberSet, handles []store.Num) *question {
	if s.all {
		return nil
	}
	var list []store.Num
	for _, h := range handles {
		if _, ok := s.has[h]; !ok && !t.isFresh(h) {
			list = append(list, h)
			s.has[h] = false
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &question{func(rows pgx.Rows) error {
		var h int32
		err := rows.Scan(&h)
		s.has[store.Num(h)] = true
		return err
	}, `select handle from @.member where part = $1 and grp = $2 and handle = any($3::int[])`, []any{int32(group), ints(list)}}
}

// dropMembers takes all members from a group.
func (t *tx) dropMembers(group store.Num) error {
	var all []store.Num
	if err := t.Members(group, func(h store.Num) bool { all = append(all, h); return true }); err != nil {
		return err
	}
	if len(all) > 0 {
		_, err := t.RemoveMembers(group, all, nil)
		return err
	}
	if t.isKnown(group) {
		return t.SetMemberDigest(group, store.MemberDigest{})
	}
	return nil
}

func (t *tx) flushMembers() error {
	err := t.flushPairs(t.members.changed, `insert into @.member (part, grp, handle) select $1, * from unnest($2::int[], $3::int[]) on conflict do nothing`,
		`delete from @.member where ctid = any(array(select d.ctid from unnest($2::int[], $3::int[]) k(grp, handle)
			cross join lateral (select ctid from @.member where part = $1 and grp = k.grp and handle = k.handle limit 1) d))`)
	if err != nil {
		return err
	}
	return t.flushDigests()
}

// digests are those that a transaction knows, and those that are not flushed. Whoever asks for one will ask for those of the groups that
// were stored after it: they are read together.
type digests struct {
	known   map[store.Num]store.MemberDigest
	upTo    pair // beyond the first and up to the second, all that there are are known
	changed map[store.Num]bool
}

func (d *digests) set(group store.Num, digest store.MemberDigest) {
	d.known[group] = digest
	d.changed[group] = true
}

// digestsAhead is how many are read together.
const digestsAhead = 500

// MemberDigest implements store.Reader.
func (t *tx) MemberDigest(group store.Num) (store.MemberDigest, error) {
	d := &t.members.digests
	if digest, ok := d.known[group]; ok || !t.isKnown(group) || t.isFresh(group) && t.writable || group > d.upTo.a && group <= d.upTo.b {
		return digest, t.failed
	}
	read, last := 0, group-1
	err := t.query(func(rows pgx.Rows) error {
		n, digest, err := scanDigest(rows)
		read, last = read+1, n
		if err == nil && !d.changed[n] {
			d.known[n] = digest
		}
		return err
	}, `select grp, count, sum from @.digest where part = $1 and grp >= $2 order by grp limit $3`, int32(group), digestsAhead)
	if read < digestsAhead {
		last = maxNum
	}
	d.upTo = pair{group - 1, last}
	return d.known[group], err
}

const digestColumns = `d.grp, d.count, d.sum`

func scanDigest(rows pgx.Rows) (group store.Num, d store.MemberDigest, err error) {
	var n int32
	var count int64
	var sum pgtype.UUID
	err = rows.Scan(&n, &count, &sum)
	return store.Num(n), store.MemberDigest{Count: uint64(count), Sum: [2]uint64{binary.BigEndian.Uint64(sum.Bytes[:8]), binary.BigEndian.Uint64(sum.Bytes[8:])}}, err
}

// SetMemberDigest implements store.Writer.
func (t *tx) SetMemberDigest(group store.Num, digest store.MemberDigest) error {
	if err := t.checkNum(group); err != nil {
		return err
	}
	t.members.digests.set(group, digest)
	return nil
}

func (t *tx) flushDigests() error {
	d := &t.members.digests
	var groups, gone []int32
	var counts []int64
	var sums []pgtype.UUID
	for group := range d.changed {
		digest := d.known[group]
		if digest == (store.MemberDigest{}) {
			gone = append(gone, int32(group))
			continue
		}
		sum := pgtype.UUID{Valid: true}
		binary.BigEndian.PutUint64(sum.Bytes[:8], digest.Sum[0])
		binary.BigEndian.PutUint64(sum.Bytes[8:], digest.Sum[1])
		groups, counts, sums = append(groups, int32(group)), append(counts, int64(digest.Count)), append(sums, sum)
	}
	clear(d.changed)
	if len(gone) > 0 {
		if err := t.erase(`delete from @.digest where part = $1 and grp = any($2::int[])`, gone); err != nil {
			return err
		}
	}
	if len(groups) > 0 {
		return t.write(`insert into @.digest (part, grp, count, sum) select $1, * from unnest($2::int[], $3::int8[], $4::uuid[])
			on conflict (part, grp) do update set count = excluded.count, sum = excluded.sum`, groups, counts, sums)
	}
	return nil
}
