package ldap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
)

// memory is a reader that keeps digests, and knows every entry again under the basis of last time.
type memory struct {
	basis string
	known map[connectors.Digest]bool
}

// read reads a stream in full and says which entries were translated, and how many were known.
func (m *memory) read(t *testing.T, c *Connector, stream string) (translated []string, same int) {
	t.Helper()
	req := connectors.Request{Stream: stream, Mode: connectors.Full}
	req.Same = func(_ context.Context, basis string) (func(connectors.Digest) bool, error) {
		if basis != m.basis {
			m.basis, m.known = basis, map[connectors.Digest]bool{}
		}
		known := maps.Clone(m.known)
		return func(d connectors.Digest) bool { return known[d] }, nil
	}
	err := connectors.Guard(c).Read(t.Context(), req, func(p *connectors.Page) error {
		if len(p.Digests) > 0 && len(p.Digests) != len(p.Objects) {
			t.Errorf("%d digests of %d objects", len(p.Digests), len(p.Objects))
		}
		for i := range p.Objects {
			name, _ := p.Objects[i].Get("name")
			translated = append(translated, name.Text())
			if len(p.Digests) > 0 && p.Digests[i] != (connectors.Digest{}) {
				m.known[p.Digests[i]] = true
			}
		}
		same += len(p.Same)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(translated)
	return translated, same
}

// fakeOpenLDAP has three people and three groups: one person's account ends some day, one group has a member outside of what is read, and one
// is made up by the server.
func fakeOpenLDAP() *fakeDirectory {
	d := &fakeDirectory{root: map[string][]string{"supportedControl": {ldap.ControlTypePaging}, "namingContexts": {"DC=example,DC=test"}}}
	add := func(class, name string, more map[string][]string) {
		e := fakeEntry{"cn=" + name + ",DC=example,DC=test", class, map[string][]string{
			"entryUUID": {fmt.Sprintf("00112233-4455-6677-8899-aabbccddee%02x", len(d.entries))}, "cn": {name}, "createTimestamp": {"20260101000000Z"}, "objectGUID": {fakeGUID(len(d.entries))},
		}}
		for name, values := range more {
			e.attributes[name] = values
		}
		d.entries = append(d.entries, e)
	}
	add("person", "Ann", nil)
	add("person", "Bob", nil)
	add("person", "Cyd", map[string][]string{"pwdEndTime": {"20990101000000Z"}})
	add("groupOfNames", "Desk", map[string][]string{"member": {"cn=Ann,DC=example,DC=test"}})
	add("groupOfNames", "Far", map[string][]string{"member": {"cn=Eve,DC=elsewhere,DC=test"}})
	add("groupOfNames", "Made", map[string][]string{"memberURL": {"ldap:///DC=example,DC=test??sub?(cn=*)"}})
	return d
}

func TestSameEntries(t *testing.T) {
	d := fakeOpenLDAP()
	f := newFakeServer(t, d)
	expect := func(m *memory, c *Connector, what, stream string, same int, want ...string) {
		t.Helper()
		if got, n := m.read(t, c, stream); !slices.Equal(got, want) || n != same {
			t.Errorf("%s: %s: translated %q and %d are the same, want %q and %d", what, stream, got, n, want, same)
		}
	}
	users, groups := &memory{}, &memory{}
	c := f.open(t, nil)
	expect(users, c, "first", streamUsers, 0, "Ann", "Bob", "Cyd")
	expect(groups, c, "first", streamGroups, 0, "Desk", "Far", "Made")
	expect(users, c, "whose state follows from the time", streamUsers, 2, "Cyd")
	expect(groups, c, "who is counted, or made up", streamGroups, 1, "Far", "Made")

	d.entries[1].attributes["cn"] = []string{"Bert"}
	d.entries[3].attributes["member"] = append(d.entries[3].attributes["member"], "cn=Bob,DC=example,DC=test")
	expect(users, c, "changed", streamUsers, 1, "Bert", "Cyd")
	expect(groups, c, "changed", streamGroups, 0, "Desk", "Far", "Made")
	expect(groups, f.open(t, nil), "another process", streamGroups, 1, "Far", "Made")

	for what, change := range map[string]func(*Config){
		"a field":       func(c *Config) { c.Fields = map[string]Names{"title": {"cn"}} },
		"an attribute":  func(c *Config) { c.Attributes = attributesNamed("description") },
		"another base":  func(c *Config) { c.Users.Base = Names{"DC=example,DC=test"} },
		"a search's":    func(c *Config) { c.Users.Search = []SearchLine{{Name: "site", Base: "OU=x,DC=other,DC=test"}} },
		"the next read": nil,
	} {
		again := f.open(t, change)
		m := &memory{basis: users.basis, known: users.known}
		if change == nil {
			expect(m, again, what, streamUsers, 2, "Cyd")
			continue
		}
		if got, n := m.read(t, again, streamUsers); n > 0 {
			t.Errorf("%s: %q were translated and %d are the same", what, got, n)
		}
	}
}

// Where an entry's object depends on others, or on more answers, there are no digests.
func TestSameEntriesOnlyWhereTheyTellAll(t *testing.T) {
	for what, change := range map[string]func(*Config){
		"found twice":        func(c *Config) { c.Users.Base = Names{"DC=example,DC=test", "OU=staff,DC=example,DC=test"} },
		"an id of one's own": func(c *Config) { c.Anchor.Users = "cn" },
		"latest change":      func(c *Config) { c.Incremental = methodTimestamp },
	} {
		c, m := newFakeServer(t, fakeOpenLDAP()).open(t, change), &memory{}
		m.read(t, c, streamUsers)
		if len(m.known) > 0 {
			t.Errorf("%s: %d digests", what, len(m.known))
		}
	}
	d := fakeAD()
	d.maxRange = 5
	for i := range 12 {
		d.entries[36].attributes["member"] = append(d.entries[36].attributes["member"], fakeUserDN(i))
	}
	c, m := newFakeServer(t, d).open(t, nil), &memory{}
	m.read(t, c, streamGroups)
	if got, n := m.read(t, c, streamGroups); n != 2 || !slices.Equal(got, []string{"Sales"}) {
		t.Errorf("a list in parts: translated %q and %d are the same", got, n)
	}
}
