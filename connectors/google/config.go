package google

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// Config is the block `google:` of a connection.
type Config struct {
	rest.Network `yaml:",inline"`

	// Customer is the account that is read: my_customer, the account of the subject, or an id such as C01abc234.
	// A domain name is not taken: it would list one domain of several.
	Customer string `yaml:"customer"`
	// Customers are several accounts, each a tenant of its own. It takes the place of Customer.
	Customers []CustomerConfig `yaml:"customers"`
	// Reseller reads the customers of a reseller and what they have bought, as a tenant of its own. Directories are
	// then read of those Customers that are listed, and of no other account.
	Reseller bool `yaml:"reseller"`
	// Credentials is the text of a JSON key: of a service account with domain-wide delegation, or an
	// authorized_user document with a refresh token.
	Credentials settings.Secret `yaml:"credentials"`
	// Subject is the administrator that the service account acts as.
	Subject string `yaml:"subject"`
	// OAuth is the other way of signing in: a client of one's own with a refresh token.
	OAuth OAuthConfig `yaml:"oauth"`
	// Endpoint is the address of all of Google's services that are read, in place of their own.
	Endpoint string `yaml:"endpoint"`
	// TokenURI is where tokens come from, in place of what the key says.
	TokenURI string `yaml:"token_uri"`
	// Attributes are fetched besides the common fields: a name of Google's user resource (recoveryEmail), a part
	// of a list (organizations.costCenter, externalIds.account), or Schema.field of a custom schema.
	Attributes []string       `yaml:"attributes"`
	Users      UsersConfig    `yaml:"users"`
	Groups     GroupsConfig   `yaml:"groups"`
	Licences   LicencesConfig `yaml:"licences"`
	Devices    DevicesConfig  `yaml:"devices"`
	// Events says whether changes between two full reads are found in the admin audit log: auto does so when the
	// log may be read and reads everything when it may not, on fails when it may not, off reads everything.
	Events string `yaml:"events"`
	// Overlap is how far before the last read the log is read again: events may come late.
	Overlap settings.Duration `yaml:"overlap"`
	// Quota is how many requests Google allows a subject in a minute, Share the percentage of it that is used.
	Quota int `yaml:"quota"`
	Share int `yaml:"share"`
	// Parallel is how many requests of one stream are on their way at the same time.
	Parallel int `yaml:"parallel"`
}

// CustomerConfig is one account of several. What is empty comes from the block above.
type CustomerConfig struct {
	Customer    string          `yaml:"customer" strict:"required"`
	Name        string          `yaml:"name"`
	Domain      string          `yaml:"domain"`
	Credentials settings.Secret `yaml:"credentials"`
	Subject     string          `yaml:"subject"`
	OAuth       OAuthConfig     `yaml:"oauth"`
}

// OAuthConfig is an OAuth client and the consent of an administrator.
type OAuthConfig struct {
	ClientID     string          `yaml:"client_id"`
	ClientSecret settings.Secret `yaml:"client_secret"`
	RefreshToken settings.Secret `yaml:"refresh_token"`
}

func (o OAuthConfig) empty() bool {
	return o.ClientID == "" && o.ClientSecret.IsZero() && o.RefreshToken.IsZero()
}

// UsersConfig says which people are read.
type UsersConfig struct {
	// OrgUnits are paths; people in and below them are read. Empty: everybody.
	OrgUnits []string `yaml:"org_units"`
	// Query is a search in Google's own language. With one, people are always read in full: nobody but Google
	// can tell whether somebody matches it.
	Query string `yaml:"query"`
	// IncludeSuspended and IncludeArchived read accounts in these states, too. They are not enabled.
	IncludeSuspended bool `yaml:"include_suspended"`
	IncludeArchived  bool `yaml:"include_archived"`
	// LastLogin reads when somebody last signed in, which makes nearly everybody change every day.
	LastLogin bool `yaml:"last_login"`
}

// GroupsConfig says whether groups are read.
type GroupsConfig struct {
	Read bool `yaml:"read"`
	// Organisation makes a group of the whole account, for groups that have the whole account as their member.
	Organisation bool `yaml:"organisation"`
	// Counts: lists of members are held against the number of members that Google counts.
	Counts bool `yaml:"counts"`
}

// LicencesConfig names the products whose licences are read. Empty: none.
type LicencesConfig struct {
	Products []string `yaml:"products"`
}

// DevicesConfig says which devices are read.
type DevicesConfig struct {
	ChromeOS bool `yaml:"chromeos"`
	Mobile   bool `yaml:"mobile"`
	// LastSeen reads when a device last synchronized, which makes nearly every device change every day.
	LastSeen bool `yaml:"last_seen"`
}

// The words of Events.
const (
	eventsAuto = "auto"
	eventsOn   = "on"
	eventsOff  = "off"
)

const myCustomer = "my_customer"

// Defaults returns a configuration with the defaults set.
func Defaults() *Config {
	return &Config{
		Network:  rest.Network{Timeout: settings.Duration(time.Minute)},
		Customer: myCustomer, Events: eventsAuto, Overlap: settings.Duration(30 * time.Minute),
		Users:  UsersConfig{IncludeSuspended: true, IncludeArchived: true},
		Groups: GroupsConfig{Read: true, Organisation: true, Counts: true},
		Quota:  2400, Share: 50, Parallel: 8,
	}
}

var customerID = regexp.MustCompile(`^C[0-9a-zA-Z_-]+$`)

// Validate reports everything that is wrong with the block, without network I/O.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	c.validateCustomers(issues.Report)
	c.validateAddresses(issues.Report)
	c.validateReading(issues.Report)
	return issues
}

const customerHint = "write my_customer, or the customer id that the Admin console shows under Account, such as C01abc234"

func (c *Config) validateCustomers(report settings.Reporter) {
	if c.Reseller {
		if c.Customer != myCustomer && c.Customer != "" {
			report("customer", "put it on the list customers, or leave it out", "cannot stand beside reseller")
		}
		validateSignIn(report, "", c.Credentials, c.Subject, c.OAuth)
	}
	if len(c.Customers) == 0 && !c.Reseller {
		if c.Customer != myCustomer && !customerID.MatchString(c.Customer) {
			report("customer", customerHint, "%q is not a customer", c.Customer)
		}
		validateSignIn(report, "", c.Credentials, c.Subject, c.OAuth)
		return
	}
	if c.Customer != myCustomer && c.Customer != "" && !c.Reseller {
		report("customer", "leave it out, or put it on the list", "cannot stand beside customers")
	}
	seen := map[string]bool{}
	for i, one := range c.Customers {
		path := fmt.Sprintf("customers[%d]", i)
		switch {
		case !customerID.MatchString(one.Customer):
			report(path+".customer", "among several customers each needs its id, such as C01abc234", "%q is not a customer id", one.Customer)
		case seen[one.Customer]:
			report(path+".customer", "name every customer once", "customer %s is named twice", one.Customer)
		}
		seen[one.Customer] = true
		p := c.party(one)
		validateSignIn(report, path+".", p.credentials, p.subject, p.oauth)
	}
}

func validateSignIn(report settings.Reporter, path string, credentials settings.Secret, subject string, oauth OAuthConfig) {
	const adminHint = "write the address of an administrator of the account, such as sync@example.com"
	switch {
	case credentials.IsZero() && oauth.empty():
		report(path+"credentials", "write {file: KEY.json} with the key of a service account, or fill in oauth", "must not be empty")
	case !credentials.IsZero() && !oauth.empty():
		report(path+"oauth", "leave out one of the two", "cannot stand beside credentials")
	case !oauth.empty():
		if oauth.ClientID == "" || oauth.ClientSecret.IsZero() || oauth.RefreshToken.IsZero() {
			report(path+"oauth", "set all three", "needs client_id, client_secret and refresh_token")
		}
		if subject != "" {
			report(path+"subject", "remove it: a refresh token belongs to the account that gave it", "cannot stand beside oauth")
		}
	default:
		k, err := parseKey(credentials)
		switch {
		case err != nil:
			report(path+"credentials", "download a JSON key of the service account, and give it as {file: KEY.json}", "%v", err)
		case k.Type == typeServiceAccount && !strings.Contains(subject, "@"):
			report(path+"subject", adminHint, "a service account reads the directory in an administrator's name; there is no address")
		case k.Type == typeAuthorizedUser && subject != "":
			report(path+"subject", "remove it: a refresh token belongs to the account that gave it", "cannot stand beside the key of a person")
		}
	}
}

func (c *Config) validateAddresses(report settings.Reporter) {
	for _, a := range []struct{ path, text string }{{"endpoint", c.Endpoint}, {"token_uri", c.TokenURI}} {
		if a.text == "" {
			continue
		}
		if why := badAddress(a.text); why != "" {
			report(a.path, "write https://HOST/", "%s", why)
		}
	}
	c.Network.Validate(report)
}

// badAddress says what is wrong with an address that tokens are sent to. Without encryption it may only be this
// machine itself.
func badAddress(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "not an https:// address"
	case u.User != nil:
		return "the address holds a user"
	case u.RawQuery != "" || u.Fragment != "":
		return "the address has a query"
	case u.Scheme == "http" && !rest.Loopback(u.Hostname()):
		return "tokens would travel unencrypted"
	}
	return ""
}

func (c *Config) validateReading(report settings.Reporter) {
	for i, name := range c.Attributes {
		path := fmt.Sprintf("attributes[%d]", i)
		if _, err := parseAttribute(name); err != nil {
			report(path, "write a field of Google's user resource, or Schema.field of a custom schema", "%v", err)
		}
		if slices.Index(c.Attributes, name) < i {
			report(path, "remove it", "%q is named twice", name)
		}
	}
	for i, path := range c.Users.OrgUnits {
		if !strings.HasPrefix(path, "/") || len(path) > 1 && strings.HasSuffix(path, "/") || strings.Contains(path, "//") {
			report(fmt.Sprintf("users.org_units[%d]", i), "write it as the Admin console shows it, such as /Staff/London", "%q is not the path of an org unit", path)
		}
	}
	for i, product := range c.Licences.Products {
		path := fmt.Sprintf("licences.products[%d]", i)
		if product == "" || strings.ContainsAny(product, "/?# ") {
			report(path, "write a product id, such as Google-Apps or 101031", "%q is not a product id", product)
		}
		if slices.Index(c.Licences.Products, product) < i {
			report(path, "remove it", "%q is named twice", product)
		}
	}
	if !slices.Contains([]string{"", eventsAuto, eventsOn, eventsOff}, c.Events) {
		report("events", "one of auto, on, off", "unknown word %q", c.Events)
	}
	if c.Overlap.Std() < 10*time.Minute || c.Overlap.Std() > 7*24*time.Hour {
		report("overlap", "30m is usual: events come minutes late", "must be from 10m to 7d")
	}
	for _, n := range []struct {
		path        string
		value, most int
		hint        string
	}{
		{"quota", c.Quota, 100_000_000, "Google allows 2400 requests a minute unless it was raised"},
		{"share", c.Share, 100, "it is a percentage"},
		{"parallel", c.Parallel, 64, "8 is usual"},
	} {
		if n.value < 1 || n.value > n.most {
			report(n.path, n.hint, "must be from 1 to %d", n.most)
		}
	}
}

// party is who signs in for which account.
type party struct {
	customer, name, domain string
	credentials            settings.Secret
	subject                string
	oauth                  OAuthConfig
}

// party fills in what a customer of several leaves to the block above.
func (c *Config) party(one CustomerConfig) party {
	p := party{one.Customer, one.Name, one.Domain, one.Credentials, one.Subject, one.OAuth}
	if p.credentials.IsZero() && p.oauth.empty() {
		p.credentials, p.oauth = c.Credentials, c.OAuth
	}
	if p.subject == "" && p.oauth.empty() {
		p.subject = c.Subject
	}
	return p
}

// parties lists every account whose directory is read. A single one has no name; a reseller's own is none of them
// unless it is on the list.
func (c *Config) parties() []party {
	if len(c.Customers) == 0 && !c.Reseller {
		return []party{c.party(CustomerConfig{Customer: c.Customer})}
	}
	list := make([]party, len(c.Customers))
	for i, one := range c.Customers {
		list[i] = c.party(one)
	}
	return list
}

// The kinds of key that are understood.
const (
	typeServiceAccount = "service_account"
	typeAuthorizedUser = "authorized_user"
)

// key is a JSON key as Google's consoles and tools write it.
type key struct {
	Type         string `json:"type"`
	ClientEmail  string `json:"client_email"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"`
	TokenURI     string `json:"token_uri"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`
}

// parseKey reads a key. No error quotes it.
func parseKey(s settings.Secret) (*key, error) {
	var k key
	if err := json.Unmarshal([]byte(s.Reveal()), &k); err != nil {
		return nil, fmt.Errorf("the key is not JSON")
	}
	switch {
	case k.Type == typeServiceAccount && k.ClientEmail != "" && strings.Contains(k.PrivateKey, "PRIVATE KEY"):
	case k.Type == typeAuthorizedUser && k.ClientID != "" && k.ClientSecret != "" && k.RefreshToken != "":
	case k.Type == typeServiceAccount || k.Type == typeAuthorizedUser:
		return nil, fmt.Errorf("the key is incomplete")
	default:
		return nil, fmt.Errorf("the key is neither of a service account nor an authorized_user document")
	}
	if k.TokenURI != "" {
		if why := badAddress(k.TokenURI); why != "" {
			return nil, fmt.Errorf("token_uri in the key: %s", why)
		}
	}
	return &k, nil
}
