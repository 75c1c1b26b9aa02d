package service

import (
	"testing"

	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

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
