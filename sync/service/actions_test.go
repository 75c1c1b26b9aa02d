package service

import (
	"fmt"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

// Whoever asks what a run did is told whom it changed, and what about them: at once, and afterwards.
func TestActionsOfARun(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	first, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}, Actions: api.FewActions}, nil)
	if err != nil {
		t.Fatal(err)
	}
	created := api.PlannedAction{Connection: "hq", Op: "create", Kind: "user", Key: "hq/ada", Name: "Ada", Rule: "everyone"}
	if got := first.Runs[0].Actions; len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(created) {
		t.Errorf("the first sync names %+v", got)
	}
	w.join("ada", "Ada Lovelace")
	second, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}}, nil)
	if err != nil || len(second.Runs[0].Actions) > 0 {
		t.Fatalf("nobody asked for names: %+v, %v", second.Runs, err)
	}
	runs, err := s.Runs(t.Context(), api.RunsRequest{ID: second.Runs[0].ID})
	if err != nil || len(runs) != 1 || len(runs[0].Actions) != 1 {
		t.Fatalf("%+v, %v", runs, err)
	}
	a := runs[0].Actions[0]
	if want := (api.PlannedChange{Field: directory.FieldName, From: "Ada", To: "Ada Lovelace"}); a.Op != "update" || len(a.Changes) != 1 || a.Changes[0] != want {
		t.Errorf("afterwards it is told %+v", a)
	}
	if runs, err := s.Runs(t.Context(), api.RunsRequest{ID: "20260101T000000-0000"}); err != nil || len(runs) > 0 {
		t.Errorf("of a run that never was: %+v, %v", runs, err)
	}
}

// The answer to a first sync names no more than its first actions, and counts them all: RunActions has the others.
func TestActionsAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 2500 {
		w.join(fmt.Sprint("p", i), "Some Body")
	}
	s := w.open(t)
	result, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}, Actions: 1 << 20}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := result.Runs[0]
	if len(r.Actions) != 2000 || r.Counts["user"]["create"] != 2501 {
		t.Errorf("%d are named, of %v", len(r.Actions), r.Counts)
	}
	if all, err := s.RunActions(t.Context(), api.RunActionsRequest{Run: r.ID, From: 2000, Limit: 1000}); err != nil || len(all.Actions) != 501 || all.More {
		t.Errorf("%d others are kept, %v", len(all.Actions), err)
	}
}
