package service

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// heldWorld is a world of which 60 of 90 people have left, and wait.
func heldWorld(t *testing.T) (w *world, s *Service, hash string) {
	t.Helper()
	w = newWorld(t)
	for i := range 90 {
		w.join(fmt.Sprintf("p%02d", i), fmt.Sprintf("Person %02d", i))
	}
	s = w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		w.source.Remove("", directory.Ref{Kind: directory.Person, ID: fmt.Sprintf("p%02d", i)})
	}
	w.join("zoe", "Zoe") // goes ahead
	res, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}}, nil)
	if err != nil || res.Runs[0].Held == "" {
		t.Fatalf("%+v, %v", res, err)
	}
	return w, s, res.Runs[0].Held
}

// TestHeld: the pages of a held plan are the plan, and nothing is stored for them.
func TestHeld(t *testing.T) {
	_, s, hash := heldWorld(t)
	var planned []api.PlannedAction
	if _, err := s.Plan(t.Context(), api.PlanRequest{Connections: []string{"hq"}, Offline: true}, func(a api.PlannedAction) { planned = append(planned, a) }); err != nil {
		t.Fatal(err)
	}
	var got []api.PlannedAction
	for page := 0; ; page++ {
		answer, err := s.Held(t.Context(), api.HeldRequest{Hash: hash, From: len(got), Limit: 25})
		if err != nil || answer.Connection != "hq" || answer.Hash != hash || answer.Counts["user"]["deactivate"] != 60 || page > 3 {
			t.Fatalf("%+v, %v", answer, err)
		}
		got = append(got, answer.Actions...)
		if !answer.More {
			break
		}
		if len(answer.Actions) != 25 {
			t.Fatalf("page %d has %d", page, len(answer.Actions))
		}
	}
	if len(got) != 60 || !slices.EqualFunc(got, planned, func(a, b api.PlannedAction) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("%d actions, %d are planned", len(got), len(planned))
	}
	for _, c := range []struct {
		req  api.HeldRequest
		want int
	}{
		{api.HeldRequest{}, 50}, {api.HeldRequest{Limit: 5000}, 60}, {api.HeldRequest{Op: "create"}, 0}, {api.HeldRequest{Kind: "agent"}, 0}, {api.HeldRequest{Kind: "user", Op: "deactivate", From: 58}, 2},
		{api.HeldRequest{Who: "PERSON 1"}, 10}, {api.HeldRequest{Who: "hq/p07"}, 1}, {api.HeldRequest{Who: "zoe"}, 0}, {api.HeldRequest{From: 60}, 0},
	} {
		c.req.Hash = hash
		if answer, err := s.Held(t.Context(), c.req); err != nil || len(answer.Actions) != c.want {
			t.Errorf("%+v: %d, want %d; %v", c.req, len(answer.Actions), c.want, err)
		}
	}
	if _, err := s.Held(t.Context(), api.HeldRequest{Hash: "other"}); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("another hash: %v", err)
	}
	status, err := s.Status(t.Context())
	if err != nil || status.Connections[0].Tenants[0].Held.Hash != hash {
		t.Errorf("it is held no longer: %v", err)
	}
}

// TestDecisions: what people had done, and what was refused, the newest first; a look is no decision.
func TestDecisions(t *testing.T) {
	_, s, hash := heldWorld(t)
	ops, ann := s.Operations(), api.WithUser(t.Context(), "ann")
	if _, err := ops.Held(ann, api.HeldRequest{Hash: hash}); err != nil {
		t.Fatal(err)
	}
	if err := ops.Discard(ann, "other"); err == nil {
		t.Fatal("discarded what is not there")
	}
	if _, err := ops.Approve(api.WithUser(t.Context(), "bea"), hash); err != nil {
		t.Fatal(err)
	}
	if _, err := ops.Drop(ann, nil); err != nil {
		t.Fatal(err)
	}
	list, err := ops.Decisions(t.Context(), api.DecisionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range list {
		got[d.What] = d.By + " " + d.Of + " " + d.Error
		if d.At.IsZero() {
			t.Errorf("%+v has no time", d)
		}
	}
	if len(list) != 3 || got["approve"] != "bea "+hash+" " || !strings.HasPrefix(got["discard"], "ann other find plan other") || got["drop"] != "ann all " {
		t.Errorf("%+v", list)
	}
	if list, err := ops.Decisions(t.Context(), api.DecisionsRequest{Limit: 1}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := ops.Decisions(t.Context(), api.DecisionsRequest{Since: s.now().Add(time.Hour)}); err != nil || len(list) != 0 {
		t.Errorf("of the future: %+v, %v", list, err)
	}
}

// TestDecisionsInOrder: of one second, too, the newest is first; one that cannot be read hides no other one.
func TestDecisionsInOrder(t *testing.T) {
	_, s, _ := heldWorld(t)
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for range 50 { // keys have a part that is random
		if bytes.Compare(decisionKey(at.Add(time.Millisecond)), decisionKey(at)) >= 0 {
			t.Fatal("what was decided later comes later")
		}
	}
	ops := s.Operations()
	if _, err := ops.Drop(api.WithUser(t.Context(), "ann"), nil); err != nil {
		t.Fatal(err)
	}
	items, err := s.items()
	if err != nil {
		t.Fatal(err)
	}
	if err := items.Put(t.Context(), spaceDecisions, store.Item{Key: decisionKey(s.now().Add(time.Hour)), Until: s.now().Add(2 * time.Hour), Value: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	if list, err := ops.Decisions(t.Context(), api.DecisionsRequest{}); err != nil || len(list) != 1 || list[0].By != "ann" {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestConsoleOfTheDaemon: the console is at the front, follows a reload, and decides as the commands do.
func TestConsoleOfTheDaemon(t *testing.T) {
	w, s, hash := heldWorld(t)
	s.host = &host{front: newFront(publicConfig(), s.log), runs: t.Context(), next: func(string) time.Time { return time.Time{} }, nextAudit: func(string) time.Time { return time.Time{} }, trigger: func(string) {}}
	ask := func(method, path string, form url.Values, cookies []*http.Cookie) (status int, body string, got []*http.Cookie) {
		t.Helper()
		r := httptest.NewRequest(method, "https://sync.example.test"+path, strings.NewReader(form.Encode()))
		r.RemoteAddr, r.TLS = "127.0.0.1:5000", nil
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		s.host.front.ServeHTTP(rec, r)
		answer := rec.Result()
		defer func() { _ = answer.Body.Close() }()
		return rec.Code, rec.Body.String(), answer.Cookies()
	}
	s.openConsole(w.cfg)
	if status, _, _ := ask(http.MethodGet, "/console/login", nil, nil); status != http.StatusNotFound {
		t.Errorf("without a console: %d", status)
	}
	const token = "ooooooooooooooooooooooooooooo"
	w.cfg.Console = consoleOf(token)
	s.openConsole(w.cfg)
	defer s.closeConsole()
	status, _, cookies := ask(http.MethodPost, "/console/login", url.Values{"token": {token}}, nil)
	if status != http.StatusSeeOther {
		t.Fatal(status)
	}
	status, body, _ := ask(http.MethodGet, "/console/held/"+hash, nil, cookies)
	if status != http.StatusOK || !strings.Contains(body, "Person 07") || !strings.Contains(body, "1 to 50.") {
		t.Fatalf("%d\n%s", status, body)
	}
	_, rest, _ := strings.Cut(body, `name="form" value="`)
	form, _, _ := strings.Cut(rest, `"`)
	status, body, _ = ask(http.MethodPost, "/console/held/"+hash+"/approve", url.Values{"form": {form}, "sure": {"yes"}}, cookies)
	if status != http.StatusOK || !strings.Contains(body, "60 deactivate") {
		t.Fatalf("%d\n%s", status, body)
	}
	list, err := s.Decisions(t.Context(), api.DecisionsRequest{})
	if err != nil || len(list) != 1 || list[0].By != "ann (console)" || list[0].What != "approve" {
		t.Errorf("%+v, %v", list, err)
	}
	w.cfg.Console = nil
	s.openConsole(w.cfg)
	if status, _, _ := ask(http.MethodGet, "/console/", nil, cookies); status != http.StatusNotFound {
		t.Errorf("after a reload without: %d", status)
	}
}

func consoleOf(token string) *config.Console {
	return &config.Console{Users: []config.ConsoleUser{{Name: "ann", Role: "operator", Token: settings.NewSecret(token)}}}
}
