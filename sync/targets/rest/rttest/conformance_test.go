package rttest_test

import (
	"fmt"
	"testing"

	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
	"dirsyncd/sync/targets/rest"
	"dirsyncd/sync/targets/rest/rttest"
)

// TestConformance runs the suite of places with things of their own on a Request Tracker. Each of its tests finds what those before
// it left, as in real ones.
func TestConformance(t *testing.T) {
	t.Setenv("DESK_SECRET", rttest.Password)
	s := rttest.Start(t, rttest.Options{})
	text := fmt.Sprintf("{preset: request-tracker, url: %q, auth: {user: %s, password: {env: DESK_SECRET}}, names: {mark: %[3]s, group_mark: %[3]s, ticket_mark: %[3]s, queue: General}, rate: 1000}",
		s.REST, rttest.User, rttest.Mark)
	desktest.Run(t, func(*testing.T) *desktest.Place {
		return &desktest.Place{
			Open: func(t *testing.T) targets.Desk {
				cfg := rest.Factory().NewConfig()
				doc := strict.Parse([]byte(text), strict.Options{})
				doc.Root().Into(cfg)
				desk, err := rest.Factory().OpenDesk(cfg, targets.Env{})
				if err != nil || len(doc.Problems()) > 0 {
					t.Fatal(err, doc.Problems())
				}
				return desk
			},
			Many:    110, // two pages
			Break:   func(*testing.T) { s.Broken.Store(true) },
			Mend:    func(*testing.T) { s.Broken.Store(false) },
			Secrets: []string{rttest.Password},
		}
	})
}
