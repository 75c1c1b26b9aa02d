package oidc

import (
	"context"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

// account is one account at a vendor, and what comes of its sign-in.
type account struct {
	name     string
	claims   map[string]any
	start    signin.Start
	subject  signin.Subject
	mail     string
	verified bool
	reason   signin.Reason
	check    string
}

// vendorTest is a preset of ours at a vendor of theirs.
type vendorTest struct {
	preset   func() Settings
	vendor   func(c oidctest.Client, people oidctest.Of) []oidctest.Vendor
	accounts []account
}

func blank[S Settings](name string, change func(S)) func() Settings {
	return func() Settings {
		s, _ := Blank(name).(S)
		change(s)
		return s
	}
}

// one is a vendor with a single issuer.
func one(v func(oidctest.Client, oidctest.Of) oidctest.Vendor) func(oidctest.Client, oidctest.Of) []oidctest.Vendor {
	return func(c oidctest.Client, people oidctest.Of) []oidctest.Vendor { return []oidctest.Vendor{v(c, people)} }
}

func vendorTests() map[string]vendorTest {
	of := func(tenant string) signin.Subject {
		return signin.Subject{Realm: "entra/" + tenant, Value: oid, Immutable: true, Tenant: tenant, Object: oid}
	}
	claims := func(more map[string]any) map[string]any {
		return plus(map[string]any{"oid": oid, "email": "ann@example.test", "name": "Ann"}, more)
	}
	tenants := func(c oidctest.Client, people oidctest.Of) []oidctest.Vendor {
		other := oidctest.Entra(tenantB, c, oidctest.Of{"stranger": claims(nil)})
		home := oidctest.Entra(tenantA, c, people)
		home.People["guest"]["tid"] = tenantC
		return []oidctest.Vendor{home, other, oidctest.Entra(tenantC, c, nil)}
	}
	const mail = "ann@example.test"
	emails := []string{mail}
	b2c := func(tfp bool) func(c oidctest.Client, people oidctest.Of) []oidctest.Vendor {
		return func(c oidctest.Client, people oidctest.Of) []oidctest.Vendor {
			up := oidctest.B2C("contoso", tenantA, "B2C_1_signup", tfp, c, oidctest.Of{"new": {"oid": oid, "emails": emails, "newUser": true}})
			in := oidctest.B2C("contoso", tenantA, "B2C_1_signin", tfp, c, people)
			in.Refusals = map[string]oidctest.Refusal{
				"forgot": {Code: "access_denied", Text: "AADB2C90118: The user has forgotten their password.\r\nCorrelation ID: x\r\n"},
			}
			return []oidctest.Vendor{in, up, oidctest.B2C("contoso", tenantA, "B2C_1_reset", tfp, c, oidctest.Of{"reset": {"oid": oid}})}
		}
	}
	flows := blank("entra-b2c", func(b *B2C) {
		b.Tenant, b.Flow, b.SignUp, b.Reset, b.TrustMail = "contoso", "B2C_1_signin", "B2C_1_signup", "B2C_1_reset", settings.Names{"local", "google.com"}
		b.as(app)
	})
	// sub is the account's name; some flows give the id in oid, and this in sub for everybody.
	const unsupported = "Not supported currently. Use oid claim."
	local := func(more map[string]any) map[string]any {
		return plus(map[string]any{"oid": oid, "emails": emails}, more)
	}
	ofB2C := []account{
		{name: oid, claims: map[string]any{"emails": emails}, subject: of(tenantA), mail: mail, verified: true},
		{name: "local", claims: local(nil), subject: of(tenantA), mail: mail, verified: true},
		{name: "trusted", claims: local(map[string]any{"idp": "google.com"}), subject: of(tenantA), mail: mail, verified: true},
		{name: "untrusted", claims: local(map[string]any{"idp": "facebook.com"}), subject: of(tenantA), mail: mail},
		{name: unsupported, claims: map[string]any{"emails": emails}, reason: signin.ClaimRefused, check: "object id"},
		{name: "weak", claims: local(map[string]any{"tfp": "B2C_1_weak"}), reason: signin.ClaimRefused, check: "flow"},
		{name: "new", start: signin.Start{SignUp: true}, subject: of(tenantA), mail: mail, verified: true},
		{name: "forgot", reason: signin.ProviderError, check: "no error"},
		{name: "reset", start: signin.Start{Flow: "B2C_1_reset"}, reason: signin.ClaimRefused, check: "flow signs in"},
	}
	const tile = "https://example.delinea.app/app1/"
	return map[string]vendorTest{
		"entra, one tenant": {
			preset: blank("entra", func(e *Entra) { e.Tenant = tenantA; e.as(app) }),
			vendor: one(func(c oidctest.Client, people oidctest.Of) oidctest.Vendor { return oidctest.Entra(tenantA, c, people) }),
			accounts: []account{
				{name: "ann", claims: claims(nil), subject: of(tenantA), mail: mail},
				{name: "owner", claims: claims(map[string]any{"xms_edov": true}), subject: of(tenantA), mail: mail, verified: true},
				{name: "numbered", claims: claims(map[string]any{"xms_edov": 1}), subject: of(tenantA), mail: mail, verified: true},
				{name: "foreign", claims: claims(map[string]any{"xms_edov": true, "email": "ann@other.test"}), subject: of(tenantA), mail: "ann@other.test"},
				{name: "thin", claims: map[string]any{"email": mail}, reason: signin.ClaimRefused, check: "oid"},
				{name: "elsewhere", claims: claims(map[string]any{"tid": tenantB}), reason: signin.TenantNotAllowed, check: "tenant"},
			},
		},
		"entra, many tenants": {
			preset: blank("entra", func(e *Entra) { e.Tenants = []string{tenantA, tenantC}; e.as(app) }), vendor: tenants,
			accounts: []account{
				{name: "ann", claims: claims(nil), subject: of(tenantA), mail: mail},
				// The token says a tenant that is listed, and is another one's: that tenant does not vouch for it.
				{name: "guest", claims: claims(nil), reason: signin.Issuer, check: "issuer"},
			},
		},
		"entra, a tenant of nobody": {
			preset: blank("entra", func(e *Entra) { e.CustomersOf = "csp"; e.as(app) }),
			vendor: one(func(c oidctest.Client, people oidctest.Of) oidctest.Vendor { return oidctest.Entra(tenantB, c, people) }),
			accounts: []account{
				{name: "stranger", claims: claims(nil), reason: signin.TenantNotAllowed, check: "tenant is allowed"},
			},
		},
		"b2c":                         {preset: flows, vendor: b2c(false), accounts: ofB2C},
		"b2c, the flow in the issuer": {preset: flows, vendor: b2c(true), accounts: ofB2C},
		"external id": {
			preset: blank("entra-external", func(e *External) {
				e.Tenant, e.Subdomain, e.TrustMail = tenantA, "contoso", settings.Names{"local"}
				e.as(app)
			}),
			vendor: one(func(c oidctest.Client, people oidctest.Of) oidctest.Vendor {
				return oidctest.External("contoso", tenantA, c, people)
			}),
			accounts: []account{
				{name: "ann", claims: claims(nil), subject: of(tenantA), mail: mail, verified: true},
				{name: "ann again", claims: claims(nil), start: signin.Start{SignUp: true}, subject: of(tenantA), mail: mail, verified: true},
				{name: "google", claims: claims(map[string]any{"idp": "google.com"}), subject: of(tenantA), mail: mail},
				{name: "elsewhere", claims: claims(map[string]any{"tid": tenantB}), reason: signin.TenantNotAllowed, check: "tenant"},
			},
		},
		"okta": {
			preset: blank("okta", func(k *Okta) { k.URL = "https://example.okta.com"; k.as(client) }),
			vendor: one(func(c oidctest.Client, people oidctest.Of) oidctest.Vendor {
				return oidctest.Okta("example.okta.com", "", c, people)
			}),
			accounts: []account{
				{name: "00u1", claims: map[string]any{"email": mail, "email_verified": true}, mail: mail, verified: true,
					subject: signin.Subject{Realm: "https://example.okta.com", Value: "00u1", Immutable: true, Object: "00u1"}},
				{name: "00u2", claims: map[string]any{"email": mail, "email_verified": false}, mail: mail,
					subject: signin.Subject{Realm: "https://example.okta.com", Value: "00u2", Immutable: true, Object: "00u2"}},
			},
		},
		"okta, a server of its own": {
			preset: blank("okta", func(k *Okta) { k.URL, k.AuthorizationServer = "https://example.okta.com", "default"; k.as(client) }),
			vendor: one(func(c oidctest.Client, people oidctest.Of) oidctest.Vendor {
				return oidctest.Okta("example.okta.com", "default", c, people)
			}),
			accounts: []account{
				{name: "00u1", claims: map[string]any{"email": mail, "email_verified": true}, mail: mail, verified: true,
					subject: signin.Subject{Realm: "https://example.okta.com/oauth2/default", Value: "00u1", Immutable: true}},
			},
		},
		"google": {
			preset: blank("google", func(g *Google) { g.HostedDomains = []string{"example.test"}; g.as(client) }),
			vendor: one(oidctest.Google),
			accounts: []account{
				{name: "110169484474386276334", claims: map[string]any{"hd": "example.test", "email": mail, "email_verified": true}, mail: mail, verified: true,
					subject: signin.Subject{Realm: googleIssuer, Value: "110169484474386276334", Immutable: true, Object: "110169484474386276334"}},
				{name: "2", claims: map[string]any{"hd": "example.test", "email": "ann@gmail.com", "email_verified": true}, mail: "ann@gmail.com",
					subject: signin.Subject{Realm: googleIssuer, Value: "2", Immutable: true, Object: "2"}},
				{name: "3", claims: map[string]any{"hd": "other.test", "email": mail, "email_verified": true}, reason: signin.DomainNotAllowed, check: "hosted domain"},
				{name: "4", claims: map[string]any{"email": mail, "email_verified": true}, reason: signin.DomainNotAllowed, check: "hosted domain"},
			},
		},
		"delinea": {
			preset: blank("delinea", func(d *Delinea) {
				d.URL, d.Application, d.Subject, d.Mail, d.Object, d.TrustMail = "https://example.delinea.app", "app1", "uuid", "mail", "uuid", true
				d.as(client)
			}),
			vendor: one(func(c oidctest.Client, people oidctest.Of) oidctest.Vendor {
				return oidctest.Delinea("example.delinea.app", "app1", c, people)
			}),
			accounts: []account{
				{name: "ann", claims: map[string]any{"uuid": "c2c7", "mail": mail}, mail: mail, verified: true,
					subject: signin.Subject{Realm: tile, Value: "c2c7", Immutable: true, Object: "c2c7"}},
				{name: "unscripted", claims: map[string]any{"mail": mail}, reason: signin.ClaimRefused, check: "subject"},
			},
		},
	}
}

// TestVendors signs in through every preset at an oidc-provider that looks like the vendor.
func TestVendors(t *testing.T) {
	for name, tc := range vendorTests() {
		t.Run(name, func(t *testing.T) {
			ours := tc.preset()
			if issues := ours.Validate(); len(issues) > 0 {
				t.Fatal(issues)
			}
			memory := nowMemory()
			o := Options{
				Now: time.Now, Once: memory, Kept: memory, Name: "p", Callback: callback, SignedOut: "https://auth.example.test/auth/signed-out",
				Domains: []string{"example.test"}, Customer: func(_ context.Context, tenant string) (bool, error) { return tenant == tenantA, nil },
			}
			people := oidctest.Of{}
			for _, a := range tc.accounts {
				if a.claims != nil {
					people[a.name] = a.claims
				}
			}
			id := ours.preset(o).client.ClientID
			theirs := oidctest.NewVendors(t, false, tc.vendor(oidctest.Client{ID: id, Secret: secret, Callback: callback, SignedOut: o.SignedOut}, people)...)
			o.Client = theirs.Client
			p, err := New(ours, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range tc.accounts {
				t.Run(a.name, func(t *testing.T) { a.signIn(t, p, theirs.Somebody(t)) })
				if a.reason == "" { // who has just signed out is asked again, by a word that the vendor takes
					a.start.Again = true
					t.Run(a.name+", again", func(t *testing.T) { a.signIn(t, p, theirs.Somebody(t)) })
				}
			}
			findings, err := p.Probe(t.Context())
			for _, f := range findings {
				if !f.OK {
					t.Errorf("signin test: %+v", f)
				}
			}
			if err != nil || len(findings) == 0 {
				t.Errorf("signin test: %v", err)
			}
		})
	}
}

func (a account) signIn(t *testing.T, p *Provider, theirs *oidctest.Real) {
	t.Helper()
	a.start.State, a.start.LoginHint = random(), a.name
	to, pending, err := p.Begin(t.Context(), a.start)
	if err != nil {
		t.Fatal(err)
	}
	form, page := theirs.Visit(t, to.URL)
	if form == nil {
		t.Fatalf("the provider stays at %s", page)
	}
	if form.Has("iss") {
		t.Errorf("the vendor says who it is, which it does not: %v", form)
	}
	got, err := p.Finish(t.Context(), form, &pending)
	if a.reason != "" {
		r := refused(t, err, a.reason, a.check)
		if again := r.Restart; strings.HasPrefix(r.Code, "AADB2C") && (again == nil || again.Flow != "B2C_1_reset") {
			t.Errorf("%+v", r)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v; %+v", err, refusal(t, err))
	}
	if got.Subject != a.subject || got.Mail != a.mail || got.MailVerified != a.verified {
		t.Errorf("%+v, %s, verified %v", got.Subject, got.Mail, got.MailVerified)
	}
}
