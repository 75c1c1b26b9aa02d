package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// ears are applications that are told of sessions that have ended. Each is a path.
type ears struct {
	url    string
	client *http.Client

	mu     sync.Mutex
	tokens map[string][]string // by path
	status map[string]int      // what is answered; 0: 200
}

func newEars(t *testing.T) *ears {
	t.Helper()
	e := &ears{tokens: make(map[string][]string), status: make(map[string]int)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.PostFormValue("logout_token")
		e.mu.Lock()
		defer e.mu.Unlock()
		e.tokens[r.URL.Path] = append(e.tokens[r.URL.Path], token)
		if status := e.status[r.URL.Path]; status != 0 {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(server.Close)
	e.url, e.client = server.URL, server.Client()
	return e
}

// heard returns what a path was told since it was asked last.
func (e *ears) heard(path string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.tokens[path]
	e.tokens[path] = nil
	return list
}

func (e *ears) answers(path string, status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status[path] = status
}

// tell is one round, half a minute after the last one.
func (w *world) tell() {
	w.t.Helper()
	w.now = w.now.Add(tellRound)
	if err := w.portal.Tell(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// shop lets a browser into the application that takes tokens, and returns the sid that it got.
func (b *browser) shop() (sid string) {
	b.w.t.Helper()
	_, at, _ := b.visit("https://auth.test/auth/start?app=shop&nonce=n")
	if strings.HasPrefix(at, "https://idp.test/") {
		u, _ := url.Parse(at)
		at = "https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode()
	}
	return b.posted(at, "token")["sid"].(string)
}

// posted is what is in the token of a page that posts.
func (b *browser) posted(at, field string) jwt.MapClaims {
	b.w.t.Helper()
	resp := b.get(at)
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	_, token, found := strings.Cut(body.String(), `name="`+field+`" value="`)
	token, _, _ = strings.Cut(token, `"`)
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); !found || err != nil {
		b.w.t.Fatalf("no token at %s: %v\n%s", at, err, body.String())
	}
	return claims
}

// TestTold: whatever ends a session, the applications that it went into are told, each with a token for it, and no other.
func TestTold(t *testing.T) {
	for name, end := range map[string]func(w *world, b *browser){
		"the person": func(_ *world, b *browser) { b.signOut() },
		"an operator": func(w *world, _ *browser) {
			list, err := Sessions(w.t.Context(), w.shelf, w.now, "hq/ann")
			for _, s := range list {
				_, fault := EndSession(w.t.Context(), w.shelf, s.Key)
				err = errors.Join(err, fault)
			}
			if err != nil || len(list) == 0 {
				w.t.Fatalf("%d sessions, %v", len(list), err)
			}
		},
		"the provider": func(w *world, b *browser) {
			w.idp.ended = signin.Ended{Subject: w.idp.says.Subject}
			b.do(http.MethodPost, "https://auth.test/auth/oidc/staff/logout", url.Values{"logout_token": {"x"}})
		},
		"a sync that disables": func(w *world, _ *browser) {
			w.people.set("ann", signin.Standing{There: true, Kinds: []string{"agent"}})
		},
		"a sync that finds nobody": func(w *world, _ *browser) { w.people.set("ann", signin.Standing{}) },
		"the rules": func(w *world, _ *browser) {
			w.people.set("ann", signin.Standing{There: true, Enabled: true})
		},
		"its time": func(w *world, _ *browser) { w.now = w.now.Add(12 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			sid := b.shop()
			if status, _, _ := b.visit("https://chat.test/"); status != http.StatusOK {
				t.Fatalf("chat: %d", status)
			}
			if status, _, _ := b.visit("https://desk.test/"); status != http.StatusOK {
				t.Fatalf("desk: %d", status)
			}
			w.tell()
			if shop, chat := w.ears.heard("/shop"), w.ears.heard("/chat"); len(shop)+len(chat) != 0 {
				t.Fatalf("told of a session that goes on: %d, %d", len(shop), len(chat))
			}
			end(w, b)
			w.tell()
			key := published(t, w)
			for _, app := range []string{"shop", "chat"} {
				heard := w.ears.heard("/" + app)
				if len(heard) != 1 {
					t.Fatalf("%s was told %d times", app, len(heard))
				}
				claims := jwt.MapClaims{}
				parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience(app), jwt.WithIssuer("https://auth.test"),
					jwt.WithTimeFunc(func() time.Time { return w.now }), jwt.WithExpirationRequired())
				token, err := parser.ParseWithClaims(heard[0], claims, key)
				if err != nil || token.Header["typ"] != "logout+jwt" {
					t.Fatalf("%s: %v, %v", app, err, token)
				}
				events, _ := claims["events"].(map[string]any)
				if claims["sub"] != "hq/ann" || claims["sid"] != sid || claims["nonce"] != nil || claims["jti"] == "" || events[logoutEvent] == nil {
					t.Errorf("%s: %v", app, claims)
				}
			}
			w.tell()
			if shop, chat := w.ears.heard("/shop"), w.ears.heard("/chat"); len(shop)+len(chat) != 0 {
				t.Errorf("told twice: %d, %d", len(shop), len(chat))
			}
			if n, _ := w.shelf.Count(t.Context(), spaceVisit); n != 0 {
				t.Errorf("%d visits are left", n)
			}
			if strings.Contains(w.log.String(), "hq/ann") {
				t.Errorf("the log names somebody:\n%s", w.log.String())
			}
		})
	}
}

// TestNotTold: who is only not seen here, at work in the application, is left alone; so is somebody who signs in anew in the same browser.
func TestNotTold(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	sid := b.shop()
	w.now = w.now.Add(5 * time.Hour) // idle
	w.tell()
	if heard := w.ears.heard("/shop"); len(heard) != 0 {
		t.Fatal("told of a session that is only not used")
	}
	b.signIn("https://desk.test/")
	w.tell()
	if heard := w.ears.heard("/shop"); len(heard) != 0 {
		t.Fatal("told of somebody who has signed in anew")
	}
	b.signOut()
	w.tell()
	heard := w.ears.heard("/shop")
	if len(heard) != 1 {
		t.Fatalf("told %d times", len(heard))
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(heard[0], claims); err != nil || claims["sid"] != sid {
		t.Errorf("sid %v, the application knows %s", claims["sid"], sid)
	}
}

// TestToldAgain: an application that is away, or refuses, is told later, less and less often, and for a day.
func TestToldAgain(t *testing.T) {
	for name, status := range map[string]int{"away": http.StatusServiceUnavailable, "refuses": http.StatusBadRequest, "leads elsewhere": http.StatusTemporaryRedirect} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			b.shop()
			b.signOut()
			w.ears.answers("/shop", status)
			var at []int
			for round := range 20 { // ten minutes
				w.tell()
				if len(w.ears.heard("/shop")) > 0 {
					at = append(at, round)
				}
			}
			if want := []int{0, 1, 3, 7, 15}; !slices.Equal(at, want) {
				t.Errorf("told in rounds %v, want %v", at, want)
			}
			if heard := w.ears.heard("/elsewhere"); len(heard) > 0 {
				t.Error("a redirect was followed")
			}
			w.ears.answers("/shop", 0)
			w.now = w.now.Add(longestPause)
			w.tell()
			w.tell()
			if heard := w.ears.heard("/shop"); len(heard) != 1 {
				t.Errorf("when it is back: told %d times", len(heard))
			}
		})
	}
	w := newWorld(t)
	b := w.browser()
	b.shop()
	b.signOut()
	w.ears.answers("/shop", http.StatusBadRequest)
	w.tell()
	w.now = w.now.Add(tellFor)
	w.tell()
	if n, _ := w.shelf.Count(t.Context(), spaceVisit); n != 0 || !strings.Contains(w.log.String(), "not told any more") {
		t.Errorf("%d visits after a day\n%s", n, w.log.String())
	}
}

// TestToldOthers: an application that is away holds up no other, and is asked once in a round.
func TestToldOthers(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		b := w.browser()
		b.shop()
		b.visit("https://chat.test/")
		b.signOut()
	}
	w.ears.answers("/shop", http.StatusBadGateway)
	w.tell()
	if shop, chat := w.ears.heard("/shop"), w.ears.heard("/chat"); len(shop) != 1 || len(chat) != 3 {
		t.Errorf("told %d and %d times", len(shop), len(chat))
	}
	w.ears.answers("/shop", http.StatusBadRequest) // what it says of one token says nothing of another
	w.tell()
	if shop := w.ears.heard("/shop"); len(shop) != 3 {
		t.Errorf("when it refuses: told %d times", len(shop))
	}
	w.ears.answers("/shop", 0)
	w.now = w.now.Add(longestPause)
	w.tell()
	if shop := w.ears.heard("/shop"); len(shop) != 3 {
		t.Errorf("when it is back: told %d times", len(shop))
	}
}

// TestStateBroken: what cannot be known is not taken for an end.
func TestStateBroken(t *testing.T) {
	w := newWorld(t)
	w.browser().shop()
	w.people.mu.Lock()
	w.people.broken = errors.New("broken")
	w.people.mu.Unlock()
	w.now = w.now.Add(tellRound)
	if err := w.portal.Tell(t.Context()); err == nil {
		t.Error("no error")
	}
	if heard := w.ears.heard("/shop"); len(heard) != 0 {
		t.Error("told of somebody of whom nothing is known")
	}
}

// adopting is Items in which somebody signs in anew between a round's look at visits and at sessions.
type adopting struct {
	*shelf
	once func()
}

func (a *adopting) Scan(ctx context.Context, space string, owner []byte, fn func(store.Item) bool) error {
	err := a.shelf.Scan(ctx, space, owner, fn)
	if once := a.once; once != nil && space == spaceVisit {
		a.once = nil
		once()
	}
	return err
}

// TestAdoptedMeanwhile: a visit that goes on under another session is not told of.
func TestAdoptedMeanwhile(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.shop()
	key := cookieKeyOf(t, w)
	w.portal.Items = &adopting{w.shelf, func() {
		next := session{Owner: signin.Owner{Scope: signin.Scope{Connection: "hq"}, ID: "ann", Record: "hq/ann"}, Provider: "staff", Attempt: "A2", Ends: w.now.Add(time.Hour)}
		if err := errors.Join(w.portal.putSession(t.Context(), []byte("next"), &next), w.portal.supersede(t.Context(), key, []byte("next"), &next)); err != nil {
			t.Error(err)
		}
	}}
	w.tell()
	if heard := w.ears.heard("/shop"); len(heard) != 0 {
		t.Error("told of a session that goes on under another key")
	}
}

// cookieKeyOf is the key of the only central session.
func cookieKeyOf(t *testing.T, w *world) (key []byte) {
	t.Helper()
	_ = w.shelf.Scan(t.Context(), spaceSession, nil, func(i store.Item) bool {
		var s session
		if json.Unmarshal(i.Value, &s) == nil && s.Host == "" {
			key = i.Key
		}
		return true
	})
	return key
}

// product takes what it is told as it is.
type product struct{ nonce bool }

func (p *product) Nonce() bool { return p.nonce }

func (p *product) Hand(h signin.HandOver, _ time.Time) (signin.To, error) {
	if h.Email == "" {
		return signin.To{}, &signin.Refusal{Reason: signin.NoRecord, Text: "no mail"}
	}
	q := url.Values{"who": {h.Record + " " + h.Name + " " + h.Email}, "to": {h.Target}, "nonce": {h.Nonce}, "state": {h.State}}
	return signin.To{URL: "https://product.test/in?" + q.Encode()}, nil
}

// TestProducts: an application comes with parameters of its own, and what is not at the application leads nowhere else.
func TestProducts(t *testing.T) {
	for _, tc := range []struct{ at, to, nonce string }{
		{"helpdesk?return_to=" + url.QueryEscape("https://helpdesk.test/hc?a=b") + "&timestamp=1", "https://helpdesk.test/hc?a=b", ""},
		{"helpdesk?return_to=" + url.QueryEscape("https://evil.test/hc"), "https://helpdesk.test/", ""},
		{"helpdesk?return_to=" + url.QueryEscape("https://desk.test/"), "https://helpdesk.test/", ""},
		{"helpdesk", "https://helpdesk.test/", ""},
		{"fresh?nonce=n1&state=s1&scope=openid", "https://fresh.test/", "n1"},
	} {
		w := newWorld(t)
		b := w.browser()
		_, at, _ := b.visit("https://auth.test/auth/app/" + tc.at)
		u, _ := url.Parse(at)
		for range 2 { // also with a session that is there already
			location := b.get("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode()).Header.Get("Location")
			if u.Query().Get("state") == "" {
				location = b.get("https://auth.test/auth/app/" + tc.at).Header.Get("Location")
			}
			got, err := url.Parse(location)
			if err != nil || got.Host != "product.test" || got.Query().Get("who") != "hq/ann Änn Lee ann@example.test" || got.Query().Get("to") != tc.to || got.Query().Get("nonce") != tc.nonce {
				t.Errorf("%s: %s", tc.at, location)
			}
			u = &url.URL{}
		}
	}
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/")
	if at := b.get("https://auth.test/auth/app/fresh").Header.Get("Location"); at != "https://fresh.test/" {
		t.Errorf("without a nonce: %s", at)
	}
	if resp := b.get("https://auth.test/auth/app/nobody"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown application: %d", resp.StatusCode)
	}
	w.people.set("ann", signin.Standing{There: true, Enabled: true, Kinds: []string{"agent"}})
	w.now = w.now.Add(time.Second)
	if resp := b.get("https://auth.test/auth/app/helpdesk"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("without a mail address: %d", resp.StatusCode)
	}
	if last := w.last(); last.Reason != signin.NoRecord || last.App != "helpdesk" {
		t.Errorf("attempt %+v", last)
	}
}
