package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin/key"
)

// The world's people have no mail; their department stands for it here.
func byDepartment() []key.Field {
	return []key.Field{{Kind: key.Mail, Name: directory.FieldDepartment}}
}

func mailKeys(addresses ...string) (keys []key.Key) {
	for _, a := range addresses {
		keys = append(keys, key.Of(key.Mail, a)...)
	}
	return keys
}

// who looks for people, and says of each how it stands: "1 hq/1 user there enabled".
func (r *rig) who(where []Scope, keys ...key.Key) string {
	r.Helper()
	found, err := r.engine.Find(r.Context(), where, keys)
	if err != nil {
		r.Fatal(err)
	}
	var list []string
	for _, f := range found {
		list = append(list, fmt.Sprintf("%d:%s %s %s", f.Key, f.Partition, f.ID, r.standing(f.Owner)))
	}
	return strings.Join(list, "; ")
}

func (r *rig) standing(o Owner) string {
	r.Helper()
	s, err := r.engine.Standing(r.Context(), o)
	if err != nil {
		r.Fatal(err)
	}
	words := []string{o.Record}
	for _, k := range s.Kinds {
		words = append(words, k.String())
	}
	for _, f := range s.Fields {
		if f.Name == "name" {
			words = append(words, f.Value.Text())
		}
	}
	for word, holds := range map[string]bool{"there": s.There, "gone": s.Gone(), "disabled": !s.Enabled} {
		if holds {
			words = append(words, word)
		}
	}
	slices.Sort(words[1+len(s.Kinds):])
	return strings.Join(words, " ")
}

func hq(tenants ...string) []Scope { return []Scope{{Connection: "hq", Tenants: tenants}} }

func TestFindAndStanding(t *testing.T) {
	r := newRig(t, user("everyone", `enabled and department != ""`))
	r.conn.Match = byDepartment()
	r.people["1"] = person{name: "Ann", department: "Ann@Example.test"}
	r.people["2"] = person{name: "Bob", department: "bob@example.test"}
	r.people["3"] = person{name: "Twin", department: "bob@example.test"}
	r.people["4"] = person{name: "Nobody"}
	r.expect("first", Clean, "create user 1; create user 2; create user 3")
	ann, bob, eve := mailKeys("ann@EXAMPLE.test")[0], mailKeys("bob@example.test")[0], mailKeys("eve@example.test")[0]
	id := func(id string) key.Key { return key.Of(key.ID, id)[0] }
	const annThere = "0:hq 1 hq/1 user Ann there"
	for _, test := range []struct {
		what string
		keys []key.Key
		want string
	}{
		{"by mail", []key.Key{ann}, annThere},
		{"by id", []key.Key{id("1")}, annThere},
		{"several with one address", []key.Key{bob}, "0:hq 2 hq/2 user Bob there; 0:hq 3 hq/3 user Twin there"},
		{"nobody", []key.Key{eve, id("9")}, ""},
		{"no key", nil, ""},
		{"each once, by the first", []key.Key{eve, id("1"), ann}, "1:hq 1 hq/1 user Ann there"},
		{"in the order of the keys", []key.Key{id("3"), ann}, "0:hq 3 hq/3 user Twin there; 1:hq 1 hq/1 user Ann there"},
		{"without a record", []key.Key{id("4")}, "0:hq 4  there"},
	} {
		if got := r.who(hq(), test.keys...); got != test.want {
			t.Errorf("%s: got %q, want %q", test.what, got, test.want)
		}
	}
	if got := r.who([]Scope{{Connection: "hq2"}, {Connection: "hq", Tenants: []string{"contoso"}}, {}}, ann); got != "" {
		t.Errorf("elsewhere: %q", got)
	}

	r.people["1"] = person{name: "Ann", department: "ann@example.test", disabled: true}
	delete(r.people, "3")
	r.expect("disabled and left", Clean, "deactivate user 1; deactivate user 3")
	for _, test := range []struct {
		what string
		keys []key.Key
		want string
	}{
		{"disabled", []key.Key{ann}, "0:hq 1 hq/1 disabled there"},
		{"forgotten, by mail", []key.Key{bob}, "0:hq 2 hq/2 user Bob there"},
		{"forgotten, by id", []key.Key{id("3")}, "0:hq 3 hq/3 gone"},
	} {
		if got := r.who(hq(), test.keys...); got != test.want {
			t.Errorf("%s: got %q, want %q", test.what, got, test.want)
		}
	}
	if got := r.standing(Owner{Partition: r.part(), ID: "9"}); got != " gone" {
		t.Errorf("never known: %q", got)
	}
	if _, err := r.engine.Find(t.Context(), hq(), key.Of(key.Login, "ann@example.test")); fault.ClassOf(err) != fault.Transient {
		t.Errorf("by what has no index: %v", err)
	}

	// A new address is that of its new owner as soon as the page is stored.
	r.people["2"] = person{name: "Bob", department: "ann@example.test"}
	delete(r.people, "1")
	r.expect("an address goes on", Clean, "update user 2 team:bob@example.test>ann@example.test")
	if got := r.who(hq(), ann, bob); got != "0:hq 2 hq/2 user Bob there" {
		t.Errorf("after it: %q", got)
	}
}

// What is not there counts as gone with proof only, settled or not.
func TestStandingOfWhoIsMissing(t *testing.T) {
	for cause, want := range map[store.GoneCause]string{
		store.NamedRemoved: "hq/1 user Ann gone", store.Absent: "hq/1 user Ann gone", store.OutOfScope: "hq/1 user Ann",
		store.EmptyListing: "hq/1 user Ann", store.NotRead: "hq/1 user Ann", store.Here: "hq/1 user Ann there",
	} {
		r := newRig(t)
		r.conn.Match = byDepartment()
		r.people["1"] = person{name: "Ann", department: "ann@example.test"}
		r.expect("first", Clean, "create user 1")
		err := r.store.Update(t.Context(), r.part(), func(tx store.Writer) error {
			nums, err := tx.Lookup([]string{directory.IDHandle("1")}, nil)
			if err != nil {
				return err
			}
			return tx.SetGone(directory.Person, nums[0], cause)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.who(hq(), mailKeys("ann@example.test")...); got != "0:hq 1 "+want {
			t.Errorf("%s: got %q, want %q", cause, got, want)
		}
	}
}

// The index comes and goes with the configuration; where nobody signs in there is none, and no write for it.
func TestIndex(t *testing.T) {
	r := newRig(t)
	r.people["1"] = person{name: "Ann", department: "ann@example.test"}
	r.expect("first", Clean, "create user 1")
	fields := func() (f []key.Field) {
		err := r.store.View(t.Context(), r.part(), func(tx store.Reader) (err error) { f, err = tx.Matching(); return err })
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ann := mailKeys("ann@example.test")
	writes := countWrites(r)
	index := func() {
		t.Helper()
		if err := r.engine.Index(t.Context(), r.conn); err != nil {
			t.Fatal(err)
		}
	}
	index()
	if *writes != 0 || fields() != nil {
		t.Errorf("without sign-in: %d writes, %v", *writes, fields())
	}
	if _, err := r.engine.Find(t.Context(), hq(), ann); fault.ClassOf(err) != fault.Transient {
		t.Errorf("without an index: %v", err)
	}
	r.conn.Match = byDepartment()
	index()
	index()
	if *writes != 1 || r.who(hq(), ann...) != "0:hq 1 hq/1 user Ann there" {
		t.Errorf("switched on: %d writes, %q", *writes, r.who(hq(), ann...))
	}
	r.people["2"] = person{name: "Bob", department: "bob@example.test"}
	r.conn.Match = nil
	r.expect("switched off, and a run", Clean, "create user 2")
	if fields() != nil {
		t.Errorf("switched off: %v", fields())
	}
	r.conn.Match = byDepartment()
	r.people["3"] = person{name: "Eve", department: "eve@example.test"}
	r.expect("switched on, and a run", Clean, "create user 3")
	if got := r.who(hq(), mailKeys("bob@example.test", "eve@example.test")...); got != "0:hq 2 hq/2 user Bob there; 1:hq 3 hq/3 user Eve there" {
		t.Errorf("switched on by a run: %q", got)
	}
}

// Each tenant has people of its own: whoever asks for one is told of no other.
func TestFindInTenants(t *testing.T) {
	r := newRig(t)
	r.conn.Match = byDepartment()
	r.people["1"] = person{name: "Ann", department: "ann@example.test"}
	for _, tenant := range []string{"adatum", "contoso"} {
		if res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{ID: tenant}, Job{}); res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	ann := mailKeys("ann@example.test")
	for _, test := range []struct {
		where []Scope
		want  string
	}{
		{hq("contoso"), "0:hq/contoso 1 hq/contoso/1 user Ann there"},
		{hq(), "0:hq/adatum 1 hq/adatum/1 user Ann there; 0:hq/contoso 1 hq/contoso/1 user Ann there"},
		{append(hq("contoso"), hq()...), "0:hq/contoso 1 hq/contoso/1 user Ann there; 0:hq/adatum 1 hq/adatum/1 user Ann there"},
		{hq("fabrikam"), ""},
		{nil, ""},
	} {
		if got := r.who(test.where, ann...); got != test.want {
			t.Errorf("in %v: got %q, want %q", test.where, got, test.want)
		}
	}
}

// stopped is a world that stops after the first page of people until it may go on.
type stopped struct {
	*world
	reached, goOn chan struct{}
	once          sync.Once
}

func (s *stopped) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return s.world.Read(ctx, req, func(p *connectors.Page) error {
		err := emit(p)
		if req.Stream == "users" {
			s.once.Do(func() {
				close(s.reached)
				<-s.goOn
			})
		}
		return err
	})
}

// Whoever is known waits neither for a run that is between two pages nor for a transaction that is not over.
func TestFindWaitsForNobody(t *testing.T) {
	r := newRig(t)
	r.conn.Match = byDepartment()
	for i := range 5 {
		r.people[fmt.Sprint(i)] = person{name: fmt.Sprint("P", i), department: fmt.Sprintf("p%d@example.test", i)}
	}
	r.expect("first", Clean, "create user 0; create user 1; create user 2; create user 3; create user 4")
	r.people["0"] = person{name: "P0", department: "p0@example.test", disabled: true}
	source := &stopped{world: r.world, reached: make(chan struct{}), goOn: make(chan struct{})}
	r.conn.Source = source
	var done sync.WaitGroup
	done.Go(func() {
		if res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{Full: true}); res.Err != nil {
			t.Error(res.Err)
		}
	})
	<-source.reached
	if got := r.who(hq(), mailKeys("p0@example.test", "p4@example.test")...); got != "0:hq 0 hq/0 user P0 disabled there; 1:hq 4 hq/4 user P4 there" {
		t.Errorf("in the middle of a read: %q", got)
	}
	begun, end := make(chan struct{}), make(chan struct{})
	var once sync.Once
	done.Go(func() {
		err := r.store.Update(t.Context(), r.part(), func(store.Writer) error {
			once.Do(func() { close(begun) })
			<-end
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	if got := r.who(hq(), mailKeys("p3@example.test")...); got != "0:hq 3 hq/3 user P3 there" {
		t.Errorf("while somebody writes: %q", got)
	}
	close(end)
	close(source.goOn)
	done.Wait()
	if got := r.who(hq(), mailKeys("p0@example.test")...); got != "0:hq 0 hq/0 disabled there" {
		t.Errorf("after it: %q", got)
	}
}
