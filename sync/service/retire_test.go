package service

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
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
	s.superseded = func(_ context.Context, hash string) (string, error) { return "north" + hash, nil }
	if err := s.RenameConnection(t.Context(), "lab", "plant"); fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), `"north"`) {
		t.Errorf("while a worker lives: %v", err)
	}
	s.superseded = func(context.Context, string) (string, error) { return "", nil }
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

// A process whose configuration is not that of the workers which share the state leaves alone what they may be reading for the first time, and
// does nothing that they would undo.
func TestOlderConfiguration(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	lab := store.Partition{Connection: "lab"}
	if err := w.store.Update(t.Context(), lab, func(tx store.Writer) error {
		o := directory.Object{Kind: directory.Person, ID: "first"}
		_, err := tx.PutRow(&o, store.Here)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	there := func() bool {
		t.Helper()
		parts, err := w.store.Partitions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(parts, lab)
	}
	s = w.edit(t, s, labLine, "")
	by := "north"
	s.superseded = func(context.Context, string) (string, error) { return by, nil }
	if err := s.warnAboutLeftovers(t.Context()); err != nil || !there() {
		t.Errorf("what others read is there: %t, %v", there(), err)
	}
	_, err := s.Sync(t.Context(), api.SyncRequest{}, nil)
	_, err2 := s.Replay(t.Context(), nil, nil)
	for _, err := range []error{err, err2} {
		if fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "north") {
			t.Errorf("by an older configuration: %v", err)
		}
	}
	by = ""
	held, release, err := w.store.Lease(t.Context(), "run "+lab.String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	soon, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	if err := s.warnAboutLeftovers(soon); !there() || held.Err() != nil {
		t.Errorf("what somebody reads is there: %t, %v", there(), err)
	}
	release()
	if err := s.warnAboutLeftovers(t.Context()); err != nil || there() {
		t.Errorf("what nobody reads is there: %t, %v", there(), err)
	}
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Error(err)
	}
}

// holders is a fleet of which only is known who holds what.
type holders struct {
	fleet.Fleet
	list []fleet.WorkerState
}

func (h holders) Workers(context.Context) ([]fleet.WorkerState, error) { return h.list, nil }

// A connection is not retired while a worker runs it, or has a configuration that may still have it.
func TestRetireWaitsForWorkers(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	s = w.edit(t, s, labLine, "")
	north := func(current bool, holds ...fleet.Unit) holders {
		return holders{list: []fleet.WorkerState{{Worker: fleet.Worker{Name: "north"}, Current: current, Holds: holds}}}
	}
	for what, f := range map[string]holders{
		"held":     north(true, fleet.Unit{Kind: fleet.Run, Connection: "lab", Tenant: "1 of 2"}),
		"outdated": north(false),
	} {
		s.fleet = f
		if _, err := s.RetireConnection(t.Context(), "lab"); fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), "north") {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.fleet = north(true, fleet.Unit{Kind: fleet.List, Connection: "hq"})
	if _, err := s.RetireConnection(t.Context(), "lab"); err != nil {
		t.Error(err)
	}
}
