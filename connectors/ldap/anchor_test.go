package ldap

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/directory"
)

// TestAnchorEdited: an older entry is edited into the anchor of a younger one. Who had it keeps it, in every kind of read, and
// whoever is renamed meanwhile.
func TestAnchorEdited(t *testing.T) {
	for _, mode := range []connectors.Mode{connectors.Delta, connectors.Full} {
		t.Run(mode.String(), func(t *testing.T) {
			s := slapdtest.Start(t, slapdtest.Options{Load: func(w io.Writer, suffix string) error {
				_, err := fmt.Fprintf(w, "dn: uid=bob,ou=people,%s\nobjectClass: inetOrgPerson\nuid: bob\ncn: x\nsn: x\nemployeeNumber: 12\ncreateTimestamp: 20200131120000Z\n\n", suffix)
				return err
			}})
			ann := s.AddPerson("ann", map[string][]string{"employeeNumber": {"77"}})
			f := follow(t, openFor(t, s, func(c *Config) { c.Anchor.Users, c.Incremental = "employeeNumber", methodTimestamp }), streamUsers)
			bob := s.PersonDN("bob")
			twin := "77+" + s.UUID(bob)
			look := func(when, login string) {
				t.Helper()
				if mode == connectors.Full {
					f.cursor = nil
				}
				if err := f.read(t.Context(), mode); err != nil {
					t.Fatal(err)
				}
				if got := f.field("77", "login") + " " + f.field(twin, "login"); got != login {
					t.Errorf("%s: %s, want %s", when, got, login)
				}
			}
			s.Replace(bob, "employeeNumber", "77")
			look("edited", "ann bob")
			s.Replace(bob, "title", "edited")
			look("edited again", "ann bob")
			s.Rename(ann, "uid=anna", "")
			look("who had it is renamed", "anna bob")
			s.Rename(bob, "uid=bo", "")
			look("the other one is renamed", "anna bo")
		})
	}
}

// TestAnchorTwice: two entries with one anchor are two objects, whatever changes; the one that was made first keeps the id.
func TestAnchorTwice(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	number := func(n string) map[string][]string { return map[string][]string{"employeeNumber": {n}} }
	ann := s.AddPerson("ann", number("K77"))
	s.AddPerson("eve", number("78"))
	c := openFor(t, s, func(c *Config) { c.Anchor.Users, c.Incremental = "employeeNumber", methodTimestamp })
	f := follow(t, c, streamUsers)
	if _, ok := f.objects["K77"]; !ok || len(f.notes) > 0 {
		t.Fatalf("objects %v, notes %q", f.objects, f.notes)
	}
	next := func(f *follower) {
		t.Helper()
		if err := f.delta(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	bob := s.AddPerson("bob", number("k77"))
	twin := "k77+" + s.UUID(bob)
	next(f)
	for id, want := range map[string]string{"K77": "ann", twin: "bob", "78": "eve"} {
		if got := f.field(id, "login"); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	if len(f.notes) == 0 || !strings.Contains(f.notes[0], "employeeNumber is not unique") {
		t.Errorf("notes %q", f.notes)
	}
	s.Replace(ann, "title", "edited")
	next(f)
	full := readAll(t.Context(), c, streamUsers, nil).must(t)
	if login := f.field("K77", "login") + " " + f.field(twin, "login"); login != "ann bob" || len(f.objects) != 3 {
		t.Errorf("%s of %d", login, len(f.objects))
	}
	if login := full.field("K77", "login") + " " + full.field(twin, "login"); login != "ann bob" || len(full.objects) != 3 {
		t.Errorf("in full: %s of %d", login, len(full.objects))
	}
	var told string
	findings, err := c.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		if finding.Subject == "anchor of users" {
			told = finding.Detail
			if finding.OK || finding.Hint == "" {
				t.Errorf("finding %+v", finding)
			}
		}
	}
	if !strings.Contains(told, "not unique: K77 is that of "+ann+" and of "+bob) {
		t.Errorf("check says %q", told)
	}
	// Without anything else that tells them apart the copy is left out, by name, and nobody is gone.
	hidden := slapdtest.Start(t, slapdtest.Options{Access: []string{"access to attrs=entryUUID,createTimestamp by * none"}})
	hidden.AddPerson("ann", number("77"))
	hidden.AddPerson("bob", number("77"))
	got := readAll(t.Context(), openFor(t, hidden, func(c *Config) { c.Anchor.Users = "employeeNumber" }), streamUsers, nil).must(t)
	if len(got.objects) != 1 || len(got.invalid) != 1 || got.invalid[0].ID == "" || !strings.Contains(got.invalid[0].Err.Error(), "not unique") {
		t.Errorf("objects %v, invalid %+v", got.objects, got.invalid)
	}
}

// TestAnchorOfGroups: an anchor that only people have leaves groups with the preset's, or with their name.
func TestAnchorOfGroups(t *testing.T) {
	hide := []string{"access to attrs=entryUUID by * none"}
	for name, tc := range map[string]struct {
		anchor Anchor
		access []string
		want   func(s *slapdtest.Server) string
	}{
		"people's":     {Anchor{Users: "uid"}, nil, func(s *slapdtest.Server) string { return "n1 " + s.UUID(s.GroupDN("Desk")) }},
		"no entryUUID": {Anchor{Users: "uid"}, hide, func(*slapdtest.Server) string { return "n1 cn:Desk" }},
		"both named":   {Anchor{Users: "uid", Groups: "cn"}, nil, func(*slapdtest.Server) string { return "n1 cn:Desk" }},
		"groups' only": {Anchor{Groups: "cn"}, nil, func(s *slapdtest.Server) string { return s.UUID(s.PersonDN("n1")) + " cn:Desk" }},
		"one for both": {Anchor{Users: "entryUUID"}, nil, func(s *slapdtest.Server) string { return s.UUID(s.PersonDN("n1")) + " " + s.UUID(s.GroupDN("Desk")) }},
	} {
		s := slapdtest.Start(t, slapdtest.Options{Access: tc.access})
		s.AddGroup("Desk", s.AddPerson("n1", nil))
		c := openFor(t, s, func(c *Config) { c.Anchor = tc.anchor })
		var ids []string
		for _, stream := range []string{streamUsers, streamGroups} {
			got := readAll(t.Context(), c, stream, nil).must(t)
			for id := range got.objects {
				ids = append(ids, id)
			}
			if len(got.invalid) > 0 {
				t.Errorf("%s: invalid %v", name, got.invalid)
			}
		}
		if got := strings.Join(ids, " "); got != tc.want(s) {
			t.Errorf("%s: ids %s, want %s", name, got, tc.want(s))
		}
	}
}

func TestFoldedAnchors(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Global: []string{
		"attributetype ( 1.3.6.1.4.1.32473.1.1 NAME ( 'badge' 'badgeNumber' ) EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
		"attributetype ( 1.3.6.1.4.1.32473.1.2 NAME 'token' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )",
		"objectclass ( 1.3.6.1.4.1.32473.1.9 NAME 'badged' SUP top AUXILIARY MAY ( badge $ token ) )",
	}})
	s.AddPerson("N1", map[string][]string{"objectClass": {"inetOrgPerson", "badged"}, "badge": {"B1"}, "token": {"printable bytes!"}})
	for anchor, want := range map[string]struct {
		id     string
		folded bool
	}{
		"uid": {"N1", true}, "userid": {"N1", true}, "0.9.2342.19200300.100.1.1": {"N1", true}, "badge": {"B1", false}, "badgeNumber": {"B1", false},
		"token": {"7072696e-7461-626c-6520-627974657321", false},
	} {
		got := readAll(t.Context(), openFor(t, s, func(c *Config) { c.Anchor.Users = anchor }), streamUsers, nil).must(t)
		if o := got.objects[want.id]; o.ID == "" || got.folded != want.folded {
			t.Errorf("%s: %v, folded %t", anchor, got.objects, got.folded)
		}
	}
}

func TestAnchorSpelling(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"GUID", "printable bytes!", "7072696e-7461-626c-6520-627974657321"}, {"uid", "ann", "ann"}, {"uid", "a value of 16 b.", "a value of 16 b."},
		{"other", "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", "01020304-0506-0708-090a-0b0c0d0e0f10"},
		{"other", "\x00", reference("\x00")}, {"entryUUID", "AB-CD", "ab-cd"},
	} {
		if got, ok := (&anchor{name: tc.name}).spell(tc.value); !ok || got != tc.want {
			t.Errorf("%s %q: %q, want %q", tc.name, tc.value, got, tc.want)
		}
	}
}

// TestOtherShapes: what directories hold that is right and unusual.
func TestOtherShapes(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	jose := s.AddPerson("jose", map[string][]string{"cn": {"José"}, "uid": {"generic77", "jose"}, "mobile": {"+44 7"}, "mail": {"j@example.test"}})
	s.Add(s.PersonDN("lang"), map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {"lang"}, "cn;lang-fr": {"Élan"}, "cn;lang-el": {"Ελα"}, "sn;lang-el": {"Α"}})
	decomposed := s.AddPerson("nfd", nil)
	s.Rename(decomposed, "cn=Jose\u0301 Ruiz", "")
	s.Add("cn=wardens,ou=groups,"+s.Suffix, map[string][]string{"objectClass": {"organizationalRole"}, "cn": {"wardens"}, "roleOccupant": {jose}})
	s.AddGroup("nfc", "cn=José Ruiz,ou=people,"+s.Suffix)
	s.Add("cn=plain,ou=groups,"+s.Suffix, map[string][]string{"objectClass": {"posixGroup"}, "cn": {"plain"}, "gidNumber": {"7"}, "memberUid": {"JOSE"}})
	c := openFor(t, s, func(c *Config) {
		c.Fields = map[string]Names{"family_name": {"surname"}, "email": {"rfc822Mailbox"}, "office": {"0.9.2342.19200300.100.1.41"}}
		c.Attributes = attributesNamed("mobileTelephoneNumber")
		c.Groups.Filter = "(|(objectClass=groupOfNames)\n  (objectClass=organizationalRole) ( objectClass=posixGroup ))\n"
	})
	people, groups := readAll(t.Context(), c, streamUsers, nil).must(t), readAll(t.Context(), c, streamGroups, nil).must(t)
	id := s.UUID(jose)
	for name, want := range map[string]string{
		"login": "jose", "family_name": "jose", "email": "j@example.test", "attributes.mobileTelephoneNumber": "+44 7", "office": "+44 7",
	} {
		if got := people.field(id, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := people.field(s.UUID(s.PersonDN("lang")), "name"); got != "Ελα" {
		t.Errorf("the name in languages only is %q", got)
	}
	for group, want := range map[string]string{
		"wardens": people.objects[id].Handles[0], "plain": "uid:jose",
		"nfc": people.objects[s.UUID("cn=Jose\u0301 Ruiz,ou=people,"+s.Suffix)].Handles[0],
	} {
		if got := groups.members[s.UUID(s.GroupDN(group))]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s has %q, want %q", group, got, want)
		}
	}
	if !slices.Contains(people.objects[id].Handles, directory.NameHandle("jose")) {
		t.Errorf("handles %q", people.objects[id].Handles)
	}
}
