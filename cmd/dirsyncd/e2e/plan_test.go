package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestPlanIsWhatSyncDoes: a plan shows the very actions of the sync that follows it, and changes nothing by
// itself.
func TestPlanIsWhatSyncDoes(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())

	planned := ask[planView](in, 0, "plan")
	if len(in.journal()) > 0 || len(planned.Actions) < 300 || planned.Held {
		t.Fatalf("%d events, %d actions planned, held: %t", len(in.journal()), len(planned.Actions), planned.Held)
	}
	in.expect(0, "sync")
	sameActions(t, planned.Actions, in.journal())

	// Changes of every sort, planned twice: with and without the source, the state and the journal stay as they are.
	s.AddPerson("joiner", nil)
	s.Replace(s.PersonDN("p40"), "displayName", "Newly Named")
	s.Delete(s.PersonDN("p41"))
	s.AddValues(s.GroupDN("Service Desk"), "member", s.PersonDN("p42"))
	was := len(in.journal())
	before := fingerprint(t, in)
	nothing := ask[planView](in, 0, "plan", "--offline")
	if len(nothing.Actions) > 0 {
		t.Errorf("without asking the source there is nothing to do, but %d actions are planned", len(nothing.Actions))
	}
	planned = ask[planView](in, 0, "plan")
	again := ask[planView](in, 0, "plan", connection, "--full")
	if !reflect.DeepEqual(planned.Actions, again.Actions) {
		t.Error("the same plan is another one the second time")
	}
	in.expect(0, "plan").says(t, "Newly Named", "deactivate", "create")
	in.expect(0, "plan", "--offline").says(t, "nothing to do")
	if after := fingerprint(t, in); !maps.Equal(before, after) {
		t.Errorf("planning changed the folder from %v to %v", before, after)
	}
	in.expect(0, "sync")
	sameActions(t, planned.Actions, in.journal()[was:])

	// Edited rules can be tried out on what is stored, with no server at all.
	s.Stop()
	edited := of(s)
	edited.team = "2nd Line"
	in.configure(edited.configuration())
	planned = ask[planView](in, 0, "plan", "--offline")
	for _, a := range planned.Actions {
		if a.Op != "update" || a.Kind != "agent" || len(a.Changes) != 1 || a.Changes[0].To != "2nd Line" {
			t.Fatalf("edited rules would %+v", a)
		}
	}
	if agents := in.status().Connections[0].Tenants[0].Records["agent"]; len(planned.Actions) != agents {
		t.Errorf("edited rules would reach %d of %d agents", len(planned.Actions), agents)
	}
}

// sameActions compares planned actions with events. Only the order per record is the same for sure: the second
// half of a change of kind waits until the first one has arrived.
func sameActions(t *testing.T, planned []plannedView, events []event) {
	t.Helper()
	came := map[string]string{}
	for i := range events {
		e := &events[i]
		came[e.Data.Op+" "+e.Subject] = fmt.Sprintf("by rule %q, reason %q: %v, %d in, %d out", e.Data.Rule, e.Data.Reason, e.news(),
			len(e.Data.Changes["members"].Added), len(e.Data.Changes["members"].Removed))
	}
	var wrong []string
	for _, p := range planned {
		news := map[string]any{}
		for _, c := range p.Changes {
			news[c.Field] = c.To
		}
		what := p.Op + " " + p.Kind + "/" + p.Key
		want := fmt.Sprintf("by rule %q, reason %q: %v, %d in, %d out", p.Rule, p.Reason, news, p.Added, p.Removed)
		if came[what] != want {
			wrong = append(wrong, fmt.Sprintf("%s was planned %s, came %s", what, want, came[what]))
		}
	}
	if len(planned) != len(events) || len(came) != len(events) {
		wrong = append(wrong, fmt.Sprintf("%d were planned, %d came, %d different ones", len(planned), len(events), len(came)))
	}
	complain(t, "actions", wrong)
}

// news are the fields that an event brings, with their values.
func (e *event) news() map[string]any {
	if e.Data.Op == "create" {
		return e.Data.Record
	}
	news := map[string]any{}
	for name, c := range e.Data.Changes {
		if name != "members" {
			news[name] = c.To
		}
	}
	return news
}

// fingerprint is what all files of an installation hold.
func fingerprint(t *testing.T, in *installation) map[string]string {
	t.Helper()
	files, err := os.ReadDir(in.dir)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(in.path(f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sums[f.Name()] = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	return sums
}

// TestWhyExplainsEveryField: whatever was delivered about somebody, `why` names its origin.
func TestWhyExplainsEveryField(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(1, "why", "user", "p40@example.test").says(t, "dirsyncd sync")
	in.expect(0, "sync")

	type whyView struct {
		Kind, Key, ID string
		Record        struct {
			State, Rule, Run string
			Fields           []struct {
				Field string
				Value any
			}
		}
		Rules  []struct{ Rule, Outcome string }
		Fields []struct {
			Field, Expression string
			Value             any
			Sources           map[string]any
		}
		Groups []string
	}
	asked := 0
	for _, e := range in.journal() {
		if asked == 4 && e.Data.Kind != "group" {
			continue
		}
		asked++
		names := []string{e.Data.Key}
		if e.Data.Kind == "user" {
			names = append(names, e.Data.Record["email"].(string), e.Data.Record["login"].(string))
		}
		for _, who := range names {
			why := ask[[]whyView](in, 0, "why", e.Data.Kind, who)
			if len(why) != 1 || why[0].Key != e.Data.Key || why[0].Record.State != "active" || why[0].Record.Rule != e.Data.Rule || why[0].Record.Run != e.Data.Run {
				t.Fatalf("why %s %s: %+v", e.Data.Kind, who, why)
			}
			told, explained := map[string]any{}, map[string]any{}
			for _, f := range why[0].Record.Fields {
				told[f.Field] = f.Value
			}
			for _, f := range why[0].Fields {
				explained[f.Field] = f.Value
				if f.Expression == "" || strings.HasPrefix(f.Expression, "=") && len(f.Sources) == 0 {
					t.Errorf("why %s: field %s comes from %q, which reads %v", who, f.Field, f.Expression, f.Sources)
				}
			}
			if !reflect.DeepEqual(told, e.Data.Record) || !reflect.DeepEqual(explained, e.Data.Record) {
				t.Errorf("why %s: told %v, explained %v, delivered %v", who, told, explained, e.Data.Record)
			}
		}
	}
	in.expect(0, "why", "agent", "p5").says(t, "service desk", "decided", "Service Desk Night", "Technician")
	in.expect(0, "why", "user", "c0").says(t, "contractors stay out", "decided")
	in.expect(1, "why", "user", "nobody@example.test").says(t, "nobody@example.test")
	in.expect(2, "why", "usr", "p40").says(t, `did you mean "user"`)
}

// TestExitCodes reaches every exit code for the right reason, and every command answers in JSON.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(0, "check")
	in.expect(0, "check", "--probe")
	in.expect(0, "sync")
	for _, command := range [][]string{
		{"check"}, {"check", "--probe"}, {"status"}, {"runs"}, {"parked", "list"}, {"plan"}, {"sync"}, {"version"}, {"why", "user", "p40"},
	} {
		if r := in.expect(0, append(command, "--json")...); !json.Valid([]byte(r.out)) {
			t.Errorf("%v --json: %s", command, r.out)
		}
	}

	// 2: the command line, the configuration.
	in.expect(2, "snyc").says(t, "sync")
	in.expect(2, "sync", "--ful")
	in.expect(2, "sync", "hw").says(t, `there is no connection "hw"`, "hq")
	in.expect(2, "approve", "0123456789ab").says(t, "no plan with this hash is held", "dirsyncd status")
	in.expect(2, "parked", "drop", "hq:1").says(t, "--yes")
	in.expect(2, "parked", "replay", "hq:1").says(t, "nothing is parked")
	good := of(s).configuration()
	in.configure(strings.Replace(good, "mapping: staff", "maping: staff", 1))
	for _, command := range []string{"check", "sync", "run", "plan", "status"} {
		in.expect(2, command).says(t, "config.yaml:6:5", `did you mean "mapping"`)
	}
	in.configure(good)

	// 1: a connection fails.
	s.Replace("cn=reader,ou=services,"+s.Suffix, "userPassword", wrongPassword)
	in.expect(1, "check", "--probe").says(t, "check bind.user and bind.password")
	in.expect(1, "sync").says(t, "check bind.user and bind.password")
	in.expect(1, "plan").says(t, "check bind.user and bind.password")
	s.Replace("cn=reader,ou=services,"+s.Suffix, "userPassword", readerPassword)

	// 3: a plan is held.
	deleteShare(t, in, s, 5)
	in.expect(3, "plan")
	in.expect(3, "sync")
	in.expect(3, "plan", "--offline")
	held := in.status().Connections[0].Tenants[0].Held
	in.expect(0, "approve", held.Hash)
	in.expect(0, "sync")

	// 4: a rule fails for one person, and only that person is left out.
	events := len(in.journal())
	in.configure(strings.Replace(good, "when: enabled\n        user", "when: enabled and (employee_id == nil or int(employee_id[1:]) >= 0)\n        user", 1))
	s.Replace(s.PersonDN("p41"), "employeeNumber", "Exx")
	s.Replace(s.PersonDN("p42"), "displayName", "Newly Named")
	in.expect(4, "sync").says(t, "something is parked")
	parked := ask[[]parkedView](in, 0, "parked", "list")
	if len(parked) != 1 || parked[0].Stage != "map" || !strings.Contains(parked[0].Reason, "everyone else") {
		t.Fatalf("parked: %+v", parked)
	}
	news := in.journal()[events:]
	if !slices.ContainsFunc(news, func(e event) bool { return e.Data.Record["name"] == "Newly Named" && e.Data.Op == "update" }) {
		t.Error("one person's failure stopped another's change")
	}
	for _, e := range news {
		if e.Data.Op != "update" || e.Data.Record["login"] == "p41" {
			t.Errorf("unexpected: %s", e.inShort())
		}
	}
	s.Replace(s.PersonDN("p41"), "employeeNumber", "E000041")
	in.expect(0, "sync")
}
