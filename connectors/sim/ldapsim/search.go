package ldapsim

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// listing is a search that is being answered, over one or several pages.
type listing struct {
	request searchRequest
	entries []*entry // as they were when the search began
	sent    int
	fault   Fault // Kind is zero when none strikes
	cookie  string
}

// search answers a search request: a new search, or the next page of one.
func (c *session) search(m message) error {
	c.server.count(func(n *Counts) { n.Searches++ })
	request, err := parseSearch(m.op)
	if err != nil {
		return err
	}
	if m.unknown != "" {
		return c.done(m, result{ldap.LDAPResultUnavailableCriticalExtension, "control " + m.unknown})
	}
	if m.paging == nil || len(m.paging.Cookie) == 0 {
		l, failed := c.begin(request)
		if failed.code != ldap.LDAPResultSuccess {
			return c.done(m, failed)
		}
		return c.answer(m, l)
	}
	l := c.listing
	c.listing = nil
	switch {
	case l == nil || l.cookie != string(m.paging.Cookie):
		return c.done(m, result{ldap.LDAPResultProtocolError, "paged results cookie is invalid"})
	case m.paging.PagingSize == 0: // the client has had enough (RFC 2696, 3)
		return c.done(m, result{}, ldap.NewControlPaging(0))
	default:
		return c.answer(m, l)
	}
}

// begin finds what a search lists.
func (c *session) begin(r searchRequest) (*listing, result) {
	l := &listing{request: r}
	on := Listing
	if r.scope == ldap.ScopeBaseObject {
		on = Lookup
	}
	filter, err := ldap.DecompileFilter(r.filter)
	if err != nil {
		return nil, result{ldap.LDAPResultProtocolError, "filter"}
	}
	l.fault, _ = c.server.takeFault(on, filter)
	if r.base == "" && on == Lookup {
		l.entries = matching([]*entry{c.server.rootDSE()}, r)
	} else if c.user == "" || !c.server.find(l) {
		// As with OpenLDAP, what one may not read is not there.
		return nil, result{code: ldap.LDAPResultNoSuchObject}
	}
	if l.fault.Kind == Empty {
		l.entries = nil
	}
	return l, result{}
}

// find fills a listing from the tree, and reports whether its base is there.
func (s *Server) find(l *listing) bool {
	key := parseKey(l.request.base)
	s.treeMu.RLock()
	defer s.treeMu.RUnlock()
	t := &s.tree
	if s.lag != nil {
		t = &s.lag.tree
	}
	base, ok := t.entries[key]
	if !ok {
		return false
	}
	scope := []*entry{base}
	if l.request.scope != ldap.ScopeBaseObject {
		scope = t.subtree(key)
	}
	for i, e := range scope {
		if e.key == parseKey(s.base) {
			scope[i] = e.with("contextCSN", slices.Sorted(maps.Values(t.context))...)
		}
	}
	l.entries = matching(scope, l.request)
	return true
}

// matching returns those of the entries of a subtree that the scope and the filter of a request admit.
func matching(entries []*entry, r searchRequest) []*entry {
	base := parseKey(r.base)
	var found []*entry
	for _, e := range entries {
		switch r.scope {
		case ldap.ScopeSingleLevel:
			if e.parent != base {
				continue
			}
		case ldap.ScopeChildren: // an extension of OpenLDAP
			if e.key == base {
				continue
			}
		}
		if match(e, r.filter) == yes {
			found = append(found, e)
		}
	}
	return found
}

// answer sends the next page of a listing, or all of it when no pages are asked for.
func (c *session) answer(m message, l *listing) error {
	paged := m.paging != nil && l.fault.Kind != IgnorePaging
	page := 0
	for {
		if l.struck() {
			return c.strike(m, l)
		}
		if l.sent == len(l.entries) {
			break
		}
		if limit := l.limit(c.server.sizeLimit); limit > 0 && l.sent == limit {
			return c.done(m, result{code: ldap.LDAPResultSizeLimitExceeded})
		}
		if paged && m.paging.PagingSize > 0 && page == int(m.paging.PagingSize) {
			return c.endPage(m, l)
		}
		if err := c.send(m.id, entryPacket(l.entries[l.sent], &l.request)); err != nil {
			return err
		}
		l.sent++
		page++
		c.server.count(func(n *Counts) { n.Entries++ })
	}
	if !paged {
		return c.done(m, result{})
	}
	return c.done(m, result{}, ldap.NewControlPaging(0))
}

// limit is how many entries the listing may have, over all its pages; zero is any number.
func (l *listing) limit(server int) int {
	if server == 0 || l.request.sizeLimit > 0 && l.request.sizeLimit < server {
		return l.request.sizeLimit
	}
	return server
}

// struck reports whether the fault of a listing is due. A listing that is shorter than the fault would let
// pass is struck at its end.
func (l *listing) struck() bool {
	switch l.fault.Kind {
	case Cut, Answer, Hang, Garble, Repeat, Refer:
		return l.sent >= min(l.fault.After, len(l.entries))
	default:
		return false
	}
}

func (c *session) strike(m message, l *listing) error {
	switch {
	case l.fault.Kind == Repeat && m.paging != nil:
		return c.endPage(m, l)
	case l.fault.Kind == Refer:
		reference := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "reference")
		reference.AppendChild(octets("ldap://elsewhere.example.test/" + l.request.base))
		if err := c.send(m.id, reference); err != nil || m.paging == nil {
			return errors.Join(err, c.done(m, result{}))
		}
		return c.done(m, result{}, ldap.NewControlPaging(0))
	}
	return c.misbehave(m, l.fault, ldap.ApplicationSearchResultDone)
}

// endPage ends a page after which others follow. The cookie is good for one page on this connection.
func (c *session) endPage(m message, l *listing) error {
	if l.cookie == "" || l.fault.Kind != Repeat {
		l.cookie = c.server.newCookie()
	}
	c.listing = l
	control := ldap.NewControlPaging(0)
	control.SetCookie([]byte(l.cookie))
	return c.done(m, result{}, control)
}

func (s *Server) newCookie() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cookies++
	return string(binary.BigEndian.AppendUint64(nil, s.cookies))
}

func (c *session) done(m message, r result, controls ...ldap.Control) error {
	return c.send(m.id, r.packet(ldap.ApplicationSearchResultDone), controls...)
}

// wants reports whether an attribute is asked for (RFC 4511, 4.5.1.8, and RFC 3673).
func (r *searchRequest) wants(name string) bool {
	if len(r.attrs) == 0 {
		return !operational(name)
	}
	for _, asked := range r.attrs {
		switch {
		case strings.EqualFold(asked, name),
			asked == "*" && !operational(name),
			asked == "+" && operational(name):
			return true
		}
	}
	return false
}
