package portal

import (
	"net/http"
	"net/url"
	"testing"

	"dirsyncd/sync/signin"
)

// TestRestartOnce: what nobody asked for is thrown away and asked for anew, but not again and again: a provider that never says what it answers would
// send a browser round without an end.
func TestRestartOnce(t *testing.T) {
	w := newWorld(t)
	w.idp.refuses = &signin.Refusal{Reason: signin.NotBegunHere, Restart: &signin.Start{}}
	b := w.browser()
	post := func(relay string) *reply {
		return b.do(http.MethodPost, "https://auth.test/auth/saml/partner/acs", url.Values{"SAMLResponse": {"x"}, "RelayState": {relay}}, "Sec-Fetch-Site", "cross-site")
	}
	next := func(resp *reply) *url.URL { // what the browser follows at once, to the provider
		t.Helper()
		at, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || resp.StatusCode != http.StatusSeeOther || at.Host != "auth.test" || at.Path != "/auth/saml/partner/again" {
			t.Fatalf("%d to %s", resp.StatusCode, at)
		}
		resp = b.get(at.String(), "Sec-Fetch-Site", "cross-site")
		if at, err = url.Parse(resp.Header.Get("Location")); err != nil || resp.StatusCode != http.StatusSeeOther {
			return nil
		}
		return at
	}
	for _, tile := range []string{"", "helpdesk", "https://elsewhere.test/"} {
		at := next(post(tile))
		if at == nil || at.Host != "idp.test" {
			t.Fatalf("%q: to %s", tile, at)
		}
		state := at.Query().Get("state")
		if len(state) != len(random()) {
			t.Errorf("state %q", state)
		}
		if resp := post(state[:handleSize]); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: the second time: %d to %s", tile, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if a := w.last(); a.Reason != signin.NotBegunHere || a.Hint == "" {
		t.Errorf("%+v", a)
	}

	// One that gives RelayState back neither: the browser has gone round three times by now.
	if at := next(post("")); at != nil {
		t.Errorf("once more, to %s", at)
	}
	if a := w.last(); a.Reason != signin.NotBegunHere || a.Hint == "" || a.Provider != "partner" {
		t.Errorf("%+v", a)
	}
	// Another browser, and this one a minute later, come in by their tiles.
	b = w.browser()
	if at := next(post("")); at == nil {
		t.Error("another browser is refused")
	}
	for range 10 {
		w.now = w.now.Add(restartsWithin / 2)
		if at := next(post("")); at == nil {
			t.Error("a person who comes again is refused")
		}
	}
}
