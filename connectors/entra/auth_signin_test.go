package entra

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// TestRefusals: every refusal of the token endpoint that operators meet says what is wrong and who must do what.
func TestRefusals(t *testing.T) {
	w := small(t)
	for _, test := range []struct {
		code  int
		class fault.Class
		hint  string
	}{
		{7000215, fault.Auth, "client_secret"}, {7000222, fault.Auth, "client_secret"}, {700027, fault.Auth, "certificate"},
		{50012, fault.Auth, "clock"}, {700016, fault.Auth, "client_id"}, {700011, fault.Auth, "client_id"}, {65001, fault.Auth, "consent"},
		{650052, fault.Auth, "consent"}, {90099, fault.Auth, "Partner Center"}, {500011, fault.Configuration, "graph"},
		{90002, fault.Configuration, "tenant"}, {5000224, fault.Configuration, "tenant"}, {900023, fault.Configuration, "tenant"},
		{90038, fault.Configuration, "cloud"}, {900382, fault.Configuration, "cloud"}, {50020, fault.Auth, "GDAP"},
		{50076, fault.Auth, "second factor"}, {53003, fault.Auth, "Conditional Access"}, {700082, fault.Auth, "sign in again"},
		{50196, fault.Throttled, ""}, {90055, fault.Throttled, ""}, {90033, fault.Transient, ""}, {7000112, fault.Auth, "enable"},
		{4242424, fault.Auth, ""}, {7000229, fault.Auth, "consent"}, {500021, fault.Auth, "Restrict-Access-To-Tenants"}, {500022, fault.Auth, "proxy"},
		{90072, fault.Auth, "GDAP"}, {500341, fault.Auth, "GDAP"}, {500571, fault.Auth, "GDAP"}, {50089, fault.Auth, "GDAP"},
	} {
		w.s.Behave()
		w.s.Misbehave(microsoftsim.Fault{Path: "/token", Status: http.StatusBadRequest, Body: fmt.Sprintf(
			`{"error":"invalid_client","error_description":"AADSTS%d: user someone@private.test %s","error_codes":[%d],"correlation_id":"c0ffee00-0000-4000-8000-000000000000"}`,
			test.code, testSecret, test.code)})
		_, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil)
		text := fmt.Sprint(err)
		if fault.ClassOf(err) != test.class || !strings.Contains(fault.Hint(err), test.hint) || !strings.Contains(text, fmt.Sprint("AADSTS", test.code)) {
			t.Errorf("%d: class %s, want %s: %v", test.code, fault.ClassOf(err), test.class, err)
		}
		if strings.Contains(text, "private.test") || strings.Contains(text, testSecret) {
			t.Errorf("%d: the error quotes the service: %v", test.code, err)
		}
		if after := fault.After(err); slices.Contains(Unconsented(), test.code) != (after == time.Hour) {
			t.Errorf("%d: left alone for %s", test.code, after)
		}
		var e *tokenError
		if !errors.As(err, &e) || e.Code != test.code {
			t.Errorf("%d: no tokenError", test.code)
		}
	}
}

// TestRefusalsByWord: where the number is not known, the word of OAuth decides; a document that is none is left to
// its status.
func TestRefusalsByWord(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		class  fault.Class
	}{
		{401, `{"error":"invalid_client"}`, fault.Auth}, {400, `{"error":"unauthorized_client","error_codes":[1]}`, fault.Auth},
		{400, `{"error":"invalid_grant"}`, fault.Auth}, {400, `{"error":"interaction_required"}`, fault.Auth}, {403, `{"error":"access_denied"}`, fault.Auth},
		{400, `{"error":"invalid_scope"}`, fault.Configuration}, {400, `{"error":"invalid_resource"}`, fault.Configuration},
		{400, `{"error":"temporarily_unavailable"}`, fault.Transient}, {503, `{"error":"x"}`, fault.Transient}, {429, `{"error":"x"}`, fault.Throttled},
		{400, `{"error":"something new, with blanks and someone@private.test"}`, fault.Auth},
	} {
		f := explainToken(&rest.Answer{Status: test.status, Body: []byte(test.body)})
		if f == nil || f.Class != test.class || strings.Contains(f.Error(), "private.test") {
			t.Errorf("%d %s: %v", test.status, test.body, f)
		}
	}
	for _, body := range []string{"", "<html>", "{}", "[]", `{"error":{"code":"x"}}`} {
		if f := explainToken(&rest.Answer{Status: 400, Body: []byte(body)}); f != nil {
			t.Errorf("%s: %v", body, f)
		}
	}
}

// TestSimulatedRefusals goes the same way with what the simulator answers by itself.
func TestSimulatedRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		do    func(*world)
		class fault.Class
		code  int
	}{
		"expired secret": {func(w *world) {
			w.s.AddApp(microsoftsim.App{ID: testClient, Home: w.tenant.ID(), Secrets: map[string]time.Time{testSecret: time.Unix(1, 0)}})
		}, fault.Auth, 7000222},
		"wrong secret": {func(w *world) {
			w.s.AddApp(microsoftsim.App{ID: testClient, Home: w.tenant.ID(), Secrets: map[string]time.Time{"x": {}}})
		}, fault.Auth, 7000215},
		"not installed": {func(w *world) { w.tenant.Revoke(testClient) }, fault.Auth, 700016},
		"tenant gone":   {func(w *world) { w.tenant.SetGone(true) }, fault.Configuration, 90002},
	} {
		w := small(t)
		test.do(w)
		_, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil)
		var e *tokenError
		if fault.ClassOf(err) != test.class || !errors.As(err, &e) || e.Code != test.code || fault.Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChallenge: a token that was withdrawn is replaced once, with the claims that the service asks for.
func TestChallenge(t *testing.T) {
	w := small(t)
	c := w.open(nil)
	w.s.Misbehave(microsoftsim.Challenge("/users/delta", 1))
	if _, _, err := readAll(t, c, streamUsers, connectors.Full, nil); err != nil {
		t.Error(err)
	}
	if n := w.s.Requests("POST /{tenant}/oauth2/v2.0/token"); n != 2 {
		t.Errorf("%d tokens", n)
	}
	w.s.Misbehave(microsoftsim.Challenge("/users/delta", 0))
	before := w.s.Requests("/users/delta")
	_, _, err := readAll(t, c, streamUsers, connectors.Full, nil)
	if fault.ClassOf(err) != fault.Auth || w.s.Requests("/users/delta")-before != 2 {
		t.Errorf("for ever: %v after %d requests", err, w.s.Requests("/users/delta")-before)
	}
}

// TestTokensSwitchedOff: in the middle of a read all tokens become worthless; one new one is got, and when that
// fails too the read ends with what the sign-in says.
func TestTokensSwitchedOff(t *testing.T) {
	for _, refused := range []bool{false, true} {
		w := small(t)
		c := w.open(nil)
		pages := 0
		err := connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
			if pages++; pages == 2 {
				w.s.Misbehave(microsoftsim.ErrorAnswer("/users/delta", 1, http.StatusUnauthorized, "InvalidAuthenticationToken", "x"))
				if refused {
					w.s.AddApp(microsoftsim.App{ID: testClient, Home: w.tenant.ID(), Secrets: map[string]time.Time{"x": {}}})
				}
			}
			return nil
		})
		if refused && (fault.ClassOf(err) != fault.Auth || pages != 2 || !strings.Contains(err.Error(), "7000215")) || !refused && err != nil {
			t.Errorf("refused %t: %d pages, %v", refused, pages, err)
		}
	}
}

// TestOneTokenForAll: a token is used until it nears its end.
func TestOneTokenForAll(t *testing.T) {
	w := small(t)
	m := newModel(t, w.open(nil))
	for range 3 {
		if err := m.sync(false); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.s.Requests("/token"); n != 1 {
		t.Errorf("%d tokens\n%s", n, w.s.Requested())
	}
	if n := w.s.Requests("openid-configuration"); n != 1 {
		t.Errorf("%d times openid-configuration", n)
	}
}

// TestIdleCycle: when nothing has changed, a stream costs one request.
func TestIdleCycle(t *testing.T) {
	w := small(t)
	m := newModel(t, w.open(nil))
	for range 2 {
		if err := m.sync(false); err != nil {
			t.Fatal(err)
		}
	}
	before := w.s.Requests("/v1.0/")
	if err := m.sync(false); err != nil {
		t.Fatal(err)
	}
	if n := w.s.Requests("/v1.0/") - before; n != 3 {
		t.Errorf("%d requests for users, groups and licences", n)
	}
}

// writeCertificate makes a certificate and its key in one file.
func writeCertificate(t *testing.T) (path string, c *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dirsyncd"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, _ = x509.ParseCertificate(der)
	private, _ := x509.MarshalPKCS8PrivateKey(key)
	data := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	path = filepath.Join(t.TempDir(), "app.pem")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, c
}

// The end of the certificate is known, of one in a file with its key, too, and that of the authorities.
func TestPerishables(t *testing.T) {
	path, certificate := writeCertificate(t)
	other, authority := writeCertificate(t)
	c := Defaults()
	c.Certificate, c.CAFile = settings.Path(path), settings.Path(other)
	want := map[string]time.Time{"certificate": certificate.NotAfter, "ca_file": authority.NotAfter}
	for _, p := range c.Perishables() {
		if ends := p.End(); !ends.Equal(want[p.Key]) {
			t.Errorf("%s ends %s, want %s", p.Key, ends, want[p.Key])
		}
		delete(want, p.Key)
	}
	if len(want) > 0 {
		t.Errorf("nothing is known of %v", want)
	}
}

func TestCertificate(t *testing.T) {
	w := small(t)
	path, certificate := writeCertificate(t)
	w.s.AddApp(microsoftsim.App{ID: testClient, Home: w.tenant.ID(), Certificates: []*x509.Certificate{certificate}})
	edit := func(c *Config) { c.ClientSecret, c.Certificate = settings.Secret{}, settings.Path(path) }
	if _, _, err := readAll(t, w.open(edit), streamUsers, connectors.Full, nil); err != nil {
		t.Error(err)
	}
	other, _ := writeCertificate(t)
	_, _, err := readAll(t, w.open(func(c *Config) { edit(c); c.Certificate = settings.Path(other) }), streamUsers, connectors.Full, nil)
	if fault.ClassOf(err) != fault.Auth || !strings.Contains(fault.Hint(err), "certificate") {
		t.Error(err)
	}
}

func TestCertificateFiles(t *testing.T) {
	w := small(t)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	for name, data := range map[string][]byte{
		"nothing": nil, "garbage": []byte("garbage"), "key alone": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		path := filepath.Join(t.TempDir(), "x.pem")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := w.config(func(c *Config) { c.ClientSecret, c.Certificate = settings.Secret{}, settings.Path(path) })
		if _, err := open(cfg, connectors.Env{}); fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := w.config(func(c *Config) { c.ClientSecret, c.Certificate = settings.Secret{}, "/does/not/exist.pem" })
	if _, err := open(cfg, connectors.Env{}); fault.ClassOf(err) != fault.Configuration {
		t.Error(err)
	}
}

func TestFederatedToken(t *testing.T) {
	w := small(t)
	w.s.AddApp(microsoftsim.App{ID: testClient, Home: w.tenant.ID(), Federated: []microsoftsim.Federation{{Issuer: "https://issuer.test", Subject: "dirsyncd"}}})
	path := filepath.Join(t.TempDir(), "token")
	claims, _ := json.Marshal(map[string]any{
		"iss": "https://issuer.test", "sub": "dirsyncd", "aud": "api://AzureADTokenExchange", "exp": time.Now().Add(time.Hour).Unix(), "nbf": 1, "iat": 1,
	})
	b64 := base64.RawURLEncoding.EncodeToString
	token := b64([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + b64(claims) + ".c2ln"
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := w.open(func(c *Config) { c.ClientSecret, c.FederatedTokenFile = settings.Secret{}, settings.Path(path) })
	if _, _, err := readAll(t, c, streamUsers, connectors.Full, nil); err != nil {
		t.Error(err)
	}
	// An empty file is told by name, when it is needed.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.client.tokens.Drop(must(c.client.tokens.Get(t.Context(), "")))
	if _, _, err := readAll(t, c, streamUsers, connectors.Full, nil); fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

// TestManagedIdentity speaks the protocol of App Service.
func TestManagedIdentity(t *testing.T) {
	answer := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Ms-Retry-After-Ms", "1") // what the library's own attempts wait for
		if r.Header.Get("X-Identity-Header") != "key" || !strings.HasPrefix(r.URL.Query().Get("resource"), "https://graph.example") {
			t.Errorf("%s", r.URL)
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(answer)
		fmt.Fprintf(rw, `{"access_token":"a.b.c","expires_on":"%d","resource":"x","token_type":"Bearer"}`, time.Now().Add(time.Hour).Unix())
	}))
	defer s.Close()
	t.Setenv("IDENTITY_ENDPOINT", s.URL)
	t.Setenv("IDENTITY_HEADER", "key")
	credential, err := NewCredential(Application{ManagedIdentity: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := credential.Tokens("https://graph.example/.default", time.Now)
	if token, err := in.Get(t.Context(), ""); err != nil || token != "a.b.c" {
		t.Errorf("%q, %v", token, err)
	}
	// For other services: the library keeps tokens for the whole process.
	for status, class := range map[int]fault.Class{
		http.StatusBadRequest: fault.Auth, http.StatusServiceUnavailable: fault.Transient, http.StatusTooManyRequests: fault.Throttled,
	} {
		answer = status
		in = credential.Tokens(fmt.Sprintf("https://graph.example.test%d/.default", status), time.Now)
		if _, err := in.Get(t.Context(), ""); fault.ClassOf(err) != class || fault.Hint(err) == "" {
			t.Errorf("%d: class %s: %v", status, fault.ClassOf(err), err)
		}
	}
}

// TestMachineConnections: credentials are made anew after every refusal, connections are not.
func TestMachineConnections(t *testing.T) {
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"access_token":"a.b.c","expires_on":"%d","resource":"x","token_type":"Bearer"}`, time.Now().Add(time.Hour).Unix())
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	t.Setenv("IDENTITY_ENDPOINT", s.URL)
	t.Setenv("IDENTITY_HEADER", "key")
	credential := must(NewCredential(Application{ManagedIdentity: true}, nil))
	const times = 10
	for i := range times {
		in := credential.Tokens(fmt.Sprintf("https://graph.example.connections%d/.default", i), time.Now)
		if _, err := in.Get(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	// net/http gives a connection up that is not ready for the next request at once, as may happen on a busy machine. With
	// connections of their own, every one of them would have opened one.
	if n := opened.Load(); n > times/2 {
		t.Errorf("%d connections for %d credentials", n, times)
	}
}

// TestOddTokenAnswer: an answer with less than there should be is no refusal: credentials that are refused are left
// alone for hours.
func TestOddTokenAnswer(t *testing.T) {
	w := small(t)
	for _, body := range []string{`{}`, `{"token_type":"Bearer","expires_in":3600}`, `[]`} {
		w.s.Behave()
		w.s.Misbehave(microsoftsim.Fault{Path: "/token", Status: http.StatusOK, Body: body})
		if _, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil); fault.ClassOf(err) != fault.Transient {
			t.Errorf("%s: class %s: %v", body, fault.ClassOf(err), err)
		}
	}
}

// TestClaimsOf reads the challenges that were seen, and takes no others for one.
func TestClaimsOf(t *testing.T) {
	const claims = `{"access_token":{"nbf":{"essential":true, "value":"1604106651"},"x":"??>>"}}`
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		h := http.Header{"Www-Authenticate": {`Bearer realm="", error="insufficient_claims", claims="` + encoding.EncodeToString([]byte(claims)) + `"`}}
		if got := claimsOf(h); got != claims {
			t.Errorf("%q", got)
		}
	}
	for _, text := range []string{"", "Bearer", `Bearer error="insufficient_claims"`, `Bearer error="insufficient_claims", claims="???"`, `Bearer error="invalid_token", claims="e30="`} {
		if got := claimsOf(http.Header{"Www-Authenticate": {text}}); got != "" {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// TestCheckNamesPermissions: each missing permission is a finding of its own.
func TestCheckNamesPermissions(t *testing.T) {
	w := small(t)
	edit := func(c *Config) { c.Devices, c.SignInActivity = true, true }
	for _, f := range must(w.open(edit).Check(t.Context())) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
	for _, name := range allPermissions() {
		w.tenant.Revoke(testClient, name)
		found := must(w.open(edit).Check(t.Context()))
		wrong := 0
		for _, f := range found {
			if !f.OK {
				wrong++
			}
		}
		if !has(found, "permission "+name, name) || wrong != 1 && name != "User.Read.All" {
			t.Errorf("%s: %d wrong: %+v", name, wrong, found)
		}
		w.tenant.Consent(testClient, name)
	}
	w.tenant.Revoke(testClient, allPermissions()...)
	if found := must(w.open(edit).Check(t.Context())); len(found) < 6 {
		t.Errorf("%+v", found)
	}
}

// TestTokenTransportGoesNowhereElse: metadata that names a token endpoint elsewhere gets no secret.
func TestTokenTransportGoesNowhereElse(t *testing.T) {
	w := small(t)
	hosts := map[string]bool{}
	cfg := w.config(nil)
	base := must(rest.NewBase(cfg.Network))
	defer base.CloseIdleConnections()
	client := NewTokenClient(TokenClientOptions{Authority: w.s.URL(), Env: connectors.Env{Sleep: noWait}, Base: edits{spy{base, hosts}, func(req *http.Request, body []byte) []byte {
		if strings.Contains(req.URL.Path, "openid-configuration") {
			return []byte(strings.ReplaceAll(string(body), `"token_endpoint":"`+w.s.URL(), `"token_endpoint":"https://evil.test`))
		}
		return body
	}}})
	credential := must(NewCredential(Application{Authority: w.s.URL(), Tenant: w.tenant.ID(), ClientID: testClient, Secret: settings.NewSecret(testSecret)}, client))
	in := credential.Tokens(w.s.URL()+"/.default", time.Now)
	_, err := in.Get(t.Context(), "")
	if err == nil || len(hosts) != 1 {
		t.Errorf("%v, hosts %v", err, hosts)
	}
	if fault.ClassOf(err) != fault.Invalid && fault.ClassOf(err) != fault.Auth {
		t.Errorf("%v", err)
	}
}
