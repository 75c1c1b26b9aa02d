package oidc

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// Google is the block `google:`.
type Google struct {
	// HostedDomains are the domains of Google Workspace that are let in. Without any, so is everybody with a Google account.
	HostedDomains []string `yaml:"hosted_domains"`

	Client `yaml:",inline"`
}

// Validate reports everything that is wrong with the block, without network I/O.
func (g *Google) Validate() []settings.Issue {
	var issues settings.Issues
	for i, domain := range g.HostedDomains {
		host(issues.Report, fmt.Sprintf("hosted_domains[%d]", i), domain, "write a domain such as example.com, in lower case")
	}
	g.validate(issues.Report)
	return issues
}

// googleIssuer is Google's, which some of its tokens write without the scheme.
const googleIssuer = "https://accounts.google.com"

func (g *Google) preset(o Options) preset {
	p := preset{
		name: "google", client: g.Client, again: "select_account", bySub: true, alias: strings.TrimPrefix(googleIssuer, "https://"),
		check: func(c *checks, v *verified, a *signin.Assertion, _ string) *signin.Refusal {
			return g.check(o, c, v, a)
		},
	}
	switch len(g.HostedDomains) { // a hint to Google's page only; the token is what counts
	case 0:
	case 1:
		p.extra = map[string]string{"hd": g.HostedDomains[0]}
	default:
		p.extra = map[string]string{"hd": "*"}
	}
	return p.single(authority{discovery: googleIssuer + wellKnown, issuer: googleIssuer})
}

// check: hd says that Google Workspace manages the account. Somebody may have a Google account with an address of any domain, so an
// address counts where Google is its host: the domain of hd, or gmail.com.
func (g *Google) check(o Options, c *checks, v *verified, a *signin.Assertion) *signin.Refusal {
	hd, mail := strings.ToLower(v.claims.text("hd")), v.claims.text("email")
	if len(g.HostedDomains) > 0 {
		if r := c.that("hosted domain", slices.Contains(g.HostedDomains, hd), bounded(hd), signin.DomainNotAllowed,
			"the account is not of a domain in hosted_domains", "who should come in needs an account of the organisation, not a personal one"); r != nil {
			return r
		}
	}
	a.Subject = signin.Subject{Realm: googleIssuer, Value: v.claims.text("sub"), Immutable: true}
	if hd != "" {
		a.Subject.Object = a.Subject.Value // the id of the Directory API
	}
	hosted := domainOf(mail) == "gmail.com"
	if hd != "" {
		hosted = domainOf(mail) == hd && slices.Contains(g.HostedDomains, hd)
	}
	o.vouch(c, a, mail, hosted && v.claims.truth("email_verified"), "email_verified and hd")
	return nil
}
