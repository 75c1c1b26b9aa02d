package portal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/portal/proxytest"
)

// TestBehindProxies: with real proxies, configured as docs/sign-in.md says.
func TestBehindProxies(t *testing.T) {
	for name, kind := range map[string]struct {
		proxy  func(testing.TB, proxytest.Site) string
		broken int // the answer when nobody can be asked
	}{
		"nginx": {proxytest.Nginx, http.StatusForbidden},
		"Caddy": {proxytest.Caddy, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, kind.proxy)
			for _, part := range []struct {
				name string
				test func(*testing.T, *site)
			}{
				{"in by the provider", inByTheProvider}, {"forged headers", forgedHeaders}, {"named in Connection", namedInConnection}, {"blank fields", blankFields}, {"odd fields", oddFields}, {"long fields", longFields},
				{"verify from outside", verifyFromOutside}, {"not a page", notAPage}, {"bodies and methods", bodiesAndMethods}, {"WebSocket", webSocket},
				{"disabled", disabledBehindProxy}, {"not for this application", notForThisApplication}, {"signed out", signedOut},
			} {
				t.Run(part.name, func(t *testing.T) {
					here := *s
					here.t = t
					part.test(t, &here)
				})
			}
			t.Run("broken", func(t *testing.T) {
				here := *s
				here.t = t
				brokenState(t, &here, kind.broken)
			})
		})
	}
}

// bound is what the document promises: so long after that is stored, whoever is disabled is out.
const bound = 30 * time.Second

// ann is somebody of whom everything is known.
var ann = signin.Standing{There: true, Enabled: true, Kinds: []string{"agent"}, Fields: map[string]string{"name": "Änn Lee", "email": "ann@example.test", "role": "technician", "team": "first line"}}

func inByTheProvider(t *testing.T, s *site) {
	s.people.set("ann", ann)
	b := s.surfer("ann")
	a, way := b.visit(desk + "/tickets?open=1&q=a%2Fb")
	for i, begins := range []string{desk + "/tickets", desk + "/auth/begin?", central + "/auth/start?", "https://idp.test/", central + "/auth/oidc/staff/callback?", desk + "/auth/enter?", desk + "/tickets"} {
		if i >= len(way) || !strings.HasPrefix(way[i], begins) {
			t.Fatalf("step %d is not to %s:\n%s", i, begins, strings.Join(way, "\n"))
		}
	}
	got := a.got(t)
	if got.Address != proxytest.App+"/tickets?open=1&q=a%2Fb" {
		t.Errorf("the application was asked for %s", got.Address)
	}
	for name, want := range map[string]string{
		"Remote-User": "hq/ann", "Remote-Email": "ann@example.test", "Remote-Name": "Änn Lee", "Remote-Groups": "technician, first line",
		"X-Forwarded-Host": proxytest.App, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1",
	} {
		if list := got.Header[name]; len(list) != 1 || list[0] != want {
			t.Errorf("%s is %q", name, list)
		}
	}
	// As the page tells applications to verify it.
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience("desk"), jwt.WithIssuer(central), jwt.WithTimeFunc(s.clock.Now), jwt.WithExpirationRequired())
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.surfer("").send(http.MethodGet, central+"/auth/keys", http.NoBody).body), &keys); err != nil {
		t.Fatal(err)
	}
	key := func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		if list := keys.Key(id); len(list) == 1 {
			return list[0].Key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	}
	if _, err := parser.ParseWithClaims(got.Header.Get("X-Dirsyncd-Token"), claims, key); err != nil || claims["sub"] != "hq/ann" || claims["name"] != "Änn Lee" {
		t.Errorf("token: %v, %v", err, claims)
	}
	// The next page, without a question.
	if a := b.send(http.MethodGet, desk+"/next", http.NoBody, navigation...); a.got(t).Header.Get("Remote-User") != "hq/ann" {
		t.Errorf("the next page: %s", a.body)
	}
}

// forged are headers as a client may send them. As far as an application cares that reads them in the way of CGI, "_" is "-".
var forged = []string{
	"Remote-User", "forged", "Remote-User", "forged", "remote-email", "forged", "Remote-Name", "forged", "Remote-Groups", "forged", "Remote_User", "forged", "REMOTE_EMAIL", "forged",
	"X-Dirsyncd-Token", "forged", "X_Dirsyncd_Token", "forged", "X-Dirsyncd_Token", "forged", "X_Dirsyncd-Token", "forged",
	"X-Original-URL", "https://forged.test/", "X-Original-Method", "POST", "X-Forwarded-Host", "forged.test", "X-Forwarded-Uri", "/forged", "X-Forwarded-Method", "POST", "X-Forwarded_Host", "forged.test",
}

func forgedHeaders(t *testing.T, s *site) {
	s.people.set("ann", ann)
	s.people.set("uma", signin.Standing{There: true, Enabled: true, Kinds: []string{"agent"}})
	for _, person := range []string{"ann", "uma"} {
		got := s.signedIn(person).send(http.MethodGet, desk+"/here", http.NoBody, append(slices.Clone(forged), navigation...)...).got(t)
		if got.Header.Get("Remote-User") != "hq/"+person || got.Header.Get("X-Forwarded-Host") != proxytest.App {
			t.Errorf("%s: %v", person, got.Header)
		}
		for name, values := range got.Header {
			if strings.Contains(strings.Join(values, " "), "forged") {
				t.Errorf("%s: the application got %s: %q", person, name, values)
			}
		}
	}
	stranger := s.surfer("")
	begin := desk + "/auth/begin?" + url.Values{"rd": {desk + "/here"}}.Encode()
	a := stranger.send(http.MethodGet, desk+"/here", http.NoBody, append(slices.Clone(forged), navigation...)...)
	if a.status != http.StatusFound || a.place() != begin {
		t.Errorf("a stranger gets %d to %s", a.status, a.place())
	}
	// Which host is asked is the proxy's to say.
	a = stranger.send(http.MethodGet, begin, http.NoBody, append([]string{"X-Forwarded-Host", proxytest.Central}, navigation...)...)
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.place(), central+"/auth/start?") {
		t.Errorf("begun with another host: %d to %s", a.status, a.place())
	}
}

// namedInConnection: proxies drop what a client names there (RFC 9110, 7.6.1), and must not drop who somebody is.
func namedInConnection(t *testing.T, s *site) {
	s.people.set("ann", ann)
	b := s.signedIn("ann")
	want := b.send(http.MethodGet, desk+"/", http.NoBody, navigation...).got(t)
	names := []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-Dirsyncd-Token", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}
	got := b.send(http.MethodGet, desk+"/", http.NoBody, append([]string{"Connection", "close, " + strings.Join(names, ", ") + ", X-Forwarded-Uri, X-Forwarded-Method, X-Original-URL"}, navigation...)...).got(t)
	for _, name := range names {
		if v := got.Header.Get(name); v == "" || v != want.Header.Get(name) {
			t.Errorf("%s is %q, and %q before", name, v, want.Header.Get(name))
		}
	}
}

func blankFields(t *testing.T, s *site) {
	s.people.set("uma", signin.Standing{There: true, Enabled: true, Kinds: []string{"agent"}})
	got := s.signedIn("uma").send(http.MethodGet, desk+"/", http.NoBody, navigation...).got(t)
	if got.Header.Get("Remote-User") != "hq/uma" || got.Header.Get("X-Dirsyncd-Token") == "" {
		t.Errorf("%v", got.Header)
	}
	for _, name := range []string{"Remote-Email", "Remote-Name", "Remote-Groups"} {
		if v := got.Header.Get(name); v != "" {
			t.Errorf("%s is %q", name, v)
		}
	}
}

// oddFields: a value is nothing that a proxy reads.
func oddFields(t *testing.T, s *site) {
	fields := map[string]string{"name": `{env.HOME} {http.request.host} $host "a", b; %41 \ ☃`, "email": "{header.Cookie}@example.test", "role": "one, two"}
	s.people.set("odd", signin.Standing{There: true, Enabled: true, Kinds: []string{"agent"}, Fields: fields})
	got := s.signedIn("odd").send(http.MethodGet, desk+"/", http.NoBody, navigation...).got(t)
	if h := got.Header; h.Get("Remote-Name") != fields["name"] || h.Get("Remote-Email") != fields["email"] || h.Get("Remote-Groups") != fields["role"] {
		t.Errorf("%v", h)
	}
}

// longFields: nginx takes an answer with more than 4 KiB of headers for a fault.
func longFields(t *testing.T, s *site) {
	for id, fields := range map[string]map[string]string{
		"name":   {"name": strings.Repeat("n", 1200)},
		"groups": {"roles": strings.Repeat("g", 5000)},
		"all":    {"name": strings.Repeat("n", 2900), "email": strings.Repeat("e", 2900), "roles": strings.Repeat("r", 2900), "customer": strings.Repeat("c", 2900)},
	} {
		s.people.set(id, signin.Standing{There: true, Enabled: true, Kinds: []string{"agent"}, Fields: fields})
		if got := s.signedIn(id).send(http.MethodGet, desk+"/", http.NoBody, navigation...).got(t); got.Header.Get("Remote-User") != "hq/"+id {
			t.Errorf("%s: %v", id, got.Header)
		}
	}
}

func verifyFromOutside(t *testing.T, s *site) {
	s.people.set("ann", ann)
	header := append([]string{"X-Original-URL", desk + "/", "X-Original-Method", "GET", "X-Forwarded-Uri", "/", "X-Forwarded-Method", "GET"}, navigation...)
	b := s.signedIn("ann")
	for _, host := range []string{desk, central} {
		for _, path := range []string{
			"/auth/verify/nginx", "/auth/verify/forward", "/auth/verify/forward?x=1", "/auth/verify/", "/auth/verify/other",
			"/auth//verify/forward", "/auth/./verify/forward", "/auth/x/../verify/forward", "/auth/verify%2Fforward", "/auth/%76erify/forward", "/auth/verify//nginx", "/auth/x/..%2Fverify/nginx",
		} {
			a := b.send(http.MethodGet, host+path, http.NoBody, header...)
			if a.status != http.StatusNotFound || a.header.Get("Remote-User") != "" || a.header.Get("X-Dirsyncd-Token") != "" {
				t.Errorf("%s: %d %s, %v", host+path, a.status, a.body, a.header)
			}
		}
	}
}

// notAPage: what is not shown to a person is not sent away.
func notAPage(t *testing.T, s *site) {
	b := s.surfer("")
	for _, one := range []struct {
		name, method string
		header       []string
	}{
		{"a fetch", http.MethodGet, []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/html"}},
		{"an image", http.MethodGet, []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}},
		{"a frame", http.MethodGet, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}},
		{"a form", http.MethodPost, navigation},
		{"a program", http.MethodGet, []string{"Accept", "application/json"}},
	} {
		if a := b.send(one.method, desk+"/api", http.NoBody, one.header...); a.status != http.StatusUnauthorized || a.place() != "" {
			t.Errorf("%s: %d to %q", one.name, a.status, a.place())
		}
	}
	if a := b.send(http.MethodGet, desk+"/", http.NoBody, "Accept", "text/html"); a.status != http.StatusFound || a.place() == "" { // an old browser
		t.Errorf("%d to %q", a.status, a.place())
	}
}

func bodiesAndMethods(t *testing.T, s *site) {
	s.people.set("ann", ann)
	b := s.signedIn("ann")
	body := bytes.Repeat([]byte("all of it, "), 30_000)
	sum := sha256.Sum256(body)
	for name, r := range map[string]io.Reader{"chunked": io.MultiReader(bytes.NewReader(body)), "with a length": bytes.NewReader(body)} {
		got := b.send(http.MethodPost, desk+"/upload", r, "Content-Type", "application/octet-stream").got(t)
		if got.Method != http.MethodPost || got.Size != int64(len(body)) || got.Digest != hex.EncodeToString(sum[:]) || got.Header.Get("Remote-User") != "hq/ann" {
			t.Errorf("%s: %d bytes of %d by %s", name, got.Size, len(body), got.Method)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		if got := b.send(method, desk+"/one", strings.NewReader("some")).got(t); got.Method != method || got.Size != 4 {
			t.Errorf("%s arrived as %s with %d bytes", method, got.Method, got.Size)
		}
	}
	if a := b.send(http.MethodHead, desk+"/one", http.NoBody); a.status != http.StatusOK {
		t.Errorf("HEAD: %d", a.status)
	}
}

func webSocket(t *testing.T, s *site) {
	s.people.set("ann", ann)
	a, conn := s.signedIn("ann").upgrade(desk + "/socket")
	if a.status != http.StatusSwitchingProtocols || a.header.Get("Saw-User") != "hq/ann" {
		t.Fatalf("%d, %v", a.status, a.header)
	}
	for _, text := range []string{"first", "second"} {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		back := make([]byte, len(text))
		if _, err := io.ReadFull(conn, back); err != nil || string(back) != text {
			t.Fatalf("%q came back as %q, error %v", text, back, err)
		}
	}
	if a, _ := s.surfer("").upgrade(desk + "/socket"); a.status != http.StatusUnauthorized || a.place() != "" {
		t.Errorf("a stranger: %d", a.status)
	}
}

func disabledBehindProxy(t *testing.T, s *site) {
	s.people.set("dan", ann)
	b := s.signedIn("dan")
	s.people.set("dan", signin.Standing{There: true, Kinds: []string{"agent"}})
	s.clock.Add(bound - 1)
	if a := b.send(http.MethodGet, desk+"/", http.NoBody, navigation...); a.status != http.StatusOK {
		t.Errorf("a moment before half a minute: %d", a.status)
	}
	s.clock.Add(1)
	if a := b.send(http.MethodGet, desk+"/api", http.NoBody, "Sec-Fetch-Mode", "cors"); a.status != http.StatusUnauthorized {
		t.Errorf("after half a minute: %d", a.status)
	}
	// The provider still lets them in.
	if a, way := b.visit(desk + "/"); a.status != http.StatusForbidden || !strings.HasPrefix(a.at, central+"/auth/oidc/staff/callback?") || !strings.Contains(a.body, "with this account") {
		t.Errorf("%d by way of\n%s", a.status, strings.Join(way, "\n"))
	}
}

func notForThisApplication(t *testing.T, s *site) {
	s.people.set("bob", ann)
	b := s.signedIn("bob")
	s.people.set("bob", signin.Standing{There: true, Enabled: true, Kinds: []string{"user"}})
	s.clock.Add(bound)
	if a := b.send(http.MethodGet, desk+"/", http.NoBody, navigation...); a.status != http.StatusForbidden || a.place() != "" {
		t.Errorf("%d to %q", a.status, a.place())
	}
}

func signedOut(t *testing.T, s *site) {
	s.people.set("ann", ann)
	b := s.signedIn("ann")
	a, way := b.visit(desk + "/auth/logout")
	_, token, _ := strings.Cut(a.body, `name="token" value="`)
	token, _, _ = strings.Cut(token, `"`)
	if a.status != http.StatusOK || a.at != central+"/auth/logout" || token == "" {
		t.Fatalf("%d at\n%s\n%s", a.status, strings.Join(way, "\n"), a.body)
	}
	post := func(origin, fetched string) *answer {
		return b.send(http.MethodPost, central+"/auth/logout", strings.NewReader(url.Values{"token": {token}}.Encode()), append([]string{
			"Content-Type", "application/x-www-form-urlencoded", "Origin", origin, "Sec-Fetch-Site", fetched}, navigation...)...)
	}
	if a := post("https://other.test", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("from another site: %d", a.status)
	}
	if a := b.send(http.MethodGet, desk+"/", http.NoBody, navigation...); a.status != http.StatusOK {
		t.Errorf("signed out by another site: %d", a.status)
	}
	if a := post(central, "same-origin"); a.status != http.StatusOK || !strings.Contains(a.body, "You are signed out") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	if a := b.send(http.MethodGet, desk+"/api", http.NoBody, "Sec-Fetch-Mode", "cors"); a.status != http.StatusUnauthorized {
		t.Errorf("after sign-out: %d", a.status)
	}
	if _, way := b.visit(desk + "/"); !slices.ContainsFunc(way, func(at string) bool {
		return strings.HasPrefix(at, "https://idp.test/") && strings.Contains(at, "prompt=select_account")
	}) {
		t.Errorf("signed in again without a question:\n%s", strings.Join(way, "\n"))
	}
}

func brokenState(t *testing.T, s *site, status int) {
	s.people.set("ann", ann)
	b := s.signedIn("ann")
	s.clock.Add(bound)
	s.people.fail(errors.New("the disk is gone"))
	if a := b.send(http.MethodGet, desk+"/", http.NoBody, navigation...); a.status != status || a.place() != "" {
		t.Errorf("%d to %q", a.status, a.place())
	}
	s.people.fail(nil)
	if a := b.send(http.MethodGet, desk+"/", http.NoBody, navigation...); a.status != http.StatusOK {
		t.Errorf("when it works again: %d", a.status)
	}
}
