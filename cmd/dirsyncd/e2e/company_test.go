package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/slapdtest"
)

// company is a population of p0, p1, … in nested groups, and a service desk: the group "Service Desk" contains
// the generated group Desk with all groups below it, p0, and the group "Service Desk Night", which has p5, the
// contractor c0, and, in a circle, "Service Desk" itself.
//
// Beside them there are contractors c0 to c9, who are nobody's users; m0, who has a mobile phone only and no
// office; and d0, whose account is disabled.
type company struct {
	slapdtest.Population
	Desk int
}

func (c company) WriteLDIF(out io.Writer, suffix string) error {
	if err := c.Population.WriteLDIF(out, suffix); err != nil {
		return err
	}
	var b strings.Builder
	person := func(uid, name string, lines ...string) {
		fmt.Fprintf(&b, "dn: uid=%s,ou=people,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nmail: %s@example.test\n%s\n\n",
			uid, suffix, uid, name, name, uid, strings.Join(lines, "\n"))
	}
	for i := range 10 {
		person(fmt.Sprintf("c%d", i), fmt.Sprintf("Contractor %d", i), "employeeType: contractor", "telephoneNumber: +44 20 1")
	}
	person("m0", "Mobile Only", "mobile: +44 20 2")
	person("d0", "Disabled Already", "pwdAccountLockedTime: 000001010000Z")
	group := func(cn string, members ...string) {
		fmt.Fprintf(&b, "dn: cn=%s,ou=groups,%s\nobjectClass: groupOfNames\ncn: %s\n", cn, suffix, cn)
		for _, m := range members {
			fmt.Fprintf(&b, "member: %s,%s\n", m, suffix)
		}
		b.WriteString("\n")
	}
	group("Service Desk", fmt.Sprintf("cn=g%d,ou=groups", c.Desk), "cn=Service Desk Night,ou=groups", "uid=p0,ou=people")
	group("Service Desk Night", "uid=p5,ou=people", "uid=c0,ou=people", "cn=Service Desk,ou=groups")
	fmt.Fprintf(&b, "dn: cn=reader,ou=services,%s\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: %s\n\n",
		suffix, readerPassword)
	_, err := io.WriteString(out, b.String())
	return err
}

// starting lets one server at a time look for free ports.
var starting sync.Mutex

// open starts a directory server with the company in it.
func (c company) open(t *testing.T) *slapdtest.Server {
	t.Helper()
	starting.Lock()
	defer starting.Unlock()
	return slapdtest.Start(t, slapdtest.Options{Load: c.WriteLDIF})
}

// small and large are the companies of most stories.
func small() company {
	return company{Population: slapdtest.Population{People: 300, Groups: 20}, Desk: 10}
}

func large(people int) company {
	return company{Population: slapdtest.Population{People: people, Groups: 100}, Desk: 24}
}

// entry is an entry of a directory.
type entry struct {
	dn    string
	attrs map[string][]string
}

func (e *entry) first(names ...string) string {
	for _, name := range names {
		if v := e.attrs[name]; len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// entriesOf parses the LDIF that a company writes.
func entriesOf(t *testing.T, c company, suffix string) (list []entry) {
	t.Helper()
	var b bytes.Buffer
	if err := c.WriteLDIF(&b, suffix); err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(b.String(), "\n\n") {
		e := entry{attrs: map[string][]string{}}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if name == "dn" {
				e.dn = value
			} else if name != "" {
				e.attrs[name] = append(e.attrs[name], value)
			}
		}
		if e.dn != "" {
			list = append(list, e)
		}
	}
	return list
}

// connect opens a connection for what an administrator does.
func connect(t *testing.T, s *slapdtest.Server) *ldap.Conn {
	t.Helper()
	conn, err := ldap.DialURL(s.URL)
	if err == nil {
		err = conn.Bind(s.AdminDN, slapdtest.AdminPassword)
	}
	if err != nil {
		t.Fatalf("connect to the directory: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// directoryNow reads all that matters of what a directory holds at the moment.
func directoryNow(t *testing.T, s *slapdtest.Server) (list []entry) {
	t.Helper()
	return readDirectory(t, s, "objectClass", "entryUUID", "uid", "cn", "displayName", "mail", "telephoneNumber", "mobile", "manager", "member",
		"physicalDeliveryOfficeName", "l", "employeeType", "pwdAccountLockedTime")
}

func readDirectory(t *testing.T, s *slapdtest.Server, attributes ...string) (list []entry) {
	t.Helper()
	conn := connect(t, s)
	defer func() { _ = conn.Close() }()
	res, err := conn.SearchWithPaging(ldap.NewSearchRequest(s.Suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", attributes, nil), 1000)
	if err != nil {
		t.Fatalf("read the directory: %v", err)
	}
	for _, found := range res.Entries {
		e := entry{dn: found.DN, attrs: map[string][]string{}}
		for _, a := range found.Attributes {
			e.attrs[a.Name] = a.Values
		}
		list = append(list, e)
	}
	return list
}

// withIDs gives entries that were not read from a server the ids that it has given them.
func withIDs(t *testing.T, list []entry, s *slapdtest.Server) []entry {
	t.Helper()
	ids := map[string][]string{}
	for _, e := range readDirectory(t, s, "entryUUID") {
		ids[e.dn] = e.attrs["entryUUID"]
	}
	for i := range list {
		if list[i].attrs["entryUUID"] = ids[list[i].dn]; ids[list[i].dn] == nil {
			t.Fatalf("%s is not in the directory", list[i].dn)
		}
	}
	return list
}

// connection is the name of the only connection in these tests.
const connection = "hq"

func subject(kind string, e *entry) string {
	return kind + "/" + connection + "/" + e.first("entryUUID")
}

// wanted are the active records that must be there: by subject, with their fields.
type wanted map[string]map[string]string

// wants works out, without any code of the program, what the rules of configuration() make of a directory.
func wants(entries []entry) wanted {
	byDN := map[string]*entry{}
	for i := range entries {
		byDN[entries[i].dn] = &entries[i]
	}
	desk := below(byDN, "Service Desk")
	list := wanted{}
	for _, e := range byDN {
		if !slices.Contains(e.attrs["objectClass"], "inetOrgPerson") {
			continue
		}
		name := e.first("displayName", "cn")
		switch {
		case e.first("employeeType") == "contractor" || e.first("pwdAccountLockedTime") == "000001010000Z":
		case desk[e]:
			list[subject("agent", e)] = map[string]string{"name": name, "email": e.first("mail"), "role": "Technician", "team": "1st Line"}
		default:
			site := e.first("physicalDeliveryOfficeName", "l")
			if site == "" {
				site = "Head office"
			}
			fields := map[string]string{
				"name": name, "email": e.first("mail"), "login": e.first("uid"), "customer": "Acme", "site": site,
				"phone": e.first("telephoneNumber", "mobile"),
			}
			if manager := byDN[e.first("manager")]; manager != nil {
				fields["manager"] = manager.first("displayName", "cn")
			}
			maps.DeleteFunc(fields, func(_, v string) bool { return v == "" })
			list[subject("user", e)] = fields
		}
	}
	for _, e := range byDN {
		if cn := e.first("cn"); slices.Contains(e.attrs["objectClass"], "groupOfNames") && strings.HasPrefix(cn, "Service Desk") {
			list[subject("group", e)] = group(list, e, below(byDN, cn))
		}
	}
	return list
}

// group is the record of a group: those below it who have a record themselves are its members.
func group(list wanted, e *entry, people map[*entry]bool) map[string]string {
	var members []string
	for p := range people {
		if list[subject("user", p)] != nil || list[subject("agent", p)] != nil {
			members = append(members, connection+"/"+p.first("entryUUID"))
		}
	}
	slices.Sort(members)
	fields := map[string]string{"name": e.first("cn"), "customer": "Acme"}
	if len(members) > 0 {
		fields["members"] = strings.Join(members, " ")
	}
	return fields
}

// below returns everybody in the group with this name, or in a group in it, and so on.
func below(byDN map[string]*entry, cn string) map[*entry]bool {
	people, seen := map[*entry]bool{}, map[string]bool{}
	var walk func(dn string)
	walk = func(dn string) {
		e := byDN[dn]
		if e == nil || seen[dn] {
			return
		}
		seen[dn] = true
		for _, m := range e.attrs["member"] {
			walk(m)
		}
		if slices.Contains(e.attrs["objectClass"], "inetOrgPerson") {
			people[e] = true
		}
	}
	for dn, e := range byDN {
		if slices.Contains(e.attrs["objectClass"], "groupOfNames") && e.first("cn") == cn {
			walk(dn)
		}
	}
	return people
}

// settings are what differs between the configurations of these tests.
type settings struct {
	url      string // of the directory
	suffix   string
	schedule string // none when empty
	team     string
	guard    string
	targets  string // names
	listen   string
	more     string // further targets
	journal  string
}

func of(s *slapdtest.Server) settings {
	return settings{url: s.URL, suffix: s.Suffix, team: "1st Line", guard: "deactivate: {percent: 10}", targets: "journal", journal: "changes.jsonl"}
}

// configuration writes a configuration file.
func (s settings) configuration() string {
	if s.schedule != "" {
		s.schedule = fmt.Sprintf("\n    schedule: %q", s.schedule)
	}
	return fmt.Sprintf(`state: state.db
listen: "%s"
connections:
  hq:
    connector: ldap%s
    mapping: staff
    targets: [%s]
    ldap:
      servers: ["%s"]
      bind: {user: "cn=reader,ou=services,%s", password: {env: LDAP_PASSWORD}}
      base: "%s"
      incremental: off   # these stories are about listings
      timeout: 10m       # of a server that is suspended
mappings:
  staff:
    rules:
      - name: contractors stay out
        when: employee_type == "contractor"
        ignore: true
      - name: service desk
        when: enabled and "Service Desk" in groups
        agent: {role: Technician, team: %s}
      - name: everyone else
        when: enabled
        user: {customer: Acme, site: '= office ?? "Head office"'}
    groups:
      - name: teams
        when: name startsWith "Service Desk"
        group: {customer: Acme}
    fields:
      user:
        name: = name
        email: = email
        login: = login
        phone: {value: = phone ?? mobile, blank: clear}
        manager: {value: = manager.name, blank: clear}
      agent: {name: = name, email: = email}
      group: {name: = name}
    guard: {%s}
targets:
  journal: {target: file, file: {path: %s}}
%s`, s.listen, s.schedule, s.targets, s.url, s.suffix, s.suffix, s.team, s.guard, s.journal, s.more)
}

// backup copies the database of a server, and returns what brings it back, ids included.
func backup(t *testing.T, s *slapdtest.Server) (restore func()) {
	t.Helper()
	db, saved := filepath.Join(filepath.Dir(s.CAFile), "db"), filepath.Join(t.TempDir(), "db")
	s.Stop()
	// The file is sparse, and very large if it were not.
	if out, err := exec.Command("cp", "-a", "--sparse=always", db, saved).CombinedOutput(); err != nil {
		t.Fatalf("copy the database: %v\n%s", err, out)
	}
	s.Restart()
	return func() {
		t.Helper()
		s.Stop()
		if err := errors.Join(os.RemoveAll(db), os.Rename(saved, db)); err != nil {
			t.Fatal(err)
		}
		s.Restart()
	}
}
