package scim

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
	"dirsyncd/sync/targets/scim/scimtest"
)

// TestConformance runs the suite of places with things of their own on every service. Each has one for all of its tests:
// it is not empty, as real ones are not.
func TestConformance(t *testing.T) {
	for _, s := range services {
		t.Run(s.name, func(t *testing.T) {
			server, broken := s.start(t), &atomic.Bool{}
			service, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: service.Scheme, Host: service.Host})
			between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if broken.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				pass.ServeHTTP(w, r)
			}))
			t.Cleanup(between.Close)
			many := 230
			if !s.pages {
				many = 0 // it shows the first page only, which TestSurvey looks at
			}
			desktest.Run(t, func(*testing.T) *desktest.Place {
				return &desktest.Place{
					Open: func(t *testing.T) targets.Desk {
						d := open(t, &scimtest.Server{URL: between.URL + service.Path, Token: server.Token}, nil)
						d.client.reads = d.client.writes // a broken place is not tried again
						return d
					},
					Many:    many,
					Break:   func(*testing.T) { broken.Store(true) },
					Mend:    func(*testing.T) { broken.Store(false) },
					Secrets: []string{server.Token},
				}
			})
		})
	}
}
