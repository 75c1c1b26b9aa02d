package ldap

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/ldap/slapdtest"
)

func polling(c *Config) { c.Incremental = methodTimestamp }

// TestPollingRandom: everything that is there is known as it is; what was deleted waits for a full read.
func TestPollingRandom(t *testing.T) {
	const changes = 400
	for name, access := range map[string][]string{
		"contextCSN": nil,
		"times only": {"access to attrs=contextCSN by * none"},
	} {
		t.Run(name, func(t *testing.T) {
			seed := connectortest.Seed(t)
			s := slapdtest.Start(t, slapdtest.Options{
				Access: access, Load: withUnits(slapdtest.Population{People: 40, Groups: 8}, "staff", "u1", "u2"),
			})
			m := &mischief{t: t, s: s, r: rand.New(rand.NewPCG(seed, 2))}
			m.connect()
			c := openFor(t, s, func(c *Config) {
				polling(c)
				c.Base = Names{"ou=people," + s.Suffix, "ou=staff," + s.Suffix, "ou=groups," + s.Suffix}
			})
			followers := []*follower{follow(t, c, streamUsers), follow(t, c, streamGroups)}
			for batch := 1; m.done < changes && !t.Failed(); batch++ {
				for range 1 + m.r.IntN(20) {
					m.step()
				}
				for _, f := range followers {
					if len(f.cursor) == 0 {
						t.Fatal("no cursor")
					}
					if err := f.delta(t.Context()); err != nil {
						t.Fatal(err)
					}
					if f.removed > 0 {
						t.Error("removals were named")
					}
					f.covers(t, fmt.Sprintf("batch %d", batch))
				}
			}
		})
	}
}

// aged makes the entries of a load old.
func aged(load func(io.Writer, string) error) func(io.Writer, string) error {
	return func(w io.Writer, suffix string) error {
		var ldif bytes.Buffer
		if err := load(&ldif, suffix); err != nil {
			return err
		}
		for line := range strings.Lines(ldif.String()) {
			if strings.HasPrefix(line, "dn: ") {
				line += "createTimestamp: 20200131120000Z\nmodifyTimestamp: 20200131120000Z\nentryCSN: 20200131120000.000000Z#000000#000#000000\n"
			}
			if _, err := io.WriteString(w, line); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestPolling: only what changed is read, and what lies below a renamed container.
func TestPolling(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: aged(withUnits(slapdtest.Population{People: 40, Groups: 3}, "u1"))})
	f := follow(t, openFor(t, s, func(c *Config) {
		polling(c)
		c.Base = Names{"ou=people," + s.Suffix, "ou=groups," + s.Suffix}
	}), streamUsers)
	people := "ou=people," + s.Suffix
	for _, step := range []struct {
		name    string
		do      func()
		touched int
	}{
		{"a move out of the bases", func() { s.Rename(s.PersonDN("p1"), "uid=p1", "ou=u1,"+s.Suffix) }, 0},
		{"a change", func() { s.Replace(s.PersonDN("p2"), "title", "Boss") }, 1},
		{"a change of a group", func() { s.Replace(s.GroupDN("g1"), "description", "x") }, 1},
		{"a container that comes in", func() { s.Rename("ou=u1,"+s.Suffix, "ou=u1", people) }, 2},
		// The person that was moved has a new time itself.
		{"a renamed container", func() { s.Rename("ou=u1,"+people, "ou=u2", "") }, 2},
	} {
		step.do()
		if err := f.delta(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		f.covers(t, step.name)
		if f.touched < step.touched || f.touched > step.touched+3 {
			t.Errorf("%s: %d people read, want about %d", step.name, f.touched, step.touched)
		}
	}
}

// TestPollingOldChildren: what lies below a renamed container has an old time.
func TestPollingOldChildren(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: aged(func(w io.Writer, suffix string) error {
		if err := withUnits(slapdtest.Population{People: 5, Groups: 1}, "u1")(w, suffix); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "dn: uid=child,ou=u1,%s\nobjectClass: inetOrgPerson\nuid: child\ncn: child\nsn: child\n\n", suffix)
		return err
	})})
	f := follow(t, openFor(t, s, polling), streamUsers)
	s.Rename("ou=u1,"+s.Suffix, "ou=u2", "")
	if err := f.delta(t.Context()); err != nil || f.touched != 1 {
		t.Errorf("%d people read, error %v", f.touched, err)
	}
	f.covers(t, "a renamed container")
}

// TestPollingWithoutChanges: the cursor stays the same, byte for byte.
func TestPollingWithoutChanges(t *testing.T) {
	for name, tc := range map[string]struct {
		access   []string
		requests int
	}{
		// Besides bind and root DSE.
		"contextCSN": {nil, 2},
		"times only": {[]string{"access to attrs=contextCSN by * none"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := slapdtest.Start(t, slapdtest.Options{Access: tc.access, Load: slapdtest.Population{People: 20, Groups: 2}.WriteLDIF})
			c := openFor(t, s, polling)
			// No read takes any time: how long the first one took would be in its cursor, and no longer in the next one's.
			now := time.Now()
			c.env.Now = func() time.Time { return now }
			f := follow(t, c, streamUsers)
			for range 2 {
				before := bytes.Clone(f.cursor)
				n, err := requests(t, f)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(before, f.cursor) || n > tc.requests+2 {
					t.Errorf("%d requests, cursor\n%s, was\n%s", n, f.cursor, before)
				}
			}
		})
	}
}
