package ldap

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Servers that keep references right by themselves do so behind the back of every method: OpenLDAP's refint and memberof
// overlays leave entryCSN and modifyTimestamp of the entry that they rewrite alone, and the back links of Active Directory
// belong to nobody's changes. So whoever follows a method must ask by itself what refers to an entry that was renamed.

// dnHandle is what handles begin with that are DNs.
const dnHandle = "dn:"

// How much one search asks for. Where an attribute has no index every search is a look at everything.
const (
	handlesAtOnce = 200
	idsAtOnce     = 100
)

// backLinks are the attributes that servers make of the lists of groups (OpenLDAP's memberof, 389 Directory Server,
// Active Directory; isMemberOf in OpenDJ and Oracle).
func backLinks() []string { return []string{"memberOf", "isMemberOf"} }

// readsBackLinks reports whether objects of a kind have fields that are made of such an attribute.
func (c *Config) readsBackLinks(kind directory.Kind) bool {
	return slices.ContainsFunc(c.attributesOf(kind), func(name string) bool { return containsFold(backLinks(), baseName(name)) })
}

// attributesOf lists the attributes that the operator named for objects of a kind.
func (c *Config) attributesOf(kind directory.Kind) []string {
	if kind == directory.Person {
		return c.ownAttributes()
	}
	var list []string
	for _, a := range c.Attributes {
		list = append(list, a.Name)
	}
	return list
}

func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// baseName is an attribute description without its options.
func baseName(name string) string {
	name, _, _ = strings.Cut(name, ";")
	return name
}

// readReferrers reads what refers to some DNs and some objects besides, whole, from a server that knows at least what the
// last delta did.
func (c *Connector) readReferrers(ctx context.Context, op string, kind directory.Kind, req *connectors.Request, emit func(*connectors.Page) error) error {
	r, cur, end, err := c.openFrom(ctx, op, kind, req)
	if err != nil {
		return err
	}
	defer end()
	s := r.session
	if host := cur.host(); host != "" && s.root.hostName != host {
		return r.expired("this is the domain controller %s, the mark is of %s", s.root.hostName, host)
	}
	if cur.Fingerprint != r.fingerprint {
		return r.expired("the cursor was made under other settings")
	}
	if err := r.upTo(cur); err != nil {
		return err
	}
	conn, err := s.stream(op)
	if err != nil {
		return err
	}
	d := r.newDelta(conn, emit)
	defer d.ranges.close()
	if err := d.referrers(ctx, r.referring(), req.Handles, req.IDs); err != nil {
		if fault.ClassOf(err) == fault.Transient {
			c.servers.failed(s.server)
		}
		return err
	}
	return emit(&connectors.Page{Proof: r.proof()})
}

// upTo is an error when the server knows less than the cursor. The methods of Active Directory name the server.
func (r *reading) upTo(cur cursor) error {
	var positions []csnPosition
	var err error
	switch cur.Method {
	case methodSyncrepl:
		err = json.Unmarshal(cur.Position, &positions)
	case methodTimestamp:
		var position stampPosition
		err = json.Unmarshal(cur.Position, &position)
		positions = position.Areas
	}
	if err != nil {
		return r.expired("the mark cannot be read")
	}
	if len(positions) > 0 {
		_, _, err = r.comparePositions(positions)
	}
	return err
}

// referrers emits the entries of the stream that refer to DNs in some attributes, and those with ids.
func (d *delta) referrers(ctx context.Context, attributes, handles, ids []string) error {
	found := make(map[string]bool)
	take := func() error {
		d.tr.row.load(&d.entry)
		id, ok := d.tr.id()
		if ok && found[id] {
			return nil
		}
		found[id] = true
		return d.take(ctx, "")
	}
	if len(attributes) > 0 {
		for some := range slices.Chunk(handles, handlesAtOnce) {
			if err := d.everywhere(ctx, referenceFilter(attributes, some), take); err != nil {
				return err
			}
		}
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return found[id] })
	for some := range slices.Chunk(ids, idsAtOnce) {
		if err := d.everywhere(ctx, d.anchorFilter(some), take); err != nil {
			return err
		}
	}
	return d.flush()
}

// everywhere searches all lines of the stream for what also fits a filter.
func (d *delta) everywhere(ctx context.Context, filter string, take func() error) error {
	if filter == "" {
		return nil
	}
	for _, l := range d.query.lines {
		err := d.pages(ctx, wire.Search{
			Base: l.base, Scope: l.scope, Filter: "(&" + filter + l.filter + ")", Attributes: d.tr.row.names, Controls: d.tr.controls(),
		}, take)
		if err != nil {
			return err
		}
	}
	return nil
}

// referring lists the attributes that are read of the stream's entries and whose values may be other entries' DNs. Where
// the server says objectGUIDs, members and managers are none: an objectGUID stays.
func (r *reading) referring() (list []string) {
	add := func(name string) {
		if name = baseName(name); !containsFold(list, name) {
			list = append(list, name)
		}
	}
	if !r.tr.row.extended {
		for _, m := range r.tr.members {
			if !m.login {
				add(r.tr.row.names[m.slot])
			}
		}
		if r.tr.manager >= 0 {
			add(r.tr.row.names[r.tr.manager])
		}
	}
	for _, name := range r.connector.cfg.attributesOf(r.kind) {
		// Whose back links change is known by the groups.
		syntax := r.preset.schema.syntax(name)
		if !containsFold(backLinks(), baseName(name)) && (syntax == syntaxDN || syntax == syntaxNameAndUID) {
			add(name)
		}
	}
	return list
}

// referenceFilter finds entries that have one of some DNs in one of some attributes.
func referenceFilter(attributes, handles []string) string {
	var b strings.Builder
	for _, h := range handles {
		name, ok := strings.CutPrefix(h, dnHandle)
		if !ok || name == "" {
			continue
		}
		for _, attribute := range attributes {
			b.WriteString("(" + attribute + "=" + ldap.EscapeFilter(name) + ")")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "(|" + b.String() + ")"
}

// anchorFilter finds entries by their ids. Of an anchor that is no text there is no way back from the id; such an entry is
// found by what it refers to, or by the next full read.
func (d *delta) anchorFilter(ids []string) string {
	var b strings.Builder
	for _, id := range ids {
		for _, a := range d.tr.anchors {
			value, ok := strings.CutPrefix(id, a.prefix)
			if !ok {
				continue
			}
			addAnchorTerms(&b, a.name, value)
			if i := strings.LastIndexByte(value, '+'); i > 0 && !a.unique {
				addAnchorTerms(&b, a.name, value[:i]) // one of several entries with the same value
			}
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "(|" + b.String() + ")"
}

// addAnchorTerms adds what finds an entry by an id that is made of one attribute.
func addAnchorTerms(b *strings.Builder, anchor, id string) {
	term := func(value string) { b.WriteString("(" + anchor + "=" + value + ")") }
	digits := strings.ReplaceAll(id, "-", "")
	uuid := len(id) == 36 && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
	switch {
	case uuid && strings.EqualFold(anchor, "objectGUID"):
		// The first three groups are little-endian (MS-DTYP 2.3.4.2).
		swapped := digits[6:8] + digits[4:6] + digits[2:4] + digits[:2] + digits[10:12] + digits[8:10] + digits[14:16] + digits[12:14]
		term(escapeBytes(swapped + digits[16:]))
	case uuid && !strings.EqualFold(anchor, "entryUUID"):
		term(escapeBytes(digits)) // another anchor of 16 bytes
		term(ldap.EscapeFilter(id))
	default:
		term(ldap.EscapeFilter(id))
	}
}
