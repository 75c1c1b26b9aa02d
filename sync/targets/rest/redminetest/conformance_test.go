package redminetest_test

import (
	"fmt"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
	"dirsyncd/sync/targets/rest"
	"dirsyncd/sync/targets/rest/redminetest"
)

// TestConformance runs the suite of places with things of their own on a Redmine. Each of its tests finds what those before it left,
// as in real ones.
func TestConformance(t *testing.T) {
	t.Setenv("DESK_SECRET", redminetest.Key)
	s := redminetest.Start(t, nil)
	text := fmt.Sprintf("{preset: redmine, url: %q, auth: {token: {env: DESK_SECRET}}, names: {mark: %d, group_mark: %d, ticket_mark: %d, project: %s}, rate: 1000}",
		s.URL, redminetest.UserMark, redminetest.GroupMark, redminetest.TicketMark, redminetest.Project)
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
			Fields:  fields,
			Many:    110, // two pages
			Break:   func(*testing.T) { s.Broken.Store(true) },
			Mend:    func(*testing.T) { s.Broken.Store(false) },
			Secrets: []string{redminetest.Key},
		}
	})
}

func fields(kind directory.RecordKind, unique string) []directory.Field {
	if kind == directory.GroupRecord {
		return []directory.Field{{Name: directory.FieldName, Value: directory.Text("Thing " + unique)}}
	}
	if kind == directory.TicketRecord {
		return []directory.Field{{Name: "summary", Value: directory.Text("New starter " + unique)}}
	}
	return []directory.Field{
		{Name: directory.FieldEmail, Value: directory.Text(unique + "@example.test")},
		{Name: directory.FieldFamilyName, Value: directory.Text("Family " + unique)},
		{Name: directory.FieldGivenName, Value: directory.Text("Given")},
		{Name: directory.FieldLogin, Value: directory.Text("login" + unique)},
	}
}
