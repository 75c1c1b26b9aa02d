package service

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/files"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
)

// A plan is that of the file that it was given, on what the service has stored, whatever configuration is in force.
func TestPlanOfAnotherFile(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	w.join("bob", "Bob")
	was := events(t)
	edit := func(text string) *api.ConfigText {
		return &api.ConfigText{File: filepath.Join(w.cfg.Dir, "cand.yaml"), Text: text}
	}
	data, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	present := string(data)
	renamed := strings.Replace(present, "name: = name", `name: = name + "!"`, 1)
	plan := func(req api.PlanRequest) (names []string, err error) {
		_, err = s.Plan(t.Context(), req, func(a api.PlannedAction) { names = append(names, a.Op+" "+a.Connection+" "+a.Name) })
		return names, err
	}
	for _, tc := range []struct {
		what string
		req  api.PlanRequest
		want string
	}{
		{"no file", api.PlanRequest{Offline: true}, ""},
		{"the same file", api.PlanRequest{Offline: true, Config: edit(present)}, ""},
		{"edited rules", api.PlanRequest{Offline: true, Config: edit(renamed), Connections: []string{"hq"}}, "update hq Ada!"},
		{"edited rules, and the source is asked", api.PlanRequest{Config: edit(renamed), Connections: []string{"hq"}}, "update hq Ada!; create hq Bob!"},
		{"another connection", api.PlanRequest{Config: edit(strings.Replace(present, "  lab:", "  annex:", 1)), Connections: []string{"annex"}}, "create annex Ada; create annex Bob"},
	} {
		got, err := plan(tc.req)
		if err != nil || strings.Join(got, "; ") != tc.want {
			t.Errorf("%s: %q, %v", tc.what, got, err)
		}
	}
	for what, text := range map[string]string{
		"a broken file": "connections: 5\n", "without the connection": strings.Replace(present, "  hq:", "  head:", 1),
	} {
		if _, err := plan(api.PlanRequest{Config: edit(text), Connections: []string{"hq"}}); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("%s: %v", what, err)
		}
	}
	if now := events(t); now != was {
		t.Errorf("planning delivered %d events", now-was)
	}
	st, err := s.Status(t.Context())
	if err != nil || st.ConfigSum != (&config.Text{Data: data}).Sum() {
		t.Errorf("the file in force has the sum %q, %v", st.ConfigSum, err)
	}
}

// A plan leaves the files alone that the next sync would move away.
func TestPlanMovesNoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	parts := Parts{Connectors: connectors.Registry{files.Factory()}, Targets: targets.Registry{file.Factory()}}
	for name, text := range map[string]string{
		"config.yaml": `state: state.db
connections:
  hr: {connector: files, mapping: staff, targets: [journal], files: {folder: in, settle: 0s, done: {folder: done}, kinds: {person: {file: "*.csv", key: id}}}}
mappings: {staff: {rules: [{name: everyone, user: {name: = name}}]}}
targets: {journal: {target: file, file: {path: changes.jsonl}}}
`, "in/people.csv": "id,name\n1,Ada\n"} {
		if err := errors.Join(os.MkdirAll("in", 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load("config.yaml", parts.Config())
	if err != nil {
		t.Fatal(err)
	}
	st, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, Options{Parts: parts, Store: st, Log: slog.New(slog.DiscardHandler), Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	sync := func() {
		t.Helper()
		if r, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil || r.Runs[0].Outcome != api.Clean {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	sync()
	if plan, err := s.Plan(t.Context(), api.PlanRequest{}, func(a api.PlannedAction) { t.Errorf("%+v", a) }); err != nil || len(plan.Runs) != 1 || plan.Runs[0].Outcome != api.Clean {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := os.Stat("in/people.csv"); err != nil {
		t.Errorf("a plan has moved it: %v", err)
	}
	sync()
	if _, err := os.Stat("in/people.csv"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a sync has left it: %v", err)
	}
}
