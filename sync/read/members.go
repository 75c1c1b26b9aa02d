package read

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

// memberDiff is what a page changes in one group's members.
type memberDiff struct {
	group string // id
	// add are handles to add, by text: some may have no number yet.
	add []string
	// remove are stored members that left.
	remove []store.Num
	// digest is set when the list is known to be complete and to have no unlisted member.
	digest *store.MemberDigest
	whole  bool
	// num is the group's number, and known are those of add, as far as they had any when the page was compared.
	num   store.Num
	known []store.Num
}

// compareMembers finds the groups whose members differ. A complete list that is the same as last time is
// recognised by its digest, without a look at the members.
func (l *listing) compareMembers(tx store.Reader, p *connectors.Page, d *pageDiff) error {
	handles := make([]string, len(p.Members))
	for i := range p.Members {
		handles[i] = directory.IDHandle(p.Members[i].Group)
	}
	groups, err := tx.Lookup(handles, nil)
	if err != nil {
		return err
	}
	stored, err := storedMembers(tx, p, groups)
	if err != nil {
		return err
	}
	for i, group := range groups {
		m := &p.Members[i]
		if l.mode == connectors.Full {
			d.found.named += len(m.Add)
		}
		if !m.Whole {
			l.comparePart(group, m, &stored[i], d)
		} else if err := l.compareWhole(tx, group, m, &stored[i], d); err != nil {
			return err
		}
	}
	return nil
}

// stored is what is stored about a group that a page says something of.
type stored struct {
	digest store.MemberDigest // of a complete list
	same   bool               // that is the one of last time: nothing else is known
	// have are the members, add and remove the numbers of the page's.
	have        *roaring.Bitmap
	add, remove []store.Num
	first       int // of those, in what is asked
}

// storedMembers asks once for all groups that a page says something of.
func storedMembers(tx store.Reader, p *connectors.Page, groups []store.Num) ([]stored, error) {
	list := make([]stored, len(groups))
	var asked []store.Num
	var texts []string
	for i, group := range groups {
		s, m := &list[i], &p.Members[i]
		if group == 0 { // it has no members yet: there is nobody to look for
			continue
		}
		if m.Whole {
			s.digest = digestOf(m.Add)
			before, err := tx.MemberDigest(group)
			if err != nil {
				return nil, err
			}
			if s.same = before == s.digest && s.digest.Count > 0; s.same {
				continue
			}
		}
		if m.Whole || len(m.Add) > 0 {
			asked = append(asked, group)
		}
		s.first = len(texts)
		texts = append(texts, m.Add...)
		if !m.Whole {
			texts = append(texts, m.Remove...)
		}
	}
	nums, err := tx.Lookup(texts, make([]store.Num, 0, len(texts)))
	if err != nil {
		return nil, err
	}
	have := make(map[store.Num]*roaring.Bitmap, len(asked))
	for _, group := range asked {
		have[group] = roaring.New()
	}
	if len(asked) > 0 {
		err = tx.MembersOf(asked, func(group, h store.Num) bool { have[group].Add(uint32(h)); return true })
	}
	for i, group := range groups {
		s, m := &list[i], &p.Members[i]
		if group == 0 || s.same {
			continue
		}
		s.add = nums[s.first:][:len(m.Add)]
		if s.have = roaring.New(); have[group] != nil {
			s.have = have[group].Clone()
		}
		if !m.Whole {
			s.remove = nums[s.first+len(m.Add):][:len(m.Remove)]
		}
	}
	return list, err
}

// compareWhole handles a complete list. In a full read, members that it does not name count as unlisted and
// leave when the read is proven complete; in a delta they leave at once.
func (l *listing) compareWhole(tx store.Reader, group store.Num, m *connectors.Members, s *stored, d *pageDiff) error {
	if group == 0 {
		if digest := digestOf(m.Add); digest.Count > 0 {
			d.members = append(d.members, memberDiff{group: m.Group, whole: true, add: m.Add, digest: &digest})
		}
		return nil
	}
	if l.mode == connectors.Full {
		d.found.whole.Add(uint32(group))
		d.found.countedMore(group, m)
	}
	if l.mode == connectors.Delta && l.missed.unlisted[group] != nil {
		d.doubt(group, roaring.New())
	}
	if s.same {
		l.nameAllMembers(d, group)
		return nil
	}
	digest, have := s.digest, s.have
	diff := memberDiff{group: m.Group, num: group, whole: true}
	l.nameMembers(d, group, s.add)
	for i, h := range s.add {
		if h == 0 || !have.CheckedRemove(uint32(h)) {
			diff.enters(m.Add[i], h)
		}
	}
	// What is left in have was not named.
	switch {
	case have.IsEmpty():
		diff.digest = &digest
	case l.mode == connectors.Full:
		doubtful, err := doubtfulOf(tx, m, have)
		if err != nil {
			return err
		}
		unionInto(d.found.unlisted, map[store.Num]*roaring.Bitmap{group: have})
		unionInto(d.found.doubtful, map[store.Num]*roaring.Bitmap{group: doubtful})
	case m.MayBeShort:
		doubtful, err := doubtfulOf(tx, m, have)
		if err != nil {
			return err
		}
		left, doubted, err := l.leftByDelta(tx, group, m, doubtful)
		if err != nil {
			return err
		}
		left.Or(roaring.AndNot(have, doubtful))
		diff.remove = relations.Nums(left)
		if doubted.IsEmpty() {
			diff.digest = &digest
		} else {
			d.doubt(group, doubted)
		}
	default:
		diff.remove = relations.Nums(have)
		diff.digest = &digest
	}
	if len(diff.add)+len(diff.remove) > 0 || (diff.digest != nil && digest.Count > 0) {
		d.members = append(d.members, diff)
	}
	return nil
}

// enters notes a handle that is added, and its number if it has one.
func (m *memberDiff) enters(handle string, n store.Num) {
	m.add = append(m.add, handle)
	if n != 0 {
		m.known = append(m.known, n)
	}
}

// comparePart handles a part of a list (full read) or changes to it (delta).
func (l *listing) comparePart(group store.Num, m *connectors.Members, s *stored, d *pageDiff) {
	diff := memberDiff{group: m.Group, num: group}
	if group == 0 {
		diff.add = m.Add
	} else {
		l.nameMembers(d, group, s.add)
		known := roaring.New()
		for i, h := range s.add {
			if h == 0 || !s.have.Contains(uint32(h)) {
				diff.enters(m.Add[i], h)
			} else {
				known.Add(uint32(h))
			}
		}
		if l.mode == connectors.Full && !known.IsEmpty() {
			unionInto(d.found.members, map[store.Num]*roaring.Bitmap{group: known})
		}
		for _, h := range s.remove {
			if h != 0 {
				diff.remove = append(diff.remove, h)
			}
		}
	}
	if len(diff.add)+len(diff.remove) > 0 {
		d.members = append(d.members, diff)
	}
}

// commit writes the difference. It returns the handles of those who entered, and the group with all who entered or left. What had no number
// before is found from now on.
func (m *memberDiff) commit(tx store.Writer, found *coverage) (entered []store.Num, moved relations.Moved, err error) {
	ids, err := tx.Intern([]string{directory.IDHandle(m.group)}, nil)
	if err != nil {
		return nil, moved, err
	}
	group := ids[0]
	handles, err := tx.Intern(m.add, nil)
	if err != nil {
		return nil, moved, err
	}
	if m.whole {
		found.whole.Add(uint32(group))
	} else if len(handles) > 0 {
		unionInto(found.members, map[store.Num]*roaring.Bitmap{group: relations.Set(handles)})
	}
	if entered, err = tx.AddMembers(group, handles, nil); err != nil {
		return nil, moved, err
	}
	moved = relations.Moved{Group: group, Handles: entered}
	if len(m.remove) > 0 {
		if moved.Handles, err = tx.RemoveMembers(group, m.remove, slices.Clone(entered)); err != nil {
			return nil, moved, err
		}
	}
	if m.digest != nil {
		return entered, moved, tx.SetMemberDigest(group, *m.digest)
	}
	return entered, moved, nil
}

// takeMembers removes members from groups and marks whom that concerns.
func takeMembers(tx store.Writer, marks relations.Marker, list ...relations.Moved) error {
	moved := make([]relations.Moved, len(list))
	for i, m := range list {
		left, err := tx.RemoveMembers(m.Group, m.Handles, nil)
		if err != nil {
			return err
		}
		moved[i] = relations.Moved{Group: m.Group, Handles: left}
	}
	return marks.Moved(tx, moved...)
}

// digestOf sums up the hashes of all handles, so that their order does not matter.
func digestOf(handles []string) store.MemberDigest {
	d := store.MemberDigest{Count: uint64(len(handles))}
	for _, h := range handles {
		sum := sha256.Sum256([]byte(h))
		d.Sum[0] += binary.LittleEndian.Uint64(sum[:8])
		d.Sum[1] += binary.LittleEndian.Uint64(sum[8:16])
	}
	return d
}
