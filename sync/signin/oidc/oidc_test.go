package oidc

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

const (
	callback = "https://auth.example.test/auth/oidc/p/callback"
	login    = "https://login.example.test"
	client   = "dirsyncd"
	secret   = "of the test & more"
)

// world is one provider of ours and one issuer.
type world struct {
	*Provider
	t      *testing.T
	server *oidctest.Server
	issuer *oidctest.Issuer
	memory *oidctest.Memory
	client *http.Client
}

func options(server *oidctest.Server, memory *oidctest.Memory, c *http.Client) Options {
	return Options{
		Client: c, Now: server.Clock.Now, Once: memory, Kept: memory, Name: "p", Callback: callback,
		SignedOut: "https://auth.example.test/auth/signed-out", Domains: []string{"example.test", "gmail.com"},
	}
}

func generic() *Generic {
	g, _ := Blank("generic").(*Generic)
	g.Issuer, g.ClientID, g.ClientSecret = login, client, settings.NewSecret(secret)
	return g
}

// newWorld makes a generic provider; change may be nil.
func newWorld(t *testing.T, change func(*Generic, *Options, *oidctest.Options)) *world {
	t.Helper()
	server := oidctest.NewServer(t, "login.example.test", "elsewhere.example.test")
	g, o := generic(), options(server, oidctest.NewMemory(server.Clock), server.Client(t))
	at := oidctest.Options{Discovery: login + wellKnown, Issuer: login, ClientID: client, Secret: secret}
	if change != nil {
		change(g, &o, &at)
	}
	if issues := g.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	issuer := server.NewIssuer(t, at)
	issuer.Person(map[string]any{"sub": "person", "email": "a@example.test", "email_verified": true})
	return begin(t, server, issuer, g, o)
}

func begin(t *testing.T, server *oidctest.Server, issuer *oidctest.Issuer, s Settings, o Options) *world {
	t.Helper()
	p, err := New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	memory, _ := o.Kept.(*oidctest.Memory)
	return &world{Provider: p, t: t, server: server, issuer: issuer, memory: memory, client: o.Client}
}

// start begins a sign-in and goes to the provider. It returns what comes back.
func (w *world) start(s signin.Start) (url.Values, *signin.Pending) {
	w.t.Helper()
	s.State = random()
	to, pending, err := w.Begin(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	return oidctest.Browse(w.t, w.client, to.URL), &pending
}

func (w *world) signIn() (*signin.Assertion, error) {
	w.t.Helper()
	form, pending := w.start(signin.Start{})
	return w.Finish(w.t.Context(), form, pending)
}

func (w *world) in() *signin.Assertion {
	w.t.Helper()
	a, err := w.signIn()
	if err != nil {
		w.t.Fatalf("%v; %+v", err, refusal(w.t, err))
	}
	for _, check := range a.Checks {
		if !check.OK && check.Name != "mail is verified" {
			w.t.Errorf("let in with %+v", check)
		}
	}
	return a
}

func refusal(t *testing.T, err error) *signin.Refusal {
	t.Helper()
	var r *signin.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v is no refusal", err)
	}
	return r
}

// refused checks that an error is a refusal for a reason, whose last check has a name; a blank name is not compared.
func refused(t *testing.T, err error, reason signin.Reason, check string) *signin.Refusal {
	t.Helper()
	if err == nil {
		t.Fatal("let in")
	}
	r := refusal(t, err)
	if r.Reason != reason {
		t.Errorf("%s: %s, want %s", r.Reason, r.Text, reason)
	}
	if r.Text == "" || strings.Contains(r.Text+r.Hint, secret) {
		t.Errorf("%+v", r)
	}
	if check == "" {
		return r
	}
	if n := len(r.Checks); n == 0 || r.Checks[n-1].Name != check || r.Checks[n-1].OK {
		t.Errorf("the checks are %+v, want the last to be %q", r.Checks, check)
	}
	for _, c := range r.Checks[:max(0, len(r.Checks)-1)] {
		if !c.OK {
			t.Errorf("went on after %+v", c)
		}
	}
	return r
}

func TestSignIn(t *testing.T) {
	w := newWorld(t, func(g *Generic, _ *Options, _ *oidctest.Options) {
		age := settings.Duration(time.Hour)
		g.MaxAge, g.ACR, g.Locales, g.Hint, g.HD = &age, []string{"urn:a", "urn:b"}, []string{"de", "en"}, "example.test", "hd.test"
	})
	to, _, err := w.Begin(t.Context(), signin.Start{State: "s", LoginHint: "a@example.test", Again: true})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to.URL)
	if err != nil || to.Form != nil {
		t.Fatal(to, err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": client, "redirect_uri": callback, "scope": "openid profile email", "state": "s",
		"code_challenge_method": "S256", "login_hint": "a@example.test", "acr_values": "urn:a urn:b", "ui_locales": "de en", "max_age": "3600",
		"domain_hint": "example.test", "hd": "hd.test", "prompt": "login",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if len(q.Get("nonce")) != 43 || len(q.Get("code_challenge")) != 43 || q.Has("response_mode") {
		t.Errorf("%v", q)
	}
	now := w.server.Clock.Now()
	w.issuer.Person(map[string]any{
		"sub": "person", "email": "A@Example.test", "email_verified": "true", "sid": "session", "acr": "urn:b", "amr": []string{"pwd", "otp"},
		"auth_time": now.Add(-time.Minute).Unix(), "login_hint": "hint", "groups": []string{"x", "y"}, "address": map[string]any{"country": "AT"},
	})
	a := w.in()
	want := signin.Subject{Realm: login, Value: "person", Immutable: true}
	if a.Subject != want || a.Mail != "A@Example.test" || !a.MailVerified || a.Session != "session" || a.Context != "urn:b" ||
		strings.Join(a.Methods, " ") != "pwd otp" || a.LoginHint != "hint" || !a.At.Equal(now.Add(-time.Minute)) || a.IDToken == "" ||
		strings.Join(a.Claims["groups"], " ") != "x y" || a.Claims["address.country"][0] != "AT" {
		t.Errorf("%+v", a)
	}
	for _, check := range a.Checks {
		if strings.Contains(check.Found, "person") || strings.Contains(check.Found, "xample.test") && check.Name == "mail is verified" {
			t.Errorf("%+v shows a person", check)
		}
	}
}

// TestChecks has one row for everything that is looked at, in the order in which it is.
func TestChecks(t *testing.T) {
	other := oidctest.NewKey(t, "ES256", "first")
	token := func(edit func(c map[string]any)) func(*world) { return func(w *world) { w.issuer.Edit(edit) } }
	claim := func(name string, value any) func(*world) { return token(func(c map[string]any) { c[name] = value }) }
	later := func(name string, d time.Duration) func(*world) {
		return func(w *world) {
			w.issuer.Edit(func(c map[string]any) { c[name] = w.server.Clock.Now().Add(d).Unix() })
		}
	}
	answer := func(endpoint string, status int, body string) func(*world) {
		return func(w *world) {
			w.issuer.Answer(endpoint, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(status)
				_, _ = rw.Write([]byte(body))
			})
		}
	}
	for name, tc := range map[string]struct {
		set    func(w *world)                            // at the provider
		back   func(form url.Values, p **signin.Pending) // on the way back
		reason signin.Reason                             // blank: let in
		check  string
	}{
		"nothing began":   {back: func(_ url.Values, p **signin.Pending) { *p = nil }, reason: signin.NotBegunHere, check: "begun here"},
		"another state":   {back: func(f url.Values, _ **signin.Pending) { f.Set("state", "x") }, reason: signin.NotBegunHere, check: "state"},
		"no state":        {back: func(f url.Values, p **signin.Pending) { f.Del("state"); (*p).State = "" }, reason: signin.NotBegunHere, check: "state"},
		"two states":      {back: func(f url.Values, _ **signin.Pending) { f.Add("state", f.Get("state")) }, reason: signin.Malformed, check: "one answer"},
		"too late":        {back: func(_ url.Values, p **signin.Pending) { (*p).At = (*p).At.Add(-16 * time.Minute) }, reason: signin.TooLate, check: "in time"},
		"the last minute": {back: func(_ url.Values, p **signin.Pending) { (*p).At = (*p).At.Add(-15 * time.Minute) }},
		"no code":         {back: func(f url.Values, _ **signin.Pending) { f.Del("code") }, reason: signin.Malformed, check: "code"},
		"a foreign iss":   {back: func(f url.Values, _ **signin.Pending) { f.Set("iss", "https://evil.test") }, reason: signin.Issuer, check: "issuer of the answer"},
		"a blank iss":     {back: func(f url.Values, _ **signin.Pending) { f.Set("iss", "") }, reason: signin.Issuer, check: "issuer of the answer"},
		"a foreign code":  {back: func(f url.Values, _ **signin.Pending) { f.Set("code", "x") }, reason: signin.ProviderError, check: "no error"},
		"another browser": {back: func(_ url.Values, p **signin.Pending) { (*p).Verifier = random() + "xx" }, reason: signin.ProviderError, check: "no error"},
		"another nonce":   {back: func(_ url.Values, p **signin.Pending) { (*p).Nonce = random() }, reason: signin.Nonce, check: "nonce"},
		"a lost nonce":    {set: claim("nonce", nil), back: func(_ url.Values, p **signin.Pending) { (*p).Nonce = "" }, reason: signin.Nonce, check: "nonce"},

		"refused there":        {set: func(w *world) { w.issuer.Refuse("access_denied", "<b>no</b>") }, reason: signin.ProviderError, check: "no error"},
		"refused client":       {set: answer(oidctest.Token, 401, `{"error":"invalid_client"}`), reason: signin.ProviderError, check: "no error"},
		"token: no JSON":       {set: answer(oidctest.Token, 200, `<html>`), reason: signin.Malformed},
		"token: no ID token":   {set: answer(oidctest.Token, 200, `{"access_token":"x"}`), reason: signin.Malformed, check: "ID token"},
		"token: status 503":    {set: answer(oidctest.Token, 503, `{"error":"server_error"}`), reason: signin.ProviderUnreachable},
		"token: 64 KiB":        {set: answer(oidctest.Token, 200, `{"x":"`+strings.Repeat("x", 64<<10)+`"}`), reason: signin.ProviderUnreachable},
		"token: encrypted":     {set: answer(oidctest.Token, 200, `{"id_token":"a.b.c.d.e"}`), reason: signin.Malformed},
		"token: no token":      {set: answer(oidctest.Token, 200, `{"id_token":"abc"}`), reason: signin.Malformed},
		"token: another place": {set: func(w *world) { w.issuer.Answer(oidctest.Token, to("https://elsewhere.example.test/token")) }, reason: signin.ProviderUnreachable},

		"alg none": {set: func(w *world) {
			w.issuer.Sign(func(c map[string]any) string { return unsigned(t, c, "none") })
		}, reason: signin.NotSigned, check: "signed at all"},
		"alg None": {set: func(w *world) {
			w.issuer.Sign(func(c map[string]any) string { return unsigned(t, c, "None") })
		}, reason: signin.Signature, check: "algorithm"},
		"alg HS256": {set: func(w *world) {
			w.issuer.Sign(func(c map[string]any) string { return hs256(t, c, secret) })
		}, reason: signin.Signature, check: "algorithm"},
		"another key of the same kid": {set: func(w *world) {
			w.issuer.Sign(func(c map[string]any) string { return other.Sign(c, "JWT") })
		}, reason: signin.Signature, check: "signature"},
		"an unknown kid": {set: func(w *world) {
			w.issuer.Sign(func(c map[string]any) string { return oidctest.NewKey(t, "ES256", "unknown").Sign(c, "JWT") })
		}, reason: signin.Signature, check: "signature"},
		"a rolled key": {set: func(w *world) { w.in(); w.issuer.Roll(oidctest.NewKey(t, "ES256", "second")) }},
		"a key with an issuer": {set: func(w *world) {
			k := oidctest.NewKey(t, "ES256", "entra's")
			k.Issuer = login
			w.issuer.Roll(k)
		}},
		"a key of another issuer": {set: func(w *world) {
			k := oidctest.NewKey(t, "ES256", "entra's")
			k.Issuer = "https://other.example.test"
			w.issuer.Roll(k)
		}, reason: signin.Signature, check: "signature"},
		"two keys without kid": {set: func(w *world) {
			w.issuer.Roll(oidctest.NewKey(t, "ES256", ""), oidctest.NewKey(t, "ES256", ""))
		}},
		"RS256":          {set: func(w *world) { w.issuer.Roll(oidctest.NewKey(t, "RS256", "r")) }},
		"PS256":          {set: func(w *world) { w.issuer.Roll(oidctest.NewKey(t, "PS256", "p")) }},
		"EdDSA":          {set: func(w *world) { w.issuer.Roll(oidctest.NewKey(t, "EdDSA", "e")) }},
		"keys: no JSON":  {set: answer(oidctest.Keys, 200, `<html>`), reason: signin.ProviderUnreachable},
		"keys: none":     {set: answer(oidctest.Keys, 200, `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"first"}]}`), reason: signin.ProviderUnreachable},
		"keys: 404":      {set: answer(oidctest.Keys, 404, ``), reason: signin.ProviderUnreachable},
		"keys elsewhere": {set: func(w *world) { w.issuer.Answer(oidctest.Keys, to("https://elsewhere.example.test/keys")) }, reason: signin.ProviderUnreachable},

		"another issuer":       {set: claim("iss", "https://evil.test"), reason: signin.Issuer, check: "issuer"},
		"a slash more":         {set: claim("iss", login+"/"), reason: signin.Issuer, check: "issuer"},
		"no issuer":            {set: claim("iss", nil), reason: signin.Issuer, check: "issuer"},
		"another audience":     {set: claim("aud", "other"), reason: signin.Audience, check: "audience"},
		"no audience":          {set: claim("aud", nil), reason: signin.Audience, check: "audience"},
		"several audiences":    {set: claim("aud", []string{client, "other"}), reason: signin.Audience, check: "authorized party"},
		"with azp":             {set: token(func(c map[string]any) { c["aud"], c["azp"] = []string{"other", client}, client })},
		"another azp":          {set: claim("azp", "other"), reason: signin.Audience, check: "authorized party"},
		"a blank azp":          {set: claim("azp", ""), reason: signin.Audience, check: "authorized party"},
		"expired":              {set: later("exp", -2*time.Minute), reason: signin.Clock, check: "not expired"},
		"just expired":         {set: later("exp", -119*time.Second)},
		"never expires":        {set: claim("exp", nil), reason: signin.Clock, check: "not expired"},
		"expires at a text":    {set: claim("exp", "tomorrow"), reason: signin.Clock, check: "not expired"},
		"not yet valid":        {set: later("nbf", 121*time.Second), reason: signin.Clock, check: "valid already"},
		"nearly valid":         {set: later("nbf", 119*time.Second)},
		"issued in the future": {set: later("iat", 121*time.Second), reason: signin.Clock, check: "issued already"},
		"issued nearly now":    {set: later("iat", 119*time.Second)},
		"never issued":         {set: claim("iat", nil), reason: signin.Clock, check: "issued already"},
		"wrong nonce":          {set: claim("nonce", "x"), reason: signin.Nonce, check: "nonce"},
		"no sub":               {set: claim("sub", nil), reason: signin.ClaimRefused, check: "sub"},
		"a blank sub":          {set: claim("sub", ""), reason: signin.ClaimRefused, check: "sub"},
		"a sub of 255":         {set: claim("sub", strings.Repeat("x", 255))},
		"a sub of 256":         {set: claim("sub", strings.Repeat("x", 256)), reason: signin.ClaimRefused, check: "sub"},
		"a sub that is a list": {set: claim("sub", []string{"person"}), reason: signin.ClaimRefused, check: "sub"},
		"the library refuses":  {set: claim("_claim_names", map[string]any{"groups": "src1"}), reason: signin.Malformed, check: "library"},
		"wrong at_hash":        {set: claim("at_hash", "x"), reason: signin.ClaimRefused, check: "at_hash"},
		"a blank at_hash":      {set: claim("at_hash", ""), reason: signin.ClaimRefused, check: "at_hash"},
		"the right at_hash":    {set: claim("at_hash", atHash("of the test"))},

		"discovery of 1 MiB": {set: answer(oidctest.Discovery, 200, `{"issuer":"`+strings.Repeat("x", 1<<20)+`"}`), reason: signin.ProviderUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			if strings.HasPrefix(name, "discovery") {
				tc.set(w)
				_, _, err := w.Begin(t.Context(), signin.Start{State: "s"})
				refused(t, err, tc.reason, tc.check)
				return
			}
			if tc.set != nil {
				tc.set(w)
			}
			form, pending := w.start(signin.Start{})
			if tc.back != nil {
				tc.back(form, &pending)
			}
			_, err := w.Finish(t.Context(), form, pending)
			if tc.reason == "" {
				if err != nil {
					t.Errorf("%v; %+v", err, refusal(t, err))
				}
				return
			}
			refused(t, err, tc.reason, tc.check)
		})
	}
}

// TestProvidersWords: what the provider says is kept apart from what operators see, short and harmless.
func TestProvidersWords(t *testing.T) {
	w := newWorld(t, nil)
	w.issuer.Refuse("access_denied", "AADSTS50105: The signed in user 'a@example.test' is not assigned\x1b[2J"+strings.Repeat("x", 1000))
	_, err := w.signIn()
	r := refused(t, err, signin.ProviderError, "no error")
	last := r.Checks[len(r.Checks)-1]
	if r.Code != "AADSTS50105" || !strings.Contains(r.Hint, "assign") || strings.Contains(r.Text+last.Found, "a@example.test") ||
		!strings.Contains(last.Value, "a@example.test") || len(last.Value) > 210 || strings.Contains(last.Value, "\x1b") {
		t.Errorf("%+v, %+v", r, last)
	}
}

// TestSaysWho: a provider that promises to say who answers must do so (RFC 9207).
func TestSaysWho(t *testing.T) {
	w := newWorld(t, func(_ *Generic, _ *Options, at *oidctest.Options) {
		at.Metadata = map[string]any{"authorization_response_iss_parameter_supported": true}
	})
	w.in()
	form, pending := w.start(signin.Start{})
	form.Del("iss")
	_, err := w.Finish(t.Context(), form, pending)
	refused(t, err, signin.Issuer, "issuer of the answer")
}

// TestTwice: a code is good once.
func TestTwice(t *testing.T) {
	w := newWorld(t, nil)
	form, pending := w.start(signin.Start{})
	if _, err := w.Finish(t.Context(), form, pending); err != nil {
		t.Fatal(err)
	}
	_, err := w.Finish(t.Context(), form, pending)
	if r := refused(t, err, signin.ProviderError, "no error"); r.Code != "invalid_grant" {
		t.Errorf("%+v", r)
	}
}

func TestMaxAge(t *testing.T) {
	for name, tc := range map[string]struct {
		ago    time.Duration
		absent bool
		reason signin.Reason
		check  string
	}{
		"now": {}, "an hour": {ago: time.Hour}, "longer": {ago: time.Hour + 3*time.Minute, reason: signin.ClaimRefused, check: "auth_time"},
		"in the future": {ago: -3 * time.Minute, reason: signin.ClaimRefused, check: "auth_time"},
		"not said":      {absent: true, reason: signin.ClaimRefused, check: "auth_time is there"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(g *Generic, _ *Options, _ *oidctest.Options) {
				age := settings.Duration(time.Hour)
				g.MaxAge = &age
			})
			if !tc.absent {
				w.issuer.Edit(func(c map[string]any) { c["auth_time"] = w.server.Clock.Now().Add(-tc.ago).Unix() })
			}
			_, err := w.signIn()
			if tc.reason == "" && err != nil {
				t.Error(err)
			} else if tc.reason != "" {
				refused(t, err, tc.reason, tc.check)
			}
		})
	}
}

// TestUserInfo: it is asked when something is missing, and believed when it speaks of the same person.
func TestUserInfo(t *testing.T) {
	whole := map[string]any{"sub": "person", "email": "a@example.test", "email_verified": true}
	bare := map[string]any{"sub": "person"}
	for name, tc := range map[string]struct {
		token, info map[string]any
		claims      []string
		asked       int
		mail        string
		verified    bool
		reason      signin.Reason
		check       string
	}{
		"nothing missing":         {token: whole, mail: "a@example.test", verified: true},
		"mail missing":            {token: bare, info: whole, asked: 1, mail: "a@example.test", verified: true},
		"a claim missing":         {token: whole, info: map[string]any{"sub": "person", "staff": "yes"}, claims: []string{"staff"}, asked: 1, mail: "a@example.test", verified: true},
		"not verified":            {token: bare, info: map[string]any{"sub": "person", "email": "a@example.test", "email_verified": nil, "locale": []string{"de"}, "updated_at": "yesterday", "address": "x"}, asked: 1, mail: "a@example.test"},
		"verified something else": {token: map[string]any{"sub": "person", "email": "boss@example.test"}, info: whole, asked: 1, mail: "boss@example.test"},
		"somebody else":           {token: bare, info: map[string]any{"sub": "other", "email": "a@example.test"}, asked: 1, reason: signin.ClaimRefused, check: "UserInfo is of the same person"},
		"nobody":                  {token: bare, info: map[string]any{"email": "a@example.test"}, asked: 1, reason: signin.ClaimRefused, check: "UserInfo is of the same person"},
		"no answer":               {token: bare, asked: 1, reason: signin.ProviderUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(_ *Generic, o *Options, _ *oidctest.Options) { o.Claims = tc.claims })
			w.issuer.Person(tc.token)
			w.issuer.Info(tc.info)
			a, err := w.signIn()
			if n := w.issuer.Count(oidctest.UserInfo); n != tc.asked {
				t.Errorf("asked %d times, want %d", n, tc.asked)
			}
			if tc.reason != "" {
				refused(t, err, tc.reason, tc.check)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a.Mail != tc.mail || a.MailVerified != tc.verified {
				t.Errorf("%s, verified %v", a.Mail, a.MailVerified)
			}
		})
	}
}

// TestProtected: UserInfo cannot change whom the token speaks of.
func TestProtected(t *testing.T) {
	c := claims{"sub": "person"}
	c.add(claims{"sub": "x", "oid": "x", "tid": "x", "hd": "x", "xms_edov": true, "acr": "x", "name": "Ann"})
	if want := (claims{"sub": "person", "name": "Ann"}); !maps.EqualFunc(c, want, func(a, b any) bool { return a == b }) {
		t.Errorf("%v", c)
	}
}

// TestPrompt: a word that the provider does not know is not sent.
func TestPrompt(t *testing.T) {
	for name, tc := range map[string]struct {
		known []string
		start signin.Start
		set   string
		want  string
	}{
		"as set":              {set: "login", want: "login"},
		"nothing":             {},
		"again":               {start: signin.Start{Again: true}, set: "consent", want: "login"},
		"again, known":        {known: []string{"login", "select_account"}, start: signin.Start{Again: true}, want: "select_account"},
		"again, not known":    {known: []string{"none", "login"}, start: signin.Start{Again: true}, want: "login"},
		"sign up":             {known: []string{"create"}, start: signin.Start{SignUp: true}, want: "create"},
		"sign up, not known":  {known: []string{"login"}, start: signin.Start{SignUp: true}},
		"sign up, not listed": {start: signin.Start{SignUp: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(g *Generic, _ *Options, at *oidctest.Options) {
				g.Prompt = tc.set
				if tc.known != nil {
					at.Metadata = map[string]any{"prompt_values_supported": tc.known}
				}
			})
			tc.start.State = "s"
			to, _, err := w.Begin(t.Context(), tc.start)
			if err != nil {
				t.Fatal(err)
			}
			u, _ := url.Parse(to.URL)
			if got := u.Query().Get("prompt"); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestInitiated: the portal of the provider may begin, that of another may not.
func TestInitiated(t *testing.T) {
	w := newWorld(t, nil)
	s, target, err := w.Initiated(t.Context(), url.Values{"iss": {login}, "login_hint": {"a"}, "target_link_uri": {"https://desk.example.test/x"}})
	if err != nil || s.LoginHint != "a" || target != "https://desk.example.test/x" {
		t.Errorf("%+v, %s, %v", s, target, err)
	}
	_, _, err = w.Initiated(t.Context(), url.Values{"iss": {"https://evil.test"}})
	refused(t, err, signin.Issuer, "issuer of the portal")
}
