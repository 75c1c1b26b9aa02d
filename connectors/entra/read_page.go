package entra

import (
	"maps"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// pageBuilder collects a page. A delta may mention an object or a membership more than once on one page; the last word
// is the one that holds, and only that one is passed on. It is used for one page after the other.
type pageBuilder struct {
	kind    directory.Kind
	objects []directory.Object
	dropped []bool
	at      map[string]int // id of an object -> its place
	removed map[string]struct{}
	invalid []connectors.Invalid

	order  []string // groups whose members are mentioned
	groups map[string]*memberChanges
}

// memberChanges are the mentioned members of one group: true for those that came, false for those that went.
type memberChanges struct {
	order []string
	is    map[string]bool
	whole bool
	// mayBeShort: no count says that the whole list is whole.
	mayBeShort bool
}

func newPageBuilder(kind directory.Kind) *pageBuilder {
	return &pageBuilder{kind: kind, at: map[string]int{}, removed: map[string]struct{}{}, groups: map[string]*memberChanges{}}
}

func (f *pageBuilder) reset() {
	clear(f.objects)
	f.objects, f.dropped, f.invalid, f.order = f.objects[:0], f.dropped[:0], f.invalid[:0], f.order[:0]
	clear(f.at)
	clear(f.removed)
	clear(f.groups)
}

// object takes an object. A partial one adds to what the page said of it before; a complete one replaces that.
func (f *pageBuilder) object(o directory.Object) {
	delete(f.removed, o.ID)
	i, known := f.at[o.ID]
	switch {
	case known && o.Partial:
		before := &f.objects[i]
		for _, field := range o.Fields {
			if !before.Partial && field.Value.Type() == directory.NullType {
				before.Fields = slices.DeleteFunc(before.Fields, func(had directory.Field) bool { return had.Name == field.Name })
				continue
			}
			before.Set(field.Name, field.Value)
		}
	case known:
		f.objects[i] = o
	default:
		f.at[o.ID] = len(f.objects)
		f.objects, f.dropped = append(f.objects, o), append(f.dropped, false)
	}
}

// dropObject forgets what the page said of an object itself.
func (f *pageBuilder) dropObject(id string) {
	if i, ok := f.at[id]; ok {
		f.dropped[i] = true
		delete(f.at, id)
	}
}

// drop forgets what the page said of an object and of its members.
func (f *pageBuilder) drop(id string) {
	f.dropObject(id)
	if _, ok := f.groups[id]; ok {
		delete(f.groups, id)
		f.order = slices.DeleteFunc(f.order, func(g string) bool { return g == id })
	}
}

// remove takes the removal of an object.
func (f *pageBuilder) remove(id string) {
	f.drop(id)
	f.removed[id] = struct{}{}
}

func (f *pageBuilder) group(id string) *memberChanges {
	m := f.groups[id]
	if m == nil {
		m = &memberChanges{is: map[string]bool{}}
		f.groups[id] = m
		f.order = append(f.order, id)
	}
	return m
}

// member takes a membership that came or went.
func (f *pageBuilder) member(group, handle string, came bool) {
	m := f.group(group)
	if _, ok := m.is[handle]; !ok {
		m.order = append(m.order, handle)
	}
	m.is[handle] = came
}

// whole takes the complete list of a group's members, in place of all that was said before.
func (f *pageBuilder) whole(group string, handles []string) {
	m := f.group(group)
	m.order, m.whole = handles, true
	clear(m.is)
	for _, h := range handles {
		m.is[h] = true
	}
}

// unread says that a group could not be read by itself.
func unread(op, id, where string, err error) connectors.Invalid {
	return connectors.Invalid{
		Kind: directory.Group, ID: id, Where: where,
		Err: &fault.Error{Class: fault.Invalid, Op: op, Where: where, Err: err, Hint: "it stays as it was, and nobody else is held up"},
	}
}

// doubtful takes a list of members as whole does, and says that it can be short.
func (f *pageBuilder) doubtful(group string, handles []string) {
	f.whole(group, handles)
	f.groups[group].mayBeShort = true
}

// page makes the page. It shares memory with the builder until reset.
func (f *pageBuilder) page(full bool) *connectors.Page {
	p := &connectors.Page{Invalid: f.invalid}
	p.Objects = f.objects
	if slices.Contains(f.dropped, true) {
		p.Objects = make([]directory.Object, 0, len(f.objects))
		for i := range f.objects {
			if !f.dropped[i] {
				p.Objects = append(p.Objects, f.objects[i])
			}
		}
	}
	if !full {
		for _, id := range slices.Sorted(maps.Keys(f.removed)) {
			p.Removed = append(p.Removed, directory.Ref{Kind: f.kind, ID: id})
		}
	}
	for _, id := range f.order {
		g := f.groups[id]
		m := connectors.Members{Group: id, Whole: g.whole, MayBeShort: g.mayBeShort}
		for _, h := range g.order {
			switch {
			case g.is[h]:
				m.Add = append(m.Add, h)
			case !full && !g.whole:
				m.Remove = append(m.Remove, h)
			}
		}
		if len(m.Add)+len(m.Remove) > 0 || m.Whole {
			p.Members = append(p.Members, m)
		}
	}
	return p
}
