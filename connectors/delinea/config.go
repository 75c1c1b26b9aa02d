package delinea

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// Config is the block `delinea:` of a connection.
type Config struct {
	// URL is the tenant, such as https://example.delinea.app or https://abc0123.my.centrify.net.
	URL string `yaml:"url"`
	// Product is platform or centrify: they differ in where tokens come from. It is said, not guessed.
	Product string `yaml:"product"`
	// ClientID and ClientSecret are those of a service user that may ask for tokens by itself.
	ClientID     string          `yaml:"client_id"`
	ClientSecret settings.Secret `yaml:"client_secret"`
	// Application is the id of the OAuth2 client application in a Centrify tenant.
	Application string `yaml:"application"`
	// Scope, TokenPath and BasePath are used in place of those of the product. BasePath stands before the paths of calls; "/" is none.
	Scope     string `yaml:"scope"`
	TokenPath string `yaml:"token_path"`
	BasePath  string `yaml:"base_path"`
	// NativeClient is the value of the header X-CENTRIFY-NATIVE-CLIENT, without which calls are refused as forged; empty: it is not sent.
	NativeClient string `yaml:"native_client"`

	rest.Network `yaml:",inline"`

	// PageSize is how many rows are asked for at once, and Limit what is sent as the argument of that name; 0: the page size.
	PageSize int `yaml:"page_size"`
	Limit    int `yaml:"limit"`
	// Table is User, people who have used the service, or DSUsers, those of all connected directories.
	Table string `yaml:"table"`
	// Attributes are further columns of the table, which appear as attributes.NAME.
	Attributes []string `yaml:"attributes"`
	// Fields names the columns that fill a common field of people, the first with a value first, in place of the usual ones.
	Fields   map[string]settings.Names `yaml:"fields"`
	Statuses StatusConfig              `yaml:"statuses"`
	// Roles reads roles as groups, and ScriptRoles those among them whose members the service computes.
	Roles       bool `yaml:"roles"`
	ScriptRoles bool `yaml:"script_roles"`
	// LastLogin fetches when people signed in last, which makes every sign-in a change.
	LastLogin bool `yaml:"last_login"`
}

// StatusConfig says what the statuses of users mean.
type StatusConfig struct {
	// Active are the values of StatusEnum that make a person of the table User enabled.
	Active []string `yaml:"active"`
}

// The products.
const (
	platform = "platform"
	centrify = "centrify"
)

// largestPage is what we ask for at once at most.
const largestPage = 10_000

// Defaults returns a configuration with the defaults set.
func Defaults() *Config {
	return &Config{
		Network: rest.Network{Timeout: settings.Duration(time.Minute)}, NativeClient: "Yes", PageSize: 1000, Table: tableUser, Roles: true,
		Statuses: StatusConfig{Active: []string{"Active", "Created", "Invited"}},
	}
}

// statuses are those of the table User (Delinea, table reference).
func statuses() []string { return []string{"Created", "Invited", "Active", "Suspended"} }

// Validate reports everything that is wrong with the block, without network I/O.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	report := issues.Report
	if _, problem, hint := tenantAddress(c.URL); problem != "" {
		report("url", hint, "%s", problem)
	}
	c.validateAccess(report)
	c.Network.Validate(report)
	if c.PageSize < 1 || c.PageSize > largestPage {
		report("page_size", "1000 is usual", "must be from 1 to %d", largestPage)
	}
	if c.Limit != 0 && c.Limit < c.PageSize {
		report("limit", "remove the key, or write how many rows a tenant may have", "is smaller than page_size")
	}
	if len(c.Statuses.Active) == 0 {
		report("statuses.active", "the usual ones are Active, Created, Invited", "must not be empty: nobody would be enabled")
	}
	if c.Table != tableUser && c.Table != tableDirectories {
		report("table", "write User, for people who have used the service, or DSUsers, for those of all connected directories", "is neither User nor DSUsers")
		return issues
	}
	c.validateColumns(report)
	return issues
}

func (c *Config) validateAccess(report settings.Reporter) {
	switch c.Product {
	case platform:
		if c.Application != "" {
			report("application", "remove it, or write product: centrify", "is for product: centrify alone")
		}
	case centrify:
		if c.Application == "" && c.TokenPath == "" {
			report("application", "write the Application ID of the OAuth2 client application in the tenant", "must not be empty with product: centrify")
		}
		if c.Scope == "" {
			report("scope", "write the name of a scope of the application that allows Redrock/query and SaasManage/GetRoleMembers", "must not be empty with product: centrify")
		}
	default:
		report("product", "write platform for https://NAME.delinea.app, or centrify for tenants such as https://ID.my.centrify.net", "must be platform or centrify")
	}
	if strings.ContainsAny(c.Application, "/?#% ") {
		report("application", "write the id alone", "is no id")
	}
	if c.ClientID == "" {
		report("client_id", "write the name of the service user", "must not be empty")
	}
	if c.ClientSecret.IsZero() {
		report("client_secret", "write {credential: NAME}, {file: PATH} or {env: NAME}", "must not be empty")
	}
	for key, path := range map[string]string{"token_path": c.TokenPath, "base_path": c.BasePath} {
		if u, err := url.Parse(path); path != "" && (err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || u.RawQuery != "" || u.Fragment != "") {
			report(key, "write it as /identity", "is not a path that begins with /")
		}
	}
	if strings.ContainsFunc(c.NativeClient, func(r rune) bool { return r < ' ' || r > '~' }) {
		report("native_client", "write Yes or true", "cannot be the value of a header")
	}
}

func (c *Config) validateColumns(report settings.Reporter) {
	check := func(path, name string) {
		if !isColumn(name) {
			report(path, "write a column as the table reference does, such as SourceDsType", "%q is not the name of a column", name)
		}
	}
	for i, name := range c.Attributes {
		check(fmt.Sprintf("attributes[%d]", i), name)
	}
	for _, field := range slices.Sorted(maps.Keys(c.Fields)) {
		if !takesColumn(field) {
			report("fields."+field, "fetch it with attributes, and read it as attributes.NAME", "%q is not a field that a column can fill", field)
		}
		for _, name := range c.Fields[field] {
			check("fields."+field, name)
		}
	}
}

// isColumn reports whether a text can stand in a script as the name of a column, and as nothing else.
func isColumn(name string) bool {
	letter := func(b byte) bool { return b == '_' || b|0x20 >= 'a' && b|0x20 <= 'z' }
	for i := range len(name) {
		if b := name[i]; !letter(b) && (i == 0 || b < '0' || b > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// takesColumn reports whether a common field of people is a text or list that a column may fill.
func takesColumn(name string) bool {
	if name == directory.FieldStatus || !slices.ContainsFunc(directory.FieldsOf(directory.Person), func(f directory.CommonField) bool { return f.Name == name }) {
		return false
	}
	f, _ := directory.LookupCommonField(name)
	return f.Type == directory.TextType || f.Type == directory.ListType
}

func (c *Config) tokenPath() string {
	switch {
	case c.TokenPath != "":
		return c.TokenPath
	case c.Product == centrify:
		return "/oauth2/token/" + c.Application
	default:
		return "/identity/api/oauth2/token/xpmplatform"
	}
}

// basePath is what stands before the paths of calls, without a slash at its end.
func (c *Config) basePath() string {
	switch {
	case c.BasePath != "":
		return strings.TrimRight(c.BasePath, "/")
	case c.Product == centrify:
		return ""
	default:
		return "/identity"
	}
}

func (c *Config) scope() string {
	if c.Scope == "" && c.Product == platform {
		return "xpmheadless"
	}
	return c.Scope
}

// method is how the client says who it is, in the words of RFC 7591.
func (c *Config) method() string {
	if c.Product == centrify {
		return "client_secret_basic"
	}
	return "client_secret_post"
}

// tenantAddress returns a tenant's address as scheme and host alone, or what is wrong with the text.
func tenantAddress(text string) (address, problem, hint string) {
	const usual = "write the tenant's own address, such as https://example.delinea.app"
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case text == "":
		return "", "must not be empty", usual
	case err != nil || u.Hostname() == "":
		return "", "is not an address", usual
	case u.User != nil:
		return "", "holds a user name", "give the credentials as client_id and client_secret"
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", "holds more than scheme and host", "write only https://" + u.Host + ", and what stands before the calls as base_path"
	case u.Scheme != "https" && (u.Scheme != "http" || !rest.Loopback(u.Hostname())):
		return "", "must begin with https://", "credentials are not sent in the clear, except to this very machine"
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), "", ""
}
