package entra

import (
	"slices"
	"strings"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
)

// groupDecoder translates groups and the members that come with them.
type groupDecoder struct {
	schema schema
	fields []fieldDecoder // sorted by field
	entry  *entry

	name    int // slot of displayName
	members int // slot of members@delta
	owners  int // slot of owners@delta
	// ownersWhole is the slot of owners, in plain lists.
	ownersWhole int
	created     int // slot of createdDateTime
	kind        []int
}

func newGroupDecoder() *groupDecoder {
	f := &groupDecoder{}
	l := &f.schema
	f.name = l.slot("displayName")
	f.members, f.created = l.slot("members@delta"), l.slot("createdDateTime")
	f.owners, f.ownersWhole = l.slot("owners@delta"), l.slot("owners")
	f.kind = []int{l.slot("groupTypes"), l.slot("mailEnabled"), l.slot("securityEnabled")}
	f.fields = []fieldDecoder{
		l.text(directory.FieldDescription, "description"),
		l.text(directory.FieldEmail, "mail"),
		{field: directory.FieldGroupType, slots: f.kind, get: f.groupType},
		l.text(directory.FieldName, "displayName"),
	}
	f.entry = newEntry(l)
	return f
}

// groupType says what kind of group it is, in a word.
func (f *groupDecoder) groupType(e *entry) (directory.Value, error) {
	unified := false
	err := texts("groupTypes", e.values[f.kind[0]], func(s string) { unified = unified || strings.EqualFold(s, "Unified") })
	if err != nil {
		return directory.Value{}, err
	}
	var is [2]bool
	for i, name := range []string{"mailEnabled", "securityEnabled"} {
		v := e.values[f.kind[i+1]]
		if !v.Null() && v != "true" && v != "false" {
			return directory.Value{}, mismatch(name, "a truth value", v)
		}
		is[i] = v == "true"
	}
	switch mail, security := is[0], is[1]; {
	case unified:
		return directory.Text("microsoft365"), nil
	case mail && security:
		return directory.Text("mail_security"), nil
	case security:
		return directory.Text("security"), nil
	case mail:
		return directory.Text("distribution"), nil
	default:
		return directory.Null(), nil
	}
}

// translate makes an object of the loaded entry. A partial one states only what the entry mentions, and what was
// cleared as Null.
func (f *groupDecoder) translate(partial bool) (directory.Object, error) {
	o := directory.Object{Kind: directory.Group, ID: f.entry.id, Partial: partial}
	for _, c := range f.fields {
		if partial && slices.ContainsFunc(c.slots, f.absent) {
			continue
		}
		v, err := c.get(f.entry)
		if err != nil {
			return o, err
		}
		if partial || v.Type() != directory.NullType {
			o.Fields = append(o.Fields, directory.Field{Name: c.field, Value: v})
		}
	}
	return o, nil
}

func (f *groupDecoder) absent(slot int) bool { return f.entry.values[slot] == "" }

// nameless reports whether an entry lacks what every group has, so that it cannot be the whole group.
func (f *groupDecoder) nameless() bool { return f.entry.values[f.name].Null() }

// halfKnown reports whether an entry mentions a part of what the group's type is made of, but not all.
func (f *groupDecoder) halfKnown() bool {
	n := 0
	for _, slot := range f.kind {
		if !f.absent(slot) {
			n++
		}
	}
	return n > 0 && n < len(f.kind)
}

// mentionsProperties reports whether an entry says anything but who came and went.
func (f *groupDecoder) mentionsProperties() bool {
	for _, slot := range f.schema.slots {
		if slot != f.members && slot != f.owners && !f.absent(slot) {
			return true
		}
	}
	return false
}

// eachMember calls f for the entries of members@delta in their order.
func (f *groupDecoder) eachMember(each func(handle string, removed bool)) error {
	return f.each("members@delta", f.entry.values[f.members], each)
}

// mentionsOwners reports whether an entry says who came or went as an owner.
func (f *groupDecoder) mentionsOwners() bool { return !f.absent(f.owners) }

// eachOwner calls f for the entries of owners@delta in their order.
func (f *groupDecoder) eachOwner(each func(handle string, removed bool)) error {
	return f.each("owners@delta", f.entry.values[f.owners], each)
}

// expandedOwners are the handles of the owners in a plain list, of which the service expands twenty.
func (f *groupDecoder) expandedOwners() (handles []string, err error) {
	err = f.each("owners", f.entry.values[f.ownersWhole], func(handle string, _ bool) { handles = append(handles, handle) })
	return handles, err
}

// ownedBy are the links of a group to its owners. The service promises no order of them: of several, the one with the lowest id
// that is a person manages the group.
func ownedBy(handles []string) []directory.Link {
	slices.Sort(handles)
	var links []directory.Link
	for _, handle := range slices.Compact(handles) {
		links = append(links, directory.Link{Type: directory.Manager, To: handle})
	}
	return links
}

// each calls f for the entries of a list of relations, as of its changes.
func (f *groupDecoder) each(name string, v jsonscan.Value, each func(handle string, removed bool)) error {
	if v.Null() {
		return nil
	}
	if !v.IsList() {
		return mismatch(name, "a list", v)
	}
	for w := jsonscan.Enter(v); w.More(); {
		var id, removed jsonscan.Value
		one := w.Value()
		if !one.IsObject() {
			return mismatch(name, "a list of objects", one)
		}
		for m := jsonscan.Enter(one); m.More(); {
			key := m.Name()
			switch value := m.Value(); key {
			case "id":
				id = value
			case "@removed":
				removed = value
			}
		}
		text, ok := id.Text()
		if !ok || text == "" {
			return mismatch(name+".id", "a text", id)
		}
		each(directory.IDHandle(canonicalID(text)), !removed.Null())
	}
	return nil
}
