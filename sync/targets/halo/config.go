package halo

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// Config is the block `halo:` of a target.
type Config struct {
	// URL is the address of the desk, as in the browser: what stands before /api.
	URL string `yaml:"url"`
	// Tenant is the name of a hosted desk at its sign-in; empty: what the desk says.
	Tenant string `yaml:"tenant"`
	// AuthURL is where tokens come from, without /token; empty: what the desk says, if it is on the same host.
	AuthURL string `yaml:"auth_url"`
	// ClientID and ClientSecret are those of an application of the type "Client ID and Secret (Services)".
	ClientID     string          `yaml:"client_id"`
	ClientSecret settings.Secret `yaml:"client_secret"`
	// Scope is a list with blanks between.
	Scope string `yaml:"scope"`

	rest.Network `yaml:",inline"`

	// Mark says how customers, sites and users are marked: external_link, or none.
	Mark string `yaml:"mark"`
	// Module is the number of the integration that our external links are filed under; 0: none is sent.
	Module int `yaml:"module"`
	// Details reads every user by itself where a list leaves out what tells people apart.
	Details bool `yaml:"details"`
	// Integrated says what becomes of things that Halo's own imports keep: protect, or adopt.
	Integrated string `yaml:"integrated"`
	// MainSite is the name of the site that a new customer gets, and of the one that takes users without a site.
	MainSite string `yaml:"main_site"`
	// TopLevel is the number of the top level of new customers; 0: none is sent.
	TopLevel int `yaml:"top_level"`
	// Group says what a group record is that has no field `type`: team, role, user_role or cab.
	Group string `yaml:"group"`
	// Department is the number of the department of new teams; 0: none is sent.
	Department int `yaml:"department"`
	// Asset and Ticket say of which type new ones are.
	Asset  AssetConfig  `yaml:"asset"`
	Ticket TicketConfig `yaml:"ticket"`
	// Fields says which property takes a field, by kind, beside the usual ones or in their place; "" takes none.
	Fields map[string]map[string]string `yaml:"fields"`
	// Page is how many things are asked for at a time. Rate is how many requests are sent a second, Parallel how many at a time.
	Page     int     `yaml:"page"`
	Rate     float64 `yaml:"rate"`
	Parallel int     `yaml:"parallel"`
}

// AssetConfig says what new assets are.
type AssetConfig struct {
	Type   int `yaml:"type"`
	Status int `yaml:"status"`
	// Fields are the numbers of the asset fields that take fields of a record.
	Fields map[string]int `yaml:"fields"`
}

// TicketConfig says what new tickets are that do not say it themselves.
type TicketConfig struct {
	Type     int `yaml:"type"`
	Template int `yaml:"template"`
	Priority int `yaml:"priority"`
	// Types are the numbers of the types that tickets can name.
	Types map[string]int `yaml:"types"`
}

// numbers are those of all types that new tickets can have, ascending.
func (c *TicketConfig) numbers() []int {
	all := append(slices.Collect(maps.Values(c.Types)), c.Type)
	slices.Sort(all)
	return slices.Compact(all)
}

// typeOf is the number of a type that a ticket names, or gives as a number; false when it is none of ours.
func (c *TicketConfig) typeOf(word string) (int, bool) {
	for name, n := range c.Types {
		if strings.EqualFold(name, word) {
			return n, true
		}
	}
	n, err := strconv.Atoi(word)
	return n, err == nil && slices.Contains(c.numbers(), n)
}

const (
	markLink = "external_link"
	markNone = "none"
)

func defaults() *Config {
	return &Config{
		Network: rest.Network{Timeout: settings.Duration(time.Minute)},
		Scope:   "all", Mark: markLink, Integrated: "protect", MainSite: "Main", Group: team, Page: 500, Rate: 2, Parallel: 2,
	}
}

// Validate reports what is wrong with the block.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	address(&issues, "url", c.URL)
	if c.AuthURL != "" {
		address(&issues, "auth_url", c.AuthURL)
	}
	if c.ClientID == "" {
		issues.Report("client_id", "write the client ID of the application, from Configuration > Integrations > Halo API", "is missing")
	}
	if c.ClientSecret.IsZero() {
		issues.Report("client_secret", "write {credential: NAME}, {file: PATH} or {env: NAME}", "is missing")
	}
	c.Network.Validate(issues.Report)
	word(&issues, "mark", c.Mark, markLink, markNone)
	word(&issues, "integrated", c.Integrated, "protect", "adopt")
	word(&issues, "group", c.Group, team, role, userRole, cab)
	if strings.TrimSpace(c.MainSite) == "" {
		issues.Report("main_site", "write Main", "is empty")
	}
	for _, kind := range slices.Sorted(maps.Keys(c.Fields)) {
		k, known := directory.ParseRecordKind(kind)
		r := resourceOf(k)
		if !known || r == nil || len(r.fields) == 0 && k != directory.TicketRecord {
			issues.Report("fields."+kind, "write customer, site, user, agent, licence, asset or ticket", "is no kind whose fields can be chosen")
			continue
		}
		for _, field := range slices.Sorted(maps.Keys(c.Fields[kind])) {
			if name := c.Fields[kind][field]; name != "" && !isProperty(name) {
				issues.Report("fields."+kind+"."+field, "write a property, such as notes, or customfields[CFName]", "is not the name of a property")
			}
		}
	}
	for path, n := range map[string]int{
		"module": c.Module, "top_level": c.TopLevel, "department": c.Department, "asset.type": c.Asset.Type, "asset.status": c.Asset.Status,
		"ticket.type": c.Ticket.Type, "ticket.template": c.Ticket.Template, "ticket.priority": c.Ticket.Priority,
	} {
		if n < 0 {
			issues.Report(path, "", "must not be negative")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Ticket.Types)) {
		if c.Ticket.Types[name] < 1 {
			issues.Report("ticket.types."+name, "write the number of the ticket type", "must be more than 0")
		}
	}
	if len(c.Ticket.Types) > 0 && c.Ticket.Type == 0 {
		issues.Report("ticket.type", "write the type of tickets that name none", "is missing")
	}
	if c.Page < 1 || c.Page > 1000 {
		issues.Report("page", "", "must be 1 to 1000")
	}
	if c.Parallel < 1 || c.Parallel > 8 {
		issues.Report("parallel", "", "must be 1 to 8")
	}
	if !(c.Rate > 0 && c.Rate <= 1000) {
		issues.Report("rate", "write how many requests a second the desk allows", "must be more than 0 and at most 1000")
	}
	return issues
}

func address(issues *settings.Issues, path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		issues.Report(path, "write https://HOST", "is not an http or https URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		issues.Report(path, "write https://HOST", "holds more than a host and a path")
	case path == "url" && strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api"):
		issues.Report(path, "leave out /api", "is not the address of the desk")
	}
}

func word(issues *settings.Issues, path, text string, words ...string) {
	if !slices.Contains(words, text) {
		issues.Report(path, "write "+strings.Join(words, " or "), "is none of the words that it can be")
	}
}

// isProperty reports whether a text can be the name of one: a switch, which begins with _, is none that an operator sets.
func isProperty(name string) bool {
	if inner, custom := customOf(name); custom {
		return inner != ""
	}
	for i, r := range name {
		if !(r >= 'a' && r <= 'z' || i > 0 && (r == '_' || r >= '0' && r <= '9')) {
			return false
		}
	}
	return name != "id" && name != "inactive" && name != "isdisabled" && name != "neversendemails" && name != "sendwelcomeemail"
}

// Advise warns of what others can read.
func (c *Config) Advise() []settings.Issue {
	var issues []settings.Issue
	for path, address := range map[string]string{"url": c.URL, "auth_url": c.AuthURL} {
		if u, err := url.Parse(address); err == nil && u.Scheme == "http" && !rest.Loopback(u.Hostname()) {
			issues = append(issues, settings.Issue{Path: path, Message: "people's data and the client's secret go to " + u.Hostname() + " in clear text", Hint: "write https://"})
		}
	}
	return issues
}

// place says which desk it is: two tenants may share an address.
func (c *Config) place() string {
	place := strings.TrimRight(c.URL, "/")
	if c.Tenant != "" {
		place += " tenant " + strconv.Quote(c.Tenant)
	}
	return place
}

// fieldsOf are the properties of a kind by the names of the records' fields.
func (c *Config) fieldsOf(r *resource) map[string]string {
	out := maps.Clone(r.fields)
	if out == nil {
		out = map[string]string{}
	}
	for field, name := range c.Fields[r.kind.String()] {
		if name == "" {
			delete(out, field)
		} else {
			out[field] = name
		}
	}
	return out
}
