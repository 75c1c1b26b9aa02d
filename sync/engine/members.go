package engine

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// memberDiff is what a page changes in one group's members.
type memberDiff struct {
	group string // id
	// add are handles to add, by text: some may have no number yet.
	add []string
	// remove are stored members that left.
	remove []store.Num
	// digest is set when the list is known to be complete and without strays.
	digest *store.MemberDigest
	found  *seen
	whole  bool
}

// compareMembers finds the groups whose members differ. A complete list that is the same as last time is
// recognised by its digest, without a look at the members.
func (l *listing) compareMembers(tx store.Reader, p *connectors.Page, d *pageDiff) error {
	for i := range p.Members {
		m := &p.Members[i]
		nums, err := tx.Lookup([]string{directory.IDHandle(m.Group)}, nil)
		if err != nil {
			return err
		}
		if l.mode == connectors.Full {
			d.found.named += len(m.Add)
		}
		if !m.Whole {
			err = l.comparePart(tx, nums[0], m, d)
		} else {
			err = l.compareWhole(tx, nums[0], m, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compareWhole handles a complete list. In a full read, members that it does not name become strays, which
// leave when the read is proven complete; in a delta they leave at once.
func (l *listing) compareWhole(tx store.Reader, group store.Num, m *connectors.Members, d *pageDiff) error {
	if group != 0 && l.mode == connectors.Full {
		d.found.whole.Add(uint32(group))
	}
	digest := digestOf(m.Add)
	if group != 0 {
		stored, err := tx.MemberDigest(group)
		if err != nil || (stored == digest && digest.Count > 0) {
			return err
		}
	}
	have := roaring.New()
	if group != 0 {
		if err := tx.Members(group, func(h store.Num) bool { have.Add(uint32(h)); return true }); err != nil {
			return err
		}
	}
	diff := memberDiff{group: m.Group, found: d.found, whole: true}
	handles, err := tx.Lookup(m.Add, nil)
	if err != nil {
		return err
	}
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
		mergeSets(d.found.strays, map[store.Num]*roaring.Bitmap{group: have})
	default:
		diff.remove = nums(have)
		diff.digest = &digest
	}
	if len(diff.add)+len(diff.remove) > 0 || (diff.digest != nil && digest.Count > 0) {
		d.members = append(d.members, diff)
	}
	return nil
}

// comparePart handles a part of a list (full read) or changes to it (delta).
func (l *listing) comparePart(tx store.Reader, group store.Num, m *connectors.Members, d *pageDiff) error {
	diff := memberDiff{group: m.Group, found: d.found}
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
	handles, err := tx.Lookup(m.Add, nil)
	if err != nil {
		return err
	}
	have := roaring.New()
	if group != 0 && len(m.Add) > 0 {
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
		mergeSets(d.found.members, map[store.Num]*roaring.Bitmap{group: known})
	}
	return nil
}

// commit writes the difference and marks whom it concerns: the group, and everybody who entered or left.
func (m *memberDiff) commit(tx store.Writer) error {
	ids, err := tx.Intern([]string{directory.IDHandle(m.group)}, nil)
	if err != nil {
		return err
	}
	group := ids[0]
	handles, err := tx.Intern(m.add, nil)
	if err != nil {
		return err
	}
	if m.whole {
		m.found.whole.Add(uint32(group))
	} else if len(handles) > 0 {
		mergeSets(m.found.members, map[store.Num]*roaring.Bitmap{group: bitmap(handles)})
	}
	moved, err := tx.AddMembers(group, handles, nil)
	if err != nil {
		return err
	}
	if err := takeMembers(tx, group, m.remove); err != nil {
		return err
	}
	if err := markMembers(tx, group, moved); err != nil {
		return err
	}
	if m.digest != nil {
		return tx.SetMemberDigest(group, *m.digest)
	}
	return nil
}

// takeMembers removes members from a group and marks whom that concerns.
func takeMembers(tx store.Writer, group store.Num, handles []store.Num) error {
	if len(handles) == 0 {
		return nil
	}
	moved, err := tx.RemoveMembers(group, handles, nil)
	if err != nil {
		return err
	}
	return markMembers(tx, group, moved)
}

// markMembers marks a group and those who entered or left it: a person must be mapped again, a group means
// that everybody below it must be.
func markMembers(tx store.Writer, group store.Num, handles []store.Num) error {
	if _, ok := tx.(neverSettled); ok || len(handles) == 0 {
		return nil
	}
	for _, h := range handles {
		owner, err := tx.Owner(h)
		if err != nil {
			return err
		}
		kind, why := directory.Person, store.Changed
		_, ok, err := tx.Row(kind, owner)
		if err == nil && !ok {
			kind, why = directory.Group, store.Regrouped
			_, ok, err = tx.Row(kind, owner)
		}
		if err != nil {
			return err
		}
		// An owner that is not there yet will be marked when it comes.
		if ok {
			if err := tx.MarkDirty(kind, owner, why); err != nil {
				return err
			}
		}
	}
	return tx.MarkDirty(directory.Group, group, store.MembersChanged)
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

func bitmap(list []store.Num) *roaring.Bitmap {
	b := roaring.New()
	for _, n := range list {
		b.Add(uint32(n))
	}
	return b
}

func nums(b *roaring.Bitmap) []store.Num {
	list := make([]store.Num, 0, b.GetCardinality())
	for it := b.Iterator(); it.HasNext(); {
		list = append(list, store.Num(it.Next()))
	}
	return list
}
