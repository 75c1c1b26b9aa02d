package oidc

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

const (
	tenantA = "aaaaaaaa-0000-4000-8000-000000000001"
	tenantB = "bbbbbbbb-0000-4000-8000-000000000002"
	tenantC = "cccccccc-0000-4000-8000-000000000003"
	app     = "dddddddd-0000-4000-8000-000000000004"
	oid     = "eeeeeeee-0000-4000-8000-000000000005"
	entraAt = "https://login.microsoftonline.com/"
)

// person is one row of a preset's test: what a token says, and what comes of it.
type person struct {
	claims   map[string]any
	start    signin.Start
	subject  signin.Subject
	mail     string
	verified bool
	reason   signin.Reason
	check    string
}

// plus adds to claims; nil takes one out.
func plus(base, more map[string]any) map[string]any {
	out := maps.Clone(base)
	maps.Copy(out, more)
	return out
}

func (tc person) run(t *testing.T, w *world) *signin.Refusal {
	t.Helper()
	w.issuer.Person(tc.claims)
	form, pending := w.start(tc.start)
	a, err := w.Finish(t.Context(), form, pending)
	if tc.reason != "" {
		return refused(t, err, tc.reason, tc.check)
	}
	if err != nil {
		t.Fatalf("%v; %+v", err, refusal(t, err))
	}
	if a.Subject != tc.subject || a.Mail != tc.mail || a.MailVerified != tc.verified {
		t.Errorf("%+v, %s, verified %v", a.Subject, a.Mail, a.MailVerified)
	}
	return nil
}

func (c *Client) as(id string) { c.ClientID, c.ClientSecret = id, settings.NewSecret(secret) }

func entra(change func(*Entra)) *Entra {
	e, _ := Blank("entra").(*Entra)
	e.as(app)
	change(e)
	return e
}

func entraWorld(t *testing.T, e *Entra, customer func(context.Context, string) (bool, error)) (*world, map[string]*oidctest.Issuer) {
	t.Helper()
	if issues := e.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	server := oidctest.NewServer(t, "login.microsoftonline.com")
	o := options(server, oidctest.NewMemory(server.Clock), server.Client(t))
	o.Customer = customer
	of := map[string]*oidctest.Issuer{}
	for _, tenant := range []string{tenantA, tenantB, personal} {
		issuer := entraAt + tenant + "/v2.0"
		of[tenant] = server.NewIssuer(t, oidctest.Options{Discovery: issuer + wellKnown, Issuer: issuer, ClientID: app, Secret: secret})
		k := oidctest.NewKey(t, "ES256", "key of "+tenant)
		k.Issuer = entraAt + tenantFrame + "/v2.0" // as Microsoft writes it
		of[tenant].Roll(k)
	}
	at := of[tenantA]
	if e.Tenant == "" {
		for _, many := range []string{"organizations", "common"} {
			at = server.NewIssuer(t, oidctest.Options{
				Discovery: entraAt + many + "/v2.0" + wellKnown, Issuer: entraAt + tenantFrame + "/v2.0", ClientID: app, Secret: secret, Shared: of[tenantA],
			})
			of[many] = at
		}
		at = of["organizations"]
	}
	return begin(t, server, at, e, o), of
}

// entraToken is an ID token of version 2.0, as Microsoft documents it (ID token claims reference).
func entraToken(tenant string, more map[string]any) map[string]any {
	return plus(map[string]any{
		"iss": entraAt + tenant + "/v2.0", "ver": "2.0", "tid": tenant, "oid": oid, "sub": "pairwise", "name": "Ann", "preferred_username": "ann@example.test",
		"email": "ann@example.test", "uti": "x", "rh": "x", "login_hint": "opaque",
	}, more)
}

func TestEntra(t *testing.T) {
	who := signin.Subject{Realm: "entra/" + tenantA, Value: oid, Immutable: true, Tenant: tenantA, Object: oid}
	for name, tc := range map[string]person{
		"member":               {claims: entraToken(tenantA, nil), subject: who, mail: "ann@example.test"},
		"owner of the domain":  {claims: entraToken(tenantA, map[string]any{"xms_edov": true}), subject: who, mail: "ann@example.test", verified: true},
		"the same as a number": {claims: entraToken(tenantA, map[string]any{"xms_edov": 1}), subject: who, mail: "ann@example.test", verified: true},
		"the same as a text":   {claims: entraToken(tenantA, map[string]any{"xms_edov": "1"}), subject: who, mail: "ann@example.test", verified: true},
		"not the owner":        {claims: entraToken(tenantA, map[string]any{"xms_edov": "0"}), subject: who, mail: "ann@example.test"},
		"email_verified alone": {claims: entraToken(tenantA, map[string]any{"email_verified": true}), subject: who, mail: "ann@example.test"},
		"a domain not listed":  {claims: entraToken(tenantA, map[string]any{"xms_edov": true, "email": "a@other.test"}), subject: who, mail: "a@other.test"},
		"no address":           {claims: entraToken(tenantA, map[string]any{"email": nil, "xms_edov": true}), subject: who},
		"no oid":               {claims: entraToken(tenantA, map[string]any{"oid": nil}), reason: signin.ClaimRefused, check: "oid"},
		"no tid":               {claims: entraToken(tenantA, map[string]any{"tid": nil}), reason: signin.TenantNotAllowed, check: "tenant"},
		"another tid":          {claims: entraToken(tenantA, map[string]any{"tid": tenantB}), reason: signin.TenantNotAllowed, check: "tenant"},
		"another issuer":       {claims: entraToken(tenantA, map[string]any{"iss": entraAt + tenantB + "/v2.0"}), reason: signin.Issuer, check: "issuer"},
		"version 1.0":          {claims: entraToken(tenantA, map[string]any{"iss": "https://sts.windows.net/" + tenantA + "/", "ver": "1.0"}), reason: signin.Issuer, check: "issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := entraWorld(t, entra(func(e *Entra) { e.Tenant = tenantA }), nil)
			tc.run(t, w)
		})
	}
}

// TestEntraTenants: a token is verified by the keys and the name of its own tenant, and that must be on the list.
func TestEntraTenants(t *testing.T) {
	who := signin.Subject{Realm: "entra/" + tenantA, Value: oid, Immutable: true, Tenant: tenantA, Object: oid}
	for name, tc := range map[string]struct {
		person
		asked string // a tenant whose documents must not be asked for
	}{
		"listed":                     {person: person{claims: entraToken(tenantA, nil), subject: who, mail: "ann@example.test"}, asked: tenantB},
		"not listed":                 {person: person{claims: entraToken(tenantB, nil), reason: signin.TenantNotAllowed, check: "tenant is allowed"}, asked: tenantB},
		"personal":                   {person: person{claims: entraToken(personal, nil), reason: signin.TenantNotAllowed, check: "tenant is allowed"}, asked: personal},
		"no GUID":                    {person: person{claims: entraToken(tenantA, map[string]any{"tid": "organizations"}), reason: signin.TenantNotAllowed, check: "tenant is an id"}},
		"upwards":                    {person: person{claims: entraToken(tenantA, map[string]any{"tid": "../" + tenantA}), reason: signin.TenantNotAllowed, check: "tenant is an id"}},
		"no tid":                     {person: person{claims: entraToken(tenantA, map[string]any{"tid": nil}), reason: signin.TenantNotAllowed, check: "tenant is an id"}},
		"tid of one, iss of another": {person: person{claims: entraToken(tenantA, map[string]any{"iss": entraAt + tenantB + "/v2.0"}), reason: signin.Issuer, check: "issuer"}},
		"the template as issuer":     {person: person{claims: entraToken(tenantA, map[string]any{"iss": entraAt + tenantFrame + "/v2.0"}), reason: signin.Issuer, check: "issuer"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, of := entraWorld(t, entra(func(e *Entra) { e.Tenants = []string{tenantA, tenantC} }), nil)
			tc.run(t, w)
			if tc.asked != "" && of[tc.asked].Count(oidctest.Discovery) != 0 {
				t.Errorf("the discovery document of %s was asked for", tc.asked)
			}
		})
	}
	t.Run("signed by another tenant", func(t *testing.T) {
		w, of := entraWorld(t, entra(func(e *Entra) { e.Tenants = []string{tenantA} }), nil)
		theirs := oidctest.NewKey(t, "ES256", "key of B")
		theirs.Issuer = entraAt + tenantB + "/v2.0"
		of[tenantA].Roll(theirs) // Microsoft's key sets hold keys of others: each says whose tokens it signs
		person{claims: entraToken(tenantA, nil), reason: signin.Signature, check: "signature"}.run(t, w)
	})
	t.Run("who answers", func(t *testing.T) {
		w, _ := entraWorld(t, entra(func(e *Entra) { e.Tenants = []string{tenantA} }), nil)
		w.issuer.Person(entraToken(tenantA, nil))
		form, pending := w.start(signin.Start{})
		form.Set("iss", entraAt+tenantB+"/v2.0")
		_, err := w.Finish(t.Context(), form, pending)
		refused(t, err, signin.Issuer, "issuer of the answer")
	})
	t.Run("personal accounts that are listed", func(t *testing.T) {
		w, _ := entraWorld(t, entra(func(e *Entra) { e.Tenants = []string{personal} }), nil)
		to, _, err := w.Begin(t.Context(), signin.Start{State: "s"})
		if err != nil || !strings.HasPrefix(to.URL, entraAt+"common/v2.0/") {
			t.Errorf("%s, %v", to.URL, err)
		}
	})
}

func TestEntraCustomers(t *testing.T) {
	e := entra(func(e *Entra) { e.CustomersOf = "csp" })
	is := func(_ context.Context, tenant string) (bool, error) { return tenant == tenantA, nil }
	w, _ := entraWorld(t, e, is)
	person{claims: entraToken(tenantA, nil), mail: "ann@example.test", subject: signin.Subject{
		Realm: "entra/" + tenantA, Value: oid, Immutable: true, Tenant: tenantA, Object: oid,
	}}.run(t, w)
	person{claims: entraToken(tenantB, nil), reason: signin.TenantNotAllowed, check: "tenant is allowed"}.run(t, w)

	w, _ = entraWorld(t, e, func(context.Context, string) (bool, error) { return false, errors.New("the state is broken") })
	w.issuer.Person(entraToken(tenantA, nil))
	form, pending := w.start(signin.Start{})
	if _, err := w.Finish(t.Context(), form, pending); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("%v", err)
	}
	w, _ = entraWorld(t, e, nil)
	person{claims: entraToken(tenantA, nil), reason: signin.TenantNotAllowed, check: "tenant is allowed"}.run(t, w)
}

func b2cWorld(t *testing.T, issuer func(flow string) string) (*world, map[string]*oidctest.Issuer) {
	t.Helper()
	b, _ := Blank("entra-b2c").(*B2C)
	b.as(app)
	b.Tenant, b.Flow, b.SignUp, b.Reset, b.TrustMail = "contoso", "B2C_1_signin", "B2C_1_signup", "B2C_1_reset", settings.Names{"local", "google.com"}
	if issues := b.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	server := oidctest.NewServer(t, "contoso.b2clogin.com")
	of := map[string]*oidctest.Issuer{}
	for _, flow := range b.flows() {
		of[flow] = server.NewIssuer(t, oidctest.Options{
			Discovery: "https://contoso.b2clogin.com/contoso.onmicrosoft.com/" + flow + "/v2.0" + wellKnown, Issuer: issuer(flow), ClientID: app, Secret: secret,
		})
	}
	return begin(t, server, of[b.Flow], b, options(server, oidctest.NewMemory(server.Clock), server.Client(t))), of
}

func plainIssuer(string) string { return "https://contoso.b2clogin.com/" + tenantA + "/v2.0/" }

// TestB2C: the claims of user flows, as Microsoft documents them (Azure AD B2C: Overview of tokens).
func TestB2C(t *testing.T) {
	who := signin.Subject{Realm: "entra/" + tenantA, Value: oid, Immutable: true, Tenant: tenantA, Object: oid}
	token := func(more map[string]any) map[string]any {
		return plus(map[string]any{"ver": "1.0", "sub": oid, "tfp": "B2C_1_signin", "emails": []string{"ann@example.test"}, "name": "Ann"}, more)
	}
	for name, tc := range map[string]person{
		"local":           {claims: token(nil), subject: who, mail: "ann@example.test", verified: true},
		"trusted":         {claims: token(map[string]any{"idp": "google.com"}), subject: who, mail: "ann@example.test", verified: true},
		"not trusted":     {claims: token(map[string]any{"idp": "facebook.com"}), subject: who, mail: "ann@example.test"},
		"oid beside sub":  {claims: token(map[string]any{"oid": oid, "sub": "Not supported currently. Use oid claim."}), subject: who, mail: "ann@example.test", verified: true},
		"sub of nobody":   {claims: token(map[string]any{"sub": "Not supported currently. Use oid claim."}), reason: signin.ClaimRefused, check: "object id"},
		"lower case":      {claims: token(map[string]any{"tfp": "b2c_1_signin"}), subject: who, mail: "ann@example.test", verified: true},
		"acr of old":      {claims: token(map[string]any{"tfp": nil, "acr": "b2c_1_signin"}), subject: who, mail: "ann@example.test", verified: true},
		"another flow":    {claims: token(map[string]any{"tfp": "B2C_1_weak"}), reason: signin.ClaimRefused, check: "flow"},
		"no flow":         {claims: token(map[string]any{"tfp": nil}), reason: signin.ClaimRefused, check: "flow"},
		"without a slash": {claims: token(map[string]any{"iss": strings.TrimSuffix(plainIssuer(""), "/")}), reason: signin.Issuer, check: "issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := b2cWorld(t, plainIssuer)
			tc.run(t, w)
		})
	}
	t.Run("the issuer with the flow", func(t *testing.T) {
		w, _ := b2cWorld(t, func(flow string) string {
			return "https://contoso.b2clogin.com/tfp/" + tenantA + "/" + strings.ToLower(flow) + "/v2.0/"
		})
		person{claims: token(nil), subject: who, mail: "ann@example.test", verified: true}.run(t, w)
	})
	for name, issuer := range map[string]string{
		"another host": "https://evil.test/" + tenantA + "/v2.0/", "another flow's": "https://contoso.b2clogin.com/tfp/" + tenantA + "/b2c_1_weak/v2.0/",
		"no GUID": "https://contoso.b2clogin.com/common/v2.0/",
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := b2cWorld(t, func(string) string { return issuer })
			_, _, err := w.Begin(t.Context(), signin.Start{State: "s"})
			refused(t, err, signin.ProviderUnreachable, "")
		})
	}
}

// TestB2CFlows: signing up is a flow of its own; who forgot a password goes to the reset flow, from there back to sign in; its token lets nobody in.
func TestB2CFlows(t *testing.T) {
	w, of := b2cWorld(t, plainIssuer)
	token := func(flow string) map[string]any { return map[string]any{"sub": oid, "tfp": flow, "newUser": true} }
	of["B2C_1_signup"].Person(token("B2C_1_signup"))
	form, pending := w.start(signin.Start{SignUp: true})
	if a, err := w.Finish(t.Context(), form, pending); err != nil || a.Subject.Object != oid || a.Claims["newUser"][0] != "true" {
		t.Errorf("%+v, %v", a, err)
	}

	of["B2C_1_signin"].Refuse("access_denied", "AADB2C90118: The user has forgotten their password.\r\nCorrelation ID: x\r\n")
	_, err := w.signIn()
	r := refused(t, err, signin.ProviderError, "no error")
	if r.Code != "AADB2C90118" || r.Restart == nil || r.Restart.Flow != "B2C_1_reset" {
		t.Fatalf("%+v", r)
	}
	of["B2C_1_reset"].Person(token("B2C_1_reset"))
	form, pending = w.start(*r.Restart)
	_, err = w.Finish(t.Context(), form, pending)
	if r = refused(t, err, signin.ClaimRefused, "flow signs in"); r.Restart == nil || *r.Restart != (signin.Start{}) {
		t.Errorf("%+v", r)
	}
	// The token of a flow is not taken as one of another.
	form, pending = w.start(signin.Start{SignUp: true})
	of["B2C_1_signup"].Person(token("B2C_1_signin"))
	_, err = w.Finish(t.Context(), form, pending)
	refused(t, err, signin.ClaimRefused, "flow")

	of["B2C_1_signin"].Refuse("access_denied", "AADB2C90091: The user has cancelled entering self-asserted information.")
	_, err = w.signIn()
	if r = refused(t, err, signin.ProviderError, "no error"); r.Restart != nil || !strings.Contains(r.Hint, "cancelled") {
		t.Errorf("%+v", r)
	}
	_, _, err = w.Begin(t.Context(), signin.Start{State: "s", Flow: "B2C_1_other"})
	refused(t, err, signin.NotBegunHere, "")
}

func TestExternal(t *testing.T) {
	who := signin.Subject{Realm: "entra/" + tenantA, Value: oid, Immutable: true, Tenant: tenantA, Object: oid}
	world := func(t *testing.T, issuer string) *world {
		e, _ := Blank("entra-external").(*External)
		e.as(app)
		e.Tenant, e.Subdomain, e.TrustMail = tenantA, "contoso", settings.Names{"local"}
		if issues := e.Validate(); len(issues) > 0 {
			t.Fatal(issues)
		}
		server := oidctest.NewServer(t, "contoso.ciamlogin.com")
		i := server.NewIssuer(t, oidctest.Options{
			Discovery: "https://contoso.ciamlogin.com/" + tenantA + "/v2.0" + wellKnown, Issuer: issuer, ClientID: app, Secret: secret,
		})
		return begin(t, server, i, e, options(server, oidctest.NewMemory(server.Clock), server.Client(t)))
	}
	const issuer = "https://" + tenantA + ".ciamlogin.com/" + tenantA + "/v2.0"
	token := func(more map[string]any) map[string]any {
		return entraToken(tenantA, plus(map[string]any{"iss": issuer}, more))
	}
	for name, tc := range map[string]person{
		"local":           {claims: token(nil), subject: who, mail: "ann@example.test", verified: true},
		"not trusted":     {claims: token(map[string]any{"idp": "google.com"}), subject: who, mail: "ann@example.test"},
		"another tenant":  {claims: token(map[string]any{"tid": tenantB}), reason: signin.TenantNotAllowed, check: "tenant"},
		"the host's name": {claims: token(map[string]any{"iss": "https://contoso.ciamlogin.com/" + tenantA + "/v2.0"}), reason: signin.Issuer, check: "issuer"},
	} {
		t.Run(name, func(t *testing.T) { tc.run(t, world(t, issuer)) })
	}
	t.Run("sign up", func(t *testing.T) {
		to, _, err := world(t, issuer).Begin(t.Context(), signin.Start{State: "s", SignUp: true})
		if err != nil || !strings.Contains(to.URL, "prompt=create") {
			t.Errorf("%s, %v", to.URL, err)
		}
	})
	t.Run("the issuer of another tenant", func(t *testing.T) {
		_, _, err := world(t, "https://"+tenantB+".ciamlogin.com/"+tenantB+"/v2.0").Begin(t.Context(), signin.Start{State: "s"})
		refused(t, err, signin.ProviderUnreachable, "")
	})
	t.Run("the issuer changes", func(t *testing.T) {
		w := world(t, issuer)
		person{claims: token(nil), subject: who, mail: "ann@example.test", verified: true}.run(t, w)
		moved := w.issuer.Document()
		moved["issuer"] = "https://contoso.ciamlogin.com/" + tenantA + "/v2.0" // of the same tenant, but not the one that is known
		w.issuer.Answer(oidctest.Discovery, func(rw http.ResponseWriter, _ *http.Request) { oidctest.JSON(rw, http.StatusOK, moved) })
		w.server.Clock.Add(fresh)
		person{claims: token(nil), subject: who, mail: "ann@example.test", verified: true}.run(t, w)
		w.server.Clock.Add(stale)
		_, _, err := w.Begin(t.Context(), signin.Start{State: "s"})
		refused(t, err, signin.ProviderUnreachable, "")
	})
}

// TestOkta: the ID token of a code flow is thin; the rest is in UserInfo.
func TestOkta(t *testing.T) {
	for name, tc := range map[string]struct {
		server, issuer string
		person
	}{
		"organisation": {issuer: "https://example.okta.com", person: person{
			subject: signin.Subject{Realm: "https://example.okta.com", Value: "00u1", Immutable: true, Object: "00u1"}, mail: "ann@example.test", verified: true,
		}},
		"custom server": {server: "default", issuer: "https://example.okta.com/oauth2/default", person: person{
			subject: signin.Subject{Realm: "https://example.okta.com/oauth2/default", Value: "00u1", Immutable: true}, mail: "ann@example.test", verified: true,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := Blank("okta").(*Okta)
			k.as(client)
			k.URL, k.AuthorizationServer = "https://example.okta.com/", tc.server
			if issues := k.Validate(); len(issues) > 0 {
				t.Fatal(issues)
			}
			server := oidctest.NewServer(t, "example.okta.com")
			i := server.NewIssuer(t, oidctest.Options{
				Discovery: tc.issuer + wellKnown, Issuer: tc.issuer, ClientID: client, Secret: secret,
				Metadata: map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}},
			})
			i.Info(map[string]any{"sub": "00u1", "email": "ann@example.test", "email_verified": true, "zoneinfo": "Europe/Vienna"})
			w := begin(t, server, i, k, options(server, oidctest.NewMemory(server.Clock), server.Client(t)))
			tc.claims = map[string]any{"sub": "00u1", "ver": 1, "idp": "00o1", "amr": []string{"pwd"}, "preferred_username": "ann@example.test", "at_hash": atHash("of the test")}
			tc.run(t, w)
			if w.issuer.Form().Has("client_secret") {
				t.Error("the secret is in the form, although the header is listed")
			}
			to, _, err := w.Begin(t.Context(), signin.Start{State: "s", Again: true})
			if err != nil || !strings.Contains(to.URL, "prompt=login") {
				t.Errorf("%s, %v", to.URL, err)
			}
		})
	}
}

func TestGoogle(t *testing.T) {
	who := signin.Subject{Realm: googleIssuer, Value: "110169484474386276334", Immutable: true, Object: "110169484474386276334"}
	anybody := who
	anybody.Object = ""
	token := func(more map[string]any) map[string]any {
		return plus(map[string]any{
			"sub": "110169484474386276334", "azp": client, "hd": "example.test", "email": "ann@example.test", "email_verified": true, "at_hash": atHash("of the test"),
		}, more)
	}
	for name, tc := range map[string]struct {
		domains []string
		person
	}{
		"of the domain":            {[]string{"example.test"}, person{claims: token(nil), subject: who, mail: "ann@example.test", verified: true}},
		"without scheme":           {[]string{"example.test"}, person{claims: token(map[string]any{"iss": "accounts.google.com"}), subject: who, mail: "ann@example.test", verified: true}},
		"an alias domain":          {[]string{"example.test"}, person{claims: token(map[string]any{"email": "ann@gmail.com"}), subject: who, mail: "ann@gmail.com"}},
		"not verified":             {[]string{"example.test"}, person{claims: token(map[string]any{"email_verified": false}), subject: who, mail: "ann@example.test"}},
		"another domain":           {[]string{"example.test"}, person{claims: token(map[string]any{"hd": "other.test"}), reason: signin.DomainNotAllowed, check: "hosted domain"}},
		"a personal account":       {[]string{"example.test"}, person{claims: token(map[string]any{"hd": nil}), reason: signin.DomainNotAllowed, check: "hosted domain"}},
		"of two":                   {[]string{"other.test", "example.test"}, person{claims: token(nil), subject: who, mail: "ann@example.test", verified: true}},
		"anybody: gmail":           {nil, person{claims: token(map[string]any{"hd": nil, "email": "ann@gmail.com"}), subject: anybody, mail: "ann@gmail.com", verified: true}},
		"anybody: a foreign mail":  {nil, person{claims: token(map[string]any{"hd": nil}), subject: anybody, mail: "ann@example.test"}},
		"anybody: a domain's mail": {nil, person{claims: token(nil), subject: who, mail: "ann@example.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := Blank("google").(*Google)
			g.as(client)
			g.HostedDomains = tc.domains
			if issues := g.Validate(); len(issues) > 0 {
				t.Fatal(issues)
			}
			server := oidctest.NewServer(t, "accounts.google.com")
			i := server.NewIssuer(t, oidctest.Options{
				Discovery: googleIssuer + wellKnown, Issuer: googleIssuer, ClientID: client, Secret: secret, Metadata: map[string]any{"end_session_endpoint": nil},
			})
			w := begin(t, server, i, g, options(server, oidctest.NewMemory(server.Clock), server.Client(t)))
			tc.run(t, w)
			if to, err := w.End(t.Context(), signin.Session{}); err != nil || to.URL != "" {
				t.Errorf("%+v, %v", to, err)
			}
		})
	}
	// The spelling without a scheme is Google's alone.
	w := newWorld(t, nil)
	w.issuer.Edit(func(c map[string]any) { c["iss"] = strings.TrimPrefix(login, "https://") })
	_, err := w.signIn()
	refused(t, err, signin.Issuer, "issuer")
}

func TestDelinea(t *testing.T) {
	for name, tc := range map[string]struct {
		trust  bool
		issuer string
		person
	}{
		"the tenant's own id": {true, "https://example.delinea.app/app1/", person{
			claims:  map[string]any{"sub": "ann@example.test", "uuid": "c2c7", "id": "5d1e", "mail": "ann@example.test"},
			subject: signin.Subject{Realm: "https://example.delinea.app/app1/", Value: "c2c7", Immutable: true, Object: "5d1e"}, mail: "ann@example.test", verified: true,
		}},
		"named claims": {true, "https://example.delinea.app/app1/", person{
			claims:  map[string]any{"sub": "ann@example.test", "uuid": "c2c7", "mail": "ann@example.test"},
			subject: signin.Subject{Realm: "https://example.delinea.app/app1/", Value: "c2c7", Immutable: true, Object: "c2c7"}, mail: "ann@example.test", verified: true,
		}},
		"not trusted": {false, "https://example.delinea.app/app1/", person{
			claims:  map[string]any{"sub": "x", "uuid": "c2c7", "mail": "ann@example.test", "email_verified": true},
			subject: signin.Subject{Realm: "https://example.delinea.app/app1/", Value: "c2c7", Immutable: true, Object: "c2c7"}, mail: "ann@example.test",
		}},
		"the claim is missing": {true, "https://example.delinea.app/app1/", person{
			claims: map[string]any{"sub": "x", "mail": "ann@example.test", "email": "x"}, reason: signin.ClaimRefused, check: "subject",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := Blank("delinea").(*Delinea)
			d.as(client)
			d.URL, d.Application, d.Subject, d.Mail, d.Object, d.TrustMail = "https://example.delinea.app", "app1", "uuid", "mail", "uuid", tc.trust
			if name == "the tenant's own id" {
				d.Object, d.UserID = "", "id"
			}
			if issues := d.Validate(); len(issues) > 0 {
				t.Fatal(issues)
			}
			server := oidctest.NewServer(t, "example.delinea.app")
			i := server.NewIssuer(t, oidctest.Options{
				Discovery: "https://example.delinea.app/app1" + wellKnown, Issuer: tc.issuer, ClientID: client, Secret: secret,
				Metadata: map[string]any{"userinfo_endpoint": nil},
			})
			tc.run(t, begin(t, server, i, d, options(server, oidctest.NewMemory(server.Clock), server.Client(t))))
		})
	}
}

// TestGenericClaims: claims by the operator's names; an address that the provider does not speak of is trusted only where the operator says so.
func TestGenericClaims(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Generic)
		person
	}{
		"another claim": {func(g *Generic) { g.Mail = "upn" }, person{
			claims:  map[string]any{"sub": "1", "upn": "a@example.test", "email": "b@example.test", "email_verified": true},
			subject: signin.Subject{Realm: login, Value: "1", Immutable: true}, mail: "a@example.test",
		}},
		"trusted": {func(g *Generic) { g.Mail, g.TrustMail, g.Object = "upn", true, "guid" }, person{
			claims:  map[string]any{"sub": "1", "upn": "a@example.test", "guid": oid},
			subject: signin.Subject{Realm: login, Value: "1", Immutable: true, Object: oid}, mail: "a@example.test", verified: true,
		}},
		"trusted, but it says no": {func(g *Generic) { g.TrustMail = true }, person{
			claims:  map[string]any{"sub": "1", "email": "a@example.test", "email_verified": false},
			subject: signin.Subject{Realm: login, Value: "1", Immutable: true}, mail: "a@example.test",
		}},
		"two at signs": {func(*Generic) {}, person{
			claims:  map[string]any{"sub": "1", "email": "a@evil.test@example.test", "email_verified": true},
			subject: signin.Subject{Realm: login, Value: "1", Immutable: true}, mail: "a@evil.test@example.test",
		}},
		"a number as subject": {func(g *Generic) { g.Subject = "uid" }, person{
			claims:  map[string]any{"sub": "1", "uid": 12345678901234567, "email": "a@example.test", "email_verified": true},
			subject: signin.Subject{Realm: login, Value: "12345678901234567", Immutable: true}, mail: "a@example.test", verified: true,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.run(t, newWorld(t, func(g *Generic, _ *Options, at *oidctest.Options) {
				tc.change(g)
				at.Metadata = map[string]any{"userinfo_endpoint": nil}
			}))
		})
	}
}

// TestHints: each preset's request has what its vendor's page wants to know.
func TestHints(t *testing.T) {
	w, _ := entraWorld(t, entra(func(e *Entra) { e.Tenant, e.Hint = tenantA, "example.test" }), nil)
	to, _, err := w.Begin(t.Context(), signin.Start{State: "s", Again: true})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(to.URL)
	if q := u.Query(); q.Get("domain_hint") != "example.test" || q.Get("prompt") != "select_account" || q.Get("scope") != "openid profile email" {
		t.Errorf("%v", q)
	}
}
