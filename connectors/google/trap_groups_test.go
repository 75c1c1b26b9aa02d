package google

import (
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func TestKindsOfMember(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	person := cust.AddUser(googlesim.User{Email: "a@example.test"})
	inner := cust.AddGroup(googlesim.Group{Email: "inner@example.test"})
	outer := cust.AddGroup(googlesim.Group{Email: "outer@example.test", Members: []googlesim.Member{
		{ID: person, Email: "a@example.test", Type: "USER"}, {ID: inner, Email: "inner@example.test", Type: "GROUP"},
		{ID: cust.ID, Type: "CUSTOMER"}, {ID: "77", Email: "Someone@Partner.example", Type: "EXTERNAL"}, {Email: "nobody@partner.example", Type: "EXTERNAL"},
	}})
	cust.Join(inner, googlesim.Member{ID: outer, Email: "outer@example.test", Type: "GROUP"}) // a circle
	c := r.open(t, nil)
	w := r.full(t, c, streamGroups)
	want := []string{"id:" + cust.ID, "id:" + inner, "id:" + person, "mail:nobody@partner.example", "mail:someone@partner.example"}
	slices.Sort(want)
	if !slices.Equal(w.members[outer], want) {
		t.Errorf("members %v, want %v", w.members[outer], want)
	}
	if !w.has(directory.Group, cust.ID) {
		t.Error("the whole customer is a member, and there is no group that stands for it")
	}
	people := r.full(t, c, streamUsers)
	if !slices.Contains(people.person(t, person).Links, directory.Link{Type: directory.MemberOf, To: "id:" + cust.ID}) {
		t.Error("a person does not say that it is one of the customer's")
	}
	// Without such a member the group stays: no event would tell of its end. With the option off there is neither
	// group nor link.
	cust.EditGroup(outer, "REMOVE_GROUP_MEMBER", func(g *googlesim.Group) { g.Members = g.Members[:2] })
	if w := r.full(t, c, streamGroups); !w.has(directory.Group, cust.ID) {
		t.Error("the group of the whole customer is gone")
	}
	off := r.open(t, func(cfg *Config) { cfg.Groups.Organisation = false })
	if w := r.full(t, off, streamGroups); w.has(directory.Group, cust.ID) {
		t.Error("the option is off, and there is a group for the whole customer")
	}
	if links := r.full(t, off, streamUsers).person(t, person).Links; len(links) > 0 {
		t.Errorf("links %v", links)
	}
}

func TestGroupsThatVanish(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	cust.Fill(30)
	groups := cust.Groups()
	victim := groups[len(groups)/2]
	c := r.open(t, nil)
	calm := r.full(t, c, streamGroups)
	// Deleted between the list and its members.
	r.Misbehave(googlesim.Fault{Match: "/groups/" + victim.ID + "/members", Kind: googlesim.Watch, Times: 1, Rewrite: func(map[string]any) { cust.DeleteGroup(victim.ID) }})
	w := r.full(t, c, streamGroups)
	if w.has(directory.Group, victim.ID) || len(w.objects) != len(calm.objects)-1 {
		t.Errorf("%d groups, one is gone, were %d", len(w.objects), len(calm.objects))
	}
}

func TestGroupAddressUsedAgain(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	first := cust.AddGroup(googlesim.Group{Email: "team@example.test", Name: "First"})
	c := r.open(t, nil)
	w := r.full(t, c, streamGroups)
	cust.DeleteGroup(first)
	second := cust.AddGroup(googlesim.Group{Email: "team@example.test", Name: "Second"})
	w.delta(t, c, streamGroups)
	if w.has(directory.Group, first) || !w.has(directory.Group, second) {
		t.Errorf("the first is known: %t, the second: %t", w.has(directory.Group, first), w.has(directory.Group, second))
	}
	// After a restart nobody knows whose address it was: everything is read.
	cust.DeleteGroup(second)
	err := w.read(t.Context(), r.open(t, nil), "", streamGroups, connectors.Delta)
	if fault.ClassOf(err) != fault.CursorExpired {
		t.Errorf("a group was deleted whose address is not known: %v", err)
	}
}
