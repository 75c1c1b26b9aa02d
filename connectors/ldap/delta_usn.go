package ldap

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
)

// usn finds changes on a domain controller of Active Directory by uSNChanged: every change in its database gets the
// next number, and an entry shows the number of its last one. Deleted entries stay as tombstones. Numbers belong
// to one database of one domain controller.
type usn struct{}

var _ method = usn{}

// controlShowDeleted makes tombstones visible (MS-ADTS 3.1.1.3.4.1.14).
const controlShowDeleted = "1.2.840.113556.1.4.417"

func (usn) name() string { return methodUSN }

// usnPosition is where a delta begins.
type usnPosition struct {
	// Host is the domain controller and Invocation its database, which gets another one when it is restored.
	Host       string `json:"host"`
	Invocation string `json:"invocation"`
	// USN is the last change that was seen.
	USN uint64 `json:"usn"`
	// TombstoneProbe is the GUID of a deleted entry. Whoever sees it has the right to see deleted entries, and no entry
	// that was deleted after it has been swept away: they all last equally long.
	TombstoneProbe string `json:"witness"`
}

func (p usnPosition) encode() []byte {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	return data
}

// decodeUSNPosition reads a position. What it takes makes a filter.
func decodeUSNPosition(data []byte) (position usnPosition, ok bool) {
	if err := json.Unmarshal(data, &position); err != nil {
		return usnPosition{}, false
	}
	guid, err := hex.DecodeString(position.TombstoneProbe)
	return position, err == nil && len(guid) == 16
}

// begin implements method. The number of the last change was read when the connection was made, before the listing.
func (usn) begin(r *reading) (end func() []byte, why string, err error) {
	area, last, why := r.usnUsable()
	if why != "" {
		return nil, why, nil
	}
	m := usnPosition{Host: r.session.root.hostName, USN: last}
	if m.Invocation, m.TombstoneProbe, why, err = r.findTombstoneProbe(area.suffix); why != "" || err != nil {
		return nil, why, err
	}
	return m.encode, "", nil
}

// findTombstoneProbe finds what a position needs besides a number: the database, and a deleted entry.
func (r *reading) findTombstoneProbe(suffix string) (invocation, guid, why string, err error) {
	if invocation, err = r.invocation(); err != nil || invocation == "" {
		return "", "", "the bind user does not see the invocationId of the domain controller", err
	}
	if guid, err = r.anyTombstone(suffix); err != nil || guid == "" {
		return "", "", "the bind user sees nothing in " + deletedObjects(suffix) +
			": give it List Contents and Read Property there (as long as nothing was ever deleted, there is nothing to see)", err
	}
	return invocation, guid, "", nil
}

// usnUsable looks at what can be known without a question to the server.
func (r *reading) usnUsable() (in area, last uint64, why string) {
	root := &r.session.root
	areas, ok := r.areas()
	last, err := strconv.ParseUint(root.lastUSN, 10, 64)
	switch {
	case err != nil || root.hostName == "" || root.settings == "":
		return in, 0, "the server does not number its changes"
	case globalCatalogue(r.session.server):
		return in, 0, "the global catalogue holds no whole entries"
	case !root.offers(controlShowDeleted):
		return in, 0, "the server does not show deleted entries"
	case !r.tr.row.extended:
		return in, 0, "it needs objectGUID as the anchor and the extended DN control"
	case !ok || len(areas) != 1:
		return in, 0, "the bases are not all in one domain of this server"
	}
	return areas[0], last, ""
}

// globalCatalogue reports whether the port in a server's address is one of the global catalogue (MS-ADTS 3.1.1.3.2).
func globalCatalogue(server string) bool {
	return strings.HasSuffix(server, ":3268") || strings.HasSuffix(server, ":3269")
}

// invocation reads the GUID of the domain controller's database; empty when it may not be seen.
func (r *reading) invocation() (string, error) {
	entries, err := r.session.search(r.op+": read invocationId", ldap.NewSearchRequest(r.session.root.settings, ldap.ScopeBaseObject,
		ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"invocationId"}, nil))
	if hidden(err) {
		return "", nil
	}
	if err != nil || len(entries) != 1 {
		return "", err
	}
	return hex.EncodeToString(entries[0].GetEqualFoldRawAttributeValue("invocationId")), nil
}

func deletedObjects(suffix string) string { return "CN=Deleted Objects," + suffix }

// anyTombstone returns the GUID of a deleted entry; empty when none is visible.
func (r *reading) anyTombstone(suffix string) (string, error) {
	entries, err := r.session.search(r.op+": look for a deleted entry", ldap.NewSearchRequest(deletedObjects(suffix), ldap.ScopeSingleLevel,
		ldap.NeverDerefAliases, 0, 0, false, "(isDeleted=TRUE)", []string{"objectGUID"},
		[]ldap.Control{ldap.NewControlString(controlShowDeleted, true, ""), ldap.NewControlPaging(1)}))
	if err != nil && !hidden(err) {
		return "", err
	}
	for _, e := range entries {
		if guid := e.GetEqualFoldRawAttributeValue("objectGUID"); len(guid) == 16 {
			return hex.EncodeToString(guid), nil
		}
	}
	return "", nil
}

// changes implements method.
func (u usn) changes(ctx context.Context, r *reading, data []byte, emit func(*connectors.Page) error) error {
	position, ok := decodeUSNPosition(data)
	if !ok {
		return r.expired("the mark is damaged")
	}
	area, last, err := r.continued(&position)
	switch {
	case err != nil:
		return err
	case last == position.USN:
		return emit(r.last(u, data))
	}
	if err := r.sameDatabase(&position); err != nil {
		return err
	}
	if err := r.knowsChanges(area.suffix, &position, last); err != nil {
		return err
	}
	return u.follow(ctx, r, &area, position, last, emit)
}

// continued checks that this is the domain controller of a position, which has not forgotten anything, and returns the
// number of its last change.
func (r *reading) continued(position *usnPosition) (in area, last uint64, err error) {
	in, last, why := r.usnUsable()
	switch {
	case why != "":
		err = r.expired("%s", why)
	case r.session.root.hostName != position.Host:
		err = r.expired("this is the domain controller %s, the mark is of %s", r.session.root.hostName, position.Host)
	case last < position.USN:
		err = r.expired("the domain controller has forgotten changes: it was restored")
	}
	return in, last, err
}

// sameDatabase checks that the domain controller has the database of a position.
func (r *reading) sameDatabase(position *usnPosition) error {
	switch invocation, err := r.invocation(); {
	case err != nil:
		return err
	case invocation != position.Invocation:
		return r.expired("the database of the domain controller was restored or replaced")
	}
	return nil
}

// follow reads what changed after the position, up to at least the number last.
func (u usn) follow(ctx context.Context, r *reading, area *area, position usnPosition, last uint64, emit func(*connectors.Page) error) error {
	conn, err := r.session.stream(r.op)
	if err != nil {
		return err
	}
	d := r.newDelta(conn, emit)
	defer d.ranges.close()
	d.hold = true
	s := &usnScan{delta: d, since: position.USN + 1, tombstoneProbe: position.TombstoneProbe, newest: position.TombstoneProbe}
	if err := s.run(ctx, area.suffix); err != nil {
		return err
	}
	if err := d.release(); err != nil {
		return err
	}
	if s.living {
		if err := s.objects(ctx); err != nil {
			return err
		}
	}
	position.USN, position.TombstoneProbe = last, s.newest
	return emit(r.last(u, position.encode()))
}

// usnScan is the first look at everything in a domain that changed: it finds what was deleted, brought back, and
// moved together with what is below it.
type usnScan struct {
	*delta
	since          uint64
	tombstoneProbe string

	seen   bool   // the probe was
	newest string // the deleted entry with the greatest number
	number uint64 // its number
	living bool   // something below the bases changed that is not deleted
	moved  []string
}

// run asks for changed entries, deleted ones among them, and the probe. Removals are taken; nothing is emitted
// before the answer is known to be complete.
func (s *usnScan) run(ctx context.Context, suffix string) error {
	err := s.pages(ctx, wire.Search{
		Base: suffix, Scope: ldap.ScopeWholeSubtree,
		Filter: fmt.Sprintf("(|(uSNChanged>=%d)(objectGUID=%s))", s.since, escapeBytes(s.tombstoneProbe)),
		Attributes: []string{
			"objectGUID", "objectClass", "isDeleted", "lastKnownParent", "uSNChanged", "uSNCreated", "replPropertyMetaData",
		},
		Controls: []wire.Control{{OID: controlShowDeleted, Critical: true}},
	}, s.note)
	if err != nil {
		return err
	}
	if !s.seen {
		return s.expired("deleted entries can no longer be seen, or not all of them any more")
	}
	return nil
}

// escapeBytes makes the value of a filter of hexadecimal digits (RFC 4515 section 3).
func escapeBytes(digits string) string {
	var b strings.Builder
	for i := 0; i+1 < len(digits); i += 2 {
		b.WriteString(`\` + digits[i:i+2])
	}
	return b.String()
}

// note looks at one entry of the scan.
func (s *usnScan) note() error {
	var e scannedEntry
	e.load(&s.entry)
	number, _ := strconv.ParseUint(e.changed, 10, 64)
	if e.deleted && hex.EncodeToString([]byte(e.guid)) == s.tombstoneProbe {
		s.seen = true
	}
	if number < s.since {
		return nil
	}
	if e.deleted {
		return s.deletedEntry(&e, number)
	}
	s.living = s.living || s.below(s.entry.DN)
	if e.returnedSince(s.since) {
		// It lost its links when it was deleted, and may have them back or not. None of the entries at the other
		// end of those links counts as changed.
		return s.expired("an entry was brought back after it had been deleted")
	}
	created, _ := strconv.ParseUint(e.created, 10, 64)
	if !e.leaf && created < s.since && e.movedSince(s.since) {
		s.moved = append(s.moved, s.entry.DN)
	}
	return nil
}

func (s *usnScan) deletedEntry(e *scannedEntry, number uint64) error {
	id, ok := guidText(e.guid)
	if !ok || !strings.Contains(s.entry.DN, `\0ADEL:`) {
		return nil // the container of deleted entries is marked as deleted, too
	}
	if number >= s.number {
		s.number, s.newest = number, hex.EncodeToString([]byte(e.guid))
	}
	return s.remove(id)
}

// objects reads the stream's objects that changed, and those below what was moved.
func (s *usnScan) objects(ctx context.Context) error {
	for _, l := range s.query.lines {
		changed := l
		changed.filter = fmt.Sprintf("(&(uSNChanged>=%d)%s)", s.since, l.filter)
		if err := s.list(ctx, changed); err != nil {
			return err
		}
		if l.scope != ldap.ScopeWholeSubtree {
			continue
		}
		for _, container := range s.outermost(l.base) {
			// Not there any more means that it was changed again: the next delta tells.
			if err := s.list(ctx, searchLine{container, l.scope, l.filter}); err != nil && !hidden(err) {
				return err
			}
		}
	}
	return s.flush()
}

// below reports whether an entry is at or below one of the bases.
func (s *usnScan) below(dn string) bool {
	normal := string(s.preset.form.Append(nil, dn))
	return slices.ContainsFunc(s.query.lines, func(l searchLine) bool {
		top := string(s.preset.form.Append(nil, l.base))
		return normal == top || under(normal, top)
	})
}

func (s *usnScan) list(ctx context.Context, l searchLine) error {
	return s.pages(ctx, wire.Search{
		Base: l.base, Scope: l.scope, Filter: l.filter, Attributes: s.tr.row.names, Controls: s.tr.controls(),
	}, func() error { return s.take(ctx, "") })
}

// outermost lists the moved containers below a base, without those below another one of them.
func (s *usnScan) outermost(base string) []string {
	form := s.preset.form
	top := string(form.Append(nil, base))
	normal := make([]string, len(s.moved))
	for i, dn := range s.moved {
		normal[i] = string(form.Append(nil, dn))
	}
	var list []string
	for i, dn := range normal {
		inner := !under(dn, top)
		for _, other := range normal {
			inner = inner || under(dn, other)
		}
		if !inner {
			list = append(list, s.moved[i])
		}
	}
	return list
}
