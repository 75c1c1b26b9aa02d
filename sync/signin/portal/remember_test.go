package portal

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/signin"
)

const days30 = 30 * 24 * time.Hour

// stay signs in by the sign-in page of the wiki, with the box ticked or not, and returns what the cookies' lives are: of the central host and
// of the application; 0 for one that ends with the browser.
func (b *browser) stay(tick bool) (central, app int) {
	b.w.t.Helper()
	const here = "https://wiki.test:8443/"
	_, page, _ := b.visit(here)
	link := func(page, of string) string {
		b.w.t.Helper()
		body := b.get(page, "Sec-Fetch-Site", "same-origin").Body.String()
		m := regexp.MustCompile(`href="([^"]*` + of + `[^"]*)"`).FindStringSubmatch(body)
		if m == nil {
			b.w.t.Fatalf("no link of %s in\n%s", of, body)
		}
		return "https://auth.test" + html.UnescapeString(m[1])
	}
	if tick {
		page = link(page, "keep=1")
	}
	resp := b.get(link(page, "p=staff"), "Sec-Fetch-Site", "same-origin")
	at, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || at.Host != "idp.test" {
		b.w.t.Fatalf("%d to %s", resp.StatusCode, at)
	}
	life := func(r *reply) int {
		for _, c := range r.Cookies() {
			if c.Name == sessionCookie {
				return c.MaxAge
			}
		}
		return -1
	}
	resp = b.get("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": at.Query()["state"], "code": {"c"}}.Encode())
	central = life(resp)
	resp = b.get(resp.Header.Get("Location"))
	return central, life(resp)
}

// TestStayingSignedIn: only who chose it on our page has cookies that outlive the browser, for as long as is set or the provider says.
func TestStayingSignedIn(t *testing.T) {
	w := newWorld(t)
	w.portal.Remember = days30
	const month = 30 * 24 * 3600
	if central, app := w.browser().stay(false); central != 0 || app != 0 {
		t.Errorf("not ticked: %d, %d", central, app)
	}
	b := w.browser()
	if central, app := b.stay(true); central != month || app != month {
		t.Errorf("ticked: %d, %d", central, app)
	}
	w.now = w.now.Add(29 * 24 * time.Hour) // not used all the time
	if status := b.verify("https://wiki.test:8443/").StatusCode; status != http.StatusOK {
		t.Errorf("after 29 days: %d", status)
	}
	if status, _, _ := b.visit("https://desk.test/"); status != http.StatusOK {
		t.Errorf("another application after 29 days: %d", status)
	}
	w.now = w.now.Add(24*time.Hour + time.Second)
	for _, at := range []string{"https://wiki.test:8443/", "https://desk.test/"} {
		if status := b.verify(at).StatusCode; status != http.StatusUnauthorized {
			t.Errorf("%s after 30 days: %d", at, status)
		}
	}
	w.idp.says.Until = w.now.Add(90 * time.Minute)
	if central, app := w.browser().stay(true); central != 90*60 || app != 90*60 {
		t.Errorf("SessionNotOnOrAfter: %d, %d", central, app)
	}
}

// TestNobodyElseStays: a link of somebody else, a page of an application without a choice, a portal without the setting.
func TestNobodyElseStays(t *testing.T) {
	w := newWorld(t)
	w.portal.Remember = days30
	start := "https://auth.test/auth/start?" + url.Values{"rd": {"https://desk.test/"}, "p": {"staff"}, "keep": {"1"}}.Encode()
	for _, from := range []string{"cross-site", "same-site", "none", ""} {
		b := w.browser()
		var headers []string
		if from != "" {
			headers = []string{"Sec-Fetch-Site", from}
		}
		at := b.get(start, headers...).Header.Get("Location")
		b.back("staff", at)
		for _, key := range cookiesOf(b, "https://auth.test/") {
			if s, err := w.portal.loadSession(t.Context(), hashed(key)); err != nil || s == nil || s.Keep {
				t.Errorf("%s: %+v, error %v", from, s, err)
			}
		}
		page := strings.Replace(start, "p=staff&", "", 1)
		page = strings.Replace(page, "desk.test", "wiki.test:8443", 1)
		if body := w.browser().get(page, headers...).Body.String(); !strings.Contains(body, "☐") || strings.Contains(body, "☑") {
			t.Errorf("%s: the box is ticked\n%s", from, body)
		}
	}
	w.portal.Remember = 0
	b := w.browser()
	if _, at, _ := b.visit("https://wiki.test:8443/"); strings.Contains(b.get(at).Body.String(), "keep") {
		t.Error("a box that does nothing")
	}
	b.back("staff", b.get(start, "Sec-Fetch-Site", "same-origin").Header.Get("Location"))
	for _, key := range cookiesOf(b, "https://auth.test/") {
		if s, err := w.portal.loadSession(t.Context(), hashed(key)); err != nil || s == nil || s.Keep {
			t.Errorf("without the setting: %+v, error %v", s, err)
		}
	}
}

func cookiesOf(b *browser, address string) (values []string) {
	u, err := url.Parse(address)
	if err != nil {
		b.w.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(u) {
		if c.Name == sessionCookie {
			values = append(values, c.Value)
		}
	}
	if len(values) == 0 {
		b.w.t.Errorf("no session at %s", address)
	}
	return values
}

// TestStayingEnds: everything that ends a session ends one that was to stay.
func TestStayingEnds(t *testing.T) {
	for name, end := range map[string]func(w *world, b *browser){
		"signed out": func(w *world, b *browser) {
			page := b.get("https://auth.test/auth/logout").Body.String()
			token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
			resp := b.do(http.MethodPost, "https://auth.test/auth/logout", url.Values{"token": {token[1]}}, "Sec-Fetch-Site", "same-origin", "Origin", "https://auth.test")
			for _, c := range resp.Cookies() {
				if c.Name == sessionCookie && c.MaxAge >= 0 {
					t.Errorf("the cookie stays: %+v", c)
				}
			}
		},
		"signed out at the provider": func(w *world, b *browser) {
			w.idp.ended = signin.Ended{Subject: w.idp.says.Subject, Sessions: []string{"sid-1"}}
			b.do(http.MethodPost, "https://auth.test/auth/oidc/staff/logout", url.Values{"logout_token": {"x"}})
		},
		"by an operator": func(w *world, _ *browser) {
			list, err := Sessions(t.Context(), w.shelf, w.now, "hq/ann")
			if err != nil || len(list) != 2 || !list[0].Remembered || !list[1].Remembered {
				t.Fatalf("%+v, error %v", list, err)
			}
			for _, s := range list {
				if _, err := EndSession(t.Context(), w.shelf, s.Key); err != nil {
					t.Fatal(err)
				}
				w.portal.Forget(s.Key)
			}
		},
		"disabled": func(w *world, _ *browser) {
			w.people.set("ann", signin.Standing{There: true, Kinds: []string{"agent"}})
			w.now = w.now.Add(freshFor)
		},
		"not remembered any more": func(w *world, _ *browser) {
			w.portal.Remember = 0
			w.now = w.now.Add(w.portal.Lifetime)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.portal.Remember = days30
			b := w.browser()
			b.stay(true)
			b.verify("https://wiki.test:8443/")
			end(w, b)
			if status := b.verify("https://wiki.test:8443/").StatusCode; status != http.StatusUnauthorized {
				t.Errorf("at the application: %d", status)
			}
			if _, at, _ := b.visit("https://admin.test/"); !strings.HasPrefix(at, "https://idp.test/") {
				t.Errorf("at the central host: %s", at)
			}
		})
	}
}

// TestRememberedForLess: what was entered later ends with the central session, also after fewer days are set than it was made for.
func TestRememberedForLess(t *testing.T) {
	const day = 24 * time.Hour
	for _, days := range []time.Duration{0, 3} {
		w := newWorld(t)
		w.portal.Remember = days30
		b := w.browser()
		b.stay(true)
		w.now = w.now.Add(2*day + 23*time.Hour)
		if status, _, _ := b.visit("https://admin.test/"); status != http.StatusOK {
			t.Fatalf("%d days: %d", days, status)
		}
		if status, _, _ := b.visit("https://chat.test/"); status != http.StatusOK {
			t.Fatalf("%d days: chat %d", days, status)
		}
		w.tell()
		if told := w.ears.heard("/chat"); len(told) > 0 {
			t.Errorf("%d days: told at once: %v", days, told)
		}
		w.portal.Remember = days * day
		w.now = w.now.Add(time.Hour)
		w.tell()
		if told := w.ears.heard("/chat"); len(told) != 1 {
			t.Errorf("%d days: told %d times", days, len(told))
		}
		if status := b.verify("https://admin.test/").StatusCode; status != http.StatusUnauthorized {
			t.Errorf("%d days: %d at the application", days, status)
		}
		if _, at, _ := b.visit("https://admin.test/"); !strings.HasPrefix(at, "https://idp.test/") {
			t.Errorf("%d days: at %s", days, at)
		}
	}
}

// TestAdoptedEndsWithTheNewOne: what was to stay does not outlive a sign-in of the same person that is not.
func TestAdoptedEndsWithTheNewOne(t *testing.T) {
	w := newWorld(t)
	w.portal.Remember = days30
	b := w.browser()
	b.stay(true)
	former := hashed(cookiesOf(b, "https://auth.test/")[0])
	s, err := w.portal.loadSession(t.Context(), former)
	if err != nil || s == nil {
		t.Fatal(s, err)
	}
	now, key := *s, hashed("new")
	now.Keep, now.Ends = false, w.now.Add(w.portal.Lifetime)
	if err := w.portal.putSession(t.Context(), key, &now); err != nil {
		t.Fatal(err)
	}
	if err := w.portal.supersede(t.Context(), former, key, &now); err != nil {
		t.Fatal(err)
	}
	if status := b.verify("https://wiki.test:8443/").StatusCode; status != http.StatusOK {
		t.Errorf("at once: %d", status)
	}
	w.now = w.now.Add(w.portal.Lifetime)
	if status := b.verify("https://wiki.test:8443/").StatusCode; status != http.StatusUnauthorized {
		t.Errorf("after the new one: %d", status)
	}
}

// TestAdoptedKeepsTheNewOne: working at an application that was entered before does not shorten the central session that is to stay.
func TestAdoptedKeepsTheNewOne(t *testing.T) {
	w := newWorld(t)
	w.portal.Remember = days30
	b := w.browser()
	b.stay(false)
	former := hashed(cookiesOf(b, "https://auth.test/")[0])
	s, err := w.portal.loadSession(t.Context(), former)
	if err != nil || s == nil {
		t.Fatal(s, err)
	}
	now, key := *s, hashed("new")
	now.Keep, now.Ends = true, w.now.Add(days30)
	if err := w.portal.putSession(t.Context(), key, &now); err != nil {
		t.Fatal(err)
	}
	if err := w.portal.supersede(t.Context(), former, key, &now); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	if status := b.verify("https://wiki.test:8443/").StatusCode; status != http.StatusOK {
		t.Errorf("at work: %d", status)
	}
	w.now = w.now.Add(w.portal.Lifetime)
	if status := b.verify("https://wiki.test:8443/").StatusCode; status != http.StatusUnauthorized {
		t.Errorf("the former one has a lifetime: %d", status)
	}
	w.now = w.now.Add(20 * 24 * time.Hour)
	if s, err := w.portal.loadSession(t.Context(), key); err != nil || s == nil {
		t.Errorf("the central one is gone: error %v", err)
	}
}

// TestTheConsoleForgetsSooner: whoever chose to stay signed in for weeks signs in anew for what is at the central host itself, which may decide about
// everybody, and goes on at applications meanwhile.
func TestTheConsoleForgetsSooner(t *testing.T) {
	w := newWorld(t)
	w.portal.Remember = days30
	at := *w.portal.URL
	at.Path = "/console/"
	w.portal.Apps = append(w.portal.Apps, App{Name: "console", URL: &at, Providers: []string{"staff"}, Admission: signin.Both, Inside: true})
	b := w.browser()
	b.stay(true)
	inside := func() bool {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "https://auth.test/console/", nil)
		for _, c := range cookiesOf(b, "https://auth.test/") {
			r.AddCookie(&http.Cookie{Name: sessionCookie, Value: c})
		}
		_, ok, err := w.portal.Insider(r, "console")
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !inside() {
		t.Fatal("not let in")
	}
	w.now = w.now.Add(w.portal.Lifetime)
	if inside() {
		t.Error("a session of half a day ago opens the console")
	}
	if status := b.verify("https://wiki.test:8443/").StatusCode; status != http.StatusOK {
		t.Errorf("the application: %d", status)
	}
	// No circle: the provider is asked anew, and the application goes on with the new session.
	next := b.get(w.portal.Begin("console", "/console/held") + "&p=staff").Header.Get("Location")
	if !strings.HasPrefix(next, "https://idp.test/") {
		t.Fatalf("sent to %s", next)
	}
	there, err := url.Parse(next)
	if err != nil {
		t.Fatal(err)
	}
	back := b.get("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": there.Query()["state"], "code": {"c"}}.Encode())
	if to := back.Header.Get("Location"); to != "https://auth.test/console/held" {
		t.Errorf("sent on to %q", to)
	}
	if !inside() {
		t.Error("not let in after signing in anew")
	}
	if status := b.verify("https://wiki.test:8443/").StatusCode; status != http.StatusOK {
		t.Errorf("the application, after signing in anew: %d", status)
	}
}
