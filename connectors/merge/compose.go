package merge

import (
	"cmp"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// The attributes that say what a merged person is made of.
const (
	// attributeParts are the names of the parts.
	attributeParts = directory.AttributePrefix + "merged_from"
	// attributeFields says of the fields where they are from.
	attributeFields = connectors.AttributeFrom
)

// part is a person's object with what merged objects say of it.
type part struct {
	connection string
	rank       int
	led        bool // it is the leader's
	object     directory.Object
	handles    []string
	links      []directory.Link
}

// compose makes the merged person of its parts, the strongest first. led says that the leader has, or had, the person.
func (c *Connector) compose(g *group, parts []part, led bool) directory.Object {
	o := directory.Object{Kind: directory.Person, ID: g.key}
	var names, from []string
	fields := map[string]bool{}
	leads := false
	for i := range parts {
		leads = leads || parts[i].led
		o.Handles = append(o.Handles, parts[i].handles...)
		for _, f := range parts[i].object.Fields {
			fields[f.Name] = !directory.OfSignIn(f.Name) // these are of the part, and of its own source
		}
	}
	for _, p := range g.people {
		names = append(names, p.name)
		o.Handles = append(o.Handles, partHandle(p.name))
		for _, a := range p.anchors {
			if a != "" {
				o.Handles = append(o.Handles, a)
			}
		}
	}
	if led || leads {
		o.Handles = append(o.Handles, ledPrefix+g.key)
	}
	slices.Sort(o.Handles)
	o.Handles = slices.Compact(o.Handles)
	for name, is := range fields {
		if !is {
			continue
		}
		if v, by := c.choose(name, parts); by != "" {
			o.Set(name, v)
			from = append(from, name+": "+by)
		}
	}
	if v, by := c.inUse(parts, led && !leads); by != "" {
		o.Set(directory.FieldEnabled, v)
		from = slices.DeleteFunc(from, func(text string) bool { return strings.HasPrefix(text, directory.FieldEnabled+": ") })
		from = append(from, directory.FieldEnabled+": "+by)
	}
	manager, by := c.chooseManager(parts)
	if by != "" {
		o.Links = append(o.Links, manager)
		from = append(from, fieldManager+": "+by)
	}
	single := map[directory.LinkType]bool{directory.Manager: true}
	for i := range parts {
		for _, l := range parts[i].links {
			one := l.Type == directory.OfCustomer || l.Type == directory.AtSite
			if single[l.Type] {
				continue
			}
			single[l.Type] = one
			o.Links = append(o.Links, l)
		}
	}
	slices.SortFunc(o.Links, func(a, b directory.Link) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.To, b.To)) })
	o.Links = slices.Compact(o.Links)
	o.Set(attributeParts, directory.List(names...))
	o.Set(attributeFields, directory.List(from...))
	return o
}

// ledPrefix begins the handle of somebody whom the leader has or had.
const ledPrefix = "led:"

// inOrder is the order in which parts are asked for a field: as the operator wrote it, then as they are strong.
func (c *Connector) inOrder(field string, parts []part) []*part {
	list := make([]*part, len(parts))
	for i := range parts {
		list[i] = &parts[i]
	}
	written := c.cfg.Fields[field]
	place := func(p *part) int {
		if i := slices.Index(written, p.connection); i >= 0 {
			return i
		}
		return len(written)
	}
	slices.SortStableFunc(list, func(a, b *part) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.rank, b.rank)) })
	return list
}

// choose returns the first value of a field that says something, and whose it is; one that is blank when none does.
func (c *Connector) choose(field string, parts []part) (v directory.Value, by string) {
	for _, p := range c.inOrder(field, parts) {
		if got, ok := p.object.Get(field); ok && (by == "" || v.Blank() && !got.Blank()) {
			v, by = got, p.connection
		}
	}
	return v, by
}

func (c *Connector) chooseManager(parts []part) (directory.Link, string) {
	for _, p := range c.inOrder(fieldManager, parts) {
		for _, l := range p.links {
			if l.Type == directory.Manager {
				return l, p.connection
			}
		}
	}
	return directory.Link{}, ""
}

// inUse says whether the merged account may be used, and who says so: the last who does, or the leader, who may have that person no
// longer. Where the operator wrote whose word counts, or nobody says anything, nothing.
func (c *Connector) inUse(parts []part, left bool) (v directory.Value, by string) {
	if left && c.cfg.Leaver == leaverLeader {
		return directory.Bool(false), c.cfg.Leader
	}
	if len(c.cfg.Fields[directory.FieldEnabled]) > 0 {
		return v, ""
	}
	for i := range parts {
		said, ok := parts[i].object.Get(directory.FieldEnabled)
		switch {
		case !ok:
		case c.cfg.Leaver == leaverLeader && parts[i].led:
			return said, parts[i].connection
		case by == "" || said.Bool() && !v.Bool():
			v, by = said, parts[i].connection
		}
	}
	return v, by
}

// passed makes objects that are no people ready: they stay as they are, under the name of their connection.
func (c *contributor) passed(tx store.Reader, rows []store.Row, objects []directory.Object) ([]directory.Object, error) {
	handles, err := c.owned(tx, rows)
	if err != nil {
		return nil, err
	}
	links, err := c.links(tx, objects)
	if err != nil {
		return nil, err
	}
	for i := range objects {
		o := &objects[i]
		o.ID = c.nameOf(o.ID)
		o.Handles = append(handles[i], partHandle(o.ID))
		o.Links = links[i]
	}
	return objects, nil
}
