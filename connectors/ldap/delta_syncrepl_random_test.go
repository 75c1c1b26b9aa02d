package ldap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/directory/dn"
	"dirsyncd/sync/fault"
)

// mischief changes a server at random, as administrators do.
type mischief struct {
	t    *testing.T
	s    *slapdtest.Server
	r    *rand.Rand
	conn *ldap.Conn
	next int
	done int
}

func (m *mischief) connect() {
	m.t.Helper()
	var err error
	if m.conn, err = ldap.DialURL(m.s.URL); err == nil {
		err = m.conn.Bind(m.s.AdminDN, slapdtest.AdminPassword)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// find returns the DNs of all entries of a kind below the suffix.
func (m *mischief) find(filter string) []string {
	m.t.Helper()
	res, err := m.conn.Search(ldap.NewSearchRequest(m.s.Suffix, ldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"1.1"}, nil))
	if err != nil {
		m.t.Fatal(err)
	}
	dns := make([]string, len(res.Entries))
	for i, e := range res.Entries {
		dns[i] = e.DN
	}
	return dns
}

// pick picks one at random; of none, an entry that is not there, so that the server refuses the change.
func (m *mischief) pick(list []string) string {
	if len(list) == 0 {
		return "cn=nobody," + m.s.Suffix
	}
	return list[m.r.IntN(len(list))]
}

const (
	anyPerson = "(objectClass=inetOrgPerson)"
	anyGroup  = "(objectClass=groupOfNames)"
	anyUnit   = "(&(objectClass=organizationalUnit)(|(ou=u*)(ou=v*)))"
	anyPlace  = "(objectClass=organizationalUnit)"
)

func (m *mischief) modify(dn string, change func(*ldap.ModifyRequest)) error {
	req := ldap.NewModifyRequest(dn, nil)
	change(req)
	return m.conn.Modify(req)
}

func (m *mischief) add(rdn, parent string, attributes map[string][]string) error {
	req := ldap.NewAddRequest(rdn+","+parent, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	return m.conn.Add(req)
}

// step makes one change. What the server refuses (the last member of a group, a unit moved into itself) is no change.
func (m *mischief) step() {
	m.t.Helper()
	err := m.change()
	var refused *ldap.Error
	switch {
	case err == nil:
		m.done++
	case !errors.As(err, &refused) || refused.ResultCode >= ldap.ErrorNetwork:
		m.t.Fatalf("change: %v", err)
	}
}

func (m *mischief) change() error {
	m.next++
	name := fmt.Sprintf("n%d", m.next)
	switch n := m.r.IntN(100); {
	case n < 14:
		return m.add("uid="+name, m.pick(m.find(anyPlace)), map[string][]string{
			"objectClass": {"inetOrgPerson"}, "uid": {name}, "cn": {name}, "sn": {name}, "mail": {name + "@example.test"},
		})
	case n < 34:
		return m.modify(m.pick(m.find(anyPerson)), func(r *ldap.ModifyRequest) { r.Replace("title", []string{name}) })
	case n < 40:
		return m.conn.ModifyDN(ldap.NewModifyDNRequest(m.pick(m.find(anyPerson)), "uid="+name, true, ""))
	case n < 50:
		dn := m.pick(m.find(anyPerson))
		return m.conn.ModifyDN(ldap.NewModifyDNRequest(dn, firstRDN(dn), true, m.pick(m.find(anyPlace))))
	case n < 55:
		locked := [][]string{nil, {"000001010000Z"}}[m.r.IntN(2)]
		return m.modify(m.pick(m.find(anyPerson)), func(r *ldap.ModifyRequest) { r.Replace("pwdAccountLockedTime", locked) })
	case n < 63:
		return m.conn.Del(ldap.NewDelRequest(m.pick(m.find(anyPerson)), nil))
	case n < 68:
		people := m.find(anyPerson)
		return m.modify(m.pick(people), func(r *ldap.ModifyRequest) { r.Replace("manager", []string{m.pick(people)}) })
	default:
		return m.changeGroups(n, name)
	}
}

func (m *mischief) changeGroups(n int, name string) error {
	group := m.pick(m.find(anyGroup))
	switch {
	case n < 74:
		return m.modify(group, func(r *ldap.ModifyRequest) { r.Add("member", []string{m.pick(m.find(anyPerson))}) })
	case n < 78:
		return m.modify(group, func(r *ldap.ModifyRequest) { r.Add("member", []string{m.pick(m.find(anyGroup))}) })
	case n < 86:
		res, err := m.conn.Search(ldap.NewSearchRequest(group, ldap.ScopeBaseObject, 0, 0, 0, false, anyGroup, []string{"member"}, nil))
		if err != nil {
			return err
		}
		member := m.pick(res.Entries[0].GetAttributeValues("member"))
		return m.modify(group, func(r *ldap.ModifyRequest) { r.Delete("member", []string{member}) })
	case n < 89:
		return m.add("cn="+name, m.pick(m.find(anyPlace)), map[string][]string{
			"objectClass": {"groupOfNames"}, "cn": {name}, "member": {m.pick(m.find(anyPerson))},
		})
	case n < 91:
		return m.conn.Del(ldap.NewDelRequest(group, nil))
	case n < 94:
		return m.conn.ModifyDN(ldap.NewModifyDNRequest(group, "cn="+name, true, m.pick(m.find(anyPlace))))
	case n < 97:
		return m.conn.ModifyDN(ldap.NewModifyDNRequest(m.pick(m.find(anyUnit)), "ou=v"+name, true, ""))
	default:
		unit := m.pick(m.find(anyUnit))
		return m.conn.ModifyDN(ldap.NewModifyDNRequest(unit, firstRDN(unit), true, m.pick(m.find(anyPlace))))
	}
}

func firstRDN(entry string) string { return entry[:len(entry)-len(dn.Parent(entry))-1] }

// crossedLines are searches with different filters and depths of which several find the same entries.
func crossedLines(suffix string) func(*Config) {
	return func(c *Config) {
		flat := false
		c.PageSize, c.Base = 20, nil
		c.Users.Search = []SearchLine{
			{Base: "ou=people," + suffix, Recursive: &flat},
			{Base: "ou=people," + suffix, Filter: "(&(objectClass=inetOrgPerson)(title=n*3*))"},
			{Base: suffix, Filter: "(&(objectClass=inetOrgPerson)(|(uid=*5*)(pwdAccountLockedTime=*)))"},
			{Base: "ou=staff," + suffix},
		}
		c.Groups.Search = []SearchLine{{Base: "OU=Groups, " + suffix}, {Base: suffix, Filter: "(&(objectClass=groupOfNames)(cn=*4*))"}}
	}
}

// TestSyncreplRandom makes more than a thousand changes in batches. After each, incremental reads must have led to
// what a fresh full read gives: with the whole tree as the base, with several bases that people, groups and
// units move in and out of, and with lines that overlap and have different filters.
func TestSyncreplRandom(t *testing.T) {
	const changes, restarts = 1200, 25
	seed := connectortest.Seed(t)
	s := slapdtest.Start(t, slapdtest.Options{
		SessionLog: 500, Load: withUnits(slapdtest.Population{People: 60, Groups: 12}, "staff", "attic", "u1", "u2", "u3"),
	})
	m := &mischief{t: t, s: s, r: rand.New(rand.NewPCG(seed, 1))}
	m.connect()
	whole := openFor(t, s, func(c *Config) { c.PageSize = 20 })
	parts := openFor(t, s, func(c *Config) {
		c.PageSize = 20
		c.Base = Names{"ou=people," + s.Suffix, "ou=staff," + s.Suffix, "OU=Groups, " + s.Suffix}
	})
	single := openFor(t, s, func(c *Config) { c.Base = Names{"ou=people," + s.Suffix} })
	lines := openFor(t, s, crossedLines(s.Suffix))
	var followers []*follower
	for _, c := range []*Connector{whole, parts, single, lines} {
		followers = append(followers, follow(t, c, streamUsers), follow(t, c, streamGroups))
	}
	batches, deltas, fulls := 0, 0, 0
	for m.done < changes && !t.Failed() {
		for range 1 + m.r.IntN(30) {
			m.step()
		}
		batches++
		if batches%restarts == 0 {
			_ = m.conn.Close()
			s.Restart()
			m.connect()
		}
		for _, f := range followers {
			err := f.delta(t.Context())
			switch {
			case err == nil:
				deltas++
			case fault.ClassOf(err) == fault.CursorExpired:
				fulls++
				f.full(t)
			default:
				t.Fatalf("delta: %v", err)
			}
			f.same(t, fmt.Sprintf("batch %d", batches))
		}
	}
	t.Logf("%d changes in %d batches; %d deltas, %d full reads", m.done, batches, deltas, fulls)
	if fulls > deltas/5 {
		t.Errorf("%d full reads were needed beside %d deltas", fulls, deltas)
	}
}
