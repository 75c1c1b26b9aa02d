package service

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// One person, in one answer: what the source says, through which groups, the records, what waits and what changed.
func TestShow(t *testing.T) {
	w := newWorld(t)
	for _, g := range []string{"Service Desk", "1st Line"} {
		o := directory.Object{Kind: directory.Group, ID: g}
		o.SetText(directory.FieldName, g)
		w.source.Put("", o)
	}
	w.source.AddMembers("", "1st Line", directory.IDHandle("ada"))
	w.source.AddMembers("", "Service Desk", directory.IDHandle("1st Line"))
	s, ctx := w.open(t), t.Context()
	if _, err := s.Show(ctx, api.ShowRequest{Who: "ada"}); fault.ClassOf(err) != fault.Gone || !strings.Contains(fault.Hint(err), "--read") {
		t.Errorf("before the first sync: %v", err)
	}
	before, err := s.Show(ctx, api.ShowRequest{Who: "ada", Connections: []string{"hq"}, Read: true})
	if err != nil || len(before) != 1 || before[0].Records[0].Fields[0].Value != "Ada" || events(t) > 0 {
		t.Fatalf("read, and thrown away: %+v, %v", before, err)
	}
	if _, err := s.Show(ctx, api.ShowRequest{Who: "ada"}); fault.ClassOf(err) != fault.Gone {
		t.Errorf("something was stored: %v", err)
	}
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	w.join("ada", "Ada Lovelace")
	s = w.edit(t, s, "path: changes.jsonl", "path: missing/changes.jsonl")
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	people, err := s.Show(ctx, api.ShowRequest{Who: "hq/ada"})
	if err != nil || len(people) != 1 {
		t.Fatalf("%+v, %v", people, err)
	}
	p := people[0]
	if want := []string{"1st Line", "Service Desk > 1st Line"}; !slices.Equal(p.GroupPaths, want) {
		t.Errorf("groups %q, %q; want the ways %q", p.Groups, p.GroupPaths, want)
	}
	if len(p.Records) != 1 || p.Records[0].Kind != "user" || p.Records[0].State != "active" || p.Object["name"] != "Ada Lovelace" || p.Waiting {
		t.Errorf("%+v", p)
	}
	if len(p.Queued) != 1 || p.Queued[0].Target != "journal" || p.Queued[0].Op != "update" {
		t.Errorf("waits: %+v", p.Queued)
	}
	if len(p.Changes) != 2 || p.Changes[0].Op != "update" || p.Changes[0].Changes[0].From != "Ada" || p.Changes[1].Op != "create" {
		t.Errorf("changes: %+v", p.Changes)
	}
	if both, err := s.Show(ctx, api.ShowRequest{Who: "ada lovelace"}); err != nil || len(both) != 2 {
		t.Errorf("by name in two connections: %+v, %v", both, err)
	}
	if _, err := s.Show(ctx, api.ShowRequest{Who: "nobody"}); fault.ClassOf(err) != fault.Gone || !strings.Contains(err.Error(), "none of 2 connections") {
		t.Errorf("nobody: %v", err)
	}
	reasons, err := s.Why(ctx, "user", "hq/ada")
	if err != nil || !slices.Contains(reasons[0].GroupPaths, "Service Desk > 1st Line") {
		t.Errorf("why: %+v, %v", reasons, err)
	}
}

// What is parked about a person is shown with them.
func TestShowParked(t *testing.T) {
	w := newWorld(t)
	s, ctx := w.open(t), t.Context()
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	s = w.edit(t, s, "user: {name: = name}", "user: {name: = string(int(name))}")
	if _, err := s.Sync(ctx, api.SyncRequest{Connections: []string{"hq"}}, nil); err != nil {
		t.Fatal(err)
	}
	people, err := s.Show(ctx, api.ShowRequest{Who: "hq/ada"})
	if err != nil || len(people) != 1 || len(people[0].Parked) != 1 || people[0].Parked[0].Stage != "map" || people[0].Parked[0].Name != "Ada" {
		t.Errorf("%+v, %v", people, err)
	}
}
