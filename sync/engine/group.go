package engine

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

var groupKinds = []directory.RecordKind{directory.GroupRecord}

// forgetGroup is what a group comes to when the mapping makes no records of groups. A record from earlier rules
// is taken away like any other that is no longer wanted.
func (s *settlement) forgetGroup(tx store.Reader, n store.Num) (outcome, error) {
	return s.groupOutcome(tx, n, func(*directory.Object) (mapping.Result, error) { return mapping.Result{}, nil })
}

// group works out what one group comes to.
func (s *settlement) group(tx store.Reader, n store.Num) (outcome, error) {
	return s.groupOutcome(tx, n, func(o *directory.Object) (mapping.Result, error) {
		return s.conn.Rules.Group(&mapping.GroupView{Object: o, Place: s.surroundings.place})
	})
}

func (s *settlement) groupOutcome(tx store.Reader, n store.Num, rules func(*directory.Object) (mapping.Result, error)) (outcome, error) {
	row, ok, err := tx.Row(directory.Group, n)
	if err != nil || !ok {
		return outcome{}, err
	}
	o, err := directory.ParseObject(row.Data)
	if err != nil {
		return outcome{}, damaged("settle a group", err)
	}
	before, err := recordsOf(tx, n, groupKinds)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{id: o.ID, forget: row.Gone != store.Here}
	subject := s.subject(&o, row.Gone)
	var missing error
	subject.Keys = func(nums []uint32) []string {
		keys, err := s.recordKeys(tx, nums)
		if err != nil {
			missing = err
		}
		return keys
	}
	var wants []plan.Want
	if row.Gone == store.Here {
		res, err := rules(&o)
		if err != nil {
			out.err = err
			return out, nil
		}
		wants = s.wants(&subject, res, before)
		for i := range wants {
			if wants[i].Members, err = s.activeBelow(tx, n); err != nil {
				return outcome{}, err
			}
		}
	}
	out.steps = plan.Decide(&subject, before, wants)
	return out, missing
}

// activeBelow lists everybody below a group who has, or will have after this pass, an active record.
func (s *settlement) activeBelow(tx store.Reader, group store.Num) ([]uint32, error) {
	people := roaring.New()
	if err := s.surroundings.addBelow(tx, []store.Num{group}, people); err != nil {
		return nil, err
	}
	var list []uint32
	for it := people.Iterator(); it.HasNext(); {
		n := it.Next()
		is, err := s.isActive(tx, store.Num(n))
		if err != nil {
			return nil, err
		}
		if is {
			list = append(list, n)
		}
	}
	return list, nil
}

func (s *settlement) isActive(tx store.Reader, n store.Num) (bool, error) {
	switch {
	case s.activity.on.Contains(uint32(n)):
		return true, nil
	case s.activity.off.Contains(uint32(n)):
		return false, nil
	}
	records, err := recordsOf(tx, n, peopleKinds)
	if err != nil {
		return false, err
	}
	was, _ := active(records, nil)
	return was, nil
}

// recordKeys returns the keys of people's records. Somebody who is leaving is remembered by the activity:
// the object may be forgotten by now.
func (s *settlement) recordKeys(tx store.Reader, people []uint32) ([]string, error) {
	keys := make([]string, 0, len(people))
	for _, n := range people {
		if key, ok := s.activity.keys[store.Num(n)]; ok {
			keys = append(keys, key)
			continue
		}
		row, ok, err := tx.Row(directory.Person, store.Num(n))
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		o, err := directory.ParseObject(row.Data)
		if err != nil {
			return nil, damaged("name a group's member", err)
		}
		keys = append(keys, s.origin(o.ID).RecordKey())
	}
	return keys, nil
}

// groupsToSettle adds to the dirty groups those that contain them, and those that contain somebody who gained
// or lost a record in this pass.
func (s *settlement) groupsToSettle(ctx context.Context) (*roaring.Bitmap, error) {
	set := roaring.Or(s.groups, s.activity.groups)
	err := s.view(ctx, func(tx store.Reader) error {
		for _, g := range nums(s.groups) {
			row, _, err := tx.Row(directory.Group, g)
			if err != nil {
				return err
			}
			parents, err := groupsNaming(tx, g, row.Handles)
			if err != nil {
				return err
			}
			all, err := s.surroundings.above(tx, parents)
			if err != nil {
				return err
			}
			set.Or(bitmap(all))
		}
		return nil
	})
	return set, err
}

// noteActivity remembers that a person gains or loses an active record, and which groups that concerns. It is
// noted while the person is at hand: its object may be forgotten when the groups' turn comes.
func (s *settlement) noteActivity(tx store.Reader, n store.Num, row *store.Row, o *directory.Object, was, is bool) error {
	if was == is || !s.surroundings.uses.GroupRecords {
		return nil
	}
	s.activity.note(n, s.origin(o.ID).RecordKey(), is)
	direct, err := s.surroundings.directGroups(tx, n, row.Handles, o)
	if err != nil {
		return err
	}
	all, err := s.surroundings.above(tx, direct)
	s.activity.groups.Or(bitmap(all))
	return err
}
