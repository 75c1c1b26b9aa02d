package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/dirsrvtest"
	"dirsyncd/sync/settings"
)

// TestDirectoryServer389 reads and watches a 389 Directory Server.
func TestDirectoryServer389(t *testing.T) {
	s := dirsrvtest.Start(t, dirsrvtest.Options{})
	for _, ou := range []string{"people", "groups"} {
		s.Add("ou="+ou+","+dirsrvtest.Suffix, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {ou}})
	}
	var people []string
	for i := range 30 {
		uid := fmt.Sprintf("p%d", i)
		people = append(people, "uid="+uid+",ou=people,"+dirsrvtest.Suffix)
		s.Add(people[i], map[string][]string{
			"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "sn": {uid}, "mail": {uid + "@example.test"},
		})
	}
	s.Add("cn=desk,ou=groups,"+dirsrvtest.Suffix, map[string][]string{"objectClass": {"groupOfUniqueNames"}, "cn": {"desk"}, "uniqueMember": people[:3]})
	s.Replace(people[1], "nsAccountLock", "true")
	open := func(change func(*Config)) *Connector {
		t.Helper()
		cfg := Defaults()
		cfg.Servers, cfg.Base, cfg.PageSize = []string{s.URL}, Names{dirsrvtest.Suffix}, 7
		cfg.Bind = BindConfig{User: dirsrvtest.AdminDN, Password: settings.NewSecret(dirsrvtest.AdminPassword)}
		if change != nil {
			change(cfg)
		}
		c, err := open(cfg, testEnv())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open(func(c *Config) { c.Watch, c.Incremental = true, methodTimestamp })

	users, groups := readAll(t.Context(), c, streamUsers, nil).must(t), readAll(t.Context(), c, streamGroups, nil).must(t)
	if len(users.objects) != 30 || len(groups.objects) != 1 {
		t.Fatalf("%d people, %d groups", len(users.objects), len(groups.objects))
	}
	for id, o := range users.objects {
		login, _ := o.Get("login")
		if got, want := users.field(id, "status"), map[bool]string{true: "disabled", false: "active"}[login.Text() == "p1"]; got != want {
			t.Errorf("status of %s is %s", login.Text(), got)
		}
		if len(id) != 35 {
			t.Errorf("id %q is no nsUniqueId", id)
		}
	}
	for _, members := range groups.members {
		if !slices.Equal(members, []string{"dn:uid=p0,ou=people," + dirsrvtest.Suffix, "dn:uid=p1,ou=people," + dirsrvtest.Suffix, "dn:uid=p2,ou=people," + dirsrvtest.Suffix}) {
			t.Errorf("members %q", members)
		}
	}
	findings, err := c.Check(t.Context())
	if err != nil || slices.ContainsFunc(findings, func(f finding) bool { return !f.OK }) || !strings.Contains(findings[0].Detail, "389 Project") {
		t.Errorf("findings %+v, error %v", findings, err)
	}

	w := startWatch(t, c, connectors.Tenant{})
	w.called("in place")
	f := follow(t, c, streamUsers)
	s.Replace(people[5], "title", "watched")
	w.called("change")
	if err := f.delta(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.covers(t, "a change")
	w.drain()
	if err := s.Conn.Del(ldap.NewDelRequest(people[6], nil)); err != nil {
		t.Fatal(err)
	}
	w.called("delete")
	w.stop()
	if err := w.over(); err != context.Canceled { //nolint:errorlint // unchanged is what the contract says
		t.Errorf("after the end of the context: %v", err)
	}
	// Without the plug-in for content synchronization nothing names removals, so auto reads everything.
	automatic := open(nil)
	if g := follow(t, automatic, streamUsers); g.cursor != nil || len(g.objects) != 29 {
		t.Errorf("%d people, cursor %s", len(g.objects), g.cursor)
	}
}
