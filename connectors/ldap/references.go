package ldap

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
)

// A search reference says that another server holds a part of the tree, and that this one does not know what is there (RFC
// 4511 section 4.5.3). Its address is not one to follow with our credentials. On a server that had followed it itself so
// far, or had the part, its people are not gone.

// controlManageDsaIT makes a server treat a referral as an ordinary entry (RFC 3296 section 3).
const controlManageDsaIT = "2.16.840.1.113730.3.4.2"

// references are those that came with a listing.
type references struct {
	// urls holds one address of each reference, by the base that was searched.
	urls map[string][]string
}

// add takes the addresses of one reference; all of them are of the same part.
func (r *references) add(base string, urls []string) {
	if r.urls == nil {
		r.urls = make(map[string][]string)
	}
	first := ""
	if len(urls) > 0 {
		first = urls[0]
	}
	if !slices.Contains(r.urls[base], first) {
		r.urls[base] = append(r.urls[base], first)
	}
}

// unlisted names the parts of the tree that the references of a listing stand for. Active Directory hands out references to
// its other naming contexts with every search of a domain: they were never a part of it.
//
// An address may name the part as the other server does. So where one is not below the base that was searched, the entries
// that hold references are looked for; and where there are fewer of those than references, all below the base is in doubt.
func (l *listing) unlisted(ctx context.Context) ([]connectors.Part, error) {
	if l.preset.name == presetActiveDirectory {
		return nil, nil
	}
	var places []string
	for _, base := range sortedKeys(l.references.urls) {
		named, all := l.placesOf(base, l.references.urls[base])
		if !all {
			entries, err := l.referralEntries(ctx, base)
			if err != nil {
				return nil, err
			}
			if named = append(named, entries...); len(entries) < len(l.references.urls[base]) {
				named = []string{base}
			}
		}
		places = append(places, named...)
	}
	return partsAt(l.preset.form, places), nil
}

// placesOf lists the DNs in addresses as far as they are below a base, and reports whether all are.
func (r *reading) placesOf(base string, urls []string) (places []string, all bool) {
	top, all := string(r.preset.form.Append(nil, base)), true
	for _, address := range urls {
		u, err := url.Parse(address)
		place := ""
		if err == nil {
			place = strings.TrimPrefix(u.Path, "/")
		}
		normal := string(r.preset.form.Append(nil, place))
		if place == "" || normal != top && !under(normal, top) {
			all = false
			continue
		}
		places = append(places, place)
	}
	return places, all
}

// referralEntries lists the DNs of the entries below a base that hold references; none where the server does not show them.
func (l *listing) referralEntries(ctx context.Context, base string) (places []string, err error) {
	if !l.session.root.offers(controlManageDsaIT) {
		return nil, nil
	}
	d := l.newDelta(l.conn, nil)
	err = d.pages(ctx, wire.Search{
		Base: base, Scope: ldap.ScopeWholeSubtree, Filter: "(objectClass=referral)", Attributes: []string{"1.1"},
		Controls: []wire.Control{{OID: controlManageDsaIT, Critical: true}},
	}, func() error {
		places = append(places, d.entry.DN)
		return nil
	})
	if hidden(err) {
		err = nil
	}
	return places, err
}

// partsAt are the parts of the tree at and below some DNs.
func partsAt(form dn.Form, places []string) []connectors.Part {
	var parts []connectors.Part
	var known []string
	for _, place := range places {
		top := string(form.Append(nil, place))
		if slices.Contains(known, top) {
			continue
		}
		known = append(known, top)
		parts = append(parts, connectors.Part{Where: place, Holds: func(o *directory.Object) bool {
			return slices.ContainsFunc(o.Handles, func(handle string) bool {
				own, ok := strings.CutPrefix(handle, "dn:")
				return ok && (own == top || under(own, top))
			})
		}})
	}
	return parts
}
