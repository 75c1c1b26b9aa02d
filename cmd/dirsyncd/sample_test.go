package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

const sampleHash = "3f2a9c01d47be655"

func kindCounts(pairs ...any) map[string]map[string]int {
	all := map[string]map[string]int{}
	for i := 0; i < len(pairs); i += 3 {
		kind := pairs[i].(string)
		if all[kind] == nil {
			all[kind] = map[string]int{}
		}
		all[kind][pairs[i+1].(string)] = pairs[i+2].(int)
	}
	return all
}

func sampleStatus() api.Status {
	return api.Status{
		Version: "1.2.3", Daemon: true, PID: 4711, Started: at(76 * time.Hour),
		Config: "/etc/dirsyncd/config.yaml", State: "/var/lib/dirsyncd/state.db",
		Problem: "config.yaml:12:5: unknown key \"scheduel\" (did you mean \"schedule\"?)",
		Connections: []api.ConnectionStatus{
			{
				Name: "hq-ad", Connector: "ldap", Mapping: "staff", Targets: []string{"journal"},
				Next: testNow.Add(12 * time.Minute), NextFull: testNow.Add(15 * time.Hour),
				Tenants: []api.TenantStatus{{
					State: "ok", Proven: at(3 * time.Minute),
					Objects: map[string]int{"person": 10204, "group": 388},
					Records: map[string]int{"user": 9800, "agent": 112, "group": 12},
					Telling: []api.Telling{{Target: "journal", Again: true, Records: 9924, Waiting: 924, Since: at(time.Minute)}},
				}},
			},
			{
				Name: "csp", Connector: "csp", Mapping: "customers", Targets: []string{"journal", "desk"}, Running: true,
				Tenants: []api.TenantStatus{
					{
						Tenant: "5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10", Name: "Contoso (UK) Ltd.", State: "held", Proven: at(26 * time.Hour),
						Objects: map[string]int{"person": 800}, Records: map[string]int{"user": 801},
						Telling: []api.Telling{{Target: "desk", Coming: true, Records: 801, Waiting: 801}},
						Held: &api.HeldPlan{
							Hash: sampleHash, Run: "20260131T093000-ab12", Since: at(150 * time.Minute),
							Reasons: []string{"deactivate 120 of 801 user records, 15.0%; the limit is 10%"},
							Counts:  kindCounts("user", "deactivate", 120, "user", "update", 3),
						},
					},
					{
						Tenant: "0b3f6f1f-7a11-4d0e-9a60-5f1c0a526a10", Name: "Fabrikam", State: "failing", Proven: at(9 * 24 * time.Hour), Parked: 2,
						Failing: &api.Failure{
							Class: "forbidden", Since: at(8 * 24 * time.Hour), Runs: 730,
							Text: "read users: graph.microsoft.com: the permission User.Read.All is missing (grant it to the application in Entra and consent as an administrator)",
						},
					},
				},
			},
			{Name: "branch", Connector: "ldap", Mapping: "staff", Targets: []string{"journal"}, Tenants: []api.TenantStatus{{State: "new"}}},
		},
		Targets: []api.TargetStatus{
			{Name: "journal", Target: "file", State: "ok"},
			{
				Name: "desk", Target: "webhook", State: "failing", Error: "deliver: desk.example.test: 503 Service Unavailable",
				Since: at(40 * time.Minute), NextTry: testNow.Add(5 * time.Minute), Waiting: 1234, Oldest: at(41 * time.Minute), Parked: 2,
				Held:  []string{"k3j5x2q7"},
				Waits: map[string]int{"reference": 1200, "review": 7, "guard": 1, "settle": 2, "busy": 3},
			},
		},
		Providers: []api.ProviderStatus{{Name: "partner", Seen: at(3 * time.Hour), Ends: []api.ProviderEnd{
			{Use: "our_key", At: testNow.AddDate(0, 0, 12), Soon: true, Text: "our certificate holds until 2026-02-12", Hint: "make a new key, put it into next_key, and tell the provider"},
			{Use: "their_signing", At: testNow.AddDate(2, 0, 0), Text: "the provider's certificate holds until 2028-01-31"},
		}}},
	}
}

func sampleRun(connection string, r api.Run) api.Run {
	r.ID, r.Trigger = "20260131T115950-ab12", "operator"
	if r.Mode == "" {
		r.Mode = "delta"
	}
	r.Started, r.Ended = at(10*time.Second), at(8750*time.Millisecond)
	r.Connection = connection
	return r
}

func sampleActions() []api.PlannedAction {
	return []api.PlannedAction{
		{Connection: "hq-ad", Op: "create", Kind: "user", Key: "hq-ad/1", Name: "Ada Lovelace", Rule: "everyone else"},
		{Connection: "hq-ad", Op: "update", Kind: "user", Key: "hq-ad/2", Name: "Bob Roe", Changes: []api.PlannedChange{{Field: "site", From: "London", To: "Oslo"}}},
		{Connection: "hq-ad", Op: "deactivate", Kind: "user", Key: "hq-ad/3", Name: "Cy Lee", Reason: "no longer listed by the source"},
		{Connection: "hq-ad", Op: "update", Kind: "group", Key: "hq-ad/9", Name: "Service Desk", Added: 3, Removed: 1},
	}
}

func cleanResult() api.SyncResult {
	return api.SyncResult{
		Runs:      []api.Run{sampleRun("hq-ad", api.Run{Outcome: api.Clean, Read: 12300, Counts: kindCounts("user", "create", 12, "user", "update", 3, "agent", "create", 1)})},
		Delivered: []api.Delivery{{Target: "journal", Delivered: 16}},
	}
}

// worstResult has everything that can go wrong in it.
func worstResult() api.SyncResult {
	r := cleanResult()
	held := sampleRun("csp", api.Run{Outcome: api.Held, Read: 800, Held: sampleHash, Counts: kindCounts("user", "update", 3), HeldCounts: kindCounts("user", "deactivate", 120)})
	held.Tenant, held.TenantName = "5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10", "Contoso (UK) Ltd."
	held.HeldReasons = []string{"deactivate 120 of 801 user records, 15.0%; the limit is 10%"}
	failed := sampleRun("branch", api.Run{Outcome: api.Failed, Class: "auth", Error: "bind: ldap1.branch.example.test: invalid credentials (check `bind.user` and `bind.password` of the connection)"})
	parked := sampleRun("lab", api.Run{Outcome: api.Parked, Mode: "full", Read: 40, Parked: 2, Notes: []string{"users: the source no longer takes our cursor; reading in full"}})
	r.Runs = append(r.Runs, held, failed, parked)
	r.Delivered = append(r.Delivered, api.Delivery{Target: "desk", Waiting: 16, Parked: 1, Error: "deliver: desk.example.test: 503 Service Unavailable"})
	return r
}

func sampleSync(_ context.Context, req api.SyncRequest, progress func(api.Progress)) (api.SyncResult, error) {
	progress(api.Progress{Connection: "hq-ad", Stage: "read", Stream: "users", Done: 500, Total: 12300})
	if req.Full {
		return worstResult(), nil
	}
	result := cleanResult()
	if len(req.Connections) > 0 || req.Actions > api.FewActions+1 {
		result.Runs[0].Actions = sampleActions()
	}
	return result, nil
}

func samplePlan(_ context.Context, req api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
	visit(api.PlannedAction{
		Connection: "hq-ad", Op: "create", Kind: "user", Key: "hq-ad/1", Name: "Ada Lovelace", Rule: "everyone else",
		Changes: []api.PlannedChange{
			{Field: "customer", To: "Acme"}, {Field: "email", To: "ada@example.test"}, {Field: "name", To: "Ada Lovelace"},
			{Field: "phone", To: "+44 20 7946 0991"}, {Field: "site", To: "Head office"}, {Field: "title", To: "Countess, and the first to programme an engine"},
			{Field: "vip", To: true},
		},
	})
	visit(api.PlannedAction{
		Connection: "hq-ad", Op: "update", Kind: "user", Key: "hq-ad/2", Name: "Bob\x1b[31m Roe", Changes: []api.PlannedChange{
			{Field: "site", From: "London", To: "Oslo"}, {Field: "phone", To: "+47 22"}, {Field: "tags", From: []string{"a", "b"}, To: []string{}},
		},
	})
	visit(api.PlannedAction{Connection: "hq-ad", Op: "update", Kind: "group", Key: "hq-ad/9", Name: "Service Desk", Added: 3, Removed: 1})
	if !req.Offline {
		run := sampleRun("hq-ad", api.Run{Outcome: api.Clean, Read: 12300, Counts: kindCounts("user", "create", 1, "user", "update", 1, "group", "update", 1)})
		return api.PlanResult{Runs: []api.Run{run}, Elsewhere: []api.Elsewhere{{Connection: "branch", Workers: []string{"south"}}}}, nil
	}
	visit(api.PlannedAction{
		Connection: "csp", Tenant: "5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10", Op: "deactivate", Kind: "user",
		Key:    "csp/5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10/77aa0a52-7a11-4d0e-9a60-0b3f6f1f6a10",
		Reason: "no longer listed by the source",
	})
	return api.PlanResult{Runs: worstResult().Runs}, nil
}

func samplePublish(context.Context) (api.Publication, error) {
	return api.Publication{Configuration: "6f1c0b0d2c7e4a5f9e8d7c6b5a493827", File: "/etc/dirsyncd/config.yaml", Published: testNow, By: "north",
		Workers: []api.PublishedTo{{Name: "east"}, {Name: "north", Current: true}, {Name: "south", Current: true}, {Name: "west", Current: true, Draining: true}}}, nil
}

func sampleResend(context.Context, api.ResendRequest) (api.SyncResult, error) {
	run := sampleRun("hq-ad", api.Run{Outcome: api.Clean, Mode: "offline", Told: 9924, By: "ann (as root)"})
	run.Notes = []string{"target desk is sent the present state of all its 9924 records again"}
	return api.SyncResult{Runs: []api.Run{run}, Delivered: []api.Delivery{{Target: "desk", Delivered: 9000, Waiting: 924}}}, nil
}

func sampleRuns(_ context.Context, req api.RunsRequest) ([]api.Run, error) {
	runs := worstResult().Runs
	if req.ID != "" {
		runs[0].Actions = sampleActions()
		return runs[:1], nil
	}
	runs[1].Trigger = "schedule"
	runs[3].By, runs[3].Approved = "ann (as root)", sampleHash
	runs[2].Started = time.Date(2025, 12, 24, 18, 0, 0, 0, time.UTC)
	runs[2].Ended = runs[2].Started.Add(62 * time.Second)
	return runs[:min(len(runs), req.Limit)], nil
}

func sampleMatches() []api.Match {
	return []api.Match{
		{ID: "apps:7", Target: "apps", Subject: "user/hq-ad/5f1c", Name: "Ada Lovelace", Kind: "user", Cause: "ambiguous", Reason: "email is that of several", Since: at(26 * time.Hour), Fingerprint: "9f",
			Candidates: []api.Candidate{{ID: "2819c223", Name: "Ada Lovelace", Key: "email", Differ: []string{"title"}}, {ID: "71d0", Name: "A. Lovelace", Key: "email", Inactive: true, Against: "an administrator"}}},
		{ID: "apps:9", Target: "apps", Subject: "agent/hq-ad/77", Kind: "agent", Cause: "leaving", Reason: "the record ended; it is to be taken out of use", Since: at(time.Hour), Fingerprint: "a0"},
	}
}

func sampleHeldAt() []api.HeldAtTarget {
	return []api.HeldAtTarget{
		{Target: "apps", Hash: "k3j5x2q7", First: true, Since: at(2 * time.Hour), Counts: map[string]map[string]int{"user": {"adopt": 300, "create": 200, "review": 3, "others": 41, "linked": 0}},
			Fields:   map[string]map[string]map[string]int{"user": {"email": {"fill": 12}, "title": {"overwrite": 41, "keep": 2}}},
			Examples: []api.FieldExample{{Subject: "user/hq-ad/5f1c", Kind: "user", ID: "2819c223", Field: "title", What: "overwrite", Ours: "Engineer", Theirs: "Countess"}}},
		{Target: "desk", Hash: "m2n4", Since: at(time.Hour), Counts: map[string]map[string]int{"user": {"deactivate": 61}}, Reasons: []string{"deactivate 61 users in a day; the limit is 50"}},
		{Target: "crm", Hash: "p7q8", Part: &api.AdoptPart{Kinds: []string{"user", "agent"}, Key: "login"}, Since: at(time.Minute), Counts: map[string]map[string]int{"user": {"adopt": 120}}},
		{Target: "shop", Part: &api.AdoptPart{Key: "login"}},
		{Target: "wiki"},
		{Target: "shop", Error: "first contact: shop.example.test: 502 Bad Gateway", Hint: "the place is down; it is asked again by itself"},
	}
}

func samplePlanAt() api.PlanAtResult {
	return api.PlanAtResult{Target: "apps", Counts: map[string]map[string]int{"user": {"adopt": 300, "create": 200, "review": 3, "update": 1}},
		Fields: map[string]map[string]map[string]int{"user": {"title": {"keep": 41}}}, Doubts: map[string]string{"group": "the place lists 3 and says that there are 4"},
		Actions: []api.ForeseenAction{{What: "adopt", Kind: "user", Subject: "user/hq-ad/5f1c", ID: "2819c223", Key: "userName"}, {What: "create", Kind: "user", Subject: "user/hq-ad/77"},
			{What: "review", Kind: "user", Subject: "user/hq-ad/78", Key: "email", Cause: "ambiguous"}}}
}

func sampleAudit() api.AuditResult {
	return api.AuditResult{Target: "apps", Counts: map[string]map[string]int{"user": {"same": 9988, "changed": 1, "twin": 1, "foreign": 10}}, Doubts: map[string]string{"group": "the place lists 3 and says that there are 4"},
		Differences: []api.AuditDifference{{Finding: "changed", Subject: "user/hq-ad/5f1c", Kind: "user", ID: "2819c223", Fields: []string{"email", "title"}}, {Finding: "twin", Kind: "user", ID: "90ab"},
			{Finding: "inactive", Subject: "user/hq-ad/77", Kind: "user", ID: "71d0", Repaired: true}}, More: 3, Repaired: 1, Held: []string{"it would overwrite 61 users in a day; the limit is 50"}}
}

func sampleParked() []api.ParkedItem {
	items := []api.ParkedItem{
		{
			ID: "hq-ad:12", Connection: "hq-ad", Name: "Ada Lovelace", Since: at(2 * time.Hour), Stage: "deliver", Target: "desk", Op: "update",
			Subject: "user/hq-ad/5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10", Class: "invalid",
			Reason: "deliver: desk.example.test: 422 Unprocessable Entity: the field email is not an address",
		},
		{
			ID: "hq-ad:13", Connection: "hq-ad", Since: at(50 * time.Hour), Stage: "map", Subject: "person 77aa0a52", Class: "invalid",
			Reason: `rule "everyone else": field "hired": date: not a date`,
		},
		{ID: "csp/contoso:1", Connection: "csp", Tenant: "contoso", Since: at(70 * 24 * time.Hour), Stage: "read", Subject: "person cn=Zoë,ou=…", Class: "invalid", Reason: "entryUUID is missing"},
	}
	for i := range 7 { // one wrong rule, and everybody whom it concerns
		items = append(items, api.ParkedItem{
			ID: fmt.Sprint("csp/contoso:", 20+i), Connection: "csp", Tenant: "contoso", TenantName: "Contoso (UK) Ltd.", Name: fmt.Sprint("Person ", i), Since: at(time.Hour),
			Stage: "map", Subject: fmt.Sprintf("person 7%daa0a52-7a11-4d0e-9a60-0b3f6f1f6a10", i), Class: "invalid", Reason: `rule "everyone else": field "site": lookup: no such office`,
		})
	}
	return items
}

func sampleShow(ctx context.Context, req api.ShowRequest) ([]api.Person, error) {
	reasons, err := sampleWhy(ctx, "user", req.Who)
	if err != nil {
		return nil, err
	}
	r := &reasons[0]
	p := api.Person{
		Connection: r.Connection, ID: r.ID, Key: r.Key, Object: r.Object, Groups: r.Groups, GroupPaths: r.GroupPaths,
		Licences: []string{"Microsoft 365 E5"}, Manager: "Charles Babbage", Records: []api.PersonRecord{{Kind: "user", RecordReason: *r.Record}},
	}
	if req.Read {
		return []api.Person{p}, nil
	}
	p.Records = append(p.Records, api.PersonRecord{Kind: "agent", RecordReason: api.RecordReason{
		State: "deactivated", Reason: "became user", Rule: "service desk", Run: r.Record.Run, Changed: at(76 * time.Hour)}})
	p.Waiting, p.Held = true, sampleHash
	p.Queued = []api.QueuedAction{{Target: "desk", Since: at(40 * time.Minute), Op: "update", Kind: "user"}}
	p.Parked = sampleParked()[:1]
	p.Changes = []api.PersonChange{
		{Run: r.Record.Run, Started: at(76 * time.Hour), PlannedAction: api.PlannedAction{Connection: "hq-ad", Op: "update", Kind: "user", Key: r.Key,
			Changes: []api.PlannedChange{{Field: "site", From: "London", To: "Paris"}}}},
		{Run: "20251224T180000-01ff", Started: time.Date(2025, 12, 24, 18, 0, 0, 0, time.UTC), PlannedAction: api.PlannedAction{
			Connection: "hq-ad", Op: "create", Kind: "user", Key: r.Key, Reason: "was agent"}},
	}
	return []api.Person{p}, nil
}

func sampleWhy(_ context.Context, kind, who string) ([]api.Reason, error) {
	if who == "nobody" {
		return nil, &fault.Error{Class: fault.Gone, Op: "why", Where: "hq-ad", Err: errors.New(`no person is known as "nobody"`),
			Hint: "give the record's key, or the id, login, mail address or name as the source has it"}
	}
	run := "20260128T081500-ab12"
	return []api.Reason{{
		Kind: kind, Key: "hq-ad/5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10", Connection: "hq-ad", ID: "5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10",
		Object: map[string]any{
			"name": "Ada Lovelace", "email": "ada@example.test", "office": "London", "enabled": true,
			"path": "ou=Analysts,ou=People,dc=example,dc=test", "emails": []string{"ada@example.test", "countess@example.test"},
		},
		Groups: []string{"Analysts", "Staff"}, GroupPaths: []string{"Analysts", "Staff > Head office > Analysts"},
		Targets: []api.AtTarget{
			{Target: "apps", ID: "2819c223", State: "linked", Owner: "adopted", Written: at(75 * time.Hour)},
			{Target: "desk", State: "review", Cause: "review", Waits: "email is that of several", Initial: true},
		},
		Record: &api.RecordReason{
			State: "active", Rule: "everyone else", Run: run, Changed: at(76 * time.Hour),
			Fields: []api.RecordField{
				{Field: "customer", Value: "Acme", Run: run, Since: at(80 * 24 * time.Hour)},
				{Field: "email", Value: "ada@example.test", Run: run, Since: at(76 * time.Hour)},
				{Field: "fax", Value: "1", Run: run, Since: at(76 * time.Hour)},
				{Field: "phone", Value: "+44 20", Run: run, Since: at(76 * time.Hour)},
				{Field: "site", Value: "Paris", Run: run, Since: at(76 * time.Hour)},
			},
		},
		Rules: []api.RuleReason{
			{Rule: "contractors stay out", When: `department == "Contractors" or employee_type in ["external", "agency", "consultant"]`, Outcome: "did not match"},
			{Rule: "service desk", When: `"Service Desk" in groups`, Outcome: "did not match"},
			{Rule: "everyone else", When: "enabled", Outcome: "decided"},
			{Rule: "rest", Outcome: "not reached"},
		},
		Fields: []api.FieldReason{
			{Record: kind, Field: "customer", Expression: "Acme", From: `rule "everyone else"`, Value: "Acme", On: "always"},
			{Record: kind, Field: "email", Expression: "= email", From: "fields", Sources: map[string]any{"email": "ada@example.test"}, Value: "ada@example.test", On: "always"},
			{Record: kind, Field: "nickname", Expression: "Ada", From: "fields", Value: "Ada", On: "always"},
			{Record: kind, Field: "phone", Expression: "= phone ?? mobile", From: "fields", Sources: map[string]any{"phone": nil, "mobile": nil}, On: "always", Blank: "keep"},
			{Record: kind, Field: "site", Expression: `= office ?? "Head office"`, From: `rule "everyone else"`, Sources: map[string]any{"office": "London"}, Value: "London", On: "always"},
		},
		Waiting: true,
		Tickets: []api.TicketReason{
			{Ticket: "joiner", On: "join", Key: "hq-ad/5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10/ticket/joiner/1", Opened: at(80 * 24 * time.Hour), Run: run,
				Not: "was away for 3d, which is less than again_after", Since: at(76 * time.Hour)},
			{Ticket: "leaver", On: "leave"},
		},
		Choices: []api.ChoiceReason{
			{Choice: "site", Value: "London", Line: 2, When: "table.sites[groups] != nil", Is: "= table.sites[groups]", Sources: map[string]any{"groups": []string{"Staff"}, "table.sites[groups]": "Staff"}},
			{Choice: "vip"},
		},
	}}, nil
}

func sampleStored(_ context.Context, questions []api.StoredQuestion) ([]api.StoredRows, error) {
	answers := make([]api.StoredRows, len(questions))
	for i, q := range questions {
		if q.Kind == api.StoredKindTenant && i == 0 && len(q.Names) == 3 {
			answers[i] = api.StoredRows{Seen: 2, Rows: [][]string{{"0b3f6f1f", "Fabrikam, Inc.", "fabrikam.example"}, {"5f1c0a52", "Contoso", "contoso.example"}}}
		}
	}
	return answers, nil
}
