package proof

import (
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/ldap/simulator"
	"dirsyncd/sync/config"
)

// stories are one per connector, by its name.
func stories() map[string]func(*testing.T) *story {
	return map[string]func(*testing.T) *story{"ldap": ldapStory}
}

func ldapStory(t *testing.T) *story {
	s, err := simulator.Start(simulator.Options{Population: simulator.Company(40)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	must := func(t *testing.T, errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return &story{
		name: "ldap",
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := ldap.Defaults()
			cfg.Servers, cfg.Base, cfg.PageSize = []string{s.URL()}, ldap.Names{s.Base()}, 10
			cfg.Bind = ldap.BindConfig{User: s.User(), Password: config.NewSecret(s.Password())}
			c, err := ldap.Open(cfg, env)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		stages: []func(*testing.T){
			func(*testing.T) {},
			func(t *testing.T) {
				must(t, s.AddPerson(simulator.Person{UID: "gmoss", GivenName: "Grace", FamilyName: "Moss", Department: "Sales"}),
					s.AddMember(s.GroupDN("Service Desk London"), s.PersonDN("gmoss")))
			},
			func(t *testing.T) { must(t, s.Remove(s.PersonDN("gmoss"))) },
			func(t *testing.T) { must(t, s.Remove(s.UnitDN("Sales"))) },
		},
	}
}
