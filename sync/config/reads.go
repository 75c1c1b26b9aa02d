package config

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings/strict"
)

// selective is the block of a connector that decides what is read (connectors.Selective).
type selective interface {
	Unread(kind directory.Kind, name string) (hint string, unread bool)
}

// domained is the block of a connector that may have the mail domains of tenants read (connectors.Domained).
type domained interface {
	ReadsDomains() (hint string, read bool)
}

// checkReads refuses rules that look at what a connection does not read: they would take its absence for an answer. What
// takes nothing for an answer is pointed out: rules for a kind of object that a connection does not read make nothing of
// it, and a field stays blank for one where it is filled for another of the same mapping.
func (l *loader) checkReads() {
	for _, name := range l.mappingNames() {
		m := l.cfg.Mappings[name]
		var users []user
		for i := range l.cfg.Connections {
			users = append(users, usersOf(&l.cfg.Connections[i], name)...)
		}
		if m.Rules == nil {
			continue
		}
		for _, look := range m.Rules.Looks() {
			l.checkLook(&look, users, l.mappings[name].value.Document())
		}
	}
}

// user is a connection, or a tenant of one that has something of its own, with the mapping that is looked at.
type user struct {
	*Connection
	tenant  string
	without []directory.Kind
}

func (u *user) String() string {
	if u.tenant != "" {
		return quoted("tenant", u.tenant) + " of " + quoted("connection", u.Name)
	}
	return quoted("connection", u.Name)
}

func usersOf(c *Connection, mapping string) (users []user) {
	if c.Mapping == mapping {
		users = append(users, user{Connection: c})
	}
	for i := range c.Tenants {
		t := &c.Tenants[i]
		if t.mapping(c) == mapping && (t.Mapping != "" || len(t.Without) > 0) {
			users = append(users, user{c, t.Tenant, t.Without})
		}
	}
	return users
}

func (l *loader) mappingNames() []string {
	names := make([]string, 0, len(l.mappings))
	for name := range l.mappings {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

const (
	tenantName    = "tenant"
	tenantDomains = "tenant.domains"
)

// asked is what a connector is asked about that is looked at under a name.
func asked(name string) string {
	if strings.HasPrefix(name, tenantName+".") && name != tenantDomains {
		return tenantName
	}
	return name
}

// checkLook compares one place of a mapping with what its connections read.
func (l *loader) checkLook(look *mapping.Look, users []user, doc *strict.Document) {
	if directory.OfSignIn(look.Name) {
		return // no source is read for it
	}
	var blind []string
	hint, seeing := "", 0
	for _, c := range users {
		if slices.Contains(c.without, look.Rules) {
			continue
		}
		if slices.Contains(c.without, look.Kind) {
			blind, hint = append(blind, c.String()), "take "+look.Kind.String()+" out of its `without`"
			continue
		}
		if look.Name == tenantDomains && !l.broken[c.Name] && look.For(c.Name) {
			h, read := "ask for tenant.domain, or for domains of a table of your own: connector "+c.Connector+" reads no domains of tenants", false
			if block, ok := c.Block.(domained); ok {
				h, read = block.ReadsDomains()
			}
			if read {
				seeing++
			} else {
				blind, hint = append(blind, c.String()), h
			}
			continue
		}
		block, ok := c.Block.(selective)
		if !ok || l.broken[c.Name] || !look.For(c.Name) {
			seeing++
			continue
		}
		if _, none := block.Unread(look.Rules, ""); none && look.Name != "" {
			continue // nothing is looked at of what is not there; that it is not is said of the rules as a whole
		}
		if h, unread := block.Unread(look.Kind, asked(look.Name)); unread {
			blind, hint = append(blind, c.String()), h
		} else {
			seeing++
		}
	}
	names, none := strings.Join(blind, ", "), "which reads none"
	if len(blind) > 1 {
		none = "which read none"
	}
	switch {
	case len(blind) == 0:
	case look.Name == "":
		doc.WarnAt(look.Pos.Line, look.Pos.Column, hint, "%s make nothing of %s, %s", look.Where, names, none)
	case asked(look.Name) == tenantName:
		doc.WarnAt(look.Pos.Line, look.Pos.Column, hint, "%s looks at %s, which is blank for everybody of %s: it has no tenants", look.Where, look.Name, names)
	case !look.Decides && seeing > 0 && look.Name != tenantDomains:
		doc.WarnAt(look.Pos.Line, look.Pos.Column, hint, "%s stays blank for %s, which does not read %s", look.Where, names, look.Name)
	default:
		if seeing > 0 {
			hint += `; or keep the rule from it: give it a mapping of its own, or begin the condition with connection == "NAME" and`
		}
		doc.ProblemAt(look.Pos.Line, look.Pos.Column, hint, "%s looks at %s, which %s does not read", look.Where, look.Name, names)
	}
}
