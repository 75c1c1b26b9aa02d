package ldap

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
	"dirsyncd/sync/settings/strict"
)

// Anchor names the attributes that identify entries for good. In the configuration it is one name, for people and for
// those groups that have it, or {users: NAME, groups: NAME}.
type Anchor struct {
	Users  string `yaml:"users"`
	Groups string `yaml:"groups"`
}

// DecodeStrict reads a name or a block.
func (a *Anchor) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Text {
		a.Users, _ = v.Text()
		return
	}
	type block Anchor // without this method
	v.Into((*block)(a))
}

// anchor is an attribute from which ids are made.
type anchor struct {
	name string
	// prefix sets ids apart from those of the other kind, which are made of another attribute.
	prefix string
	slot   int
	// unique: the server sees to it that no two entries have the same value, and never changes one.
	unique bool
	// folded: the server takes letters of either case for the same.
	folded bool
	// octets: values are bytes, not text.
	octets bool
}

// anchorsFor lists the attributes that may identify entries of a kind; the first that an entry has does.
//
// An anchor that is named for both kinds is often one that only people have: then groups have the preset's, and where
// the server does not show that, their name.
func anchorsFor(kind directory.Kind, p *preset, cfg *Config) []anchor {
	names := []anchor{{name: p.anchor}}
	switch {
	case kind == directory.Person && cfg.Anchor.Users != "":
		names = []anchor{{name: cfg.Anchor.Users}}
	case kind == directory.Group && cfg.Anchor.Groups != "":
		names = []anchor{{name: cfg.Anchor.Groups, prefix: strings.ToLower(cfg.Anchor.Groups) + ":"}}
	case kind == directory.Group && cfg.Anchor.Users != "" && !p.guaranteed(cfg.Anchor.Users):
		names = []anchor{{name: cfg.Anchor.Users}, {name: p.anchor}, {name: "cn", prefix: "cn:"}}
	case kind == directory.Group && cfg.Anchor.Users != "":
		names = []anchor{{name: cfg.Anchor.Users}}
	}
	for i := range names {
		a := &names[i]
		a.unique = p.guaranteed(a.name)
		if a.unique {
			a.prefix = ""
			continue
		}
		a.folded, a.octets = p.ignoresCase(a.name), p.schema.syntax(a.name) == syntaxOctetString
	}
	return names
}

// ownIDs are attributes that servers fill for every entry, each with another value.
func ownIDs() []string {
	return []string{"entryUUID", "nsUniqueId", "objectGUID", "GUID", "ibm-entryUuid", "objectSid"}
}

// guaranteed reports whether a server sees to it that no two entries have the same value of an attribute.
func (p *preset) guaranteed(name string) bool {
	return slices.ContainsFunc(ownIDs(), func(own string) bool { return p.schema.same(own, name) })
}

// ignoresCase reports whether a server takes values of an attribute that differ in case for the same: as its schema says,
// or as RFC 4519, 4524, 2798 and the schema of Active Directory do.
func (p *preset) ignoresCase(name string) bool {
	if rule := p.schema.equality(name); rule != "" {
		return strings.HasPrefix(strings.ToLower(rule), "caseignore")
	}
	base, _, _ := strings.Cut(strings.ToLower(name), ";")
	return slices.Contains([]string{
		"uid", "userid", "cn", "commonname", "mail", "rfc822mailbox", "employeenumber", "employeeid", "samaccountname", "userprincipalname",
		"mailnickname", "displayname", "uniqueidentifier", "documentidentifier",
	}, base)
}

// id spells the value of the first anchor that the loaded entry has.
func (t *translator) id() (string, bool) {
	id, _, ok := t.identify()
	return id, ok
}

func (t *translator) identify() (id string, a *anchor, ok bool) {
	for i := range t.anchors {
		a := &t.anchors[i]
		if v := t.row.first(a.slot); v != "" {
			id, ok := a.spell(v)
			return a.prefix + id, a, ok
		}
	}
	return "", &t.anchors[0], false
}

// spell makes text of a value. Those of objectGUID and of other binary anchors are not text.
func (a *anchor) spell(v string) (string, bool) {
	switch {
	case strings.EqualFold(a.name, "objectGUID"):
		return guidText(v)
	case strings.EqualFold(a.name, "objectSid"):
		return sidText(v)
	case strings.EqualFold(a.name, "entryUUID"):
		return strings.ToLower(v), true
	case a.octets || strings.EqualFold(a.name, "GUID") || !validText(v) || hasControls(v):
		if text, ok := uuidText(v); ok {
			return text, true
		}
	}
	if validText(v) {
		return v, true
	}
	return reference(v), true
}

// foldID is the form in which ids are compared that differ in case or in spaces only (RFC 4518 sections 2.2 and 2.6.1).
func foldID(id string) string {
	return string(dn.AppendFolded(nil, strings.Join(strings.Fields(id), " ")))
}

// ownID is what the server itself tells the loaded entry by, whatever the anchor is; empty where it does not show that.
func (t *translator) ownID() string {
	for _, slot := range t.own {
		if v := t.row.first(slot); v != "" {
			id, _ := (&anchor{name: t.row.names[slot]}).spell(v)
			return strings.ToLower(id)
		}
	}
	return ""
}
