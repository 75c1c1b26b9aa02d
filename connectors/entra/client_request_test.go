package entra

import (
	"net/http"
	"strings"
	"testing"

	"dirsyncd/connectors/internal/rest"
	"dirsyncd/connectors/sim/microsoftsim"
)

// TestRequests: every request carries what the service shall know, and short answers are asked for on every page.
func TestRequests(t *testing.T) {
	w := small(t)
	var minimal, pages int
	c := w.reader(Selection{Groups: true}, func(base http.RoundTripper) http.RoundTripper {
		return checkRequest{base, func(req *http.Request) {
			if !strings.HasPrefix(req.URL.Path, "/v1.0/") {
				return
			}
			if req.Header.Get("X-Ms-Throttle-Priority") != "low" || !strings.HasPrefix(req.Header.Get("Authorization"), "Bearer ") {
				t.Errorf("%s: %v", req.URL.Path, req.Header)
			}
			if strings.Contains(req.URL.Path, "/delta") {
				pages++
				if req.Header.Get("Prefer") == "return=minimal" {
					minimal++
				}
			}
		}}
	})
	m := newModel(t, c)
	if err := m.sync(false); err != nil || minimal != 0 {
		t.Fatal(minimal, err)
	}
	for _, id := range w.tenant.GroupIDs() {
		w.tenant.Set(id, microsoftsim.Props{"description": "changed"})
	}
	pages = 0
	users := len(w.tenant.UserIDs())
	if err := m.sync(false); err != nil || users != 40 || minimal < 3 || pages != minimal+1 {
		t.Errorf("%d pages, %d of them short, %v", pages, minimal, err)
	}
}

type checkRequest struct {
	base http.RoundTripper
	look func(*http.Request)
}

func (c checkRequest) RoundTrip(req *http.Request) (*http.Response, error) {
	c.look(req)
	return c.base.RoundTrip(req)
}

// TestSpellingOfHosts: a service writes its links in small letters, whatever the operator writes.
func TestSpellingOfHosts(t *testing.T) {
	client := must(NewClient(ClientOptions{Graph: "https://Graph.TEST/"}))
	if u, err := rest.Link(client.graph, "read", "https://graph.test/v1.0/users?$skiptoken=Aa"); err != nil || u.RawQuery != "$skiptoken=Aa" {
		t.Error(err)
	}
}
