package okta

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// TestStrayConfiguration sets everything that the SDK reads from its surroundings, to values that would break it.
func TestStrayConfiguration(t *testing.T) {
	for name, value := range map[string]string{
		"CACHE_ENABLED": "true", "CACHE_DEFAULT_TTL": "300", "ORGURL": "https://evil.okta.com", "TOKEN": "stray", "AUTHORIZATIONMODE": "JWT",
		"CLIENTID": "stray", "SCOPES": "stray", "PRIVATEKEY": "stray", "CLIENTASSERTION": "stray", "REQUEST_TIMEOUT": "1",
		"RATE_LIMIT_MAX_RETRIES": "50", "RATE_LIMIT_MAX_BACKOFF": "3600", "PROXY_HOST": "evil.test", "PROXY_PORT": "1", "CONNECTION_TIMEOUT": "1",
	} {
		t.Setenv("OKTA_CLIENT_"+name, value)
	}
	b := start(t, oktasim.Options{People: 30}, nil)
	before := b.full(streamUsers)
	id := before.order[0]
	b.org.SetProfile(id, "title", "Changed")
	after := b.full(streamUsers)
	o := after.objects[id]
	if textOf(&o, "title") != "Changed" {
		t.Errorf("the second listing came from a cache: title %q", textOf(&o, "title"))
	}
}

// TestOddAnswers: whatever stands in the way of a listing, it is either read in whole or ends with an error of a
// class that says what happens next, after few requests, and proves nothing.
func TestOddAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		fault oktasim.Fault
		class fault.Class // empty: it does not matter
		most  int         // requests in all
	}{
		"a closed connection":          {oktasim.Fault{Kind: oktasim.Reset}, fault.Transient, 6},
		"a closed connection, twice":   {oktasim.Fault{Kind: oktasim.Reset, Times: 2}, "", 0},
		"a cut answer":                 {oktasim.Fault{Kind: oktasim.Cut, Times: 2}, "", 0},
		"an answer that is always cut": {oktasim.Fault{Kind: oktasim.Cut}, fault.Transient, 6},
		"an empty 200":                 {oktasim.Fault{Kind: oktasim.Empty}, fault.Transient, 6},
		"a portal":                     {oktasim.Fault{Kind: oktasim.Portal}, fault.Transient, 6},
		"null":                         {oktasim.Fault{Kind: oktasim.Null}, fault.Invalid, 2},
		"text behind the document":     {oktasim.Fault{Kind: oktasim.Trailing}, fault.Invalid, 2},
		"an object":                    {oktasim.Fault{Status: 200, Body: `{"users":[]}`}, fault.Invalid, 2},
		"joined Link headers":          {oktasim.Fault{Kind: oktasim.JoinedLinks}, "", 0},
		"a Link that is no URL":        {oktasim.Fault{Kind: oktasim.BadLink}, fault.Invalid, 2},
		"no Link header":               {oktasim.Fault{Kind: oktasim.NoLinks}, fault.Invalid, 2},
		"no Link header, later":        {oktasim.Fault{Kind: oktasim.NoLinks, Skip: 1}, fault.Invalid, 3},
		"an empty list without Link":   {oktasim.Fault{Status: 200, Body: `[]`}, fault.Invalid, 2},
		"a page that follows itself":   {oktasim.Fault{Kind: oktasim.SelfNext}, fault.Invalid, 2},
		"a link to something else":     {oktasim.Fault{Kind: oktasim.ForeignNext}, fault.Invalid, 2},
		"entries in disorder":          {oktasim.Fault{Kind: oktasim.Shuffle}, "", 0},
		"no rate headers":              {oktasim.Fault{Kind: oktasim.NoRates}, "", 0},
		"a redirect": {oktasim.Fault{Status: http.StatusFound, Header: map[string]string{"Location": "https://evil.test/"}},
			fault.Configuration, 2},
		"an error page":      {oktasim.Fault{Status: http.StatusBadGateway, Body: "<html>", Header: map[string]string{"Content-Type": "text/html"}}, fault.Transient, 6},
		"read only":          {oktasim.Fault{Status: http.StatusServiceUnavailable, Body: `{"errorCode":"E0000010"}`, Times: 3}, "", 0},
		"no such list":       {oktasim.Fault{Status: http.StatusNotFound, Body: `{"errorCode":"E0000007"}`}, fault.Configuration, 2},
		"a refused filter":   {oktasim.Fault{Status: http.StatusBadRequest, Body: `{"errorCode":"E0000031","errorSummary":"Invalid search criteria."}`}, fault.Invalid, 2},
		"no licence":         {oktasim.Fault{Status: http.StatusUnauthorized, Body: `{"errorCode":"E0000015"}`}, fault.Forbidden, 2},
		"a password expired": {oktasim.Fault{Status: http.StatusUnauthorized, Body: `{"errorCode":"E0000064"}`}, fault.Auth, 2},
		"another content type": {oktasim.Fault{Status: 200, Body: `[]`, Header: map[string]string{"Content-Type": "application/problem+json"}},
			fault.Transient, 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, oktasim.Options{People: 70}, nil)
			b.conn.pageSize = 25
			want := len(b.full(streamUsers).objects)
			tc.fault.Path, tc.fault.Exact = "/api/v1/users", true
			b.org.Break(tc.fault)
			before := b.org.Requests()["/api/v1/users"]
			g := b.read(streamUsers, connectors.Full, nil)
			sent := b.org.Requests()["/api/v1/users"] - before
			if got := fault.ClassOf(g.err); got != tc.class || tc.most > 0 && sent > tc.most {
				t.Fatalf("class %q after %d requests, want %q after at most %d: %v", got, sent, tc.class, tc.most, g.err)
			}
			switch {
			case g.err != nil && (g.proof != nil || g.cursor != nil && g.pages == 0):
				t.Error("a listing that failed has a proof")
			case g.err == nil && len(g.objects) != want:
				t.Errorf("%d people, want %d", len(g.objects), want)
			}
		})
	}
}

// TestNullEntry: an entry that is null is named, without an id, so that the read proves nobody's absence.
func TestNullEntry(t *testing.T) {
	b := start(t, oktasim.Options{People: 30, Groups: 4}, nil)
	b.org.Break(oktasim.Fault{Kind: oktasim.NullEntry, Path: "/api/v1/users", Exact: true, Times: 1})
	g := b.full(streamUsers)
	if len(g.invalid) != 1 || g.invalid[0].ID != "" || fault.ClassOf(g.invalid[0].Err) != fault.Invalid {
		t.Errorf("invalid %+v", g.invalid)
	}
	b.org.Mend()
	b.org.Break(oktasim.Fault{Kind: oktasim.NullEntry, Path: "/api/v1/groups/"})
	if g := b.read(streamGroups, connectors.Full, nil); fault.ClassOf(g.err) != fault.Invalid || g.proof != nil {
		t.Errorf("a member without id: %v", g.err)
	}
}

// TestPagesExpire: a link to a page that is no longer taken begins the listing again.
func TestPagesExpire(t *testing.T) {
	b := start(t, oktasim.Options{People: 70}, nil)
	b.conn.pageSize = 25
	err := connectors.Guard(b.conn).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
		b.org.ExpirePages()
		if p.Proof != nil {
			t.Error("a proof")
		}
		return nil
	})
	if fault.ClassOf(err) != fault.Transient {
		t.Errorf("got %v", err)
	}
}

// TestThrottled looks at each form of 429.
func TestThrottled(t *testing.T) {
	reset := func(b *bench, in time.Duration) map[string]string {
		return map[string]string{
			"X-Rate-Limit-Limit": "600", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": fmtInt(int(b.clock.now().Add(in).Unix())),
		}
	}
	body := `{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests."}`
	for name, tc := range map[string]struct {
		header    func(*bench) map[string]string
		from, to  time.Duration // how long it waits
		different time.Duration // how far the org's clock is ahead
	}{
		"until the reset":             {func(b *bench) map[string]string { return reset(b, 30*time.Second) }, 30 * time.Second, 33 * time.Second, 0},
		"with a clock that is ahead":  {func(b *bench) map[string]string { return reset(b, 5*time.Hour+30*time.Second) }, 30 * time.Second, 33 * time.Second, 5 * time.Hour},
		"with a clock that is behind": {func(b *bench) map[string]string { return reset(b, 30*time.Second-5*time.Hour) }, 30 * time.Second, 33 * time.Second, -5 * time.Hour},
		"a reset in the past":         {func(b *bench) map[string]string { return reset(b, -time.Hour) }, time.Millisecond, 3 * time.Second, 0},
		"without headers":             {func(*bench) map[string]string { return nil }, time.Millisecond, 3 * time.Second, 0},
		"too many at once": {func(*bench) map[string]string {
			return map[string]string{"X-Rate-Limit-Limit": "0", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "4102444800"}
		}, time.Millisecond, 3 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, oktasim.Options{People: 30}, nil)
			b.org.SetSkew(tc.different)
			b.org.Break(oktasim.Fault{Path: "/api/v1/users", Exact: true, Times: 1, Status: http.StatusTooManyRequests, Body: body, Header: tc.header(b)})
			b.full(streamUsers)
			if w := b.clock.waited; w < tc.from || w > tc.to {
				t.Errorf("waited %s, want from %s to %s", w, tc.from, tc.to)
			}
		})
	}
	b := start(t, oktasim.Options{People: 30}, nil)
	b.org.Break(oktasim.Fault{Path: "/api/v1/users", Exact: true, Status: http.StatusTooManyRequests, Body: body})
	if g := b.read(streamUsers, connectors.Full, nil); fault.ClassOf(g.err) != fault.Throttled || fault.Hint(g.err) == "" {
		t.Errorf("throttled for good: %v", g.err)
	}
}

// TestFewRights: credentials that show nothing, or a part, are not an empty org.
func TestFewRights(t *testing.T) {
	b := start(t, oktasim.Options{People: 50, Groups: 5}, nil)
	whole := b.full(streamUsers)
	b.org.SetRole(oktasim.Nothing)
	for _, stream := range []string{streamUsers, streamGroups} {
		g := b.read(stream, connectors.Full, nil)
		if fault.ClassOf(g.err) != fault.Forbidden || !strings.Contains(fault.Hint(g.err), "Read-only Administrator") || g.pages > 0 {
			t.Errorf("%s without a role: %d pages, %v", stream, g.pages, g.err)
		}
	}
	b.org.SetRole(oktasim.FirstGroups)
	part := b.full(streamUsers)
	if len(part.objects) == 0 || len(part.objects) >= len(whole.objects) || part.proof.Scope == whole.proof.Scope {
		t.Errorf("a part: %d of %d people, scope %q", len(part.objects), len(whole.objects), part.proof.Scope)
	}
	b.clock.advance(2 * accessLasts)
	if g := b.read(streamUsers, connectors.Delta, whole.cursor); fault.ClassOf(g.err) != fault.CursorExpired || g.pages > 0 {
		t.Errorf("a delta after the role was narrowed: %v", g.err)
	}
	findings, err := b.conn.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	named := false
	for _, f := range findings {
		named = named || !f.OK && strings.Contains(f.Detail, "Everyone") && f.Hint != ""
	}
	if !named {
		t.Errorf("Check does not say that a part is visible only: %+v", findings)
	}
}

// TestAnotherOrg: an address that answers for another org makes cursors and scopes of the former one void.
func TestAnotherOrg(t *testing.T) {
	b := start(t, oktasim.Options{People: 30}, nil)
	one := b.full(streamUsers)
	if !strings.Contains(one.proof.Scope, b.org.Org()) || strings.Contains(one.proof.Scope, b.org.Token()) {
		t.Errorf("scope %q", one.proof.Scope)
	}
	b.org.SetOrg("00oanother0000000000")
	b.reopen()
	if g := b.read(streamUsers, connectors.Delta, one.cursor); fault.ClassOf(g.err) != fault.CursorExpired {
		t.Errorf("a cursor of another org: %v", g.err)
	}
	if other := b.full(streamUsers); other.proof.Scope == one.proof.Scope {
		t.Error("two orgs have one scope")
	}
	b.org.Break(oktasim.Fault{Path: "/.well-known", Status: http.StatusNotFound, Body: "<html>", Header: map[string]string{"Content-Type": "text/html"}})
	if g := b.read(streamUsers, connectors.Full, nil); fault.ClassOf(g.err) != fault.Configuration || !strings.Contains(fault.Hint(g.err), "url") {
		t.Errorf("no org at the address: %v", g.err)
	}
}

// TestSettingsBindCursors: a cursor is good for the settings that it was made under.
func TestSettingsBindCursors(t *testing.T) {
	b := start(t, oktasim.Options{People: 30}, nil)
	cursor := b.full(streamUsers).cursor
	for name, edit := range map[string]func(*Config){
		"attributes": func(c *Config) { c.Attributes = []string{"badge"} },
		"fields":     func(c *Config) { c.Fields = map[string]Names{"office": {"city"}} },
		"statuses":   func(c *Config) { c.Statuses.Active = []string{"ACTIVE"} },
		"filter":     func(c *Config) { c.Users.Filter = `status eq "ACTIVE"` },
		"log":        func(c *Config) { c.Log = false },
	} {
		old := *b.cfg
		edit(b.cfg)
		b.reopen()
		if g := b.read(streamUsers, connectors.Delta, cursor); fault.ClassOf(g.err) != fault.CursorExpired || g.pages > 0 {
			t.Errorf("%s edited: %v", name, g.err)
		}
		*b.cfg = old
	}
	b.cfg.Parallel, b.cfg.Share = 2, 20
	b.reopen()
	if g := b.read(streamUsers, connectors.Delta, cursor); g.err != nil {
		t.Errorf("something edited that does not matter: %v", g.err)
	}
}

// TestTLS reaches an org by its own authority, as configuration alone says.
func TestTLS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	org, err := oktasim.Start(oktasim.Options{People: 10, TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer org.Close()
	write(t, path, org.CA())
	cfg := Defaults()
	cfg.URL, cfg.Token, cfg.CAFile = org.URL+"/", settings.NewSecret(org.Token()), settings.Path(path)
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	b := &bench{tb: t, clock: &clock{t: time.Now()}, org: org, cfg: cfg}
	b.reopen()
	if g := b.full(streamUsers); len(g.objects) != 10 {
		t.Errorf("%d people", len(g.objects))
	}
	cfg.CAFile = ""
	b.reopen()
	if g := b.read(streamUsers, connectors.Full, nil); !strings.Contains(fault.Hint(g.err), "ca_file") {
		t.Errorf("an authority that nobody knows: %v", g.err)
	}
}
