package service

import (
	"testing"

	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// Who limits something over time keeps the protection of the rest, and what is written counts from the first run on.
func TestLimitsOverTime(t *testing.T) {
	fifty, share, twice := 50, 30.0, 2.0
	l := limits(config.Guard{Over: config.Overs{config.Week: {
		Limits: config.Limits{directory.Delete: {Count: &fifty}}, Memberships: &config.Memberships{List: &share}, Usual: &twice,
		Fields: config.FieldLimits{"email": {Percent: &share}},
	}}, Fields: config.FieldLimits{"name": {Count: &fifty}}})
	over := l.over()
	if len(over) != 3 {
		t.Fatalf("%+v", over)
	}
	day, week, run := over[0], over[1], over[2]
	if day.Written || *day.Guard[directory.Delete].Percent != 5 || !day.Together[directory.Delete] || day.Usual != 0 {
		t.Errorf("a day: %+v", day)
	}
	if !week.Written || *week.Guard[directory.Delete].Count != 50 || week.Guard[directory.Delete].Percent != nil || week.Together[directory.Delete] ||
		!week.Together[directory.Deactivate] || week.Usual != 2 || *week.List.Percent != 30 || week.List.Minimum != plan.DefaultListMinimum ||
		*week.Fields["email"].Percent != 30 || week.Fields["email"].Minimum != plan.DefaultMinimum {
		t.Errorf("a week: %+v", week)
	}
	if run.Within != 0 || *run.Fields["name"].Count != 50 {
		t.Errorf("a run: %+v", run)
	}
	if all := l.sharedOver(); len(all) != 2 || all[1].Written || all[1].Guard[directory.Delete].Minimum != plan.DefaultSharedMinimum || *all[1].Guard[directory.Delete].Few != plan.DefaultFewShared {
		t.Errorf("all tenants: %+v", all)
	}
	if all := wholeOver(nil); len(all) > 0 {
		t.Errorf("all connections: %+v", all)
	}
	if all := wholeOver(config.Overs{config.Day: {Limits: config.Limits{directory.Delete: {Count: &fifty}}}}); len(all) != 1 || *all[0].Guard[directory.Delete].Count != 50 {
		t.Errorf("all connections: %+v", all)
	}
}

// Who limits one thing keeps the protection of the rest.
func TestLimits(t *testing.T) {
	fifty, three, share := 50, 3, 30.0
	l := limits(config.Guard{
		Tenant:      config.Limits{directory.Deactivate: {Count: &fifty, Percent: &share}, directory.Create: {Count: &fifty}},
		Connection:  config.Limits{directory.Delete: {Percent: &share, Few: &three}},
		Memberships: &config.Memberships{List: &share},
	})
	tenant := l.tenant()
	if d := tenant[directory.Deactivate]; *d.Percent != 30 || d.Minimum != plan.DefaultMinimum || d.Few != nil {
		t.Errorf("deactivate: %+v", d)
	}
	if d := tenant[directory.Delete]; *d.Percent != 10 {
		t.Errorf("delete: %+v", d)
	}
	shared := l.shared()
	if d := shared.Guard[directory.Delete]; *d.Percent != 30 || *d.Few != 3 || d.Minimum != plan.DefaultSharedMinimum || !shared.Written[directory.Delete] {
		t.Errorf("all tenants: delete: %+v", d)
	}
	if d := shared.Guard[directory.Deactivate]; *d.Percent != 5 || *d.Few != plan.DefaultFewShared || shared.Written[directory.Deactivate] {
		t.Errorf("all tenants: deactivate: %+v", d)
	}
	if got := l.lists(); *got.List != 30 || *got.Percent != 10 || got.Few != plan.DefaultFewMembers || got.Count != nil {
		t.Errorf("memberships: %+v", got)
	}
	if got := (limits{}).lists(); *got.List != 50 || got.Minimum != plan.DefaultListMinimum {
		t.Errorf("memberships: %+v", got)
	}
}
