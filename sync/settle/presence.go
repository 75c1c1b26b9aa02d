package settle

import (
	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

// presence remembers who gains and who loses an active record in a pass, before that is stored.
type presence struct {
	on, off *roaring.Bitmap
	// groups contain one of them; licences are held by one.
	groups, licences *roaring.Bitmap
	// keys are the record keys of those who lose theirs: their objects may be gone when a group asks.
	keys map[store.Num]string
	// asked are people about whom it is known whether lists may name them: those that are listable.
	asked, listable *roaring.Bitmap
}

func newPresence() presence {
	return presence{on: roaring.New(), off: roaring.New(), groups: roaring.New(), licences: roaring.New(), keys: map[store.Num]string{},
		asked: roaring.New(), listable: roaring.New()}
}

// recordPresence remembers who of some people gains or loses an active record, and the groups and licences that list
// them. It is noted while the people are at hand: their objects may be forgotten when the lists' turn comes.
func (s *Settlement) recordPresence(tx store.Reader, list []candidate) error {
	makes := &s.uses.Records
	if !makes[directory.Group] && !makes[directory.Licence] {
		return nil
	}
	var changed []*candidate
	for i := range list {
		c := &list[i]
		was, is := active(c.before, c.steps)
		switch {
		case c.err != nil || was == is:
			continue
		case is:
			s.presence.on.Add(uint32(c.num))
		default:
			s.presence.off.Add(uint32(c.num))
			s.presence.keys[c.num] = s.Origin.Of(c.id).RecordKey()
		}
		changed = append(changed, c)
	}
	if len(changed) == 0 {
		return nil
	}
	// What the rules do not look at is not known yet.
	related, err := s.groups.Of(tx, objectsOf(changed), relations.Wanted{
		Groups: makes[directory.Group] && !s.uses.Groups, Licences: makes[directory.Licence] && !s.uses.Licences,
	})
	if err != nil {
		return err
	}
	always, err := s.alwaysIn(tx, changed)
	if err != nil {
		return err
	}
	for i, c := range changed {
		if makes[directory.Group] {
			c.groups = append(c.groups, always[c.num]...)
			for _, list := range [][]relations.Membership{c.related.Groups, related[i].Groups} {
				for _, g := range list {
					c.groups = append(c.groups, g.Group)
				}
			}
			s.presence.groups.Or(relations.Set(c.groups))
		}
		if makes[directory.Licence] {
			c.licences = append(c.related.Holds, related[i].Holds...)
			s.presence.licences.Or(relations.Set(c.licences))
		}
	}
	return nil
}
