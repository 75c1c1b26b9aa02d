package plan

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

// did is what is kept of an update of some fields: name, before, after.
func did(op directory.Op, changes ...string) *directory.RunAction {
	a := &directory.RunAction{Op: op, Kind: directory.UserRecord, Key: "hq/1", Rule: "everyone", Revision: 3}
	for i := 0; i < len(changes); i += 3 {
		a.Changes = append(a.Changes, directory.FieldChange{Name: changes[i], From: valueOf(changes[i+1]), To: valueOf(changes[i+2])})
	}
	return a
}

func valueOf(text string) directory.Value {
	if text == "-" {
		return directory.Null()
	}
	return directory.Text(text)
}

func TestUndo(t *testing.T) {
	deleted := &directory.Record{Kind: directory.UserRecord, Key: "hq/1", Deleted: true, Rule: "everyone", Revision: 3, Changed: earlier}
	group := record(directory.GroupRecord, true, "name", "Desk")
	group.Members = []uint32{1, 3, 5}
	members := did(directory.Update)
	members.Kind, members.Entered, members.Left = directory.GroupRecord, []uint32{3}, []uint32{2, 4}
	other := *did(directory.Update)
	other.Key = "hq/2"
	for _, tc := range []struct {
		name string
		rec  *directory.Record
		did  *directory.RunAction
		end  directory.Op
		want string // step; mark; what is kept
	}{
		{"a field", record(directory.UserRecord, true, "name", "B", "site", "X"), did(directory.Update, "name", "A", "B"), 0, "update user name:B>A; name=B; "},
		{"a field that was not there", record(directory.UserRecord, true, "name", "B"), did(directory.Update, "name", "-", "B"), 0, "update user name:B>; name=B; "},
		{"a field that was taken away", record(directory.UserRecord, true, "site", "X"), did(directory.Update, "name", "A", "-"), 0, "update user name:>A; name=; "},
		{"a field that is back already", record(directory.UserRecord, true, "name", "A"), did(directory.Update, "name", "A", "B"), 0, "; ; "},
		{"one of two changed since", record(directory.UserRecord, true, "name", "C", "site", "Y"), did(directory.Update, "name", "A", "B", "site", "X", "Y"), 0,
			"update user site:Y>X; site=Y; name: it has changed since, by run run-1, to \"C\""},
		{"gone since", record(directory.UserRecord, false, "name", "B"), did(directory.Update, "name", "A", "B"), 0, "; ; : it was taken out of use since, by run run-1"},
		{"a creation", record(directory.UserRecord, true, "name", "A"), did(directory.Create), 0, "deactivate user; create; "},
		{"a creation where leavers are deleted", record(directory.UserRecord, true, "name", "A"), did(directory.Create), directory.Delete, "delete user; create; "},
		{"a creation where leavers stay", record(directory.UserRecord, true, "name", "A"), did(directory.Create), directory.Update, "; ; : it is never taken out of use: the mapping keeps it (`keep`, or `leavers: keep`)"},
		{"a creation of who left since", record(directory.UserRecord, false, "name", "A"), did(directory.Create), 0, "; ; "},
		{"a departure", record(directory.UserRecord, false, "name", "A"), did(directory.Deactivate), 0, "reactivate user; deactivate; "},
		{"a departure of who is back", record(directory.UserRecord, true, "name", "A"), did(directory.Deactivate), 0, "; ; "},
		{"a departure of who was deleted since", deleted, did(directory.Deactivate), 0, "; ; : it was deleted since, by run run-1"},
		{"a deletion", deleted, did(directory.Delete, "name", "A", "-", "site", "X", "-"), 0, "create user; delete; "},
		{"a return with another name", record(directory.UserRecord, true, "name", "B"), did(directory.Reactivate, "name", "A", "B"), 0, "deactivate user name:B>A; reactivate; "},
		{"members", group, members, 0, "update group +hq/2 -hq/3; +3 -2; members: 1 of them have no record any more"},
		{"a ticket", nil, &directory.RunAction{Kind: directory.TicketRecord}, 0, "; ; : a ticket that was opened cannot be taken back"},
		{"nothing known", nil, did(directory.Update), 0, "; ; : nothing is known of it any more"},
		{"another object's number", record(directory.UserRecord, true), &other, 0, "; ; : nothing is known of it any more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := subject()
			switch tc.end {
			case directory.Delete:
				s.Leaver = always(directory.Delete)
			case directory.Update:
				s.Leaver = nil
			}
			r := &Reversal{Of: "run-1", By: "ann", Listed: func(nums []uint32) []uint32 { return without(nums, []uint32{4}) }}
			step, kept := Undo(s, tc.rec, tc.did, r)
			did := ""
			if step.Action != nil {
				did = sayAction(step.Action)
				if step.Action.Reason != "undo of run run-1" || step.Action.Key == "" || step.Record.Revision != 4 {
					t.Errorf("%+v, %+v", step.Action, step.Record)
				}
			}
			var why []string
			for _, k := range kept {
				why = append(why, k.Field+": "+k.Why)
			}
			if got := did + "; " + sayUndone(step.Record) + "; " + strings.Join(why, ", "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if step.Action == nil {
				return
			}
			r.Ours = true
			if step, _ := Undo(s, tc.rec, tc.did, r); step.Record.Undone != nil {
				t.Errorf("what an undo did leaves a mark when it is undone: %+v", step.Record.Undone)
			}
		})
	}
}

func sayAction(a *directory.Action) string {
	text := a.Op.String() + " " + a.Kind.String()
	for _, c := range a.Changes {
		text += fmt.Sprintf(" %s:%v>%v", c.Name, c.From, c.To)
	}
	for _, s := range a.Sets {
		text += fmt.Sprintf(" +%s -%s", strings.Join(s.Added, ","), strings.Join(s.Removed, ","))
	}
	return text
}

func sayUndone(rec *directory.Record) string {
	if rec == nil || rec.Undone == nil {
		return ""
	}
	var parts []string
	u := rec.Undone
	if u.Op != 0 {
		parts = append(parts, u.Op.String())
	}
	for _, f := range u.Fields {
		parts = append(parts, f.Name+"="+f.Value.String())
	}
	for _, n := range u.Entered {
		parts = append(parts, fmt.Sprintf("+%d", n))
	}
	for _, n := range u.Left {
		parts = append(parts, fmt.Sprintf("-%d", n))
	}
	return strings.Join(parts, " ")
}

// TestHold: what was undone waits, all else goes ahead, and what is no longer wanted is forgotten.
func TestHold(t *testing.T) {
	mark := func(rec *directory.Record, u directory.Undone) *directory.Record {
		u.Of, u.By, u.At = "run-0", "ann", earlier
		rec.Undone = &u
		return rec
	}
	group := func() *directory.Record {
		rec := record(directory.GroupRecord, true, "name", "Desk")
		rec.Members = []uint32{1, 2}
		return mark(rec, directory.Undone{Entered: []uint32{3}, Left: []uint32{1, 2}})
	}
	list := func(members ...uint32) Want {
		w := want(directory.GroupRecord, "name", "Desk")
		w.Members = members
		return w
	}
	user := func(u directory.Undone, fields ...string) *directory.Record {
		return mark(record(directory.UserRecord, true, fields...), u)
	}
	name := directory.Undone{Fields: texts("name", "B")}
	for _, tc := range []struct {
		what   string
		before []*directory.Record
		wants  []Want
		steps  string
		again  string
		left   string // the mark
	}{
		{"the same", []*directory.Record{user(name, "name", "A")}, []Want{want(directory.UserRecord, "name", "B")}, "", "update user name:A>B", "name=B"},
		{"and something else", []*directory.Record{user(name, "name", "A", "site", "X")}, []Want{want(directory.UserRecord, "name", "B", "site", "Y")}, "update user site:X>Y", "update user name:A>B", "name=B"},
		{"another value", []*directory.Record{user(name, "name", "A")}, []Want{want(directory.UserRecord, "name", "C")}, "update user name:A>C", "", ""},
		{"as it is", []*directory.Record{user(name, "name", "A")}, []Want{want(directory.UserRecord, "name", "A")}, "remember user", "", ""},
		{"no longer mapped", []*directory.Record{user(name, "name", "A")}, []Want{want(directory.UserRecord)}, "remember user", "", ""},
		{"who leaves, leaves", []*directory.Record{user(name, "name", "A")}, nil, "deactivate user", "", ""},
		{"a departure", []*directory.Record{user(directory.Undone{Op: directory.Deactivate}, "name", "A")}, nil, "", "deactivate user", "deactivate"},
		{"who is wanted after all", []*directory.Record{user(directory.Undone{Op: directory.Deactivate}, "name", "A")}, []Want{want(directory.UserRecord, "name", "B")}, "update user name:A>B", "", ""},
		{"a creation", []*directory.Record{mark(record(directory.UserRecord, false, "name", "A"), directory.Undone{Op: directory.Create})}, []Want{want(directory.UserRecord, "name", "A")}, "", "reactivate user", "create"},
		{"who is not wanted any more", []*directory.Record{mark(record(directory.UserRecord, false, "name", "A"), directory.Undone{Op: directory.Create})}, nil, "remember user", "", ""},
		{"a change of kind", []*directory.Record{user(directory.Undone{Op: directory.Deactivate}, "name", "A"), mark(record(directory.AgentRecord, false, "name", "A"), directory.Undone{Op: directory.Create})},
			[]Want{want(directory.AgentRecord, "name", "A")}, "", "deactivate user, reactivate agent", "deactivate"},
		{"members", []*directory.Record{group()}, []Want{list(3, 4)}, "update group +hq/4 -", "update group +hq/3 -hq/1,hq/2", "+3 -1 -2"},
		{"one of the members", []*directory.Record{group()}, []Want{list(1)}, "remember group", "update group + -hq/2", "-2"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			steps, again := Hold(subject(), tc.before, tc.wants, false)
			var done []string
			for _, step := range steps {
				if step.Action != nil {
					done = append(done, sayAction(step.Action))
				} else {
					done = append(done, "remember "+step.Kind.String())
				}
			}
			if got := strings.Join(done, ", "); got != tc.steps {
				t.Errorf("steps: got %q, want %q", got, tc.steps)
			}
			var would []string
			for _, a := range again {
				if !strings.HasPrefix(a.Reason, "undone by ann at ") {
					t.Errorf("reason %q", a.Reason)
				}
				would = append(would, sayAction(a))
			}
			if got := strings.Join(would, ", "); got != tc.again {
				t.Errorf("again: got %q, want %q", got, tc.again)
			}
			rec := tc.before[0]
			if step := stepOf(steps, rec.Kind); step != nil {
				rec = step.Record
			}
			if got := sayUndone(rec); got != tc.left {
				t.Errorf("mark: got %q, want %q", got, tc.left)
			}
			approved, none := Hold(subject(), tc.before, tc.wants, true)
			if plain := Decide(subject(), tc.before, tc.wants); len(none) > 0 || say(actionsOnly(approved)) != say(actionsOnly(plain)) {
				t.Errorf("approved: %q, want %q", say(approved), say(plain))
			}
			for _, step := range approved {
				if step.Record.Undone != nil {
					t.Errorf("approved, and still marked: %+v", step.Record.Undone)
				}
			}
		})
	}
	// What goes ahead has the key that it has without anything that waits.
	a, _ := Hold(subject(), []*directory.Record{user(name, "name", "A", "site", "X")}, []Want{want(directory.UserRecord, "name", "A", "site", "Y")}, false)
	b := Decide(subject(), []*directory.Record{record(directory.UserRecord, true, "name", "A", "site", "X")}, []Want{want(directory.UserRecord, "name", "A", "site", "Y")})
	if !reflect.DeepEqual(a[0].Action, b[0].Action) {
		t.Errorf("%+v, %+v", a[0].Action, b[0].Action)
	}
}

func actionsOnly(steps []Step) (list []Step) {
	for _, s := range steps {
		if s.Action != nil {
			list = append(list, s)
		}
	}
	return list
}
