package ldap

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// TestDomainController runs everything that needs a domain controller of Active Directory on one, since it takes ten
// seconds to make one. Every part works in organisational units of its own.
func TestDomainController(t *testing.T) {
	d := &domain{Server: sambatest.Start(t)}
	d.reader = d.AddReader("reader")
	d.Allow(sambatest.DeletedObjects, d.reader, sambatest.ReadRights)
	replicator := d.AddReader("mirror")
	d.Allow(sambatest.DeletedObjects, replicator, sambatest.ReadRights)
	d.AllowReplication(replicator)
	d.Delete(d.AddUser("witness", "CN=Users,"+sambatest.Suffix, nil))
	for _, part := range []struct {
		name string
		run  func(*testing.T, *domain)
	}{
		{"Read", domainRead}, {"GroupManager", domainGroupManager}, {"Refusals", domainRefusals}, {"Kerberos", domainKerberos}, {"State", domainState}, {"ManyMembers", domainManyMembers},
		{"USN", func(t *testing.T, d *domain) { domainChanges(t, d, methodUSN, nil) }}, {"USNRights", domainRights}, {"USNPositions", domainPositions}, {"Idle", domainIdle},
		{"LeavesBase", domainLeavesBase}, {"SearchLines", domainSearchLines}, {"Forest", domainForest}, {"Watch", domainWatch}, {"Schema", domainSchema}, {"SameController", domainSameController},
		{"Random", func(t *testing.T, d *domain) { domainRandom(t, d, "Random", 1200, nil) }},
		{"Conformance", domainConformance},
		{"DirSync", domainDirSync},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, &domain{Server: d.In(t), reader: d.reader}) })
	}
}

// domain is a domain controller and an account that reads it.
type domain struct {
	*sambatest.Server
	reader string
}

// open opens a connector on a part of the domain, over TLS.
func (d *domain) open(tb testing.TB, change func(*Config), base ...string) *Connector {
	tb.Helper()
	cfg := Defaults()
	door := d.Proxy(tb)
	cfg.Servers, cfg.CAFile, cfg.Base = []string{door.URLS}, settings.Path(d.CAFile), base
	cfg.Bind = BindConfig{User: "reader@" + sambatest.Domain, Password: settings.NewSecret(sambatest.ReaderPassword)}
	if change != nil {
		change(cfg)
	}
	c, err := open(cfg, testEnv())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func domainRead(t *testing.T, d *domain) {
	ou := d.AddOU("Read", sambatest.Suffix)
	sub := d.AddOU(`Office\, Zürich`, ou)
	boss := d.AddUser("boss", ou, nil)
	ada := d.AddUser("ada", sub, map[string][]string{
		"displayName": {"Ada Ames"}, "manager": {boss}, "department": {"R&D"}, "telephoneNumber": {"+44 1"},
		"userAccountControl": {"546"}, "title": {"Dr"},
	})
	inner := d.AddGroup("inner", ou, ada)
	outer := d.AddGroup("outer", ou, inner, boss)
	d.AddMember(inner, outer) // a circle
	c := d.open(t, func(c *Config) { c.Attributes = attributesNamed("manager", "objectSid", "memberOf") }, ou)
	users, groups := readAll(t.Context(), c, streamUsers, nil).must(t), readAll(t.Context(), c, streamGroups, nil).must(t)
	id := d.GUID(ada)
	for name, want := range map[string]string{
		"login": "ada", "name": "Ada Ames", "email": "ada@example.test", "department": "R&D", "phone": "+44 1", "title": "Dr",
		"enabled": "false", "status": "disabled", "path": `OU=Office\, Zürich,` + ou, "attributes.manager": boss,
		"attributes.objectSid": d.SID(ada), "attributes.memberOf": inner,
	} {
		if got := users.field(id, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	domainSID := d.SID(sambatest.Suffix)
	links := []directory.Link{{Type: directory.Manager, To: "id:" + d.GUID(boss)}, {Type: directory.MemberOf, To: "sid:" + domainSID + "-513"}}
	if got := users.objects[id].Links; !slices.Equal(got, links) {
		t.Errorf("links %v, want %v", got, links)
	}
	for dn, want := range map[string][]string{inner: {ada, outer}, outer: {boss, inner}} {
		var ids []string
		for _, member := range want {
			ids = append(ids, "id:"+d.GUID(member))
		}
		got := groups.members[d.GUID(dn)]
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) {
			t.Errorf("members of %s are %q, want %q", dn, got, ids)
		}
	}
	if len(users.objects) != 2 || len(groups.objects) != 2 {
		t.Errorf("%d people, %d groups; want 2 and 2", len(users.objects), len(groups.objects))
	}
	everyone := readAll(t.Context(), d.open(t, nil, sambatest.Suffix), streamGroups, nil).must(t)
	if !slices.ContainsFunc(slices.Collect(maps.Values(everyone.objects)), func(o directory.Object) bool {
		return slices.Contains(o.Handles, "sid:"+domainSID+"-513")
	}) {
		t.Error("no group has the handle of the primary group")
	}
}

// domainGroupManager: managedBy of a group is who manages it, and a change of it alone is seen by every method.
func domainGroupManager(t *testing.T, d *domain) {
	ou := d.AddOU("GroupManager", sambatest.Suffix)
	boss, next := d.AddUser("gm-boss", ou, nil), d.AddUser("gm-next", ou, nil)
	group := d.AddGroup("gm-sales", ou, next)
	var followers []*follower
	for _, change := range []func(*Config){nil, replicating, func(c *Config) { c.Incremental = methodDirSync }} {
		followers = append(followers, follow(t, d.open(t, change, ou), streamGroups))
	}
	for _, who := range []string{boss, next, ""} {
		var links []directory.Link
		if who == "" {
			d.Replace(group, "managedBy")
		} else {
			d.Replace(group, "managedBy", who)
			links = []directory.Link{{Type: directory.Manager, To: "id:" + d.GUID(who)}}
		}
		for i, f := range followers {
			if err := f.delta(t.Context()); err != nil {
				t.Fatal(err)
			}
			if o, err := directory.ParseObject([]byte(f.objects[d.GUID(group)])); err != nil || !slices.Equal(o.Links, links) {
				t.Errorf("follower %d: links %v, want %v (%v)", i, o.Links, links, err)
			}
		}
	}
}

func domainRefusals(t *testing.T, d *domain) {
	plain := func(c *Config) { c.Servers = []string{d.Proxy(t).URL} }
	users := func(c *Connector) *seen { return readAll(t.Context(), c, streamUsers, nil) }
	expect(t, users(d.open(t, plain, sambatest.Suffix)), fault.Configuration, "strong")
	users(d.open(t, func(c *Config) { plain(c); c.StartTLS = true }, sambatest.Suffix)).must(t)
	expect(t, users(d.open(t, bindAs("reader@example.test", "wr0ng"), sambatest.Suffix)), fault.Auth, "wrong user name or password")
	expect(t, users(d.open(t, bindAs("nobody@example.test", "wr0ng"), sambatest.Suffix)), fault.Auth, "wrong user name or password")
	gone := d.AddReader("gone")
	d.Replace(gone, "userAccountControl", "514")
	expect(t, users(d.open(t, bindAs("gone@example.test", sambatest.ReaderPassword), sambatest.Suffix)), fault.Auth, "account disabled")
	expect(t, users(d.open(t, nil, "OU=Missing,"+sambatest.Suffix)), fault.Configuration, "no such")
}

func domainState(t *testing.T, d *domain) {
	ou := d.AddOU("State", sambatest.Suffix)
	c := d.open(t, func(c *Config) { c.Attributes = attributesNamed("accountExpires") }, ou)
	const date, past = "140000000000000000", "130000000000000000"
	for name, state := range map[string]struct {
		attributes map[string][]string
		want       string
	}{
		"plain":    {nil, "true active"},
		"off":      {map[string][]string{"userAccountControl": {"546"}}, "false disabled"},
		"never":    {map[string][]string{"accountExpires": {"9223372036854775807"}}, "true active"},
		"zero":     {map[string][]string{"accountExpires": {"0"}}, "true active"},
		"date":     {map[string][]string{"accountExpires": {date}}, "true expires"},
		"past":     {map[string][]string{"accountExpires": {past}}, "true expires"},
		"off-date": {map[string][]string{"accountExpires": {date}, "userAccountControl": {"546"}}, "false disabled"},
	} {
		id := d.GUID(d.AddUser("state-"+name, ou, state.attributes))
		got := readAll(t.Context(), c, streamUsers, nil).must(t)
		if is := got.field(id, "enabled") + " " + got.field(id, "status"); is != state.want {
			t.Errorf("%s is %s, want %s", name, is, state.want)
		}
	}
	got := readAll(t.Context(), c, streamUsers, nil).must(t)
	if v := got.field(d.GUID("CN=state-date,"+ou), "attributes.accountExpires"); v != "2044-08-24T16:53:20Z" && !strings.HasPrefix(v, "20") {
		t.Errorf("accountExpires is shown as %q", v)
	}
	for name, want := range map[string]string{"never": "never", "zero": "never"} {
		if v := got.field(d.GUID("CN=state-"+name+","+ou), "attributes.accountExpires"); v != want {
			t.Errorf("accountExpires of %s is shown as %q", name, v)
		}
	}
}

func domainManyMembers(t *testing.T, d *domain) {
	ou := d.AddOU("Many", sambatest.Suffix)
	const n = 40
	var members []string
	for i := range n {
		members = append(members, d.AddUser(fmt.Sprintf("many%d", i), ou, nil))
	}
	group := d.AddGroup("many", ou, members...)
	got := readAll(t.Context(), d.open(t, func(c *Config) { c.PageSize = 10 }, ou), streamGroups, nil).must(t)
	if len(got.members[d.GUID(group)]) != n {
		t.Errorf("%d members, want %d", len(got.members[d.GUID(group)]), n)
	}
}

// domainChanges makes one kind of change after the other and compares each delta with a full read.
func domainChanges(t *testing.T, d *domain, name string, change func(*Config)) {
	ou := d.AddOU(name, sambatest.Suffix)
	deep := d.AddOU("Deep", d.AddOU("Upper", ou))
	ada, bob := d.AddUser(name+"-ada", ou, nil), d.AddUser(name+"-bob", deep, nil)
	eve := d.AddUser(name+"-eve", deep, map[string][]string{"manager": {ada}})
	inner := d.AddGroup(name+"-inner", deep, bob, eve)
	outer := d.AddGroup(name+"-outer", ou, inner)
	d.AddGroup(name+"-empty", deep)
	c := d.open(t, change, ou)
	users, groups := follow(t, c, streamUsers), follow(t, c, streamGroups)
	id := ""
	for _, step := range []struct {
		name                         string
		do                           func()
		users, usersGone             int
		groups, groupsGone, fullRead int // groups: touched
	}{
		{"nothing", func() {}, 0, 0, 0, 0, 0},
		{"a change", func() { d.Replace(ada, "title", "Boss") }, 1, 0, 0, 0, 0},
		{"a cleared attribute", func() { d.Replace(ada, "title") }, 1, 0, 0, 0, 0},
		{"disabled", func() { d.Replace(ada, "userAccountControl", "546") }, 1, 0, 0, 0, 0},
		{"enabled", func() { d.Replace(ada, "userAccountControl", "544") }, 1, 0, 0, 0, 0},
		{"an addition", func() { d.AddUser(name+"-new", ou, nil) }, 1, 0, 0, 0, 0},
		{"a rename", func() { ada = d.Rename(ada, "CN="+name+"-adele", "") }, 1, 0, 0, 0, 0},
		{"a move", func() { ada = d.Rename(ada, "CN="+name+"-adele", deep) }, 1, 0, 0, 0, 0},
		{"a member more", func() { d.AddMember(outer, ada) }, 0, 0, 1, 0, 0},
		{"a group unnested", func() { d.RemoveMember(outer, inner) }, 0, 0, 1, 0, 0},
		{"a group nested", func() { d.AddMember(inner, outer) }, 0, 0, 1, 0, 0},
		{"a group renamed", func() { inner = d.Rename(inner, "CN="+name+"-core", "") }, 0, 0, 1, 0, 0},
		{"a renamed unit", func() { d.Rename("OU=Upper,"+ou, "OU=Lower", "") }, 3, 0, 2, 0, 0},
		{"a moved unit", func() { d.Rename("OU=Deep,OU=Lower,"+ou, "OU=Deep", ou) }, 3, 0, 2, 0, 0},
		{"a unit that is described", func() { d.Replace("OU=Deep,"+ou, "description", "x") }, 0, 0, 0, 0, 0},
		{"a deletion", func() {
			bob = "CN=" + name + "-bob,OU=Deep," + ou
			id = d.GUID(bob)
			d.Delete(bob)
		}, 0, 1, 0, 0, 0},
		{"a manager deleted", func() { d.Delete("CN=" + name + "-adele,OU=Deep," + ou) }, 0, 1, 0, 0, 0},
		{"added and deleted", func() { d.Delete(d.AddUser(name+"-brief", ou, nil)) }, 0, 0, 0, 0, 0},
		{"an undelete", func() { d.Undelete(id, bob) }, 1, 0, 0, 0, 1},
		{"a group deleted", func() { d.Delete("CN=" + name + "-empty,OU=Deep," + ou) }, 0, 0, 0, 1, 0},
	} {
		step.do()
		fulls := 0
		for _, f := range []*follower{users, groups} {
			err := f.delta(t.Context())
			if fault.ClassOf(err) == fault.CursorExpired {
				fulls++
				f.full(t)
			} else if err != nil {
				t.Fatalf("%s of %s: %v", step.name, f.stream, err)
			}
		}
		sameLiving(t, step.name, users, groups)
		if step.fullRead > 0 {
			if fulls != 2 {
				t.Errorf("%s: %d full reads, want 2", step.name, fulls)
			}
			continue
		}
		got := [5]int{users.touched, users.removed, groups.touched, groups.removed, fulls}
		if want := [5]int{step.users, step.usersGone, step.groups, step.groupsGone, 0}; got != want {
			t.Errorf("%s: users touched and removed, groups touched and removed, full reads: %v, want %v", step.name, got, want)
		}
	}
}

// sameLiving fails the test unless followers of users and groups hold what fresh full reads give, as far as it is
// about objects that are there. When an entry is deleted, its domain controller takes it out of groups and out of the
// managers of people without counting that as a change of those. What points to nobody is no difference: the
// engine follows no link to an object that is gone, and one that comes back leads to a full read.
func sameLiving(t testing.TB, after string, users, groups *follower) {
	t.Helper()
	freshUsers, freshGroups := follow(t, users.c, streamUsers), follow(t, groups.c, streamGroups)
	living := func(handle string) bool {
		id, ok := strings.CutPrefix(handle, "id:")
		_, person := freshUsers.objects[id]
		_, group := freshGroups.objects[id]
		return !ok || person || group
	}
	for _, pair := range [][2]*follower{{users, freshUsers}, {groups, freshGroups}} {
		compareMaps(t, pair[0].stream+" after "+after, livingLinks(t, pair[0].objects, living), livingLinks(t, pair[1].objects, living))
		compareMaps(t, "members after "+after, livingMembers(pair[0].members, living), livingMembers(pair[1].members, living))
	}
}

func livingLinks(t testing.TB, objects map[string]string, living func(string) bool) map[string]string {
	t.Helper()
	out := make(map[string]string, len(objects))
	for id, data := range objects {
		o, err := directory.ParseObject([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		o.Links = slices.DeleteFunc(o.Links, func(l directory.Link) bool { return !living(l.To) })
		out[id] = string(directory.AppendObject(nil, &o))
	}
	return out
}

func livingMembers(members map[string]string, living func(string) bool) map[string]string {
	out := make(map[string]string, len(members))
	for id, list := range members {
		names := slices.DeleteFunc(strings.Fields(list), func(name string) bool { return !living(name) })
		out[id] = strings.Join(names, " ")
	}
	return out
}

// domainRights: who does not see deleted entries gets no cursor, and a right that is taken away is noticed.
func domainRights(t *testing.T, d *domain) {
	ou := d.AddOU("Rights", sambatest.Suffix)
	ada := d.AddUser("rights-ada", ou, nil)
	blind := d.AddReader("blind")
	c := d.open(t, bindAs("blind@example.test", sambatest.ReaderPassword), ou)
	f := follow(t, c, streamUsers)
	if f.cursor != nil {
		t.Fatal("a reader that cannot see deletions got a cursor")
	}
	findings, err := c.Check(t.Context())
	if err != nil || !slices.ContainsFunc(findings, func(f finding) bool { return strings.Contains(f.Detail, "Deleted Objects") }) {
		t.Errorf("Check does not say so: %+v, %v", findings, err)
	}
	d.Allow(sambatest.DeletedObjects, blind, sambatest.ReadRights)
	f.full(t)
	if f.cursor == nil {
		t.Fatal("no cursor with the right to see deletions")
	}
	d.Forget(sambatest.DeletedObjects, blind, sambatest.ReadRights)
	d.Delete(ada)
	if err := f.delta(t.Context()); fault.ClassOf(err) != fault.CursorExpired || f.removed > 0 {
		t.Errorf("a delta without the right to see deletions: %v", err)
	}
}

// domainPositions: a position of another domain controller, of another database or of a later state is not taken.
func domainPositions(t *testing.T, d *domain) {
	ou := d.AddOU("Positions", sambatest.Suffix)
	ada := d.AddUser("marks-ada", ou, nil)
	c := d.open(t, nil, ou)
	f := follow(t, c, streamUsers)
	good := f.cursor
	for name, change := range map[string]func(*usnPosition){
		"another domain controller": func(m *usnPosition) { m.Host = "dc2.example.test" },
		"another database":          func(m *usnPosition) { m.Invocation = strings.Repeat("0", 32) },
		"a later state":             func(m *usnPosition) { m.USN += 1_000_000 },
		"a probe that is gone":      func(m *usnPosition) { m.TombstoneProbe = strings.Repeat("0", 32) },
		"a damaged probe":           func(m *usnPosition) { m.TombstoneProbe = "*" },
	} {
		d.Replace(ada, "title", name)
		cur, err := decodeCursor(good)
		if err != nil {
			t.Fatal(err)
		}
		var m usnPosition
		if err := json.Unmarshal(cur.Position, &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		cur.Position = m.encode()
		f.cursor = cur.encode()
		if err := f.delta(t.Context()); fault.ClassOf(err) != fault.CursorExpired || f.touched > 0 {
			t.Errorf("%s: %d objects, error %v", name, f.touched, err)
		}
	}
	f.cursor = good
	if err := f.delta(t.Context()); err != nil {
		t.Error(err)
	}
	f.same(t, "all")
}

// domainIdle: nothing new costs no search at all and gives the same cursor.
func domainIdle(t *testing.T, d *domain) {
	ou := d.AddOU("Idle", sambatest.Suffix)
	c := d.open(t, nil, ou)
	f := follow(t, c, streamUsers)
	before := string(f.cursor)
	if err := f.delta(t.Context()); err != nil || string(f.cursor) != before {
		t.Errorf("error %v, same cursor: %t", err, string(f.cursor) == before)
	}
	d.AddOU("Elsewhere", sambatest.Suffix)
	if err := f.delta(t.Context()); err != nil || f.touched+f.removed > 0 {
		t.Errorf("error %v, %d objects", err, f.touched)
	}
	d.Restart()
	if err := f.delta(t.Context()); err != nil {
		t.Errorf("after a restart of the server: %v", err)
	}
}

// domainLeavesBase: who leaves the base is not named as removed; the next full read finds out.
func domainLeavesBase(t *testing.T, d *domain) {
	ou, other := d.AddOU("Leaves", sambatest.Suffix), d.AddOU("Elsewhere2", sambatest.Suffix)
	ada := d.AddUser("leaves-ada", ou, nil)
	bob := d.AddUser("leaves-bob", other, nil)
	f := follow(t, d.open(t, nil, ou), streamUsers)
	d.Rename(ada, "CN=leaves-ada", other)
	d.Rename(bob, "CN=leaves-bob", ou)
	if err := f.delta(t.Context()); err != nil || f.removed != 0 || f.touched != 1 {
		t.Errorf("error %v, %d removed, %d touched", err, f.removed, f.touched)
	}
}

func domainConformance(t *testing.T, d *domain) {
	fixtures := 0
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			fixtures++
			return (&domain{Server: d.In(tb), reader: d.reader}).fixture(tb, fmt.Sprintf("f%d", fixtures))
		},
		Secrets: []string{sambatest.AdminPassword, sambatest.ReaderPassword},
		Unsupported: map[connectortest.Breakage]string{
			connectortest.BadEntry: "Samba hides no objectGUID of an entry that it shows",
		},
	})
}

// fixture fills a unit of its own for the conformance suite.
func (d *domain) fixture(tb testing.TB, name string) *connectortest.Fixture {
	tb.Helper()
	const size = 25
	ou := d.AddOU(name, sambatest.Suffix)
	other := d.AddOU("other", ou)
	users, groups := make([]string, size), make([]string, size)
	for i := range size {
		users[i] = d.AddUser(fmt.Sprintf("%su%d", name, i), ou, nil)
		groups[i] = d.AddGroup(fmt.Sprintf("%sg%d", name, i), ou, users[i])
	}
	list := map[string][]string{streamUsers: users, streamGroups: groups}
	ref := func(stream, dn string) directory.Ref {
		kind := kindOf(stream)
		return directory.Ref{Kind: kind, ID: d.GUID(dn)}
	}
	door := d.Proxy(tb)
	return &connectortest.Fixture{
		Connector: connectors.Guard(d.open(tb, func(c *Config) { c.Servers, c.PageSize = []string{door.URLS}, 3 }, ou)),
		Add: func(_ testing.TB, stream string) directory.Ref {
			if stream == streamUsers {
				return ref(stream, d.AddUser(name+"added", ou, nil))
			}
			return ref(stream, d.AddGroup(name+"added", ou, users[0]))
		},
		Change: func(_ testing.TB, stream string) directory.Ref {
			d.Replace(list[stream][3], "description", "changed")
			return ref(stream, list[stream][3])
		},
		Rename: func(_ testing.TB, stream string) directory.Ref {
			d.Replace(list[stream][4], "sAMAccountName", name+"renamed"+stream)
			return ref(stream, d.Rename(list[stream][4], "CN=renamed"+stream, other))
		},
		Delete: func(_ testing.TB, stream string) directory.Ref {
			r := ref(stream, list[stream][5])
			d.Delete(list[stream][5])
			return r
		},
		Break: func(tb testing.TB, how connectortest.Breakage) { d.breakIt(tb, how, ou, door) },
	}
}

func (d *domain) breakIt(tb testing.TB, how connectortest.Breakage, ou string, door *sambatest.Proxy) {
	tb.Helper()
	switch how {
	case connectortest.BadCredentials:
		// A changed password would not do: the old one is good for another hour.
		d.Replace(d.reader, "userAccountControl", "514")
		tb.Cleanup(func() { d.Replace(d.reader, "userAccountControl", "512") })
	case connectortest.MissingPermission:
		d.Deny(ou, d.reader, sambatest.ReadRights)
	case connectortest.MidListing, connectortest.Unreachable:
		door.Shut()
	case connectortest.Silence:
		door.Freeze()
	case connectortest.LostCursors:
		dn := d.AddUser("lost", ou, map[string][]string{"sAMAccountName": {"lost" + firstRDN(ou)[len("OU="):]}})
		guid := d.GUID(dn)
		d.Delete(dn)
		d.Undelete(guid, dn)
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}
