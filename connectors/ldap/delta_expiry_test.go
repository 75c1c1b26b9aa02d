package ldap

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// TestSyncreplWithoutChanges: two requests besides bind and root DSE, and the same cursor.
func TestSyncreplWithoutChanges(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Load: slapdtest.Population{People: 20, Groups: 2}.WriteLDIF})
	f := follow(t, openFor(t, s, nil), streamGroups)
	before := bytes.Clone(f.cursor)
	n, err := requests(t, f)
	if err != nil || n != 4 || !bytes.Equal(before, f.cursor) {
		t.Errorf("%d requests, error %v, cursor\n%s, was\n%s", n, err, f.cursor, before)
	}
}

// TestSyncreplExpiry: what a server can no longer answer leads to a full read, before the first page.
func TestSyncreplExpiry(t *testing.T) {
	change := func(s *slapdtest.Server) { s.Replace(s.PersonDN("p1"), "title", "changed") }
	for name, tc := range map[string]struct {
		log     int
		happens func(s *slapdtest.Server)
		class   fault.Class // empty: the delta is complete all the same
	}{
		"no session log":          {0, change, fault.CursorExpired},
		"no session log, no news": {0, func(*slapdtest.Server) {}, ""},
		"restart without news":    {100, func(s *slapdtest.Server) { s.Restart() }, ""},
		"news after a restart": {100, func(s *slapdtest.Server) {
			s.Restart()
			s.Delete(s.PersonDN("p2"))
			change(s)
		}, ""},
		"restart after a deletion": {100, func(s *slapdtest.Server) {
			s.Delete(s.PersonDN("p2"))
			s.Restart()
		}, fault.CursorExpired},
		"kill after a deletion": {100, func(s *slapdtest.Server) {
			s.Delete(s.PersonDN("p2"))
			s.Kill()
			s.Restart()
			change(s)
		}, fault.CursorExpired},
		"log overflow": {5, func(s *slapdtest.Server) {
			s.Delete(s.PersonDN("p2"))
			for i := range 30 {
				s.Replace(s.PersonDN("p3"), "title", fmt.Sprint(i))
			}
		}, fault.CursorExpired},
		"contextCSN hidden": {100, func(s *slapdtest.Server) {
			s.Reconfigure(func(o *slapdtest.Options) { o.Access = []string{"access to attrs=contextCSN by * none"} })
		}, fault.CursorExpired},
		"base unreadable": {100, func(s *slapdtest.Server) {
			s.Reconfigure(func(o *slapdtest.Options) {
				o.Access = []string{`access to dn.subtree="ou=people,` + s.Suffix + `" by * none`}
			})
			s.Replace(s.GroupDN("g1"), "description", "changed")
		}, fault.Configuration},
		"server down": {100, func(s *slapdtest.Server) { s.Kill() }, fault.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			s := slapdtest.Start(t, slapdtest.Options{SessionLog: tc.log, Load: slapdtest.Population{People: 40, Groups: 3}.WriteLDIF})
			c := openFor(t, s, func(c *Config) { c.Base = Names{"ou=people," + s.Suffix} })
			f := follow(t, c, streamUsers)
			tc.happens(s)
			err := f.delta(t.Context())
			if fault.ClassOf(err) != tc.class {
				t.Fatalf("error %v, want class %q", err, tc.class)
			}
			switch {
			case err == nil:
				f.same(t, name)
			case f.touched+f.removed > 0:
				t.Errorf("%d objects came before the error", f.touched+f.removed)
			}
		})
	}
}

// TestSyncreplForeignServers: a cursor of one server on others with the same names.
func TestSyncreplForeignServers(t *testing.T) {
	opts := slapdtest.Options{SessionLog: 100, Load: slapdtest.Population{People: 20, Groups: 3}.WriteLDIF}
	first := slapdtest.Start(t, opts)
	for i := range 3 {
		first.Replace(first.PersonDN("p1"), "title", fmt.Sprint(i))
	}
	f := follow(t, openFor(t, first, nil), streamUsers)
	older := slapdtest.Start(t, opts) // as one that was restored from a backup
	for _, other := range []struct {
		name string
		do   func()
	}{
		{"as loaded", func() {}},
		{"with changes of its own", func() { older.Replace(older.PersonDN("p2"), "title", "x"); older.Delete(older.PersonDN("p3")) }},
	} {
		other.do()
		f.c = openFor(t, older, nil)
		if err := f.delta(t.Context()); fault.ClassOf(err) != fault.CursorExpired || f.touched+f.removed > 0 {
			t.Errorf("%s: error %v, %d touched, %d removed", other.name, err, f.touched, f.removed)
		}
	}
}

// TestCursorSettings: a cursor holds only for the settings that it was made under.
func TestCursorSettings(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Load: slapdtest.Population{People: 20, Groups: 3}.WriteLDIF})
	made := follow(t, openFor(t, s, nil), streamUsers).cursor
	for name, tc := range map[string]struct {
		change func(*Config)
		class  fault.Class
	}{
		"the same":      {nil, ""},
		"page size":     {func(c *Config) { c.PageSize = 3 }, ""},
		"base":          {func(c *Config) { c.Base = Names{"ou=people," + s.Suffix} }, fault.CursorExpired},
		"filter":        {func(c *Config) { c.Users.Filter = "(uid=*)" }, fault.CursorExpired},
		"groups only":   {func(c *Config) { c.Groups.Filter = "(cn=*)" }, ""},
		"scope":         {func(c *Config) { c.Users.Scope = "one" }, fault.CursorExpired},
		"attributes":    {func(c *Config) { c.Attributes = attributesNamed("roomNumber") }, fault.CursorExpired},
		"fields":        {func(c *Config) { c.Fields = map[string]Names{"city": {"st"}} }, fault.CursorExpired},
		"identity":      {bindAs(s.LimitedDN, slapdtest.LimitedPassword), fault.CursorExpired},
		"anchor":        {func(c *Config) { c.Anchor.Users = "uid" }, fault.CursorExpired},
		"other method":  {polling, fault.CursorExpired},
		"off":           {func(c *Config) { c.Incremental = incrementalOff }, fault.CursorExpired},
		"method named":  {func(c *Config) { c.Incremental = methodSyncrepl }, ""},
		"other servers": {func(c *Config) { c.Servers = []string{s.URLS}; c.CAFile = settings.Path(s.CAFile) }, ""},
	} {
		f := &follower{c: openFor(t, s, tc.change), stream: streamUsers, cursor: made}
		if err := f.delta(t.Context()); fault.ClassOf(err) != tc.class {
			t.Errorf("%s: error %v, want class %q", name, err, tc.class)
		}
	}
}

// TestNoCursor: a full read ends without a cursor where no later delta could be trusted, and Check says why.
func TestNoCursor(t *testing.T) {
	for name, tc := range map[string]struct {
		access []string
		change func(*Config)
		ok     bool
		words  string
	}{
		"hidden contextCSN": {[]string{"access to attrs=contextCSN by * none"}, nil, true, "sees no contextCSN"},
		"other anchor":      {nil, func(c *Config) { c.Anchor.Users = "uid" }, true, "the anchor is uid"},
		"asked for":         {nil, func(c *Config) { c.Anchor.Users, c.Incremental = "uid", methodSyncrepl }, false, "the anchor is uid"},
		"off":               {nil, func(c *Config) { c.Incremental = incrementalOff }, true, "off"},
		"no times":          {[]string{"access to attrs=modifyTimestamp,createTimestamp by * none"}, polling, true, "timestamp"},
	} {
		t.Run(name, func(t *testing.T) {
			s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Access: tc.access, Load: slapdtest.Population{People: 20, Groups: 3}.WriteLDIF})
			c := openFor(t, s, tc.change)
			if f := follow(t, c, streamUsers); f.cursor != nil {
				t.Errorf("cursor %s", f.cursor)
			}
			findings, err := c.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if f.Subject == "incremental reads" && f.OK == tc.ok && strings.Contains(f.Detail, tc.words) {
					return
				}
			}
			t.Errorf("findings %+v", findings)
		})
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add(cursor{Version: cursorVersion, Method: methodSyncrepl, Fingerprint: "x", Position: []byte(`[{"suffix":"dc=x","csn":["a"]}]`)}.encode())
	f.Add([]byte("{}"))
	f.Add([]byte(`{"v":1,"method":"usn","print":"","mark":null} `))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeCursor(data)
		if err == nil && !bytes.Equal(c.encode(), data) {
			t.Errorf("%q is decoded and reads %q", data, c.encode())
		}
	})
}

func FuzzCookieCSN(f *testing.F) {
	f.Add("rid=000,sid=001,csn=" + csnBefore + ";" + csnAfter)
	f.Add("csn=")
	f.Fuzz(func(t *testing.T, cookie string) {
		csn, ok := cookieCSN(cookie)
		if ok && behind(csn, csn) {
			t.Errorf("%q is behind itself", csn)
		}
	})
}
