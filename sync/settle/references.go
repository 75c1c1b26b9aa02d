package settle

import (
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/relations"
)

// References says under which keys those to whom objects point have records. Whether somebody has one is what the rules say of him, and
// not what is stored: so it does not matter who is settled first. It belongs to one goroutine.
type References struct {
	Rules  *mapping.Ruleset
	Source mapping.Source
	Origin directory.Origin // of the tenant's objects
	At     time.Time
	// Staying are those whose removal waits, and who keep their records until then.
	Staying *roaring.Bitmap
	// Waiting are those whose records wait for a seat or for the operator: until then they have what is stored.
	Waiting *roaring.Bitmap
	// groups are remembered from one question to the next, and so is who has records.
	groups  *relations.Groups
	present map[store.Num]bool
}

// Keys returns the keys of those to whom objects point, in their order, as far as the rules ask for them.
func (r *References) Keys(tx store.Reader, related []relations.Related) ([]mapping.Keys, error) {
	keys, uses := make([]mapping.Keys, len(related)), r.Rules.Uses()
	if !uses.AnyKey() {
		return keys, nil
	}
	if r.present == nil {
		r.present = map[store.Num]bool{}
	}
	if r.groups == nil {
		r.groups = &relations.Groups{}
	}
	type reference struct {
		to  *relations.Object
		key *string
	}
	of := map[directory.Kind][]reference{}
	for i := range related {
		to, key := &related[i], &keys[i]
		for _, one := range []struct {
			link directory.LinkType
			ref  reference
		}{
			{directory.Manager, reference{to.Manager, &key.Manager}}, {directory.Owner, reference{to.Owner, &key.Owner}},
			{directory.OfCustomer, reference{to.Customer, &key.Customer}}, {directory.AtSite, reference{to.Site, &key.Site}},
		} {
			if uses.Keys[one.link] && one.ref.to != nil {
				of[one.ref.to.Kind] = append(of[one.ref.to.Kind], one.ref)
			}
		}
	}
	for kind, list := range of {
		var ask []relations.Object
		for _, ref := range list {
			if _, known := r.present[ref.to.Num]; !known {
				r.present[ref.to.Num] = false
				ask = append(ask, *ref.to)
			}
		}
		if err := r.look(tx, kind, ask); err != nil {
			return nil, err
		}
		for _, ref := range list {
			if r.present[ref.to.Num] {
				*ref.key = r.Origin.Of(ref.to.ID).RecordKey()
			}
		}
	}
	return keys, nil
}

// look finds out who of some objects has a record. For whom the rules fail, what is stored stays; of whom they make none, what is kept.
func (r *References) look(tx store.Reader, kind directory.Kind, objects []relations.Object) error {
	uses := r.Rules.Uses()
	related, err := r.groups.Of(tx, objects, wantedBy(&uses, kind, r.Staying))
	if err != nil {
		return err
	}
	for i := range objects {
		o := &objects[i]
		var res mapping.Result
		switch {
		case r.Staying != nil && r.Staying.Contains(uint32(o.Num)):
			r.present[o.Num] = true
			continue
		case kind == directory.Person:
			res, err = r.Rules.Person(PersonView(r.Source, r.At, o, &related[i]))
		default:
			res, err = r.Rules.Object(ObjectView(r.Source, r.At, o, &related[i]))
		}
		waits := r.Waiting != nil && r.Waiting.Contains(uint32(o.Num))
		if err == nil && len(res.Records) > 0 && !waits {
			r.present[o.Num] = true
			continue
		}
		unwanted := err == nil && len(res.Records) == 0
		err = tx.RecordsOf(nil, mapping.RecordsOf(kind), []store.Num{o.Num}, func(_ store.Num, rec directory.Record) bool {
			r.present[o.Num] = r.present[o.Num] || rec.Active && (!unwanted || r.stays(&rec))
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stays reports whether a record that nobody wants any longer remains.
func (r *References) stays(rec *directory.Record) bool {
	if r.Rules.Leaver(rec.Kind).Do == mapping.KeepLeavers {
		return true
	}
	name, _ := r.Rules.Kept(rec, r.At)
	return name != ""
}

// wantedBy says what the rules look at beside an object itself.
func wantedBy(uses *mapping.Uses, kind directory.Kind, staying *roaring.Bitmap) relations.Wanted {
	want := relations.Wanted{Manager: uses.Manager[kind], Customer: uses.Customer[kind], Site: uses.Site[kind], Staying: staying}
	switch kind {
	case directory.Person:
		want.Groups, want.Licences = uses.Groups, uses.Licences
	case directory.Device:
		want.Owner, want.OwnerGroups = uses.Owner, uses.OwnerGroups
	}
	return want
}

// addNaming adds whoever names the record of somebody who is looked at: that may come or go for a reason that is not in his object.
func (s *Settlement) addNaming(tx store.Reader) error {
	for _, kind := range []directory.Kind{directory.Customer, directory.Site} {
		if link, _ := s.lookedAt(kind); s.uses.Keys[link] {
			if err := s.addBelonging(tx, kind, relations.Nums(s.worklist[kind])); err != nil {
				return err
			}
		}
	}
	people := relations.Nums(s.worklist[directory.Person])
	if s.uses.Keys[directory.Manager] {
		if err := s.addBelonging(tx, directory.Person, people); err != nil {
			return err
		}
	}
	if s.uses.Keys[directory.Owner] {
		return addReferrers(tx, directory.Person, people, directory.Owner, s.worklist[directory.Device])
	}
	return nil
}
