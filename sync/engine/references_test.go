package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// namingSpec makes records that name others by their keys. Who has a record depends on groups, managers and customers.
func namingSpec() mapping.Spec {
	spec := wideSpec()
	out := mapping.RuleSpec{Name: "out", When: mapping.TextSpec{Text: `"team-a" in groups or manager.name == "P7"`}, Ignore: true}
	spec.Rules = []mapping.RuleSpec{out, agent("desk", `"desk" in groups`), user("everyone", "enabled")}
	spec.Devices = []mapping.RuleSpec{rule("all", "true", directory.AssetRecord)}
	spec.Customers = []mapping.RuleSpec{rule("most", `name != "C0"`, directory.CustomerRecord)}
	spec.Sites = []mapping.RuleSpec{rule("ours", `customer.name != "C1"`, directory.SiteRecord)}
	spec.Fields = map[directory.RecordKind][]mapping.FieldSpec{
		directory.UserRecord:  {clearing("boss", "= manager.key"), clearing("customer", "= customer.key"), clearing("site", "= site.key")},
		directory.AgentRecord: {clearing("boss", "= manager.key")},
		directory.SiteRecord:  {clearing("customer", "= customer.key")},
		directory.AssetRecord: {clearing("owner", "= owner.key"), clearing("site", "= site.key")},
	}
	return spec
}

func newNaming(t *testing.T) *rig { return newNamingBy(t, namingSpec()) }

func newNamingBy(t *testing.T, spec mapping.Spec) *rig {
	t.Helper()
	r := newRig(t)
	r.wide = true
	r.mapping(spec)
	r.conn.Guard, r.conn.Lists = nil, plan.Lists{}
	return r
}

// TestReferencesByKey: a field names another record by its key as long as there is one, whatever takes it away or brings it.
func TestReferencesByKey(t *testing.T) {
	r := newNaming(t)
	r.people["1"] = person{name: "Report", manager: "p:2"}
	r.add("2", "Boss")
	r.devices["pc"], r.groups["other"] = "p:2", []string{"p:1"}
	r.customers["acme"], r.sites["oslo"] = "Acme", "acme"
	r.belongTo["1"], r.belongTo["pc"] = belongs("acme", "oslo"), belongs("", "oslo")
	r.expect("first", Clean, "create customer acme", "create site oslo", "create user 1", "create user 2", "create asset pc")
	first := r.active()
	for _, part := range []string{"boss=hq/2", "owner=hq/2", "customer=hq/acme", "site=hq/oslo"} {
		if !strings.Contains(first, part) {
			t.Errorf("%s is not in\n%s", part, first)
		}
	}
	r.expect("idle", Clean)
	r.people["2"] = person{name: "Boss", department: "Sales"}
	r.customers["acme"] = "Acme Ltd"
	r.expect("others by another name", Clean)
	r.groups["team-a"] = []string{"p:2"}
	r.expect("out by a group", Clean, "update user 1 boss:hq/2>", "deactivate user 2", "update asset pc owner:hq/2>")
	reasons, err := r.engine.Why(t.Context(), r.conn, connectors.Tenant{}, directory.UserRecord, "1")
	if err != nil || reasons[0].Fields[0].Error != "the manager has no record: no rule makes one, or it waits for a seat or an approval" {
		t.Errorf("why: %+v, %v", reasons, err)
	}
	delete(r.groups, "team-a")
	r.expect("in again", Clean, "update user 1 boss:>hq/2", "reactivate user 2", "update asset pc owner:>hq/2")
	r.groups["desk"] = []string{"p:2"}
	r.expect("another kind of record", Clean, "deactivate user 2", "create agent 2")
	r.customers["acme"] = "C0"
	r.expect("the customer has no record", Clean, "update site oslo customer:hq/acme>", "update user 1 customer:hq/acme>", "deactivate customer acme")
	r.customers["acme"] = "C1"
	r.expect("nor has the site", Clean, "reactivate customer acme", "update user 1 customer:>hq/acme site:hq/oslo>", "update asset pc site:hq/oslo>", "deactivate site oslo")
	if got := r.active(); got == first {
		t.Error("nothing changed")
	}
}

// TestReferencesToHeld: whose removal waits has a record as long as it does.
func TestReferencesToHeld(t *testing.T) {
	r := newNaming(t)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		r.people[id] = person{name: "P", manager: "p:2"}
	}
	r.expect("first", Clean, "create user 1", "create user 2", "create user 3", "create user 4", "create user 5")
	one := 1
	r.conn.Guard = plan.Guard{directory.Deactivate: plan.Limit{Count: &one}}
	r.people["2"] = person{name: "P", manager: "p:2", disabled: true}
	delete(r.people, "3")
	res := r.expect("two go", Held)
	r.job.Approve = res.Run.Held
	r.expect("approved", Clean, "update user 1 boss:hq/2>", "deactivate user 2", "deactivate user 3", "update user 4 boss:hq/2>", "update user 5 boss:hq/2>")
}

// TestReferencesRandom: however a directory changes, the references are those that a fresh start would make of it.
func TestReferencesRandom(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for i := range rounds {
		t.Run(fmt.Sprint("seed ", i), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(i), 3))
			r := newNaming(t)
			for range 12 {
				r.randomRun(rnd)
			}
			r.likeFreshNaming()
		})
	}
}

func (r *rig) likeFreshNaming() { r.likeFreshNamingBy(namingSpec()) }

func (r *rig) likeFreshNamingBy(spec mapping.Spec) {
	r.Helper()
	r.settleDown()
	fresh := newNamingBy(r.T, spec)
	fresh.people, fresh.groups = r.people, r.groups
	fresh.licences, fresh.devices, fresh.customers, fresh.sites, fresh.belongTo = r.licences, r.devices, r.customers, r.sites, r.belongTo
	fresh.sync()
	if got, want := r.active(), fresh.active(); got != want {
		r.Errorf("after changes:\n%s\na fresh start:\n%s", got, want)
	}
	r.mustFollow()
}

// managedSpec makes records of groups that name who manages them.
func managedSpec() mapping.Spec {
	spec := namingSpec()
	spec.Groups = []mapping.RuleSpec{rule("led by somebody", "manager.enabled ?? false", directory.GroupRecord)}
	spec.Fields[directory.GroupRecord] = []mapping.FieldSpec{clearing("manager", "= manager.key"), clearing("lead", "= manager.name")}
	return spec
}

func managedBy(person string) []directory.Link {
	return []directory.Link{{Type: directory.Manager, To: "p:" + person}}
}

// TestManagerOfAGroup: rules for groups look at who manages one, and a change of that person concerns the group.
func TestManagerOfAGroup(t *testing.T) {
	r := newNamingBy(t, managedSpec())
	r.add("1", "Head")
	r.add("2", "Next")
	r.groups["sales"], r.belongTo["sales"] = []string{"p:2"}, managedBy("1")
	r.groups["nobody's"] = []string{"p:2"}
	r.expect("first", Clean, "create user 1", "create user 2", "create group sales +hq/2 -")
	if got := r.active(); !strings.Contains(got, "lead=Head manager=hq/1") {
		t.Errorf("nobody manages the group:\n%s", got)
	}
	r.people["1"] = person{name: "Head of Sales"}
	r.expect("another name", Clean, "update group sales lead:Head>Head of Sales")
	r.belongTo["sales"] = managedBy("2")
	r.expect("another manager", Clean, "update group sales lead:Head of Sales>Next manager:hq/1>hq/2")
	r.groups["team-a"] = []string{"p:2"}
	r.expect("who has no record any more", Clean, "deactivate user 2", "update group sales manager:hq/2> + -hq/2")
	delete(r.groups, "team-a")
	r.expect("and has one again", Clean, "reactivate user 2", "update group sales manager:>hq/2 +hq/2 -")
	delete(r.belongTo, "sales")
	r.expect("nobody", Clean, "deactivate group sales")
}

// TestManagersOfGroupsRandom: however a directory changes, groups name those whom a fresh start would have them name.
func TestManagersOfGroupsRandom(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for i := range rounds {
		t.Run(fmt.Sprint("seed ", i), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(i), 5))
			r := newNamingBy(t, managedSpec())
			for range 12 {
				if group := []string{"desk", "team-a", "other"}[rnd.IntN(3)]; rnd.IntN(4) > 0 {
					r.belongTo[group] = managedBy(fmt.Sprint(rnd.IntN(12)))
				} else {
					delete(r.belongTo, group)
				}
				r.randomRun(rnd)
			}
			r.likeFreshNamingBy(managedSpec())
		})
	}
}

// TestReferencesAfterACut: a run is cut anywhere while somebody whom others name gains or loses a record.
func TestReferencesAfterACut(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			r := newNaming(t)
			r.customers["acme"], r.sites["oslo"] = "Acme", "acme"
			for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
				r.people[id] = person{name: "P" + id, manager: "p:3"}
				r.devices["d"+id] = "p:3"
				r.belongTo[id] = belongs("acme", "oslo")
			}
			r.sync()
			r.groups["team-a"] = []string{"p:3"}
			r.customers["acme"] = "C1"
			cut := &cutStore{Store: r.store, left: n, after: after}
			r.engine.store = cut
			r.sync()
			r.engine = New(r.store, r.engine.opts)
			r.likeFreshNaming()
			if !cut.dead.Load() {
				break
			}
		}
	}
}

// TestReferencesToKept: who keeps the record though no rule makes one any longer is named as before.
func TestReferencesToKept(t *testing.T) {
	r := newNaming(t)
	spec := namingSpec()
	spec.Keep = []mapping.KeepSpec{{Name: "by hand", Keys: []string{"hq/2"}}}
	r.mapping(spec)
	r.people["1"] = person{name: "Report", manager: "p:2"}
	r.add("2", "Boss")
	r.expect("first", Clean, "create user 1", "create user 2")
	r.people["2"] = person{name: "Boss", disabled: true}
	r.expect("disabled and kept", Clean)
	if got := r.active(); !strings.Contains(got, "boss=hq/2") {
		t.Errorf("the key is gone:\n%s", got)
	}
	spec.Keep = nil
	r.mapping(spec)
	r.expect("kept no longer", Clean, "update user 1 boss:hq/2>", "deactivate user 2")
}

// TestReferencesToWaiting: who waits for a seat, or for the operator, has no record yet, and nobody is made to wait for it.
func TestReferencesToWaiting(t *testing.T) {
	t.Run("a seat", func(t *testing.T) {
		r := newNaming(t)
		spec := namingSpec()
		spec.Seats = map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Total: new(0)}}
		r.mapping(spec)
		r.people["1"] = person{name: "Report", manager: "p:2"}
		r.add("2", "Boss")
		r.groups["desk"] = []string{"p:2"}
		for range 2 {
			r.sync()
			if got := r.active(); !strings.Contains(got, "hq/1") || strings.Contains(got, "hq/2") {
				t.Errorf("named without a record:\n%s", got)
			}
		}
		spec.Seats = map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Total: new(1)}}
		r.mapping(spec)
		r.expect("a seat is there", Clean, "update user 1 boss:>hq/2", "create agent 2")
	})
	t.Run("the operator", func(t *testing.T) {
		r := newNaming(t)
		r.add("1", "Report")
		r.expect("first", Clean, "create user 1")
		one := 1
		r.conn.Guard = plan.Guard{directory.Create: plan.Limit{Count: &one}}
		r.people["1"] = person{name: "Report", manager: "p:2"}
		for _, id := range []string{"2", "3"} {
			r.add(id, "New")
		}
		res := r.expect("two join", Held)
		if got := r.active(); strings.Contains(got, "boss=hq/2") {
			t.Errorf("named without a record:\n%s", got)
		}
		r.job.Approve = res.Run.Held
		r.expect("approved", Clean, "update user 1 boss:>hq/2", "create user 2", "create user 3")
	})
}
