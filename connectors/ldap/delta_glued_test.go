package ldap

import (
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
)

// TestGluedDatabase: a branch with a database of its own has changes that contextCSN of the one above does not show. No
// method may rely on that.
func TestGluedDatabase(t *testing.T) {
	for name, syncprov := range map[string][]string{"syncprov of its own": {"overlay syncprov", "syncprov-sessionlog 100"}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Global: append([]string{
				"database mdb", `suffix "ou=branch,dc=example,dc=test"`, "subordinate", `rootdn "cn=admin,dc=example,dc=test"`,
				"directory " + t.TempDir(), "access to * by users read",
			}, syncprov...)})
			branch := "ou=branch," + s.Suffix
			s.Add(branch, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"branch"}})
			add := func(uid string) {
				s.Add("uid="+uid+","+branch, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "sn": {uid}})
			}
			s.AddPerson("bob", nil)
			add("ada")

			c := openFor(t, s, nil)
			if f := follow(t, c, streamUsers); len(f.cursor) > 0 || len(f.objects) != 2 {
				t.Errorf("syncrepl was chosen: %s", f.cursor)
			}
			findings, err := c.Check(t.Context())
			said := false
			for _, f := range findings {
				said = said || f.Subject == "incremental reads" && strings.Contains(f.Detail, "does not speak of all below it")
			}
			if err != nil || !said {
				t.Errorf("check says %+v, %v", findings, err)
			}

			// A database above that was written last does not give the other one away, until that is written.
			s.AddPerson("ben", nil)
			if f := follow(t, c, streamUsers); syncprov == nil {
				add("eve")
				if err := f.delta(t.Context()); fault.ClassOf(err) != fault.CursorExpired {
					t.Errorf("by syncrepl: error %v", err)
				}
				s.Delete("uid=eve," + branch)
			} else if len(f.cursor) > 0 {
				t.Errorf("syncrepl was chosen: %s", f.cursor)
			}
			s.Delete(s.PersonDN("ben"))

			f := follow(t, openFor(t, s, polling), streamUsers)
			add("cat")
			if err := f.delta(t.Context()); err != nil || len(f.objects) != 3 {
				t.Errorf("by timestamps: %d people, error %v", len(f.objects), err)
			}
		})
	}
}

// TestNewEntryWithoutModifyTimestamp: a server that writes modifyTimestamp with the first change only.
func TestNewEntryWithoutModifyTimestamp(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Access: []string{
		`access to dn.regex="^uid=new,.*" attrs=modifyTimestamp by * none`,
	}})
	s.AddPerson("old", nil)
	f := follow(t, openFor(t, s, polling), streamUsers)
	s.AddPerson("new", nil)
	if err := f.delta(t.Context()); err != nil || len(f.objects) != 2 {
		t.Errorf("%d people, error %v", len(f.objects), err)
	}
}
