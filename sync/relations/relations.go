package relations

import (
	"cmp"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Wanted says which relations somebody asks about.
type Wanted struct {
	Groups, Manager, Licences, Owner, Customer, Site bool
	// OwnerGroups asks for the groups of owners; with Owner.
	OwnerGroups bool
	// Staying are people, customers and sites that count as being there, though they are gone; nil for none.
	Staying *roaring.Bitmap
}

func (w Wanted) link(t directory.LinkType) bool {
	switch t {
	case directory.MemberOf:
		return w.Groups
	case directory.Manager:
		return w.Manager
	case directory.Holds:
		return w.Licences
	case directory.Owner:
		return w.Owner
	case directory.OfCustomer:
		return w.Customer
	case directory.AtSite:
		return w.Site
	default:
		return false
	}
}

// Related is what others are to an object, as far as it was asked for.
type Related struct {
	// Groups are those that the object is in, nested ones included, by name and id.
	Groups []Membership
	// Manager and Owner are people that are there, or nil.
	Manager, Owner *Object
	// OwnerGroups are those that the owner is in, nested ones included.
	OwnerGroups []Membership
	// Customer and Site are those to which the object belongs and that are there, or nil.
	Customer, Site *Object
	// Licences are those that are there.
	Licences []*Object
	// Holds are the numbers of all licences that the object holds, whether they are there or not.
	Holds []store.Num
}

// Membership is one group that an object is in.
type Membership struct {
	Group    store.Num
	ID, Name string
	// Direct: the group names the object, or the object the group, with no other group between.
	Direct bool
}

// Of returns what others are to objects of one kind, in their order.
func (g *Groups) Of(tx store.Reader, objects []Object, want Wanted) ([]Related, error) {
	list := make([]Related, len(objects))
	links, err := follow(tx, objects, want.link)
	if err != nil {
		return nil, err
	}
	if err := addLinked(tx, list, links, want.Staying); err != nil {
		return list, err
	}
	if want.OwnerGroups {
		if err := g.addOwnerGroups(tx, list); err != nil {
			return nil, err
		}
	}
	if !want.Groups {
		return list, nil
	}
	direct, err := naming(tx, objects)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if l.typ == directory.MemberOf {
			direct[l.object] = append(direct[l.object], l.to)
		}
	}
	all, err := g.above(tx, direct)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Groups = g.memberships(direct[i], all[i])
	}
	return list, nil
}

// addOwnerGroups adds the groups of the owners that were found.
func (g *Groups) addOwnerGroups(tx store.Reader, list []Related) error {
	var owners []Object
	var of []int
	for i := range list {
		if list[i].Owner != nil {
			owners, of = append(owners, *list[i].Owner), append(of, i)
		}
	}
	if len(owners) == 0 {
		return nil
	}
	related, err := g.Of(tx, owners, Wanted{Groups: true})
	for i := range related {
		list[of[i]].OwnerGroups = related[i].Groups
	}
	return err
}

// addLinked adds the objects to which links lead. Of several managers, owners,
// customers or sites the first one that is there counts.
func addLinked(tx store.Reader, list []Related, links []link, staying *roaring.Bitmap) error {
	var people, licences, customers, sites []store.Num
	for _, l := range links {
		switch l.typ {
		case directory.Manager, directory.Owner:
			people = append(people, l.to)
		case directory.Holds:
			licences = append(licences, l.to)
			list[l.object].Holds = append(list[l.object].Holds, l.to)
		case directory.OfCustomer:
			customers = append(customers, l.to)
		case directory.AtSite:
			sites = append(sites, l.to)
		}
	}
	persons, err := loadHere(tx, directory.Person, people, staying)
	if err != nil {
		return err
	}
	held, err := loadHere(tx, directory.Licence, licences, nil)
	if err != nil {
		return err
	}
	ofCustomer, err := loadHere(tx, directory.Customer, customers, staying)
	if err != nil {
		return err
	}
	atSite, err := loadHere(tx, directory.Site, sites, staying)
	if err != nil {
		return err
	}
	for _, l := range links {
		of := &list[l.object]
		switch l.typ {
		case directory.Manager:
			of.Manager = cmp.Or(of.Manager, find(persons, l.to))
		case directory.Owner:
			of.Owner = cmp.Or(of.Owner, find(persons, l.to))
		case directory.OfCustomer:
			of.Customer = cmp.Or(of.Customer, find(ofCustomer, l.to))
		case directory.AtSite:
			of.Site = cmp.Or(of.Site, find(atSite, l.to))
		case directory.Holds:
			if licence := find(held, l.to); licence != nil {
				of.Licences = append(of.Licences, licence)
			}
		}
	}
	return nil
}

// loadHere loads the objects that are there, or count as being there, in ascending order.
func loadHere(tx store.Reader, kind directory.Kind, nums []store.Num, staying *roaring.Bitmap) ([]Object, error) {
	if len(nums) == 0 {
		return nil, nil
	}
	objects, err := Load(tx, kind, distinct(nums))
	return slices.DeleteFunc(objects, func(o Object) bool { return !o.Here() && (staying == nil || !staying.Contains(uint32(o.Num))) }), err
}

// find returns the object with a number, or nil.
func find(objects []Object, n store.Num) *Object {
	i, ok := slices.BinarySearchFunc(objects, n, func(o Object, n store.Num) int { return cmp.Compare(o.Num, n) })
	if !ok {
		return nil
	}
	return &objects[i]
}
