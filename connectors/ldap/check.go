package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
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
			findings = append(findings, connectors.Failed("server "+server, err))
			if fault.ClassOf(err) == fault.Auth {
				break // another try would count towards a lock-out
			}
			continue
		}
		findings = append(findings, connectors.Finding{Subject: "server " + server, OK: true, Detail: c.describeServer(s)})
		if !looked {
			looked = true
			findings = append(findings, c.look(s)...)
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
			findings = append(findings, connectors.Failed("servers of "+name, err))
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
func (c *Connector) look(s *session) []connectors.Finding {
	paging := connectors.Finding{Subject: "paging", OK: s.root.paging(), Detail: "offered"}
	if !paging.OK {
		paging.Detail = "not offered"
		paging.Hint = "everything must fit one answer: the bind user needs to be free of size limits"
	}
	var findings []connectors.Finding
	if c.cfg.Watch {
		findings = append(findings, c.checkWatch(s))
	}
	findings = append(findings, c.checkSchema(s)...)
	p := presetFor(c.cfg.Preset, s.root)
	for _, kind := range []directory.Kind{directory.Person, directory.Group} {
		q := newQuery(kind, p, &c.cfg, c.cfg.identity(s.subject))
		word := map[directory.Kind]string{directory.Person: streamUsers, directory.Group: streamGroups}[kind]
		for _, l := range q.lines { // none of a kind that a domain does not have
			findings = append(findings, c.sample(s, p, l, word))
		}
	}
	// Last, since it may take the connection for itself.
	return slices.Concat([]connectors.Finding{paging}, c.checkIncremental(s), findings)
}

// checkIncremental says how changes will be found, once for both streams where it is the same for them.
func (c *Connector) checkIncremental(s *session) []connectors.Finding {
	var findings []connectors.Finding
	for _, stream := range []string{streamUsers, streamGroups} {
		kind := kindOf(stream)
		f := c.newReading(s, "check", kind).checkMethod()
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
	const subject = "incremental reads"
	chosen := r.connector.cfg.Incremental
	if chosen == incrementalOff {
		return connectors.Finding{Subject: subject, OK: true, Detail: "off"}
	}
	m, _, why, err := r.choose()
	switch {
	case err != nil:
		return connectors.Failed(subject, err)
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

// sample reads the first pages of what a line finds and reports how many entries it sees.
func (c *Connector) sample(s *session, p preset, l searchLine, word string) connectors.Finding {
	subject := fmt.Sprintf("%s below %s", word, l.base)
	if l.scope == ldap.ScopeSingleLevel {
		subject = fmt.Sprintf("%s directly below %s", word, l.base)
	}
	anchor := p.anchor
	if c.cfg.Anchor != "" {
		anchor = c.cfg.Anchor
	}
	seen, anchored := 0, 0
	var refers references
	paging := ldap.NewControlPaging(samplePage)
	for range samplePages {
		req := ldap.NewSearchRequest(l.base, l.scope, ldap.NeverDerefAliases, 0, 0, false, l.filter, []string{anchor},
			[]ldap.Control{paging})
		var res *ldap.SearchResult
		err := s.limit(func() (err error) {
			res, err = s.conn.Search(req)
			return err
		})
		if err != nil {
			return connectors.Failed(subject, operationError("check", s.server, err))
		}
		seen += len(res.Entries)
		if p.name != presetActiveDirectory {
			for _, url := range res.Referrals {
				refers.add(l.base, []string{url})
			}
		}
		for _, e := range res.Entries {
			if len(e.GetEqualFoldRawAttributeValues(anchor)) > 0 {
				anchored++
			}
		}
		answer, ok := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(answer.Cookie) == 0 {
			return refers.told(sampled(subject, seen, anchored, anchor, ""))
		}
		paging.SetCookie(answer.Cookie)
	}
	return refers.told(sampled(subject, seen, anchored, anchor, "more than "))
}

func sampled(subject string, seen, anchored int, anchor, more string) connectors.Finding {
	f := connectors.Finding{Subject: subject, OK: true, Detail: fmt.Sprintf("%s%d visible", more, seen)}
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
