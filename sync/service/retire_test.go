package service

import (
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// edit replaces a text of the configuration, and opens a service on the same state in the place of another.
func (w *world) edit(t *testing.T, s *Service, old, instead string) *Service {
	t.Helper()
	t.Helper()
	s.current().closeTargets(nil)
	data, err := os.ReadFile("config.yaml")
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%q is not in %s, %v", old, data, err)
	}
	if err := os.WriteFile("config.yaml", []byte(strings.ReplaceAll(string(data), old, instead)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	return w.open(t)
}

const labLine = "  lab: {connector: memory, mapping: staff, targets: [journal]}\n"

func outcomesOf(runs []api.Run) (words []string) {
	for _, r := range runs {
		words = append(words, r.Connection+" "+r.Outcome)
	}
	return words
}

// A connection is taken out of the configuration: it is noticed, its records can be taken away, and then it is forgotten.
func TestRetire(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RetireConnection(t.Context(), "lab"); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("a configured one: %v", err)
	}
	s = w.edit(t, s, labLine, "")
	st, err := s.Status(t.Context())
	if err != nil || len(st.Unconfigured) != 1 || st.Unconfigured[0].Name != "lab" || st.Unconfigured[0].Records != 1 {
		t.Fatalf("unconfigured: %+v, %v", st.Unconfigured, err)
	}
	if _, err := s.RetireConnection(t.Context(), "nobody"); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("an unknown one: %v", err)
	}
	held, err := s.RetireConnection(t.Context(), "lab")
	if err != nil || strings.Join(outcomesOf(held.Runs), "") != "lab held" || !strings.Contains(held.Runs[0].HeldReasons[0], "take away everything") {
		t.Fatalf("retire: %+v, %v", held, err)
	}
	planned := 0
	if _, err := s.Plan(t.Context(), api.PlanRequest{Connections: []string{"lab"}}, func(a api.PlannedAction) {
		if planned++; a.Op != "deactivate" || a.Key != "lab/ada" {
			t.Errorf("planned: %+v", a)
		}
	}); err != nil || planned != 1 {
		t.Errorf("%d actions are planned, %v", planned, err)
	}
	before := events(t)
	done, err := s.Approve(t.Context(), held.Runs[0].Held)
	if err != nil || strings.Join(outcomesOf(done.Runs), "") != "lab clean" || events(t) != before+1 {
		t.Fatalf("approve: %+v, %v, %d events", done, err, events(t)-before)
	}
	parts, err := s.partitionsOf(t.Context(), chosen{connection: "lab"})
	if err != nil || len(parts) != 0 {
		t.Errorf("left: %v, %v", parts, err)
	}
	if st, _ := s.Status(t.Context()); len(st.Unconfigured) != 0 {
		t.Errorf("unconfigured: %+v", st.Unconfigured)
	}
}

// A connection gets another name: what it would create is held, in a plan too, until the state follows.
func TestRenameConnection(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	before := events(t)
	s = w.edit(t, s, "  lab:", "  plant:")
	plan, err := s.Plan(t.Context(), api.PlanRequest{}, func(api.PlannedAction) {})
	if err != nil || strings.Join(outcomesOf(plan.Runs), ", ") != "hq clean, plant held" {
		t.Fatalf("plan: %v, %v", outcomesOf(plan.Runs), err)
	}
	got, err := s.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil || strings.Join(outcomesOf(got.Runs), ", ") != "hq clean, plant held" || events(t) != before {
		t.Fatalf("sync: %v, %v", outcomesOf(got.Runs), err)
	}
	for from, to := range map[string]string{"lab": "nobody", "hq": "plant", "nobody": "plant"} {
		if err := s.RenameConnection(t.Context(), from, to); fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" {
			t.Errorf("%s to %s: %v", from, to, err)
		}
	}
	if err := s.RenameConnection(t.Context(), "lab", "plant"); err != nil {
		t.Fatal(err)
	}
	w.join("bob", "Bob")
	got, err = s.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil || strings.Join(outcomesOf(got.Runs), ", ") != "hq clean, plant clean" || events(t) != before+2 {
		t.Fatalf("sync: %+v, %v, %d events", got, err, events(t)-before)
	}
	data, err := os.ReadFile("changes.jsonl")
	if err != nil || !strings.Contains(string(data), `"lab/bob"`) || strings.Contains(string(data), "plant/") {
		t.Errorf("events: %s, %v", data, err)
	}

	s.host = &host{runs: t.Context()}
	if err := s.RenameConnection(t.Context(), "lab", "plant"); fault.ClassOf(err) != fault.Conflict {
		t.Errorf("with a daemon: %v", err)
	}
	s.host = nil
}
