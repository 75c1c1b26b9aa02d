package engine

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// object works out what one object comes to that is no person. When the mapping makes no records of its kind, a
// record from earlier rules is taken away like any other that is no longer wanted.
func (s *settlement) object(tx store.Reader, kind directory.Kind, n store.Num) (outcome, error) {
	row, ok, err := tx.Row(kind, n)
	if err != nil || !ok {
		return outcome{}, err
	}
	o, err := directory.ParseObject(row.Data)
	if err != nil {
		return outcome{}, damaged("settle a "+kind.String(), err)
	}
	before, err := recordsOf(tx, n, mapping.RecordsOf(kind))
	if err != nil {
		return outcome{}, err
	}
	out := outcome{id: o.ID, forget: row.Gone != store.Here}
	out.unproven = out.forget && !row.Gone.Proven()
	if out.unproven && s.keepUnproven {
		out.leave, out.forget = true, false
		if kind == directory.Group {
			s.left.Add(uint32(n))
		}
		return out, nil
	}
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
		var res mapping.Result
		if s.surroundings.uses.Records[kind] {
			view, err := s.surroundings.object(tx, &o)
			if err != nil {
				return outcome{}, err
			}
			if res, err = s.conn.Rules.Object(view); err != nil {
				out.err = err
				return out, nil
			}
		}
		wants = s.wants(&subject, res, before)
		for i := range wants {
			if wants[i].Members, err = s.listed(tx, kind, n, &row); err != nil {
				return outcome{}, err
			}
		}
	}
	out.steps = plan.Decide(&subject, before, wants)
	return out, missing
}

// listed returns the people that a record of an object lists: the members of a group, the holders of a licence,
// as far as they have, or will have after this pass, an active record.
func (s *settlement) listed(tx store.Reader, kind directory.Kind, n store.Num, row *store.Row) ([]uint32, error) {
	people := roaring.New()
	switch kind {
	case directory.Group:
		if err := s.surroundings.addBelow(tx, []store.Num{n}, people); err != nil {
			return nil, err
		}
	case directory.Licence:
		for _, h := range append([]store.Num{n}, row.Handles...) {
			err := tx.Referrers(directory.Holds, h, func(p store.Num) bool { people.Add(uint32(p)); return true })
			if err != nil {
				return nil, err
			}
		}
	}
	var list []uint32
	for it := people.Iterator(); it.HasNext(); {
		n := it.Next()
		row, ok, err := tx.Row(directory.Person, store.Num(n))
		if err != nil {
			return nil, err
		}
		// With `leavers: keep` somebody who has left may have an active record for good.
		if !ok || row.Gone != store.Here && (row.Gone.Proven() || !s.keepUnproven) {
			continue
		}
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
	records, err := recordsOf(tx, n, mapping.RecordsOf(directory.Person))
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
			// A run that was cut has settled the person already, and forgotten the object.
			records, err := recordsOf(tx, store.Num(n), mapping.RecordsOf(directory.Person))
			if err != nil {
				return nil, err
			}
			if len(records) > 0 {
				keys = append(keys, records[0].Key)
			}
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
	if !s.surroundings.uses.Records[directory.Group] {
		return s.look[directory.Group], nil
	}
	set := roaring.Or(s.look[directory.Group], s.activity.groups)
	err := s.view(ctx, func(tx store.Reader) error {
		for _, g := range nums(s.look[directory.Group]) {
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

// noteActivity remembers that a person gains or loses an active record, and returns the groups and licences that
// list the person. It is noted while the person is at hand: its object may be forgotten when their turn comes.
func (s *settlement) noteActivity(tx store.Reader, n store.Num, row *store.Row, o *directory.Object, was, is bool) ([]directoryNum, error) {
	makes := &s.surroundings.uses.Records
	if was == is || !makes[directory.Group] && !makes[directory.Licence] {
		return nil, nil
	}
	s.activity.note(n, s.origin(o.ID).RecordKey(), is)
	var lists []directoryNum
	if makes[directory.Licence] {
		for _, l := range o.Links {
			if l.Type != directory.Holds {
				continue
			}
			licences, err := owners(tx, l.To)
			if err != nil {
				return nil, err
			}
			for _, licence := range licences {
				lists = append(lists, directoryNum{directory.Licence, licence})
				s.activity.licences.Add(uint32(licence))
			}
		}
	}
	if !makes[directory.Group] {
		return lists, nil
	}
	direct, err := s.surroundings.directGroups(tx, n, row.Handles, o)
	if err != nil {
		return nil, err
	}
	all, err := s.surroundings.above(tx, direct)
	for _, group := range all {
		lists = append(lists, directoryNum{directory.Group, group})
		s.activity.groups.Add(uint32(group))
	}
	return lists, err
}
