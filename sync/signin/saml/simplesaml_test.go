package saml

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/saml/samltest"
	"dirsyncd/sync/signin/saml/simplesamltest"
)

// browser follows redirects and forms until it is to go to us.
type browser struct {
	t      *testing.T
	client *http.Client
}

const ourHost = "auth.example.test"

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

var (
	forms  = regexp.MustCompile(`(?s)<form[^>]*>.*?</form>`)
	action = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	inputs = regexp.MustCompile(`<input[^>]*>`)
	name   = regexp.MustCompile(`name="([^"]*)"`)
	value  = regexp.MustCompile(`value="([^"]*)"`)
)

// visit goes where it is sent, signs in where it is asked to, and returns the address of ours and what is brought there: a form, or
// the query as signin.RawQuery.
func (b *browser) visit(to signin.To) (path string, form url.Values) {
	b.t.Helper()
	for range 12 {
		u, err := url.Parse(to.URL)
		if err != nil {
			b.t.Fatal(err)
		}
		if u.Host == ourHost {
			if to.Form == nil {
				to.Form = url.Values{signin.RawQuery: {u.RawQuery}}
			}
			return u.Path, to.Form
		}
		to = b.step(to)
	}
	b.t.Fatalf("still going: %s", to.URL)
	return "", nil
}

func (b *browser) step(to signin.To) signin.To {
	b.t.Helper()
	method, content := http.MethodGet, io.Reader(nil)
	if to.Form != nil {
		method, content = http.MethodPost, strings.NewReader(to.Form.Encode())
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, to.URL, content)
	if err != nil {
		b.t.Fatal(err)
	}
	if to.Form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if next, err := resp.Location(); err == nil {
		return signin.To{URL: next.String()}
	}
	for _, form := range forms.FindAllString(string(page), -1) {
		fields := fieldsOf(form)
		if fields.Has("username") {
			fields.Set("username", simplesamltest.User)
			fields.Set("password", simplesamltest.Password)
		} else if !fields.Has("SAMLResponse") && !fields.Has("SAMLRequest") {
			continue
		}
		target := ""
		if m := action.FindStringSubmatch(form); m != nil {
			target = html.UnescapeString(m[1])
		}
		next, err := req.URL.Parse(target)
		if err != nil {
			b.t.Fatal(err)
		}
		return signin.To{URL: next.String(), Form: fields}
	}
	text := regexp.MustCompile(`(?s)<script.*?</script>|<[^>]*>|\s+`).ReplaceAllString(string(page), " ")
	b.t.Fatalf("%s answers %s and leads nowhere: %.1500s", req.URL, resp.Status, text)
	return signin.To{}
}

func fieldsOf(form string) url.Values {
	fields := url.Values{}
	for _, input := range inputs.FindAllString(form, -1) {
		n, v := name.FindStringSubmatch(input), value.FindStringSubmatch(input)
		if n == nil {
			continue
		}
		if v == nil {
			v = []string{"", ""}
		}
		fields.Set(html.UnescapeString(n[1]), html.UnescapeString(v[1]))
	}
	return fields
}

// opened is a provider of ours at a SimpleSAMLphp.
func opened(t *testing.T, where, metadata string, pair samltest.Pair, change func(*Config)) *Provider {
	t.Helper()
	cfg := Defaults()
	cfg.Metadata.URL, cfg.EntityID, cfg.Key, cfg.SingleLogout = metadata, simplesamltest.EntityID, settings.NewSecret(pair.PEM()), true
	cfg.Attributes = map[string]settings.Names{"object_guid": {"objectGUID"}, "mail": {"mail"}}
	if change != nil {
		change(cfg)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	p, err := New(cfg, Options{
		Name: where, URL: "https://" + ourHost + "/auth/saml/" + where, Domains: []string{"example.test"}, Client: &http.Client{Timeout: 2 * time.Minute},
		Now: time.Now, Once: &onces{until: map[string]time.Time{}}, Kept: &kept{now: time.Now}, Log: slogTo(&lines{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A real provider: signed requests, encryption, answers used twice, log-out from both sides, what it begins by itself.
func TestSimpleSAMLphp(t *testing.T) {
	pair := samltest.NewPair(t, 2, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	sp := func(where string, persistent bool, encrypt string) simplesamltest.SP {
		a := opened(t, where, "https://unused.example.test", pair, nil).Addresses()
		return simplesamltest.SP{EntityID: a.EntityID, ACS: a.ACS, SLO: a.SLO, Cert: pair.Cert.Raw, Persistent: persistent, Encrypt: encrypt}
	}
	server := simplesamltest.Start(t,
		sp("plain", true, ""), sp("cbc", true, "http://www.w3.org/2001/04/xmlenc#aes256-cbc"), sp("gcm", true, "http://www.w3.org/2009/xmlenc11#aes256-gcm"), sp("transient", false, ""))
	open := func(t *testing.T, where string, change func(*Config)) *Provider {
		return opened(t, where, server.Metadata(), pair, change)
	}
	// in signs somebody in.
	in := func(t *testing.T, b *browser, p *Provider) (*signin.Assertion, url.Values, *signin.Pending, error) {
		t.Helper()
		to, pending, err := p.Begin(t.Context(), signin.Start{State: strings.Repeat("s", 43)})
		if err != nil {
			t.Fatal(err)
		}
		path, form := b.visit(to)
		if !strings.HasSuffix(path, "/acs") || form.Get("RelayState") != "ssssssss" {
			t.Fatalf("%s %v", path, form)
		}
		a, err := p.Finish(t.Context(), form, &pending)
		return a, form, &pending, err
	}
	for _, where := range []string{"plain", "cbc", "gcm"} {
		for _, binding := range []string{"redirect", "post"} {
			t.Run(where+" by "+binding, func(t *testing.T) {
				p := open(t, where, func(c *Config) { c.Binding = binding })
				a, form, pending, err := in(t, newBrowser(t), p)
				if err != nil {
					t.Fatal(err)
				}
				if !a.Subject.Immutable || a.Subject.Object != "3f2504e0-4f89-41d3-9a0c-0305e82c3301" || a.Mail != "ada@example.test" || !a.MailVerified || a.Session == "" ||
					!slices.Equal(a.Claims["groups"], []string{"staff", "engineers"}) || a.Request != pending.Request || a.Until.IsZero() {
					t.Errorf("%+v", a)
				}
				_, err = p.Finish(t.Context(), form, pending)
				if refusal := refusalOf(t, err); refusal.Reason != signin.UsedAlready {
					t.Errorf("%+v", refusal)
				}
			})
		}
	}
	t.Run("the same person has the same id", func(t *testing.T) {
		p := open(t, "plain", nil)
		one, _, _, err := in(t, newBrowser(t), p)
		if err != nil {
			t.Fatal(err)
		}
		two, _, _, err := in(t, newBrowser(t), p)
		if err != nil || one.Subject != two.Subject {
			t.Errorf("%+v, %+v, %v", one, two, err)
		}
	})
	t.Run("transient ids are refused", func(t *testing.T) {
		_, _, _, err := in(t, newBrowser(t), open(t, "transient", nil))
		if refusal := refusalOf(t, err); refusal.Reason != signin.TransientID {
			t.Errorf("%+v", refusal)
		}
	})
	t.Run("a request that is not signed is refused there", func(t *testing.T) {
		no := false
		p := open(t, "plain", func(c *Config) { c.SignRequests = &no })
		to, _, err := p.Begin(t.Context(), signin.Start{State: strings.Repeat("s", 43)})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := newBrowser(t).client.Get(to.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		// An error page, with the status 200; a signed request leads to the log-in page.
		if page, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode < 400 && !strings.Contains(string(page), "trackidtext") {
			t.Errorf("%s, %v: %s", resp.Status, err, page)
		}
	})
	t.Run("logged out by us", func(t *testing.T) {
		b, p := newBrowser(t), open(t, "plain", nil)
		a, _, _, err := in(t, b, p)
		if err != nil {
			t.Fatal(err)
		}
		to, err := p.End(t.Context(), signin.Session{Subject: a.Subject, NameID: a.NameID, Session: a.Session, State: strings.Repeat("e", 43)})
		if err != nil {
			t.Fatal(err)
		}
		path, form := b.visit(to)
		if !strings.HasSuffix(path, "/slo") {
			t.Fatal(path)
		}
		ended, reply, err := p.EndRequest(t.Context(), form)
		if err != nil || reply.To.URL != "" || ended.Subject.Value != "" || relayOf(form) != strings.Repeat("e", 43) {
			t.Errorf("%+v, %+v, %v, %v", ended, reply, form, err)
		}
	})
	t.Run("logged out there", func(t *testing.T) {
		b, p := newBrowser(t), open(t, "plain", nil)
		a, _, _, err := in(t, b, p)
		if err != nil {
			t.Fatal(err)
		}
		path, form := b.visit(signin.To{URL: server.URL + "/saml2/idp/initSLO.php?RelayState=" + url.QueryEscape("https://"+ourHost+"/bye")})
		if !strings.HasSuffix(path, "/slo") {
			t.Fatal(path)
		}
		ended, reply, err := p.EndRequest(t.Context(), form)
		if err != nil {
			t.Fatal(err)
		}
		if want := a.Subject; ended.Subject.Value != want.Value || ended.Subject.Realm != want.Realm || !slices.Equal(ended.Sessions, []string{a.Session}) {
			t.Errorf("%+v, want %+v %s", ended, want, a.Session)
		}
		if path, _ = b.visit(reply.To); path != "/bye" {
			t.Errorf("the provider was not content: %s", path)
		}
		_, _, err = p.EndRequest(t.Context(), form)
		if refusal := refusalOf(t, err); refusal.Reason != signin.UsedAlready {
			t.Errorf("%+v", refusal)
		}
	})
	t.Run("begun there", func(t *testing.T) {
		for _, mode := range []string{"restart", "accept", "refuse"} {
			b, p := newBrowser(t), open(t, "plain", func(c *Config) { c.IDPInitiated = mode })
			path, form := b.visit(signin.To{URL: server.URL + "/saml2/idp/SSOService.php?spentityid=" + url.QueryEscape(p.Addresses().EntityID)})
			if !strings.HasSuffix(path, "/acs") {
				t.Fatal(path)
			}
			a, err := p.Finish(t.Context(), form, nil)
			if mode == "accept" {
				if err != nil || a.Request != "" || a.Subject.Object == "" {
					t.Errorf("%+v, %v", a, err)
				}
				continue
			}
			if refusal := refusalOf(t, err); refusal.Reason != signin.NotBegunHere || (refusal.Restart != nil) != (mode == "restart") {
				t.Errorf("%s: %+v", mode, refusal)
			}
			if mode == "restart" { // one more round, and nobody is asked for a password
				if a, _, _, err := in(t, b, p); err != nil || a.Request == "" {
					t.Errorf("%+v, %v", a, err)
				}
			}
		}
	})
	t.Run("probe", func(t *testing.T) {
		findings, err := open(t, "plain", nil).Probe(t.Context())
		if err != nil || len(findings) < 6 {
			t.Errorf("%+v, %v", findings, err)
		}
	})
}
