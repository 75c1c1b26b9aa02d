package ldap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
	"dirsyncd/sync/fault"
)

// translator makes objects of entries. It is made once per read, for one kind of object.
type translator struct {
	row    *row
	kind   directory.Kind
	preset preset
	rules  []fieldRule
	// anchors are the attributes that ids are made of, in the order in which they are looked at, and anchorName is the first.
	anchors    []anchor
	anchorName string
	// own are the attributes by which the server itself tells entries apart, where the anchor does not; nil where it does.
	own []int
	// created is when an entry was made; -1 where that is of no use.
	created int
	// twins are entries with the same id, where there can be any.
	twins *twins

	// The attributes behind links and handles; -1 where the preset has none. Of groups only manager, gidNumber and sid.
	manager, login, uidNumber, gidNumber, primaryGroup, sid int
	// Groups: the attributes that list members.
	members []memberSlot
	// dynamic are the attributes by which servers make up who is in a group; madeUp says that a group had one. What changes
	// its members is not a change of the group, so that no incremental read would tell.
	dynamic []int
	madeUp  bool

	// outside counts members of groups that are outside of what is read; nil where nobody asks.
	outside *outside

	// beyond: the object that was translated last follows from more than the bytes of its entry: from the time of the read, from
	// what was asked for besides, from the rest of the directory.
	beyond bool

	// stamps, when watched, are the attributes that say when an entry was changed; newest is the latest time seen.
	stamps []int
	newest time.Time
}

// dynamicAttributes are those of groupOfURLs (OpenLDAP's dynlist, Oracle, OpenDJ) and of dynamicGroup (eDirectory).
func dynamicAttributes() []string { return []string{"memberURL", "memberQueryURL"} }

type memberSlot struct {
	slot  int
	login bool
}

func newTranslator(kind directory.Kind, p preset, cfg *Config) *translator {
	t := &translator{
		row: newRow(p.schema), kind: kind, preset: p, created: -1,
		manager: -1, login: -1, uidNumber: -1, gidNumber: -1, primaryGroup: -1, sid: -1,
	}
	t.anchors = anchorsFor(kind, &p, cfg)
	t.anchorName = t.anchors[0].name
	for i := range t.anchors {
		t.anchors[i].slot = t.row.slot(t.anchors[i].name)
	}
	if !t.anchors[0].unique {
		t.own, t.created = t.row.slots(ownIDs()), t.row.slot("createTimestamp")
	}
	t.row.extended = p.extendedDN && strings.EqualFold(t.anchorName, "objectGUID")
	directoryServer := p.name == presetActiveDirectory
	if directoryServer {
		t.sid = t.row.slot("objectSid")
	} else {
		t.gidNumber = t.row.slot("gidNumber")
	}
	if kind == directory.Group {
		t.rules = groupRules(t.row, p, cfg)
		for _, m := range p.memberAttributes(cfg) {
			t.members = append(t.members, memberSlot{t.row.slot(m.name), m.login})
		}
		if name := p.groupManagerAttribute(cfg); name != "" {
			t.manager = t.row.slot(name)
		}
		if !directoryServer {
			t.dynamic = t.row.slots(dynamicAttributes())
		}
		return t
	}
	t.rules = personRules(t.row, p, cfg)
	manager := p.person[managerField]
	if own, ok := cfg.Fields[managerField]; ok {
		manager = own
	}
	if len(manager) > 0 {
		t.manager = t.row.slot(manager[0])
	}
	if directoryServer {
		t.primaryGroup = t.row.slot("primaryGroupID")
	} else {
		t.login, t.uidNumber = t.row.slot("uid"), t.row.slot("uidNumber")
	}
	return t
}

// watch makes the translator remember the latest time in attributes.
func (t *translator) watch(attributes ...string) { t.stamps = t.row.slots(attributes) }

// translate adds the object of the loaded row, and a group's members, to a batch.
func (t *translator) translate(b *batch) {
	for _, slot := range t.stamps {
		if at, ok := parseTime(t.row.first(slot)); ok && at.After(t.newest) {
			t.newest = at
		}
	}
	id, a, ok := t.identify()
	if !ok {
		b.page.Invalid = append(b.page.Invalid, connectors.Invalid{
			Kind: t.kind, Where: t.row.dn,
			Err: &fault.Error{
				Class: fault.Invalid, Op: "translate entry", Err: errors.New("no usable " + t.anchorName),
				Hint: "let the bind user read " + t.anchorName + ", or set anchor to an attribute that every entry has and keeps",
			},
		})
		return
	}
	if t.twins != nil && !a.unique {
		if id, ok = t.twins.settle(t, id); !ok {
			b.page.Invalid = append(b.page.Invalid, connectors.Invalid{Kind: t.kind, ID: id, Where: t.row.dn, Err: t.notUnique()})
			return
		}
	}
	if t.row.oversized != "" {
		b.page.Invalid = append(b.page.Invalid, connectors.Invalid{
			Kind: t.kind, ID: id, Where: t.row.dn,
			Err: &fault.Error{
				Class: fault.Invalid, Op: "translate entry", Err: fmt.Errorf("a value of %s is longer than %d MiB", t.row.oversized, wire.MaxValue>>20),
				Hint: "make it shorter, or do not read this attribute",
			},
		})
		return
	}
	t.beyond, t.row.calendar.asked = false, false
	outside := t.outside.total()
	b.page.FoldedIDs = b.page.FoldedIDs || a.folded
	o := directory.Object{Kind: t.kind, ID: id, Fields: t.fields(b)}
	b.names.reset()
	if t.kind == directory.Person {
		t.personHandles(b)
	} else {
		t.groupHandles(b)
	}
	handles := b.names.count()
	linkTypes := t.links(b)
	names := b.names.take(b)
	o.Handles = names[:handles:handles]
	first := len(b.links)
	for i, typ := range linkTypes {
		b.links = append(b.links, directory.Link{Type: typ, To: names[handles+i]})
	}
	o.Links = b.links[first:len(b.links):len(b.links)]
	b.page.Objects = append(b.page.Objects, o)
	if t.kind == directory.Group {
		dynamic := t.row.first(t.dynamic...) != ""
		t.madeUp = t.madeUp || dynamic
		b.page.Members = append(b.page.Members, connectors.Members{Group: id, Add: t.memberNames(b), Whole: true})
		t.beyond = dynamic || t.outside.total() > outside
	}
	t.beyond = t.beyond || len(t.row.partial) > 0 || t.row.calendar.asked
}

func (t *translator) fields(b *batch) []directory.Field {
	first := len(b.fields)
	for i := range t.rules {
		if v, ok := t.rules[i].read(t.row); ok {
			b.fields = append(b.fields, directory.Field{Name: t.rules[i].name, Value: v})
		}
	}
	return b.fields[first:len(b.fields):len(b.fields)]
}

// posix reports whether the entry is an account of RFC 2307.
func (t *translator) posix() bool { return t.uidNumber >= 0 && t.row.first(t.uidNumber) != "" }

func (t *translator) personHandles(b *batch) {
	b.names.addDN(t.preset.form, t.row.dn)
	// Nothing says that memberUid names accounts only: it is a "login name" (RFC 2307 section 2.1).
	if t.login >= 0 {
		for _, v := range t.row.values[t.login] {
			b.names.addName(t.preset.form, directory.NameHandle(""), v)
		}
	}
}

// groupHandles: besides the DN, a group is known by what people's primary groups name: its SID in Active
// Directory, its gidNumber elsewhere (RFC 2307 and 2307bis alike).
func (t *translator) groupHandles(b *batch) {
	b.names.addDN(t.preset.form, t.row.dn)
	if t.sid >= 0 {
		if sid, ok := sidText(t.row.first(t.sid)); ok {
			b.names.add("sid:", sid)
		}
	} else if gid := t.row.first(t.gidNumber); gid != "" {
		b.names.add(directory.NumberHandle(""), gid)
	}
}

// links adds the targets of an object's links to the names and returns their types. The members of a primary
// group are not in its list: the person states the membership.
func (t *translator) links(b *batch) []directory.LinkType {
	types := b.types[:0]
	if t.manager >= 0 {
		if dn := t.row.first(t.manager); dn != "" {
			t.addTarget(b, t.manager, slices.Index(t.row.values[t.manager], dn), dn)
			types = append(types, directory.Manager)
		}
	}
	if t.kind != directory.Person {
		b.types = types
		return types
	}
	if t.primaryGroup >= 0 {
		rid := t.row.first(t.primaryGroup)
		if sid, ok := sidText(t.row.first(t.sid)); ok && rid != "" {
			b.names.add("sid:", domainSID(sid)+"-"+rid)
			types = append(types, directory.MemberOf)
		}
	} else if gid := t.row.first(t.gidNumber); gid != "" && t.posix() {
		b.names.add(directory.NumberHandle(""), gid)
		types = append(types, directory.MemberOf)
	}
	b.types = types
	return types
}

// memberNames spells the members of a group as handles.
func (t *translator) memberNames(b *batch) []string {
	b.names.reset()
	sources := 0
	for _, m := range t.members {
		if len(t.row.values[m.slot]) == 0 {
			continue
		}
		sources++
		for j, v := range t.row.values[m.slot] {
			switch {
			case v == "": // of a group that must have a member, and has none
			case m.login:
				b.names.addName(t.preset.form, directory.NameHandle(""), v)
			default:
				t.addTarget(b, m.slot, j, dn.StripUID(v))
			}
		}
	}
	names := b.names.take(b)
	if sources > 1 {
		names = distinct(names)
	}
	t.outside.count(names)
	return names
}

// distinct removes later duplicates in place: the same person can be listed by member and uniqueMember.
func distinct(names []string) []string {
	seen := make(map[string]bool, len(names))
	kept := names[:0]
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			kept = append(kept, name)
		}
	}
	return kept
}
