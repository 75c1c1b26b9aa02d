package settle

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/relations"
)

// PersonView is what the rules see of a person.
func PersonView(source mapping.Source, o *relations.Object, r *relations.Related) *mapping.Person {
	p := &mapping.Person{Object: &o.Object, Source: source}
	if r.Groups != nil {
		p.Groups = make([]mapping.Membership, len(r.Groups))
		for i, g := range r.Groups {
			p.Groups[i] = mapping.Membership{Named: mapping.Named{ID: g.ID, Name: g.Name}, Direct: g.Direct}
		}
	}
	if r.Manager != nil {
		p.Manager = &r.Manager.Object
	}
	for _, l := range r.Licences {
		name, _ := l.Get(directory.FieldName)
		p.Licences = append(p.Licences, mapping.Named{ID: l.ID, Name: name.Text()})
	}
	return p
}

// ObjectView is what the rules see of an object that is no person.
func ObjectView(source mapping.Source, o *relations.Object, r *relations.Related) *mapping.View {
	v := &mapping.View{Object: &o.Object, Source: source}
	if r.Owner != nil {
		v.Owner = &r.Owner.Object
	}
	return v
}
