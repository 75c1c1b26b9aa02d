package ldap

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// Config is the block `ldap:` of a connection.
type Config struct {
	// Servers are ldap:// and ldaps:// addresses of one directory, interchangeable replicas, tried in order. An
	// ldap+srv:// or ldaps+srv:// address names a domain whose servers are found in DNS.
	Servers []string `yaml:"servers"`
	// Domains divide the directory into tenants, each a naming context with servers of its own.
	Domains Domains `yaml:"domains"`
	// DNS is the DNS server to ask for servers and their addresses, with :port if it is not 53, in place of the
	// machine's.
	DNS string `yaml:"dns"`
	// StartTLS encrypts an ldap:// connection before anything else is sent.
	StartTLS bool `yaml:"start_tls"`
	// CAFile is a PEM file with the authorities that may sign the server's certificate, in place of the system's.
	CAFile settings.Path `yaml:"ca_file"`
	// TLS holds the client's own certificate.
	TLS TLSConfig `yaml:"tls"`
	// ServerName is the name that the certificate must carry when it is not the one in the address.
	ServerName string `yaml:"server_name"`
	// InsecureSkipVerify takes any certificate. It is dangerous: whoever stands between gets the password and
	// can answer in the server's place.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`
	// Bind is the account that reads; left out, the connection is anonymous.
	Bind BindConfig `yaml:"bind"`
	// Base is where people and groups are searched: one DN or a list.
	Base Names `yaml:"base"`
	// Preset is the attribute names to expect: openldap or activedirectory. Empty: the server tells.
	Preset string `yaml:"preset"`
	// Attributes are fetched besides those of the preset, and appear as attributes.NAME.
	Attributes []Attribute `yaml:"attributes"`
	// Fields names the attributes that fill a common field of people, the first with a value first, in place of
	// the preset's. The key manager names the attribute that holds the manager's DN.
	Fields map[string]Names `yaml:"fields"`
	Users  SearchConfig     `yaml:"users"`
	Groups SearchConfig     `yaml:"groups"`
	// PageSize is how many entries are asked for at once; 0 asks for all in one answer.
	PageSize int `yaml:"page_size"`
	// Timeout ends the wait for a server that sends nothing: connecting, binding, each packet of an answer.
	Timeout settings.Duration `yaml:"timeout"`
	// Anchor names the attribute that identifies an entry for good, in place of the preset's.
	Anchor Anchor `yaml:"anchor"`
	// Incremental is how changes are found between two full reads: auto takes the best method of the server
	// that names removals, off reads everything every time, the others are the names of methods.
	Incremental string `yaml:"incremental"`
	// Watch asks the server to tell of changes at once, so that they need not wait for the schedule.
	Watch bool `yaml:"watch"`
}

// SearchConfig says where and how people or groups are searched. What is empty comes from the preset.
type SearchConfig struct {
	Base   Names  `yaml:"base"`
	Filter string `yaml:"filter"`
	Scope  string `yaml:"scope"` // base, one or sub
	// Members are the attributes in which groups list their members, in place of the preset's. Of groups only.
	Members Names `yaml:"members"`
	// Manager is the attribute that holds the DN of who manages a group, in place of the preset's. Of groups only.
	Manager string `yaml:"manager"`
	// Search are further searches: whatever one of them finds is read, too.
	Search []SearchLine `yaml:"search"`
}

// SearchLine is one search, as of an organisational unit that stands for a site.
type SearchLine struct {
	// Name is what rules see as the field search of the people whom the line finds. It is told by where they are.
	Name string `yaml:"name"`
	Base string `yaml:"base" strict:"required"`
	// Filter is used in place of the stream's.
	Filter string `yaml:"filter"`
	// Recursive: what is below the base at any depth, the default, or else directly below only.
	Recursive *bool `yaml:"recursive"`
}

// Names is one text or a list of texts.
type Names = settings.Names

// Defaults returns a configuration with the defaults set.
func Defaults() *Config {
	return &Config{PageSize: 1000, Timeout: settings.Duration(60 * time.Second), Incremental: incrementalAuto}
}

// managerField is the key of Config.Fields that names a link rather than a common field.
const managerField = "manager"

var scopes = map[string]int{
	"": ldap.ScopeWholeSubtree, "sub": ldap.ScopeWholeSubtree, "one": ldap.ScopeSingleLevel, "base": ldap.ScopeBaseObject,
}

// Validate reports everything that is wrong with the block, without network I/O.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	report := issues.Report
	c.validateServers(report)
	c.validateDomains(report)
	c.validateSearches(report)
	c.validateNames(report)
	c.validateBind(report)
	if c.Preset != "" && !slices.Contains(presetNames(), c.Preset) {
		report("preset", "one of "+strings.Join(presetNames(), ", "), "unknown preset %q", c.Preset)
	}
	if c.Incremental != "" && !slices.Contains(incrementalNames(), c.Incremental) {
		report("incremental", "one of "+strings.Join(incrementalNames(), ", "), "unknown method %q", c.Incremental)
	}
	if c.Watch && c.Incremental == incrementalOff {
		report("watch", "remove it, or set incremental to auto", "everything would be read after every change")
	}
	if c.PageSize < 0 || c.PageSize > 100_000 {
		report("page_size", "Active Directory and OpenLDAP take 1000; 0 asks for everything in one answer", "must be from 0 to 100000")
	}
	if c.Timeout <= 0 {
		report("timeout", "write a duration, such as 30s", "must be greater than zero")
	}
	c.validateAttributes(report)
	return issues
}

// passwords are attributes that hold passwords or hashes of them. They are nobody's business here.
func passwords() []string {
	return []string{"userPassword", "unicodePwd", "dBCSPwd", "sambaNTPassword", "sambaLMPassword", "krbPrincipalKey"}
}

func (c *Config) validateAttributes(report settings.Reporter) {
	const hint = "write the name as the server's schema has it, such as employeeNumber"
	check := func(path, name string) {
		if !isDescription(name) {
			report(path, hint, "%q is not the name of an attribute", name)
		}
		if slices.ContainsFunc(passwords(), func(p string) bool { return strings.EqualFold(p, name) }) {
			report(path, "remove it", "%s holds passwords, which are never read", name)
		}
	}
	if c.Anchor.Users != "" {
		check("anchor", c.Anchor.Users)
	}
	if c.Anchor.Groups != "" {
		check("anchor.groups", c.Anchor.Groups)
	}
	for _, name := range c.Groups.Members {
		check("groups.members", name)
	}
	if c.Groups.Manager != "" {
		check("groups.manager", c.Groups.Manager)
	}
	if c.Users.Manager != "" {
		report("users.manager", "name it in fields: {manager: [ATTRIBUTE]}", "this is for groups")
	}
	if len(c.Users.Members) > 0 {
		report("users.members", "write it below groups", "people have no members")
	}
	for i, a := range c.Attributes {
		check(fmt.Sprintf("attributes[%d]", i), a.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		if _, ok := directory.LookupCommonField(name); !ok && name != managerField {
			report("fields."+name, "fetch it with attributes, and read it as attributes.NAME", "%q is not a common field", name)
		}
		for _, attribute := range c.Fields[name] {
			check("fields."+name, attribute)
		}
	}
}

// isDescription reports whether a text is an attribute description (RFC 4512 section 2.5).
func isDescription(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return name != "" && strings.Trim(name, letters+"0123456789.;-") == "" && strings.ContainsAny(name[:1], letters+"0123456789")
}

func (c *Config) validateServers(report settings.Reporter) {
	if len(c.Servers) == 0 && !c.Domains.set() {
		report("servers", hintAddress, "must not be empty")
	}
	c.validateAddresses("servers", c.Servers, report)
	if strings.ContainsAny(c.DNS, "/@ ") {
		report("dns", "write the address of a DNS server, such as 10.1.0.10 or 10.1.0.10:5353", "not the address of a DNS server")
	}
}

const hintAddress = "write ldap://host or ldaps://host, with :port if it is not the usual one; or ldap+srv://domain or ldaps+srv://domain"

func (c *Config) validateAddresses(path string, servers []string, report settings.Reporter) {
	for i, server := range servers {
		path := fmt.Sprintf("%s[%d]", path, i)
		u, err := url.Parse(server)
		switch {
		case err != nil || u.Hostname() == "" || !slices.Contains([]string{"ldap", "ldaps", schemeDiscover, schemeDiscoverSecure}, u.Scheme):
			report(path, hintAddress, "not an LDAP address")
		case u.User != nil:
			report(path, "use bind.user and bind.password", "the address of a server holds no user")
		case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" && !validQuery(u):
			report(path, "use base, users.filter and groups.filter", "the address of a server holds no base or filter")
		case discovered(server) && (u.Port() != "" || net.ParseIP(u.Hostname()) != nil):
			report(path, "write the name of the domain alone; DNS says the ports", "the address of a domain is its DNS name")
		case strings.HasPrefix(u.Scheme, "ldaps") && c.StartTLS:
			report(path, "remove start_tls, or use ldap://", "an ldaps:// connection is encrypted already")
		}
	}
}

// validQuery reports whether the query of an address names a site, and nothing else, of a domain to discover.
func validQuery(u *url.URL) bool {
	values, err := url.ParseQuery(u.RawQuery)
	site := values.Get(siteKey)
	return err == nil && discovered(u.Scheme+"://") && len(values) == 1 && site != "" && !strings.ContainsAny(site, ". /\\")
}

func (c *Config) validateSearches(report settings.Reporter) {
	nowhere := func(s SearchConfig) bool { return len(s.Base) == 0 && len(s.Search) == 0 }
	if !c.Domains.set() && len(c.Base) == 0 && (nowhere(c.Users) || nowhere(c.Groups)) {
		report("base", "write the DN below which people and groups live, such as dc=example,dc=com", "must not be empty")
	}
	checkBase := func(path, base string) { validateBase(path, base, report) }
	checkFilter := func(path, filter string) {
		if filter == "" {
			return
		}
		if _, err := ldap.CompileFilter(tidyFilter(filter)); err != nil {
			report(path, "write it as RFC 4515 does: (&(objectClass=person)(ou=Sales))", "not a filter")
		}
	}
	for _, base := range c.Base {
		checkBase("base", base)
	}
	for _, search := range []struct {
		path string
		cfg  SearchConfig
	}{{"users", c.Users}, {"groups", c.Groups}} {
		for _, base := range search.cfg.Base {
			checkBase(search.path+".base", base)
		}
		if _, ok := scopes[search.cfg.Scope]; !ok {
			report(search.path+".scope", "one of base, one, sub", "unknown scope %q", search.cfg.Scope)
		}
		checkFilter(search.path+".filter", search.cfg.Filter)
		for i, l := range search.cfg.Search {
			path := fmt.Sprintf("%s.search[%d]", search.path, i)
			checkBase(path+".base", l.Base)
			checkFilter(path+".filter", l.Filter)
			if l.Name != "" && search.path != "users" {
				report(path+".name", "only rules for people see which search found somebody: remove it", "has no effect")
			}
		}
	}
}
