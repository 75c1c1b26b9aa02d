package okta

import (
	"net/http"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/directory"
)

func TestConformance(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			b := start(tb, oktasim.Options{People: 170, Groups: 160, Apps: 3}, func(c *Config) { c.Apps, c.Attributes = true, []string{"badge"} })
			b.conn.pageSize = 20
			return fixture(b)
		},
		Secrets: []string{"simulator-token"},
	})
}

// TestConformanceApp runs the suite with an OAuth service app and TLS.
func TestConformanceApp(t *testing.T) {
	if raceEnabled {
		t.Skip("the suite runs under the race detector once; TestAccessToken and its neighbours see to tokens")
	}
	key := pkcs8(newKey())
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			o := oktasim.Options{People: 170, Groups: 160}
			edit := asApp(&o)
			b := start(tb, o, edit)
			b.conn.pageSize = 20
			return fixture(b)
		},
		Secrets: []string{key[40:80], "bearer-1-of-simulator", "bearer-2-of-simulator"},
	})
}

func fixture(b *bench) *connectortest.Fixture {
	s := b.org
	user := func(i int) directory.Ref { return directory.Ref{Kind: directory.Person, ID: s.Users()[i].ID} }
	group := func(i int) directory.Ref { return directory.Ref{Kind: directory.Group, ID: s.Groups()[i].ID} }
	later := func(ref directory.Ref) directory.Ref { b.clock.advance(time.Second); return ref }
	return &connectortest.Fixture{
		Shorten:   func(testing.TB) { s.Break(oktasim.Fault{Kind: oktasim.Short, Path: "/api"}) },
		Connector: connectors.Guard(b.conn),
		Add: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				return later(directory.Ref{Kind: directory.Person, ID: s.AddUser(map[string]any{"title": "New"})})
			}
			return later(directory.Ref{Kind: directory.Group, ID: s.AddGroup("Added")})
		},
		Change: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				ref := user(3)
				s.SetProfile(ref.ID, "title", "Changed")
				return later(ref)
			}
			ref := group(3)
			s.RenameGroup(ref.ID, s.Groups()[3].Name, "Changed")
			return later(ref)
		},
		Rename: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				ref := user(4)
				for _, name := range []string{"login", "email", "firstName", "lastName", "displayName"} {
					s.SetProfile(ref.ID, name, "renamed@example.com")
				}
				return later(ref)
			}
			ref := group(4)
			s.RenameGroup(ref.ID, "Renamed", "")
			return later(ref)
		},
		Delete: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				ref := user(6)
				s.DeleteUser(ref.ID)
				return later(ref)
			}
			ref := group(6)
			s.DeleteGroup(ref.ID)
			return later(ref)
		},
		Break: func(tb testing.TB, how connectortest.Breakage) { breakOrg(tb, b, how) },
	}
}

func breakOrg(tb testing.TB, b *bench, how connectortest.Breakage) {
	tb.Helper()
	s := b.org
	switch how {
	case connectortest.BadCredentials:
		if b.conn.tokens == nil {
			s.RevokeToken()
			return
		}
		s.RevokeBearers()
		s.Break(oktasim.Fault{
			Path: tokenPath, Status: http.StatusUnauthorized,
			Body: `{"error":"invalid_client","error_description":"The client is disabled."}`,
		})
	case connectortest.MissingPermission:
		s.Grant("okta.groups.read", false)
		s.RevokeBearers()
	case connectortest.MidListing:
		s.Break(oktasim.Fault{Path: "/api", Status: http.StatusInternalServerError, Body: `{"errorCode":"E0000009"}`})
	case connectortest.Silence:
		s.Break(oktasim.Fault{Kind: oktasim.Hang})
	case connectortest.Unreachable:
		s.Close()
	case connectortest.LostCursors:
		b.clock.advance(100 * 24 * time.Hour)
	case connectortest.BadEntry:
		s.Spoil(s.Users()[9].ID)
		s.Spoil(s.Groups()[9].ID)
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}
