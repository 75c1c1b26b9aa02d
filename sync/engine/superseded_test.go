package engine

import (
	"context"
	"errors"
	"testing"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
)

// A run by former rules leaves alone what newer ones have settled. Who has other rules because they are the newer ones goes on.
func TestSuperseded(t *testing.T) {
	r := newRig(t)
	r.add("1", "Ann")
	r.people["2"] = person{name: "Bob", department: "Contractors"}
	r.conn.Superseded = func(context.Context) (bool, error) { t.Error("asked where the rules are the same"); return true, nil }
	r.expect("first", Clean, "create user 1", "create user 2")
	r.expect("the same rules", Clean)
	former := *r.conn
	r.rules(mapping.RuleSpec{Name: "out", When: mapping.TextSpec{Text: `department == "Contractors"`}, Ignore: true}, user("everyone", "enabled"))
	r.conn.Superseded = func(context.Context) (bool, error) { return false, nil }
	r.expect("newer rules", Clean, "deactivate user 2")

	now := r.conn
	r.conn = &former
	r.add("3", "Cyn")
	reads, rules := r.reads, r.state().RulesHash
	former.Superseded = func(context.Context) (bool, error) { return true, nil }
	for outcome, trigger := range map[string]string{Waiting: "startup", Failed: Operator} { // an operator hears of it
		r.job = Job{Trigger: trigger}
		if res := r.expect("former rules", outcome); !errors.Is(res.Err, ErrSuperseded) || fault.ClassOf(res.Err) != fault.Conflict {
			t.Errorf("%v", res.Err)
		}
	}
	if r.reads != reads || r.state().RulesHash != rules {
		t.Error("it was run")
	}
	former.Superseded = func(context.Context) (bool, error) {
		return false, &fault.Error{Class: fault.Transient, Err: errors.New("the database is away")}
	}
	r.expect("nobody can say", Failed)
	if r.state().RulesHash != rules {
		t.Error("it was settled")
	}
	// A run that is under way when the rules are edited goes on by those.
	former.Current = func() *Connection { return now }
	former.Superseded = func(context.Context) (bool, error) { return true, nil }
	r.expect("under way", Clean, "create user 3")
	if st := r.state(); st.RulesHash != rules || st.Unsettled() {
		t.Errorf("settled by %q", st.RulesHash)
	}
}
