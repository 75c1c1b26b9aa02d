package engine

import (
	"fmt"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
)

// why asks and puts the answers in words: "user hq/1 deactivated: became agent; agent/hq/1 active".
func (r *rig) why(kind directory.RecordKind, who string) string {
	r.Helper()
	reasons, err := r.engine.Why(r.Context(), r.conn, connectors.Tenant{}, kind, who)
	if fault.ClassOf(err) == fault.Gone {
		return "unknown"
	}
	if err != nil {
		r.Fatal(err)
	}
	var all []string
	for _, x := range reasons {
		text := x.Kind + " " + x.Key
		if x.Record != nil {
			text += " " + x.Record.State
			if x.Record.Reason != "" {
				text += ": " + x.Record.Reason
			}
		}
		if x.Gone != "" {
			text += ", gone: " + x.Gone
		}
		for _, o := range x.Others {
			text += fmt.Sprintf(", %s %s %s", o.Kind, o.Key, o.State)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func (r *rig) explained(what, who, want string) {
	r.Helper()
	if got := r.why(directory.UserRecord, who); got != want {
		r.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestWhyOfSomebodyWhoLeftAndCameBack(t *testing.T) {
	r := newRig(t)
	r.add("1", "Ada")
	r.add("2", "Bob")
	r.expect("first", Clean, "create user 1", "create user 2")
	r.explained("while she is there", "ada", "user hq/1 active")
	delete(r.people, "1")
	r.expect("she leaves", Clean, "deactivate user 1")
	gone := "user hq/1 deactivated: no longer listed by the source, gone: no longer listed by the source"
	r.explained("gone, by name", "Ada", gone)
	r.explained("gone, by id", "1", gone)
	r.explained("gone, by key", "hq/1", gone)
	r.add("3", "Ada")
	r.expect("and comes back as another entry", Clean, "create user 3")
	r.explained("both of her records", "ada", "user hq/3 active; "+gone)
	r.explained("one by key", "hq/3", "user hq/3 active")
	r.explained("nobody", "Eve", "unknown")
	r.people["2"] = person{name: "Robert"}
	r.expect("renamed", Clean, "update user 2 name:Bob>Robert")
	r.people["2"] = person{}
	r.expect("without a name the last one is kept", Clean)
	r.explained("known by what the record has", "Robert", "user hq/2 active")
}

// TestWhyByTheNumberOfARow: ids of files and databases begin with the kind, which nobody types.
func TestWhyByTheNumberOfARow(t *testing.T) {
	r := newRig(t)
	r.add("person:6", "Eve")
	r.expect("first", Clean, "create user person:6")
	r.explained("without the kind in the key", "hq/6", "user hq/person:6 active")
	r.explained("without the connection", "6", "user hq/person:6 active")
	r.explained("another number", "hq/7", "unknown")
}

func TestWhySaysWhatElseSomebodyIs(t *testing.T) {
	r := newRig(t, agent("desk", `department == "desk"`), user("everyone", "enabled"))
	r.people["1"] = person{name: "Ada", department: "desk"}
	r.add("2", "Bob")
	r.expect("first", Clean, "create agent 1", "create user 2")
	r.explained("an agent who is asked for as a user", "Ada", "user hq/1, agent hq/1 active")
	r.people["2"] = person{name: "Bob", department: "desk"}
	r.expect("moved", Clean, "deactivate user 2; create agent 2")
	r.explained("who became an agent", "Bob", "user hq/2 deactivated: became agent, agent hq/2 active")
	delete(r.people, "1")
	r.expect("a leaver", Clean, "deactivate agent 1")
	r.explained("an agent who left", "Ada", "user hq/1, gone: no longer listed by the source, agent hq/1 deactivated")
}

func TestWhySaysWhyARecordWasTakenAway(t *testing.T) {
	r := newRig(t)
	r.add("1", "Ada")
	r.add("2", "Bob")
	r.add("3", "Eve")
	r.expect("first", Clean, "create user 1", "create user 2", "create user 3")
	r.people["1"] = person{name: "Ada", disabled: true}
	r.expect("no rule", Clean, "deactivate user 1")
	r.explained("no rule applies", "Ada", "user hq/1 deactivated: no rule applies any longer")
	r.spec.Leavers = mapping.KeepLeavers
	r.mapping(r.spec)
	delete(r.people, "2")
	r.expect("kept", Clean)
	r.explained("a leaver who is kept", "Bob", "user hq/2 active, gone: the object is no longer known; its record was kept (`leavers: keep`)")
	r.spec.Leavers = mapping.DeleteLeavers
	r.mapping(r.spec)
	delete(r.people, "3")
	r.expect("deleted", Clean, "delete user 1; delete user 3")
	r.explained("a leaver who is deleted", "hq/3", "user hq/3 deleted: "+store.Absent.String()+", gone: "+store.Absent.String())
}

// A group says how many it lists, through all groups below it, who are nobody that is read.
func TestWhyTellsOfStrangers(t *testing.T) {
	r := newRig(t)
	r.mapping(teamsSpec())
	r.add("1", "P1")
	r.groups["outer"] = []string{"p:1", "g:inner", "g:elsewhere"}
	r.groups["inner"] = []string{"p:unknown", "p:1", "g:outer", "g:elsewhere"}
	r.groups["whole"] = []string{"p:1"}
	r.sync()
	for group, want := range map[string]int{"outer": 2, "inner": 2, "whole": 0} {
		reasons, err := r.engine.Why(t.Context(), r.conn, connectors.Tenant{}, directory.GroupRecord, group)
		if err != nil || len(reasons) != 1 || reasons[0].Strangers != want {
			t.Errorf("%s: %+v, %v; want %d", group, reasons, err, want)
		}
	}
}
