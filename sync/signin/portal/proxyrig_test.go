package portal_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/store/bolt"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/keyring"
	"dirsyncd/sync/signin/oidc/oidctest"
	"dirsyncd/sync/signin/portal"
	"dirsyncd/sync/signin/portal/proxytest"
	"dirsyncd/sync/web"
)

const (
	central = "https://" + proxytest.Central
	desk    = "https://" + proxytest.App
)

// site is a portal and an application behind a real proxy.
type site struct {
	t       *testing.T
	clock   *oidctest.Clock
	people  *people
	address string // of the proxy
	pool    *x509.CertPool
}

// namer is a provider that lets in whom the code names.
type namer struct{ now func() time.Time }

func (*namer) Begin(_ context.Context, s signin.Start) (signin.To, signin.Pending, error) {
	q := url.Values{"state": {s.State}}
	if s.Again {
		q.Set("prompt", "select_account")
	}
	return signin.To{URL: "https://idp.test/authorize?" + q.Encode()}, signin.Pending{}, nil
}

func (n *namer) Finish(_ context.Context, form url.Values, _ *signin.Pending) (*signin.Assertion, error) {
	id := form.Get("code")
	return &signin.Assertion{Subject: signin.Subject{Realm: "idp", Value: id, Immutable: true, Object: id}, At: n.now()}, nil
}

func (*namer) EndRequest(context.Context, url.Values) (signin.Ended, signin.Reply, error) {
	return signin.Ended{}, signin.Reply{}, errors.New("not here")
}

func (*namer) End(context.Context, signin.Session) (signin.To, error) { return signin.To{}, nil }
func (*namer) Probe(context.Context) ([]signin.Finding, error)        { return nil, nil }

// people are those of the test.
type people struct {
	mu     sync.Mutex
	list   map[string]signin.Standing // by id
	broken error
}

func (p *people) set(id string, s signin.Standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list[id] = s
}

// fail breaks the state, or mends it with nil.
func (p *people) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = err
}

func (p *people) Scopes(context.Context, string) ([]signin.Scope, error) {
	return []signin.Scope{{Connection: "hq"}}, nil
}

func (p *people) ByID(_ context.Context, where signin.Scope, id string) (signin.Owner, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.list[id]
	return signin.Owner{Scope: where, ID: id, Record: where.Connection + "/" + id}, ok, p.broken
}

func (p *people) Find(context.Context, []signin.Scope, string, string) ([]signin.Owner, error) {
	return nil, nil
}

func (p *people) Standing(_ context.Context, o signin.Owner) (signin.Standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list[o.ID], p.broken
}

func newSite(t *testing.T, proxy func(testing.TB, proxytest.Site) string) *site {
	t.Helper()
	certificate := oidctest.NewCertificate(t, proxytest.Central, proxytest.App)
	s := &site{t: t, clock: oidctest.NewClock(), people: &people{list: make(map[string]signin.Standing)}, pool: certificate.Pool}
	keys, err := keyring.Create(filepath.Join(t.TempDir(), "keys"), s.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	here, there := &url.URL{Scheme: "https", Host: proxytest.Central}, &url.URL{Scheme: "https", Host: proxytest.App}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	state, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	p, err := portal.New(portal.Options{
		URL: here,
		Providers: []portal.Named{{Provider: &namer{now: s.clock.Now}, Name: "staff", Host: "idp.test",
			Policy: signin.Policy{Provider: "staff", Directories: []signin.Directory{{Connection: "hq"}}, Admission: signin.Both}}},
		Apps:   []portal.App{{Name: "desk", URL: there, Providers: []string{"staff"}, Admission: signin.Agents, Auto: true}},
		People: s.people, Items: state.Items(), Keys: keys, Log: log, Now: s.clock.Now, Lifetime: 12 * time.Hour, Idle: 2 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	front := web.New(web.Options{URL: here, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Log: log})
	for path, route := range map[string]web.Route{"/auth/": {Handler: p, Hosts: p.Hosts()}, "/auth/verify/": {Handler: p, Proxies: true}} {
		if _, err := front.Mount(path, route); err != nil {
			t.Fatal(err)
		}
	}
	dirsyncd, app := httptest.NewServer(front), httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(dirsyncd.Close)
	t.Cleanup(app.Close)
	s.address = proxy(t, proxytest.Site{
		Document: "../../../docs/sign-in.md", Dirsyncd: dirsyncd.Listener.Addr().String(), App: app.Listener.Addr().String(),
		Cert: certificate.Cert, Key: certificate.Key,
	})
	return s
}

// seen is what the application got. It answers with that.
type seen struct {
	Method, Address string
	Header          http.Header
	Size            int64
	Digest          string // SHA-256 of the body
}

func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		echoUpgraded(w, r)
		return
	}
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(seen{r.Method, r.Host + r.RequestURI, r.Header, n, hex.EncodeToString(sum.Sum(nil))})
}

// echoUpgraded tells who it is, and then sends back whatever comes.
func echoUpgraded(w http.ResponseWriter, r *http.Request) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + r.Header.Get("Upgrade") + "\r\nConnection: Upgrade\r\nSaw-User: " + r.Header.Get("Remote-User") + "\r\n\r\n")
	if buf.Flush() == nil {
		_, _ = io.Copy(conn, buf)
	}
}

// surfer is a browser of somebody, who is signed in at the provider.
type surfer struct {
	s      *site
	person string
	jar    *cookiejar.Jar
	client *http.Client
}

func (s *site) surfer(person string) *surfer {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool}, DialContext: s.dial, DisableKeepAlives: true, DisableCompression: true}}
	return &surfer{s, person, jar, client}
}

// dial finds both hosts at the proxy, and nobody else anywhere.
func (s *site) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address != proxytest.Central+":443" && address != proxytest.App+":443" {
		return nil, errors.New("the test goes to " + address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, s.address)
}

// answer is one that was read to its end.
type answer struct {
	status int
	at     string // what was asked for
	header http.Header
	body   string
}

// place is where an answer leads to.
func (a *answer) place() string { return a.header.Get("Location") }

// navigation is what browsers send with a request for a page.
var navigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html,*/*"}

// send asks for an address exactly as it is spelled. A header may be given several times.
func (b *surfer) send(method, address string, body io.Reader, header ...string) *answer {
	b.s.t.Helper()
	req, err := http.NewRequestWithContext(b.s.t.Context(), method, address, body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header[header[i]] = append(req.Header[header[i]], header[i+1]) // as it is spelled
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.s.t.Fatalf("%s %s: %v", method, address, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.s.t.Fatalf("%s %s: %v", method, address, err)
	}
	return &answer{resp.StatusCode, address, resp.Header, string(data)}
}

// visit opens a page, and goes wherever it is sent; at the provider it is let through. It returns the last answer and every address on the way.
func (b *surfer) visit(address string, header ...string) (last *answer, way []string) {
	b.s.t.Helper()
	for range 12 {
		way = append(way, address)
		u, err := url.Parse(address)
		if err != nil {
			b.s.t.Fatal(err)
		}
		if u.Host == "idp.test" {
			address = central + "/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"], "code": {b.person}}.Encode()
			continue
		}
		a := b.send(http.MethodGet, address, http.NoBody, append(header, navigation...)...)
		if a.place() == "" {
			return a, way
		}
		address = a.place()
	}
	b.s.t.Fatalf("a circle: %s", strings.Join(way, "\n"))
	return nil, nil
}

// signedIn is a browser that has signed in at the application.
func (s *site) signedIn(person string) *surfer {
	s.t.Helper()
	b := s.surfer(person)
	if a, way := b.visit(desk + "/"); a.status != http.StatusOK || a.at != desk+"/" {
		s.t.Fatalf("%s is not in: %d at %s", person, a.status, strings.Join(way, "\n"))
	}
	return b
}

// got returns what the application saw.
func (a *answer) got(t *testing.T) *seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(a.body), &s); a.status != http.StatusOK || err != nil {
		t.Fatalf("%d at %s is no answer of the application: %s", a.status, a.at, a.body)
	}
	return &s
}

// upgrade asks for a WebSocket by hand, and returns the answer, without a body, and the open connection.
func (b *surfer) upgrade(address string) (*answer, io.ReadWriter) {
	b.s.t.Helper()
	raw, err := b.s.dial(b.s.t.Context(), "tcp", proxytest.App+":443")
	if err != nil {
		b.s.t.Fatal(err)
	}
	conn := tls.Client(raw, &tls.Config{RootCAs: b.s.pool, ServerName: proxytest.App})
	b.s.t.Cleanup(func() { _ = conn.Close() })
	req, err := http.NewRequestWithContext(b.s.t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		b.s.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Fetch-Mode": "websocket"} {
		req.Header.Set(name, value)
	}
	var wire bytes.Buffer
	if err := req.Write(&wire); err != nil {
		b.s.t.Fatal(err)
	}
	if _, err := conn.Write(wire.Bytes()); err != nil {
		b.s.t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return &answer{status: resp.StatusCode, at: address, header: resp.Header}, struct {
		io.Reader
		io.Writer
	}{in, conn}
}
