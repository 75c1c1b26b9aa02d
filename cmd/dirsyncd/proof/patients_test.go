package proof

import (
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/ldap/simulator"
	"dirsyncd/sync/config"
)

// patients are one per connector, by its name.
func patients() map[string]func(*testing.T, *wrong) *patient {
	return map[string]func(*testing.T, *wrong) *patient{"ldap": ldapPatient}
}

func check(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func ldapPatient(t *testing.T, _ *wrong) *patient {
	s, err := simulator.Start(simulator.Options{Population: simulator.Company(40)})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	base, filter := s.Base(), ""
	kinds := map[string]simulator.FaultKind{
		"cut": simulator.Cut, "answer": simulator.Answer, "hang": simulator.Hang, "garble": simulator.Garble, "empty": simulator.Empty,
		"ignore-paging": simulator.IgnorePaging, "repeat": simulator.Repeat,
	}
	only := map[string]string{"users": "objectClass=person", "groups": "objectClass=groupOfNames"}
	return &patient{
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := ldap.Defaults()
			cfg.Servers, cfg.Base, cfg.PageSize = []string{s.URL()}, ldap.Names{base}, 10
			cfg.Bind = ldap.BindConfig{User: s.User(), Password: config.NewSecret(s.Password())}
			cfg.Timeout, cfg.Users.Filter = config.Duration(300*time.Millisecond), filter
			c, err := ldap.Open(cfg, env)
			check(t, err)
			return c
		},
		change: func(t *testing.T) {
			check(t, s.AddPerson(simulator.Person{UID: "gmoss", GivenName: "Grace", FamilyName: "Moss", Department: "Sales"}))
			check(t, s.Remove(s.PersonDN(firstUID(t, s))))
		},
		hurt: func(t *testing.T, w *wrong) {
			switch w.kind {
			case "edit-base":
				base = w.text + "," + s.Base()
				return
			case "edit-filter":
				filter = w.text
				return
			}
			kind, ok := kinds[w.kind]
			if !ok {
				t.Fatalf("line %d: ldap does not know %q", w.line, w.kind)
			}
			f := simulator.Fault{Kind: kind, After: w.after, Times: w.times, Code: uint16(w.code), Text: "as ordered"}
			switch w.where {
			case "binding":
				f.On = simulator.Binding
			case "connecting":
				f.On = simulator.Connecting
			case "lookup":
				f.On = simulator.Lookup
			default:
				f.On, f.Only = simulator.Listing, only[w.where]
			}
			s.Misbehave(f)
		},
		mend: func() {
			s.Behave()
			base, filter = s.Base(), ""
		},
	}
}

// firstUID returns somebody who is there.
func firstUID(t *testing.T, s *simulator.Server) string {
	t.Helper()
	for _, dn := range s.Values(s.GroupDN("Service Desk London"), "member") {
		if rdn, _, _ := strings.Cut(dn, ","); strings.HasPrefix(rdn, "uid=") {
			return strings.TrimPrefix(rdn, "uid=")
		}
	}
	t.Fatal("the group has no member")
	return ""
}
