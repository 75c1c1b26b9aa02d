package engine

import (
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// TestImportCreatesOnly: records are made and left alone from then on, and what was left out is made up for when the
// connection is no such import any more.
func TestImportCreatesOnly(t *testing.T) {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")},
		Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)}})
	r.conn.Import = directory.ImportCreateOnly
	for _, id := range []string{"1", "2", "3", "4"} {
		r.add(id, "P"+id)
	}
	r.groups["team"] = []string{"p:1", "p:2"}
	r.expect("first", Clean, "create user 1", "create user 2", "create user 3", "create user 4", "create group team +hq/1,hq/2 -")
	for i := range r.journal {
		if r.journal[i].Origin.Import != directory.ImportCreateOnly {
			t.Errorf("%s has no mark", say(&r.journal[i]))
		}
	}
	r.add("1", "One")
	delete(r.people, "2")
	r.people["3"] = person{name: "P3", disabled: true}
	r.add("5", "P5")
	r.groups["team"] = []string{"p:5"}
	r.expect("changes and leavers", Clean, "create user 5")
	r.expect("idle", Clean)
	reasons, err := r.engine.Why(t.Context(), r.conn, connectors.Tenant{}, directory.UserRecord, "2")
	if err != nil || len(reasons) != 1 || reasons[0].Import != "create_only" || !strings.Contains(reasons[0].Gone, "create_only") {
		t.Errorf("why: %+v, %v", reasons, err)
	}
	r.conn.Import = ""
	r.expect("an import no longer", Clean, "update user 1 name:P1>One", "deactivate user 3", "update group team +hq/5 -hq/1,hq/2")
	if last := r.journal[len(r.journal)-1]; last.Origin.Import != "" {
		t.Errorf("%s has a mark", say(&last))
	}
}

// TestImportMarksOnly: other imports than those that only create do what any connection does, and nobody is looked at anew
// for the mark.
func TestImportMarksOnly(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.add("2", "P2")
	r.expect("first", Clean, "create user 1", "create user 2")
	hash := r.state().RulesHash
	r.conn.Import = directory.ImportUpdateOnly
	r.expect("the mark", Clean)
	r.add("1", "One")
	delete(r.people, "2")
	r.expect("a change and a leaver", Clean, "update user 1 name:P1>One", "deactivate user 2")
	if last := r.journal[len(r.journal)-1]; last.Origin.Import != directory.ImportUpdateOnly || r.state().RulesHash != hash {
		t.Errorf("mark %q, rules %s and then %s", last.Origin.Import, hash, r.state().RulesHash)
	}
}

// TestUpdateOnlyRule: what such a rule makes is marked in all that could make it at a target, also at one that is told later.
func TestUpdateOnlyRule(t *testing.T) {
	only := user("known ones", "enabled")
	only.UpdateOnly = true
	r := newRig(t, only)
	r.add("1", "P1")
	r.expect("first", Clean, "create user 1")
	if last := r.journal[len(r.journal)-1]; last.Origin.Import != directory.ImportUpdateOnly {
		t.Errorf("%s has no mark", say(&last))
	}
	r.conn.Targets = []string{"old", target}
	r.sync()
	marks := 0
	err := r.store.View(t.Context(), r.part(), func(tx store.Reader) error {
		return tx.Outbox("old", 0, func(q store.Queued) bool {
			if a, _ := directory.ParseAction(q.Data); a.Origin.Import == directory.ImportUpdateOnly {
				marks++
			}
			return true
		})
	})
	if err != nil || marks != 1 {
		t.Errorf("the new target is told of %d with a mark: %v", marks, err)
	}
}

// Whom a rule made for what a target has already, and another one makes now, is told to the targets, whatever else is the same: nobody
// has made him there.
func TestFromUpdateOnlyToMade(t *testing.T) {
	r := newRig(t)
	had := user("had", "not enabled")
	had.UpdateOnly = true
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{had, user("everyone", "enabled")}})
	r.people["1"] = person{name: "Ada", disabled: true}
	r.people["2"] = person{name: "Eve"}
	r.sync()
	from := len(r.journal)
	r.people["1"] = person{name: "Ada"}
	r.sync()
	if told := r.journal[from:]; len(told) != 1 || told[0].Op != directory.Update || told[0].Record != "hq/1" || told[0].Origin.Import != "" {
		t.Errorf("told %+v", told)
	}
	from = len(r.journal)
	r.sync()
	r.people["1"] = person{name: "Ada", disabled: true}
	r.sync()
	if told := r.journal[from:]; len(told) != 0 {
		t.Errorf("back again: told %+v", told)
	}
}

// What a rule makes for what a target has already, and makes for everybody now, is told to the targets, whether the rule keeps its name
// or not; and a target that is new is told as the others were.
func TestUpdateOnlyTakenFromARule(t *testing.T) {
	had := user("had", "true")
	had.UpdateOnly = true
	for name, now := range map[string]mapping.RuleSpec{"the same name": user("had", "true"), "another name": user("everyone", "true")} {
		r := newRig(t)
		r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{had}})
		r.people["1"] = person{name: "Ada"}
		r.sync()
		from := len(r.journal)
		r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{now}})
		r.sync()
		if told := r.journal[from:]; len(told) != 1 || told[0].Op != directory.Update || told[0].Origin.Import != "" {
			t.Errorf("%s: told %+v", name, told)
		}
		from = len(r.journal)
		r.sync()
		if told := r.journal[from:]; len(told) != 0 {
			t.Errorf("%s: told again: %+v", name, told)
		}
	}
}

// A rule that makes nothing at a target gets another name in the run in which a target is new.
func TestUpdateOnlyRuleIsRenamed(t *testing.T) {
	had := user("had", "true")
	had.UpdateOnly = true
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{had}})
	r.people["1"] = person{name: "Ada"}
	r.sync()
	had.Name = "ours"
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{had}})
	r.conn.Targets = []string{"old", target}
	r.sync()
	err := r.store.View(t.Context(), r.part(), func(tx store.Reader) error {
		return tx.Outbox("old", 0, func(q store.Queued) bool {
			if a, _ := directory.ParseAction(q.Data); a.Origin.Import != directory.ImportUpdateOnly {
				t.Errorf("%s has no mark", say(&a))
			}
			return true
		})
	})
	if err != nil {
		t.Error(err)
	}
}
