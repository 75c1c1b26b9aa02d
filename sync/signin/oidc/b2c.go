package oidc

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// B2C is the block `entra-b2c:`: user flows or custom policies of an Azure AD B2C tenant.
type B2C struct {
	// Tenant is its first name, the one before .onmicrosoft.com. Domain is the host of its pages; blank: TENANT.b2clogin.com.
	Tenant string `yaml:"tenant"`
	Domain string `yaml:"domain"`
	// Flow signs in; SignUp, where there is one, is for people without an account; Reset for those who forgot a password.
	Flow   string `yaml:"flow"`
	SignUp string `yaml:"sign_up"`
	Reset  string `yaml:"reset"`
	// TrustMail are the providers (claim idp) whose addresses of the listed domains are verified; local are accounts of the tenant itself.
	TrustMail settings.Names `yaml:"trust_mail"`
	Hint      string         `yaml:"domain_hint"`

	Client `yaml:",inline"`
}

var (
	b2cTenant     = regexp.MustCompile(`^[a-z0-9-]{1,60}$`)
	b2cFlow       = regexp.MustCompile(`(?i)^B2C_1A?_[a-z0-9_.-]{1,64}$`)
	anyGUIDInside = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	anyGUID       = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// Validate reports everything that is wrong with the block, without network I/O.
func (b *B2C) Validate() []settings.Issue {
	var issues settings.Issues
	if !b2cTenant.MatchString(b.Tenant) {
		issues.Report("tenant", "write example for example.onmicrosoft.com", "is not the first name of a tenant")
	}
	if b.Domain != "" {
		host(issues.Report, "domain", b.Domain, "write a host such as example.b2clogin.com, in lower case")
	}
	seen := map[string]string{}
	for _, f := range []struct{ key, name string }{{"flow", b.Flow}, {"sign_up", b.SignUp}, {"reset", b.Reset}} {
		if f.name == "" && f.key != "flow" {
			continue
		}
		if !b2cFlow.MatchString(f.name) {
			issues.Report(f.key, "write the name of a user flow such as B2C_1_signin, or of a custom policy such as B2C_1A_signin", "is no flow")
		} else if other := seen[strings.ToLower(f.name)]; other != "" {
			issues.Report(f.key, "give it a flow of its own, or remove it", "is the same as %s", other)
		}
		seen[strings.ToLower(f.name)] = f.key
	}
	b.validate(issues.Report)
	return issues
}

// flows are those that are set, by what Pending.Flow calls them.
func (b *B2C) flows() []string { return present(b.Flow, b.SignUp, b.Reset) }

func (b *B2C) of(flow string) authority {
	at := b.Domain
	if at == "" {
		at = b.Tenant + ".b2clogin.com"
	}
	return authority{
		discovery: "https://" + at + "/" + b.Tenant + ".onmicrosoft.com/" + flow + "/v2.0" + wellKnown,
		// https://HOST/GUID/v2.0/ with its slash, or https://HOST/tfp/GUID/FLOW/v2.0/ by a setting of the flow.
		accept: func(issuer string) bool {
			u, err := url.Parse(issuer)
			if err != nil || !web(issuer) || u.Host != at || u.RawQuery != "" {
				return false
			}
			switch parts := strings.Split(strings.Trim(u.Path, "/"), "/"); len(parts) {
			case 2:
				return anyGUID.MatchString(parts[0]) && parts[1] == "v2.0"
			case 4:
				return parts[0] == "tfp" && anyGUID.MatchString(parts[1]) && strings.EqualFold(parts[2], flow) && parts[3] == "v2.0"
			}
			return false
		},
	}
}

func (b *B2C) preset(o Options) preset {
	return preset{
		name: "entra-b2c", client: b.Client, again: "login", silentFront: true, extra: map[string]string{"domain_hint": b.Hint},
		flow: func(s signin.Start) string {
			switch {
			case s.Flow != "":
				return s.Flow
			case s.SignUp && b.SignUp != "":
				return b.SignUp
			}
			return b.Flow
		},
		entry: func(flow string) (authority, *signin.Refusal) {
			if flow == "" {
				flow = b.Flow
			}
			if !slices.Contains(b.flows(), flow) {
				return authority{}, &signin.Refusal{
					Reason: signin.NotBegunHere, Text: "the flow " + bounded(flow) + " is not one of the settings", Hint: "begin anew at the application",
				}
			}
			return b.of(flow), nil
		},
		all: func() []authority {
			var list []authority
			for _, flow := range b.flows() {
				list = append(list, b.of(flow))
			}
			return list
		},
		check: func(c *checks, v *verified, a *signin.Assertion, flow string) *signin.Refusal {
			return b.check(o, c, v, a, flow)
		},
		restart: func(code, flow string) *signin.Start {
			switch {
			case code == "AADB2C90118" && b.Reset != "" && flow != b.Reset:
				return &signin.Start{Flow: b.Reset}
			case code == "AADB2C90091" && (flow == b.Reset || flow == b.SignUp): // cancelled there: back to where it came from
				return &signin.Start{}
			}
			return nil
		},
	}
}

// check: a token is of the flow that was asked for, because flows prove different things.
func (b *B2C) check(o Options, c *checks, v *verified, a *signin.Assertion, flow string) *signin.Refusal {
	is := v.claims.text("tfp")
	if is == "" {
		is = v.claims.text("acr")
	}
	if r := c.that("flow", is != "" && strings.EqualFold(is, flow), bounded(is), signin.ClaimRefused, "the token is of another flow than "+flow,
		"the claim tfp, or acr, must name the flow"); r != nil {
		return r
	}
	if b.Reset != "" && flow == b.Reset {
		r := c.that("flow signs in", false, bounded(is), signin.ClaimRefused, "the password was reset; that is no sign-in", "the person signs in now")
		r.Restart = &signin.Start{}
		return r
	}
	// sub is the same id where the flow does not give oid. Some flows write "Not supported currently. Use oid claim." there, for everybody.
	id := strings.ToLower(v.claims.text("oid"))
	if id == "" {
		id = strings.ToLower(v.claims.text("sub"))
	}
	if r := c.that("object id", guid.MatchString(id), "", signin.ClaimRefused, "neither oid nor sub is the id of the account",
		"let the flow give \"User's Object ID\""); r != nil {
		return r
	}
	// The issuer may have the flow in its name; the tenant is the same in all of them.
	tenant := strings.ToLower(anyGUIDInside.FindString(v.issuer))
	a.Subject = signin.Subject{Realm: "entra/" + tenant, Value: id, Immutable: true, Tenant: tenant, Object: id}
	mail := v.claims.first("emails")
	if mail == "" {
		mail = v.claims.text("email")
	}
	o.vouchFor(c, v, a, mail, b.TrustMail)
	return nil
}
