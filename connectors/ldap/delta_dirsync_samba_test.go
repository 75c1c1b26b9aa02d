package ldap

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// domainDirSync: what holds of usn holds of dirsync, by the right to replicate and without it.
func domainDirSync(t *testing.T, d *domain) {
	secured := func(c *Config) { c.Incremental = methodDirSync }
	for _, part := range []struct {
		name string
		run  func(*testing.T, *domain)
	}{
		{"Chosen", domainDirSyncChosen},
		{"Replicating", func(t *testing.T, d *domain) { domainChanges(t, d, "dsr", replicating) }},
		{"Secured", func(t *testing.T, d *domain) { domainChanges(t, d, "dss", secured) }},
		{"Positions", domainDirSyncPositions},
		{"Filter", domainDirSyncFilter},
		{"Random", func(t *testing.T, d *domain) { domainRandom(t, d, "rdr", 300, replicating) }},
		{"RandomSecured", func(t *testing.T, d *domain) { domainRandom(t, d, "rds", 150, secured) }},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, &domain{Server: d.In(t), reader: d.reader}) })
	}
}

// replicating binds as an account that may replicate.
func replicating(c *Config) { bindAs("mirror@example.test", sambatest.ReaderPassword)(c) }

func methodOf(t *testing.T, data []byte) string {
	t.Helper()
	c, err := decodeCursor(data)
	if err != nil {
		t.Fatal(err)
	}
	return c.Method
}

// domainDirSyncChosen: by itself the method is only used with the right to replicate, and check says so.
func domainDirSyncChosen(t *testing.T, d *domain) {
	ou := d.AddOU("Chosen", sambatest.Suffix)
	for name, tc := range map[string]struct {
		change        func(*Config)
		method, words string
	}{
		"with the right":             {replicating, methodDirSync, "dirsync"},
		"without":                    {nil, methodUSN, "usn (not dirsync: the bind user may not: give it Replicating Directory Changes"},
		"without, but asked for":     {func(c *Config) { c.Incremental = methodDirSync }, methodDirSync, "dirsync"},
		"with the right, and denied": {func(c *Config) { replicating(c); c.Incremental = methodUSN }, methodUSN, "usn"},
	} {
		c := d.open(t, tc.change, ou)
		if got := methodOf(t, follow(t, c, streamUsers).cursor); got != tc.method {
			t.Errorf("%s: %s", name, got)
		}
		findings, err := c.Check(t.Context())
		if err != nil || !slices.ContainsFunc(findings, func(f finding) bool {
			return f.OK && f.Subject == "incremental reads" && strings.HasPrefix(f.Detail, tc.words)
		}) {
			t.Errorf("%s: findings %+v, error %v", name, findings, err)
		}
	}
}

// domainDirSyncPositions: a position of another domain controller, a damaged cookie, or one whose probe is gone is not taken; nothing
// new costs no search.
func domainDirSyncPositions(t *testing.T, d *domain) {
	ou := d.AddOU("DirSyncPositions", sambatest.Suffix)
	ada := d.AddUser("dsm-ada", ou, nil)
	f := follow(t, d.open(t, replicating, ou), streamUsers)
	good := f.cursor
	if err := f.delta(t.Context()); err != nil || string(f.cursor) != string(good) {
		t.Errorf("nothing new: error %v, same cursor: %t", err, string(f.cursor) == string(good))
	}
	for name, change := range map[string]func(*dirsyncPosition){
		"another domain controller": func(m *dirsyncPosition) { m.Host = "dc2.example.test" },
		"another database":          func(m *dirsyncPosition) { m.Invocation = strings.Repeat("0", 32) },
		"a later state":             func(m *dirsyncPosition) { m.USN += 1_000_000 },
		"a probe that is gone":      func(m *dirsyncPosition) { m.TombstoneProbe = strings.Repeat("0", 32) },
		"a damaged cookie":          func(m *dirsyncPosition) { m.Cookie = []byte("nonsense") },
		"no cookie":                 func(m *dirsyncPosition) { m.Cookie = nil },
	} {
		d.Replace(ada, "title", name)
		cur, err := decodeCursor(good)
		if err != nil {
			t.Fatal(err)
		}
		var m dirsyncPosition
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
	if err := f.delta(t.Context()); err != nil || f.touched != 1 {
		t.Errorf("%d objects, error %v", f.touched, err)
	}
	f.same(t, "all")
}

// domainDirSyncFilter: what decides whether an entry is read counts as a change, what is not read does not.
func domainDirSyncFilter(t *testing.T, d *domain) {
	ou := d.AddOU("DirSyncFilter", sambatest.Suffix)
	ada := d.AddUser("dsf-ada", ou, map[string][]string{"employeeType": {"none"}})
	c := d.open(t, func(c *Config) {
		replicating(c)
		c.Users.Filter = "(&(objectClass=user)(employeeType=staff))"
	}, ou)
	f := follow(t, c, streamUsers)
	d.Replace(ada, "employeeType", "staff")
	if err := f.delta(t.Context()); err != nil || f.touched != 1 {
		t.Errorf("who comes into the filter: %d objects, error %v", f.touched, err)
	}
	d.Replace(ada, "comment", "of no interest")
	if err := f.delta(t.Context()); err != nil || f.touched != 0 {
		t.Errorf("a change of what is not read: %d objects, error %v", f.touched, err)
	}
	s, err := c.connect(t.Context(), "test", c.cfg.Servers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if list := c.newReading(s, "test", directory.Person, false).changeAttributes(); !slices.Contains(list, "employeeType") || !slices.Contains(list, "mail") {
		t.Errorf("attributes %q", list)
	}
}
