package microsoftsim

import (
	"net/url"
	"testing"
)

// FuzzPageToken reads what a client may send as a token.
func FuzzPageToken(f *testing.F) {
	f.Add((&pageToken{Tenant: "t", Path: "users/delta", Kind: "skip", From: 3}).encode())
	f.Add("a~.$-")
	f.Add("%61%7E")
	f.Fuzz(func(t *testing.T, raw string) {
		p, ok := parsePageToken(raw)
		if !ok {
			return
		}
		again, ok := parsePageToken(p.encode())
		if !ok || again.Path != p.Path || again.Offset != p.Offset {
			t.Errorf("%q is read differently the second time", raw)
		}
	})
}

// FuzzAssertion reads what a client may send to prove who it is.
func FuzzAssertion(f *testing.F) {
	f.Add("e30.e30.e30")
	f.Add("..")
	s := &Server{o: Options{}}
	app := &App{ID: "a", Federated: []Federation{{"i", "s"}}}
	f.Fuzz(func(t *testing.T, raw string) {
		form := url.Values{"client_assertion": {raw}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		if s.authenticate(app, form) == 0 {
			t.Logf("taken: %q", raw)
		}
		_, _ = parseFilter(raw)
		_, _ = deltaFilter(raw)
	})
}
