package entra

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// model applies pages as the engine does: a delta at once, what a full read did not list after its proof, and a
// full read after an expired cursor, also after one in the middle of a full read.
type model struct {
	tb      testing.TB
	c       connectors.Connector
	cursors map[string][]byte
	objects map[directory.Ref]directory.Object
	members map[string]map[string]bool
	fulls   map[string]int // by stream
	expired int
}

func newModel(tb testing.TB, c connectors.Connector) *model {
	return &model{
		tb: tb, c: c, cursors: map[string][]byte{}, objects: map[directory.Ref]directory.Object{}, members: map[string]map[string]bool{},
		fulls: map[string]int{},
	}
}

// sync reads all streams. It returns the first error that is not an expired cursor.
func (m *model) sync(full bool) error {
	for _, s := range m.c.Describe().Streams {
		if err := m.stream(s, full); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) stream(s connectors.Stream, full bool) error {
	if !full && s.Delta && m.cursors[s.Name] != nil {
		err := m.read(s, connectors.Delta, nil)
		if err == nil || fault.ClassOf(err) != fault.CursorExpired {
			return err
		}
		m.expired++
		delete(m.cursors, s.Name)
	}
	m.fulls[s.Name]++
	err := m.read(s, connectors.Full, nil)
	if fault.ClassOf(err) == fault.CursorExpired { // the service lost its place in the middle of the list
		m.fulls[s.Name]++
		err = m.read(s, connectors.Full, nil)
	}
	return err
}

// read reads one stream once; each is called after a page was applied.
func (m *model) read(s connectors.Stream, mode connectors.Mode, each func(*connectors.Page) error) error {
	seen := map[directory.Ref]bool{}
	named := map[string]map[string]bool{}
	proven, doubt := false, false
	req := connectors.Request{Stream: s.Name, Mode: mode, Unlisted: m.unlisted, Stored: m.stored}
	if mode == connectors.Delta {
		req.Cursor = m.cursors[s.Name]
	}
	err := connectors.Guard(m.c).Read(m.tb.Context(), req, func(p *connectors.Page) error {
		if proven {
			m.tb.Error("a page after the proof")
		}
		for i := range p.Objects {
			o := keepObject(&p.Objects[i])
			ref := directory.Ref{Kind: o.Kind, ID: o.ID}
			if o.Partial {
				o = overlayOn(m.objects[ref], o)
			}
			m.objects[ref], seen[ref] = o, true
		}
		for _, bad := range p.Invalid {
			seen[directory.Ref{Kind: bad.Kind, ID: bad.ID}] = true
			doubt = doubt || bad.ID == ""
		}
		for _, ref := range p.Removed {
			if mode == connectors.Full {
				m.tb.Error("a removal in a full read")
			}
			delete(m.objects, ref)
		}
		for _, g := range p.Members {
			m.apply(g, mode, named)
		}
		if mode == connectors.Delta && len(p.Cursor) > 0 {
			m.cursors[s.Name] = slices.Clone(p.Cursor)
		}
		if p.Proof != nil {
			proven = true
			m.cursors[s.Name] = slices.Clone(p.Cursor)
		}
		if each != nil {
			return each(p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !proven {
		m.tb.Errorf("%s: no proof", s.Name)
	}
	if mode == connectors.Full && !doubt {
		m.sweep(s, seen, named)
	}
	return nil
}

func (m *model) apply(g connectors.Members, mode connectors.Mode, named map[string]map[string]bool) {
	list := m.members[g.Group]
	if list == nil || g.Whole && mode == connectors.Delta {
		list = map[string]bool{}
		m.members[g.Group] = list
	}
	if named[g.Group] == nil || g.Whole {
		named[g.Group] = map[string]bool{}
	}
	for _, h := range g.Add {
		list[h], named[g.Group][h] = true, true
	}
	for _, h := range g.Remove {
		delete(list, h)
	}
}

func (m *model) sweep(s connectors.Stream, seen map[directory.Ref]bool, named map[string]map[string]bool) {
	maps.DeleteFunc(m.objects, func(ref directory.Ref, _ directory.Object) bool {
		return slices.Contains(s.Kinds, ref.Kind) && !seen[ref]
	})
	if s.Members {
		for group, list := range m.members {
			maps.DeleteFunc(list, func(h string, _ bool) bool { return !named[group][h] })
		}
	}
}

// unlisted is Request.Unlisted of what the model has.
func (m *model) unlisted(_ context.Context, group string, listed []string) (people, groups []string, err error) {
	for handle := range m.members[group] {
		id := strings.TrimPrefix(handle, directory.IDHandle(""))
		if slices.Contains(listed, handle) {
			continue
		}
		if _, ok := m.objects[directory.Ref{Kind: directory.Person, ID: id}]; ok {
			people = append(people, id)
		}
		if _, ok := m.objects[directory.Ref{Kind: directory.Group, ID: id}]; ok {
			groups = append(groups, id)
		}
	}
	return people, groups, nil
}

// stored is Request.Stored of what the model has.
func (m *model) stored(_ context.Context, kind directory.Kind, ids []string) ([]directory.Object, error) {
	objects := make([]directory.Object, len(ids))
	for i, id := range ids {
		if o, ok := m.objects[directory.Ref{Kind: kind, ID: id}]; ok {
			objects[i] = keepObject(&o)
		}
	}
	return objects, nil
}

func keepObject(o *directory.Object) directory.Object {
	c := *o
	c.Fields, c.Links, c.Handles = slices.Clone(o.Fields), slices.Clone(o.Links), slices.Clone(o.Handles)
	return c
}

func overlayOn(base, o directory.Object) directory.Object {
	sum := keepObject(&base)
	sum.Kind, sum.ID, sum.Partial = o.Kind, o.ID, false
	for _, f := range o.Fields {
		if f.Value.Type() == directory.NullType {
			sum.Fields = slices.DeleteFunc(sum.Fields, func(had directory.Field) bool { return had.Name == f.Name })
			continue
		}
		sum.Set(f.Name, f.Value)
	}
	if len(o.Links) > 0 {
		sum.Links = o.Links
	}
	if len(o.Handles) > 0 {
		sum.Handles = o.Handles
	}
	return sum
}

// dump is everything as lines of text. What points to objects that are not there is left out: nobody sees it.
func (m *model) dump() []string {
	var lines []string
	here := map[string]bool{}
	for ref := range m.objects {
		here[directory.IDHandle(ref.ID)] = true
	}
	for ref, o := range m.objects {
		line := fmt.Sprintf("%s %s", ref.Kind, ref.ID)
		for _, f := range o.Fields {
			line += fmt.Sprintf(" %s=%q", f.Name, f.Value.String())
		}
		var links []string
		for _, l := range o.Links {
			if here[l.To] || l.Type == directory.Holds {
				links = append(links, fmt.Sprintf("->%d:%s", l.Type, l.To))
			}
		}
		slices.Sort(links)
		lines = append(lines, line+strings.Join(links, ""))
	}
	for group, list := range m.members {
		if !here[directory.IDHandle(group)] {
			continue
		}
		for h := range list {
			if here[h] {
				lines = append(lines, "member "+group+" "+h)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// differences compares two dumps.
func differences(got, want []string) string {
	var b strings.Builder
	n := 0
	note := func(sign, line string) {
		if n++; n <= 12 {
			b.WriteString(sign + line + "\n")
		}
	}
	for _, line := range got {
		if _, ok := slices.BinarySearch(want, line); !ok {
			note("+ ", line)
		}
	}
	for _, line := range want {
		if _, ok := slices.BinarySearch(got, line); !ok {
			note("- ", line)
		}
	}
	if n > 12 {
		fmt.Fprintf(&b, "and %d more", n-12)
	}
	return b.String()
}
