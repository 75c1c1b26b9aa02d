package ldap

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
)

// TestGluedDatabase: a branch with a database of its own has changes that contextCSN of the one above does not show. No
// method may rely on that.
func TestGluedDatabase(t *testing.T) {
	for name, syncprov := range map[string][]string{"syncprov of its own": {"overlay syncprov", "syncprov-sessionlog 100"}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Global: append([]string{
				"database mdb", `suffix "ou=branch,dc=example,dc=test"`, "subordinate", `rootdn "cn=admin,dc=example,dc=test"`,
				"directory " + t.TempDir(), "access to * by users read",
			}, syncprov...)})
			branch := "ou=branch," + s.Suffix
			s.Add(branch, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"branch"}})
			add := func(uid string) {
				s.Add("uid="+uid+","+branch, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "sn": {uid}})
			}
			s.AddPerson("bob", nil)
			add("ada")

			c := openFor(t, s, nil)
			if f := follow(t, c, streamUsers); len(f.cursor) > 0 || len(f.objects) != 2 {
				t.Errorf("syncrepl was chosen: %s", f.cursor)
			}
			findings, err := c.Check(t.Context())
			said := false
			for _, f := range findings {
				said = said || f.Subject == "incremental reads" && strings.Contains(f.Detail, "does not speak of all below it")
			}
			if err != nil || !said {
				t.Errorf("check says %+v, %v", findings, err)
			}

			// A database above that was written last does not give the other one away, until that is written.
			s.AddPerson("ben", nil)
			if f := follow(t, c, streamUsers); syncprov == nil {
				add("eve")
				if err := f.delta(t.Context()); fault.ClassOf(err) != fault.CursorExpired {
					t.Errorf("by syncrepl: error %v", err)
				}
				s.Delete("uid=eve," + branch)
			} else if len(f.cursor) > 0 {
				t.Errorf("syncrepl was chosen: %s", f.cursor)
			}
			s.Delete(s.PersonDN("ben"))

			f := follow(t, openFor(t, s, polling), streamUsers)
			add("cat")
			if err := f.delta(t.Context()); err != nil || len(f.objects) != 3 {
				t.Errorf("by timestamps: %d people, error %v", len(f.objects), err)
			}
		})
	}
}

// TestStopWhileContextCSNIsAwaited: an entry that is newer than contextCSN may have been written a moment ago. Who is stopped
// does not wait for that.
func TestStopWhileContextCSNIsAwaited(t *testing.T) {
	s, add := gluedWithout(t)
	ctx, stop := context.WithCancel(t.Context())
	c := openFor(t, s, nil)
	waits := 0
	c.env.Sleep = func(ctx context.Context, d time.Duration) error {
		waits++
		stop()
		return ctx.Err()
	}
	f := follow(t, c, streamUsers)
	add("eve")
	if err := f.delta(ctx); !errors.Is(err, context.Canceled) || waits != 1 {
		t.Errorf("waited %d times, error %v", waits, err)
	}
}

// gluedWithout is a server with a branch that has a database without syncprov of its own, which was written last before the
// one above was. add adds somebody to the branch.
func gluedWithout(t *testing.T) (s *slapdtest.Server, add func(uid string)) {
	s = slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Global: []string{
		"database mdb", `suffix "ou=branch,dc=example,dc=test"`, "subordinate", `rootdn "cn=admin,dc=example,dc=test"`,
		"directory " + t.TempDir(), "access to * by users read",
	}})
	branch := "ou=branch," + s.Suffix
	s.Add(branch, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"branch"}})
	add = func(uid string) {
		s.Add("uid="+uid+","+branch, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "sn": {uid}})
	}
	add("ada")
	s.AddPerson("bob", nil)
	// A write that comes while slapd still clears up after the one before it, which has been answered, leaves contextCSN as it was
	// until the next one.
	s.Replace(s.PersonDN("bob"), "description", "written last")
	return s, add
}

// TestIdleLooks: what a look costs the server decides how soon the next one is.
func TestIdleLooks(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for took, rest := range map[time.Duration]time.Duration{
		-time.Millisecond: 0, time.Millisecond: 0, 12 * time.Millisecond: 10 * time.Minute, time.Second: time.Hour, 48 * time.Hour: time.Hour,
	} {
		var l idleLooks
		l.took("a", now, took)
		if got := l.rest("a", now.Add(rest-time.Second)); got != (rest > 0) {
			t.Errorf("%s: rests shortly before %s: %t", took, rest, got)
		}
		if l.rest("a", now.Add(rest)) || l.rest("b", now) || l.rest("a", now.Add(-time.Second)) && rest == time.Hour {
			t.Errorf("%s: rests for longer than %s, or elsewhere, or before", took, rest)
		}
	}
}

// TestIdleReadsRest: a server to which it is work is asked rarely for what is newer than contextCSN, and is asked again.
func TestIdleReadsRest(t *testing.T) {
	for name, change := range map[string]func(*Config){"syncrepl": nil, "timestamp": polling} {
		t.Run(name, func(t *testing.T) {
			s, add := gluedWithout(t)
			c, now := openFor(t, s, change), time.Now()
			c.env.Now = func() time.Time { return now }
			f := follow(t, c, streamUsers)
			now = now.Add(longestRest) // however long the first look took
			requests := func() int {
				var meter connectors.Meter
				if err := f.delta(connectors.WithMeter(t.Context(), &meter)); err != nil {
					t.Fatal(err)
				}
				return meter.Requests()
			}
			looked := requests()
			c.looks.took(s.URL+" "+s.Suffix, now, time.Minute)
			if n := requests(); n != looked-1 {
				t.Errorf("%d requests while it rests, %d before", n, looked)
			}
			add("eve")
			now = now.Add(longestRest)
			if err := f.delta(t.Context()); name == "syncrepl" && fault.ClassOf(err) != fault.CursorExpired || name == "timestamp" && (err != nil || len(f.objects) != 3) {
				t.Errorf("an hour later: %d people, error %v", len(f.objects), err)
			}
		})
	}
}

// TestNewEntryWithoutModifyTimestamp: a server that writes modifyTimestamp with the first change only.
func TestNewEntryWithoutModifyTimestamp(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Access: []string{
		`access to dn.regex="^uid=new,.*" attrs=modifyTimestamp by * none`,
	}})
	s.AddPerson("old", nil)
	f := follow(t, openFor(t, s, polling), streamUsers)
	s.AddPerson("new", nil)
	if err := f.delta(t.Context()); err != nil || len(f.objects) != 2 {
		t.Errorf("%d people, error %v", len(f.objects), err)
	}
}
