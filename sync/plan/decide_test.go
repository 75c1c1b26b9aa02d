package plan

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
)

var (
	earlier = directory.Stamp{Run: "run-1", Time: time.Unix(1000, 0).UTC()}
	now     = directory.Stamp{Run: "run-2", Time: time.Unix(2000, 0).UTC()}
)

func subject() *Subject {
	return &Subject{
		Origin: directory.Origin{Connection: "hq", Connector: "ldap", ID: "1"}, Run: &now, Rule: "everyone",
		Leaver: always(directory.Deactivate), At: now.Time, Reason: "no rule applies",
		Keys: func(nums []uint32) (keys []string) {
			for _, n := range nums {
				keys = append(keys, fmt.Sprintf("hq/%d", n))
			}
			return keys
		},
	}
}

func record(kind directory.RecordKind, activeNow bool, fields ...string) *directory.Record {
	rec := &directory.Record{Kind: kind, Key: "hq/1", Active: activeNow, Rule: "everyone", Revision: 3, Changed: earlier}
	for _, f := range texts(fields...) {
		rec.Fields = append(rec.Fields, directory.RecordField{Field: f, Since: &earlier})
	}
	return rec
}

func texts(pairs ...string) (fields []directory.Field) {
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, directory.Field{Name: pairs[i], Value: directory.Text(pairs[i+1])})
	}
	return fields
}

func want(kind directory.RecordKind, fields ...string) Want {
	return Want{Kind: kind, Fields: texts(fields...)}
}

func say(steps []Step) string {
	var parts []string
	for _, s := range steps {
		switch {
		case s.Action == nil:
			parts = append(parts, "store "+s.Kind.String())
		default:
			text := s.Action.Op.String() + " " + s.Action.Kind.String()
			for _, c := range s.Action.Changes {
				text += fmt.Sprintf(" %s:%v>%v", c.Name, c.From, c.To)
			}
			if s.Record.Deleted {
				text += " forget"
			}
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "; ")
}

func TestDecide(t *testing.T) {
	user, agent := directory.UserRecord, directory.AgentRecord
	for _, c := range []struct {
		name   string
		before []*directory.Record
		wants  []Want
		remove directory.Op
		want   string
	}{
		{name: "nothing and nothing", remove: directory.Deactivate},
		{"a newcomer", nil, []Want{want(user, "name", "Ada")}, directory.Deactivate, "create user"},
		{"no change", []*directory.Record{record(user, true, "name", "Ada")}, []Want{want(user, "name", "Ada")}, directory.Deactivate, ""},
		{"a change", []*directory.Record{record(user, true, "name", "Ada")}, []Want{want(user, "name", "Eve")}, directory.Deactivate, "update user name:Ada>Eve"},
		{"a new field", []*directory.Record{record(user, true, "name", "Ada")}, []Want{want(user, "city", "Ulm", "name", "Ada")}, directory.Deactivate, "update user city:>Ulm"},
		{"a field that is no longer mapped is let go", []*directory.Record{record(user, true, "city", "Ulm", "name", "Ada")}, []Want{want(user, "name", "Ada")}, directory.Deactivate, "store user"},
		{"a leaver", []*directory.Record{record(user, true, "name", "Ada")}, nil, directory.Deactivate, "deactivate user"},
		{"a leaver who left before", []*directory.Record{record(user, false, "name", "Ada")}, nil, directory.Deactivate, ""},
		{"a leaver who is deleted", []*directory.Record{record(user, true, "name", "Ada")}, nil, directory.Delete, "delete user forget"},
		{"a leaver who is kept", []*directory.Record{record(user, true, "name", "Ada")}, nil, 0, ""},
		{"a return", []*directory.Record{record(user, false, "name", "Ada")}, []Want{want(user, "name", "Ada")}, directory.Deactivate, "reactivate user"},
		{"a return with a change", []*directory.Record{record(user, false, "name", "Ada")}, []Want{want(user, "name", "Eve")}, directory.Deactivate, "reactivate user name:Ada>Eve"},
		{"a change of kind", []*directory.Record{record(user, true, "name", "Ada")}, []Want{want(agent, "name", "Ada")}, directory.Deactivate, "deactivate user; create agent"},
		{"and back", []*directory.Record{record(user, false, "name", "Ada"), record(agent, true, "name", "Ada")}, []Want{want(user, "name", "Ada")}, directory.Deactivate, "deactivate agent; reactivate user"},
		{"both", []*directory.Record{record(user, true, "name", "Ada")}, []Want{want(user, "name", "Ada"), want(agent, "name", "Ada")}, directory.Deactivate, "create agent"},
	} {
		s := subject()
		s.Leaver = always(c.remove)
		if got := say(Decide(s, c.before, c.wants)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestImportThatOnlyCreates leaves alone whoever has a record.
func TestImportThatOnlyCreates(t *testing.T) {
	user, agent := directory.UserRecord, directory.AgentRecord
	deleted := &directory.Record{Kind: user, Key: "hq/1", Deleted: true, Revision: 4}
	for _, c := range []struct {
		name   string
		before []*directory.Record
		wants  []Want
		want   string
	}{
		{"a newcomer", nil, []Want{want(user, "name", "Ada")}, "create user"},
		{"a change", []*directory.Record{record(user, true, "name", "Ada")}, []Want{want(user, "name", "Eve")}, ""},
		{"a leaver", []*directory.Record{record(user, true, "name", "Ada")}, nil, ""},
		{"a return", []*directory.Record{record(user, false, "name", "Ada")}, []Want{want(user, "name", "Ada")}, ""},
		{"a change of kind", []*directory.Record{record(user, true, "name", "Ada")}, []Want{want(agent, "name", "Ada")}, ""},
		{"a second life", []*directory.Record{deleted}, []Want{want(user, "name", "Ada")}, "create user"},
	} {
		s := subject()
		s.Origin.Import = directory.ImportCreateOnly
		if got := say(Decide(s, c.before, c.wants)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestChangeOfKindNamesBothHalves(t *testing.T) {
	steps := Decide(subject(), []*directory.Record{record(directory.UserRecord, true)}, []Want{want(directory.AgentRecord)})
	if len(steps) != 2 || steps[0].Action.Other != "agent/hq/1" || steps[1].Action.Other != "user/hq/1" {
		t.Fatalf("steps: %s %+v", say(steps), steps)
	}
	if steps[0].Action.Reason != "became agent" || steps[1].Action.Reason != "was user" {
		t.Errorf("reasons: %q, %q", steps[0].Action.Reason, steps[1].Action.Reason)
	}
	if steps[0].Record.Reason != "became agent" || steps[1].Record.Reason != "" {
		t.Errorf("remembered: %q, %q", steps[0].Record.Reason, steps[1].Record.Reason)
	}
}

// A record remembers why it was taken away until it comes back.
func TestRecordRemembersWhyItWasTakenAway(t *testing.T) {
	for _, remove := range []directory.Op{directory.Deactivate, directory.Delete} {
		s := subject()
		s.Leaver = always(remove)
		gone := Decide(s, []*directory.Record{record(directory.UserRecord, true, "name", "Ada")}, nil)[0].Record
		if gone.Reason != s.Reason {
			t.Errorf("%s: remembered %q, want %q", remove, gone.Reason, s.Reason)
		}
		back := Decide(s, []*directory.Record{gone}, []Want{want(directory.UserRecord, "name", "Ada")})[0].Record
		if back.Reason != "" {
			t.Errorf("%s: back, but %q", remove, back.Reason)
		}
	}
}

// A record that comes back after a delete must not look like a repetition of its first life.
func TestSecondLifeHasOtherKeys(t *testing.T) {
	s := subject()
	s.Leaver = always(directory.Delete)
	wants := []Want{want(directory.UserRecord, "name", "Ada")}
	first := Decide(s, nil, wants)[0]
	gone := Decide(s, []*directory.Record{first.Record}, nil)[0]
	second := Decide(s, []*directory.Record{gone.Record}, wants)[0]
	if second.Action.Op != directory.Create || second.Action.Key == first.Action.Key {
		t.Errorf("%s under the key %s; the first was under %s", second.Action.Op, second.Action.Key, first.Action.Key)
	}
	if len(gone.Record.Fields) > 0 {
		t.Errorf("a deleted record still has %v", gone.Record.Fields)
	}
	if again := Decide(s, []*directory.Record{gone.Record}, nil); len(again) > 0 {
		t.Errorf("deleting twice: %s", say(again))
	}
}

func TestStampsSayWhichRunSetAField(t *testing.T) {
	steps := Decide(subject(), []*directory.Record{record(directory.UserRecord, true, "city", "Ulm", "name", "Ada")},
		[]Want{want(directory.UserRecord, "city", "Ulm", "name", "Eve")})
	rec := steps[0].Record
	if *rec.Fields[0].Since != earlier || *rec.Fields[1].Since != now || rec.Changed != now || rec.Revision != 4 {
		t.Errorf("record: %+v", rec)
	}
}

func TestMembers(t *testing.T) {
	before := record(directory.GroupRecord, true, "name", "Staff")
	before.Members = []uint32{1, 2, 5}
	w := want(directory.GroupRecord, "name", "Staff")
	w.Members = []uint32{2, 3, 10}
	steps := Decide(subject(), []*directory.Record{before}, []Want{w})
	sets := []directory.SetChange{{Name: "members", Added: []string{"hq/10", "hq/3"}, Removed: []string{"hq/1", "hq/5"}}}
	if len(steps) != 1 || !reflect.DeepEqual(steps[0].Action.Sets, sets) {
		t.Fatalf("sets: %+v", steps)
	}
	w.Members = before.Members
	if steps := Decide(subject(), []*directory.Record{before}, []Want{w}); len(steps) != 0 {
		t.Errorf("the same members: %s", say(steps))
	}
}

func TestSameInputSamePlan(t *testing.T) {
	build := func() []byte {
		var all []byte
		for _, s := range Decide(subject(), []*directory.Record{record(directory.UserRecord, true, "name", "Ada")}, []Want{want(directory.AgentRecord, "name", "Ada", "role", "x")}) {
			all = directory.AppendAction(all, s.Action)
			all = directory.AppendRecord(all, s.Record)
		}
		return all
	}
	if first, second := build(), build(); !bytes.Equal(first, second) {
		t.Error("two plans of the same input differ")
	}
}

// TestOnce: actions name the fields that are left alone once the record is made, and their keys do not depend on it.
func TestOnce(t *testing.T) {
	before := record(directory.UserRecord, true, "name", "Ada", "site", "Leeds")
	w := want(directory.UserRecord, "name", "Eve", "site", "Leeds")
	plain := Decide(subject(), []*directory.Record{before}, []Want{w})[0].Action
	w.Once = []string{"site"}
	update := Decide(subject(), []*directory.Record{before}, []Want{w})[0].Action
	create := Decide(subject(), nil, []Want{w})[0].Action
	introduced := Introduce(before, directory.Origin{}, directory.Stamp{}, nil, []string{"login", "site"})
	for what, a := range map[string]*directory.Action{"update": update, "create": create, "introduced": introduced} {
		if !slices.Equal(a.Once, []string{"site"}) {
			t.Errorf("%s: %v", what, a.Once)
		}
	}
	if plain.Key != update.Key {
		t.Errorf("keys %s and %s", plain.Key, update.Key)
	}
}

// What is for a target that has it already says so with all that could make it, and with nothing else.
func TestUpdateOnlyActions(t *testing.T) {
	user, agent := directory.UserRecord, directory.AgentRecord
	only := want(user, "name", "Ada")
	only.UpdateOnly = true
	for _, c := range []struct {
		name   string
		before []*directory.Record
		wants  []Want
		want   string
	}{
		{"a newcomer", nil, []Want{only, want(agent, "name", "Ada")}, "create user update_only; create agent "},
		{"a change", []*directory.Record{record(user, true, "name", "Eve")}, []Want{only}, "update user update_only"},
		{"a return", []*directory.Record{record(user, false, "name", "Ada")}, []Want{only}, "reactivate user update_only"},
		{"who leaves", []*directory.Record{record(user, true, "name", "Ada")}, nil, "deactivate user "},
	} {
		s := subject()
		var got []string
		for _, step := range Decide(s, c.before, c.wants) {
			got = append(got, step.Action.Op.String()+" "+step.Action.Kind.String()+" "+string(step.Action.Origin.Import))
		}
		if all := strings.Join(got, "; "); all != c.want || s.Origin.Import != "" {
			t.Errorf("%s: %q, want %q", c.name, all, c.want)
		}
	}
}
