package ldap

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/sync/fault"
)

// domainMischief changes a domain at random, as administrators do, below one unit.
type domainMischief struct {
	t       *testing.T
	r       *rand.Rand
	conn    *ldap.Conn
	top     string
	prefix  string     // of the names of accounts, which are the domain's
	deleted []deletion // in order
	next    int
	done    map[string]int
}

// deletion is an entry that was deleted, and the DN that it had.
type deletion struct{ guid, dn string }

// find returns the DNs of all entries of a kind below the unit, in the same order whenever the test runs: the server's own
// order is that of GUIDs, which it makes up.
func (m *domainMischief) find(filter string) []string {
	m.t.Helper()
	res, err := m.conn.Search(ldap.NewSearchRequest(m.top, ldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"1.1"}, nil))
	if err != nil {
		m.t.Fatal(err)
	}
	dns := make([]string, len(res.Entries))
	for i, e := range res.Entries {
		dns[i] = e.DN
	}
	slices.Sort(dns)
	return dns
}

func (m *domainMischief) pick(list []string) string {
	if len(list) == 0 {
		return "CN=nobody," + m.top
	}
	return list[m.r.IntN(len(list))]
}

const (
	adPerson = "(objectClass=user)"
	adGroup  = "(objectClass=group)"
	adUnit   = "(&(objectClass=organizationalUnit)(ou=n*))"
	adPlace  = "(objectClass=organizationalUnit)"
)

func (m *domainMischief) add(rdn string, attributes map[string][]string) error {
	req := ldap.NewAddRequest(rdn+","+m.pick(m.find(adPlace)), nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	return m.conn.Add(req)
}

func (m *domainMischief) modify(dn string, change func(*ldap.ModifyRequest), controls ...ldap.Control) error {
	req := ldap.NewModifyRequest(dn, controls)
	change(req)
	return m.conn.Modify(req)
}

func (m *domainMischief) replace(filter, attribute string, values ...string) error {
	return m.modify(m.pick(m.find(filter)), func(r *ldap.ModifyRequest) { r.Replace(attribute, values) })
}

func (m *domainMischief) rename(filter, prefix string) error {
	return m.conn.ModifyDN(ldap.NewModifyDNRequest(m.pick(m.find(filter)), fmt.Sprintf("%sn%d", prefix, m.next), true, ""))
}

func (m *domainMischief) move(filter string) error {
	dn := m.pick(m.find(filter))
	return m.conn.ModifyDN(ldap.NewModifyDNRequest(dn, firstRDN(dn), true, m.pick(m.find(adPlace))))
}

func (m *domainMischief) delete(filter string) error {
	dn := m.pick(m.find(filter))
	res, err := m.conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"objectGUID"}, nil))
	if err != nil {
		return err
	}
	guid, _ := guidText(string(res.Entries[0].GetRawAttributeValue("objectGUID")))
	if err := m.conn.Del(ldap.NewDelRequest(dn, nil)); err != nil {
		return err
	}
	m.deleted = append(m.deleted, deletion{guid, dn})
	return nil
}

// undelete brings back who was deleted first.
func (m *domainMischief) undelete() error {
	if len(m.deleted) == 0 {
		return errNothing
	}
	d := m.deleted[0]
	m.deleted = m.deleted[1:]
	show := ldap.NewControlString(controlShowDeleted, true, "")
	res, err := m.conn.Search(ldap.NewSearchRequest("<GUID="+d.guid+">", ldap.ScopeBaseObject, 0, 0, 0, false, "(isDeleted=TRUE)",
		[]string{"1.1"}, []ldap.Control{show}))
	if err != nil {
		return err
	}
	return m.modify(res.Entries[0].DN, func(r *ldap.ModifyRequest) {
		r.Delete("isDeleted", nil)
		r.Replace("distinguishedName", []string{firstRDN(d.dn) + "," + m.top})
	}, show)
}

var errNothing = errors.New("nothing to do")

// unlist takes a member off a group that has one.
func (m *domainMischief) unlist() error {
	group := m.pick(m.find("(&(objectClass=group)(member=*))"))
	res, err := m.conn.Search(ldap.NewSearchRequest(group, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"member"}, nil))
	if err != nil {
		return err
	}
	member := m.pick(slices.Sorted(slices.Values(res.Entries[0].GetAttributeValues("member"))))
	return m.modify(group, func(r *ldap.ModifyRequest) { r.Delete("member", []string{member}) })
}

// kinds are the kinds of change, each as often as its weight.
func (m *domainMischief) kinds() []mischiefKind {
	enlist := func(filter string) func() error {
		return func() error {
			member := m.pick(m.find(filter))
			return m.modify(m.pick(m.find(adGroup)), func(r *ldap.ModifyRequest) { r.Add("member", []string{member}) })
		}
	}
	return []mischiefKind{
		{"create a person", 14, func() error {
			name := fmt.Sprintf("%sn%d", m.prefix, m.next)
			return m.add("CN="+name, map[string][]string{
				"objectClass": {"user"}, "sAMAccountName": {name}, "userAccountControl": {"544"}, "mail": {name + "@example.test"},
			})
		}},
		{"create a group", 3, func() error {
			name := fmt.Sprintf("%sg%d", m.prefix, m.next)
			return m.add("CN="+name, map[string][]string{
				"objectClass": {"group"}, "sAMAccountName": {name}, "member": {m.pick(m.find(adPerson))},
			})
		}},
		{"create a unit", 1, func() error {
			return m.add(fmt.Sprintf("OU=n%d", m.next), map[string][]string{"objectClass": {"organizationalUnit"}})
		}},
		{"change", 14, func() error { return m.replace(adPerson, "title", fmt.Sprint("title ", m.next)) }},
		{"clear", 3, func() error { return m.replace(adPerson, "title") }},
		{"describe a group", 3, func() error { return m.replace(adGroup, "description", fmt.Sprint("group ", m.next)) }},
		{"describe a unit", 1, func() error { return m.replace(adUnit, "description", fmt.Sprint("unit ", m.next)) }},
		{"rename a person", 6, func() error { return m.rename(adPerson, "CN=") }},
		{"rename a group", 3, func() error { return m.rename(adGroup, "CN=") }},
		{"rename a unit", 3, func() error { return m.rename(adUnit, "OU=") }},
		{"move a person", 8, func() error { return m.move(adPerson) }},
		{"move a group", 3, func() error { return m.move(adGroup) }},
		{"move a unit", 3, func() error { return m.move(adUnit) }},
		{"disable", 4, func() error { return m.replace(adPerson, "userAccountControl", "546") }},
		{"enable", 4, func() error { return m.replace(adPerson, "userAccountControl", "544") }},
		{"set an expiry", 2, func() error { return m.replace(adPerson, "accountExpires", "140000000000000000") }},
		{"lift an expiry", 1, func() error { return m.replace(adPerson, "accountExpires", "0") }},
		{"delete a person", 7, func() error { return m.delete(adPerson) }},
		{"delete a group", 1, func() error { return m.delete(adGroup) }},
		{"undelete", 1, m.undelete},
		{"set a manager", 5, func() error { return m.replace(adPerson, "manager", m.pick(m.find(adPerson))) }},
		{"clear a manager", 1, func() error { return m.replace(adPerson, "manager") }},
		{"add to a group", 8, enlist(adPerson)},
		{"nest a group", 4, enlist(adGroup)},
		{"take out of a group", 7, m.unlist},
	}
}

type mischiefKind struct {
	name   string
	weight int
	do     func() error
}

// step makes one change. What the server refuses (a name that exists, a unit moved into itself) is no change.
func (m *domainMischief) step(kinds []mischiefKind) {
	m.t.Helper()
	m.next++
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := m.r.IntN(total)
	i := slices.IndexFunc(kinds, func(k mischiefKind) bool {
		n -= k.weight
		return n < 0
	})
	err := kinds[i].do()
	var refused *ldap.Error
	switch {
	case err == nil:
		m.done[kinds[i].name]++
	case errors.Is(err, errNothing):
	case !errors.As(err, &refused) || refused.ResultCode >= ldap.ErrorNetwork:
		m.t.Fatalf("%s: %v", kinds[i].name, err)
	}
}

func (m *domainMischief) total() (n int) {
	for _, count := range m.done {
		n += count
	}
	return n
}

// domainRandom makes many changes in batches. After each, incremental reads must have led to what a
// fresh full read gives.
func domainRandom(t *testing.T, d *domain, name string, changes int, change func(*Config)) {
	seed := connectortest.Seed(t)
	m := &domainMischief{
		t: t, r: rand.New(rand.NewPCG(seed, 2)), conn: d.Connect(), top: d.AddOU(name, sambatest.Suffix), prefix: name,
		done: make(map[string]int),
	}
	for i := range 4 {
		unit := d.AddOU(fmt.Sprintf("n%d", i), m.top)
		for j := range 5 {
			d.AddUser(fmt.Sprintf("%s%du%d", name, i, j), unit, nil)
			d.AddGroup(fmt.Sprintf("%s%dg%d", name, i, j), unit)
		}
	}
	c := d.open(t, func(c *Config) {
		c.PageSize = 20
		if change != nil {
			change(c)
		}
	}, m.top)
	followers := []*follower{follow(t, c, streamUsers), follow(t, c, streamGroups)}
	kinds := m.kinds()
	batches, deltas, fulls := 0, 0, 0
	for m.total() < changes && !t.Failed() {
		for range 1 + m.r.IntN(40) {
			m.step(kinds)
		}
		batches++
		for _, f := range followers {
			switch err := f.delta(t.Context()); {
			case err == nil:
				deltas++
			case fault.ClassOf(err) == fault.CursorExpired && strings.Contains(err.Error(), "brought back"):
				fulls++
				f.full(t)
			default:
				t.Fatalf("delta: %v", err)
			}
		}
		sameLiving(t, fmt.Sprintf("batch %d", batches), followers[0], followers[1])
	}
	m.sameNesting(followers[1])
	t.Logf("%d changes in %d batches, %d deltas, %d full reads: %v", m.total(), batches, deltas, fulls, m.done)
	for _, k := range kinds {
		if m.done[k.name] == 0 && changes > 1000 {
			t.Errorf("no change was to %s", k.name)
		}
	}
}

// sameNesting compares who is in each group, by groups in groups, with what the server's own rule for chains of links
// finds (MS-ADTS 3.1.1.3.4.4.3).
func (m *domainMischief) sameNesting(groups *follower) {
	m.t.Helper()
	for id := range groups.members {
		want := map[string]bool{}
		collect(groups, id, want)
		dn := m.named(id)
		res, err := m.conn.Search(ldap.NewSearchRequest(m.top, ldap.ScopeWholeSubtree, 0, 0, 0, false,
			fmt.Sprintf("(memberOf:1.2.840.113556.1.4.1941:=%s)", ldap.EscapeFilter(dn)), []string{"objectGUID"}, nil))
		if err != nil {
			m.t.Fatal(err)
		}
		got := map[string]bool{}
		for _, e := range res.Entries {
			guid, _ := guidText(string(e.GetRawAttributeValue("objectGUID")))
			got[guid] = true
		}
		// Members that were deleted since are in what the follower holds, and nowhere else.
		for member := range want {
			if m.deletedNow(member) {
				delete(want, member)
			}
		}
		if !maps.Equal(got, want) {
			m.t.Errorf("%s holds %d by its members, %d by the server's rule", dn, len(want), len(got))
		}
	}
}

// collect adds everybody in a group and in the groups in it.
func collect(groups *follower, id string, into map[string]bool) {
	for handle := range strings.FieldsSeq(groups.members[id]) {
		member := strings.TrimPrefix(handle, "id:")
		if !into[member] {
			into[member] = true
			collect(groups, member, into)
		}
	}
}

func (m *domainMischief) named(guid string) string {
	m.t.Helper()
	res, err := m.conn.Search(ldap.NewSearchRequest("<GUID="+guid+">", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
	if err != nil {
		m.t.Fatal(err)
	}
	return res.Entries[0].DN
}

func (m *domainMischief) deletedNow(guid string) bool {
	_, err := m.conn.Search(ldap.NewSearchRequest("<GUID="+guid+">", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
	return ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject)
}
