package ldap

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// bindAs makes a connector read as another identity of the server.
func bindAs(user, password string) func(*Config) {
	return func(c *Config) { c.Bind = BindConfig{User: user, Password: settings.NewSecret(password)} }
}

// expect fails the test unless a read was refused with this class and words, and proved nothing.
func expect(t *testing.T, s *seen, class fault.Class, words string) {
	t.Helper()
	if fault.ClassOf(s.err) != class || s.proof != nil {
		t.Errorf("class %s, proof %v, error %v; want class %s", fault.ClassOf(s.err), s.proof, s.err, class)
	}
	if s.err != nil && !strings.Contains(s.err.Error(), words) {
		t.Errorf("error %q does not say %q", s.err, words)
	}
	if class != fault.Transient && fault.Hint(s.err) == "" {
		t.Errorf("error %q has no hint", s.err)
	}
}

func TestPersonFields(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	boss := s.AddPerson("boss", nil)
	dn := s.AddPerson("ada", map[string][]string{
		"cn": {"Ada Ames"}, "displayName": {"Ada Ämes"}, "givenName": {"Ada"}, "sn": {"Ames"}, "title": {"Engineer"},
		"mail": {"ada@example.test", "a.ames@example.test"}, "departmentNumber": {"R&D"}, "l": {"Leeds"},
		"telephoneNumber": {"+44 1"}, "mobile": {"+44 2"}, "employeeNumber": {"E1"}, "employeeType": {"staff"},
		"street": {"1 High St"}, "st": {"Yorks"}, "postalCode": {"LS1"}, "preferredLanguage": {"en"}, "o": {"Acme"},
		"description": {"first", "second"}, "manager": {strings.ToUpper(boss)}, "jpegPhoto": {"\xff\xd8\xff"},
		"carLicense": {"one"},
	})
	c := openFor(t, s, func(c *Config) {
		c.Attributes = attributesNamed("description", "carLicense", "jpegPhoto", "roomNumber")
		c.Fields = map[string]Names{"country": {"st"}}
	})
	got := readAll(t.Context(), c, streamUsers, nil).must(t)
	id := s.UUID(dn)
	for name, want := range map[string]string{
		"login": "ada", "name": "Ada Ämes", "given_name": "Ada", "family_name": "Ames", "email": "ada@example.test",
		"emails": "a.ames@example.test, ada@example.test", "title": "Engineer", "department": "R&D", "office": "Leeds",
		"city": "Leeds", "phone": "+44 1", "mobile": "+44 2", "employee_id": "E1", "employee_type": "staff", "street": "1 High St",
		"state": "Yorks", "postal_code": "LS1", "country": "Yorks", "language": "en", "company": "Acme", "enabled": "true",
		"status": "active", "path": "ou=people,dc=example,dc=test", "description": "first", "attributes.description": "first, second",
		"attributes.carLicense": "one", "attributes.roomNumber": "(none)", "last_login": "(none)",
		"attributes.jpegPhoto": "sha256:a97dffc0138de19b21e9a1a0beaaf66e9af65dc9dfb37dfc6c03a05d0db03f48 3 bytes",
	} {
		if name == "attributes.jpegPhoto" {
			want = reference("\xff\xd8\xff")
		}
		if value := got.field(id, name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	o := got.objects[id]
	if v, _ := o.Get(directory.FieldCreated); v.Time().IsZero() {
		t.Error("created is not set")
	}
	if want := []string{"dn:uid=ada,ou=people,dc=example,dc=test", "uid:ada"}; !slices.Equal(o.Handles, want) {
		t.Errorf("handles %q, want %q", o.Handles, want)
	}
	if want := []directory.Link{{Type: directory.Manager, To: got.objects[s.UUID(boss)].Handles[0]}}; !slices.Equal(o.Links, want) {
		t.Errorf("links %v, want %v", o.Links, want)
	}
}

func TestAccountState(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: func(w io.Writer, suffix string) error {
		for uid, extra := range map[string]string{
			"plain": "", "admin-locked": "pwdAccountLockedTime: 000001010000Z\n", "wrong-passwords": "pwdAccountLockedTime: 20240131120000Z\n",
			"shadow": "shadowExpire: 1\n", "future": "shadowExpire: 30000\n", "over": "shadowExpire: 17000\n", "never": "shadowExpire: -1\n",
			"ended": "pwdEndTime: 20200101000000Z\n", "ends": "pwdEndTime: 20990101000000Z\n", "begins": "pwdStartTime: 20990101000000Z\n",
		} {
			if _, err := fmt.Fprintf(w, "dn: uid=%s,ou=people,%s\nobjectClass: inetOrgPerson\nobjectClass: shadowAccount\nuid: %s\ncn: x\nsn: x\n%s\n", uid, suffix, uid, extra); err != nil {
				return err
			}
		}
		return nil
	}})
	got := readAll(t.Context(), openFor(t, s, nil), streamUsers, nil).must(t)
	for uid, want := range map[string]string{
		"plain": "true active", "admin-locked": "false disabled", "wrong-passwords": "true locked", "shadow": "false disabled",
		"future": "true expires", "over": "false expired", "never": "true active", "ended": "false expired", "ends": "true expires", "begins": "false disabled",
	} {
		id := s.UUID(s.PersonDN(uid))
		if state := got.field(id, "enabled") + " " + got.field(id, "status"); state != want {
			t.Errorf("%s is %s, want %s", uid, state, want)
		}
	}
}

// TestGroupKinds reads every kind of group and finds its members among the people's handles.
func TestGroupKinds(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	posix := func(uid, number, gid string) {
		s.AddPerson(uid, map[string][]string{
			"objectClass": {"inetOrgPerson", "posixAccount"}, "uidNumber": {number}, "gidNumber": {gid}, "homeDirectory": {"/"},
		})
	}
	posix("ada", "1", "500")
	posix("Bob", "2", "501")
	inner := s.AddGroup("inner", s.PersonDN("ada"))
	s.AddGroup("outer", inner, "UID=Bob , OU=People,"+s.Suffix)
	s.Add(s.GroupDN("unique"), map[string][]string{
		"objectClass": {"groupOfUniqueNames"}, "cn": {"unique"}, "uniqueMember": {s.PersonDN("ada") + "#'0101'B", s.PersonDN("Bob")},
	})
	s.Add(s.GroupDN("unix"), map[string][]string{
		"objectClass": {"posixGroup"}, "cn": {"unix"}, "gidNumber": {"500"}, "memberUid": {"BOB", "nobody"},
	})
	c := openFor(t, s, nil)
	people, groups := readAll(t.Context(), c, streamUsers, nil).must(t), readAll(t.Context(), c, streamGroups, nil).must(t)
	ada, bob := people.objects[s.UUID(s.PersonDN("ada"))], people.objects[s.UUID(s.PersonDN("Bob"))]
	innerObject := groups.objects[s.UUID(inner)]
	for cn, want := range map[string][]string{
		"inner":  {ada.Handles[0]},
		"outer":  {innerObject.Handles[0], bob.Handles[0]},
		"unique": {ada.Handles[0], bob.Handles[0]},
		"unix":   {bob.Handles[1], "uid:nobody"},
	} {
		got := groups.members[s.UUID(s.GroupDN(cn))]
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("members of %s are %q, want %q", cn, got, want)
		}
	}
	unix := groups.objects[s.UUID(s.GroupDN("unix"))]
	if !slices.Contains(ada.Links, directory.Link{Type: directory.MemberOf, To: "gid:500"}) || !slices.Contains(unix.Handles, "gid:500") {
		t.Errorf("primary group: links %v, handles %v", ada.Links, unix.Handles)
	}
	if got := groups.field(unix.ID, "group_type"); got != "posix" {
		t.Errorf("group type %q", got)
	}
}

// TestGroupManager: the attribute that the operator named says who manages a group.
func TestGroupManager(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100})
	boss, next := s.AddPerson("boss", nil), s.AddPerson("next", nil)
	group := s.AddGroup("sales", next)
	s.AddValues(group, "owner", boss)
	owned := func(c *Config) { c.Groups.Manager = "owner" }
	links := func(o directory.Object) string {
		var list []string
		for _, l := range o.Links {
			list = append(list, l.Type.String()+" "+l.To)
		}
		return strings.Join(list, ", ")
	}
	f := follow(t, openFor(t, s, owned), streamGroups)
	for _, who := range []string{boss, next} {
		s.Replace(group, "owner", who)
		if err := f.delta(t.Context()); err != nil {
			t.Fatal(err)
		}
		o, err := directory.ParseObject([]byte(f.objects[s.UUID(group)]))
		if want := "manager dn:" + who; err != nil || links(o) != want {
			t.Errorf("links %q, want %q (%v)", links(o), want, err)
		}
	}
	if o := readAll(t.Context(), openFor(t, s, nil), streamGroups, nil).must(t).objects[s.UUID(group)]; len(o.Links) != 0 {
		t.Errorf("nobody asked for it: %q", links(o))
	}
	cfg := Defaults()
	cfg.Preset = presetOpenLDAP
	if hint, unread := cfg.Unread(directory.Group, "manager"); !unread || !strings.Contains(hint, "ldap.groups.manager") {
		t.Errorf("%t, %q", unread, hint)
	}
	owned(cfg)
	if _, unread := cfg.Unread(directory.Group, "manager"); unread {
		t.Error("it is read")
	}
	cfg.Users.Manager = "manager"
	if issues := cfg.Validate(); !slices.ContainsFunc(issues, func(i settings.Issue) bool { return i.Path == "users.manager" }) {
		t.Errorf("%+v", issues)
	}
}

// TestRFC2307bis: a POSIX group with DN members is one group, whose number is a handle.
func TestRFC2307bis(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{RFC2307bis: true})
	s.AddPerson("ada", map[string][]string{
		"objectClass": {"inetOrgPerson", "posixAccount"}, "uidNumber": {"1"}, "gidNumber": {"500"}, "homeDirectory": {"/"},
	})
	s.Add(s.GroupDN("both"), map[string][]string{
		"objectClass": {"groupOfNames", "posixGroup"}, "cn": {"both"}, "gidNumber": {"500"},
		"member": {s.PersonDN("ada")}, "memberUid": {"ada"},
	})
	c := openFor(t, s, nil)
	groups := readAll(t.Context(), c, streamGroups, nil).must(t)
	id := s.UUID(s.GroupDN("both"))
	want := []string{"dn:uid=ada,ou=people,dc=example,dc=test", "uid:ada"}
	if got := groups.members[id]; len(groups.objects) != 1 || !slices.Equal(got, want) {
		t.Errorf("%d groups, members %q, want %q", len(groups.objects), got, want)
	}
	if !slices.Contains(groups.objects[id].Handles, "gid:500") {
		t.Errorf("handles %q", groups.objects[id].Handles)
	}
}

func TestHugeGroup(t *testing.T) {
	const members = 20_000
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: members, Groups: 1, GroupsPerPerson: 1}.WriteLDIF})
	groups := readAll(t.Context(), openFor(t, s, nil), streamGroups, nil).must(t)
	list := groups.members[s.UUID(s.GroupDN("g0"))]
	slices.Sort(list)
	if len(slices.Compact(list)) != members {
		t.Errorf("%d members, want %d", len(list), members)
	}
}

func TestSeveralBases(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 30, Groups: 5}.WriteLDIF})
	s.Rename(s.PersonDN("p1"), "uid=p1", "ou=services,"+s.Suffix)
	c := openFor(t, s, func(c *Config) {
		c.Users.Base = Names{"ou=services," + s.Suffix, "ou=people," + s.Suffix}
		c.Users.Filter, c.Users.Scope = "(objectClass=inetOrgPerson)", "one"
	})
	got := readAll(t.Context(), c, streamUsers, func(s *seen) {
		if s.proof != nil && len(s.objects) != 30 {
			t.Errorf("the proof comes after %d people", len(s.objects))
		}
	}).must(t)
	want := `bases "ou=services,dc=example,dc=test; ou=people,dc=example,dc=test", scope one, filter (objectClass=inetOrgPerson), ` +
		`as cn=replicator,ou=services,dc=example,dc=test`
	if got.proof.Scope != want {
		t.Errorf("scope %s\nwant  %s", got.proof.Scope, want)
	}
}

// TestSizeLimits: a server that answers with less than everything says so, and nothing is proved.
func TestSizeLimits(t *testing.T) {
	people := slapdtest.Population{People: 1200, Groups: 3}
	t.Run("of the bind user, over all pages", func(t *testing.T) {
		s := slapdtest.Start(t, slapdtest.Options{Load: people.WriteLDIF})
		c := openFor(t, s, func(c *Config) {
			bindAs(s.LimitedDN, slapdtest.LimitedPassword)(c)
			c.PageSize = 100
		})
		got := readAll(t.Context(), c, streamUsers, nil)
		expect(t, got, fault.Configuration, "size limit exceeded")
		if len(got.objects) == 0 {
			t.Error("nothing was read before the limit; the test wants it in mid-listing")
		}
	})
	t.Run("of the server", func(t *testing.T) {
		s := slapdtest.Start(t, slapdtest.Options{Load: people.WriteLDIF, SizeLimit: 300, Access: everybodyReads()})
		got := readAll(t.Context(), openFor(t, s, bindAs(s.BlindDN, slapdtest.BlindPassword)), streamUsers, nil)
		expect(t, got, fault.Configuration, "size limit exceeded")
	})
}

// everybodyReads are access rules by which no identity is blind.
func everybodyReads() []string {
	return []string{"access to attrs=userPassword by anonymous auth", "access to * by users read"}
}

func TestRefusals(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 5, Groups: 2}.WriteLDIF})
	for name, tc := range map[string]struct {
		change func(*Config)
		class  fault.Class
		words  string
	}{
		"wrong password": {bindAs(s.ReplicatorDN, "wr0ng-secret"), fault.Auth, "invalid credentials"},
		"unknown user":   {bindAs("cn=nobody,"+s.Suffix, "wr0ng-secret"), fault.Auth, "invalid credentials"},
		"anonymous":      {func(c *Config) { c.Bind = BindConfig{} }, fault.Configuration, "no such object"},
		"wrong base":     {func(c *Config) { c.Base = Names{"dc=elsewhere"} }, fault.Configuration, "result"},
		"missing base":   {func(c *Config) { c.Base = Names{"ou=missing," + s.Suffix} }, fault.Configuration, "no such object"},
	} {
		t.Run(name, func(t *testing.T) {
			got := readAll(t.Context(), openFor(t, s, tc.change), streamUsers, nil)
			expect(t, got, tc.class, tc.words)
			if got.err != nil && strings.Contains(got.err.Error(), "wr0ng-secret") {
				t.Errorf("the error shows the password: %v", got.err)
			}
		})
	}
}

// TestBlindReader: rights that hide everything look like an empty directory. The proof is honest about who asked,
// and Check warns.
func TestBlindReader(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 5, Groups: 2}.WriteLDIF})
	c := openFor(t, s, bindAs(s.BlindDN, slapdtest.BlindPassword))
	got := readAll(t.Context(), c, streamUsers, nil).must(t)
	if len(got.objects) != 0 || !strings.Contains(got.proof.Scope, s.BlindDN) {
		t.Errorf("%d people, scope %s", len(got.objects), got.proof.Scope)
	}
	findings, err := c.Check(t.Context())
	if err != nil || !slices.ContainsFunc(findings, func(f finding) bool { return !f.OK && f.Detail == "0 visible" }) {
		t.Errorf("findings %+v, error %v", findings, err)
	}
}

// TestSmallerPages: a server that refuses pages of our size is read in smaller ones.
func TestSmallerPages(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 700, Groups: 2}.WriteLDIF})
	s.Reconfigure(func(o *slapdtest.Options) {
		o.Database = []string{`limits dn.exact="` + s.BlindDN + `" size=unlimited size.pr=200`}
		o.Access = everybodyReads()
	})
	got := readAll(t.Context(), openFor(t, s, bindAs(s.BlindDN, slapdtest.BlindPassword)), streamUsers, nil).must(t)
	if len(got.objects) != 700 {
		t.Errorf("%d people, want 700", len(got.objects))
	}
}

func TestFailover(t *testing.T) {
	opts := slapdtest.Options{Load: slapdtest.Population{People: 300, Groups: 2}.WriteLDIF}
	first, second := slapdtest.Start(t, opts), slapdtest.Start(t, opts)
	c := openFor(t, first, func(c *Config) { c.Servers, c.PageSize = []string{first.URL, second.URL}, 20 })

	killed := readAll(t.Context(), c, streamUsers, func(s *seen) {
		if s.pages == 1 {
			first.Kill()
		}
	})
	expect(t, killed, fault.Transient, "connection")
	if got := readAll(t.Context(), c, streamUsers, nil).must(t); len(got.objects) != 300 {
		t.Errorf("%d people from the second server", len(got.objects))
	}
	second.Kill()
	expect(t, readAll(t.Context(), c, streamUsers, nil), fault.Transient, "no server can be used")
}

// TestNoFailoverAfterRefusal: one wrong password is one try, on one server.
func TestNoFailoverAfterRefusal(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	second := newFakeServer(t, fakeAD())
	c := openFor(t, s, func(c *Config) {
		c.Servers = []string{s.URL, second.url}
		bindAs(s.ReplicatorDN, "wrong")(c)
	})
	expect(t, readAll(t.Context(), c, streamUsers, nil), fault.Auth, "invalid credentials")
	if findings, err := c.Check(t.Context()); err != nil || len(findings) != 1 || findings[0].OK {
		t.Errorf("findings %+v, error %v", findings, err)
	}
	if n := second.connections.Load(); n != 0 {
		t.Errorf("the second server was tried %d times", n)
	}
}

func TestCheckHealthy(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 1100, Groups: 2}.WriteLDIF})
	findings, err := openFor(t, s, func(c *Config) { c.Servers, c.CAFile = []string{s.URLS}, settings.Path(s.CAFile) }).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range findings {
		lines = append(lines, fmt.Sprintf("%t %s: %s", f.OK, strings.ReplaceAll(f.Subject, s.URLS, "URL"), f.Detail))
	}
	want := []string{
		"true server URL: bound, OpenLDAP, preset openldap, encrypted", "true paging: offered", "true incremental reads: syncrepl",
		"true users below dc=example,dc=test: more than 900 visible", "true groups below dc=example,dc=test: 2 visible",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("findings\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// TestCheckSizeLimit: Check sees a limit before the first sync does.
func TestCheckSizeLimit(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 1100, Groups: 2}.WriteLDIF})
	findings, err := openFor(t, s, bindAs(s.LimitedDN, slapdtest.LimitedPassword)).Check(t.Context())
	if err != nil || !slices.ContainsFunc(findings, func(f finding) bool { return !f.OK && f.Hint == hintSize }) {
		t.Errorf("findings %+v, error %v", findings, err)
	}
}
