package scim

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// Config is the block `scim:` of a target.
type Config struct {
	// URL is the base URL of the service (RFC 7644 section 1.3): what stands before /Users.
	URL string `yaml:"url"`
	// Token is sent as a bearer token (RFC 6750). Either it or OAuth is given.
	Token settings.Secret `yaml:"token"`
	// OAuth gets tokens by client credentials.
	OAuth *rest.ClientCredentials `yaml:"oauth"`

	rest.Network `yaml:",inline"`

	// Username are the fields of a record that become userName: the first that has a value.
	Username settings.Names `yaml:"username"`
	// Fields says which attribute takes a field of users, beside the usual ones or in their place; "" takes none.
	Fields map[string]string `yaml:"fields"`
	// Updates says how a resource is changed: auto (patch, and put where the service does not know it), patch, put.
	Updates string `yaml:"updates"`
	// Filter says whether the service's filters are used: auto (what was measured), or never.
	Filter string `yaml:"filter"`
	// Page is how many resources are asked for at a time; Chunk how many members one request changes.
	Page  int `yaml:"page"`
	Chunk int `yaml:"chunk"`
	// Rate is how many requests are sent a second, Parallel how many at a time.
	Rate     float64 `yaml:"rate"`
	Parallel int     `yaml:"parallel"`
}

func defaults() *Config {
	return &Config{
		Network:  rest.Network{Timeout: settings.Duration(time.Minute)},
		Username: settings.Names{"login", "email"},
		Updates:  "auto", Filter: "auto", Page: 100, Chunk: 100, Rate: 5, Parallel: 2,
	}
}

// Validate reports what is wrong with the block.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		issues.Report("url", "write https://HOST/PATH, without /Users", "is not an http or https URL")
	} else if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		issues.Report("url", "write https://HOST/PATH, without /Users", "holds more than a host and a path")
	}
	switch {
	case c.Token.IsZero() && c.OAuth == nil:
		issues.Report("token", "write {credential: NAME}, {file: PATH} or {env: NAME}, or give oauth", "is missing")
	case !c.Token.IsZero() && c.OAuth != nil:
		issues.Report("oauth", "give one of them", "goes not together with token")
	}
	if c.OAuth != nil {
		c.OAuth.Validate(func(path, hint, format string, args ...any) { issues.Report("oauth."+path, hint, format, args...) })
	}
	c.Network.Validate(issues.Report)
	if len(c.Username) == 0 {
		issues.Report("username", "write [login, email]", "must name at least one field of the records")
	}
	for _, field := range slices.Sorted(maps.Keys(c.Fields)) {
		if _, err := parseAttribute(c.Fields[field]); err != nil && c.Fields[field] != "" {
			issues.Report("fields."+field, "write title, name.givenName, emails[work] or URN:department", "%s", err)
		}
	}
	if !slices.Contains([]string{"auto", "patch", "put"}, c.Updates) {
		issues.Report("updates", "write auto, patch or put", "must be one of three words")
	}
	if c.Filter != "auto" && c.Filter != "never" {
		issues.Report("filter", "write auto or never", "must be one of two words")
	}
	between(&issues, "page", c.Page, 1, 10000)
	between(&issues, "chunk", c.Chunk, 1, 10000)
	between(&issues, "parallel", c.Parallel, 1, 32)
	if !(c.Rate > 0 && c.Rate <= 1000) {
		issues.Report("rate", "write how many requests a second the service allows", "must be more than 0 and at most 1000")
	}
	return issues
}

func between(issues *settings.Issues, path string, n, least, most int) {
	if n < least || n > most {
		issues.Report(path, "", "must be %d to %d", least, most)
	}
}

// Advise warns of what others can read.
func (c *Config) Advise() []settings.Issue {
	if u, err := url.Parse(c.URL); err == nil && u.Scheme == "http" && !rest.Loopback(u.Hostname()) {
		return []settings.Issue{{Path: "url", Message: "people's data and the token go to " + u.Hostname() + " in clear text", Hint: "write https://"}}
	}
	return nil
}

// enterprise is the schema of the enterprise extension (RFC 7643 section 4.3).
const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// usual are the attributes (RFC 7643 section 4.1) that take the common fields of a person.
func usual() map[string]string {
	return map[string]string{
		directory.FieldName: "displayName", directory.FieldGivenName: "name.givenName", directory.FieldFamilyName: "name.familyName",
		directory.FieldEmail: "emails[work]", directory.FieldPhone: "phoneNumbers[work]", directory.FieldMobile: "phoneNumbers[mobile]",
		directory.FieldTitle: "title", directory.FieldLanguage: "preferredLanguage",
		directory.FieldDepartment: enterprise + ":department", directory.FieldCompany: enterprise + ":organization",
		directory.FieldEmployeeID: enterprise + ":employeeNumber",
	}
}

// attributes are those of users by the names of the records' fields.
func (c *Config) attributes() map[string]attribute {
	names := usual()
	maps.Copy(names, c.Fields)
	out := make(map[string]attribute, len(names))
	for field, name := range names {
		if a, err := parseAttribute(name); err == nil {
			out[field] = a
		}
	}
	return out
}
