package entra

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
)

// TestGroupOwners: owners come with the groups in a first round, whatever page names them, and a group whose owners change is
// asked for by itself.
func TestGroupOwners(t *testing.T) {
	for name, kind := range map[string]microsoftsim.Kind{"tracked": microsoftsim.Workforce, "untracked": microsoftsim.B2C} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, microsoftsim.TenantOptions{Kind: kind, Population: microsoftsim.Population{People: 20, Groups: 6}}, microsoftsim.Pages{Groups: 1, Members: 3})
			one, two, many := w.tenant.GroupID(0), w.tenant.GroupID(1), w.tenant.GroupID(2)
			for i := range 20 {
				w.tenant.AddMember(many, w.tenant.PersonID(i))
			}
			owners := []string{w.tenant.PersonID(3), w.tenant.PersonID(5), w.tenant.PersonID(7)}
			w.tenant.SetOwners(one, owners[0])
			w.tenant.SetOwners(many, owners...)
			c := w.open(func(c *Config) { c.GroupOwners = true })
			m := newModel(t, c)
			of := func(group string) (ids []string) {
				for _, l := range m.objects[directory.Ref{Kind: directory.Group, ID: group}].Links {
					ids = append(ids, strings.TrimPrefix(l.To, "id:"))
				}
				return ids
			}
			check := func(when, group string, want ...string) {
				t.Helper()
				slices.Sort(want)
				if got := of(group); !slices.Equal(got, want) {
					t.Errorf("%s: the owners are %q, want %q", when, got, want)
				}
			}
			sync := func() {
				t.Helper()
				w.s.ResetCounts()
				if err := m.sync(false); err != nil {
					t.Fatal(err)
				}
			}
			sync()
			check("first", one, owners[0])
			check("first", two)
			check("first", many, owners...)
			if n := w.s.Requests("/owners"); n != 0 {
				t.Errorf("the first round asked %d times for owners", n)
			}
			w.tenant.SetOwners(one)
			w.tenant.SetOwners(two, owners[1])
			w.tenant.SetOwners(many, owners[1:]...)
			sync()
			check("gone", one)
			check("new", two, owners[1])
			check("one less", many, owners[1:]...)
			if n := w.s.Requests("/owners"); name == "tracked" && n != 3 {
				t.Errorf("three groups have other owners, and %d were asked for them", n)
			}
			w.tenant.Set(two, microsoftsim.Props{"mailEnabled": true})
			sync()
			check("half known", two, owners[1])
			w.tenant.SoftDelete(many)
			sync()
			w.tenant.Restore(many)
			sync()
			check("restored", many, owners[1:]...)
		})
	}
}

// TestGroupOwnersAfterAnInterruption: a first round that goes on in another life knows nothing of the pages before.
func TestGroupOwnersAfterAnInterruption(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 20, Groups: 4}}, microsoftsim.Pages{Groups: 1, Members: 3})
	group := w.tenant.GroupID(0)
	for i := range 20 {
		w.tenant.AddMember(group, w.tenant.PersonID(i))
	}
	owners := []string{w.tenant.PersonID(3)} // the first page names them all
	w.tenant.SetOwners(group, owners...)
	open := func() *Connector { return w.open(func(c *Config) { c.GroupOwners = true }) }
	stop := errors.New("killed")
	var resume []byte
	err := open().Read(t.Context(), connectors.Request{Stream: streamGroups, Mode: connectors.Full}, func(p *connectors.Page) error {
		if p.Resumable {
			resume = slices.Clone(p.Cursor)
		}
		return stop
	})
	if !errors.Is(err, stop) || len(resume) == 0 {
		t.Fatal(err)
	}
	rest, _, err := readAll(t, open(), streamGroups, connectors.Full, resume)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range rest[group].Links {
		got = append(got, strings.TrimPrefix(l.To, "id:"))
	}
	if !slices.Equal(got, owners) {
		t.Errorf("the owners are %q, want %q", got, owners)
	}
}

// TestOwnersOfARoundThatBreaksOff: what a round of everything has not named when it breaks off is not lost, and who is no owner any more
// goes with the next round that is whole.
func TestOwnersOfARoundThatBreaksOff(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 60, Groups: 4}}, microsoftsim.Pages{Groups: 1, Members: 5})
	group := w.tenant.GroupID(0)
	for i := range 20 {
		w.tenant.AddMember(group, w.tenant.PersonID(i))
	}
	w.owners = true
	w.tenant.SetOwners(group, w.tenant.PersonID(1), w.tenant.PersonID(2), w.tenant.PersonID(3))
	m := newModel(t, w.open(func(c *Config) { c.GroupOwners = true }))
	check := func(what string) {
		t.Helper()
		if d := differences(people(m.dump()), w.truth()); d != "" {
			t.Errorf("%s:\n%s", what, d)
		}
	}
	if err := m.sync(false); err != nil {
		t.Fatal(err)
	}
	check("at first")
	w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.NoLink, Path: "/groups/delta", Skip: 1, Times: 1})
	if err := m.sync(true); err == nil {
		t.Fatal("the round did not break off")
	}
	if err := m.sync(false); err != nil {
		t.Fatal(err)
	}
	check("after a round that broke off")
	w.tenant.SetOwners(group, w.tenant.PersonID(2))
	if err := m.sync(true); err != nil {
		t.Fatal(err)
	}
	check("after a whole one")
}
