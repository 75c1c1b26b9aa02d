package portal

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// spoil makes everything of a space unreadable, as a fault of the disk or another version may.
func (w *world) spoil(space string) {
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	for k, i := range w.shelf.list {
		if strings.HasPrefix(k, space+" ") {
			i.Value = []byte(`{"owner":`)
			w.shelf.list[k] = i
		}
	}
}

// TestWhatCannotBeRead: a stored value that cannot be read is told and forgotten, and keeps nobody out for longer than a sign-in.
func TestWhatCannotBeRead(t *testing.T) {
	for name, after := range map[string]func(b *browser) (status int){
		"a request at the application": func(b *browser) int { return b.verify("https://desk.test/").StatusCode },
		"a page of the central host":   func(b *browser) int { return b.get("https://auth.test/auth/logout").StatusCode },
		"a log-out of the provider": func(b *browser) int {
			return b.do(http.MethodPost, "https://auth.test/auth/oidc/staff/logout", url.Values{"logout_token": {"x"}}).StatusCode
		},
		"an answer of the provider": func(b *browser) int {
			at, err := url.Parse(b.get("https://auth.test/auth/saml/partner/again").Header.Get("Location"))
			if err != nil {
				b.w.t.Fatal(err)
			}
			resp := b.do(http.MethodPost, "https://auth.test/auth/saml/partner/acs", url.Values{"SAMLResponse": {"x"}, "RelayState": {at.Query().Get("state")[:handleSize]}}, "Sec-Fetch-Site", "cross-site")
			return b.get(resp.Header.Get("Location")).StatusCode
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.idp.ended = signin.Ended{Subject: w.idp.says.Subject, Sessions: []string{"sid-1"}}
			b := w.browser()
			b.signIn("https://desk.test/")
			w.now = w.now.Add(time.Minute)
			w.spoil(spaceSession)
			if status := after(b); status >= http.StatusInternalServerError {
				t.Errorf("%d", status)
			}
			if !strings.Contains(w.log.String(), "cannot be read") || !strings.Contains(w.log.String(), "what=session") {
				t.Errorf("not told:\n%s", w.log.String())
			}
			if status, at, _ := b.visit("https://desk.test/"); strings.HasPrefix(at, "https://idp.test/") {
				status, _, _ = b.back("staff", at)
				if status != http.StatusOK {
					t.Errorf("signing in anew: %d", status)
				}
			} else if status != http.StatusOK {
				t.Errorf("%d at %s", status, at)
			}
			if status := b.verify("https://desk.test/").StatusCode; status != http.StatusOK {
				t.Errorf("in the end: %d", status)
			}
		})
	}
}

// TestLinkThatCannotBeRead: the person is looked for anew.
func TestLinkThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	s := signin.Subject{Realm: "r", Value: "v", Immutable: true}
	owner := signin.Owner{Scope: signin.Scope{Connection: "hq", Tenant: "t"}, ID: "ann", Record: "hq/ann"}
	if err := w.portal.SetLink(t.Context(), "staff", s, owner); err != nil {
		t.Fatal(err)
	}
	if got, found, err := w.portal.Link(t.Context(), "staff", s); err != nil || !found || got != owner {
		t.Errorf("%+v, %v, error %v", got, found, err)
	}
	w.spoil(SpaceLink)
	if _, found, err := w.portal.Link(t.Context(), "staff", s); err != nil || found {
		t.Errorf("found %v, error %v", found, err)
	}
	if n, err := w.shelf.Count(t.Context(), SpaceLink); err != nil || n != 0 || !strings.Contains(w.log.String(), "what=link") {
		t.Errorf("%d links, error %v, log %s", n, err, w.log.String())
	}
}

// TestLinks: links are listed by the person, the object or their own name, those of former versions too.
func TestLinks(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"ann", "bob"} {
		if err := w.portal.SetLink(t.Context(), "staff", signin.Subject{Realm: "r", Value: id}, signin.Owner{Scope: signin.Scope{Connection: "hq"}, ID: id, Record: "desk/" + id}); err != nil {
			t.Fatal(err)
		}
	}
	former := store.Item{Key: linkKey("old", signin.Subject{Value: "x"}), Value: []byte(`{"Connection":"hq","Tenant":"","ID":"ann","Record":"desk/ann"}`)}
	if err := w.shelf.Put(t.Context(), SpaceLink, former, store.Item{Key: []byte("bad"), Value: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]int{"": 3, "desk/ann": 2, "hq/ann": 2, "hq/bob": 1, "nobody": 0, "ann": 0} {
		list, err := Links(t.Context(), w.shelf, who)
		if err != nil || len(list) != want {
			t.Errorf("%q: %+v, error %v", who, list, err)
		}
		for _, l := range list {
			if (l.Provider == "staff") != l.Since.Equal(w.now) {
				t.Errorf("%+v", l)
			}
			if one, err := Links(t.Context(), w.shelf, l.ID()); err != nil || len(one) != 1 || one[0].Record != l.Record {
				t.Errorf("by its name: %+v, error %v", one, err)
			}
		}
	}
}

// TestAttemptThatCannotBeRead: the others are listed, and of this one its number and when it was.
func TestAttemptThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.browser().signIn("https://desk.test/")
	first := w.last()
	w.spoil(spaceAttempt)
	w.now = w.now.Add(time.Hour)
	w.browser().signIn("https://desk.test/")
	w.last()
	list, err := Attempts(t.Context(), w.shelf, false, time.Time{})
	if err != nil || len(list) != 2 || list[1].ID != first.ID || !list[1].At.Equal(first.At) || list[1].Text == "" {
		t.Errorf("%+v, error %v", list, err)
	}
	if one, found, err := AttemptOf(t.Context(), w.shelf, first.ID); err != nil || !found || one.ID != first.ID || one.Reason != signin.Internal {
		t.Errorf("%+v, found %v, error %v", one, found, err)
	}
	w.spoil(spaceSession)
	if list, err := Sessions(t.Context(), w.shelf, w.now, ""); err != nil || len(list) != 0 {
		t.Errorf("sessions %+v, error %v", list, err)
	}
}

// TestPortOfHTTPS: an address may name the port that https has anyway.
func TestPortOfHTTPS(t *testing.T) {
	w := newWorld(t)
	for rd, want := range map[string]string{
		"https://desk.test:443/x?y=1": "https://desk.test/x?y=1", "https://DESK.test:443": "https://desk.test/", "https://wiki.test:8443/": "https://wiki.test:8443/",
		"https://desk.test:4430/": "", "https://desk.test:443:443/": "", "https://wiki.test:443/": "", "https://wiki.test/": "", "http://desk.test:443/": "", "https://desk.test:/": "",
	} {
		to, ok := w.portal.target(rd)
		if ok != (want != "") || to.url != want {
			t.Errorf("%s: %v, %q", rd, ok, to.url)
		}
	}
}
