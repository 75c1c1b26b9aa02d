package config

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// selective is the block of a connector that decides what is read (connectors.Selective).
type selective interface {
	Unread(kind directory.Kind, name string) (hint string, unread bool)
}

// checkReads refuses rules that look at what a connection does not read: they would take its absence for an answer. What
// takes nothing for an answer is pointed out: rules for a kind of object that a connection does not read make nothing of
// it, and a field stays blank for one where it is filled for another of the same mapping.
func (l *loader) checkReads() {
	for _, name := range l.mappingNames() {
		m := l.cfg.Mappings[name]
		var users []*Connection
		for i := range l.cfg.Connections {
			if c := &l.cfg.Connections[i]; c.Mapping == name {
				users = append(users, c)
			}
		}
		if m.Rules == nil {
			continue
		}
		for _, look := range m.Rules.Looks() {
			l.checkLook(&look, users)
		}
	}
}

func (l *loader) mappingNames() []string {
	names := make([]string, 0, len(l.mappings))
	for name := range l.mappings {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkLook compares one place of a mapping with what its connections read.
func (l *loader) checkLook(look *mapping.Look, users []*Connection) {
	var blind []string
	hint, seeing := "", 0
	for _, c := range users {
		block, ok := c.Block.(selective)
		if !ok || l.broken[c.Name] || !look.For(c.Name) {
			seeing++
			continue
		}
		if _, none := block.Unread(look.Rules, ""); none && look.Name != "" {
			continue // nothing is looked at of what is not there; that it is not is said of the rules as a whole
		}
		if h, unread := block.Unread(look.Kind, look.Name); unread {
			blind, hint = append(blind, quoted("connection", c.Name)), h
		} else {
			seeing++
		}
	}
	names := strings.Join(blind, ", ")
	switch {
	case len(blind) == 0:
	case look.Name == "":
		l.doc.WarnAt(look.Pos.Line, look.Pos.Column, hint, "%s make nothing of %s, which reads none", look.Where, names)
	case !look.Decides && seeing > 0:
		l.doc.WarnAt(look.Pos.Line, look.Pos.Column, hint, "%s stays blank for %s, which does not read %s", look.Where, names, look.Name)
	default:
		if seeing > 0 {
			hint += `; or keep the rule from it: give it a mapping of its own, or begin the condition with connection == "NAME" and`
		}
		l.doc.ProblemAt(look.Pos.Line, look.Pos.Column, hint, "%s looks at %s, which %s does not read", look.Where, look.Name, names)
	}
}
