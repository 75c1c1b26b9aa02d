package halo

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/halo/halosim"
)

func do(t testing.TB, d *Desk, job targets.Job) targets.Entity {
	t.Helper()
	e, err := try(t, d, job)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func try(t testing.TB, d *Desk, job targets.Job) (targets.Entity, error) {
	t.Helper()
	results, err := d.Apply(t.Context(), []targets.Job{job})
	if err != nil {
		return targets.Entity{}, err
	}
	return results[0].Entity, results[0].Err
}

func number(t testing.TB, id string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(id, prefixAgent))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func userJob(customer, site int, unique string) targets.Job {
	refs := map[string]string{refCustomer: strconv.Itoa(customer)}
	if site > 0 {
		refs[refSite] = strconv.Itoa(site)
	}
	return targets.Job{Op: directory.Create, Kind: directory.UserRecord, Mark: "hq/" + unique, Refs: refs, Fields: fields(
		"name", "User "+unique, "given_name", "User", "login", unique, "email", unique+"@example.test", "title", "Engineer", "phone", "+1 555")}
}

func survey(t testing.TB, d *Desk, kind directory.RecordKind) (map[string]targets.Entity, targets.Proof) {
	t.Helper()
	all := map[string]targets.Entity{}
	proof, err := d.Survey(t.Context(), kind, func(e *targets.Entity) error { all[e.ID] = *e; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all, proof
}

func TestLifeOfAUser(t *testing.T) {
	s := start(t, 1)
	acme, main := s.Customer("Acme")
	office := s.Add("Site", halosim.Thing{"name": "Office", "client_id": acme})
	d := open(t, s, func(c *Config) {
		c.Fields = map[string]map[string]string{"user": {"room": "customfields[CFRoom]", "notes": "notes", "phone": ""}}
	})
	job := userJob(acme, 0, "ada")
	job.Fields = append(job.Fields, fields("room", "1.01", "notes", "hello")...)
	job.Keys = map[string]string{"azureoid": "oid-1"}
	e := do(t, d, job)
	if e.Refs[refSite] != strconv.Itoa(main) || e.Refs[refCustomer] != strconv.Itoa(acme) || e.Keys[targets.Mark] != "hq/ada" || !e.Active || e.Fields["room"] != "1.01" {
		t.Fatalf("made: %+v", e)
	}
	if _, sent := e.Fields["phone"]; sent {
		t.Error("a field that is switched off is shown")
	}
	id := number(t, e.ID)
	s.Human("Users", id, func(u halosim.Thing) {
		u["customfields"] = append(u["customfields"].([]any), map[string]any{"name": "CFKeep", "value": "theirs"})
		u["neversendemails"] = true
	})
	e = do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Fields: fields("room", "2.02", "title", "", "email", "ada@new.test"),
		Refs: map[string]string{refCustomer: strconv.Itoa(acme), refSite: strconv.Itoa(office)}})
	if e.Fields["room"] != "2.02" || e.Fields["title"] != "" || e.Fields["email"] != "ada@new.test" || e.Refs[refSite] != strconv.Itoa(office) {
		t.Errorf("changed: %+v", e)
	}
	u := s.Things("Users")[slices.IndexFunc(s.Things("Users"), func(u halosim.Thing) bool { return u.ID() == id })]
	if text := fmt.Sprint(u["customfields"]); !strings.Contains(text, "theirs") || !strings.Contains(text, "2.02") || u["neversendemails"] != true || u["azureoid"] != "oid-1" {
		t.Errorf("at the desk: %v", u)
	}
	writes := s.Counts().Writes
	do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Fields: fields("room", "2.02", "email", "ada@new.test"), Refs: map[string]string{refCustomer: strconv.Itoa(acme)}})
	if n := s.Counts().Writes; n != writes {
		t.Errorf("what is as it should be was written %d times", n-writes)
	}
	if e = do(t, d, targets.Job{Op: directory.Deactivate, Kind: directory.UserRecord, ID: e.ID}); e.Active {
		t.Error("in use")
	}
	if e = do(t, d, targets.Job{Op: directory.Reactivate, Kind: directory.UserRecord, ID: e.ID}); !e.Active {
		t.Error("out of use")
	}
	if _, err := try(t, d, targets.Job{Op: directory.Delete, Kind: directory.UserRecord, ID: e.ID}); fault.ClassOf(err) != fault.Invalid {
		t.Errorf("delete: %v", err)
	}
}

// TestMove: a user moves to a customer without a site of its own choosing, and the answer is checked.
func TestMove(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	beta, betaSite := s.Customer("Beta")
	d := open(t, s, nil)
	e := do(t, d, userJob(acme, site, "ada"))
	e = do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Refs: map[string]string{refCustomer: strconv.Itoa(beta)}})
	if e.Refs[refCustomer] != strconv.Itoa(beta) || e.Refs[refSite] != strconv.Itoa(betaSite) {
		t.Errorf("moved to %v", e.Refs)
	}
	job := userJob(acme, betaSite, "bob") // the site of another customer
	if _, err := try(t, d, job); fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), "another customer") {
		t.Errorf("%v", err)
	}
	s.Add("Site", halosim.Thing{"name": "North", "client_id": acme})
	s.Human("Site", site, func(x halosim.Thing) { x["name"] = "South" })
	if _, err := try(t, d, userJob(acme, 0, "eve")); fault.ClassOf(err) != fault.Invalid || !strings.Contains(fault.Hint(err), "main_site") {
		t.Errorf("a customer with two sites, none of them the main one: %v", err)
	}
}

func TestNeverGuessed(t *testing.T) {
	s := start(t, 1)
	d := open(t, s, nil)
	for kind, want := range map[directory.RecordKind]string{directory.UserRecord: "site", directory.SiteRecord: "customer", directory.LicenceRecord: "customer", directory.AssetRecord: "site"} {
		if _, err := try(t, d, targets.Job{Op: directory.Create, Kind: kind, Mark: "m", Fields: fields("name", "x")}); fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if n := s.Counts().Writes; n != 0 {
		t.Errorf("%d writing requests", n)
	}
}

func TestProtected(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	service := s.Add("Users", halosim.Thing{"name": "Scanner", "site_id": site, "isserviceaccount": true})
	imported := s.Add("Users", halosim.Thing{"name": "Import", "site_id": site, "azure_connectionid": 4})
	s.Add("Agent", halosim.Thing{"id": 15, "name": "Tech", "role_list": "Technician"})
	for _, adopt := range []bool{false, true} {
		d := open(t, s, func(c *Config) {
			if adopt {
				c.Integrated = "adopt"
			}
		})
		for id, want := range map[string]bool{prefixAgent + "2": true, prefixAgent + "3": true, prefixAgent + "15": false} {
			if e, err := d.Fetch(t.Context(), directory.AgentRecord, id); err != nil || (e.Protected != "") != want {
				t.Errorf("agent %s: %q, %v", id, e.Protected, err)
			}
		}
		for id, want := range map[int]bool{service: true, imported: !adopt} {
			if e, err := d.Fetch(t.Context(), directory.UserRecord, strconv.Itoa(id)); err != nil || (e.Protected != "") != want {
				t.Errorf("user %d: %q, %v", id, e.Protected, err)
			}
		}
		all, _ := survey(t, d, directory.UserRecord)
		general := 0
		for _, e := range all {
			if e.Fields["name"] == generalUser && e.Protected != "" {
				general++
			}
		}
		if general != 1 {
			t.Errorf("%d general users are protected", general)
		}
		for id, want := range map[int]bool{1: true, acme: false} {
			if e, err := d.Fetch(t.Context(), directory.CustomerRecord, strconv.Itoa(id)); err != nil || (e.Protected != "") != want {
				t.Errorf("customer %d: %q, %v", id, e.Protected, err)
			}
		}
	}
}

// TestBusy: who has open tickets is busy, whichever way the desk says so.
func TestBusy(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	d := open(t, s, nil)
	user := do(t, d, userJob(acme, site, "ada"))
	agent := do(t, d, targets.Job{Op: directory.Create, Kind: directory.AgentRecord, Mark: "hq/bob", Fields: fields("name", "Bob")})
	ticket := s.Add("Tickets", halosim.Thing{"summary": "x", "client_id": acme, "site_id": site, "user_id": number(t, user.ID), "agent_id": number(t, agent.ID)})
	s.Add("Tickets", halosim.Thing{"summary": "y", "client_id": acme, "site_id": site, "user_id": number(t, user.ID), "hasbeenclosed": true})
	things := map[directory.RecordKind]string{
		directory.UserRecord: user.ID, directory.AgentRecord: agent.ID, directory.CustomerRecord: strconv.Itoa(acme), directory.SiteRecord: strconv.Itoa(site),
	}
	for _, open := range []bool{true, false} {
		for kind, id := range things {
			if e, err := d.Fetch(t.Context(), kind, id); err != nil || (e.Busy != "") != open {
				t.Errorf("%s with open tickets %t: %q, %v", kind, open, e.Busy, err)
			}
		}
		s.Human("Tickets", ticket, func(x halosim.Thing) { x["hasbeenclosed"] = true })
	}
}

// TestMemberships: teams, roles and boards keep whom others have put there.
func TestMemberships(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	d := open(t, s, nil)
	bob := do(t, d, targets.Job{Op: directory.Create, Kind: directory.AgentRecord, Mark: "hq/bob", Fields: fields("name", "Bob", "email", "bob@desk.test")})
	ada := do(t, d, userJob(acme, site, "ada"))
	asAgent := do(t, d, userJob(acme, site, "bob")) // the same human, as a user
	s.Human("Users", number(t, asAgent.ID), func(u halosim.Thing) { u["linked_agent_id"] = number(t, bob.ID) })
	s.Human("Agent", number(t, bob.ID), func(a halosim.Thing) {
		a["teams"], a["roles"] = []any{map[string]any{"id": 1, "team_id": 6, "team_name": "1st Line", "is_manager": true}}, []any{map[string]any{"id": "0a1b-lead", "name": "Lead"}}
	})
	made := do(t, d, targets.Job{Op: directory.Create, Kind: directory.GroupRecord, Mark: "hq/g", Fields: fields("name", "2nd Line", "type", team), Add: []string{bob.ID, ada.ID}})
	if !slices.Equal(made.Members, []string{bob.ID}) || !made.MembersKnown {
		t.Errorf("members %v: a user who is no agent is in no team", made.Members)
	}
	agent := func() halosim.Thing {
		return s.Things("Agent")[slices.IndexFunc(s.Things("Agent"), func(a halosim.Thing) bool { return a.ID() == number(t, bob.ID) })]
	}
	if text := fmt.Sprint(agent()["teams"]); !strings.Contains(text, "is_manager:true") || len(agent()["teams"].([]any)) != 2 {
		t.Errorf("teams: %s", text)
	}
	do(t, d, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: "role:0a1b-technician", Add: []string{asAgent.ID}})
	if text := fmt.Sprint(agent()["roles"]); !strings.Contains(text, "0a1b-lead") || !strings.Contains(text, "0a1b-technician") {
		t.Errorf("roles: %s", text)
	}
	do(t, d, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: "role:0a1b-technician", Remove: []string{bob.ID}})
	do(t, d, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: made.ID, Remove: []string{bob.ID}})
	if a := agent(); len(a["roles"].([]any)) != 1 || len(a["teams"].([]any)) != 1 {
		t.Errorf("left: %v, %v", a["roles"], a["teams"])
	}
	do(t, d, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: "user_role:5", Add: []string{ada.ID, bob.ID}})
	for _, u := range s.Things("Users") {
		if want := strconv.Itoa(u.ID()) == ada.ID; (len(u["roles"].([]any)) == 1) != want {
			t.Errorf("user %d has the roles %v", u.ID(), u["roles"])
		}
	}
	writes := s.Counts().Writes
	do(t, d, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: "user_role:5", Add: []string{ada.ID}})
	if n := s.Counts().Writes; n != writes {
		t.Error("who has a role is given it again")
	}
	s.Human("CAB", 7, func(c halosim.Thing) {
		c["members"] = []any{map[string]any{"id": 1, "emailaddress": "boss@example.test", "is_mandatory": true}}
	})
	board := do(t, d, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: "cab:7", Add: []string{bob.ID, ada.ID}})
	if text := fmt.Sprint(s.Things("CAB")[0]["members"]); !strings.Contains(text, "boss@example.test") || len(board.Members) != 2 {
		t.Errorf("board: %v, %s", board.Members, text)
	}
	for name, job := range map[string]targets.Job{
		"a role is made":            {Op: directory.Create, Fields: fields("name", "Root", "type", role)},
		"a role is out of use":      {Op: directory.Deactivate, ID: "role:0a1b-lead"},
		"a type that nobody knows":  {Op: directory.Create, Fields: fields("name", "x", "type", "squad")},
		"a group without a name":    {Op: directory.Create, Fields: fields("type", team)},
		"a team is there already":   {Op: directory.Create, Fields: fields("name", "1ST line", "type", team)},
		"a board is taken from use": {Op: directory.Deactivate, ID: "cab:7"},
	} {
		job.Kind = directory.GroupRecord
		if _, err := try(t, d, job); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for id, members := range map[string][]string{made.ID: {"agent:999", "999"}, "user_role:5": {"999"}} {
		for _, member := range members {
			job := targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: id, Add: []string{member}}
			if _, err := try(t, d, job); fault.ClassOf(err) != fault.Invalid { // Gone would be said of the group
				t.Errorf("%s, who is gone, goes to %s: %v", member, id, err)
			}
		}
	}
	if e := do(t, d, targets.Job{Op: directory.Deactivate, Kind: directory.GroupRecord, ID: made.ID}); e.Active {
		t.Error("the team is in use")
	}
}

// TestTicket: a ticket is made once, and then its agents'.
func TestTicket(t *testing.T) {
	for _, ignored := range []bool{false, true} {
		s := start(t, 1)
		acme, site := s.Customer("Acme")
		s.Add("Tickets", halosim.Thing{"summary": "of somebody", "client_id": acme, "site_id": site, "tickettype_id": 27})
		s.Add("Tickets", halosim.Thing{"summary": "of another type", "client_id": acme, "site_id": site, "tickettype_id": 1})
		d := open(t, s, func(c *Config) { c.Ticket.Template, c.Ticket.Priority = 3, 2 })
		s.Set(func(f *halosim.Faults) { f.FiltersIgnored = ignored })
		e := do(t, d, targets.Job{Op: directory.Create, Kind: directory.TicketRecord, Mark: "hq/t1", Fields: fields("summary", "New starter", "details", "<b>Ada</b>"),
			Refs: map[string]string{refCustomer: strconv.Itoa(acme)}})
		found, err := d.Find(t.Context(), directory.TicketRecord, targets.Mark, "hq/t1")
		if !ignored && (err != nil || len(found) != 1 || found[0].ID != e.ID) || ignored && !errors.Is(err, targets.ErrCannotFind) {
			t.Errorf("filters ignored %t: %v, %v", ignored, found, err)
		}
		all, proof := survey(t, d, directory.TicketRecord)
		if len(all) != 2 || proof.Doubt != "" || all[e.ID].Short != ignored {
			t.Errorf("filters ignored %t: %v, %v", ignored, all, proof)
		}
		writes := s.Counts().Writes
		do(t, d, targets.Job{Op: directory.Update, Kind: directory.TicketRecord, ID: e.ID, Fields: fields("summary", "Another")})
		if s.Counts().Writes != writes {
			t.Error("a ticket was written again")
		}
		if _, err := try(t, d, targets.Job{Op: directory.Deactivate, Kind: directory.TicketRecord, ID: e.ID}); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("close: %v", err)
		}
	}
}

// TestTicketTypes: a ticket says by itself what it is, as far as the target knows the word; it is where its user is; and all types are
// looked through for one that was lost.
func TestTicketTypes(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	d := open(t, s, func(c *Config) { c.Ticket.Types = map[string]int{"Onboarding": 28} })
	ada := do(t, d, userJob(acme, site, "ada"))
	e := do(t, d, targets.Job{Op: directory.Create, Kind: directory.TicketRecord, Mark: "hq/ada/ticket/joiner/1", Refs: map[string]string{refUser: ada.ID},
		Fields: fields("summary", "New starter", "type", "onboarding", "template", "12", "priority", "2")})
	made := s.Things("Tickets")[0]
	for name, want := range map[string]int{"tickettype_id": 28, "template_id": 12, "priority_id": 2, "user_id": number(t, ada.ID), "site_id": site} {
		if got := fmt.Sprint(made[name]); got != strconv.Itoa(want) {
			t.Errorf("%s is %s, want %d", name, got, want)
		}
	}
	if made["donotapplytemplateintheapi"] == true {
		t.Error("the template is not applied")
	}
	do(t, d, targets.Job{Op: directory.Create, Kind: directory.TicketRecord, Mark: "hq/t2", Fields: fields("summary", "Of the usual type"), Refs: map[string]string{refCustomer: strconv.Itoa(acme)}})
	for _, ignored := range []bool{false, true} {
		s.Set(func(f *halosim.Faults) { f.FiltersIgnored = ignored })
		if all, proof := survey(t, d, directory.TicketRecord); len(all) != 2 || proof.Doubt != "" || proof.Count != 2 || all[e.ID].ID == "" {
			t.Errorf("filters ignored %t: %v, %v", ignored, all, proof)
		}
	}
	for name, value := range map[string]string{"type": "Incident", "template": "twelve"} {
		_, err := try(t, d, targets.Job{Op: directory.Create, Kind: directory.TicketRecord, Mark: "hq/t3", Refs: map[string]string{refUser: ada.ID}, Fields: fields("summary", "x", name, value)})
		if fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%s %s: %v", name, value, err)
		}
	}
}

// TestTicketOfSomebodyGone: a ticket of whom the desk does not have any more is made without them, where their customer is known.
func TestTicketOfSomebodyGone(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	d := open(t, s, nil)
	_, err := try(t, d, targets.Job{Op: directory.Create, Kind: directory.TicketRecord, Mark: "hq/ada/ticket/leaver/1", Fields: fields("summary", "Leaver"),
		Refs: map[string]string{refUser: "4711", refCustomer: strconv.Itoa(acme)}})
	if err != nil {
		t.Fatal(err)
	}
	if made := s.Things("Tickets"); len(made) != 1 || fmt.Sprint(made[0]["site_id"]) != strconv.Itoa(site) || fmt.Sprint(made[0]["user_id"]) == "4711" {
		t.Errorf("%v", made)
	}
	_, err = try(t, d, targets.Job{Op: directory.Create, Kind: directory.TicketRecord, Mark: "hq/bob/ticket/leaver/1", Fields: fields("summary", "Leaver"), Refs: map[string]string{refUser: "4711"}})
	if fault.ClassOf(err) != fault.Invalid {
		t.Errorf("without a customer: %v", err)
	}
	_, err = try(t, d, targets.Job{Op: directory.Create, Kind: directory.TicketRecord, Mark: "hq/eve/ticket/leaver/1", Fields: fields("summary", "Leaver"),
		Refs: map[string]string{refUser: "4711", refCustomer: strconv.Itoa(acme), refSite: strconv.Itoa(site)}})
	if made := s.Things("Tickets"); err != nil || len(made) != 2 || fmt.Sprint(made[1]["user_id"]) == "4711" {
		t.Errorf("at a site: %v, %v", made, err)
	}
}

// TestAsset: asset fields are written whole, and users stay.
func TestAsset(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	d := open(t, s, func(c *Config) { c.Asset.Fields = map[string]int{"serial_number": 71, "model": 72} })
	ada, bob := do(t, d, userJob(acme, site, "ada")), do(t, d, userJob(acme, site, "bob"))
	e := do(t, d, targets.Job{Op: directory.Create, Kind: directory.AssetRecord, Mark: "hq/a1", Fields: fields("name", "LAP-1", "serial_number", "S1"),
		Refs: map[string]string{refCustomer: strconv.Itoa(acme), refUser: ada.ID}})
	if e.Fields["serial_number"] != "S1" || e.Keys[targets.Mark] != "hq/a1" || e.Refs[refUser] != ada.ID {
		t.Fatalf("%+v", e)
	}
	s.Human("Asset", number(t, e.ID), func(a halosim.Thing) {
		a["fields"] = append(a["fields"].([]any), map[string]any{"id": 99, "value": "theirs"})
	})
	e = do(t, d, targets.Job{Op: directory.Update, Kind: directory.AssetRecord, ID: e.ID, Fields: fields("serial_number", "S2", "model", "M"), Refs: map[string]string{refUser: bob.ID}})
	a := s.Things("Asset")[0]
	if text := fmt.Sprint(a["fields"]); !strings.Contains(text, "theirs") || len(a["fields"].([]any)) != 3 || len(a["users"].([]any)) != 2 || e.Fields["serial_number"] != "S2" {
		t.Errorf("%v, %v", text, a["users"])
	}
}

// TestTenants: customers are recognised by the tenants that the desk has mapped; one with two has none that tells.
func TestTenants(t *testing.T) {
	s := start(t, 1)
	acme, _ := s.Customer("Acme")
	beta, _ := s.Customer("Beta")
	s.Add("AreaAzureTenant", halosim.Thing{"client_id": acme, "azure_tenant_id": "T-1"})
	for _, tenant := range []string{"t-2", "t-3"} {
		s.Add("AreaAzureTenant", halosim.Thing{"client_id": beta, "azure_tenant_id": tenant})
	}
	d := open(t, s, nil)
	all, _ := survey(t, d, directory.CustomerRecord)
	if all[strconv.Itoa(acme)].Keys["azure_tenant_id"] != "T-1" || all[strconv.Itoa(beta)].Keys["azure_tenant_id"] != "" {
		t.Errorf("%v", all)
	}
	found, err := d.Find(t.Context(), directory.CustomerRecord, "azure_tenant_id", "t-1")
	if err != nil || len(found) != 1 || found[0].ID != strconv.Itoa(acme) {
		t.Errorf("%v, %v", found, err)
	}
	s.Set(func(f *halosim.Faults) { f.Forbid = "AreaAzureTenant" })
	if _, err := d.Find(t.Context(), directory.CustomerRecord, "azure_tenant_id", "t-1"); !errors.Is(err, targets.ErrCannotFind) {
		t.Errorf("%v", err)
	}
}

func TestSearches(t *testing.T) {
	for name, tt := range map[string]struct {
		faults func(*halosim.Faults)
		cannot bool
	}{
		"as it should be": {func(*halosim.Faults) {}, false},
		"ignored":         {func(f *halosim.Faults) { f.SearchIgnored = true }, true},
		"minds the case":  {func(f *halosim.Faults) { f.SearchMinds = true }, true},
		"finds nobody":    {func(f *halosim.Faults) { f.SearchEmpty = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, 1)
			_, site := s.Customer("Acme")
			for i := range 20 {
				s.Add("Users", halosim.Thing{"name": fmt.Sprintf("U %d", i), "site_id": site, "emailaddress": fmt.Sprintf("u%d@example.test", i), "login": fmt.Sprintf("user-%d", i), "inactive": i%2 == 1})
			}
			d := open(t, s, nil)
			s.Set(tt.faults)
			for value, n := range map[string]int{"U3@example.TEST": 1, "nobody@example.test": 0} {
				found, err := d.Find(t.Context(), directory.UserRecord, "emailaddress", value)
				if tt.cannot && !errors.Is(err, targets.ErrCannotFind) || !tt.cannot && (err != nil || len(found) != n) {
					t.Errorf("%s: %d found, %v", value, len(found), err)
				}
			}
			if _, err := d.Find(t.Context(), directory.UserRecord, "emailaddress", `o"brien@x`); !errors.Is(err, targets.ErrCannotFind) {
				t.Errorf("a quotation mark: %v", err)
			}
			abilities, err := d.Probe(t.Context())
			if err != nil || len(abilities) < 15 {
				t.Errorf("%d abilities, %v", len(abilities), err)
			}
			for _, a := range abilities {
				if strings.Contains(a.Detail, "@") || a.Name == "search Users by login" && a.Has == tt.cannot {
					t.Errorf("%+v", a)
				}
			}
		})
	}
}

// TestWalks: what proves that everybody was listed, and what does not.
func TestWalks(t *testing.T) {
	for name, tt := range map[string]struct {
		faults func(*halosim.Faults)
		doubt  bool
		n      int
	}{
		"whole":            {func(*halosim.Faults) {}, false, 121},
		"pages ignored":    {func(f *halosim.Faults) { f.PagesIgnored = true }, true, 50},
		"overlap":          {func(f *halosim.Faults) { f.Overlap = true }, true, 50},
		"cap":              {func(f *halosim.Faults) { f.Cap = 60 }, true, 60},
		"wrong count":      {func(f *halosim.Faults) { f.WrongCount = true }, true, 121},
		"no count":         {func(f *halosim.Faults) { f.NoCount = true }, true, 121},
		"inactive hidden":  {func(f *halosim.Faults) { f.HideInactive = true }, false, 81}, // the count agrees: what is linked and not listed tells
		"links hidden":     {func(f *halosim.Faults) { f.Forbid = "ExternalLink" }, false, 121},
		"in other letters": {func(f *halosim.Faults) { f.Numbers, f.Words = true, true }, false, 121},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, 1)
			_, site := s.Customer("Acme")
			for i := range 120 {
				s.Add("Users", halosim.Thing{"name": fmt.Sprintf("U %d", i), "site_id": site, "inactive": i%3 == 0})
			}
			d := open(t, s, nil)
			s.Set(tt.faults)
			all, proof := survey(t, d, directory.UserRecord)
			if name == "overlap" {
				tt.n, tt.doubt = len(all), proof.Doubt != "" || len(all) == 121
			}
			if len(all) != tt.n || (proof.Doubt != "") != tt.doubt && name != "overlap" {
				t.Errorf("%d listed, %+v", len(all), proof)
			}
			for _, e := range all {
				// Where the marks are not known, a thing must be read by itself.
				if want := name == "links hidden" || name == "wrong count"; e.Short != want {
					t.Fatalf("%+v", e)
				}
				if _, err := strconv.Atoi(e.ID); err != nil {
					t.Fatalf("the id is %q", e.ID)
				}
			}
		})
	}
}

// tenThousand is a desk of as many users, who all have our mark.
func tenThousand(t *testing.T) *halosim.Sim {
	s := start(t, 1)
	_, site := s.Customer("Acme")
	for i := range 10_000 {
		id := s.Add("Users", halosim.Thing{"name": fmt.Sprintf("U %d", i), "site_id": site, "emailaddress": fmt.Sprintf("u%d@example.test", i)})
		s.Add("ExternalLink", halosim.Thing{"table_id": 3, "halo_id": id, "third_party_type": thirdParty, "third_party_id": linkValue(directory.UserRecord, strconv.Itoa(i))})
	}
	return s
}

// TestMemoryOfAFirstContact: what is kept here of 10,000 users while they are looked at, beside what package desk keeps of them (its
// TestManyPeople), leaves most of 200 MB to that. Other tests do not run at the same time.
func TestMemoryOfAFirstContact(t *testing.T) {
	s := tenThousand(t)
	d := open(t, s, func(c *Config) { c.Page = defaults().Page })
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most, n := live(), int64(0), 0
	if _, err := d.Survey(t.Context(), directory.UserRecord, func(*targets.Entity) error {
		if n++; n%500 == 1 {
			most = max(most, live()-before)
		}
		return nil
	}); err != nil || n < 10_000 {
		t.Fatal(n, err)
	}
	t.Logf("%d kB", most>>10)
	if most > 20<<20 {
		t.Errorf("%d MB are kept", most>>20)
	}
}

// TestRequestsOfANight: what a look at 10,000 users costs.
func TestRequestsOfANight(t *testing.T) {
	t.Parallel()
	s := tenThousand(t)
	d := open(t, s, func(c *Config) { c.Page = defaults().Page })
	marked := 0
	proof, err := d.Survey(t.Context(), directory.UserRecord, func(e *targets.Entity) error {
		if e.Keys[targets.Mark] != "" && !e.Short {
			marked++
		}
		return nil
	})
	if err != nil || proof.Doubt != "" || marked != 10_000 {
		t.Errorf("%d marked, %+v, %v", marked, proof, err)
	}
	if n := s.Counts().Requests; n > 50 {
		t.Errorf("%d requests: %v", n, s.Counts().By)
	} else {
		t.Logf("%d requests: %v", n, s.Counts().By)
	}
}

// TestRightsShrink: who cannot be seen any more is not gone.
func TestRightsShrink(t *testing.T) {
	s := start(t, 1)
	_, site := s.Customer("Acme")
	for i := range 40 {
		s.Add("Users", halosim.Thing{"name": fmt.Sprintf("U %d", i), "site_id": site})
	}
	d := open(t, s, nil)
	var hidden, gone string
	for _, u := range s.Things("Users") {
		if u.ID()%2 == 1 {
			hidden = strconv.Itoa(u.ID())
		} else {
			gone = strconv.Itoa(u.ID())
		}
	}
	survey(t, d, directory.UserRecord)
	for name, faults := range map[string]func(*halosim.Faults){
		"half of them are hidden":   func(f *halosim.Faults) { f.RightsShrink = true },
		"the resource is forbidden": func(f *halosim.Faults) { f.Forbid = "Users" },
		"null":                      func(f *halosim.Faults) { f.Nothing = true },
		"a page of HTML":            func(f *halosim.Faults) { f.HTML = true },
	} {
		s.Mend()
		s.Set(faults)
		if _, err := d.Fetch(t.Context(), directory.UserRecord, hidden); fault.ClassOf(err) == fault.Gone || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Mend()
	s.Human("Users", number(t, gone), nil)
	if _, err := d.Fetch(t.Context(), directory.UserRecord, gone); fault.ClassOf(err) != fault.Gone {
		t.Errorf("it is gone: %v", err)
	}
}

// TestRefusals: the shapes in which a desk says no.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		faults func(*halosim.Faults)
		exists bool
		class  fault.Class
	}{
		"there already":         {func(*halosim.Faults) {}, true, fault.Invalid},
		"there already, a text": {func(f *halosim.Faults) { f.BareText = true }, true, fault.Invalid},
		"200 with an error":     {func(f *halosim.Faults) { f.ErrorInside = 1 }, false, fault.Invalid},
		"too many":              {func(f *halosim.Faults) { f.Throttle, f.RetryAfter = 1, "soon" }, false, fault.Throttled},
		"forbidden":             {func(f *halosim.Faults) { f.Forbid = "Users" }, false, fault.Forbidden},
		"down":                  {func(f *halosim.Faults) { f.Down = 1 }, false, fault.Transient},
		"cut":                   {func(f *halosim.Faults) { f.EffectWithoutAnswer = 1 }, false, fault.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, 1)
			acme, site := s.Customer("Acme")
			d := open(t, s, nil)
			do(t, d, userJob(acme, site, "ada"))
			s.Set(tt.faults)
			job := userJob(acme, site, "ada")
			if tt.class == fault.Transient {
				job = userJob(acme, site, "eve")
			}
			job.Mark = "hq/other"
			_, err := try(t, d, job)
			if fault.ClassOf(err) != tt.class || errors.Is(err, targets.ErrExists) != tt.exists {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(fault.Hint(err), "ada") {
				t.Errorf("the hint names a person: %v", err)
			}
			if name == "cut" { // it was made, and is found by its mark
				s.Mend()
				found, err := d.Find(t.Context(), directory.UserRecord, targets.Mark, "hq/other")
				if err != nil || len(found) != 1 {
					t.Errorf("%v, %v", found, err)
				}
			}
		})
	}
}

// TestMarkIsNotKept: when a desk does not show the mark that it took, nothing more is made.
func TestMarkIsNotKept(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	d := open(t, s, nil)
	s.Set(func(f *halosim.Faults) { f.LinkIgnored = true })
	do(t, d, userJob(acme, site, "ada"))
	if _, err := try(t, d, userJob(acme, site, "eve")); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("%v", err)
	}
	if n := s.Counts().By["POST Users"]; n != 1 {
		t.Errorf("%d were made", n)
	}
}

// TestAnswerWithoutEffect: what a desk takes and does not do is no success.
func TestAnswerWithoutEffect(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	d := open(t, s, nil)
	e := do(t, d, userJob(acme, site, "ada"))
	s.Set(func(f *halosim.Faults) { f.AnswerWithoutEffect = 1 })
	if _, err := try(t, d, targets.Job{Op: directory.Deactivate, Kind: directory.UserRecord, ID: e.ID}); fault.ClassOf(err) != fault.Invalid {
		t.Errorf("deactivate: %v", err)
	}
	if _, err := try(t, d, userJob(acme, site, "eve")); err == nil || fault.ClassOf(err) == fault.Gone {
		t.Errorf("create: %v", err)
	}
}

// TestUnknownID: a change of what is not there is never sent: some desks would make it.
func TestUnknownID(t *testing.T) {
	s := start(t, 1)
	s.Customer("Acme")
	d := open(t, s, nil)
	for _, kind := range []directory.RecordKind{directory.CustomerRecord, directory.UserRecord, directory.AgentRecord, directory.GroupRecord} {
		id := "4711"
		switch kind {
		case directory.AgentRecord:
			id = prefixAgent + id
		case directory.GroupRecord:
			id = "team:" + id
		default:
		}
		if _, err := try(t, d, targets.Job{Op: directory.Update, Kind: kind, ID: id, Fields: fields("name", "x")}); fault.ClassOf(err) != fault.Gone {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if n := s.Counts().Writes; n != 0 {
		t.Errorf("%d writing requests", n)
	}
}

func TestSignIn(t *testing.T) {
	s := start(t, 1)
	for name, tt := range map[string]struct {
		change func(*Config)
		class  fault.Class
	}{
		"what the desk says": {func(*Config) {}, ""},
		"as configured":      {func(c *Config) { c.Tenant, c.AuthURL = halosim.Tenant, s.URL+"/auth/" }, ""},
		"another tenant":     {func(c *Config) { c.Tenant = "other" }, fault.Auth},
		"another client":     {func(c *Config) { c.ClientID = "x" }, fault.Auth},
		"another secret":     {func(c *Config) { c.ClientSecret = settings.NewSecret("wrong-secret") }, fault.Auth},
	} {
		d := open(t, s, tt.change)
		err := d.Check(t.Context())
		if fault.ClassOf(err) != tt.class {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret-") {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
	d := open(t, s, nil)
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	tokens := s.Counts().By["POST token"]
	s.Set(func(f *halosim.Faults) { f.TokenEnds = 1 })
	if err := d.Check(t.Context()); fault.ClassOf(err) != fault.Auth {
		t.Errorf("a token that is refused again and again: %v", err)
	}
	s.Mend()
	if err := d.Check(t.Context()); err != nil || s.Counts().By["POST token"]-tokens > 2 {
		t.Errorf("%v after %d tokens", err, s.Counts().By["POST token"]-tokens)
	}
}

func TestHang(t *testing.T) {
	s := start(t, 1)
	d := open(t, s, nil)
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Set(func(f *halosim.Faults) { f.Hang = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.Check(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestConfig(t *testing.T) {
	good := func() *Config {
		c := defaults()
		c.URL, c.ClientID, c.ClientSecret = "https://acme.halopsa.example", "id", settings.NewSecret("s")
		return c
	}
	if issues := good().Validate(); len(issues) > 0 {
		t.Errorf("%v", issues)
	}
	for path, change := range map[string]func(*Config){
		"url":               func(c *Config) { c.URL = "https://acme.halopsa.example/api" },
		"auth_url":          func(c *Config) { c.AuthURL = "acme" },
		"client_id":         func(c *Config) { c.ClientID = "" },
		"client_secret":     func(c *Config) { c.ClientSecret = settings.Secret{} },
		"timeout":           func(c *Config) { c.Timeout = 0 },
		"mark":              func(c *Config) { c.Mark = "x" },
		"integrated":        func(c *Config) { c.Integrated = "x" },
		"group":             func(c *Config) { c.Group = "x" },
		"main_site":         func(c *Config) { c.MainSite = " " },
		"fields.group":      func(c *Config) { c.Fields = map[string]map[string]string{"group": {"a": "b"}} },
		"fields.user.a":     func(c *Config) { c.Fields = map[string]map[string]string{"user": {"a": "_merge_user_into"}} },
		"fields.user.b":     func(c *Config) { c.Fields = map[string]map[string]string{"user": {"b": "inactive"}} },
		"fields.customer.c": func(c *Config) { c.Fields = map[string]map[string]string{"customer": {"c": "customfields[]"}} },
		"module":            func(c *Config) { c.Module = -1 },
		"page":              func(c *Config) { c.Page = 0 },
		"rate":              func(c *Config) { c.Rate = 0 },
		"parallel":          func(c *Config) { c.Parallel = 9 },
	} {
		c := good()
		change(c)
		if issues := c.Validate(); len(issues) != 1 || issues[0].Path != path {
			t.Errorf("%s: %v", path, issues)
		}
	}
	c := good()
	c.URL = "http://desk.example"
	if len(c.Advise()) != 1 {
		t.Error("clear text is not warned of")
	}
}

// FuzzAnswers: whatever a desk answers is an entity or an error, and never a thing without an id.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"id": 95.0, "name": "x", "inactive": "True", "customfields": [{"name": "CFRoom", "value": null}], "site_id": "7"}`,
		`{"record_count": 2, "users": [{"id": 1}, null, "x", {"id": "2"}]}`, `[{"id": 1e3}]`, `"a text"`, `null`, `{"Message": "no"}`, `{"id": -1}`, `{"id": 1e400}`,
		`{"id":{"a":[1]},"external_links":{}}`, `[[[]]]`, `{"record_count": -5, "users": []}`, `{"errorMessage": {"x": 1}}`,
	} {
		f.Add([]byte(seed))
	}
	cfg := defaults()
	cfg.Fields = map[string]map[string]string{"user": {"room": "customfields[CFRoom]"}}
	d := &Desk{cfg: *cfg}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := rest.Document(data)
		if err != nil {
			return
		}
		_ = said(v)
		rows, _ := objectsOf(v)
		if o, is := v.(map[string]any); is {
			rows = append(rows, o)
			if more, is := object(o).objects("users"); is {
				rows = append(rows, more...)
			}
		}
		for _, o := range rows {
			for _, kind := range directory.RecordKinds() {
				r := resourceOf(kind)
				if r == nil {
					for _, g := range groupKinds() {
						_ = d.group(g, o)
					}
					continue
				}
				e := d.entity(r, o, lists{})
				if id := o.id("id"); id != "" && !strings.HasSuffix(e.ID, id) {
					t.Errorf("%q became %q", id, e.ID)
				}
				if n, err := strconv.ParseInt(o.id("id"), 10, 64); o.id("id") != "" && (err != nil || n <= 0) {
					t.Errorf("the id is %q", o.id("id"))
				}
			}
			_, _ = o.whole("roles")
			_ = warningsOf(o)
			out := object{}
			element(out, o, "customfields", "name", "CFRoom", "1")
		}
	})
}

// Outside of Apply nothing that writes is sent.
func TestOnlyApplyWrites(t *testing.T) {
	s := start(t, 1)
	d := open(t, s, nil)
	if _, err := d.client.write(t.Context(), "Users", object{"name": "x"}); fault.ClassOf(err) != fault.Internal || s.Counts().Writes != 0 {
		t.Errorf("%v, %+v", err, s.Counts())
	}
}

// A manager who is gone keeps nobody from being written.
func TestManagerIsGone(t *testing.T) {
	s := start(t, 1)
	acme, site := s.Customer("Acme")
	d := open(t, s, nil)
	job := userJob(acme, site, "ada")
	job.Refs[refManager] = "987654"
	e := do(t, d, job)
	if got := do(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: e.ID, Fields: fields("title", "Boss"), Refs: map[string]string{refManager: "987654"}}); got.Fields["title"] != "Boss" {
		t.Errorf("%+v", got)
	}
}

func TestTaken(t *testing.T) {
	for text, want := range map[string]bool{
		"This name is already in use by Ada": true, "A user with this email already exists": true, "Duplicate login": true, "the value must be unique": true,
		"this login has already been used": true, "The address is already assigned to another user": true,
		"The user is already inactive": false, "This ticket is already closed": false, "": false,
	} {
		if got := taken(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// A number that is another thing's by now is not written to.
func TestAnotherUnderItsNumber(t *testing.T) {
	s := start(t, 1)
	d := open(t, s, nil)
	e := do(t, d, targets.Job{Op: directory.Create, Kind: directory.AgentRecord, Mark: "hq/a1", Fields: fields("name", "Ada", "email", "ada@x")})
	s.Human("Agent", number(t, e.ID), func(x halosim.Thing) { x["third_party_guid"] = "hq/other" })
	writes := s.Counts().Writes
	_, err := try(t, d, targets.Job{Op: directory.Update, Kind: directory.AgentRecord, ID: e.ID, Owner: "hq/a1", Fields: fields("name", "Bob")})
	if fault.ClassOf(err) != fault.Gone || s.Counts().Writes != writes {
		t.Errorf("%v, %d writes", err, s.Counts().Writes-writes)
	}
	if got := do(t, d, targets.Job{Op: directory.Update, Kind: directory.AgentRecord, ID: e.ID, Owner: "HQ/Other", Fields: fields("name", "Bob")}); got.Fields["name"] != "Bob" {
		t.Errorf("%+v", got)
	}
}
