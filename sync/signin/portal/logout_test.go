package portal

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// signOut is the page at the central host and its button; it returns what the browser is told.
func (b *browser) signOut() string {
	b.w.t.Helper()
	body := func(r *reply) string { var s bytes.Buffer; _, _ = s.ReadFrom(r.Body); return s.String() }
	_, token, _ := strings.Cut(body(b.get("https://auth.test/auth/logout")), `name="token" value="`)
	token, _, _ = strings.Cut(token, `"`)
	return body(b.do(http.MethodPost, "https://auth.test/auth/logout", url.Values{"token": {token}}))
}

// TestLogoutAfterLongWork: who has been at an application all the time, and not at the central host, can sign out all the same.
func TestLogoutAfterLongWork(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/")
	for range 4 {
		w.now = w.now.Add(time.Hour)
		if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d", resp.StatusCode)
		}
	}
	if text := b.signOut(); !strings.Contains(text, "You are signed out") {
		t.Errorf("%s", text)
	}
	if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", resp.StatusCode)
	}
}

// TestAnswerToLogout: what a provider answers to a request of ours ends with a page.
func TestAnswerToLogout(t *testing.T) {
	w := newWorld(t)
	w.idp.blank = true
	if resp := w.browser().get("https://auth.test/auth/saml/partner/slo?SAMLResponse=x"); resp.StatusCode != http.StatusOK {
		t.Errorf("%d", resp.StatusCode)
	}
}

// entering is Items in which somebody enters an application right after a log-out has looked for what there is.
type entering struct {
	*shelf
	enter func()
}

func (e *entering) Scan(ctx context.Context, space string, owner []byte, fn func(store.Item) bool) error {
	err := e.shelf.Scan(ctx, space, owner, fn)
	if enter := e.enter; enter != nil && space == spaceSession {
		e.enter = nil
		enter()
	}
	return err
}

// TestEnterWhileSigningOut: no session at an application outlives the central one.
func TestEnterWhileSigningOut(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/")
	tab := w.browser()
	tab.jar = b.jar
	at := tab.get("https://wiki.test:8443/auth/begin?rd=" + url.QueryEscape("https://wiki.test:8443/")).Header.Get("Location")
	code := tab.get(at).Header.Get("Location")
	w.portal.Items = &entering{w.shelf, func() {
		if resp := tab.get(code); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("entering: %d", resp.StatusCode)
		}
	}}
	b.signOut()
	if resp := b.verify("https://wiki.test:8443/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("what was entered meanwhile: %d", resp.StatusCode)
	}
}

// TestSignedInAnew: nothing is left of the person who was signed in at this browser before; what the same person has goes on, and ends with all else.
func TestSignedInAnew(t *testing.T) {
	for _, who := range []string{"uma", "ann"} {
		w := newWorld(t)
		b := w.browser()
		_, first, _ := b.visit("https://desk.test/")
		_, second, _ := b.visit("https://desk.test/again") // another tab
		if status, _, _ := b.back("staff", first); status != http.StatusOK {
			t.Fatalf("%d", status)
		}
		w.idp.says.Subject = signin.Subject{Realm: "idp", Value: who, Immutable: true, Object: who}
		u, _ := url.Parse(second)
		b.get("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode())
		want := map[string]int{"uma": http.StatusUnauthorized, "ann": http.StatusOK}[who]
		if resp := b.verify("https://desk.test/"); resp.StatusCode != want {
			t.Errorf("%s: what ann had at the application: %d", who, resp.StatusCode)
		}
		b.signOut()
		if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: after signing out: %d", who, resp.StatusCode)
		}
	}
}

// TestManyBindings: the tab that was opened last is not the one that is forgotten.
func TestManyBindings(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	var last string
	for _, path := range []string{"0", "1", "2", "3", "4", "5", "6"} {
		w.now = w.now.Add(time.Second)
		_, last, _ = b.visit("https://desk.test/" + path)
	}
	b.visit("https://desk.test/7")
	if status, at, _ := b.back("staff", last); status != http.StatusOK {
		t.Errorf("the last but one: %d at %s", status, at)
	}
}

// TestProviderThatMayLess: who has signed in is out when their provider may not let them in any more.
func TestProviderThatMayLess(t *testing.T) {
	for name, less := range map[string]func(*world, *signin.Policy){
		"directories": func(_ *world, p *signin.Policy) { p.Directories = []signin.Directory{{Connection: "lab"}} },
		"audience":    func(_ *world, p *signin.Policy) { p.Admission = signin.Users },
		"kind of record": func(w *world, p *signin.Policy) {
			p.Admission = signin.Agents
			w.people.set("ann", signin.Standing{There: true, Enabled: true, Kinds: []string{"user"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			b.signIn("https://desk.test/")
			less(w, &w.portal.provider("staff").Policy)
			w.now = w.now.Add(freshFor)
			if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%d", resp.StatusCode)
			}
			if status, at, _ := b.visit("https://wiki.test:8443/"); !strings.HasPrefix(at, "https://auth.test/auth/start?") {
				t.Errorf("another application: %d at %s", status, at)
			}
		})
	}
}

// slow is people of whom somebody signs out while they are asked for.
type slow struct {
	*people
	meanwhile func()
}

func (s *slow) Standing(ctx context.Context, o signin.Owner) (signin.Standing, error) {
	standing, err := s.people.Standing(ctx, o)
	if do := s.meanwhile; do != nil {
		s.meanwhile = nil
		do()
	}
	return standing, err
}

// TestVerifyWhileSigningOut: an answer that was under way is not remembered for longer than the session.
func TestVerifyWhileSigningOut(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/")
	w.now = w.now.Add(freshFor)
	w.portal.People = &slow{w.people, func() { b.signOut() }}
	b.verify("https://desk.test/")
	if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d", resp.StatusCode)
	}
}

// TestEndIsTheEnd: what was answered shortly before a session runs out counts no longer than it.
func TestEndIsTheEnd(t *testing.T) {
	w := newWorld(t)
	w.idp.says.Until = w.now.Add(time.Minute)
	b := w.browser()
	b.signIn("https://desk.test/")
	w.now = w.now.Add(time.Minute - time.Second)
	b.verify("https://desk.test/")
	w.now = w.now.Add(time.Second)
	if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d", resp.StatusCode)
	}
}

// TestSessionsOfOneName: a provider may call the sessions of several people the same.
func TestSessionsOfOneName(t *testing.T) {
	w := newWorld(t)
	ann, uma := w.browser(), w.browser()
	ann.signIn("https://desk.test/")
	w.idp.says.Subject = signin.Subject{Realm: "idp", Value: "uma", Immutable: true, Object: "uma"}
	uma.signIn("https://desk.test/")
	end := func(value string, wantAnn, wantUma int) {
		t.Helper()
		w.idp.ended = signin.Ended{Subject: signin.Subject{Realm: "idp", Value: value}, Sessions: []string{"sid-1"}}
		w.browser().get("https://auth.test/auth/oidc/staff/logout")
		if a, u := ann.verify("https://desk.test/").StatusCode, uma.verify("https://desk.test/").StatusCode; a != wantAnn || u != wantUma {
			t.Errorf("%s: ann %d, uma %d", value, a, u)
		}
	}
	end("somebody", http.StatusOK, http.StatusOK)
	end("ann", http.StatusUnauthorized, http.StatusOK)
	end("uma, by another name", http.StatusUnauthorized, http.StatusUnauthorized)
}
