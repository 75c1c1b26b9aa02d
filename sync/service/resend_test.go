package service

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func lines(t *testing.T, file string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		all = append(all, string(line))
	}
	return all
}

func tellingsOf(t *testing.T, s *Service) (list []api.Telling) {
	t.Helper()
	st, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range st.Connections {
		for _, ten := range c.Tenants {
			list = append(list, ten.Telling...)
		}
	}
	return list
}

// A target that is new shows in the status before it is told anything, and can be told everything again later.
func TestResend(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if list := tellingsOf(t, s); len(list) > 0 {
		t.Errorf("nothing is new: %+v", list)
	}
	s = w.edit(t, s, "file: {path: changes.jsonl}}", "file: {path: changes.jsonl}}, desk: {target: file, file: {path: desk.jsonl}}")
	s = w.edit(t, s, "hq: {connector: memory, mapping: staff, targets: [journal]}", "hq: {connector: memory, mapping: staff, targets: [journal, desk]}")
	if list := tellingsOf(t, s); len(list) != 1 || list[0] != (api.Telling{Target: "desk", Coming: true, Records: 1, Waiting: 1}) {
		t.Errorf("a new target: %+v", list)
	}
	early, err := s.Resend(t.Context(), api.ResendRequest{Target: "desk"})
	if err != nil || len(early.Runs) != 1 || early.Runs[0].Told != 0 || !strings.Contains(early.Runs[0].Notes[0], "next run") {
		t.Errorf("asked for before its time: %+v, %v", early, err)
	}
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if list := tellingsOf(t, s); len(list) > 0 || len(lines(t, "desk.jsonl")) != 1 {
		t.Errorf("it was told: %+v", list)
	}
	journal := events(t)
	result, err := s.Resend(t.Context(), api.ResendRequest{Target: "desk"})
	if err != nil || len(result.Runs) != 1 || result.Runs[0].Told != 1 || len(result.Delivered) != 1 || result.Delivered[0].Delivered != 1 {
		t.Fatalf("resend: %+v, %v", result, err)
	}
	got := lines(t, "desk.jsonl")
	if len(got) != 2 || got[0] == got[1] || !strings.Contains(got[1], `"reason":"sent again"`) || !strings.Contains(got[1], `"op":"create"`) {
		t.Errorf("the desk has %q", got)
	}
	if events(t) != journal {
		t.Errorf("the other target got %d events", events(t)-journal)
	}
	for _, bad := range []api.ResendRequest{{Target: "dsk"}, {Target: "desk", Connections: []string{"lab"}}, {Target: "desk", Connections: []string{"nowhere"}}} {
		if _, err := s.Resend(t.Context(), bad); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// What waits for a target that is down shows as a part of the whole.
func TestResendToATargetThatIsDown(t *testing.T) {
	w := newWorld(t)
	w.join("bob", "Bob")
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	s = w.edit(t, s, "path: changes.jsonl", "path: missing/changes.jsonl")
	result, err := s.Resend(t.Context(), api.ResendRequest{Target: "journal", Connections: []string{"hq"}})
	if err != nil || result.Runs[0].Told != 2 || result.Delivered[0].Waiting != 2 {
		t.Fatalf("resend: %+v, %v", result, err)
	}
	list := tellingsOf(t, s)
	if len(list) != 1 || !list[0].Again || list[0].Coming || list[0].Records != 2 || list[0].Waiting != 2 {
		t.Errorf("status: %+v", list)
	}
}

// Who approves, discards or has something sent is kept with the run, and with the plan that waited.
func TestWhoAsked(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"bob", "cy", "dee"} {
		w.join(id, id)
	}
	s := w.open(t)
	ann, bea := api.WithUser(t.Context(), "ann"), api.WithUser(t.Context(), "bea (as root)")
	if _, err := s.Sync(ann, api.SyncRequest{Connections: []string{"hq"}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"bob", "cy", "dee"} {
		w.source.Remove("", directory.Ref{Kind: directory.Person, ID: id})
	}
	held := func() string {
		t.Helper()
		res, err := s.Sync(ann, api.SyncRequest{Connections: []string{"hq"}}, nil)
		if err != nil || res.Runs[0].Held == "" {
			t.Fatalf("%+v, %v", res, err)
		}
		return res.Runs[0].Held
	}
	hash := held()
	if err := s.Discard(bea, hash); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(bea, hash); err == nil || !strings.Contains(err.Error(), "thrown away by bea (as root)") {
		t.Errorf("discarded twice: %v", err)
	}
	hash = held()
	if _, err := s.Approve(bea, hash); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Approve(ann, hash); err == nil || !strings.Contains(err.Error(), "was approved by bea (as root)") {
		t.Errorf("approved twice: %v", err)
	}
	runs, err := s.Runs(t.Context(), api.RunsRequest{})
	if err != nil || runs[0].By != "bea (as root)" || runs[0].Approved != hash || runs[len(runs)-1].By != "ann" {
		t.Errorf("runs: %+v, %v", runs, err)
	}
}
