package files

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/settings"
)

// What the programs of OpenLDAP write of one directory reads the same, whichever of them wrote it.
func TestLDIFOfRealPrograms(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 60, Groups: 8}.WriteLDIF})
	s.AddPerson("joerg", map[string][]string{"cn": {"Jörg Müller"}, "sn": {"Müller"}, "description": {" begins with a blank", strings.Repeat("long ", 60)}})
	c := folder(t)
	run := func(to, program string, args ...string) {
		t.Helper()
		path, err := exec.LookPath(program)
		if err != nil {
			path = "/usr/sbin/" + program
		}
		out, err := exec.Command(path, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		c.put(to, string(out))
	}
	search := []string{"-x", "-H", s.URL, "-D", s.AdminDN, "-w", slapdtest.AdminPassword, "-b", s.Suffix}
	run("plain.ldif", "ldapsearch", append(slices.Clone(search), "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))", "*", "+")...)
	run("LLL.ldif", "ldapsearch", append(slices.Clone(search), "-LLL", "-o", "ldif-wrap=no", "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))", "*", "+")...)
	run("limited.ldif", "sh", "-c", "ldapsearch \"$@\" || true", "sh", search[0], search[1], search[2], search[3], search[4], search[5], search[6], search[7], search[8], "-z", "5", "(objectClass=inetOrgPerson)")
	s.Stop()
	run("slapcat.ldif", "slapcat", "-f", filepath.Join(filepath.Dir(s.CAFile), "slapd.conf"), "-a", "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))")

	var people, groups map[string]string
	var members map[string][]string
	for _, name := range []string{"plain.ldif", "LLL.ldif", "slapcat.ldif"} {
		person, group := kind(name, absentGone), kind(name, absentGone)
		person.Key, group.Key = settings.Names{"dn"}, settings.Names{"dn"}
		person.Columns = map[string]columns.Source{
			"name": columns.Column("cn"), "login": columns.Column("uid"), "office": columns.Column("l"), "family_name": columns.Column("sn"),
		}
		person.Attributes.Names = []string{"description"}
		person.Only, group.Only = OnlyConfig{Column: "objectclass", Is: settings.Names{"inetOrgPerson"}}, OnlyConfig{Column: "objectClass", Is: settings.Names{"groupOfNames"}}
		group.Columns = map[string]columns.Source{"name": columns.Column("cn"), "members": columns.Column("member"), "member_groups": columns.Column("member")}
		group.Separator = "\n"
		conn := c.open(c.configured(map[string]Kind{"person": person, "group": group}))
		a, g := c.must(c.read(conn, "users", connectors.Full, nil)), c.must(c.read(conn, "groups", connectors.Full, nil))
		if len(a.invalid)+len(g.invalid) > 0 || a.doubt() != "" {
			t.Fatalf("%s: invalid %q %q, doubt %q", name, a.invalid, g.invalid, a.doubt())
		}
		if people == nil {
			people, groups, members = a.objects, g.objects, g.members
		}
		if len(a.objects) != 61 || len(g.objects) != 8 {
			t.Errorf("%s: %d people, %d groups", name, len(a.objects), len(g.objects))
		}
		for id, text := range people {
			if a.objects[id] != text {
				t.Errorf("%s: %s is\n%s\nand was\n%s", name, id, a.objects[id], text)
			}
		}
		for id, list := range members {
			slices.Sort(list)
			slices.Sort(g.members[id])
			if !slices.Equal(list, g.members[id]) || g.objects[id] != groups[id] {
				t.Errorf("%s: %s has other members: %v, %v", name, id, g.members[id], list)
			}
		}
		joerg := a.objects["person:"+s.PersonDN("joerg")]
		if !strings.Contains(joerg, "name=Jörg Müller") || !strings.Contains(joerg, "long long") {
			t.Errorf("%s: %s", name, joerg)
		}
		if !slices.ContainsFunc(g.members["group:"+s.GroupDN("g0")], func(h string) bool { return h == "id:person:"+s.PersonDN("p0") }) {
			t.Errorf("%s: members of g0: %v", name, g.members["group:"+s.GroupDN("g0")])
		}
	}
	limited := kind("limited.ldif", absentGone)
	limited.Key = settings.Names{"dn"}
	a := c.must(c.read(c.open(c.configured(map[string]Kind{"person": limited})), "users", connectors.Full, nil))
	if !strings.Contains(a.doubt(), "4 Size limit exceeded") || len(a.objects) != 5 {
		t.Errorf("a search that was cut: %d entries, doubt %q", len(a.objects), a.doubt())
	}
}
