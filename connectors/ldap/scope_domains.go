package ldap

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory/dn"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Domains are naming contexts that are read apart, each a tenant with servers of its own. In the configuration they are
// auto, for those of an Active Directory forest, or a list.
type Domains struct {
	Auto bool
	List []Domain
}

// Domain is one of them. In the configuration it is a DNS name alone or a block.
type Domain struct {
	// Domain is the DNS name, which identifies the tenant.
	Domain string `yaml:"domain" strict:"required"`
	// Name is what people call it; the DNS name when empty.
	Name string `yaml:"name"`
	// Servers are those of the domain; found in DNS when empty.
	Servers []string `yaml:"servers"`
	// Base is where people and groups are searched, in place of the DN that the DNS name makes.
	Base Names `yaml:"base"`
}

const domainsAuto = "auto"

// DecodeStrict reads auto or a list.
func (d *Domains) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Text {
		text, _ := v.Text()
		if d.Auto = text == domainsAuto; !d.Auto {
			v.Problem("write auto, or a list of domains", "%s: neither auto nor a list", v.Label())
		}
		return
	}
	var list []Domain
	if v.Into(&list) {
		d.List = list
	}
}

// DecodeStrict reads a name or a block.
func (d *Domain) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Text {
		d.Domain, _ = v.Text()
		return
	}
	type block Domain // without this method
	v.Into((*block)(d))
}

// set reports whether domains are read apart.
func (d *Domains) set() bool { return d.Auto || len(d.List) > 0 }

func (c *Config) validateDomains(report settings.Reporter) {
	if c.Domains.Auto && len(c.Servers) == 0 {
		report("servers", "name a server of the forest, or write ldaps+srv:// and the domain", "domains: auto needs a server to ask")
	}
	if c.Domains.set() && c.Bind.Service != "" {
		report("bind.service", "remove it, and name servers by their full names or let DNS find them", "one service is no name for the servers of several domains")
	}
	for i, d := range c.Domains.List {
		path := fmt.Sprintf("domains[%d]", i)
		if !isDomainName(d.Domain) {
			report(path, "write the DNS name, such as leeds.example.com", "%q is not the name of a domain", d.Domain)
		}
		if slices.ContainsFunc(c.Domains.List[:i], func(other Domain) bool { return strings.EqualFold(other.Domain, d.Domain) }) {
			report(path, "remove one of them", "%s is there twice", d.Domain)
		}
		c.validateAddresses(path+".servers", d.Servers, report)
		for _, base := range d.Base {
			validateBase(path+".base", base, report)
		}
	}
	if known := knownDomains(c.Domains.List); len(known) > 0 {
		for _, l := range slices.Concat(linesOf(c.Base, c.Users), linesOf(nil, c.Groups)) {
			if _, ok := holderOf(known, l); !ok {
				report("base", "write a DN in one of the domains, or add its domain", "%q is in none of the domains", l)
			}
		}
	}
}

func isDomainName(name string) bool {
	return name != "" && !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, " /:,=@?#") && !strings.Contains(name, "..")
}

// forestDomain is a domain as it is read.
type forestDomain struct {
	Domain
	dn string // the naming context
}

func (d *forestDomain) tenant() connectors.Tenant {
	t := connectors.Tenant{ID: strings.ToLower(d.Domain.Domain), Name: d.Name, Domain: strings.ToLower(d.Domain.Domain)}
	if t.Name == "" {
		t.Name = t.Domain
	}
	return t
}

// knownDomains are the domains of a list, with the DNs that their names make (RFC 2247).
func knownDomains(list []Domain) []forestDomain {
	known := make([]forestDomain, len(list))
	for i, d := range list {
		known[i] = forestDomain{Domain: d, dn: "DC=" + strings.ReplaceAll(strings.TrimSuffix(d.Domain, "."), ".", ",DC=")}
	}
	return known
}

// holderOf finds the domain that holds a DN: the deepest one at or above it.
func holderOf(domains []forestDomain, entry string) (d *forestDomain, ok bool) {
	var form dn.Form
	normal := string(form.Append(nil, entry))
	for i := range domains {
		for _, own := range append([]string{domains[i].dn}, domains[i].Base...) {
			top := string(form.Append(nil, own))
			if (normal == top || under(normal, top)) && (!ok || under(string(form.Append(nil, domains[i].dn)), string(form.Append(nil, d.dn)))) {
				d, ok = &domains[i], true
			}
		}
	}
	return d, ok
}

// linesOf lists where a stream is searched, as configured.
func linesOf(bases Names, s SearchConfig) []string {
	if len(s.Base) > 0 {
		bases = s.Base
	}
	list := slices.Clone([]string(bases))
	for _, l := range s.Search {
		list = append(list, l.Base)
	}
	return list
}

// forest remembers the domains that were found last, and a view of each. It is safe for concurrent use.
type forest struct {
	mu      sync.Mutex
	domains []forestDomain
	views   map[string]*Connector // by tenant
}

// Tenants implements connectors.Connector. Without domains there is one. Of a forest whose list cannot be had now the
// domains of the last time are listed: they may well be there.
func (c *Connector) Tenants(ctx context.Context) ([]connectors.Tenant, error) {
	if !c.cfg.Domains.set() {
		return []connectors.Tenant{{}}, nil
	}
	domains, err := c.domains(ctx)
	if err != nil {
		return nil, err
	}
	var tenants []connectors.Tenant
	for i := range domains {
		t := domains[i].tenant()
		cfg := c.domainConfig(domains, &domains[i])
		for _, stream := range []struct {
			name   string
			search SearchConfig
		}{{streamUsers, cfg.Users}, {streamGroups, cfg.Groups}} {
			if len(linesOf(cfg.Base, stream.search)) > 0 {
				t.Streams = append(t.Streams, stream.name)
			}
		}
		switch len(t.Streams) {
		case 0:
			continue // nothing of it is wanted
		case 2:
			t.Streams = nil
		}
		tenants = append(tenants, t)
	}
	return tenants, nil
}

// domains lists the domains, anew where the servers tell.
func (c *Connector) domains(ctx context.Context) ([]forestDomain, error) {
	if !c.cfg.Domains.Auto {
		return knownDomains(c.cfg.Domains.List), nil
	}
	found, err := c.findDomains(ctx)
	c.forest.mu.Lock()
	defer c.forest.mu.Unlock()
	switch {
	case err == nil:
		c.forest.domains = found
	case fault.ClassOf(err) == fault.Transient && len(c.forest.domains) > 0:
		c.env.Log.Debug("the domains of the forest cannot be listed; those of the last time are read", "error", err)
	default:
		return nil, err
	}
	return c.forest.domains, nil
}

// findDomains asks a server for the domains of its forest: the cross-references in the configuration partition to naming
// contexts in the forest (1) that are domains (2) (MS-ADTS 6.1.1.2.1.1).
func (c *Connector) findDomains(ctx context.Context) ([]forestDomain, error) {
	const op = "list domains"
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.open(inner, op, "", nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	wrong := func(class fault.Class, what, hint string) error {
		return &fault.Error{Class: class, Op: op, Where: s.server, Err: errors.New(what), Hint: hint}
	}
	if s.root.configuration == "" {
		return nil, wrong(fault.Configuration, "the server is not of an Active Directory forest", "list the domains in place of auto")
	}
	entries, err := s.search(op, ldap.NewSearchRequest("CN=Partitions,"+s.root.configuration, ldap.ScopeSingleLevel, ldap.NeverDerefAliases,
		0, 0, false, "(&(objectClass=crossRef)(systemFlags:1.2.840.113556.1.4.803:=3))", []string{"nCName", "dnsRoot", "nETBIOSName"}, nil))
	if err != nil {
		return nil, err
	}
	var found []forestDomain
	for _, e := range entries {
		d := forestDomain{dn: e.GetEqualFoldAttributeValue("nCName")}
		d.Domain.Domain, d.Name = e.GetEqualFoldAttributeValue("dnsRoot"), e.GetEqualFoldAttributeValue("nETBIOSName")
		if d.dn == "" || !isDomainName(d.Domain.Domain) {
			return nil, wrong(fault.Forbidden, "a domain of the forest is shown without its names", "let the bind user read CN=Partitions,"+s.root.configuration)
		}
		if strings.EqualFold(d.dn, s.root.domain) {
			d.Servers = c.cfg.Servers
		}
		found = append(found, d)
	}
	if len(found) == 0 {
		return nil, wrong(fault.Forbidden, "no domain of the forest is visible", "let the bind user read CN=Partitions,"+s.root.configuration)
	}
	slices.SortFunc(found, func(a, b forestDomain) int {
		return strings.Compare(strings.ToLower(a.Domain.Domain), strings.ToLower(b.Domain.Domain))
	})
	return found, nil
}

// domainConfig is the configuration for one of the domains: its servers, and of the searches those that lie in it. Where
// none is configured at all, everything in the domain is searched.
func (c *Connector) domainConfig(domains []forestDomain, d *forestDomain) Config {
	cfg := c.cfg
	cfg.Domains = Domains{}
	if cfg.Servers = d.Servers; len(cfg.Servers) == 0 {
		cfg.Servers = []string{c.discoveryScheme() + "://" + d.Domain.Domain}
	}
	own := func(base string) bool {
		holder, ok := holderOf(domains, base)
		return ok && holder.dn == d.dn
	}
	only := func(bases Names) (kept Names) {
		for _, base := range bases {
			if own(base) {
				kept = append(kept, base)
			}
		}
		return kept
	}
	whole := Names{d.dn}
	if len(d.Base) > 0 {
		whole = d.Base
	}
	for _, search := range []*SearchConfig{&cfg.Users, &cfg.Groups} {
		all := linesOf(cfg.Base, *search)
		bases := search.Base
		if len(bases) == 0 {
			bases = c.cfg.Base
		}
		if search.Base = only(bases); len(all) == 0 {
			search.Base = whole
		}
		lines := search.Search
		search.Search = nil
		for _, l := range lines {
			if own(l.Base) {
				search.Search = append(search.Search, l)
			}
		}
	}
	cfg.Base = nil
	return cfg
}

// discoveryScheme is how the servers of domains are reached that are found in DNS: as those that are named.
func (c *Connector) discoveryScheme() string {
	if c.cfg.StartTLS || len(c.cfg.Servers) > 0 && !strings.HasPrefix(c.cfg.Servers[0], "ldaps") {
		return schemeDiscover
	}
	return schemeDiscoverSecure
}

// view returns the connector that reads a tenant: this one, or one for its domain. Views last, since they remember which
// servers failed.
func (c *Connector) view(ctx context.Context, op string, t connectors.Tenant) (*Connector, error) {
	if !c.cfg.Domains.set() {
		return c, nil
	}
	domains := knownDomains(c.cfg.Domains.List)
	if c.cfg.Domains.Auto {
		c.forest.mu.Lock()
		domains = c.forest.domains
		c.forest.mu.Unlock()
		if domains == nil {
			var err error
			if domains, err = c.domains(ctx); err != nil {
				return nil, err
			}
		}
	}
	i := slices.IndexFunc(domains, func(d forestDomain) bool { return strings.EqualFold(d.Domain.Domain, t.ID) })
	if i < 0 {
		return nil, &fault.Error{
			Class: fault.Configuration, Op: op, Where: t.ID, Err: errors.New("the domain is not one of this connection's"),
			Hint: "it was removed from domains, or from the forest",
		}
	}
	cfg := c.domainConfig(domains, &domains[i])
	c.forest.mu.Lock()
	defer c.forest.mu.Unlock()
	if known, ok := c.forest.views[t.ID]; ok && reflect.DeepEqual(known.cfg, cfg) {
		return known, nil
	}
	own, err := open(&cfg, c.env)
	if err != nil {
		return nil, err
	}
	own.resolver = c.resolver
	if c.forest.views == nil {
		c.forest.views = make(map[string]*Connector)
	}
	c.forest.views[t.ID] = own
	return own, nil
}

// checkDomains checks every domain by itself.
func (c *Connector) checkDomains(ctx context.Context) ([]connectors.Finding, error) {
	tenants, err := c.Tenants(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return []connectors.Finding{connectors.Failed("domains", err)}, nil
	}
	names := make([]string, len(tenants))
	for i, t := range tenants {
		names[i] = t.Domain
	}
	findings := []connectors.Finding{{Subject: "domains", OK: len(names) > 0, Detail: strings.Join(names, ", ")}}
	if len(names) == 0 {
		findings[0].Detail, findings[0].Hint = "none of them holds a base", "check base, users and groups"
	}
	for _, t := range tenants {
		own, err := c.view(ctx, "check", t)
		if err != nil {
			return findings, err
		}
		more, err := own.checkServers(ctx)
		for _, f := range more {
			f.Subject = t.Domain + ": " + f.Subject
			findings = append(findings, f)
		}
		if err != nil {
			return findings, err
		}
	}
	return findings, nil
}

// validateBase reports what is not a DN.
func validateBase(path, base string, report settings.Reporter) {
	if _, err := dn.Parse(base); err != nil || strings.TrimSpace(base) == "" {
		report(path, "write a DN, such as ou=people,dc=example,dc=com", "%q is not a DN", base)
	}
}
