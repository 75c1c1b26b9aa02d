package oidc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// Entra is the block `entra:`: accounts of one tenant, or of many.
type Entra struct {
	// One of the three: a tenant, a list of tenants, or the connection whose customers' tenants are let in. Tenants are GUIDs.
	Tenant      string   `yaml:"tenant"`
	Tenants     []string `yaml:"tenants"`
	CustomersOf string   `yaml:"customers_of"`
	// Authority is another than that of the global cloud.
	Authority string `yaml:"authority"`
	// Hint is a domain by which the page of a tenant is shown at once.
	Hint string `yaml:"domain_hint"`

	Client `yaml:",inline"`
}

const (
	// tenantFrame stands for the tenant in the issuer of an authority for many.
	tenantFrame = "{tenantid}"
	// personal is the tenant of personal Microsoft accounts.
	personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

// tenantFunc picks the authority of a token that is not verified yet.
type tenantFunc func(ctx context.Context, c *checks, unverified claims) (authority, error)

// Validate reports everything that is wrong with the block, without network I/O.
func (e *Entra) Validate() []settings.Issue {
	var issues settings.Issues
	const hint = "write the directory (tenant) id, a GUID in lower case: names change, and other tenants may get them"
	var given []string
	for _, one := range []struct {
		key string
		is  bool
	}{{"tenant", e.Tenant != ""}, {"tenants", e.Tenants != nil}, {"customers_of", e.CustomersOf != ""}} {
		if one.is {
			given = append(given, one.key)
		}
	}
	switch len(given) {
	case 0:
		issues.Report("tenant", hint, "is missing: whose accounts are let in?")
	case 1:
	default:
		issues.Report(given[1], "give one of tenant, tenants and customers_of", "goes not together with %s", given[0])
	}
	if e.Tenant != "" && !guid.MatchString(e.Tenant) {
		issues.Report("tenant", hint, "is no GUID")
	}
	if e.Tenants != nil && len(e.Tenants) == 0 {
		issues.Report("tenants", hint, "is an empty list: nobody would be let in")
	}
	for i, tenant := range e.Tenants {
		if !guid.MatchString(tenant) {
			issues.Report(fmt.Sprintf("tenants[%d]", i), hint, "is no GUID")
		}
	}
	address(issues.Report, "authority", e.Authority, "write an address such as https://login.microsoftonline.com")
	if !slices.Contains(e.Scopes, "profile") {
		issues.Report("scopes", "write [openid, profile, email]", "must have profile: without it tokens have no oid")
	}
	if e.ClientID != "" && !guid.MatchString(strings.ToLower(e.ClientID)) {
		issues.Report("client_id", "write the application (client) id of the app registration", "is no GUID")
	}
	e.validate(issues.Report)
	return issues
}

func (e *Entra) of(tenant string) authority {
	issuer := strings.TrimSuffix(e.Authority, "/") + "/" + tenant + "/v2.0"
	return authority{discovery: issuer + wellKnown, issuer: issuer, tenant: tenant}
}

func (e *Entra) preset(o Options) preset {
	p := preset{name: "entra", client: e.Client, again: "select_account", extra: map[string]string{"domain_hint": e.Hint}, silentFront: true}
	// An address is anybody's to write ("nOAuth"), but where Microsoft says that the owner of the domain did: xms_edov, an optional claim.
	p.check = func(c *checks, v *verified, a *signin.Assertion, _ string) *signin.Refusal {
		if r := entraPerson(c, v, a); r != nil {
			return r
		}
		o.vouch(c, a, v.claims.text("email"), v.claims.truth("xms_edov"), "xms_edov")
		return nil
	}
	if e.Tenant != "" {
		return p.single(e.of(e.Tenant))
	}
	base := strings.TrimSuffix(e.Authority, "/")
	many := "/organizations" // accounts of organisations only
	if slices.Contains(e.Tenants, personal) {
		many = "/common"
	}
	p = p.single(authority{discovery: base + many + "/v2.0" + wellKnown, frame: base + "/" + tenantFrame + "/v2.0"})
	entry := p.all
	p.all = func() []authority {
		list := entry()
		for _, tenant := range e.Tenants[:min(len(e.Tenants), 20)] { // a probe of hundreds would be a nuisance there
			list = append(list, e.of(tenant))
		}
		return list
	}
	p.tenant = func(ctx context.Context, c *checks, unverified claims) (authority, error) {
		return e.choose(ctx, o, c, unverified)
	}
	p.framed = func(issuer string) bool {
		tenant, ok := strings.CutPrefix(issuer, base+"/")
		tenant, end := strings.CutSuffix(tenant, "/v2.0")
		return ok && end && guid.MatchString(tenant)
	}
	return p
}

// choose picks the tenant's own authority, whose issuer and keys a token must be of.
func (e *Entra) choose(ctx context.Context, o Options, c *checks, unverified claims) (authority, error) {
	tenant := unverified.text("tid")
	if r := c.that("tenant is an id", guid.MatchString(tenant), bounded(tenant), signin.TenantNotAllowed, "the token names no tenant", ""); r != nil {
		return authority{}, r
	}
	allowed, where := slices.Contains(e.Tenants, tenant), "tenants"
	if e.CustomersOf != "" {
		where = "the customers of " + e.CustomersOf
		if o.Customer != nil {
			var err error
			if allowed, err = o.Customer(ctx, tenant); err != nil {
				return authority{}, err
			}
		}
	}
	if r := c.that("tenant is allowed", allowed, tenant, signin.TenantNotAllowed, "tenant "+bounded(tenant)+" is not among "+where,
		"add it where its people should come in"); r != nil {
		return authority{}, r
	}
	return e.of(tenant), nil
}

// entraPerson: tid and oid are the person, as in Graph, and are never given to somebody else.
func entraPerson(c *checks, v *verified, a *signin.Assertion) *signin.Refusal {
	tid, oid := v.claims.text("tid"), v.claims.text("oid")
	if r := c.that("tenant", guid.MatchString(tid) && tid == v.site.at.tenant, bounded(tid), signin.TenantNotAllowed, "the token is of another tenant", ""); r != nil {
		return r
	}
	if r := c.that("oid", guid.MatchString(oid), "", signin.ClaimRefused, "the token has no oid", "the scopes must have profile"); r != nil {
		return r
	}
	a.Subject = signin.Subject{Realm: "entra/" + tid, Value: oid, Immutable: true, Tenant: tid, Object: oid}
	return nil
}
