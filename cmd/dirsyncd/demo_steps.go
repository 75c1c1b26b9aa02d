package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

func (d *demo) firstSync(ctx context.Context) error {
	d.title("The first sync", "A company of %d people and its groups, in an LDAP directory on this machine.\n"+
		"   Contractors stay out, the service desk (a nested group) become agents,\n   everyone else a user.", company)
	run, err := d.sync(ctx, true)
	if err != nil {
		return err
	}
	return expect("a first sync is clean", run.Outcome == "clean" && run.Counts["user"]["create"] > 20 && run.Counts["agent"]["create"] > 0)
}

func (d *demo) idle(ctx context.Context) error {
	d.title("Nothing happened", "Most of the time nothing has changed. Then nothing is sent and no object is\n   written.")
	run, err := d.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("an idle run changes nothing", run.Outcome == "clean" && len(run.Counts) == 0)
}

func (d *demo) joiner(ctx context.Context) error {
	d.title("A joiner", "Grace Moss joins Sales.")
	err := d.server.AddPerson(ldapsim.Person{UID: "gmoss", GivenName: "Grace", FamilyName: "Moss", Mail: "grace.moss@example.test",
		Title: "Account Manager", Department: "Sales", Office: "Leeds", Phone: "+44 113 555 0199", EmployeeNumber: "2001", EmployeeType: "Employee"})
	if err != nil {
		return err
	}
	run, err := d.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("a joiner is one create", run.Counts["user"]["create"] == 1)
}

func (d *demo) mover(ctx context.Context) error {
	d.title("A mover", "She moves to the service desk in London: into a group inside the group that\n   the rule names. The user becomes an agent.")
	if err := d.server.AddMember(d.server.GroupDN("Service Desk London"), d.server.PersonDN("gmoss")); err != nil {
		return err
	}
	run, err := d.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("a mover is a deactivate and a create", run.Counts["user"]["deactivate"] == 1 && run.Counts["agent"]["create"] == 1)
}

func (d *demo) leaver(ctx context.Context) error {
	d.title("A leaver", "And she leaves: her entry is removed from the directory.")
	if err := d.server.Remove(d.server.PersonDN("gmoss")); err != nil {
		return err
	}
	run, err := d.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("a leaver is one deactivate", run.Counts["agent"]["deactivate"] == 1)
}

func (d *demo) brokenAnswer(ctx context.Context) error {
	d.title("A broken answer", "The server answers with its size limit after a dozen of its entries. Other tools\n"+
		"   take the rest for leavers.")
	d.server.Misbehave(ldapsim.Fault{On: ldapsim.Listing, Kind: ldapsim.Answer, After: 12, Code: 4, Text: "size limit exceeded"})
	run, err := d.sync(ctx, false)
	d.server.Behave()
	if err != nil {
		return err
	}
	d.out.Line("     Nobody was removed. Stale is better than wrong.")
	return expect("half an answer removes nobody", run.Outcome == "failed")
}

func (d *demo) emptyAnswer(ctx context.Context) error {
	d.title("An empty answer", "Now it answers “success”, with no entries at all.")
	d.server.Misbehave(ldapsim.Fault{On: ldapsim.Listing, Kind: ldapsim.Empty})
	run, err := d.sync(ctx, false)
	d.server.Behave()
	if err != nil {
		return err
	}
	if err := expect("an empty answer removes nobody", run.Outcome == "held"); err != nil {
		return err
	}
	d.out.Line("   The server is well again:")
	run, err = d.sync(ctx, false)
	if err != nil {
		return err
	}
	return expect("all is as it was", run.Outcome == "clean" && len(run.Counts) == 0)
}

func (d *demo) massRemoval(ctx context.Context) error {
	d.title("An accident", "Somebody deletes a whole unit. The directory really says so: the listing is\n   complete. But it is more than the guard of the configuration allows.")
	if err := d.server.Remove(d.server.UnitDN("Sales")); err != nil {
		return err
	}
	run, err := d.sync(ctx, false)
	if err != nil {
		return err
	}
	if err := expect("a mass removal is held", run.Outcome == "held" && run.Held != ""); err != nil {
		return err
	}
	d.out.Line("   The plan waits. Once somebody looked at it and says that it is meant so:")
	d.out.Line("   $ dirsyncd approve %s", run.Held)
	result, err := d.ops.Approve(ctx, run.Held)
	if err != nil {
		return err
	}
	if len(result.Runs) != 1 || result.Runs[0].Outcome != "clean" {
		return errors.New("the demonstration did not go as planned: an approved plan goes ahead")
	}
	d.out.Line("     %s: %s", d.outcome(result.Runs[0]), d.summary(result.Runs[0]))
	return d.showEvents()
}

func (d *demo) explain(ctx context.Context) error {
	key, err := d.agentKey()
	if err != nil {
		return err
	}
	d.title("Why?", "Every field can be explained: its value, its expression, what the expression read.\n   $ dirsyncd why agent %s", key)
	reasons, err := d.ops.Why(ctx, "agent", key)
	if err != nil {
		return err
	}
	if err := expect("an agent can be explained", len(reasons) == 1); err != nil {
		return err
	}
	r := reasons[0]
	d.agent, _ = r.Object["email"].(string)
	for _, f := range r.Fields {
		d.out.Line("     %-6s %-28v %s", f.Field, f.Value, f.Expression)
	}
	for _, rule := range r.Rules {
		d.out.Line("     rule %q: %s", rule.Rule, rule.Outcome)
	}
	d.out.Line("     groups: %s", strings.Join(r.Groups, ", "))
	return nil
}

// agentKey is the key of the first agent that the journal tells of.
func (d *demo) agentKey() (string, error) {
	data, err := os.ReadFile(d.path("changes.jsonl"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		var e struct {
			Data struct{ Op, Kind, Key string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return "", err
		}
		if e.Data.Op == "create" && e.Data.Kind == "agent" {
			return e.Data.Key, nil
		}
	}
	return "", expect("the journal has an agent", false)
}

func (d *demo) goodbye(serve bool) {
	cfg, self := "--config "+d.path("config.yaml"), invocation(os.Args[0], executable())
	d.out.Line("")
	d.out.Line("%s", d.out.Paint(term.Bold, "Everything is in "+d.dir))
	d.out.Line("   configuration, state and journal (changes.jsonl). Try on it:")
	for _, command := range []string{"status", "runs", "check", "why agent " + d.agent, "parked list", "plan --offline"} {
		d.out.Line("   %s %s %s", self, command, cfg)
	}
	if serve {
		d.out.Line("   The servers answer until you interrupt; `sync` and `plan` work, too.")
		return
	}
	d.out.Line("   The servers have ended; `%s demo --serve` keeps them for `sync` and `run`.", self)
}
