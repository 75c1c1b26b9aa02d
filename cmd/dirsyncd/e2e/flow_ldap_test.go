package e2e

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/ldap/slapdtest"
)

// flowDirectory is what the page says of a directory.
type (
	flowDirectory struct{ People []flowEntry }
	flowEntry     struct {
		DN, Name, Phone, Manager, Expires, Type string
		Groups                                  []string
	}
)

// WriteLDIF writes the tree of the page: its units, its people, its groups, and the account that reads.
func (d *flowDirectory) WriteLDIF(out io.Writer, suffix string) error {
	var b strings.Builder
	units, groups := map[string]bool{}, map[string][]string{}
	var unit func(dn string)
	unit = func(dn string) {
		rdn, parent, _ := strings.Cut(dn, ",")
		if dn == "" || units[dn] {
			return
		}
		unit(parent)
		units[dn] = true
		fmt.Fprintf(&b, "dn: %s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", dn, suffix, strings.TrimPrefix(rdn, "ou="))
	}
	for _, p := range d.People {
		rdn, parent, _ := strings.Cut(p.DN, ",")
		unit(parent)
		uid := strings.TrimPrefix(rdn, "uid=")
		fmt.Fprintf(&b, "dn: %s,%s\nobjectClass: inetOrgPerson\nobjectClass: shadowAccount\nuid: %s\ncn: %s\nsn: %s\nmail: %s@example.test\n", p.DN, suffix, uid, p.Name, p.Name, uid)
		line := func(name, value string) {
			if value != "" {
				fmt.Fprintf(&b, "%s: %s\n", name, value)
			}
		}
		line("telephoneNumber", p.Phone)
		line("employeeType", p.Type)
		if p.Manager != "" {
			line("manager", p.Manager+","+suffix)
		}
		if p.Expires != "" {
			day, err := time.Parse(time.DateOnly, p.Expires)
			if err != nil {
				return err
			}
			line("shadowExpire", strconv.FormatInt(day.Unix()/86400, 10))
		}
		b.WriteByte('\n')
		for _, g := range p.Groups {
			groups[g] = append(groups[g], p.DN+","+suffix)
		}
	}
	for name, members := range groups {
		fmt.Fprintf(&b, "dn: cn=%s,ou=groups,%s\nobjectClass: groupOfNames\ncn: %s\nmember: cn=reader,ou=services,%s\n", name, suffix, name, suffix)
		for _, m := range members {
			fmt.Fprintf(&b, "member: %s\n", m)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "dn: cn=reader,ou=services,%s\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: %s\n\n", suffix, readerPassword)
	_, err := io.WriteString(out, b.String())
	return err
}

// TestFlowLDAP runs docs/flows/ldap.md on a real slapd.
func TestFlowLDAP(t *testing.T) {
	t.Parallel()
	f := readFlow(t, "ldap")
	page := flowBlock[flowDirectory](f, "source")
	starting.Lock()
	s := slapdtest.Start(t, slapdtest.Options{Load: page.WriteLDIF, SessionLog: 1000, Refint: []string{"member", "manager"}})
	starting.Unlock()
	dn := func(uid string) string {
		i := slices.IndexFunc(page.People, func(p flowEntry) bool { return strings.HasPrefix(p.DN, "uid="+uid+",") })
		return page.People[i].DN + "," + s.Suffix
	}

	forest := *f
	forest.blocks = map[string]string{"config": "state: /var/lib/dirsyncd/state.db\n" + f.blocks["forest"] + "# /var/log/dirsyncd/\n"}
	forest.install(map[string]string{"ldap-password": readerPassword})

	in := f.install(map[string]string{"ldap-password": readerPassword},
		"[ldaps://ldap1.example.test, ldaps://ldap2.example.test]", "["+s.URL+"]")
	in.expect(0, "check", "--probe")
	in.expect(0, "sync", "hq")
	f.records(in)
	f.then(in, []string{"sync", "hq"}, map[string]func(){
		"Ben moves from London to Oslo":  func() { s.Rename(dn("ben"), "uid=ben", "ou=Oslo,ou=Sites,"+s.Suffix) },
		"Ben stays on, without an end":   func() { s.Replace("uid=ben,ou=Oslo,ou=Sites,"+s.Suffix, "shadowExpire") },
		"Cleo moves to the service desk": func() { s.Rename(dn("cleo"), "uid=cleo", "ou=Service Desk,ou=IT,"+s.Suffix) },
		"everything is read once more":   func() {},
		"Dan's account goes on":          func() { s.Replace(dn("dan"), "shadowExpire", "376000") },
		"Pia has another address":        func() { s.Replace(dn("pia"), "mail", "pia@umbrella.test") },
		"Ada is in no group any more": func() {
			for _, g := range []string{"Desk Leads", "Team Network", "CAB Network"} {
				s.DeleteValues(s.GroupDN(g), "member", dn("ada"))
			}
		},
		"Ben's entry is deleted": func() { s.Delete("uid=ben,ou=Oslo,ou=Sites," + s.Suffix) },
	})
}
