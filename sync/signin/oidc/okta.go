package oidc

import (
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// Okta is the block `okta:`.
type Okta struct {
	// URL is the organisation, such as https://example.okta.com, or its custom domain.
	URL string `yaml:"url"`
	// AuthorizationServer is the id of a custom authorization server, such as default; blank: the organisation's own.
	AuthorizationServer string `yaml:"authorization_server"`

	Client `yaml:",inline"`
}

// Validate reports everything that is wrong with the block, without network I/O.
func (k *Okta) Validate() []settings.Issue {
	var issues settings.Issues
	const hint = "write https://example.okta.com, or the custom domain, without a path"
	if address(issues.Report, "url", k.URL, hint) {
		switch bare, _, _ := strings.Cut(strings.TrimPrefix(k.URL, "https://"), "/"); {
		case strings.TrimSuffix(k.URL, "/") != "https://"+bare:
			issues.Report("url", hint+"; name the server as authorization_server", "must have no path")
		case strings.Contains(bare, "-admin."):
			issues.Report("url", "write it without -admin", "is the administrators' console")
		}
	}
	if strings.ContainsAny(k.AuthorizationServer, "/?# ") {
		issues.Report("authorization_server", "write its id, such as default or aus1a2b3", "is no id")
	}
	k.validate(issues.Report)
	return issues
}

func (k *Okta) preset(o Options) preset {
	issuer := strings.TrimSuffix(k.URL, "/")
	if k.AuthorizationServer != "" {
		issuer += "/oauth2/" + k.AuthorizationServer
	}
	return preset{
		name: "okta", client: k.Client, again: "login", bySub: true, needs: []string{"email", "email_verified"},
		check: func(c *checks, v *verified, a *signin.Assertion, _ string) *signin.Refusal {
			a.Subject = signin.Subject{Realm: v.issuer, Value: v.claims.text("sub"), Immutable: true}
			if k.AuthorizationServer == "" { // elsewhere an administrator may set another sub
				a.Subject.Object = a.Subject.Value
			}
			o.vouch(c, a, v.claims.text("email"), v.claims.truth("email_verified"), "email_verified")
			return nil
		},
	}.single(authority{discovery: issuer + wellKnown, issuer: issuer})
}
