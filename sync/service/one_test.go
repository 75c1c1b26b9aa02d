package service

import (
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// TestSyncOfOnePerson: a plan of one person shows what a sync of that person does, which delivers that and nothing else.
func TestSyncOfOnePerson(t *testing.T) {
	w := newWorld(t)
	w.join("bob", "Bob")
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	w.join("ada", "Ada Lovelace")
	w.join("bob", "Robert")
	was := events(t)
	var planned []string
	plan, err := s.Plan(t.Context(), api.PlanRequest{Connections: []string{"hq"}, User: "Ada"}, func(a api.PlannedAction) { planned = append(planned, a.Op+" "+a.Key) })
	if got := strings.Join(planned, "; "); err != nil || got != "update hq/ada" || len(plan.Runs) != 1 || plan.Runs[0].Read != 1 || events(t) != was {
		t.Errorf("planned %s of %+v, %v", got, plan, err)
	}
	res, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}, User: "Ada", Actions: 5}, nil)
	if err != nil || len(res.Runs) != 1 || len(res.Runs[0].Actions) != 1 || res.Runs[0].Actions[0].Key != "hq/ada" || res.Runs[0].Mode != "user" || events(t) != was+1 {
		t.Errorf("%+v, %v, %d events more", res, err, events(t)-was)
	}
	w.source.Remove("", directory.Ref{Kind: directory.Person, ID: "ada"})
	if res, err = s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}, User: "hq/ada"}, nil); err != nil || res.Runs[0].Counts["user"]["deactivate"] != 1 {
		t.Errorf("gone by the source's word: %+v, %v", res, err)
	}
	for _, names := range [][]string{nil, {"hq", "lab"}} {
		if _, err = s.Sync(t.Context(), api.SyncRequest{Connections: names, User: "Bob"}, nil); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("of %v: %v", names, err)
		}
		if _, err = s.Plan(t.Context(), api.PlanRequest{Connections: names, User: "Bob"}, func(api.PlannedAction) {}); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("planned of %v: %v", names, err)
		}
	}
	if res, err = s.Sync(t.Context(), api.SyncRequest{Connections: []string{"lab"}}, nil); err != nil || res.Runs[0].Counts["user"]["deactivate"] != 1 || res.Runs[0].Counts["user"]["update"] != 1 {
		t.Errorf("the other connection still has its own cursor: %+v, %v", res, err)
	}
	if res, err = s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}}, nil); err != nil || res.Runs[0].Counts["user"]["update"] != 1 {
		t.Errorf("the rest: %+v, %v", res, err)
	}
}
