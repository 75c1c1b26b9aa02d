package csp

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors/entra"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// App is an application registration and what proves that it is the one that asks: exactly one of ClientSecret,
// Certificate and FederatedTokenFile.
type App struct {
	ClientID            string          `yaml:"client_id"`
	ClientSecret        settings.Secret `yaml:"client_secret"`
	Certificate         settings.Path   `yaml:"certificate"` // PEM or PKCS #12 with the private key
	CertificatePassword settings.Secret `yaml:"certificate_password"`
	FederatedTokenFile  settings.Path   `yaml:"federated_token_file"`
}

// Config is the block `csp:` of a connection.
type Config struct {
	// Tenant is the partner's own directory, a GUID.
	Tenant string `yaml:"tenant"`
	// Name is what the partner's own tenant is called.
	Name string `yaml:"name"`

	// App reads the customers' directories. It is the multi-tenant application of the two-application model, and
	// the only one where PartnerApp is left out.
	App `yaml:",inline"`
	// PartnerApp reads Partner Center and the partner's own directory.
	PartnerApp App `yaml:"partner_app"`
	// RefreshTokenFile holds the refresh token of a partner's user who has signed in to the partner application (the
	// secure application model). The file is rewritten whenever the service renews the token.
	RefreshTokenFile settings.Path `yaml:"refresh_token_file"`
	// CustomerAccess is application (every customer consents to the application) or delegated (with the refresh
	// token, by consent through Partner Center and GDAP).
	CustomerAccess string `yaml:"customer_access"`

	Cloud         string `yaml:"cloud"` // global, usgov, usgovdod or china
	Authority     string `yaml:"authority"`
	Graph         string `yaml:"graph"`
	PartnerCenter string `yaml:"partner_center"`
	// PartnerCenterScope is what tokens for Partner Center are asked for.
	PartnerCenterScope string `yaml:"partner_center_scope"`

	// Sources are the lists of customers that are read: partner_center, gdap, contracts.
	Sources []string `yaml:"sources"`
	// Incomplete says what happens when one of several sources fails: refuse lists no customers at all, keep goes
	// on with the others and with what the failed one said last.
	Incomplete string `yaml:"incomplete"`
	// Include limits the connection to these customers, Exclude leaves customers out: tenant ids and domains.
	Include []string `yaml:"include"`
	Exclude []string `yaml:"exclude"`
	// NewTenants takes in every customer that a source lists. Otherwise only those of Include and Customers are.
	NewTenants bool `yaml:"new_tenants"`
	// Customers gives customers another name: tenant id to name.
	Customers map[string]string `yaml:"customers"`
	// CustomerDetails asks Partner Center for every customer's domains and address, one request each.
	CustomerDetails bool `yaml:"customer_details"`
	// Subscriptions adds terms and ends of subscriptions to licences, two requests per customer.
	Subscriptions bool `yaml:"subscriptions"`

	Groups         bool          `yaml:"groups"`
	Licences       bool          `yaml:"licences"`
	Devices        bool          `yaml:"devices"`
	DeviceLastSeen bool          `yaml:"device_last_seen"`
	Manager        bool          `yaml:"manager"`
	GroupOwners    bool          `yaml:"group_owners"`
	LeaveDate      bool          `yaml:"leave_date"`
	SignInActivity bool          `yaml:"sign_in_activity"`
	Photos         bool          `yaml:"photos"`
	Attributes     []string      `yaml:"attributes"`
	LicenceNames   settings.Path `yaml:"licence_names"`

	// Parallel is how many requests are under way at the same time at most, over all tenants.
	Parallel int `yaml:"parallel"`
	// Share is the part of the services' quotas that may be used, in percent.
	Share int `yaml:"share"`

	rest.Network `yaml:",inline"`
}

// Words of the configuration.
const (
	sourcePartnerCenter = "partner_center"
	sourceGDAP          = "gdap"
	sourceContracts     = "contracts"

	accessApplication = "application"
	accessDelegated   = "delegated"

	incompleteRefuse = "refuse"
	incompleteKeep   = "keep"
)

func sourceNames() []string { return []string{sourcePartnerCenter, sourceGDAP, sourceContracts} }

// Defaults returns a configuration with the defaults set.
func Defaults() *Config {
	return &Config{
		Name: "Partner", Cloud: "global", CustomerAccess: accessApplication, Sources: []string{sourcePartnerCenter, sourceGDAP},
		Incomplete: incompleteRefuse, NewTenants: true, Subscriptions: true, Groups: true, Licences: true, Manager: true,
		Parallel: 8, Share: 50, Network: rest.Network{Timeout: settings.Duration(time.Minute)},
	}
}

// partnerApp is the application that asks as the partner.
func (c *Config) partnerApp() App {
	if c.PartnerApp.ClientID == "" {
		return c.App
	}
	return c.PartnerApp
}

func (c *Config) has(source string) bool { return slices.Contains(c.Sources, source) }

// services returns where to sign in, and where Graph and Partner Center are, and what tokens for the latter are asked
// for ("Partner Center REST URLs").
func (c *Config) services() (authority, graph, partnerCenter, scope string) {
	authority, graph, _ = entra.Cloud(c.Cloud)
	partnerCenter = "https://api.partnercenter.microsoft.com"
	if c.Cloud == "china" {
		partnerCenter = "https://partner.partnercenterapi.microsoftonline.cn"
	}
	scope = partnerCenter + "/.default"
	set := func(into *string, text string) {
		if text != "" {
			*into = strings.TrimRight(text, "/")
		}
	}
	set(&authority, c.Authority)
	set(&graph, c.Graph)
	set(&partnerCenter, c.PartnerCenter)
	set(&scope, c.PartnerCenterScope)
	return authority, graph, partnerCenter, scope
}

var (
	tenantID     = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	tenantDomain = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$`)
)

// Validate reports everything that is wrong with the block, without network I/O.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	report := issues.Report
	c.validateIdentity(report)
	c.validateServices(report)
	c.validateCustomers(report)
	for i, name := range c.Attributes {
		if message, hint := entra.CheckAttribute(name); message != "" {
			report(fmt.Sprintf("attributes[%d]", i), hint, "%s", message)
		}
	}
	if c.DeviceLastSeen && !c.Devices {
		report("device_last_seen", "set devices: true, or remove it", "needs devices")
	}
	if c.Parallel < 1 || c.Parallel > 256 {
		report("parallel", "8 suits most", "must be from 1 to 256")
	}
	if c.Share < 1 || c.Share > 100 {
		report("share", "write a percentage, such as 50", "must be from 1 to 100")
	}
	c.Network.Validate(report)
	return issues
}

func (c *Config) validateIdentity(report settings.Reporter) {
	if !tenantID.MatchString(c.Tenant) {
		report("tenant", "write the directory (tenant) id of your own tenant: it is in the overview of Entra ID", "must be a GUID")
	}
	if c.Name == "" {
		report("name", "write your company's name", "must not be empty")
	}
	// With a refresh token for everything the partner application is the only one.
	if c.CustomerAccess != accessDelegated || c.PartnerApp.ClientID == "" {
		c.App.validate("", c.Tenant, report)
	}
	if c.PartnerApp != (App{}) {
		c.PartnerApp.validate("partner_app.", c.Tenant, report)
	}
	switch c.CustomerAccess {
	case accessApplication:
	case accessDelegated:
		if c.RefreshTokenFile == "" {
			report("refresh_token_file", "delegated access acts for a user, who signs in once and leaves a refresh token", "must not be empty")
		}
	default:
		report("customer_access", "application or delegated", "unknown word %q", c.CustomerAccess)
	}
}

func (a *App) validate(prefix, tenant string, report settings.Reporter) {
	switch {
	case a.ClientID == "":
		report(prefix+"client_id", "write the application (client) id of the app registration, a GUID", "must not be empty")
	case !tenantID.MatchString(a.ClientID):
		report(prefix+"client_id", "write the application (client) id of the app registration, not its name", "is not a GUID")
	case strings.EqualFold(a.ClientID, tenant):
		report(prefix+"client_id", "the overview of the app registration shows both ids", "is the same as tenant")
	}
	const hint = "set one of client_secret, certificate, federated_token_file"
	var given []string
	for _, one := range []struct {
		key string
		is  bool
	}{
		{"client_secret", !a.ClientSecret.IsZero()}, {"certificate", a.Certificate != ""}, {"federated_token_file", a.FederatedTokenFile != ""},
	} {
		if one.is {
			given = append(given, one.key)
		}
	}
	switch {
	case len(given) == 0:
		report(prefix+"client_secret", hint, "nothing proves who asks")
	case len(given) > 1:
		report(prefix+given[1], hint, "cannot be used together with %s", given[0])
	}
	if !a.CertificatePassword.IsZero() && a.Certificate == "" {
		report(prefix+"certificate_password", "set certificate, or remove it", "needs certificate")
	}
}

func (c *Config) validateServices(report settings.Reporter) {
	if _, _, ok := entra.Cloud(c.Cloud); !ok {
		report("cloud", "one of "+strings.Join(entra.CloudNames(), ", "), "unknown cloud %q", c.Cloud)
	}
	for _, service := range []struct{ key, text, example string }{
		{"authority", c.Authority, "https://login.microsoftonline.com"}, {"graph", c.Graph, "https://graph.microsoft.com"},
		{"partner_center", c.PartnerCenter, "https://api.partnercenter.microsoft.com"},
	} {
		if service.text == "" {
			continue
		}
		u, err := url.Parse(service.text)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
			report(service.key, "write an address such as "+service.example, "must be an https:// address without user and options")
		case strings.Trim(u.Path, "/") != "":
			report(service.key, "write it without a version and without a tenant, such as "+service.example, "must be an address without a path")
		}
	}
	if (c.Authority == "") != (c.Graph == "") {
		report("authority", "the two services of a cloud belong together", "set both authority and graph, or neither")
	}
	if c.Cloud == "china" && (c.has(sourceGDAP) || c.CustomerAccess == accessDelegated) {
		report("sources", "set sources: [partner_center]", "gdap exists in the global cloud and in those of the US government only")
	}
}

func (c *Config) validateCustomers(report settings.Reporter) {
	if len(c.Sources) == 0 {
		report("sources", "one or more of "+strings.Join(sourceNames(), ", "), "must not be empty")
	}
	for i, s := range c.Sources {
		if !slices.Contains(sourceNames(), s) {
			report(fmt.Sprintf("sources[%d]", i), "one of "+strings.Join(sourceNames(), ", "), "unknown source %q", s)
		} else if slices.Index(c.Sources, s) < i {
			report(fmt.Sprintf("sources[%d]", i), "remove it", "%s is listed twice", s)
		}
	}
	if c.Incomplete != incompleteRefuse && c.Incomplete != incompleteKeep {
		report("incomplete", "refuse or keep", "unknown word %q", c.Incomplete)
	}
	const hint = "write a tenant id, or a whole domain of the tenant such as contoso.onmicrosoft.com"
	for _, list := range []struct {
		key   string
		names []string
	}{{"include", c.Include}, {"exclude", c.Exclude}} {
		for i, name := range list.names {
			if !tenantID.MatchString(name) && !tenantDomain.MatchString(name) {
				report(fmt.Sprintf("%s[%d]", list.key, i), hint, "%q is neither a GUID nor a domain", name)
			}
		}
	}
	seen := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(c.Customers)) {
		path := "customers." + id
		switch {
		case !tenantID.MatchString(id):
			report(path, "the key is the customer's tenant id, the value the customer's name", "%q is not a GUID", id)
		case seen[strings.ToLower(id)]:
			report(path, "remove one of the two", "the tenant is listed twice")
		case strings.TrimSpace(c.Customers[id]) == "":
			report(path, "write the customer's name", "must not be empty")
		}
		seen[strings.ToLower(id)] = true
	}
	if !c.NewTenants && len(c.Include) == 0 && len(c.Customers) == 0 {
		report("new_tenants", "list the customers under customers or include, or set new_tenants: true", "lets no customer in")
	}
	if c.CustomerDetails && !c.has(sourcePartnerCenter) {
		report("customer_details", "add partner_center to sources, or remove it", "needs the source partner_center")
	}
}
