package read

import (
	"crypto/sha256"
	"encoding/binary"

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
	for i, group := range groups {
		m := &p.Members[i]
		if l.mode == connectors.Full {
			d.found.named += len(m.Add)
		}
		if !m.Whole {
			err = l.comparePart(tx, group, m, d)
		} else {
			err = l.compareWhole(tx, group, m, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compareWhole handles a complete list. In a full read, members that it does not name count as unlisted and
// leave when the read is proven complete; in a delta they leave at once.
func (l *listing) compareWhole(tx store.Reader, group store.Num, m *connectors.Members, d *pageDiff) error {
	digest := digestOf(m.Add)
	if group == 0 { // it has no members yet: there is nobody to look for
		if digest.Count > 0 {
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
	stored, err := tx.MemberDigest(group)
	if err != nil {
		return err
	}
	if stored == digest && digest.Count > 0 {
		l.nameAllMembers(d, group)
		return nil
	}
	have := roaring.New()
	if err := tx.Members(group, func(h store.Num) bool { have.Add(uint32(h)); return true }); err != nil {
		return err
	}
	diff := memberDiff{group: m.Group, whole: true}
	handles, err := tx.Lookup(m.Add, nil)
	if err != nil {
		return err
	}
	l.nameMembers(d, group, handles)
	for i, h := range handles {
		if h == 0 || !have.CheckedRemove(uint32(h)) {
			diff.add = append(diff.add, m.Add[i])
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

// comparePart handles a part of a list (full read) or changes to it (delta).
func (l *listing) comparePart(tx store.Reader, group store.Num, m *connectors.Members, d *pageDiff) error {
	diff := memberDiff{group: m.Group}
	if err := l.partAdds(tx, group, m, d, &diff); err != nil {
		return err
	}
	if group != 0 && len(m.Remove) > 0 {
		handles, err := tx.Lookup(m.Remove, nil)
		if err != nil {
			return err
		}
		for _, h := range handles {
			if h != 0 {
				diff.remove = append(diff.remove, h)
			}
		}
	}
	if len(diff.add)+len(diff.remove) > 0 {
		d.members = append(d.members, diff)
	}
	return nil
}

func (l *listing) partAdds(tx store.Reader, group store.Num, m *connectors.Members, d *pageDiff, diff *memberDiff) error {
	if group == 0 {
		diff.add = m.Add
		return nil
	}
	handles, err := tx.Lookup(m.Add, nil)
	if err != nil {
		return err
	}
	l.nameMembers(d, group, handles)
	have := roaring.New()
	if len(m.Add) > 0 {
		if err := tx.Members(group, func(h store.Num) bool { have.Add(uint32(h)); return true }); err != nil {
			return err
		}
	}
	known := roaring.New()
	for i, h := range handles {
		if h == 0 || !have.Contains(uint32(h)) {
			diff.add = append(diff.add, m.Add[i])
		} else {
			known.Add(uint32(h))
		}
	}
	if l.mode == connectors.Full && !known.IsEmpty() {
		unionInto(d.found.members, map[store.Num]*roaring.Bitmap{group: known})
	}
	return nil
}

// commit writes the difference and marks whom it concerns: the group, and everybody who entered or left. It returns the
// handles of those who entered. What had no number before is found from now on.
func (m *memberDiff) commit(tx store.Writer, marks relations.Marker, found *coverage) (entered []store.Num, err error) {
	ids, err := tx.Intern([]string{directory.IDHandle(m.group)}, nil)
	if err != nil {
		return nil, err
	}
	group := ids[0]
	handles, err := tx.Intern(m.add, nil)
	if err != nil {
		return nil, err
	}
	if m.whole {
		found.whole.Add(uint32(group))
	} else if len(handles) > 0 {
		unionInto(found.members, map[store.Num]*roaring.Bitmap{group: relations.Set(handles)})
	}
	entered, err = tx.AddMembers(group, handles, nil)
	if err != nil {
		return nil, err
	}
	if err := takeMembers(tx, marks, group, m.remove); err != nil {
		return nil, err
	}
	if err := marks.Moved(tx, group, entered); err != nil {
		return nil, err
	}
	if m.digest != nil {
		return entered, tx.SetMemberDigest(group, *m.digest)
	}
	return entered, nil
}

// takeMembers removes members from a group and marks whom that concerns.
func takeMembers(tx store.Writer, marks relations.Marker, group store.Num, handles []store.Num) error {
	if len(handles) == 0 {
		return nil
	}
	moved, err := tx.RemoveMembers(group, handles, nil)
	if err != nil {
		return err
	}
	return marks.Moved(tx, group, moved)
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
