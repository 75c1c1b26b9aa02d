package engine

import (
	"strings"
	"testing"

	"dirsyncd/store"
)

// heldFor is the reason for which the only plan is held.
func (r *rig) heldFor(reason string) {
	r.Helper()
	held := r.state().Held
	if held == nil || held.RemovalsOnly || !strings.Contains(strings.Join(held.Reasons, "; "), reason) {
		r.Errorf("held: %+v, want a reason with %q", held, reason)
	}
}

// Another attribute fills a field by which rules tell people apart: what follows waits, and goes when that is reverted.
func TestFieldIsFilledFromElsewhere(t *testing.T) {
	r := newRig(t, agent("desk", `department == "Desk"`), user("everyone", "enabled"))
	r.conn.Guard = nil
	r.says["users"] = []string{"department: departmentNumber", "id: uuid"}
	r.people["1"] = person{name: "P1", department: "Desk"}
	r.people["2"] = person{name: "P2", department: "Sales"}
	r.sync()
	r.says["users"] = []string{"department: departmentNumber, ou", "id: uuid"}
	r.expect("one more to fall back to", Clean)

	former := r.people
	r.people = map[string]person{"1": {name: "P1"}, "2": {name: "P2", department: "Sales"}, "3": {name: "P3"}}
	r.says["users"] = []string{"department: ou", "id: uuid"}
	r.expect("another attribute", Held)
	r.heldFor("department of users comes from ou in place of departmentNumber, ou")
	r.expect("nobody decided yet", Held)

	saved := r.people
	r.people = former
	r.says["users"] = []string{"department: departmentNumber, ou", "id: uuid"}
	r.expect("reverted", Clean)

	r.people = saved
	r.says["users"] = []string{"department: ou", "id: uuid"}
	r.job.Approve = r.expect("and edited again", Held).Run.Held
	r.job.Offline = true
	r.expect("approved", Clean, "deactivate agent 1", "create user 1", "create user 3")
	delete(r.people, "3")
	r.expect("afterwards all is as ever", Clean, "deactivate user 3")
}

// What the rules never looked at may go without anybody's leave, unless the rules were edited at the same time.
func TestWhatNobodyLooksAtMayGo(t *testing.T) {
	for _, edited := range []bool{false, true} {
		r := newRig(t)
		r.says["users"] = []string{"attributes.desk", "manager", "id: uuid"}
		r.add("1", "P1")
		r.sync()
		r.says["users"] = []string{"id: uuid"}
		r.add("2", "P2")
		if !edited {
			r.expect("not looked at", Clean, "create user 2")
			continue
		}
		r.rules(user("all", "enabled"))
		r.expect("rules were edited, too", Held)
		r.heldFor("attributes.desk of users is no longer read; manager of users is no longer read")
	}
}

// Groups are switched off: their memberships no longer count, and what follows waits.
func TestStreamIsSwitchedOff(t *testing.T) {
	r := newRig(t, agent("desk", `"g" in groups`), user("everyone", "enabled"))
	r.conn.Guard = nil
	r.add("1", "P1")
	r.add("2", "P2")
	r.groups["g"] = []string{"p:1"}
	r.sync()
	r.off["groups"] = true
	r.add("3", "P3")
	r.expect("groups are off", Held)
	r.heldFor("groups are no longer read")
	r.add("4", "P4")
	r.expect("and a joiner", Held)

	r.off["groups"] = false
	r.groups["g"] = []string{"p:1", "p:4"}
	r.expect("groups are on again", Clean, "create user 3", "create agent 4")

	r.off["groups"] = true
	r.job.Approve = r.expect("off again", Held).Run.Held
	r.job.Offline = true
	r.expect("approved", Clean, "deactivate agent 1", "create user 1", "deactivate agent 4", "create user 4")
	r.add("5", "P5")
	r.expect("nothing of it is left", Clean, "create user 5")
	r.off["groups"] = false
	r.expect("on for good", Clean, "deactivate user 1", "reactivate agent 1", "deactivate user 4", "reactivate agent 4")
}

// Switching off what nobody uses is nobody's business.
func TestUnusedStreamIsSwitchedOff(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.groups["g"] = []string{"p:1"}
	r.sync()
	r.off["groups"] = true
	r.expect("off", Clean)
	r.add("2", "P2")
	r.expect("a joiner", Clean, "create user 2")
}

// Records of a kind that is read no longer wait as well: with licences, devices and customers.
func TestKindsAreSwitchedOff(t *testing.T) {
	for stream, want := range map[string]string{
		"licences": "deactivate licence l1", "devices": "deactivate asset d1", "customers": "deactivate customer c1",
		"sites": "deactivate site s1",
	} {
		r := newRig(t)
		r.wide = true
		r.conn.Guard = nil
		r.mapping(wideSpec())
		r.people["1"] = person{name: "P1", holds: []string{"l1"}}
		r.licences["l1"], r.devices["d1"], r.customers["c1"], r.sites["s1"] = "E5", "p:1", "Acme", "c1"
		r.sync()
		r.off[stream] = true
		r.job.Approve = r.expect(stream, Held).Run.Held
		r.heldFor(stream + " are no longer read")
		r.job.Offline = true
		if got, res := r.sync(); res.Run.Outcome != Clean || !strings.Contains(got, want) {
			t.Errorf("%s: %s %s, want %s", stream, res.Run.Outcome, got, want)
		}
	}
}

// Objects are known by another anchor: everybody would go and come again.
func TestAnchorIsChanged(t *testing.T) {
	r := newRig(t)
	r.conn.Guard = nil
	r.says["users"] = []string{"id: employeeNumber"}
	r.people["1"], r.people["2"] = person{name: "P1", handle: "dn:1"}, person{name: "P2", handle: "dn:2"}
	r.sync()
	former := r.people
	r.people = map[string]person{"u1": {name: "P1", handle: "dn:1"}, "u2": {name: "P2", handle: "dn:2"}}
	r.says["users"] = []string{"id: entryUUID"}
	r.expect("another anchor", Held)
	r.heldFor("the anchor was changed from employeeNumber to entryUUID")
	r.people["u3"] = person{name: "P3", handle: "dn:3"}
	r.expect("and a joiner", Held)

	changed := r.people
	r.people = former
	r.says["users"] = []string{"id: employeeNumber"}
	r.expect("reverted", Clean)

	r.people = changed
	r.says["users"] = []string{"id: entryUUID"}
	r.job.Approve = r.expect("for good", Held).Run.Held
	r.job.Offline = true
	if got, res := r.sync(); res.Run.Outcome != Clean || strings.Count(got, "create") != 3 || strings.Count(got, "deactivate") != 2 {
		t.Errorf("approved: %s %s", res.Run.Outcome, got)
	}
	r.expect("and done", Clean)
}

// A state of a version that did not write down what it read: the streams that it read count.
func TestReadsOfAFormerVersion(t *testing.T) {
	r := newRig(t, agent("desk", `"g" in groups`), user("everyone", "enabled"))
	r.conn.Guard = nil
	r.add("1", "P1")
	r.groups["g"] = []string{"p:1"}
	r.sync()
	state := r.state()
	state.Reads = nil
	r.put(state)
	r.off["groups"] = true
	r.expect("groups are off", Held)
	r.expect("and stay held", Held)
	r.heldFor("groups are no longer read")
}

func (r *rig) put(state store.TenantState) {
	r.Helper()
	if err := r.store.Update(r.Context(), r.part(), func(tx store.Writer) error { return tx.PutTenant(state) }); err != nil {
		r.Fatal(err)
	}
}
