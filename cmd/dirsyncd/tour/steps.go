package tour

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/connectors/sim/ldapsim"
)

// expect ends the demonstration with an error when it does not go as it tells: it is a test of the program, too.
func expect(what string, ok bool) error {
	if ok {
		return nil
	}
	return fmt.Errorf("the demonstration did not go as planned: %s", what)
}

func (t *tour) firstSync(ctx context.Context) error {
	t.title("The first sync", "A company of %d people and its groups, in an LDAP directory on this machine.\n"+
		"   Contractors stay out, the service desk (a nested group) become agents,\n   everyone else a user.", company)
	run, err := t.sync(ctx, true)
	if err != nil {
		return err
	}
	return expect("a first sync is clean", run.Outcome == "clean" && run.Counts["user"]["create"] > 20 && run.Counts["agent"]["create"] > 0)
}

func (t *tour) idle(ctx context.Context) error {
	t.title("Nothing happened", "Most of the time nothing has changed. Then nothing is sent and no object is\n   written.")
	run, err := t.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("an idle run changes nothing", run.Outcome == "clean" && len(run.Counts) == 0)
}

func (t *tour) joiner(ctx context.Context) error {
	t.title("A joiner", "Grace Moss joins Sales.")
	err := t.server.AddPerson(ldapsim.Person{UID: "gmoss", GivenName: "Grace", FamilyName: "Moss", Mail: "grace.moss@example.test",
		Title: "Account Manager", Department: "Sales", Office: "Leeds", Phone: "+44 113 555 0199", EmployeeNumber: "2001", EmployeeType: "Employee"})
	if err != nil {
		return err
	}
	run, err := t.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("a joiner is one create", run.Counts["user"]["create"] == 1)
}

func (t *tour) mover(ctx context.Context) error {
	t.title("A mover", "She moves to the service desk in London: into a group inside the group that\n   the rule names. The user becomes an agent.")
	if err := t.server.AddMember(t.server.GroupDN("Service Desk London"), t.server.PersonDN("gmoss")); err != nil {
		return err
	}
	run, err := t.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("a mover is a deactivate and a create", run.Counts["user"]["deactivate"] == 1 && run.Counts["agent"]["create"] == 1)
}

func (t *tour) leaver(ctx context.Context) error {
	t.title("A leaver", "And she leaves: her entry is removed from the directory.")
	if err := t.server.Remove(t.server.PersonDN("gmoss")); err != nil {
		return err
	}
	run, err := t.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("a leaver is one deactivate", run.Counts["agent"]["deactivate"] == 1)
}

func (t *tour) brokenAnswer(ctx context.Context) error {
	t.title("A broken answer", "The server answers with its size limit after a dozen of its entries. Other tools\n"+
		"   take the rest for leavers.")
	t.server.Misbehave(ldapsim.Fault{On: ldapsim.Listing, Kind: ldapsim.Answer, After: 12, Code: 4, Text: "size limit exceeded"})
	run, err := t.sync(ctx, false)
	t.server.Behave()
	if err != nil {
		return err
	}
	t.Out.Line("     Nobody was removed. Stale is better than wrong.")
	return expect("half an answer removes nobody", run.Outcome == "failed")
}

func (t *tour) emptyAnswer(ctx context.Context) error {
	t.title("An empty answer", "Now it answers “success”, with no entries at all.")
	t.server.Misbehave(ldapsim.Fault{On: ldapsim.Listing, Kind: ldapsim.Empty})
	run, err := t.sync(ctx, false)
	t.server.Behave()
	if err != nil {
		return err
	}
	if err := expect("an empty answer removes nobody", run.Outcome == "held"); err != nil {
		return err
	}
	t.Out.Line("   The server is well again:")
	run, err = t.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("all is as it was", run.Outcome == "clean" && len(run.Counts) == 0)
}

func (t *tour) massRemoval(ctx context.Context) error {
	t.title("An accident", "Somebody deletes a whole unit. The directory really says so: the listing is\n   complete. But it is more than the guard of the configuration allows.")
	if err := t.server.Remove(t.server.UnitDN("Sales")); err != nil {
		return err
	}
	run, err := t.sync(ctx, false)
	if err != nil {
		return err
	}
	if err := expect("a mass removal is held", run.Outcome == "held" && run.Held != ""); err != nil {
		return err
	}
	t.Out.Line("   The plan waits. Once somebody looked at it and says that it is meant so:")
	t.Out.Line("   $ dirsyncd approve %s", run.Held)
	result, err := t.ops.Approve(ctx, run.Held)
	if err != nil {
		return err
	}
	if len(result.Runs) != 1 || result.Runs[0].Outcome != "clean" {
		return errors.New("the demonstration did not go as planned: an approved plan goes ahead")
	}
	t.ran(result.Runs[0])
	t.result(result.Runs[0])
	return t.showEvents()
}

func (t *tour) explain(ctx context.Context) error {
	key, err := t.agentKey()
	if err != nil {
		return err
	}
	t.title("Why?", "Every field can be explained: its value, its expression, what the expression read.\n   $ dirsyncd why agent %s", key)
	reasons, err := t.ops.Why(ctx, "agent", key)
	if err != nil {
		return err
	}
	if err := expect("an agent can be explained", len(reasons) == 1); err != nil {
		return err
	}
	r := reasons[0]
	t.agent, _ = r.Object["email"].(string)
	for _, f := range r.Fields {
		t.Out.Line("     %-6s %-28v %s", f.Field, f.Value, f.Expression)
	}
	for _, rule := range r.Rules {
		t.Out.Line("     rule %q: %s", rule.Rule, rule.Outcome)
	}
	t.Out.Para("     groups: ", strings.Join(r.Groups, ", "))
	return nil
}

func (t *tour) goodbye() {
	t.Out.Line("")
	t.Out.Line("%s", t.Out.Paint(term.Bold, "Everything is in "+t.Dir))
	t.Out.Line("   configuration, state and journal (changes.jsonl). Try on it:")
	t.Out.Line("   cd %s", t.Dir)
	for _, command := range []string{"status", "runs", "check", "show " + t.agent, "why agent " + t.agent, "parked list", "match list", "signin log", "plan --offline",
		"preview crm/crm.xlsx --connection crm"} {
		t.Out.Line("   %s %s", t.Self, command)
	}
	asking := []string{"sync", "plan", "adopt apps", "plan --target apps", "audit apps"}
	if !t.Serve {
		t.Out.Line("   The servers have ended. `%s demo --serve` keeps them, for what asks them:", t.Self)
	} else {
		t.Out.Line("   The servers answer until you interrupt this. What asks them:")
	}
	for _, command := range asking {
		t.Out.Line("   %s %s", t.Self, command)
	}
}
