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
	for _, tile := range []string{"", "helpdesk", "https://elsewhere.test/"} {
		resp := post(tile)
		at, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || resp.StatusCode != http.StatusSeeOther || at.Host != "idp.test" {
			t.Fatalf("%q: %d to %s", tile, resp.StatusCode, at)
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
}
