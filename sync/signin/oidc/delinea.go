package oidc

import (
	"cmp"
	"net/url"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// Delinea is the block `delinea:`, for the Delinea Platform and Centrify tenants. Its administrators script what an application's tokens say.
type Delinea struct {
	// URL is the tenant, Application the id of the OpenID Connect application there.
	URL         string `yaml:"url"`
	Application string `yaml:"application"`
	// Discovery is the address of the discovery document, where it is not URL/APPLICATION/.well-known/openid-configuration.
	Discovery string `yaml:"discovery"`
	// Issuer is the exact name; blank: the first one that the discovery document gives, if it is of the same host, is kept.
	Issuer string `yaml:"issuer"`
	// Subject, Mail and Object are claims, as of a generic provider.
	Subject string `yaml:"subject"`
	Mail    string `yaml:"mail"`
	Object  string `yaml:"object"`
	// UserID is the claim with the tenant's own id of the person, which a connection `delinea` reads.
	UserID string `yaml:"user_id"`
	// TrustMail takes addresses of the listed domains as verified: the token does not say.
	TrustMail bool `yaml:"trust_mail"`

	Client `yaml:",inline"`
}

// Validate reports everything that is wrong with the block, without network I/O.
func (d *Delinea) Validate() []settings.Issue {
	var issues settings.Issues
	address(issues.Report, "url", d.URL, "write the tenant, such as https://example.delinea.app")
	if d.Application == "" && d.Discovery == "" {
		issues.Report("application", "write the application id of the page Settings or Trust of the application", "is missing")
	}
	if strings.ContainsAny(d.Application, "/?# ") {
		issues.Report("application", "write the application id alone", "is no id")
	}
	if d.Discovery != "" && address(issues.Report, "discovery", d.Discovery, "copy it from the page Trust of the application") &&
		!sameSite(d.Discovery, d.URL) {
		issues.Report("discovery", "write an address of the tenant", "is at another host than url")
	}
	if d.Issuer != "" {
		address(issues.Report, "issuer", d.Issuer, "copy it from the discovery document")
	}
	needed(issues.Report, "subject", d.Subject, "sub")
	needed(issues.Report, "mail", d.Mail, "email")
	if d.Object != "" && d.UserID != "" {
		issues.Report("object", "keep user_id for people of a connection `delinea`, object for those of another directory", "is given together with user_id")
	}
	d.validate(issues.Report)
	return issues
}

func (d *Delinea) preset(o Options) preset {
	at := d.Discovery
	if at == "" {
		at = strings.TrimSuffix(d.URL, "/") + "/" + d.Application + wellKnown
	}
	return preset{
		name: "delinea", client: d.Client, again: "login", bySub: d.Subject == "sub", needs: present(d.Subject, d.Mail, d.Object, d.UserID),
		check: func(c *checks, v *verified, a *signin.Assertion, _ string) *signin.Refusal {
			a.Subject = signin.Subject{Realm: v.issuer, Value: v.claims.text(d.Subject), Immutable: true, Object: cmp.Or(v.claims.text(d.UserID), v.claims.text(d.Object))}
			o.vouch(c, a, v.claims.first(d.Mail), d.TrustMail, "trust_mail")
			return nil
		},
	}.single(authority{discovery: at, issuer: d.Issuer, accept: func(issuer string) bool { return web(issuer) && sameSite(issuer, d.URL) }})
}

// sameSite reports whether two addresses are of one host.
func sameSite(a, b string) bool {
	first, err := url.Parse(a)
	second, err2 := url.Parse(b)
	return err == nil && err2 == nil && first.Host != "" && strings.EqualFold(first.Host, second.Host)
}
