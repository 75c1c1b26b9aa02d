package service

import (
	"errors"
	"os"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// customers is a world with one connection that has three tenants, the last of which never answers.
func customers(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.source = memory.NewTenantSource(
		connectors.Tenant{ID: "11-aa", Name: "Harbour Logistics", Domain: "harbour.example"}, connectors.Tenant{ID: "22-bb", Name: "Mill Bakery"},
		connectors.Tenant{ID: "33-cc", Name: "Quay Motors"},
	)
	w.source.Script(memory.Misbehaviour{What: memory.Fail, Tenant: "33-cc", Err: &fault.Error{Class: fault.Forbidden, Err: errors.New("no consent")}})
	w.parts.Connectors = connectors.Registry{memory.FactoryOf(w.source, memory.Options{})}
	text := strings.Replace(twoConnections, "  lab: {connector: memory, mapping: staff, targets: [journal]}\n", "", 1)
	if err := os.WriteFile("config.yaml", []byte(strings.Replace(text, "%s", "everyone", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	return w
}

// One tenant is named as its people name it, or by its id; the others are left alone.
func TestOneTenant(t *testing.T) {
	s := customers(t).open(t)
	ran := func(runs []api.Run) (names string) {
		for _, r := range runs {
			names += r.TenantName + " "
		}
		return strings.TrimSpace(names)
	}
	for _, name := range []string{"hq/Harbour Logistics", "hq/harbour logistics", "hq/11-aa", "hq/harbour.example"} {
		result, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{name}}, nil)
		if err != nil || ran(result.Runs) != "Harbour Logistics" {
			t.Errorf("sync %s: %q, %v", name, ran(result.Runs), err)
		}
		planned, err := s.Plan(t.Context(), api.PlanRequest{Connections: []string{name}, Offline: true}, func(api.PlannedAction) {})
		if err != nil || ran(planned.Runs) != "Harbour Logistics" {
			t.Errorf("plan %s: %q, %v", name, ran(planned.Runs), err)
		}
		kept, err := s.Runs(t.Context(), api.RunsRequest{Connection: name, Limit: 1})
		if err != nil || ran(kept) != "Harbour Logistics" {
			t.Errorf("runs %s: %q, %v", name, ran(kept), err)
		}
	}
	_, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq/Harbor Logistics"}}, nil)
	if fault.ClassOf(err) != fault.Configuration || !strings.Contains(fault.Hint(err), "Harbour Logistics") {
		t.Errorf("a misspelt tenant: %v", err)
	}
	_, err = s.Runs(t.Context(), api.RunsRequest{Connection: "hq/Mill Bakery"})
	if fault.ClassOf(err) != fault.Configuration {
		t.Errorf("a tenant that was never read has no runs: %v", err)
	}
}

// A tenant that was never read has its name all the same, wherever it is spoken of.
func TestNameOfATenantThatFails(t *testing.T) {
	s := customers(t).open(t)
	result, err := s.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil || len(result.Runs) != 3 || result.Runs[2].TenantName != "Quay Motors" || result.Runs[2].Outcome != api.Failed {
		t.Fatalf("%+v, %v", result.Runs, err)
	}
	st, err := s.Status(t.Context())
	if err != nil || st.Connections[0].Tenants[2].Name != "Quay Motors" {
		t.Errorf("status: %+v, %v", st.Connections[0].Tenants, err)
	}
	runs, err := s.Runs(t.Context(), api.RunsRequest{Connection: "hq/Quay Motors"})
	if err != nil || len(runs) != 1 || runs[0].TenantName != "Quay Motors" {
		t.Errorf("runs: %+v, %v", runs, err)
	}
}
