package oidc

import (
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// Generic is the block `generic:`: any provider that keeps to OpenID Connect.
type Generic struct {
	// Issuer is the name of the provider, letter by letter; its discovery document is below it.
	Issuer string `yaml:"issuer"`
	// Hint is sent as domain_hint, HD as hd, where a provider knows them.
	Hint string `yaml:"domain_hint"`
	HD   string `yaml:"hd"`
	// Subject is the claim that is never given to somebody else; Mail the one with the address; Object, where there is one, that with
	// the id of the person in a directory that we read.
	Subject string `yaml:"subject"`
	Mail    string `yaml:"mail"`
	Object  string `yaml:"object"`
	// TrustMail takes addresses of the listed domains as verified where the provider does not say: its administrators write them.
	TrustMail bool `yaml:"trust_mail"`

	Client `yaml:",inline"`
}

// Validate reports everything that is wrong with the block, without network I/O.
func (g *Generic) Validate() []settings.Issue {
	var issues settings.Issues
	address(issues.Report, "issuer", g.Issuer, "write it as the provider's discovery document has it, such as https://login.example.com")
	if strings.HasSuffix(g.Issuer, wellKnown) {
		issues.Report("issuer", "write what stands before "+wellKnown, "is the address of the discovery document")
	}
	needed(issues.Report, "subject", g.Subject, "sub")
	needed(issues.Report, "mail", g.Mail, "email")
	g.validate(issues.Report)
	return issues
}

func needed(report settings.Reporter, key, value, usual string) {
	if value == "" {
		report(key, "write "+usual+", or remove the key", "must not be empty")
	}
}

func (g *Generic) preset(o Options) preset {
	p := preset{
		name: "generic", client: g.Client, bySub: g.Subject == "sub",
		extra: map[string]string{"domain_hint": g.Hint, "hd": g.HD},
		needs: present(g.Subject, g.Mail, g.Object),
		check: func(c *checks, v *verified, a *signin.Assertion, _ string) *signin.Refusal {
			a.Subject = signin.Subject{Realm: v.issuer, Value: v.claims.text(g.Subject), Immutable: true, Object: v.claims.text(g.Object)}
			mail := v.claims.first(g.Mail)
			// email_verified speaks of email only (OpenID Connect Core section 5.1).
			ok, why := g.Mail == "email" && v.claims.truth("email_verified"), "email_verified"
			if _, said := v.claims["email_verified"]; !said && g.TrustMail {
				ok, why = true, "trust_mail"
			}
			o.vouch(c, a, mail, ok, why)
			return nil
		},
	}
	if g.Mail == "email" && !g.TrustMail {
		p.needs = append(p.needs, "email_verified")
	}
	return p.single(authority{discovery: strings.TrimSuffix(g.Issuer, "/") + wellKnown, issuer: g.Issuer})
}

// present leaves out what is blank.
func present(names ...string) []string {
	var list []string
	for _, name := range names {
		if name != "" {
			list = append(list, name)
		}
	}
	return list
}
