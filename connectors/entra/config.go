package entra

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// Config is the block `entra:` of a connection.
type Config struct {
	// Tenant is the directory: its GUID, or one of its verified domains.
	Tenant string `yaml:"tenant"`
	// ClientID is the application's id in its registration.
	ClientID string `yaml:"client_id"`
	// One of the following proves that it is the application that asks.
	ClientSecret        settings.Secret `yaml:"client_secret"`
	Certificate         settings.Path   `yaml:"certificate"` // PEM or PKCS #12 with the private key
	CertificatePassword settings.Secret `yaml:"certificate_password"`
	FederatedTokenFile  settings.Path   `yaml:"federated_token_file"` // workload identity federation
	ManagedIdentity     bool            `yaml:"managed_identity"`     // that of the Azure machine; client_id chooses among several

	// Cloud is the national cloud: global, usgov, usgovdod or china. Authority and Graph name the two services
	// of another one.
	Cloud     string `yaml:"cloud"`
	Authority string `yaml:"authority"`
	Graph     string `yaml:"graph"`
	// TenantType is workforce, b2c or external; the latter two do not track changes.
	TenantType string `yaml:"tenant_type"`

	Groups         bool     `yaml:"groups"`
	Licences       bool     `yaml:"licences"`
	Devices        bool     `yaml:"devices"`
	DeviceLastSeen bool     `yaml:"device_last_seen"`
	Manager        bool     `yaml:"manager"`
	GroupOwners    bool     `yaml:"group_owners"`
	LeaveDate      bool     `yaml:"leave_date"`
	SignInActivity bool     `yaml:"sign_in_activity"`
	Photos         bool     `yaml:"photos"`
	Attributes     []string `yaml:"attributes"`
	// LicenceNames is a CSV file with product names, in the form in which Microsoft publishes it.
	LicenceNames settings.Path `yaml:"licence_names"`

	// Notifications ask Graph to tell of changes at once: it calls an address of the public front (change notifications).
	Notifications bool `yaml:"notifications"`

	// Share is the part of the service's quota that may be used, in percent.
	Share int `yaml:"share"`

	rest.Network `yaml:",inline"`
}

// Defaults returns a configuration with the defaults set.
func Defaults() *Config {
	return &Config{
		Cloud: "global", TenantType: Workforce, Groups: true, Licences: true, Manager: true, Share: 50,
		Network: rest.Network{Timeout: settings.Duration(time.Minute)},
	}
}

var (
	tenantID     = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	tenantDomain = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$`)
)

// Public names the key by which the connection wants to be called from outside; empty when it does not.
func (c *Config) Public() string {
	if c.Notifications {
		return "notifications"
	}
	return ""
}

// Validate reports everything that is wrong with the block, without network I/O.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	report := issues.Report
	c.validateTenant(report)
	c.validateCredential(report)
	c.validateServices(report)
	if c.Notifications && c.TenantType != Workforce {
		report("notifications", "remove it: the schedule alone finds the changes", "tenants of type %s tell of no changes", c.TenantType)
	}
	for i, name := range c.Attributes {
		if message, hint := CheckAttribute(name); message != "" {
			report(fmt.Sprintf("attributes[%d]", i), hint, "%s", message)
		}
	}
	if c.DeviceLastSeen && !c.Devices {
		report("device_last_seen", "set devices: true, or remove it", "needs devices")
	}
	if c.Photos && c.TenantType == B2C {
		report("photos", "remove it", "Graph gives no photos of a b2c tenant")
	}
	if c.Share < 1 || c.Share > 100 {
		report("share", "write a percentage, such as 50", "must be from 1 to 100")
	}
	c.Network.Validate(report)
	return issues
}

func (c *Config) validateTenant(report settings.Reporter) {
	const hint = "write the directory (tenant) id, a GUID, or a verified domain such as contoso.onmicrosoft.com"
	switch strings.ToLower(c.Tenant) {
	case "":
		report("tenant", hint, "must not be empty")
	case "common", "organizations", "consumers":
		report("tenant", hint, "%q is no tenant of its own", c.Tenant)
	default:
		if !tenantID.MatchString(c.Tenant) && !tenantDomain.MatchString(c.Tenant) {
			report("tenant", hint, "%q is neither a GUID nor a domain", c.Tenant)
		}
	}
	if !slices.Contains(TenantTypes(), c.TenantType) {
		report("tenant_type", "one of "+strings.Join(TenantTypes(), ", "), "unknown type %q", c.TenantType)
	}
}

func (c *Config) validateCredential(report settings.Reporter) {
	const hint = "set one of client_secret, certificate, federated_token_file, managed_identity"
	var given []string
	for _, one := range []struct {
		key string
		is  bool
	}{
		{"client_secret", !c.ClientSecret.IsZero()},
		{"certificate", c.Certificate != ""},
		{"federated_token_file", c.FederatedTokenFile != ""},
		{"managed_identity", c.ManagedIdentity},
	} {
		if one.is {
			given = append(given, one.key)
		}
	}
	switch len(given) {
	case 0:
		report("", hint, "nothing proves who asks")
	case 1:
	default:
		report(given[1], hint, "cannot be used together with %s", given[0])
	}
	switch {
	case c.ClientID == "" && !c.ManagedIdentity:
		report("client_id", "write the application (client) id of the app registration, a GUID", "must not be empty")
	case c.ClientID != "" && !tenantID.MatchString(c.ClientID):
		report("client_id", "write the application (client) id of the app registration, not its name", "is not a GUID")
	case c.ClientID != "" && strings.EqualFold(c.ClientID, c.Tenant):
		report("client_id", "the overview of the app registration shows both ids", "is the same as tenant")
	}
	if !c.CertificatePassword.IsZero() && c.Certificate == "" {
		report("certificate_password", "set certificate, or remove it", "needs certificate")
	}
}

func (c *Config) validateServices(report settings.Reporter) {
	if _, _, ok := Cloud(c.Cloud); !ok {
		report("cloud", "one of "+strings.Join(CloudNames(), ", "), "unknown cloud %q", c.Cloud)
	}
	for _, service := range []struct{ key, text, example string }{
		{"authority", c.Authority, "https://login.microsoftonline.com"}, {"graph", c.Graph, "https://graph.microsoft.com"},
	} {
		if service.text == "" {
			continue
		}
		u, err := url.Parse(service.text)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https":
			report(service.key, "write an address such as "+service.example, "must be an https:// address")
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			report(service.key, "write an address such as "+service.example, "must be an address without user and options")
		case strings.Trim(u.Path, "/") != "":
			report(service.key, "write it without /v1.0 and without the tenant, such as "+service.example, "must be an address without a path")
		}
	}
	if (c.Authority == "") != (c.Graph == "") && !c.ManagedIdentity {
		report("authority", "the two services of a cloud belong together", "set both authority and graph, or neither")
	}
}

// services returns where to sign in and where Graph is.
func (c *Config) services() (authority, graph string) {
	authority, graph, _ = Cloud(c.Cloud)
	if c.Authority != "" {
		authority = strings.TrimRight(c.Authority, "/")
	}
	if c.Graph != "" {
		graph = strings.TrimRight(c.Graph, "/")
	}
	return authority, graph
}

// selection is what the configuration asks for.
func (c *Config) selection(names *LicenceNames) Selection {
	return Selection{
		Tenant: c.Tenant, Identity: c.ClientID, TenantType: c.TenantType, Groups: c.Groups, Licences: c.Licences, Devices: c.Devices,
		DeviceLastSeen: c.DeviceLastSeen, Manager: c.Manager, GroupOwners: c.GroupOwners, LeaveDate: c.LeaveDate, SignInActivity: c.SignInActivity, Photos: c.Photos,
		Attributes: c.Attributes, Names: names,
	}
}
