package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/directory"
)

// names checks that every number has a name of its own, by which it is found.
func (v *verifier) names() {
	var found uint64
	for k, hashes := range v.all(names) {
		want := min(v.count.lastNum-min(found, v.count.lastNum), perBlock)
		if block, ok := keyNum(k); !ok || uint64(block)*perBlock != found || uint64(len(hashes)) != want*nameSize {
			v.bad(names, "block %x has a wrong size or place", k)
			return
		}
		found += want
	}
	v.equal(names, "names", v.count.lastNum, found)
	if b := v.bucket(names); b != nil {
		if v.columns[b.Sequence()] || b.Sequence() == 0 {
			v.bad(names, "the column is taken for another partition's")
		}
		v.columns[b.Sequence()] = true
	}
	for n := store.Num(1); uint64(n) <= found && len(v.problems) == 0 && v.checked.next("names"); n++ {
		name, err := v.name(n)
		if !v.check(names, err) {
			return
		}
		h := nameHash(name)
		if other, err := v.lookup(&h); v.check(names, err) && other != n {
			v.bad(names, "number %d has the name of number %d", n, other)
		}
		if uint64(n) == maxNum {
			return
		}
	}
}

// number looks a handle up; zero for one without a number.
func (v *verifier) number(handle string) store.Num {
	h := hashName([]byte(handle))
	n, err := v.lookup(&h)
	v.check(names, err)
	return n
}

// objects checks every row and what is derived from it.
func (v *verifier) objects() {
	for _, kind := range directory.Kinds() {
		p := objects + bucketID(kind)
		var present uint64
		v.check(p, v.Rows(kind, 0, func(row store.Row) bool {
			if row.Gone == store.Here {
				present++
			}
			v.object(kind, row)
			return len(v.problems) < maxProblems && v.checked.next("objects")
		}))
		v.equal(p, "objects", v.count.present[kind], present)
	}
}

func (v *verifier) object(kind directory.Kind, row store.Row) {
	p := objects + bucketID(kind)
	o, err := directory.ParseObject(row.Data)
	if err != nil || o.Kind != kind || v.number(directory.IDHandle(o.ID)) != row.Num {
		v.bad(p, "row %d is damaged or another object's", row.Num)
		return
	}
	if len(o.Handles) != len(row.Handles) {
		v.bad(p, "row %d lists other handles than its object", row.Num)
		return
	}
	for i, handle := range o.Handles {
		h := row.Handles[i]
		if v.number(handle) != h {
			v.bad(p, "row %d lists other handles than its object", row.Num)
		}
		holder, err := v.claimant(h)
		if v.check(owner, err) && h != row.Num && (holder == row.Num) == v.hasPair(contested, 0, h, row.Num) {
			v.bad(owner, "object %d states handle %d, and must have it or contest it", row.Num, h)
		}
	}
	for _, l := range o.Links {
		to := v.number(l.To)
		if !v.hasPair(referrers, uint8(l.Type), to, row.Num) {
			v.bad(referrers, "the link of object %d to handle %d is missing", row.Num, to)
		}
	}
}

func (v *verifier) hasPair(p bucketID, tag uint8, a, b store.Num) bool {
	found := false
	v.check(p, v.pairsOf(p, tag, a, func(n store.Num) bool {
		found = n == b
		return !found
	}))
	return found
}

// anyObject reports whether one of the objects with a number satisfies a condition.
func (v *verifier) anyObject(n store.Num, holds func(store.Row, *directory.Object) bool) bool {
	for _, kind := range directory.Kinds() {
		row, ok, err := v.Row(kind, n)
		if err != nil || !ok {
			continue // objects has reported the error
		}
		if o, err := directory.ParseObject(row.Data); err == nil && holds(row, &o) {
			return true
		}
	}
	return false
}

// owners checks that whoever has a handle or contests it states it.
func (v *verifier) owners() {
	for k, value := range v.all(owner) {
		h, ok1 := keyNum(k)
		n, ok2 := keyNum(value)
		if !ok1 || !ok2 {
			v.bad(owner, "entry %x is damaged", k)
			continue
		}
		v.states(owner, n, h)
	}
	v.pairs(contested, func(_ uint8, h, n store.Num) { v.states(contested, n, h) })
}

// states checks that an object states a handle.
func (v *verifier) states(p bucketID, n, h store.Num) {
	if !v.anyObject(n, func(row store.Row, _ *directory.Object) bool { return slices.Contains(row.Handles, h) }) {
		v.bad(p, "object %d does not state handle %d", n, h)
	}
}

// pairs calls fn with every pair of a set and returns how many there are.
func (v *verifier) pairs(p bucketID, fn func(tag uint8, a, b store.Num)) (count uint64) {
	for k, entries := range v.all(p) {
		if len(k) != 5 || len(entries) == 0 || len(entries)%pairSize != 0 {
			v.bad(p, "entry %x is damaged", k)
			continue
		}
		first := store.Num(binary.BigEndian.Uint32(k[1:])) << pairBits
		var last []byte
		for e := range slices.Chunk(entries, pairSize) {
			v.checked.next(p.String())
			if e[0] >= pairSpan || bytes.Compare(last, e) >= 0 {
				v.bad(p, "entry %x is not in order", k)
			}
			fn(k[0], first|store.Num(e[0]), store.Num(binary.BigEndian.Uint32(e[1:])))
			last = e
			count++
		}
	}
	return count
}

// referrers checks that every referrer states its link.
func (v *verifier) referrers() {
	v.pairs(referrers, func(tag uint8, a, b store.Num) {
		states := func(_ store.Row, o *directory.Object) bool {
			return slices.ContainsFunc(o.Links, func(l directory.Link) bool {
				return uint8(l.Type) == tag && v.number(l.To) == a
			})
		}
		if !v.anyObject(b, states) {
			v.bad(referrers, "object %d does not state the link to handle %d", b, a)
		}
	})
}

// members checks that memberof is members turned around: each one is in the other, and there are as many.
func (v *verifier) members() {
	var found, upTo uint64 // upTo is the bound of the chunk before, with its group
	for k, value := range v.all(members) {
		group, bound, ok := boundOf(k)
		ok = ok && encoding.ParseMembers(value, func(h store.Num) bool {
			if h > bound || uint64(group)<<32|uint64(h) <= upTo {
				v.bad(members, "member %d of group %d is in a wrong chunk", h, group)
			}
			if !v.hasPair(memberOf, 0, h, group) {
				v.bad(memberOf, "member %d of group %d is missing", h, group)
			}
			found++
			return v.checked.next("members")
		})
		if !ok {
			v.bad(members, "entry %x is damaged", k)
			continue
		}
		upTo = uint64(group)<<32 | uint64(bound)
	}
	v.equal(members, "memberships", v.count.members, found)
	v.equal(memberOf, "memberships", v.count.members, v.pairs(memberOf, func(tag uint8, a, b store.Num) {
		if tag != 0 || v.checkNum(a) != nil || v.checkNum(b) != nil {
			v.bad(memberOf, "membership of %d in %d cannot be", a, b)
		}
	}))
}

func (v *verifier) digests() {
	for k, value := range v.all(digests) {
		if n, ok := keyNum(k); !ok || v.checkNum(n) != nil || len(value) != digestSize {
			v.bad(digests, "entry %x is damaged", k)
		}
	}
}

// marks checks the dirty marks.
func (v *verifier) marks() {
	for _, kind := range directory.Kinds() {
		for k, value := range v.all(dirty + bucketID(kind)) {
			if n, _, ok := parseDirty(k, value); !ok || v.checkNum(n) != nil {
				v.bad(dirty+bucketID(kind), "mark %x is damaged", k)
			}
		}
	}
}
