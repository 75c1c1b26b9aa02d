package ldap

import (
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/slapdtest"
)

func TestComputedFilters(t *testing.T) {
	for filter, want := range map[string]string{
		"(objectClass=person)": "",
		"(&(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))":   "",
		"(&(objectClass=person)(memberOf=cn=vpn,dc=example))":                      "memberOf",
		"(|(uid=a)(!(ISMEMBEROF=cn=vpn,dc=example)))":                              "ISMEMBEROF",
		"(member:1.2.840.113556.1.4.1941:=cn=x,dc=example)":                        "1.2.840.113556.1.4.1941",
		"(&(objectClass=user)(memberOf:1.2.840.113556.1.4.1941:=cn=x,dc=example))": "1.2.840.113556.1.4.1941",
		"(tokenGroups=S-1-5-32-544)":                                               "tokenGroups",
		"(memberOfficialName=x)":                                                   "",
		"(memberOf=*)":                                                             "memberOf",
		"(memberOf>=cn=x)":                                                         "memberOf",
		"(&(description=memberOf)(cn=*memberOf*))":                                 "",
		"(nsRole=cn=staff,dc=example)":                                             "nsRole",
		"(this is no filter":                                                       "",
	} {
		if got := computedIn(filter); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

// TestMembershipFilter: who enters or leaves a filter by a membership is seen by the next read, whatever method was asked for.
func TestMembershipFilter(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, MemberOf: true})
	group := s.AddGroup("vpn", s.AddPerson("ada", nil))
	s.AddPerson("bob", nil)
	for _, method := range []string{incrementalAuto, methodSyncrepl, methodTimestamp} {
		c := openFor(t, s, func(c *Config) {
			c.Incremental = method
			c.Users.Filter = "(&(objectClass=inetOrgPerson)(memberOf=" + group + "))"
		})
		got, err := readOn(t, c, connectors.Full, told{}, false)
		if err != nil || len(got.ids) != 1 || len(got.cursor) > 0 {
			t.Errorf("%s: %d people, cursor %s, error %v", method, len(got.ids), got.cursor, err)
		}
		findings, _ := c.Check(t.Context())
		said := false
		for _, f := range findings {
			said = said || f.Subject == "incremental reads of users" && strings.Contains(f.Detail, "memberOf") && f.OK == (method == incrementalAuto)
		}
		if !said {
			t.Errorf("%s: check says %+v", method, findings)
		}
	}
}
