package ldap

import (
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/directory"
)

// TestConformance runs the suite on a real OpenLDAP server for every check.
func TestConformance(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			people := slapdtest.Population{People: 250, Groups: 230}
			s := slapdtest.Start(tb, slapdtest.Options{SessionLog: 1000, Load: people.WriteLDIF})
			return slapdFixture(s, openFor(tb, s, func(c *Config) { c.PageSize = 20 }))
		},
		Secrets: []string{
			slapdtest.AdminPassword, slapdtest.ReplicatorPassword, slapdtest.LimitedPassword, slapdtest.BlindPassword,
		},
	})
}

func slapdFixture(s *slapdtest.Server, c *Connector) *connectortest.Fixture {
	dn := func(stream, name string) string {
		if stream == streamUsers {
			return s.PersonDN("p" + name)
		}
		return s.GroupDN("g" + name)
	}
	ref := func(stream, dn string) directory.Ref {
		kind := kindOf(stream)
		return directory.Ref{Kind: kind, ID: s.UUID(dn)}
	}
	return &connectortest.Fixture{
		Connector: connectors.Guard(c),
		Add: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				return ref(stream, s.AddPerson("added", nil))
			}
			return ref(stream, s.AddGroup("added", s.Suffix))
		},
		Change: func(_ testing.TB, stream string) directory.Ref {
			s.Replace(dn(stream, "3"), "description", "changed")
			return ref(stream, dn(stream, "3"))
		},
		Rename: func(_ testing.TB, stream string) directory.Ref {
			r := ref(stream, dn(stream, "4"))
			rdn := map[string]string{streamUsers: "uid=renamed", streamGroups: "cn=renamed"}[stream]
			s.Rename(dn(stream, "4"), rdn, "ou=services,"+s.Suffix)
			return r
		},
		Delete: func(_ testing.TB, stream string) directory.Ref {
			r := ref(stream, dn(stream, "5"))
			s.Delete(dn(stream, "5"))
			return r
		},
		Break: func(tb testing.TB, how connectortest.Breakage) { breakSlapd(tb, s, how) },
	}
}

func breakSlapd(tb testing.TB, s *slapdtest.Server, how connectortest.Breakage) {
	tb.Helper()
	switch how {
	case connectortest.BadCredentials:
		s.Replace(s.ReplicatorDN, "userPassword", "another")
	case connectortest.MissingPermission:
		s.Reconfigure(func(o *slapdtest.Options) {
			o.Access = []string{`access to dn.subtree="ou=people,` + s.Suffix + `" by * none`}
		})
	case connectortest.MidListing, connectortest.Unreachable:
		s.Kill()
	case connectortest.LostCursors:
		// What was deleted before a restart is forgotten.
		s.Replace(s.ReplicatorDN, "description", "changed")
		s.Restart()
	case connectortest.Silence:
		s.Suspend()
	case connectortest.BadEntry:
		s.Reconfigure(func(o *slapdtest.Options) {
			o.Access = []string{
				`access to dn.exact="` + s.PersonDN("p7") + `" attrs=entryUUID by * none`,
				`access to dn.exact="` + s.GroupDN("g7") + `" attrs=entryUUID by * none`,
			}
		})
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}
