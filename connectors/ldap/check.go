package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
	"dirsyncd/sync/fault"
)

// Check implements connectors.Connector. It asks every server for a connection, unless the first one that answers
// refuses the password, and looks at the bases on the first that works.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	if c.cfg.Domains.set() {
		return c.checkDomains(ctx)
	}
	return c.checkServers(ctx)
}

func (c *Connector) checkServers(ctx context.Context) ([]connectors.Finding, error) {
	findings, addresses := c.find(ctx)
	looked := false
	for _, server := range addresses {
		s, err := c.connect(ctx, "check", server)
		if ctx.Err() != nil {
			if err == nil {
				s.close()
			}
			return findings, ctx.Err()
		}
		if err != nil {
			findings = append(findings, c.failed("server "+server, err))
			if fault.ClassOf(err) == fault.Auth {
				break // another try would count towards a lock-out
			}
			continue
		}
		findings = append(findings, connectors.Finding{Subject: "server " + server, OK: true, Detail: c.describeServer(s)})
		if !looked {
			looked = true
			findings = append(findings, c.look(ctx, s)...)
		}
		s.close()
	}
	return findings, ctx.Err()
}

// find lists the addresses of all servers, with a finding for every domain whose servers are found in DNS.
func (c *Connector) find(ctx context.Context) (findings []connectors.Finding, addresses []string) {
	for _, name := range c.cfg.Servers {
		if !discovered(name) {
			addresses = append(addresses, name)
			continue
		}
		list, err := c.discover(ctx, name)
		if err != nil {
			findings = append(findings, c.failed("servers of "+name, err))
			continue
		}
		var found []string
		for _, l := range list {
			found = append(found, l.address)
		}
		findings = append(findings, connectors.Finding{Subject: "servers of " + name, OK: true, Detail: strings.Join(found, ", ")})
		for _, address := range found {
			if !slices.Contains(addresses, address) {
				addresses = append(addresses, address)
			}
		}
	}
	return findings, addresses
}

func (c *Connector) describeServer(s *session) string {
	parts := []string{"anonymous"}
	if !c.cfg.Bind.anonymous() {
		parts[0] = "bound"
		if method := c.cfg.Bind.method(); method != bindSimple {
			parts[0] += " by " + method
		}
	}
	if s.root.vendor != "" {
		parts = append(parts, s.root.vendor)
	}
	parts = append(parts, "preset "+presetFor(c.cfg.Preset, s.root).name)
	if s.raw != s.hand.Conn {
		parts = append(parts, "encrypted")
	} else if !c.cfg.Bind.anonymous() {
		parts = append(parts, "not encrypted")
	}
	return strings.Join(parts, ", ")
}

// look tries paging, the bases and a few entries.
func (c *Connector) look(ctx context.Context, s *session) []connectors.Finding {
	paging := c.checkPaging(s)
	var findings []connectors.Finding
	if c.cfg.Watch {
		findings = append(findings, c.checkWatch(s))
	}
	findings = append(findings, c.checkSchema(s)...)
	p := presetFor(c.cfg.Preset, s.root)
	p.schema = c.schemaOf(s, "check", false)
	for _, kind := range []directory.Kind{directory.Person, directory.Group} {
		q := newQuery(kind, p, &c.cfg, c.cfg.identity(s.subject))
		word := map[directory.Kind]string{directory.Person: streamUsers, directory.Group: streamGroups}[kind]
		var samples []connectors.Finding
		for _, l := range q.lines { // none of a kind that a domain does not have
			samples = append(samples, c.sample(ctx, s, p, l, word)...)
		}
		// That people are in one of the places and groups in another is no fault.
		if slices.ContainsFunc(samples, func(f connectors.Finding) bool { return f.OK && f.Subject != subjectMembers }) {
			for i := range samples {
				if samples[i].Detail == nothingVisible {
					samples[i].OK, samples[i].Hint = true, ""
				}
			}
		}
		findings = append(findings, samples...)
		if len(q.lines) > 0 {
			findings = append(findings, c.newReading(s, "check", kind, false).checkTwins(ctx, word)...)
		}
	}
	return slices.Concat([]connectors.Finding{paging}, c.checkIncremental(ctx, s.server), findings)
}

// checkPaging asks for a page: what a server offers is not always what it gives.
func (c *Connector) checkPaging(s *session) connectors.Finding {
	f := connectors.Finding{Subject: "paging", OK: s.root.paging(), Detail: "offered"}
	const atOnce = "everything must fit one answer: the bind user needs to be free of size limits"
	if !f.OK {
		f.Detail, f.Hint = "not offered", atOnce
		return f
	}
	q := newQuery(directory.Person, presetFor(c.cfg.Preset, s.root), &c.cfg, "")
	if len(q.lines) == 0 {
		return f
	}
	l := q.lines[0]
	res, err := s.page(l, []string{"1.1"}, ldap.NewControlPaging(1))
	var e *ldap.Error
	switch {
	case errors.As(err, &e) && refusesPages(e.ResultCode):
		f.Detail, f.Hint = "offered, and refused to the bind user: "+atOnce, ""
	case err == nil && ldap.FindControl(res.Controls, ldap.ControlTypePaging) == nil:
		f.Detail = "offered, and left out of answers, as some proxies do: what is read comes in one answer"
	}
	return f
}

// page reads one page, or with a size limit the beginning, of what a line finds.
func (s *session) page(l searchLine, attributes []string, paging *ldap.ControlPaging) (res *ldap.SearchResult, err error) {
	req := ldap.NewSearchRequest(l.base, l.scope, ldap.NeverDerefAliases, 0, 0, false, l.filter, attributes, nil)
	if paging != nil {
		req.Controls = []ldap.Control{paging}
	} else {
		req.SizeLimit = samplePages * samplePage
	}
	err = s.limit(func() (err error) {
		res, err = s.conn.Search(req)
		return err
	})
	return res, err
}

// checkIncremental says how changes will be found, once for both streams where it is the same for them. Each has a
// connection of its own, as in a read: it may take it for itself.
func (c *Connector) checkIncremental(ctx context.Context, server string) []connectors.Finding {
	var findings []connectors.Finding
	for _, stream := range []string{streamUsers, streamGroups} {
		s, err := c.connect(ctx, "check", server)
		if err != nil {
			return append(findings, c.failed(subjectIncremental, err))
		}
		f := c.newReading(s, "check", kindOf(stream), false).checkMethod()
		s.close()
		if len(findings) > 0 && findings[0] == f {
			continue
		}
		findings = append(findings, f)
	}
	if len(findings) == 2 {
		findings[0].Subject += " of " + streamUsers
		findings[1].Subject += " of " + streamGroups
	}
	return findings
}

// checkMethod begins with the method that a read would begin with. That every read is a full one is only wrong when
// the operator asked for something else.
func (r *reading) checkMethod() connectors.Finding {
	const subject = subjectIncremental
	chosen := r.connector.cfg.Incremental
	if chosen == incrementalOff {
		return connectors.Finding{Subject: subject, OK: true, Detail: "off"}
	}
	m, _, why, err := r.choose()
	switch {
	case err != nil:
		return r.connector.failed(subject, err)
	case m != nil:
		f := connectors.Finding{Subject: subject, OK: true, Detail: m.name()}
		if why != "" {
			f.Detail += " (not " + why + ")"
		}
		return f
	}
	f := connectors.Finding{Subject: subject, OK: chosen == incrementalAuto || chosen == "", Detail: "none, every read is a full one: " + why}
	if !f.OK {
		f.Hint = "set incremental to auto, or see to what is missing"
	}
	return f
}

// Limits of a sample: more entries than the usual size limit of OpenLDAP, which is 500, lets through.
const (
	samplePages = 3
	samplePage  = 300
)

const (
	subjectIncremental = "incremental reads"
	subjectMembers     = "members"
	nothingVisible     = "0 visible"
)

// sample reads the first pages of what a line finds and reports how many entries it sees, and what of them is not read.
func (c *Connector) sample(ctx context.Context, s *session, p preset, l searchLine, word string) []connectors.Finding {
	subject := fmt.Sprintf("%s below %s", word, l.base)
	if l.scope == ldap.ScopeSingleLevel {
		subject = fmt.Sprintf("%s directly below %s", word, l.base)
	}
	anchors := anchorsFor(kindOf(word), &p, &c.cfg)
	var attributes []string
	for _, a := range anchors {
		attributes = append(attributes, a.name)
	}
	entries, more, err := c.visible(s, l, slices.Concat(attributes, dynamicAttributes()))
	if err != nil {
		return []connectors.Finding{c.failed(subject, operationError("check", s.server, err))}
	}
	anchored, dynamic := 0, 0
	has := func(e *ldap.Entry, names []string) bool {
		return slices.ContainsFunc(names, func(a string) bool { return hasAttribute(p.schema, e, a) })
	}
	for _, e := range entries {
		if has(e, attributes) {
			anchored++
		}
		if word == streamGroups && has(e, dynamicAttributes()) {
			dynamic++
		}
	}
	f := sampled(subject, len(entries), anchored, anchors[0].name, more)
	if dynamic > 0 {
		f.Detail += fmt.Sprintf(", %d of them dynamic: groups are read in full every time", dynamic)
	}
	if s.hasAliases(l) {
		const aliases = "alias entries are not followed: name the place of what they stand for in base or search"
		if f.OK {
			f.Detail += "; " + aliases
		} else {
			f.Hint = aliases
		}
	}
	if urls := s.referrals(l); len(urls) > 0 && p.name != presetActiveDirectory {
		f.Detail += "; the server refers to other servers for parts of it, which are not read: " + strings.Join(urls, ", ")
	}
	findings := []connectors.Finding{f}
	if word != streamGroups || p.name == presetActiveDirectory { // there members are known by their ids
		return findings
	}
	if outside := c.sampleOutside(ctx, s.server, &p, l); len(outside) > 0 {
		findings = append(findings, connectors.Finding{
			Subject: subjectMembers, OK: true, Detail: fmt.Sprintf("%d members of groups are outside of what is read, such as %s: neither they count nor, if it is a group, who is in it",
				len(outside), outside[0]),
		})
	}
	return findings
}

// sampleOutside reads the members of the first groups that a line finds, and returns those that are outside of what is read.
// Large groups are more than a sample may have: of them nothing is said. What is too long ends the connection, so that it has
// its own.
func (c *Connector) sampleOutside(ctx context.Context, server string, p *preset, l searchLine) (outside []string) {
	s, err := c.connect(ctx, "check", server)
	if err != nil {
		return nil
	}
	defer s.close()
	var members []string
	for _, m := range p.memberAttributes(&c.cfg) {
		if !m.login {
			members = append(members, m.name)
		}
	}
	entries, _, err := c.visible(s, l, members)
	if err != nil {
		return nil
	}
	read := c.readSets(p)
	for _, e := range entries {
		outside = append(outside, outsideOf(read, p, e, members)...)
	}
	return outside
}

// visible reads the first pages of what a line finds.
func (c *Connector) visible(s *session, l searchLine, attributes []string) (entries []*ldap.Entry, more bool, err error) {
	paging := ldap.NewControlPaging(samplePage)
	for range samplePages {
		res, err := s.page(l, attributes, paging)
		var e *ldap.Error
		if errors.As(err, &e) && refusesPages(e.ResultCode) && len(entries) == 0 {
			if res, err = s.page(l, attributes, nil); ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) &&
				len(res.Entries) >= samplePages*samplePage {
				return res.Entries, true, nil // our own limit
			}
		}
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, res.Entries...)
		answer, ok := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(answer.Cookie) == 0 {
			return entries, false, nil
		}
		paging.SetCookie(answer.Cookie)
	}
	return entries, true, nil
}

// readSets are the places where people and groups are read.
func (c *Connector) readSets(p *preset) (sets []searchSet) {
	for _, kind := range []directory.Kind{directory.Person, directory.Group} {
		for _, l := range newQuery(kind, *p, &c.cfg, "").lines {
			sets = append(sets, newSearchSet(p.form, []searchLine{l}))
		}
	}
	return sets
}

// outsideOf lists the members of a group that lie in none of the places. A domain has members of other domains by design.
func outsideOf(read []searchSet, p *preset, group *ldap.Entry, attributes []string) (dns []string) {
	if p.name == presetActiveDirectory {
		return nil
	}
	for _, a := range group.Attributes {
		if !slices.ContainsFunc(attributes, func(name string) bool { return p.schema.same(a.Name, name) }) {
			continue
		}
		for _, v := range a.Values {
			member := dn.StripUID(v)
			if member != "" && !slices.ContainsFunc(read, func(set searchSet) bool { return set.holds(member) }) {
				dns = append(dns, member)
			}
		}
	}
	return dns
}

// hasAliases reports whether a search would meet alias entries (RFC 4512 section 2.6), or begins at one.
func (s *session) hasAliases(l searchLine) bool {
	res, err := s.page(searchLine{base: l.base, scope: ldap.ScopeWholeSubtree, filter: "(objectClass=alias)"}, []string{"1.1"}, ldap.NewControlPaging(1))
	return err == nil && len(res.Entries) > 0
}

// referrals lists addresses of other servers that a search is referred to: one of each reference.
func (s *session) referrals(l searchLine) []string {
	l.filter = "(objectClass=referral)"
	res, err := s.page(l, []string{"1.1"}, ldap.NewControlPaging(1))
	if err != nil {
		return nil
	}
	return res.Referrals
}

// hasAttribute reports whether an entry has an attribute, under whichever of its names.
func hasAttribute(s *schema, e *ldap.Entry, name string) bool {
	return slices.ContainsFunc(e.Attributes, func(a *ldap.EntryAttribute) bool { return len(a.Values) > 0 && s.same(a.Name, name) })
}

func sampled(subject string, seen, anchored int, anchor string, more bool) connectors.Finding {
	f := connectors.Finding{Subject: subject, OK: true, Detail: fmt.Sprintf("%d visible", seen)}
	if more {
		f.Detail = "more than " + f.Detail
	}
	switch {
	case seen == 0:
		f.OK, f.Hint = false, "the filter matches nothing here, or the bind user may not read it"
	case anchored < seen:
		f.OK = false
		f.Detail += fmt.Sprintf(", %d of them without %s", seen-anchored, anchor)
		f.Hint = "let the bind user read " + anchor + ", or set anchor to an attribute that every entry has and keeps"
	}
	return f
}
