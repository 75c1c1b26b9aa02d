package proof

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/settings"
)

// sources lists what is changed at random. A source that cannot be had here is nil, after it said why.
func sources() []func(*testing.T) *source {
	all := []func(*testing.T) *source{openLDAP, activeDirectory}
	for name, begin := range worlds() {
		if name == "ldap" {
			continue // the scripted server has no method; the real ones have
		}
		all = append(all, func(t *testing.T) *source { return begin(t).source(300) })
	}
	return all
}

func openFactory(t *testing.T, f connectors.Factory, configure func(any)) connectors.Connector {
	t.Helper()
	cfg := f.NewConfig()
	configure(cfg)
	c, err := f.Open(cfg, connectors.Env{Connection: "proof", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func openLDAP(t *testing.T) *source {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 2000, Load: slapdtest.Population{People: 80, Groups: 12}.WriteLDIF})
	conn, err := goldap.DialURL(s.URL)
	if err == nil {
		err = conn.Bind(s.AdminDN, slapdtest.AdminPassword)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	tree := &tree{
		conn: conn, base: s.Suffix, people: "ou=people," + s.Suffix, groups: "ou=groups," + s.Suffix,
		person: "(objectClass=inetOrgPerson)", group: "(objectClass=groupOfNames)", rdn: "uid", noEmpty: true,
		newPerson: func(name string) map[string][]string {
			return map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {name}, "cn": {name}, "sn": {name}, "mail": {name + "@example.test"}}
		},
		newGroup: func(name, member string) map[string][]string {
			return map[string][]string{"objectClass": {"groupOfNames"}, "cn": {name}, "member": {member}}
		},
	}
	return &source{
		name: "OpenLDAP", changes: 600, change: tree.change,
		open: func(t *testing.T) connectors.Connector {
			return openFactory(t, ldap.Factory(), func(cfg any) {
				c := cfg.(*ldap.Config)
				c.Servers, c.Base, c.PageSize = []string{s.URL}, ldap.Names{s.Suffix}, 30
				c.Bind = ldap.BindConfig{User: s.ReplicatorDN, Password: settings.NewSecret(slapdtest.ReplicatorPassword)}
			})
		},
	}
}

func activeDirectory(t *testing.T) *source {
	s := sambatest.Start(t)
	reader := s.AddReader("reader")
	s.Allow(sambatest.DeletedObjects, reader, sambatest.ReadRights)
	s.Delete(s.AddUser("witness", "CN=Users,"+sambatest.Suffix, nil)) // a tombstone proves that tombstones are shown
	top := s.AddOU("Company", sambatest.Suffix)
	people, groups := s.AddOU("People", top), s.AddOU("Groups", top)
	for i := range 20 {
		s.AddUser(fmt.Sprintf("first%d", i), people, nil)
	}
	for i := range 5 {
		s.AddGroup(fmt.Sprintf("group%d", i), groups, fmt.Sprintf("CN=first%d,%s", i, people))
	}
	tree := &tree{
		conn: s.Connect(), base: top, people: people, groups: groups, person: "(objectClass=user)", group: "(objectClass=group)", rdn: "CN",
		newPerson: func(name string) map[string][]string {
			return map[string][]string{"objectClass": {"user"}, "sAMAccountName": {name}, "userAccountControl": {"544"}, "mail": {name + "@example.test"}}
		},
		newGroup: func(name, member string) map[string][]string {
			return map[string][]string{"objectClass": {"group"}, "sAMAccountName": {name}, "member": {member}}
		},
	}
	deleted := map[string]string{} // DN by GUID
	tree.deleting = func(dn string) {
		deleted[s.GUID(dn)] = dn
	}
	return &source{
		name: "Samba AD", changes: 300,
		change: func(t *testing.T, r *rand.Rand) bool {
			if len(deleted) > 0 && r.IntN(100) == 0 { // costs a full read
				guid := slices.Sorted(maps.Keys(deleted))[0]
				s.Undelete(guid, deleted[guid])
				delete(deleted, guid)
				return true
			}
			return tree.change(t, r)
		},
		open: func(t *testing.T) connectors.Connector {
			return openFactory(t, ldap.Factory(), func(cfg any) {
				c := cfg.(*ldap.Config)
				c.Servers, c.Base, c.CAFile = []string{s.Proxy(t).URLS}, ldap.Names{top}, settings.Path(s.CAFile)
				c.Bind = ldap.BindConfig{User: "reader@" + sambatest.Domain, Password: settings.NewSecret(sambatest.ReaderPassword)}
			})
		},
	}
}

// tree changes an LDAP directory as administrators do.
type tree struct {
	conn                 *goldap.Conn
	base, people, groups string
	person, group        string // filters
	rdn                  string // of people
	noEmpty              bool   // a group must have a member
	newPerson            func(name string) map[string][]string
	newGroup             func(name, member string) map[string][]string
	deleting             func(dn string) // told before something is deleted; nil when nobody cares
	next                 int
}

func (d *tree) find(t *testing.T, filter string) []string {
	t.Helper()
	res, err := d.conn.Search(goldap.NewSearchRequest(d.base, goldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"1.1"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	dns := make([]string, len(res.Entries))
	for i, e := range res.Entries {
		dns[i] = e.DN
	}
	return dns
}

// change makes one change. What the server refuses is none.
func (d *tree) change(t *testing.T, r *rand.Rand) bool {
	t.Helper()
	err := d.try(t, r)
	var refused *goldap.Error
	if err != nil && (!errors.As(err, &refused) || refused.ResultCode >= goldap.ErrorNetwork) {
		t.Fatalf("change: %v", err)
	}
	return err == nil
}

func (d *tree) delete(dn string) error {
	if d.deleting != nil {
		d.deleting(dn)
	}
	return d.conn.Del(goldap.NewDelRequest(dn, nil))
}

func (d *tree) try(t *testing.T, r *rand.Rand) error {
	t.Helper()
	d.next++
	name := fmt.Sprintf("n%d", d.next)
	pick := func(filter string) string {
		all := d.find(t, filter)
		return all[r.IntN(len(all))]
	}
	modify := func(dn string, change func(*goldap.ModifyRequest)) error {
		req := goldap.NewModifyRequest(dn, nil)
		change(req)
		return d.conn.Modify(req)
	}
	add := func(dn string, attributes map[string][]string) error {
		req := goldap.NewAddRequest(dn, nil)
		for name, values := range attributes {
			req.Attribute(name, values)
		}
		return d.conn.Add(req)
	}
	switch n := r.IntN(100); {
	case n < 15:
		return add(d.rdn+"="+name+","+d.people, d.newPerson(name))
	case n < 35:
		return modify(pick(d.person), func(m *goldap.ModifyRequest) { m.Replace("title", []string{name}) })
	case n < 45:
		return d.conn.ModifyDN(goldap.NewModifyDNRequest(pick(d.person), d.rdn+"="+name, true, ""))
	case n < 55:
		return d.delete(pick(d.person))
	case n < 63:
		boss := pick(d.person)
		return modify(pick(d.person), func(m *goldap.ModifyRequest) { m.Replace("manager", []string{boss}) })
	case n < 73:
		member := pick(d.person)
		return modify(pick(d.group), func(m *goldap.ModifyRequest) { m.Add("member", []string{member}) })
	case n < 79:
		member := pick(d.group)
		return modify(pick(d.group), func(m *goldap.ModifyRequest) { m.Add("member", []string{member}) })
	case n < 89:
		group := pick(d.group)
		res, err := d.conn.Search(goldap.NewSearchRequest(group, goldap.ScopeBaseObject, 0, 0, 0, false, d.group, []string{"member"}, nil))
		if err != nil {
			return err
		}
		members := res.Entries[0].GetAttributeValues("member")
		if len(members) == 0 || d.noEmpty && len(members) == 1 {
			return modify(group, func(m *goldap.ModifyRequest) { m.Replace("description", []string{name}) })
		}
		return modify(group, func(m *goldap.ModifyRequest) { m.Delete("member", []string{members[r.IntN(len(members))]}) })
	case n < 93:
		return add("cn="+name+","+d.groups, d.newGroup(name, pick(d.person)))
	case n < 95:
		return d.delete(pick(d.group))
	default:
		return d.conn.ModifyDN(goldap.NewModifyDNRequest(pick(d.group), "cn="+strings.ToUpper(name), true, ""))
	}
}
