package okta

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// Config is the block `okta:` of a connection.
type Config struct {
	// URL is the org's own address, such as https://example.okta.com.
	URL string `yaml:"url"`
	// Token is an API token (SSWS). Either it or an OAuth service app is given.
	Token settings.Secret `yaml:"token"`
	// ClientID and PrivateKey are those of an OAuth service app: the key is RSA, in PEM. KeyID names it among
	// several. Scopes are asked for in place of those that the configuration needs.
	ClientID   string          `yaml:"client_id"`
	PrivateKey settings.Secret `yaml:"private_key"`
	KeyID      string          `yaml:"key_id"`
	Scopes     []string        `yaml:"scopes"`

	rest.Network `yaml:",inline"`

	// Share is the percentage of each of the org's rate limits that may be used up; what is left of it is for
	// the org's other tools.
	Share int `yaml:"share"`
	// Parallel is how many groups have their members read at once.
	Parallel int `yaml:"parallel"`
	// Attributes are names of profile attributes that appear as attributes.NAME.
	Attributes []string `yaml:"attributes"`
	// Fields names the profile attributes that fill a common field of people, the first with a value first, in
	// place of the usual ones. The key manager names the attribute that says who the manager is.
	Fields   map[string]Names `yaml:"fields"`
	Statuses StatusConfig     `yaml:"statuses"`
	Users    UsersConfig      `yaml:"users"`
	Groups   GroupsConfig     `yaml:"groups"`
	// Apps reads the org's active applications and who has them, as groups named app:LABEL.
	Apps bool `yaml:"apps"`
	// Log reads the System Log for deletions and memberships between full reads.
	Log bool `yaml:"log"`
	// LastLogin fetches when people signed in last, which makes every sign-in a change.
	LastLogin bool `yaml:"last_login"`
}

// StatusConfig says what the statuses of users mean.
type StatusConfig struct {
	// Active are the statuses that make a person enabled.
	Active []string `yaml:"active"`
}

// UsersConfig narrows who is read.
type UsersConfig struct {
	// Filter and Search are expressions of the list of users; one of them at most.
	Filter string `yaml:"filter"`
	Search string `yaml:"search"`
}

// GroupsConfig narrows which groups are read.
type GroupsConfig struct {
	// Types are OKTA_GROUP, APP_GROUP and BUILT_IN; empty: all.
	Types []string `yaml:"types"`
	// Filter is an expression of the list of groups.
	Filter string `yaml:"filter"`
}

// Names is one text or a list of texts.
type Names = settings.Names

// Defaults returns a configuration with the defaults set.
func Defaults() *Config {
	return &Config{
		Network: rest.Network{Timeout: settings.Duration(time.Minute)},
		Share:   50, Parallel: 4, Log: true,
		Statuses: StatusConfig{Active: []string{"ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT"}},
	}
}

// statuses are all that a user can have (Okta, User object).
func statuses() []string {
	return []string{
		"STAGED", "PROVISIONED", "ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "SUSPENDED", statusDeprovisioned,
	}
}

const statusDeprovisioned = "DEPROVISIONED"

// groupTypes are all that a group can have (Okta, Group object).
func groupTypes() []string { return []string{"OKTA_GROUP", "APP_GROUP", typeBuiltIn} }

const typeBuiltIn = "BUILT_IN"

// managerField is the key of Config.Fields that names a link rather than a common field.
const managerField = "manager"

// Validate reports everything that is wrong with the block, without network I/O.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	report := issues.Report
	if _, problem, hint := orgAddress(c.URL); problem != "" {
		report("url", hint, "%s", problem)
	}
	c.validateCredentials(report)
	if c.Share < 1 || c.Share > 100 {
		report("share", "50 leaves half of every limit to the org's other tools", "must be from 1 to 100")
	}
	if c.Parallel < 1 || c.Parallel > 16 {
		report("parallel", "4 is plenty; an org takes 35 to 75 requests at once from all its tools together", "must be from 1 to 16")
	}
	c.Network.Validate(report)
	c.validateWords(report)
	c.validateAttributes(report)
	return issues
}

func (c *Config) validateCredentials(report settings.Reporter) {
	app := c.ClientID != "" || !c.PrivateKey.IsZero()
	switch {
	case c.Token.IsZero() && !app:
		report("token", "give an API token, or client_id and private_key of an OAuth service app", "must not be empty")
	case !c.Token.IsZero() && app:
		report("token", "keep one of the two", "is given together with an OAuth service app")
	case app && c.ClientID == "":
		report("client_id", "write the Client ID of the service app", "must not be empty together with private_key")
	case app && c.PrivateKey.IsZero():
		report("private_key", "give the app's RSA private key in PEM: {file: key.pem}", "must not be empty together with client_id")
	case app:
		if _, problem := parseKey(c.PrivateKey.Reveal()); problem != "" {
			report("private_key", "Okta shows it once, as PEM, when the key is made in the app: Client Credentials, Public key / Private key", "%s", problem)
		}
	}
	if strings.ContainsAny(c.Token.Reveal(), " \t\r\n") {
		report("token", "remove the blank; the word SSWS does not belong to it either", "holds a blank or a line break")
	}
}

func (c *Config) validateWords(report settings.Reporter) {
	if len(c.Statuses.Active) == 0 {
		report("statuses.active", "the usual ones are ACTIVE, RECOVERY, PASSWORD_EXPIRED, LOCKED_OUT", "must not be empty: nobody would be enabled")
	}
	for i, s := range c.Statuses.Active {
		if !slices.Contains(statuses(), s) {
			report(fmt.Sprintf("statuses.active[%d]", i), "one of "+strings.Join(statuses(), ", "), "unknown status %q", s)
		}
	}
	for i, t := range c.Groups.Types {
		if !slices.Contains(groupTypes(), t) {
			report(fmt.Sprintf("groups.types[%d]", i), "one of "+strings.Join(groupTypes(), ", "), "unknown type %q", t)
		}
	}
	if c.Users.Filter != "" && c.Users.Search != "" {
		report("users", "search knows every attribute, filter is up to date", "takes filter or search, not both")
	}
	for _, e := range []struct{ path, text string }{
		{"users.filter", c.Users.Filter}, {"users.search", c.Users.Search}, {"groups.filter", c.Groups.Filter},
	} {
		if problem := unbalanced(e.text); problem != "" {
			report(e.path, `write it as Okta does: profile.department eq "Sales"`, "%s", problem)
		}
	}
}

// unbalanced says what keeps an expression from standing as a term of a larger one.
func unbalanced(text string) string {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case quoted:
		case text[i] == '(':
			depth++
		case text[i] == ')':
			if depth--; depth < 0 {
				return "a parenthesis is closed that was not opened"
			}
		}
	}
	switch {
	case quoted:
		return "a quotation mark is not closed"
	case depth > 0:
		return "a parenthesis is not closed"
	case text != "" && strings.TrimSpace(text) == "":
		return "is blank"
	default:
		return ""
	}
}

func (c *Config) validateAttributes(report settings.Reporter) {
	check := func(path, name string) {
		if name == "" || strings.ContainsAny(name, " .\"") {
			report(path, "write the variable name that the Profile Editor shows, such as employeeNumber", "%q is not the name of a profile attribute", name)
		}
	}
	for i, name := range c.Attributes {
		check(fmt.Sprintf("attributes[%d]", i), name)
	}
	for _, field := range slices.Sorted(maps.Keys(c.Fields)) {
		if !takesProfile(field) && field != managerField {
			report("fields."+field, "fetch it with attributes, and read it as attributes.NAME", "%q is not a field that the profile can fill", field)
		}
		for _, name := range c.Fields[field] {
			check("fields."+field, name)
		}
	}
}

// takesProfile reports whether a common field of people is a text or list that an attribute of the profile may fill.
func takesProfile(name string) bool {
	if name == directory.FieldStatus || !slices.ContainsFunc(directory.FieldsOf(directory.Person), func(f directory.CommonField) bool { return f.Name == name }) {
		return false
	}
	f, _ := directory.LookupCommonField(name)
	return f.Type == directory.TextType || f.Type == directory.ListType
}

// scopes are the OAuth scopes to ask for.
func (c *Config) scopes() []string {
	if len(c.Scopes) > 0 {
		return c.Scopes
	}
	list := []string{"okta.users.read", "okta.groups.read"}
	if c.Apps {
		list = append(list, "okta.apps.read")
	}
	if c.Log {
		list = append(list, "okta.logs.read")
	}
	return list
}

// attributesOf returns which attributes fill which field of people, sorted by field.
func (c *Config) attributesOf() []fieldSource {
	names := usualFields()
	for field, attributes := range c.Fields {
		names[field] = attributes
	}
	list := make([]fieldSource, 0, len(names))
	for field, attributes := range names {
		f, _ := directory.LookupCommonField(field)
		list = append(list, fieldSource{field, attributes, f.Type == directory.ListType})
	}
	slices.SortFunc(list, func(a, b fieldSource) int { return cmp.Compare(a.field, b.field) })
	return list
}

// fieldSource says where a field comes from.
type fieldSource struct {
	field      string
	attributes []string
	list       bool
}

// usualFields are the base attributes of Okta's user profile (Okta, User profile) by common field.
func usualFields() map[string]Names {
	return map[string]Names{
		directory.FieldLogin: {"login"}, directory.FieldName: {"displayName"}, directory.FieldGivenName: {"firstName"},
		directory.FieldFamilyName: {"lastName"}, directory.FieldEmail: {"email"}, directory.FieldEmails: {"email"},
		directory.FieldTitle: {"title"}, directory.FieldDepartment: {"department"}, directory.FieldCompany: {"organization"},
		directory.FieldPhone: {"primaryPhone"}, directory.FieldMobile: {"mobilePhone"}, directory.FieldStreet: {"streetAddress"},
		directory.FieldCity: {"city"}, directory.FieldState: {"state"}, directory.FieldPostalCode: {"zipCode"},
		directory.FieldCountry: {"countryCode"}, directory.FieldLanguage: {"preferredLanguage"},
		directory.FieldEmployeeID: {"employeeNumber"}, directory.FieldEmployeeType: {"userType"}, managerField: {"managerId"},
	}
}
