package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/ldap/dirsrvtest"
	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/settings"
)

// renamer renames, moves, deletes and lists people, groups and units of a directory at random. Some of them lie outside
// what is read, and groups and people of both sides refer to each other.
type renamer struct {
	t                           *testing.T
	r                           *rand.Rand
	conn                        *goldap.Conn
	inside, outside             string
	top                         string // above both
	person, group, unit         string // filters
	personRDN, groupRDN, unitOU string
	newPerson                   func(name string) map[string][]string
	newGroup                    func(name string) map[string][]string
	// stays: nothing that is read is moved out of what is read, since incremental reads of this kind do not tell. blind:
	// nor is it deleted.
	stays, blind bool
	// still: units stay where and what they are.
	still bool
	next  int
	made  map[string]int
}

func (m *renamer) find(base, filter string) []string {
	m.t.Helper()
	res, err := m.conn.Search(goldap.NewSearchRequest(base, goldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"1.1"}, nil))
	if err != nil {
		m.t.Fatal(err)
	}
	dns := make([]string, len(res.Entries))
	for i, e := range res.Entries {
		dns[i] = e.DN
	}
	slices.Sort(dns) // in an order that the seed decides
	return dns
}

// pick picks an entry anywhere; of none, one that is not there, so that the server refuses the change.
func (m *renamer) pick(filter string) string { return m.choose(m.find(m.top, filter)) }

func (m *renamer) choose(list []string) string {
	if len(list) == 0 {
		return "cn=nobody," + m.inside
	}
	return list[m.r.IntN(len(list))]
}

func (m *renamer) within(entry string) bool {
	return strings.HasSuffix(strings.ToLower(entry), strings.ToLower(m.inside))
}

// place picks a unit where an entry may go.
func (m *renamer) place(entry string) string {
	if m.stays && m.within(entry) {
		return m.choose(m.find(m.inside, m.unit))
	}
	return m.pick(m.unit)
}

// department picks a unit other than the two halves.
func (m *renamer) department() string {
	if m.still {
		return m.choose(nil)
	}
	return m.choose(slices.DeleteFunc(m.find(m.top, m.unit), func(unit string) bool { return unit == m.inside || unit == m.outside }))
}

func (m *renamer) name() string {
	m.next++
	return fmt.Sprintf("n%d", m.next)
}

func (m *renamer) rename(entry, rdn, superior string) error {
	return m.conn.ModifyDN(goldap.NewModifyDNRequest(entry, rdn, true, superior))
}

func (m *renamer) move(entry string) error { return m.rename(entry, first(entry), m.place(entry)) }

func first(entry string) string { return entry[:len(entry)-len(dn.Parent(entry))-1] }

func (m *renamer) modify(entry string, change func(*goldap.ModifyRequest)) error {
	req := goldap.NewModifyRequest(entry, nil)
	change(req)
	return m.conn.Modify(req)
}

func (m *renamer) add(entry string, attributes map[string][]string) error {
	req := goldap.NewAddRequest(entry, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	return m.conn.Add(req)
}

// swap gives two entries each other's names.
func (m *renamer) swap(filter string) error {
	a, b := m.pick(filter), m.pick(filter)
	if a == b || m.stays && m.within(a) != m.within(b) {
		return errRefused
	}
	between, _, _ := strings.Cut(first(a), "=")
	between += "=" + m.name()
	if err := m.rename(a, between, dn.Parent(a)); err != nil {
		return err
	}
	if err := m.rename(b, first(a), dn.Parent(a)); err != nil {
		return err
	}
	return m.rename(between+","+dn.Parent(a), first(b), dn.Parent(b))
}

// replaced deletes an entry and puts another one under its name.
func (m *renamer) replaced(filter string, attributes func(string) map[string][]string) error {
	entry := m.pick(filter)
	if m.blind && m.within(entry) {
		return errRefused
	}
	if err := m.conn.Del(goldap.NewDelRequest(entry, nil)); err != nil {
		return err
	}
	if m.r.IntN(2) == 0 {
		return nil
	}
	_, name, _ := strings.Cut(first(entry), "=")
	return m.add(entry, attributes(name))
}

var errRefused = errors.New("this may not be")

// changes are the kinds of change, each as often as its weight.
func (m *renamer) changes() []change {
	member := func(filter string) func() error {
		return func() error {
			who := m.pick(filter)
			return m.modify(m.pick(m.group), func(r *goldap.ModifyRequest) { r.Add("member", []string{who}) })
		}
	}
	return []change{
		{"rename a person", 16, func() error { return m.rename(m.pick(m.person), m.personRDN+"="+m.name(), "") }},
		{"move a person", 12, func() error { return m.move(m.pick(m.person)) }},
		{"rename a group", 9, func() error { return m.rename(m.pick(m.group), m.groupRDN+"="+m.name(), "") }},
		{"move a group", 6, func() error { return m.move(m.pick(m.group)) }},
		{"rename a unit", 4, func() error { return m.rename(m.department(), m.unitOU+"="+m.name(), "") }},
		{"move a unit", 4, func() error { return m.move(m.department()) }},
		{"swap two people", 4, func() error { return m.swap(m.person) }},
		{"swap two groups", 3, func() error { return m.swap(m.group) }},
		{"replace a person", 6, func() error { return m.replaced(m.person, m.newPerson) }},
		{"replace a group", 3, func() error { return m.replaced(m.group, m.newGroup) }},
		{"add a person", 5, func() error {
			name := m.name()
			return m.add(m.personRDN+"="+name+","+m.pick(m.unit), m.newPerson(name))
		}},
		{"add a group", 2, func() error {
			name := m.name()
			return m.add(m.groupRDN+"="+name+","+m.pick(m.unit), m.newGroup(name))
		}},
		{"list a person", 10, member(m.person)},
		{"list a group", 5, member(m.group)},
		{"unlist somebody", 4, m.unlist},
		{"set a manager", 6, func() error {
			boss := m.pick(m.person)
			return m.modify(m.pick(m.person), func(r *goldap.ModifyRequest) { r.Replace("manager", []string{boss}) })
		}},
		{"describe", 3, func() error {
			return m.modify(m.pick(m.person), func(r *goldap.ModifyRequest) { r.Replace("title", []string{m.name()}) })
		}},
	}
}

type change struct {
	name   string
	weight int
	do     func() error
}

func (m *renamer) unlist() error {
	group := m.pick(m.group)
	res, err := m.conn.Search(goldap.NewSearchRequest(group, goldap.ScopeBaseObject, 0, 0, 0, false, m.group, []string{"member"}, nil))
	if err != nil {
		return err
	}
	who := res.Entries[0].GetAttributeValues("member")
	who = slices.DeleteFunc(who, func(v string) bool { return strings.EqualFold(v, m.top) })
	slices.Sort(who)
	gone := m.choose(who)
	return m.modify(group, func(r *goldap.ModifyRequest) { r.Delete("member", []string{gone}) })
}

// step makes one change. What the server refuses is none.
func (m *renamer) step(all []change) {
	m.t.Helper()
	total := 0
	for _, c := range all {
		total += c.weight
	}
	n := m.r.IntN(total)
	c := all[slices.IndexFunc(all, func(c change) bool {
		n -= c.weight
		return n < 0
	})]
	err := c.do()
	var refused *goldap.Error
	switch {
	case err == nil:
		m.made[c.name]++
	case errors.Is(err, errRefused):
	case !errors.As(err, &refused) || refused.ResultCode >= goldap.ErrorNetwork:
		m.t.Fatalf("%s: %v", c.name, err)
	}
}

func (m *renamer) total() (n int) {
	for _, count := range m.made {
		n += count
	}
	return n
}

// renaming is one server and one way to read it.
type renaming struct {
	*renamer
	open func() connectors.Connector
	// rewritten waits until the server has rewritten the references to all that was renamed so far; nil when it does so
	// before it answers.
	rewritten func()
}

// agree makes changes in batches. After each, incremental runs must have led to what a fresh start makes of the same
// directory. The clock stands still but for a minute before the run that is compared.
func (w *renaming) agree(changes int) {
	t := w.t
	if underRace {
		changes /= 10
	}
	offset := time.Duration(0)
	now := func() time.Time { return time.Now().Add(offset) }
	r := newRig(t, w.open())
	r.engine = engine.New(r.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: now, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	r.mustRun("first sync", engine.Job{})
	kinds := w.changes()
	batches, full, runs := 0, 0, 0
	run := func() {
		for _, res := range r.mustRun("incremental", engine.Job{}) {
			runs++
			if res.Run.Mode == connectors.Full.String() || len(res.Run.Notes) > 0 {
				full++
				t.Logf("batch %d: %v", batches, res.Run.Notes)
			}
			if res.Run.Held != "" { // a unit with all groups that are read was moved away
				if approved := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, res.Run.Held); approved.Err != nil {
					t.Fatalf("approve: %v", approved.Err)
				}
			}
		}
	}
	for w.total() < changes && !t.Failed() {
		batches++
		for range 1 + w.r.IntN(30) {
			w.step(kinds)
		}
		if w.r.IntN(3) > 0 {
			run() // while the server may still be rewriting
		}
		if w.rewritten != nil {
			w.rewritten()
		}
		offset += time.Minute
		run()
		fresh := newRig(t, w.open())
		fresh.mustRun("fresh start", engine.Job{})
		if diff := differences(r.records(), fresh.records()) + differences(r.held(), fresh.held()); diff != "" {
			t.Fatalf("after %d changes in %d batches (+ incremental only, - fresh start only):\n%s", w.total(), batches, diff)
		}
	}
	t.Logf("%d changes in %d batches, %d runs, %d of them full: %v", w.total(), batches, runs, full, w.made)
	if full > runs/10 {
		t.Errorf("%d of %d runs had to read in full", full, runs)
	}
}

// held renders what is stored of all objects that are there: as the source showed them, and to whom they refer. References
// that lead to nobody are left out: nobody tells of those who were deleted out of sight.
func (r *rig) held() []string {
	r.t.Helper()
	var lines []string
	err := r.store.View(r.t.Context(), store.Partition{Connection: "proof"}, func(tx store.Reader) error {
		ids, referrers := map[store.Num]string{}, map[store.Num]string{}
		var groups, from []store.Num
		var texts []string
		for _, kind := range []directory.Kind{directory.Person, directory.Group} {
			err := tx.Rows(kind, 0, func(row store.Row) bool {
				o, err := row.Object("look")
				if err != nil {
					r.t.Fatal(err)
				}
				if row.Gone != store.Here {
					return true
				}
				ids[row.Num] = o.ID
				lines = append(lines, fmt.Sprintf("%s %s %q: %v", kind, o.ID, o.Handles, o.Fields))
				if kind == directory.Group {
					groups = append(groups, row.Num)
				}
				for _, l := range o.Links {
					from, texts = append(from, row.Num), append(texts, l.To)
				}
				referrers[row.Num] = kind.String() + " " + o.ID
				return true
			})
			if err != nil {
				return err
			}
		}
		handles, err := tx.Lookup(texts, nil)
		if err != nil {
			return err
		}
		if err := tx.MembersOf(groups, func(g, h store.Num) bool { from, handles = append(from, g), append(handles, h); return true }); err != nil {
			return err
		}
		owners, err := tx.Owners(handles, nil)
		for i, n := range owners {
			if to, ok := ids[n]; ok {
				lines = append(lines, referrers[from[i]]+" refers to "+to)
			}
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// Whatever is renamed, and however the server keeps references right: incremental runs agree with a fresh start.
func TestRandomRenamesOpenLDAP(t *testing.T) {
	for _, tc := range []struct {
		name    string
		opts    slapdtest.Options
		changes int
		config  func(*ldap.Config)
	}{
		{"memberof", slapdtest.Options{MemberOfRefint: true}, 2400, nil},
		{"refint", slapdtest.Options{Refint: []string{"member", "manager"}}, 2400, nil},
		{"both", slapdtest.Options{MemberOfRefint: true, Refint: []string{"member", "manager"}}, 2400, func(c *ldap.Config) {
			c.Attributes = []ldap.Attribute{{Name: "memberOf"}}
			c.Groups.Base = ldap.Names{"dc=example,dc=test"} // whoever is in a group that is not read shows it, and nothing tells
		}},
		{"neither", slapdtest.Options{}, 300, nil},
		{"by time", slapdtest.Options{MemberOfRefint: true, Refint: []string{"member", "manager"}}, 800, func(c *ldap.Config) { c.Incremental = "timestamp" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.opts.SessionLog, tc.opts.Load = 5000, renamedCompany
			s := slapdtest.Start(t, tc.opts)
			conn, err := goldap.DialURL(s.URL)
			if err == nil {
				err = conn.Bind(s.AdminDN, slapdtest.AdminPassword)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			w := &renaming{
				renamer: &renamer{
					t: t, r: rand.New(rand.NewPCG(connectortest.Seed(t), 11)), conn: conn, made: map[string]int{},
					inside: "ou=inside," + s.Suffix, outside: "ou=outside," + s.Suffix, top: s.Suffix,
					person: "(&(objectClass=inetOrgPerson)(!(uid=witness*)))", group: "(&(objectClass=groupOfNames)(!(cn=witnesses)))", unit: "(&(objectClass=organizationalUnit)(!(ou=people))(!(ou=groups))(!(ou=services)))",
					personRDN: "uid", groupRDN: "cn", unitOU: "ou",
					newPerson: func(name string) map[string][]string {
						return map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {name}, "cn": {name}, "sn": {name}}
					},
					newGroup: func(name string) map[string][]string {
						return map[string][]string{"objectClass": {"groupOfNames"}, "cn": {name}, "member": {s.Suffix}}
					},
					stays: tc.name == "by time", blind: tc.name == "by time",
				},
				open: func() connectors.Connector {
					return openSlapd(t, s, func(c *ldap.Config) {
						c.Base, c.Attributes = ldap.Names{"ou=inside," + s.Suffix}, nil
						if tc.config != nil {
							tc.config(c)
						}
					})
				},
			}
			if len(tc.opts.Refint) > 0 {
				w.rewritten = w.witness
			}
			w.agree(tc.changes)
		})
	}
}

// renamedCompany writes two halves of a company, of which one is read, with entries that were changed long ago.
func renamedCompany(out io.Writer, suffix string) error {
	const stamp = "modifyTimestamp: 20200131120000Z\nentryCSN: 20200131120000.000000Z#000000#000#000000\n"
	var b strings.Builder
	for _, side := range []string{"inside", "outside"} {
		fmt.Fprintf(&b, "dn: ou=%s,%s\n%sobjectClass: organizationalUnit\nou: %[1]s\n\n", side, suffix, stamp)
		for u := range 3 {
			unit := fmt.Sprintf("ou=%s%d,ou=%s,%s", side, u, side, suffix)
			fmt.Fprintf(&b, "dn: %s\n%sobjectClass: organizationalUnit\nou: %s%d\n\n", unit, stamp, side, u)
			for i := range 6 {
				fmt.Fprintf(&b, "dn: uid=%s%d%d,%s\n%sobjectClass: inetOrgPerson\nuid: %[1]s%d%d\ncn: x\nsn: x\n", side, u, i, unit, stamp)
				fmt.Fprintf(&b, "manager: uid=inside%d0,ou=inside%d,ou=inside,%s\n\n", u, u, suffix)
			}
			for g := range 3 {
				fmt.Fprintf(&b, "dn: cn=%s%d%d,%s\n%sobjectClass: groupOfNames\ncn: %[1]s%d%d\nmember: %[6]s\n", side, u, g, unit, stamp, suffix)
				fmt.Fprintf(&b, "member: uid=inside%d%d,ou=inside%d,ou=inside,%s\nmember: uid=outside%d%d,ou=outside%d,ou=outside,%s\n\n", u, g, u, suffix, u, g, u, suffix)
			}
		}
	}
	fmt.Fprintf(&b, "dn: uid=witness,ou=people,%s\nobjectClass: inetOrgPerson\nuid: witness\ncn: x\nsn: x\n\n", suffix)
	fmt.Fprintf(&b, "dn: cn=witnesses,ou=groups,%s\nobjectClass: groupOfNames\ncn: witnesses\nmember: uid=witness,ou=people,%[1]s\n\n", suffix)
	_, err := io.WriteString(out, b.String())
	return err
}

// witness renames one that is nothing else and waits until the server has rewritten what refers to it: it works off
// renames in their order.
func (m *renamer) witness() {
	m.t.Helper()
	name := "uid=witness" + m.name()
	old := m.choose(m.find(m.top, "(uid=witness*)"))
	if err := m.rename(old, name, ""); err != nil {
		m.t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < patience; {
		if len(m.find(m.top, "(&(cn=witnesses)(member="+name+","+dn.Parent(old)+"))")) > 0 {
			return
		}
	}
	m.t.Fatal("the server does not rewrite the reference to who was renamed")
}

func TestRandomRenamesSamba(t *testing.T) {
	s := sambatest.Start(t)
	reader := s.AddReader("reader")
	s.Allow(sambatest.DeletedObjects, reader, sambatest.ReadRights)
	s.Delete(s.AddUser("witness", "CN=Users,"+sambatest.Suffix, nil))
	replicator := s.AddReader("mirror")
	s.Allow(sambatest.DeletedObjects, replicator, sambatest.ReadRights)
	s.AllowReplication(replicator)
	for _, tc := range []struct {
		name, user string
		changes    int
		config     func(c *ldap.Config, top string)
	}{
		{"usn", "reader", 600, func(c *ldap.Config, _ string) { c.Incremental = "usn" }},
		{"dirsync", "mirror", 300, func(c *ldap.Config, _ string) { c.Incremental = "dirsync" }},
		{"memberOf", "reader", 300, func(c *ldap.Config, top string) {
			c.Incremental = "usn"
			c.Attributes = []ldap.Attribute{{Name: "memberOf"}}
			c.Groups.Base = ldap.Names{top} // whoever is in a group that is not read shows it, and nothing tells
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := s.In(t)
			prefix := strings.ReplaceAll(tc.name, " ", "")
			top := s.AddOU(prefix, sambatest.Suffix)
			inside, outside := s.AddOU("inside", top), s.AddOU("outside", top)
			for side, unit := range map[string]string{"i": inside, "o": outside} {
				for u := range 3 {
					ou := s.AddOU(fmt.Sprint("u", u), unit)
					var people []string
					for i := range 5 {
						people = append(people, s.AddUser(fmt.Sprintf("%s%s%d%d", prefix, side, u, i), ou, nil))
					}
					for g := range 3 {
						s.AddGroup(fmt.Sprintf("%s%sg%d%d", prefix, side, u, g), ou, people[g:g+2]...)
					}
				}
			}
			w := &renaming{
				renamer: &renamer{
					t: t, r: rand.New(rand.NewPCG(connectortest.Seed(t), 12)), conn: s.Connect(), made: map[string]int{},
					inside: inside, outside: outside, top: top,
					person: "(objectClass=user)", group: "(objectClass=group)", unit: "(&(objectClass=organizationalUnit)(!(ou=" + prefix + ")))",
					personRDN: "CN", groupRDN: "CN", unitOU: "OU", stays: true,
				},
				open: func() connectors.Connector {
					return openFactory(t, ldap.Factory(), func(cfg any) {
						c := cfg.(*ldap.Config)
						c.Servers, c.Base, c.CAFile, c.PageSize = []string{s.Proxy(t).URLS}, ldap.Names{inside}, settings.Path(s.CAFile), 30
						c.Bind = ldap.BindConfig{User: tc.user + "@" + sambatest.Domain, Password: settings.NewSecret(sambatest.ReaderPassword)}
						tc.config(c, top)
					})
				},
			}
			w.newPerson = func(string) map[string][]string {
				return map[string][]string{"objectClass": {"user"}, "sAMAccountName": {prefix + w.name()}, "userAccountControl": {"544"}}
			}
			w.newGroup = func(string) map[string][]string {
				return map[string][]string{"objectClass": {"group"}, "sAMAccountName": {prefix + w.name()}}
			}
			w.agree(tc.changes)
		})
	}
}

// The plug-ins of 389 Directory Server for referential integrity and for memberOf.
func TestRandomRenames389(t *testing.T) {
	s := dirsrvtest.Start(t, dirsrvtest.Options{Refint: []string{"member", "manager"}, MemberOf: true})
	unit := func(ou, parent string) string {
		entry := "ou=" + ou + "," + parent
		s.Add(entry, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {ou}})
		return entry
	}
	w := &renaming{
		renamer: &renamer{
			t: t, r: rand.New(rand.NewPCG(connectortest.Seed(t), 13)), conn: s.Conn, made: map[string]int{},
			inside: unit("inside", dirsrvtest.Suffix), outside: unit("outside", dirsrvtest.Suffix), top: dirsrvtest.Suffix,
			person: "(objectClass=inetOrgPerson)", group: "(objectClass=groupOfNames)", unit: "(objectClass=organizationalUnit)",
			personRDN: "uid", groupRDN: "cn", unitOU: "ou", stays: true, blind: true,
			// Once a unit was renamed, 389 Directory Server 2.3.1 shows some of what is below it by their former DNs, and crashes
			// when they are renamed in turn.
			still: true,
			newPerson: func(name string) map[string][]string {
				return map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {name}, "cn": {name}, "sn": {name}}
			},
			newGroup: func(name string) map[string][]string {
				return map[string][]string{"objectClass": {"groupOfNames"}, "cn": {name}, "member": {dirsrvtest.Suffix}}
			},
		},
		open: func() connectors.Connector {
			return openFactory(t, ldap.Factory(), func(cfg any) {
				c := cfg.(*ldap.Config)
				c.Servers, c.Base, c.PageSize, c.Incremental = []string{s.URL}, ldap.Names{"ou=inside," + dirsrvtest.Suffix}, 30, "timestamp"
				c.Bind = ldap.BindConfig{User: dirsrvtest.AdminDN, Password: settings.NewSecret(dirsrvtest.AdminPassword)}
			})
		},
	}
	for _, side := range []string{w.inside, w.outside} {
		for u := range 3 {
			ou := unit(fmt.Sprint("u", u), side)
			var people []string
			for i := range 6 {
				name := w.name()
				people = append(people, "uid="+name+","+ou)
				s.Add(people[i], w.newPerson(name))
				s.Replace(people[i], "manager", people[0])
			}
			for g := range 3 {
				name := w.name()
				s.Add("cn="+name+","+ou, w.newGroup(name))
				s.Replace("cn="+name+","+ou, "member", dirsrvtest.Suffix, people[g], people[g+1])
			}
		}
	}
	w.agree(500)
}
