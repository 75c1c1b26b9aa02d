package settle

import (
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/relations"
)

// PersonView is what the rules see of a person at a moment.
func PersonView(source mapping.Source, at time.Time, o *relations.Object, r *relations.Related) *mapping.Person {
	p := new(mapping.Person)
	viewPerson(p, source, at, o, r)
	return p
}

// viewPerson makes a PersonView in the memory of one before, which is not needed any more.
func viewPerson(p *mapping.Person, source mapping.Source, at time.Time, o *relations.Object, r *relations.Related) {
	*p = mapping.Person{Object: &o.Object, Source: source, At: at, Groups: groupViews(p.Groups[:0], r.Groups), Licences: p.Licences[:0]}
	p.Manager, p.Customer, p.Site = objectOf(r.Manager), objectOf(r.Customer), objectOf(r.Site)
	for _, l := range r.Licences {
		name, _ := l.Get(directory.FieldName)
		p.Licences = append(p.Licences, mapping.Named{ID: l.ID, Name: name.Text()})
	}
}

// groupViews are groups as rules see them, in the memory of a list before; nil where nobody asked for them.
func groupViews(list []mapping.Membership, groups []relations.Membership) []mapping.Membership {
	if groups == nil {
		return nil
	}
	if cap(list) < len(groups) || list == nil {
		list = make([]mapping.Membership, 0, len(groups))
	}
	for i := range groups {
		g := &groups[i]
		list = append(list, mapping.Membership{Named: mapping.Named{ID: g.ID, Name: g.Name}, Direct: g.Direct})
	}
	return list
}

// ObjectView is what the rules see of an object that is no person.
func ObjectView(source mapping.Source, at time.Time, o *relations.Object, r *relations.Related) *mapping.View {
	return &mapping.View{
		Object: &o.Object, Manager: objectOf(r.Manager), Owner: objectOf(r.Owner), OwnerGroups: groupViews(nil, r.OwnerGroups),
		Customer: objectOf(r.Customer), Site: objectOf(r.Site), Source: source, At: at,
	}
}

// objectOf is what rules see of an object that another one points to, or nil.
func objectOf(o *relations.Object) *directory.Object {
	if o == nil {
		return nil
	}
	return &o.Object
}
