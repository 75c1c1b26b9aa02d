package ldap

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/directory"
)

// follower applies the pages of reads of one stream to a copy, as the engine does.
type follower struct {
	c       *Connector
	stream  string
	objects map[string]string // by id, in stored form
	members map[string]string
	cursor  []byte
	// touched and removed are what the last delta named.
	touched, removed int
	notes            []string // of the last read
	// each is called after every page.
	each func()
}

func follow(t testing.TB, c *Connector, stream string) *follower {
	t.Helper()
	f := &follower{c: c, stream: stream}
	f.full(t)
	return f
}

// full starts anew.
func (f *follower) full(t testing.TB) {
	t.Helper()
	f.objects, f.members, f.cursor = make(map[string]string), make(map[string]string), nil
	if err := f.read(t.Context(), connectors.Full); err != nil {
		t.Fatalf("full read of %s: %v", f.stream, err)
	}
}

// field returns a field of an object as text.
func (f *follower) field(id, name string) string {
	o, err := directory.ParseObject([]byte(f.objects[id]))
	if err != nil {
		return "(no object)"
	}
	v, _ := o.Get(name)
	return v.String()
}

func (f *follower) delta(ctx context.Context) error { return f.read(ctx, connectors.Delta) }

func (f *follower) read(ctx context.Context, mode connectors.Mode) error {
	f.touched, f.removed, f.notes = 0, 0, nil
	return connectors.Guard(f.c).Read(ctx, connectors.Request{Stream: f.stream, Mode: mode, Cursor: f.cursor, Owners: f.owners}, func(p *connectors.Page) error {
		for i := range p.Objects {
			f.objects[p.Objects[i].ID] = string(directory.AppendObject(nil, &p.Objects[i]))
		}
		for _, m := range p.Members {
			names := slices.Clone(m.Add)
			slices.Sort(names)
			f.members[m.Group] = strings.Join(slices.Compact(names), " ")
		}
		for _, ref := range p.Removed {
			if _, ok := f.objects[ref.ID]; ok {
				f.removed++
			}
			delete(f.objects, ref.ID)
			delete(f.members, ref.ID)
		}
		f.touched += len(p.Objects)
		f.notes = append(f.notes, p.Notes...)
		if f.each != nil {
			f.each()
		}
		if p.Cursor != nil {
			f.cursor = slices.Clone(p.Cursor)
		}
		return nil
	})
}

func (f *follower) owners(_ context.Context, handles []string) ([]string, error) {
	ids := make([]string, len(handles))
	for id, data := range f.objects {
		o, err := directory.ParseObject([]byte(data))
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(handles, func(h string) bool { return slices.Contains(o.Handles, h) }); i >= 0 {
			ids[i] = id
		}
	}
	return ids, nil
}

// covers fails the test unless everything that a fresh full read gives is in the copy, too.
func (f *follower) covers(t testing.TB, after string) {
	t.Helper()
	fresh := &follower{c: f.c, stream: f.stream}
	fresh.full(t)
	for _, pair := range [][2]map[string]string{{f.objects, fresh.objects}, {f.members, fresh.members}} {
		for id := range pair[0] {
			if _, ok := pair[1][id]; !ok {
				delete(pair[0], id)
			}
		}
		compareMaps(t, f.stream+" after "+after, pair[0], pair[1])
	}
}

// same fails the test unless the copy is what a fresh full read gives.
func (f *follower) same(t testing.TB, after string) {
	t.Helper()
	fresh := &follower{c: f.c, stream: f.stream}
	fresh.full(t)
	compareMaps(t, f.stream+" after "+after, f.objects, fresh.objects)
	compareMaps(t, "members after "+after, f.members, fresh.members)
}

func compareMaps(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for id, value := range want {
		if got[id] != value {
			t.Errorf("%s: %s is\n%q, want\n%q", what, id, got[id], value)
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("%s: %s is not there", what, id)
		}
	}
}

// withUnits loads organizational units before a population. OpenLDAP 2.5 cannot rename a container that is younger
// than what it holds (result 80, "DN index add failed").
func withUnits(p slapdtest.Population, units ...string) func(io.Writer, string) error {
	return func(w io.Writer, suffix string) error {
		for _, ou := range units {
			if _, err := fmt.Fprintf(w, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", ou, suffix, ou); err != nil {
				return err
			}
		}
		return p.WriteLDIF(w, suffix)
	}
}

func TestSyncrepl(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 1000, Load: withUnits(slapdtest.Population{People: 50, Groups: 6}, "staff")})
	c := openFor(t, s, nil)
	users, groups := follow(t, c, streamUsers), follow(t, c, streamGroups)
	for _, step := range []struct {
		name             string
		do               func()
		touched, removed int // users
	}{
		{"nothing", func() {}, 0, 0},
		{"a change", func() { s.Replace(s.PersonDN("p3"), "title", "Boss") }, 1, 0},
		{"an addition", func() { s.AddPerson("new", nil) }, 1, 0},
		{"a rename", func() { s.Rename(s.PersonDN("p4"), "uid=four", "") }, 1, 0},
		{"a deletion", func() { s.Delete(s.PersonDN("p5")) }, 0, 1},
		{"members", func() {
			s.AddValues(s.GroupDN("g1"), "member", "uid=four,ou=people,"+s.Suffix)
			s.DeleteValues(s.GroupDN("g0"), "member", s.GroupDN("g1"))
		}, 0, 0},
		{"a change that leaves the filter", func() { s.Delete(s.GroupDN("g2")); s.Delete(s.PersonDN("p6")) }, 0, 1},
		{"added and deleted", func() { s.AddPerson("brief", nil); s.Delete(s.PersonDN("brief")) }, 0, 0},
		{"people in another container", func() {
			s.Rename(s.PersonDN("p7"), "uid=p7", "ou=staff,"+s.Suffix)
			s.Rename(s.PersonDN("p8"), "uid=p8", "ou=staff,"+s.Suffix)
		}, 2, 0},
		{"a renamed container", func() { s.Rename("ou=staff,"+s.Suffix, "ou=crew", "") }, 2, 0},
		{"a moved container", func() { s.Rename("ou=crew,"+s.Suffix, "ou=crew", "ou=people,"+s.Suffix) }, 2, 0},
	} {
		step.do()
		for _, f := range []*follower{users, groups} {
			if err := f.delta(t.Context()); err != nil {
				t.Fatalf("%s of %s: %v", step.name, f.stream, err)
			}
			f.same(t, step.name)
		}
		if users.touched != step.touched || users.removed != step.removed {
			t.Errorf("%s: %d people touched, %d removed; want %d and %d", step.name, users.touched, users.removed, step.touched, step.removed)
		}
	}
}

// requests reads a delta and counts the requests for it.
func requests(t *testing.T, f *follower) (int, error) {
	t.Helper()
	var m connectors.Meter
	err := f.delta(connectors.WithMeter(t.Context(), &m))
	return m.Requests(), err
}

// TestChangesDuringListing: what changes while a full read runs is named by the delta after it, wherever the listing
// stood.
func TestChangesDuringListing(t *testing.T) {
	for _, method := range []string{methodSyncrepl, methodTimestamp} {
		t.Run(method, func(t *testing.T) {
			s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Load: slapdtest.Population{People: 300, Groups: 2}.WriteLDIF})
			c := openFor(t, s, func(c *Config) { c.PageSize, c.Incremental = 20, method })
			f := &follower{c: c, stream: streamUsers, objects: make(map[string]string), members: make(map[string]string)}
			pages := 0
			f.each = func() {
				if pages++; pages == 2 {
					for _, uid := range []string{"p0", "p150", "p299"} {
						s.Replace(s.PersonDN(uid), "title", "changed")
					}
					s.AddPerson("late", nil)
					if method == methodSyncrepl {
						s.Delete(s.PersonDN("p1"))
						s.Delete(s.PersonDN("p298"))
					}
				}
			}
			if err := f.read(t.Context(), connectors.Full); err != nil {
				t.Fatal(err)
			}
			f.each = nil
			if err := f.delta(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.same(t, "changes during the listing")
		})
	}
}
