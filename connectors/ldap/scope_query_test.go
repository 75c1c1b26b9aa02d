package ldap

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings/strict"
)

// found lists the logins of the people that a connector reads, each as often as it comes.
func found(t *testing.T, c *Connector) (logins []string, scope string) {
	t.Helper()
	err := connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
		for i := range p.Objects {
			login, _ := p.Objects[i].Get("login")
			logins = append(logins, login.Text())
		}
		if p.Proof != nil {
			scope = p.Proof.Scope
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(logins)
	return logins, scope
}

func TestSearchLines(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: withUnits(slapdtest.Population{}, "london", "leeds")})
	for _, dn := range []string{"ou=attic,ou=london", "ou=attic,ou=leeds"} {
		s.Add(dn+","+s.Suffix, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"attic"}})
	}
	person := func(uid, ou, title string) {
		s.Add("uid="+uid+","+ou+s.Suffix, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "sn": {uid}, "title": {title}})
	}
	person("lon1", "ou=london,", "boss")
	person("lon2", "ou=attic,ou=london,", "clerk")
	person("lee1", "ou=leeds,", "clerk")
	person("lee2", "ou=attic,ou=leeds,", "boss")
	person("peo1", "ou=people,", "boss")
	flat := false
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
		scope  string
	}{
		"lines alone": {func(c *Config) {
			c.Users.Search = []SearchLine{{Base: "ou=london," + s.Suffix}, {Base: "ou=leeds," + s.Suffix, Recursive: &flat}}
		}, "lee1 lon1 lon2", `bases "ou=london,dc=example,dc=test", scope sub, filter F; and bases "ou=leeds,dc=example,dc=test", scope one, filter F, as cn=replicator`},
		"besides base": {func(c *Config) {
			c.Users.Base = Names{"ou=people," + s.Suffix}
			c.Users.Search = []SearchLine{{Base: s.Suffix, Filter: "(&(objectClass=inetOrgPerson)(title=boss))"}}
		}, "lee2 lon1 peo1", `bases "ou=people,dc=example,dc=test", scope sub, filter F; and bases "dc=example,dc=test", scope sub, filter (&(objectClass=inetOrgPerson)(title=boss)), as`},
		"overlapping": {func(c *Config) {
			c.Users.Search = []SearchLine{
				{Base: "ou=london," + s.Suffix}, {Base: "OU=London, " + s.Suffix}, {Base: "ou=attic,ou=london," + s.Suffix, Recursive: &flat},
			}
		}, "lon1 lon2", ""},
		"filter of the stream": {func(c *Config) {
			c.Users.Filter = "(title=clerk)"
			c.Users.Search = []SearchLine{{Base: "ou=london," + s.Suffix}, {Base: "ou=leeds," + s.Suffix, Filter: "(title=boss)"}}
		}, "lee2 lon2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := openFor(t, s, func(c *Config) {
				c.Base, c.Groups.Base = nil, Names{s.Suffix}
				tc.change(c)
			})
			got, scope := found(t, c)
			if !slices.Equal(got, strings.Fields(tc.want)) {
				t.Errorf("found %q, want %q", got, tc.want)
			}
			if scope = strings.ReplaceAll(scope, openLDAP().userFilter, "F"); !strings.HasPrefix(scope, tc.scope) {
				t.Errorf("scope %s, want %s", scope, tc.scope)
			}
			findings, err := c.Check(t.Context())
			if err != nil || slices.ContainsFunc(findings, func(f finding) bool {
				return !f.OK && !strings.HasPrefix(f.Subject, "groups") && f.Subject != "incremental reads"
			}) {
				t.Errorf("findings %+v, error %v", findings, err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		c := openFor(t, s, func(c *Config) {
			c.Users.Search = []SearchLine{{Base: "ou=nowhere," + s.Suffix}}
		})
		expect(t, readAll(t.Context(), c, streamUsers, nil), fault.Configuration, "no such base")
	})
}

// domainSearchLines follows lines that overlap through the changes of a domain.
func domainSearchLines(t *testing.T, d *domain) {
	ou := d.AddOU("Lines", sambatest.Suffix)
	london, leeds := d.AddOU("London", ou), d.AddOU("Leeds", ou)
	d.AddUser("line-lon", london, map[string][]string{"title": {"boss"}})
	lee := d.AddUser("line-lee", leeds, map[string][]string{"title": {"boss"}})
	const people = "(&(objectCategory=person)(objectClass=user)"
	c := d.open(t, func(c *Config) {
		c.Groups.Base = Names{ou}
		c.Users.Search = []SearchLine{{Base: london}, {Base: ou, Filter: people + "(title=boss))"}}
	})
	f := follow(t, c, streamUsers)
	if len(f.objects) != 2 {
		t.Fatalf("%d people, want 2", len(f.objects))
	}
	d.AddUser("line-new", london, nil)
	d.AddUser("line-out", leeds, nil)
	d.Replace(lee, "department", "Sales")
	if err := f.delta(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.same(t, "changes")
	d.Delete(lee)
	if err := f.delta(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(f.objects) != 2 {
		t.Errorf("%d people after a deletion, want 2", len(f.objects))
	}
}

// TestAttributeContent: what is not text is shown by reference unless its content is asked for.
func TestAttributeContent(t *testing.T) {
	const photo = "\xff\xd8\xff\x00photo"
	s := slapdtest.Start(t, slapdtest.Options{})
	dn := s.AddPerson("ada", map[string][]string{"jpegPhoto": {photo}, "description": {"text"}})
	for _, tc := range []struct {
		attribute  Attribute
		name, want string
	}{
		{Attribute{Name: "jpegPhoto"}, "attributes.jpegPhoto", reference(photo)},
		{Attribute{Name: "jpegPhoto", Content: true}, "attributes.jpegPhoto", base64.StdEncoding.EncodeToString([]byte(photo))},
		{Attribute{Name: "description", Content: true}, "attributes.description", "dGV4dA=="},
	} {
		c := openFor(t, s, func(c *Config) { c.Attributes = []Attribute{tc.attribute} })
		if got := readAll(t.Context(), c, streamUsers, nil).must(t).field(s.UUID(dn), tc.name); got != tc.want {
			t.Errorf("%+v is %q, want %q", tc.attribute, got, tc.want)
		}
	}
	huge := strings.Repeat("x", maxContent+1)
	if got := (Attribute{Name: "jpegPhoto", Content: true}).render(huge); got != reference(huge) {
		t.Errorf("a value beyond the limit has %d bytes", len(got))
	}
}

// TestConfigurationFile reads the block as operators write it.
func TestConfigurationFile(t *testing.T) {
	const text = `
servers: [ldaps+srv://example.test]
dns: 10.1.0.10
ca_file: certs/ca.pem
tls: {cert_file: client.pem, key_file: /etc/key.pem}
bind: {method: gssapi, user: sync@EXAMPLE.TEST, keytab: sync.keytab, kdc: dc1.example.test, service: ldap/dc1.example.test}
base: dc=example,dc=test
users:
  search:
    - {base: "ou=London,dc=example,dc=test"}
    - {base: "ou=Leeds,dc=example,dc=test", filter: (title=*), recursive: false}
attributes: [roomNumber, {name: thumbnailPhoto, content: true}, {name: pager}]
`
	dir := t.TempDir()
	cfg, problems := decode(t, dir, text)
	if len(problems) > 0 || len(cfg.Validate()) > 0 {
		t.Fatalf("problems %v, issues %v", problems, cfg.Validate())
	}
	if got, want := fmt.Sprint(cfg.Attributes), "[{roomNumber false} {thumbnailPhoto true} {pager false}]"; got != want {
		t.Errorf("attributes %s, want %s", got, want)
	}
	if string(cfg.CAFile) != filepath.Join(dir, "certs/ca.pem") || string(cfg.Bind.Keytab) != filepath.Join(dir, "sync.keytab") || cfg.TLS.KeyFile != "/etc/key.pem" {
		t.Errorf("files %q, %q, %q", cfg.CAFile, cfg.Bind.Keytab, cfg.TLS.KeyFile)
	}
	if l := cfg.Users.Search; len(l) != 2 || l[0].Recursive != nil || *l[1].Recursive || l[1].Filter != "(title=*)" {
		t.Errorf("lines %+v", l)
	}
	for wrong, words := range map[string]string{
		"attributes: [{content: true}]":            "name",
		"attributes: [{name: x, contents: true}]":  "contents",
		"users: {search: [{filter: (a=b)}]}":       "base",
		"users: {search: [{base: x, recurse: 1}]}": "recurse",
		"bind: {methods: simple}":                  "methods",
	} {
		if _, problems := decode(t, dir, wrong); len(problems) == 0 || !strings.Contains(fmt.Sprint(problems), words) {
			t.Errorf("%s: problems %v", wrong, problems)
		}
	}
}

// decode reads a block as the program does.
func decode(t *testing.T, dir, text string) (*Config, []strict.Problem) {
	t.Helper()
	doc := strict.Parse([]byte(text), strict.Options{Dir: dir})
	cfg := Defaults()
	doc.Root().Into(cfg)
	return cfg, doc.Problems()
}

// TestLinesAnsweredApart: lines with different filters are separate questions. What changes between two of them so
// that only the second one notices is not gone while the first one still finds it.
func TestLinesAnsweredApart(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100})
	ada := s.AddPerson("ada", map[string][]string{"title": {"boss"}, "description": {"desk"}})
	bob := s.AddPerson("bob", map[string][]string{"title": {"clerk"}})
	c := openFor(t, s, func(c *Config) {
		c.Users.Filter = "(title=boss)"
		c.Users.Search = []SearchLine{{Base: s.Suffix, Filter: "(description=desk)"}}
	})
	f := follow(t, c, streamUsers)
	s.Replace(bob, "title", "boss")
	asked := 0
	c.env.Observe = func(request string, _ time.Duration, _ error) {
		if request != "sync" {
			return
		}
		if asked++; asked == 2 { // containers, and people by title
			s.Replace(ada, "description")
		}
	}
	if err := f.delta(t.Context()); err != nil || asked != 3 {
		t.Fatalf("%d questions, error %v", asked, err)
	}
	if _, there := f.objects[s.UUID(ada)]; !there || f.removed > 0 {
		t.Error("somebody was removed whom a line still finds")
	}
	c.env.Observe = nil
	if err := f.delta(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.same(t, "a change between two questions")
	s.Replace(ada, "title", "clerk")
	if err := f.delta(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.same(t, "the end of the last line that found her")
}

func TestTidyFilter(t *testing.T) {
	for in, want := range map[string]string{
		"(objectClass=person)": "(objectClass=person)",
		"(&\n  (objectClass=person)\n  (|(ou=Sales) (ou=Field Sales))\n)\n": "(&(objectClass=person)(|(ou=Sales)(ou=Field Sales)))",
		"( & ( objectClass = person ) (! ( employeeType >=x)) )":            "(&(objectClass=person)(!(employeeType>=x)))",
		"(cn=ends with a blank )":                                           "(cn=ends with a blank)",
		"(cn=ends with a break\n)":                                          "(cn=ends with a break)",
		"(memberOf:1.2.840.113556.1.4.1941:=cn=a & b,dc=x)":                 "(memberOf:1.2.840.113556.1.4.1941:=cn=a & b,dc=x)",
		`(cn=\28x\29)`: `(cn=\28x\29)`, "(cn=a&b|c!d)": "(cn=a&b|c!d)", "": "", "(": "(", "cn=x": "cn=x", "(cn": "(cn", "(objectClass\n=*)": "(objectClass=*)",
	} {
		if got := tidyFilter(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
		if got := tidyFilter(want); got != want {
			t.Errorf("%q, tidy already, is %q", want, got)
		}
	}
}
