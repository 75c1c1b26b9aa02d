package delinea

import (
	"net/http"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/delineasim"
	"dirsyncd/sync/directory"
)

func TestConformance(t *testing.T) {
	for name, tc := range map[string]struct {
		options delineasim.Options
		edit    func(*Config)
	}{
		"platform": {delineasim.Options{People: 170, Roles: 160}, func(c *Config) { c.Attributes, c.LastLogin = []string{"Title"}, true }},
		"centrify": {delineasim.Options{People: 170, Roles: 160, Centrify: true, Words: true}, func(c *Config) { c.Table = tableDirectories }},
	} {
		t.Run(name, func(t *testing.T) {
			connectortest.Run(t, connectortest.Harness{
				Start:   func(tb testing.TB) *connectortest.Fixture { return fixture(start(tb, tc.options, tc.edit)) },
				Secrets: []string{delineasim.Secret, "of-simulator"},
				Unsupported: map[connectortest.Breakage]string{
					connectortest.LostCursors: "there are none",
				},
			})
		})
	}
}

func fixture(b *bench) *connectortest.Fixture {
	s := b.tenant
	person := func(id string) directory.Ref { return directory.Ref{Kind: directory.Person, ID: id} }
	group := func(id string) directory.Ref { return directory.Ref{Kind: directory.Group, ID: id} }
	return &connectortest.Fixture{
		Connector: connectors.Guard(b.conn),
		Shorten:   func(testing.TB) { s.Break(delineasim.Fault{Kind: delineasim.Short}) },
		Add: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				return person(s.AddUser())
			}
			return group(s.AddRole("Added"))
		},
		Change: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				id := s.People()[3]
				s.SetName(id, "Changed")
				return person(id)
			}
			id := s.Roles()[3]
			s.SetRole(id, "Role 3", "Changed")
			return group(id)
		},
		Rename: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				id := s.People()[4]
				s.SetUser(id, "renamed@example.test", "Renamed", "renamed@example.test")
				return person(id)
			}
			id := s.Roles()[4]
			s.SetRole(id, "Renamed", "")
			return group(id)
		},
		Delete: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				id := s.People()[6]
				s.DeleteUser(id)
				return person(id)
			}
			id := s.Roles()[6]
			s.DeleteRole(id)
			return group(id)
		},
		Break: func(tb testing.TB, how connectortest.Breakage) { breakTenant(tb, s, how) },
	}
}

func breakTenant(tb testing.TB, s *delineasim.Server, how connectortest.Breakage) {
	tb.Helper()
	switch how {
	case connectortest.BadCredentials:
		s.Lock()
	case connectortest.MissingPermission:
		s.Deny("Role")
	case connectortest.MidListing:
		s.Break(delineasim.Fault{Status: http.StatusInternalServerError, Body: `{}`})
	case connectortest.Silence:
		s.Break(delineasim.Fault{Kind: delineasim.Hang})
	case connectortest.Unreachable:
		s.Close()
	case connectortest.BadEntry:
		s.Spoil(s.People()[9])
		s.Spoil(s.Roles()[9])
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}
