package settle

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
)

// addMembers gives records the people that they list: the members of a group, the holders of a licence, as far as they
// have, or will have after this pass, an active record.
func (s *Settlement) addMembers(tx store.Reader, kind directory.Kind, list []candidate) error {
	if kind != directory.Group && kind != directory.Licence {
		return nil
	}
	var listing []*candidate
	var nums []store.Num
	for i := range list {
		if len(list[i].wants) > 0 {
			listing, nums = append(listing, &list[i]), append(nums, list[i].num)
		}
	}
	sets := make([]*roaring.Bitmap, len(listing))
	for i := range sets {
		sets[i] = roaring.New()
	}
	switch {
	case len(listing) == 0:
		return nil
	case kind == directory.Group:
		tree, err := relations.Below(tx, nums)
		if err != nil {
			return err
		}
		for i, n := range nums {
			tree.AddPeople(n, sets[i])
		}
		if err := s.addAlways(tx, listing, sets); err != nil {
			return err
		}
	default:
		holders, err := relations.Pointing(tx, directory.Holds, objectsOf(listing))
		if err != nil {
			return err
		}
		for i, people := range holders {
			sets[i].Or(relations.Set(people))
		}
	}
	listable, err := s.listable(tx, roaring.FastOr(sets...))
	if err != nil {
		return err
	}
	for i, c := range listing {
		sets[i].And(listable)
		for k := range c.wants {
			c.wants[k].Members = sets[i].ToArray()
			s.lose(c, &c.wants[k])
		}
	}
	return nil
}

// lose looks at whom a list would lose. Those whose own removal waits stay in it, and all others when what lists lose waits.
func (s *Settlement) lose(c *candidate, w *plan.Want) {
	before := recordOf(c.before, w.Kind)
	if before == nil || !before.Active || slices.Equal(before.Members, w.Members) || c.subject.LeavesAlone(c.before) {
		return
	}
	gone := roaring.BitmapOf(before.Members...)
	gone.AndNot(roaring.BitmapOf(w.Members...))
	gone.AndNot(s.presence.off) // they go with their record
	gone.AndNot(roaring.BitmapOf(s.undoneLeft(before)...))
	if gone.IsEmpty() {
		return
	}
	if s.hold == nil {
		c.losses = append(c.losses, loss{w.Kind, gone.ToArray(), len(before.Members)})
		return
	}
	if !s.hold.lists {
		if lost := roaring.AndNot(gone, s.hold.leavers); !lost.IsEmpty() {
			c.losses = append(c.losses, loss{w.Kind, lost.ToArray(), len(before.Members)})
		}
		gone.And(s.hold.leavers)
	}
	if gone.IsEmpty() {
		return
	}
	gone.Or(roaring.BitmapOf(w.Members...))
	w.Members, c.waits = gone.ToArray(), true
	if c.kind == directory.Group {
		s.deferredGroups.Add(uint32(c.num))
	}
}

// memberships counts the members that lists have, until there are as many as asked for.
func (s *Settlement) memberships(ctx context.Context, upTo int) (n int, err error) {
	err = s.State.View(ctx, func(tx store.Reader) error {
		n = 0
		for _, kind := range []directory.RecordKind{directory.GroupRecord, directory.LicenceRecord} {
			err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
				if rec.Active {
					n += len(rec.Members)
				}
				return n < upTo
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

func objectsOf(list []*candidate) []relations.Object {
	objects := make([]relations.Object, len(list))
	for i, c := range list {
		objects[i] = *c.object
	}
	return objects
}

// listable returns those people that a list may name. Their records do not change any more when lists are made.
func (s *Settlement) listable(tx store.Reader, people *roaring.Bitmap) (*roaring.Bitmap, error) {
	a := &s.presence
	for chunk := range slices.Chunk(relations.Nums(roaring.AndNot(people, a.asked)), Chunk) {
		rows, err := tx.RowsOf(directory.Person, chunk, make([]store.Row, 0, len(chunk)))
		if err != nil {
			return nil, err
		}
		var ask []store.Num
		for i := range rows {
			switch row := &rows[i]; {
			case row.Num == 0:
			case row.Gone != store.Here && (row.Gone.Proven() || !s.deferUnproven):
				// With `leavers: keep` somebody who has left may have an active record for good.
			case a.on.Contains(uint32(row.Num)):
				a.listable.Add(uint32(row.Num))
			case !a.off.Contains(uint32(row.Num)):
				ask = append(ask, row.Num)
			}
		}
		err = tx.RecordsOf(nil, mapping.RecordsOf(directory.Person), ask, func(n store.Num, rec directory.Record) bool {
			if rec.Active {
				a.listable.Add(uint32(n))
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		a.asked.Or(relations.Set(chunk))
	}
	return roaring.And(people, a.listable), nil
}

// recordKeys returns the keys of people's records, in their order. The key of somebody who is leaving was
// noted by recordPresence: the object may be forgotten by now.
func (s *Settlement) recordKeys(tx store.Reader, people []uint32) ([]string, error) {
	keys := make([]string, 0, len(people))
	for chunk := range slices.Chunk(people, Chunk) {
		var ask []store.Num
		for _, n := range chunk {
			if _, ok := s.presence.keys[store.Num(n)]; !ok {
				ask = append(ask, store.Num(n))
			}
		}
		known, err := s.storedKeys(tx, ask)
		if err != nil {
			return nil, err
		}
		for _, n := range chunk {
			key, ok := s.presence.keys[store.Num(n)]
			if !ok {
				key, ok = known[store.Num(n)]
			}
			if ok {
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}

// storedKeys returns the keys of the records of people that are known by their object, or by a record that is left.
func (s *Settlement) storedKeys(tx store.Reader, people []store.Num) (map[store.Num]string, error) {
	objects, err := relations.Load(tx, directory.Person, people)
	if err != nil {
		return nil, err
	}
	keys := make(map[store.Num]string, len(people))
	for i := range objects {
		keys[objects[i].Num] = s.Origin.Of(objects[i].ID).RecordKey()
	}
	if len(objects) == len(people) {
		return keys, nil
	}
	// A run that was cut has settled the others already, and forgotten their objects.
	rest := slices.DeleteFunc(slices.Clone(people), func(n store.Num) bool { _, ok := keys[n]; return ok })
	err = tx.RecordsOf(nil, mapping.RecordsOf(directory.Person), rest, func(n store.Num, rec directory.Record) bool {
		if _, ok := keys[n]; !ok {
			keys[n] = rec.Key
		}
		return true
	})
	return keys, err
}
