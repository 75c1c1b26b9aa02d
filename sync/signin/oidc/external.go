package oidc

import (
	"net/url"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// External is the block `entra-external:`: an external tenant of Microsoft Entra External ID.
type External struct {
	// Tenant is its GUID. Subdomain stands before .ciamlogin.com; Domain is a host of its own in its place.
	Tenant    string `yaml:"tenant"`
	Subdomain string `yaml:"subdomain"`
	Domain    string `yaml:"domain"`
	// Issuer is the exact name; blank: the first one that the discovery document gives, if it is of the tenant, is kept.
	Issuer string `yaml:"issuer"`
	// TrustMail are the providers (claim idp) whose addresses of the listed domains are verified; local are accounts of the tenant itself.
	TrustMail settings.Names `yaml:"trust_mail"`
	Hint      string         `yaml:"domain_hint"`

	Client `yaml:",inline"`
}

// Validate reports everything that is wrong with the block, without network I/O.
func (e *External) Validate() []settings.Issue {
	var issues settings.Issues
	if !guid.MatchString(e.Tenant) {
		issues.Report("tenant", "write the tenant's id, a GUID in lower case", "is no GUID")
	}
	switch {
	case e.Subdomain == "" && e.Domain == "":
		issues.Report("subdomain", "write what stands before .ciamlogin.com", "is missing")
	case e.Subdomain != "" && e.Domain != "":
		issues.Report("domain", "give one of them", "goes not together with subdomain")
	default:
		key, text := "domain", e.Domain
		if e.Subdomain != "" {
			key, text = "subdomain", e.Subdomain+".ciamlogin.com"
		}
		host(issues.Report, key, text, "write it in lower case")
	}
	if e.Issuer != "" {
		address(issues.Report, "issuer", e.Issuer, "copy it from the discovery document")
	}
	e.validate(issues.Report)
	return issues
}

func (e *External) preset(o Options) preset {
	at := e.Domain
	if at == "" {
		at = e.Subdomain + ".ciamlogin.com"
	}
	return preset{
		name: "entra-external", client: e.Client, again: "select_account", create: true, silentFront: true,
		extra: map[string]string{"domain_hint": e.Hint},
		check: func(c *checks, v *verified, a *signin.Assertion, _ string) *signin.Refusal {
			if r := entraPerson(c, v, a); r != nil {
				return r
			}
			o.vouchFor(c, v, a, v.claims.text("email"), e.TrustMail)
			return nil
		},
	}.single(authority{
		discovery: "https://" + at + "/" + e.Tenant + "/v2.0" + wellKnown, issuer: e.Issuer, tenant: e.Tenant,
		// Seen with the tenant's GUID as the host's first label, whatever the host was that was asked.
		accept: func(issuer string) bool {
			u, err := url.Parse(issuer)
			return err == nil && web(issuer) && (u.Host == at || u.Host == e.Tenant+".ciamlogin.com") &&
				strings.TrimSuffix(u.Path, "/") == "/"+e.Tenant+"/v2.0" && u.RawQuery == ""
		},
	})
}

// vouchFor takes an address as verified by where its account is from: tokens of customers' tenants do not say.
func (o Options) vouchFor(c *checks, v *verified, a *signin.Assertion, mail string, trusted settings.Names) {
	idp := v.claims.text("idp")
	if idp == "" {
		idp = "local"
	}
	ok := false
	for _, name := range trusted {
		ok = ok || strings.EqualFold(name, idp)
	}
	o.vouch(c, a, mail, ok, "trust_mail, idp "+bounded(idp))
}
