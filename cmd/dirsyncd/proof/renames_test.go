package proof

import (
	"fmt"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/settings"
)

// rewriting are the ways in which an OpenLDAP server keeps references right by itself. What it rewrites keeps its
// entryCSN and its modifyTimestamp, so no incremental read of the server names it.
func rewriting() map[string]slapdtest.Options {
	return map[string]slapdtest.Options{
		"memberof": {MemberOfRefint: true},
		"refint":   {Refint: []string{"member", "uniqueMember", "manager", "seeAlso"}},
		"both":     {MemberOfRefint: true, Refint: []string{"member", "uniqueMember", "manager", "seeAlso"}},
	}
}

// company starts a server with a tree in which whoever is renamed is referred to.
func company(t *testing.T, opts slapdtest.Options) *slapdtest.Server {
	opts.SessionLog = 2000
	s := slapdtest.Start(t, opts)
	unit := func(ou, parent string) string {
		dn := "ou=" + ou + "," + parent
		s.Add(dn, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {ou}})
		return dn
	}
	leeds := unit("leeds", s.Suffix)
	people, groups := unit("staff", leeds), unit("teams", leeds)
	unit("attic", s.Suffix)
	s.Add("uid=boss,"+people, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {"boss"}, "cn": {"boss"}, "sn": {"boss"}})
	for i := range 4 {
		name := fmt.Sprint("tech", i)
		s.Add("uid="+name+","+people, map[string][]string{
			"objectClass": {"inetOrgPerson"}, "uid": {name}, "cn": {name}, "sn": {name}, "manager": {"uid=boss," + people}, "seeAlso": {"uid=boss," + people},
		})
	}
	group := func(cn string, members ...string) {
		s.Add("cn="+cn+","+groups, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {cn}, "member": members})
	}
	group("inner", "uid=tech0,"+people, "uid=tech1,"+people)
	group("desk", "cn=inner,"+groups, "uid=tech2,"+people)
	s.AddGroup("all", "cn=desk,"+groups, "uid=tech3,"+people)
	return s
}

func openSlapd(t *testing.T, s *slapdtest.Server, change func(*ldap.Config)) connectors.Connector {
	return openFactory(t, ldap.Factory(), func(cfg any) {
		c := cfg.(*ldap.Config)
		c.Servers, c.Base, c.PageSize = []string{s.URL}, ldap.Names{s.Suffix}, 30
		c.Attributes = []ldap.Attribute{{Name: "memberOf"}, {Name: "seeAlso"}}
		c.Bind = ldap.BindConfig{User: s.ReplicatorDN, Password: settings.NewSecret(slapdtest.ReplicatorPassword)}
		if change != nil {
			change(c)
		}
	})
}

// Whoever is renamed or moved stays in the groups and under the manager that the server says.
func TestRenamesWhereTheServerRewritesReferences(t *testing.T) {
	const staff, teams = "ou=staff,ou=leeds,", "ou=teams,ou=leeds,"
	for overlay, opts := range rewriting() {
		for method, change := range map[string]func(*ldap.Config){
			"syncrepl":  nil,
			"timestamp": func(c *ldap.Config) { c.Incremental = "timestamp" },
		} {
			t.Run(overlay+"/"+method, func(t *testing.T) {
				s := company(t, opts)
				r := newRig(t, openSlapd(t, s, change))
				r.mustRun("first sync", engine.Job{})
				for _, step := range []struct{ what, dn, rdn, superior string }{
					{"a technician is renamed", "uid=tech0," + staff, "uid=tech0a", ""},
					{"a technician is moved", "uid=tech1," + staff, "uid=tech1", "ou=attic,"},
					{"a manager is renamed", "uid=boss," + staff, "uid=chief", ""},
					{"a nested group is renamed", "cn=inner," + teams, "cn=core", ""},
					{"a group that holds another one is moved", "cn=desk," + teams, "cn=desk", "ou=attic,"},
					{"a unit is renamed", "ou=leeds,", "ou=york", ""},
				} {
					superior := step.superior
					if superior != "" {
						superior += s.Suffix
					}
					s.Rename(step.dn+s.Suffix, step.rdn, superior)
					if len(opts.Refint) > 0 {
						forgotten(t, s, step.dn+s.Suffix)
					}
					same(t, r, step.what, openSlapd(t, s, change))
				}
			})
		}
	}
}

// forgotten waits until nothing refers any more to an entry, or to what is below it, by its former name: the refint overlay rewrites
// references some time after it has answered, and a fresh start in between would miss them.
func forgotten(t *testing.T, s *slapdtest.Server, dn string) {
	t.Helper()
	conn, err := goldap.DialURL(s.URL)
	check(t, err)
	defer func() { _ = conn.Close() }()
	check(t, conn.Bind(s.AdminDN, slapdtest.AdminPassword))
	filter := "(|"
	for _, attribute := range []string{"member", "manager", "seeAlso"} {
		filter += "(" + attribute + ":dnSubtreeMatch:=" + goldap.EscapeFilter(dn) + ")"
	}
	for begin := time.Now(); time.Since(begin) < patience; {
		found, err := conn.Search(goldap.NewSearchRequest(s.Suffix, goldap.ScopeWholeSubtree, 0, 0, 0, false, filter+")", []string{"1.1"}, nil))
		check(t, err)
		if len(found.Entries) == 0 {
			return
		}
	}
	t.Fatalf("something still refers to %s", dn)
}

// same runs incrementally and compares with what a fresh start makes of the same directory.
func same(t *testing.T, r *rig, what string, source connectors.Connector) {
	t.Helper()
	for _, res := range r.mustRun(what, engine.Job{}) {
		if res.Run.Mode == connectors.Full.String() {
			t.Errorf("%s: read in full: %v", what, res.Run.Notes)
		}
	}
	fresh := newRig(t, source)
	fresh.mustRun("fresh start", engine.Job{})
	if diff := differences(r.records(), fresh.records()) + differences(r.held(), fresh.held()); diff != "" {
		t.Errorf("%s (+ incremental only, - fresh start only):\n%s", what, diff)
	}
}
