package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/signin/oidc/oidctest"
	"dirsyncd/sync/signin/portal/chromiumtest"
	"dirsyncd/sync/signin/portal/proxytest"
	"dirsyncd/sync/signin/saml/samltest"
	"dirsyncd/sync/signin/saml/simplesamltest"
)

const (
	central     = "https://" + proxytest.Central
	application = "https://" + proxytest.App

	portal      = "portal.example.net" // a provider of SAML, which sends people on to another host of its own
	portalLogin = "login.example.net"

	clientSecret = "client-secret-3b1f"
	tenant       = "aaaaaaaa-0000-4000-8000-000000000001"
	client       = "dddddddd-0000-4000-8000-000000000004"
)

// walkPeople are those of the directory: an agent and a user for each proxy, for nobody may sign in very often within a minute; the one at SimpleSAMLphp; and one
// who is disabled. Eve is in no directory.
const walkPeople = `Number,Name,Email,Department,Enabled
1,Ann,ann@example.test,Service Desk,yes
2,Bob,bob@example.test,Sales,yes
3,Amy,amy@example.test,Service Desk,yes
4,Ben,ben@example.test,Sales,yes
5,Ada L,ada@example.test,Service Desk,yes
6,Dan,dan@example.test,Sales,no
`

// walkConfig is the configuration; %[1]s is the listener of the front, %[2]s the metadata of SimpleSAMLphp.
const walkConfig = `state: state.db
web: {url: "https://auth.example.com", listen: %[1]q, proxies: [127.0.0.1]}
signin:
  keys: signin.keys
  providers:
    generic:
      provider: generic
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Work account
      generic: {issuer: "https://idp.example.net", client_id: us, client_secret: {env: CLIENT_SECRET}, single_logout: true}
    entra:
      provider: entra
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Microsoft
      entra: {tenant: aaaaaaaa-0000-4000-8000-000000000001, client_id: dddddddd-0000-4000-8000-000000000004, client_secret: {env: CLIENT_SECRET}}
    entra-many:
      provider: entra
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Microsoft, customers
      entra: {tenants: [aaaaaaaa-0000-4000-8000-000000000001], client_id: dddddddd-0000-4000-8000-000000000004, client_secret: {env: CLIENT_SECRET}}
    b2c:
      provider: entra-b2c
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Customer account
      entra-b2c: {tenant: contoso, flow: B2C_1_signin, trust_mail: local, client_id: dddddddd-0000-4000-8000-000000000004, client_secret: {env: CLIENT_SECRET}}
    external:
      provider: entra-external
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Guest account
      entra-external: {tenant: aaaaaaaa-0000-4000-8000-000000000001, subdomain: contoso, trust_mail: local, client_id: dddddddd-0000-4000-8000-000000000004, client_secret: {env: CLIENT_SECRET}}
    okta:
      provider: okta
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Okta
      okta: {url: "https://example.okta.com", client_id: us, client_secret: {env: CLIENT_SECRET}}
    google:
      provider: google
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Google
      google: {hosted_domains: [example.test], client_id: us, client_secret: {env: CLIENT_SECRET}}
    delinea:
      provider: delinea
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Delinea
      delinea: {url: "https://example.delinea.app", application: app1, trust_mail: true, client_id: us, client_secret: {env: CLIENT_SECRET}}
    simplesaml:
      provider: saml
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: University
      saml: {metadata: {url: %[2]q}, entity_id: "https://simplesaml.example.test/idp", attributes: {mail: mail}, key: {file: saml.pem}, single_logout: true}
    portal:
      provider: saml
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: Portal
      saml: {metadata: {file: portal.xml}, entity_id: "https://portal.example.test/idp", attributes: {mail: mail}, idp_initiated: accept, binding: post}
    newcomers:
      provider: generic
      directories: [hq]
      domains: [example.test]
      match: [mail]
      button: New here
      unknown: create
      create: {per_day: 10, customer: Acme, mapping: staff, targets: [journal]}
      generic: {issuer: "https://signup.example.net", client_id: us, client_secret: {env: CLIENT_SECRET}}
  apps:
    desk: {url: "https://desk.example.com", providers: [generic, entra, entra-many, b2c, external, okta, google, delinea, simplesaml, portal, newcomers]}
connections:
  hq:
    connector: files
    mapping: staff
    targets: [journal]
    files: {folder: people, settle: 0s, kinds: {person: {file: people.csv, key: Number}}}
mappings:
  staff:
    rules:
      - {name: service desk, when: 'enabled and department == "Service Desk"', agent: {role: Technician, team: 1st Line}}
      - {name: everyone, when: enabled, user: {customer: Acme}}
    fields:
      user: {name: = name, email: = email}
      agent: {name: = name, email: = email}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`

// walk is the daemon with an application behind a real proxy, providers around it, and a browser.
type walk struct {
	t       *testing.T
	in      *installation
	browser *chromiumtest.Browser
	agent   string // whose record is of an agent
	user    string // whose record is of a user
}

// records are the keys of their records.
func records(who string) string {
	return map[string]string{"ann": "hq/person:1", "bob": "hq/person:2", "amy": "hq/person:3", "ben": "hq/person:4", simplesamltest.User: "hq/person:5"}[who]
}

// walkVendors are the providers of OpenID Connect, with the same accounts at each.
func walkVendors() []oidctest.Vendor {
	us := func(provider, id string) oidctest.Client {
		return oidctest.Client{ID: id, Secret: clientSecret, Callback: central + "/auth/oidc/" + provider + "/callback", SignedOut: central + "/auth/logout"}
	}
	people := func(more map[string]any) oidctest.Of {
		all := oidctest.Of{}
		for _, who := range []string{"ann", "bob", "amy", "ben", "dan", "eve", "zoe", "zac"} {
			all[who] = maps.Clone(more)
			all[who]["email"], all[who]["name"] = who+"@example.test", who
			all[who]["oid"] = fmt.Sprintf("eeeeeeee-0000-4000-8000-%012x", []byte(who))
		}
		return all
	}
	local := people(map[string]any{})
	for who := range local {
		local[who]["emails"] = []string{who + "@example.test"}
	}
	entra := oidctest.Entra(tenant, us("entra", client), people(map[string]any{"xms_edov": true}))
	callbacks, _ := entra.Clients[0]["redirect_uris"].([]string)
	entra.Clients[0]["redirect_uris"] = append(callbacks, us("entra-many", client).Callback)
	verified := people(map[string]any{"email_verified": true})
	generic := oidctest.Okta("idp.example.net", "", us("generic", "us"), verified)
	return []oidctest.Vendor{
		generic, entra, oidctest.B2C("contoso", tenant, "B2C_1_signin", false, us("b2c", client), local), oidctest.External("contoso", tenant, us("external", client), people(map[string]any{})),
		oidctest.Okta("example.okta.com", "", us("okta", "us"), verified), oidctest.Google(us("google", "us"), people(map[string]any{"hd": "example.test", "email_verified": true})),
		oidctest.Delinea("example.delinea.app", "app1", us("delinea", "us"), people(map[string]any{})), oidctest.Okta("signup.example.net", "", us("newcomers", "us"), verified),
	}
}

// newWalk starts everything but what a proxy needs, and returns what it stands in front of.
func newWalk(t *testing.T) (*walk, proxytest.Site, chromiumtest.Options) {
	t.Helper()
	vendors := oidctest.NewVendors(t, true, walkVendors()...)
	ours := samltest.NewPair(t, 1, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	at := func(provider, what string) string { return central + "/auth/saml/" + provider + "/" + what }
	university := simplesamltest.Start(t, simplesamltest.SP{EntityID: at("simplesaml", "metadata"), ACS: at("simplesaml", "acs"), SLO: at("simplesaml", "slo"), Cert: ours.Cert.Raw, Persistent: true})
	idp := &samltest.IDP{EntityID: "https://portal.example.test/idp", Pair: samltest.NewPair(t, 0, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))}
	tls := oidctest.NewCertificate(t, portal, portalLogin)
	pages := httptest.NewUnstartedServer(idp.Portal(t, samltest.SP{EntityID: at("portal", "metadata"), ACS: at("portal", "acs")}, "https://"+portalLogin, map[string]string{
		"ann": "ann@example.test", "bob": "bob@example.test", "amy": "amy@example.test", "ben": "ben@example.test", "eve": "eve@example.test",
	}))
	pages.TLS = tls.Server(t)
	pages.StartTLS()
	t.Cleanup(pages.Close)
	idp.Base = "https://" + portal

	front := freeAddress(t)
	in := install(t, fmt.Sprintf(walkConfig, front, university.Metadata()))
	for name, text := range map[string]string{"saml.pem": ours.PEM(), "portal.xml": idp.Metadata(), "people/people.csv": walkPeople, "vendors.pem": string(vendors.Certificate.Cert)} {
		in.write(name, text)
	}
	// The vendors are found at their own names by the proxy of the environment, and believed beside the authorities of this machine.
	in.env = append(in.env, "CLIENT_SECRET="+clientSecret, "HTTPS_PROXY="+forward(t, vendors.Address), "SSL_CERT_FILE="+in.path("vendors.pem"))
	in.expect(0, "check")
	in.expect(0, "sync")
	in.startReady()

	certificate := oidctest.NewCertificate(t, proxytest.Central, proxytest.App)
	app := httptest.NewServer(http.HandlerFunc(showSeen))
	t.Cleanup(app.Close)
	hosts := map[string]string{portal: pages.Listener.Addr().String(), portalLogin: pages.Listener.Addr().String()}
	for _, host := range vendors.Hosts {
		hosts[host] = vendors.Address
	}
	return &walk{t: t, in: in},
		proxytest.Site{Document: "../../../docs/sign-in.md", Dirsyncd: front, App: app.Listener.Addr().String(), Cert: certificate.Cert, Key: certificate.Key},
		chromiumtest.Options{Hosts: hosts, Certificates: [][]byte{certificate.Cert, vendors.Certificate.Cert, tls.Cert}}
}

// write writes a file of an installation.
func (in *installation) write(name, text string) {
	in.t.Helper()
	if folder, _, below := strings.Cut(name, "/"); below {
		if err := os.MkdirAll(in.path(folder), 0o700); err != nil {
			in.t.Fatal(err)
		}
	}
	if err := os.WriteFile(in.path(name), []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

// forward is a proxy by which every host is found at one address.
func forward(t *testing.T, address string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, err := net.Dial("tcp", address)
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "CONNECT only", http.StatusBadGateway)
			return
		}
		defer func() { _ = there.Close() }()
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = here.Close() }()
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(there, here)
			_ = there.Close()
		}()
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// showSeen is the application: a page that shows the headers that came.
func showSeen(w http.ResponseWriter, r *http.Request) {
	text, err := json.Marshal(r.Header)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>Desk</title><h1>Desk</h1><pre>%s</pre></html>`, html.EscapeString(string(text)))
}

// TestWalk is what a person does in a real browser, at an application behind nginx and behind Caddy.
func TestWalk(t *testing.T) {
	t.Parallel()
	w, site, o := newWalk(t)
	for name, tc := range map[string]struct {
		proxy       func(testing.TB, proxytest.Site) string
		agent, user string
	}{"nginx": {proxytest.Nginx, "ann", "bob"}, "caddy": {proxytest.Caddy, "amy", "ben"}} {
		t.Run(name, func(t *testing.T) {
			own := o
			own.Hosts = maps.Clone(o.Hosts)
			address := tc.proxy(t, site)
			own.Hosts[proxytest.Central], own.Hosts[proxytest.App] = address, address
			browser := chromiumtest.Start(t, own)
			for name, step := range map[string]func(*walk){
				"through every provider": (*walk).everyProvider, "refused": (*walk).refused, "signs up": (*walk).signsUp, "signs out": (*walk).signsOut, "two tabs": (*walk).twoTabs,
				"from a portal": (*walk).fromPortal, "by keyboard": (*walk).byKeyboard, "every page": (*walk).everyPage,
			} {
				t.Run(name, func(t *testing.T) { step(&walk{t, w.in, browser, tc.agent, tc.user}) })
			}
		})
	}
}

// within is the same walk, of a test of its own.
func (w *walk) within(t *testing.T) *walk {
	inner := *w
	inner.t = t
	return &inner
}

// shows waits until a page has this heading.
func shows(p *chromiumtest.Page, heading string) {
	p.Until(fmt.Sprintf("document.querySelector('h1')?.innerText.includes(%q)", heading))
}

// choose goes to the application, from there to a provider.
func (w *walk) choose(p *chromiumtest.Page, provider string) {
	w.t.Helper()
	p.Open(application + "/tickets?id=7")
	shows(p, "Sign in to desk")
	p.Click(`a[href*="p=` + provider + `"]`)
	w.atProvider(p)
}

// atProvider waits until the browser is at a provider, which asks who it is.
func (w *walk) atProvider(p *chromiumtest.Page) {
	w.t.Helper()
	p.Until(fmt.Sprintf("location.origin !== %q && location.origin !== %q && document.querySelector('h1, form') !== null", central, application))
}

// pick says who somebody is, at the provider's page.
func (w *walk) pick(p *chromiumtest.Page, provider, who string) {
	w.t.Helper()
	switch provider {
	case "simplesaml":
		p.Until("document.querySelector('#username') !== null")
		p.Eval("document.querySelector('#username').focus()")
		p.Type(who)
		p.Eval("document.querySelector('#password').focus()")
		p.Type(simplesamltest.Password)
		p.Press("Enter")
	case "portal":
		p.Click("#" + who)
	default:
		p.Click(`button[value="` + who + `"]`)
	}
}

// seen waits until the application is there, and returns what it was told.
func (w *walk) seen(p *chromiumtest.Page) http.Header {
	w.t.Helper()
	p.Until(fmt.Sprintf("location.origin === %q && document.title === 'Desk'", application))
	var h http.Header
	if err := json.Unmarshal([]byte(p.Text("document.querySelector('pre').innerText")), &h); err != nil {
		w.t.Fatal(err)
	}
	return h
}

// claims are those of the token, unverified: the proxy tests verify it.
func claims(t *testing.T, h http.Header) map[string]any {
	t.Helper()
	parts := strings.Split(h.Get("X-Dirsyncd-Token"), ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %v", h)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c map[string]any
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// number is that of a page of a refusal.
func (w *walk) number(p *chromiumtest.Page) string {
	w.t.Helper()
	return p.Text("document.querySelector('strong').innerText")
}

// everyProvider: through each of them somebody arrives at the page that they wanted, as their record.
func (w *walk) everyProvider() {
	for _, provider := range []string{"generic", "entra", "entra-many", "b2c", "external", "okta", "google", "delinea", "simplesaml", "portal"} {
		w.t.Run(provider, func(t *testing.T) {
			w := w.within(t)
			people := map[string]string{w.agent: "agent", w.user: "user"}
			if provider == "simplesaml" {
				people = map[string]string{simplesamltest.User: "agent"}
			}
			for who, kind := range people {
				p := w.browser.Person(w.t).Tab()
				w.choose(p, provider)
				w.pick(p, provider, who)
				h := w.seen(p)
				if c := claims(t, h); h.Get("Remote-User") != records(who) || h.Get("Remote-Email") != who+"@example.test" || c["kind"] != kind || c["provider"] != provider {
					t.Errorf("%s arrives as %v, %v", who, h, c)
				}
				if at := p.Text("location.pathname + location.search"); at != "/tickets?id=7" {
					t.Errorf("%s arrives at %s", who, at)
				}
				w.noComplaints(p)
			}
		})
	}
}

func (w *walk) noComplaints(p *chromiumtest.Page) {
	w.t.Helper()
	for _, text := range p.Complaints() {
		if strings.HasPrefix(text, central) || strings.HasPrefix(text, application) {
			w.t.Errorf("the browser complains: %s", text)
		}
	}
}

// refused: whoever is unknown reads the same as whoever is disabled, and an operator can tell them apart by the number.
func (w *walk) refused() {
	texts := map[string]bool{}
	for _, tc := range []struct{ provider, who, reason string }{
		{"generic", "eve", "unknown_person"}, {"generic", "dan", "disabled"}, {"simplesaml", simplesamltest.Stranger, "unknown_person"}, {"portal", "eve", "unknown_person"},
	} {
		p := w.browser.Person(w.t).Tab()
		w.choose(p, tc.provider)
		w.pick(p, tc.provider, tc.who)
		shows(p, "You cannot use desk with this account.")
		number := w.number(p)
		text := strings.NewReplacer(number, "NUMBER", "idp.example.net", "PROVIDER", "simplesaml.example.test", "PROVIDER", "portal.example.test", "PROVIDER").Replace(p.Text("document.body.innerText"))
		texts[text] = true
		// The browser gives it the focus with its next frame.
		if focus := p.Text("new Promise(is => document.activeElement !== document.body ? is(document.activeElement.tagName) : addEventListener('focusin', e => is(e.target.tagName)))"); focus != "H1" {
			w.t.Errorf("%s has the focus", focus)
		}
		w.in.expect(0, "signin", "show", number).says(w.t, tc.reason, "at provider "+tc.provider)
		p.Open(application + "/")
		shows(p, "Sign in to desk")
		w.noComplaints(p)
	}
	if len(texts) != 1 {
		w.t.Errorf("the pages differ: %q", slices.Collect(maps.Keys(texts)))
	}
}

// signsUp: whom nobody knows is refused by one provider, and by another one becomes exactly one user, also after the next sync.
func (w *walk) signsUp() {
	who := map[string]string{"ann": "zoe", "amy": "zac"}[w.agent] // nobody else uses them
	p := w.browser.Person(w.t).Tab()
	w.choose(p, "generic")
	w.pick(p, "generic", who)
	shows(p, "You cannot use desk with this account.")
	w.in.expect(0, "signin", "show", w.number(p)).says(w.t, "unknown_person")
	var key string
	for _, when := range []string{"the first time", "after a sync"} {
		p := w.browser.Person(w.t).Tab()
		w.choose(p, "newcomers")
		w.pick(p, "newcomers", who)
		h := w.seen(p)
		got := h.Get("Remote-User")
		if c := claims(w.t, h); !strings.HasPrefix(got, "newcomers/") || c["kind"] != "user" || c["customer"] != "Acme" || key != "" && got != key {
			w.t.Errorf("%s: %s, after %q, %v", when, got, key, c)
		}
		key = got
		w.noComplaints(p)
		w.in.expect(0, "sync")
	}
	if people := ask[[]struct{ Key string }](w.in, 0, "show", who+"@example.test"); len(people) != 1 || people[0].Key != key {
		w.t.Errorf("known as %+v, want %s", people, key)
	}
}

// signsOut: also at the provider, where that is switched on, and nobody is signed in again without a question.
func (w *walk) signsOut() {
	for _, provider := range []string{"generic", "okta", "simplesaml", "portal"} {
		w.t.Run(provider, func(t *testing.T) {
			w := w.within(t)
			who := w.agent
			if provider == "simplesaml" {
				who = simplesamltest.User
			}
			p := w.browser.Person(w.t).Tab()
			w.choose(p, provider)
			w.pick(p, provider, who)
			w.seen(p)
			p.Open(application + "/auth/logout")
			shows(p, "Sign out of all applications?")
			p.Click("button")
			if provider == "generic" { // oidc-provider asks, too
				p.Until("location.host === 'idp.example.net' && document.querySelector('button[value=yes]') !== null")
				p.Click("button[value=yes]")
			}
			shows(p, "You are signed out.")
			p.Open(application + "/")
			shows(p, "Sign in to desk")
			p.Click(`a[href*="p=` + provider + `"]`)
			w.atProvider(p)
			w.noComplaints(p)
		})
	}
}

// twoTabs: two sign-ins of one browser do not disturb each other, and whoever is signed in is so in every tab.
func (w *walk) twoTabs() {
	one := w.browser.Person(w.t)
	first, second, third := one.Tab(), one.Tab(), one.Tab()
	w.choose(first, "generic")
	w.choose(second, "portal")
	w.pick(second, "portal", w.agent)
	w.seen(second)
	w.pick(first, "generic", w.agent)
	if h := w.seen(first); h.Get("Remote-User") != records(w.agent) {
		w.t.Errorf("%v", h)
	}
	third.Open(application + "/")
	w.seen(third)
	// Another person's browser knows nothing of it.
	other := w.browser.Person(w.t).Tab()
	other.Open(application + "/")
	shows(other, "Sign in to desk")
}

// fromPortal: a tile of the provider, where nobody of ours has asked for anything, is asked about.
func (w *walk) fromPortal() {
	p := w.browser.Person(w.t).Tab()
	p.Open("https://" + portal + "/tile?who=" + w.user)
	shows(p, "Continue as "+w.user+"@example.test?")
	p.Click("button")
	if h := w.seen(p); h.Get("Remote-User") != records(w.user) {
		w.t.Errorf("%v", h)
	}
	w.noComplaints(p)
}

// byKeyboard: nobody needs a mouse.
func (w *walk) byKeyboard() {
	p := w.browser.Person(w.t).Tab()
	p.Open(application + "/")
	shows(p, "Sign in to desk")
	for range 10 {
		p.Press("Tab")
		if p.Eval("document.activeElement.innerText === 'Portal'") == true {
			break
		}
	}
	if style := p.Text("getComputedStyle(document.activeElement).outlineStyle"); style != "solid" {
		w.t.Errorf("the focus is not to be seen: outline %s", style)
	}
	p.Press("Enter")
	w.atProvider(p)
	w.pick(p, "portal", w.agent)
	w.seen(p)
	p.Open(application + "/auth/logout")
	shows(p, "Sign out of all applications?")
	p.Press("Tab")
	p.Press("Enter")
	shows(p, "You are signed out.")
}

// everyPage: whatever we show can be read by everybody, on any screen.
func (w *walk) everyPage() {
	person := w.browser.Person(w.t)
	p := person.Tab()
	look := func(heading string) {
		w.t.Helper()
		shows(p, heading)
		w.accessible(p)
	}
	p.Open(application + "/")
	look("Sign in to desk")
	p.Open(central + "/auth/start?rd=https://elsewhere.test/")
	look("This address belongs to no application.")
	p.Open(central + "/auth/oidc/generic/callback?state=nobodys&code=x")
	look("This sign-in is not one that this browser has begun.")
	w.choose(p, "generic")
	w.pick(p, "generic", "eve")
	look("You cannot use desk with this account.")
	p.Open("https://" + portal + "/tile?who=" + w.user)
	look("Continue as " + w.user + "@example.test?")
	p.Click("button")
	w.seen(p)
	p.Open(central + "/auth/")
	look("Applications")
	p.Open(central + "/auth/logout")
	look("Sign out of all applications?")
	p.Click("button")
	look("You are signed out.")
	p.Language("de-AT,de")
	p.Open(application + "/")
	look("Anmelden bei desk")
	if language := p.Text("document.documentElement.lang"); language != "de" {
		w.t.Errorf("the page is in %s", language)
	}
	w.noComplaints(p)
}

// accessible looks at one page: a title, one heading, a language, one main part, names of what can be pressed; nothing to be scrolled to the side on a phone or
// at 400 %; text that stands out from what is behind it (WCAG 2.2: 1.4.3, 1.4.10, 2.4.2, 3.1.1), in light and dark.
func (w *walk) accessible(p *chromiumtest.Page) {
	w.t.Helper()
	for what, expression := range map[string]string{
		"a title":                 "document.title.trim() !== ''",
		"a language":              "document.documentElement.lang !== ''",
		"one heading":             "document.querySelectorAll('h1').length === 1",
		"one main part":           "document.querySelectorAll('main').length === 1",
		"no order of its own":     "[...document.querySelectorAll('[tabindex]')].every(e => e.tabIndex <= 0)",
		"a name for every button": "[...document.querySelectorAll('a, button')].every(e => e.innerText.trim() !== '')",
		"fields with labels":      "[...document.querySelectorAll('input:not([type=hidden])')].every(e => e.labels.length > 0)",
		"no zoom forbidden":       "!/user-scalable|maximum-scale/.test(document.querySelector('meta[name=viewport]').content)",
	} {
		if p.Eval(expression) != true {
			w.t.Errorf("the page %q does not have %s", p.Text("document.title"), what)
		}
	}
	p.Size(320, 640, true)
	if wide, _ := p.Eval("document.documentElement.scrollWidth").(float64); wide > 320 {
		w.t.Errorf("the page %q is %v wide on a phone", p.Text("document.title"), wide)
	}
	p.Size(1280, 800, false)
	for _, scheme := range []string{"light", "dark"} {
		p.Prefer(scheme)
		const enough = 4.5
		if least := p.Contrast(); least < enough {
			w.t.Errorf("a contrast of %v at the page %q in %s", least, p.Text("document.title"), scheme)
		}
	}
	if dark := p.Text("getComputedStyle(document.body).backgroundColor"); dark == "rgb(255, 255, 255)" {
		w.t.Errorf("the page %q is white in the dark", p.Text("document.title"))
	}
	p.Prefer("light")
}
