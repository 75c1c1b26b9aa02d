package ldap

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/internal/wire"
)

// changeList is what directory synchronization says: who was deleted, and which entries to read again.
type changeList struct {
	*usnScan
	position *dirsyncPosition
	// changed and named hold GUIDs, in hexadecimal: of entries that changed, and of those among them that got their
	// name or place and may be containers.
	changed, named []string
	candidate      string // a deleted entry of the answer
}

// run reads the list to its end. Removals are taken; nothing is emitted before the list is known to be complete. The
// position's cookie is the new one then.
func (l *changeList) run(ctx context.Context, suffix string) error {
	search := wire.Search{Base: suffix, Scope: ldap.ScopeWholeSubtree, Filter: "(objectClass=*)", Attributes: l.changeAttributes()}
	for {
		search.Controls = []wire.Control{l.position.request()}
		answer, err := l.part(search)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case answer.More && answer.Cookie == string(l.position.Cookie):
			return l.expired("the list of changes comes to no end")
		}
		l.position.Cookie = []byte(answer.Cookie)
		if !answer.More {
			return l.verifyTombstones(ctx, suffix)
		}
	}
}

// part reads one part of the list.
func (l *changeList) part(search wire.Search) (answer wire.DirSync, err error) {
	if err := l.conn.Send(search); err != nil {
		return answer, operationError(l.op, l.session.server, err)
	}
	_, res, err := l.page(l.note)
	if err != nil {
		return answer, err
	}
	if res.Code != ldap.LDAPResultSuccess {
		err := resultError(l.op, l.session.server, res.Code, res.Text)
		if words, refused := dirsyncRefused(err); refused {
			return answer, l.expired("%s", words)
		}
		return answer, err
	}
	answer, ok, err := res.DirSync()
	switch {
	case err != nil:
		return answer, transportError(l.op, l.session.server, err)
	case !ok || answer.Cookie == "":
		return answer, l.expired("the server ignores the control")
	}
	return answer, nil
}

// note looks at one entry: parts of one that changed.
func (l *changeList) note() error {
	var guid string
	var named, deleted, returned, recycled, leaf bool
	for i := range l.entry.Attributes {
		a := &l.entry.Attributes[i]
		yes := len(a.Values) > 0 && strings.EqualFold(a.Values[0], "TRUE")
		switch strings.ToLower(a.Name) {
		case "objectguid":
			if len(a.Values) > 0 {
				guid = a.Values[0]
			}
		case "name":
			named = true
		case "isdeleted":
			deleted, returned = yes, !yes // an attribute without a value was cleared
		case "isrecycled":
			recycled = yes
		case "objectclass":
			leaf = slices.ContainsFunc(a.Values, isLeafClass)
		}
	}
	id, ok := guidText(guid)
	if !ok {
		return l.expired("a change has no objectGUID")
	}
	digits := hex.EncodeToString([]byte(guid))
	inTrash := strings.Contains(l.entry.DN, `\0ADEL:`)
	switch {
	case returned:
		return l.expired("an entry was brought back after it had been deleted")
	case l.entry.DN == "":
		// It was deleted, or it went out of sight. Both look the same to an account that may not see it.
		return l.expired("an entry changed that cannot be seen")
	case inTrash && deleted:
		if !recycled {
			l.candidate = digits
		}
		return l.remove(id)
	case inTrash, deleted:
		return nil // a change of a deleted entry; and the container of deleted entries is marked as deleted, too
	}
	l.changed = append(l.changed, digits)
	if named && !leaf {
		l.named = append(l.named, digits)
	}
	if l.entries++; l.entries > heldEntries {
		return l.expired("more has changed than a full read is worth")
	}
	return nil
}

// verifyTombstones looks for the probe, after the list: whatever was deleted after it was still there to be listed.
func (l *changeList) verifyTombstones(ctx context.Context, suffix string) error {
	fresh := false
	err := l.pages(ctx, wire.Search{
		Base: suffix, Scope: ldap.ScopeWholeSubtree, Filter: anyGUID([]string{l.tombstoneProbe, l.candidateOrProbe()}),
		Attributes: []string{"objectGUID", "isDeleted"}, Controls: []wire.Control{{OID: controlShowDeleted, Critical: true}},
	}, func() error {
		var e scannedEntry
		e.load(&l.entry)
		switch digits := hex.EncodeToString([]byte(e.guid)); {
		case !e.deleted:
		case digits == l.tombstoneProbe:
			l.seen = true
		case digits == l.candidate:
			fresh = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !l.seen {
		return l.expired("deleted entries can no longer be seen, or not all of them any more")
	}
	if fresh {
		l.newest = l.candidate
	}
	return nil
}

func (l *changeList) candidateOrProbe() string {
	if l.candidate == "" {
		return l.tombstoneProbe
	}
	return l.candidate
}

// guidsAtOnce is how many entries one search names.
const guidsAtOnce = 100

// anyGUID is a filter for entries by GUID, in hexadecimal.
func anyGUID(list []string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, digits := range list {
		b.WriteString("(objectGUID=" + escapeBytes(digits) + ")")
	}
	b.WriteString(")")
	return b.String()
}

// objects reads the stream's objects that changed, and those below what was moved, whole.
func (l *changeList) objects(ctx context.Context) error {
	slices.Sort(l.changed)
	for some := range slices.Chunk(slices.Compact(l.changed), guidsAtOnce) {
		for _, own := range l.query.lines {
			own.filter = "(&" + anyGUID(some) + own.filter + ")"
			if err := l.list(ctx, own); err != nil {
				return err
			}
		}
	}
	if err := l.containers(ctx); err != nil {
		return err
	}
	for _, own := range l.query.lines {
		if own.scope != ldap.ScopeWholeSubtree {
			continue
		}
		for _, container := range l.outermost(own.base) {
			// Not there any more means that it was changed again: the next delta tells.
			if err := l.list(ctx, searchLine{container, own.scope, own.filter}); err != nil && !hidden(err) {
				return err
			}
		}
	}
	return l.flush()
}

// containers finds the DNs of the containers among the entries that got their name or place.
func (l *changeList) containers(ctx context.Context) error {
	slices.Sort(l.named)
	tops := make(map[string]bool)
	for _, own := range l.query.lines {
		tops[own.base] = true
	}
	for some := range slices.Chunk(slices.Compact(l.named), guidsAtOnce) {
		for base := range tops {
			err := l.pages(ctx, wire.Search{
				Base: base, Scope: ldap.ScopeWholeSubtree, Attributes: []string{"1.1"},
				Filter: "(&" + anyGUID(some) + "(!(objectClass=user))(!(objectClass=group))(!(objectClass=contact)))",
			}, func() error {
				if !slices.Contains(l.moved, l.entry.DN) {
					l.moved = append(l.moved, l.entry.DN)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// changeAttributes are the attributes whose changes count: those that are read, those that decide whether an entry is
// read, and those that say what became of it.
func (r *reading) changeAttributes() []string {
	list := []string{"objectGUID", "objectClass", "name", "isDeleted", "isRecycled"}
	add := func(name string) {
		name, _, _ = strings.Cut(name, ";")
		if name != "" && !slices.ContainsFunc(list, func(known string) bool { return strings.EqualFold(known, name) }) {
			list = append(list, name)
		}
	}
	for _, name := range r.tr.row.names {
		add(name)
	}
	for _, l := range r.query.lines {
		if p, err := ldap.CompileFilter(l.filter); err == nil {
			filterAttributes(p, add)
		}
	}
	return list
}

// filterAttributes names the attributes of a filter (RFC 4511 section 4.5.1.7).
func filterAttributes(p *ber.Packet, add func(string)) {
	switch p.Tag {
	case ldap.FilterAnd, ldap.FilterOr, ldap.FilterNot:
		for _, inner := range p.Children {
			filterAttributes(inner, add)
		}
	case ldap.FilterPresent:
		add(p.Data.String())
	case ldap.FilterExtensibleMatch:
		for _, c := range p.Children {
			if c.Tag == ldap.MatchingRuleAssertionType {
				add(c.Data.String())
			}
		}
	default:
		if len(p.Children) > 0 {
			add(p.Children[0].Data.String())
		}
	}
}
