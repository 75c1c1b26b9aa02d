package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
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
	if err != nil || st.ConfigSum != config.SumOf(data) {
		t.Errorf("the file in force has the sum %q, %v", st.ConfigSum, err)
	}
}
