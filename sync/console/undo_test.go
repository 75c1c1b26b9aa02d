package console

import (
	"context"
	"html"
	"net/url"
	"strings"
	"testing"

	"dirsyncd/sync/api"
)

// TestUndoPage: what an undo brings back and what it cannot is shown before it is asked for, and exactly that is approved.
func TestUndoPage(t *testing.T) {
	ops := nothing()
	run := api.Run{ID: "20261130T120000-abcd", Connection: "hq", Counts: api.Counts{"user": {"update": 2}}}
	ops.PlanUndoFunc = func(_ context.Context, req api.UndoRequest) (api.UndoPlan, error) {
		if req.Run != "abcd" || req.Who != "ada" || req.From != 50 || req.Record != "hq/1" {
			t.Errorf("asked %+v", req)
		}
		return api.UndoPlan{Run: run, Hash: "3f2a", Record: req.Record, Counts: api.Counts{"user": {"update": 1}}, Cannot: 1, Forgotten: 7, Reasons: []string{"update 9 records; the limit is 3"}, More: true,
			Actions: []api.UndoAction{{PlannedAction: api.PlannedAction{Op: "update", Kind: "user", Key: "hq/1", Changes: []api.PlannedChange{{Field: "title", From: "B", To: "A"}}},
				Kept: []api.UndoKept{{Field: "site", Why: "it has changed since"}}, Targets: []api.AtTarget{{Target: "desk", State: "dead"}}}}}, nil
	}
	var done []api.UndoApproval
	ops.UndoFunc = func(_ context.Context, req api.UndoApproval) (api.SyncResult, error) {
		done = append(done, req)
		return api.SyncResult{}, nil
	}
	b := signedIn(t, open(t, ops), operatorToken)
	_, body := b.get("/console/runs/abcd/undo?who=ada&from=50&record=hq/1")
	for _, want := range []string{"update 9 records; the limit is 3", "<del>B</del> → <ins>A</ins>", "site: it has changed since", "at desk: dead", "first 7 actions", "51 to 51.", `value="3f2a"`} {
		if !strings.Contains(body, want) {
			t.Errorf("want %q in\n%s", want, body)
		}
	}
	to := "/console/runs/abcd/undo/approve"
	b.post(to, url.Values{"hash": {"3f2a"}, "record": {"hq/1"}})
	if len(done) > 0 {
		t.Fatal("undone although the box was not ticked")
	}
	b.post(to, url.Values{"hash": {"3f2a"}, "record": {"hq/1"}, "sure": {"yes"}})
	if want := (api.UndoApproval{Run: "abcd", Record: "hq/1", Approve: "3f2a"}); len(done) != 1 || done[0] != want {
		t.Errorf("done %+v", done)
	}
}

// TestRunPage: the actions of a run come a page at a time, as they are asked for.
func TestRunPage(t *testing.T) {
	ops := nothing()
	ops.RunActionsFunc = func(_ context.Context, req api.RunActionsRequest) (api.RunActions, error) {
		if want := (api.RunActionsRequest{Run: "abcd", Kind: "user", Op: "update", Who: "ada", From: 50}); req != want {
			t.Errorf("asked %+v", req)
		}
		return api.RunActions{Run: api.Run{ID: "20261130T120000-abcd"}, More: true, Actions: []api.PlannedAction{{Op: "update", Kind: "user", Key: "hq/1", Name: "Ada"}}}, nil
	}
	b := signedIn(t, open(t, ops), readerToken)
	_, body := b.get("/console/runs/abcd?kind=user&op=update&who=ada&from=50")
	for _, want := range []string{"Ada", "51 to 51.", "from=0&amp;", "from=51&amp;"} {
		if !strings.Contains(body, want) {
			t.Errorf("want %q in\n%s", want, body)
		}
	}
}

// TestLinks: where a link leads, the key and the tenant are what they are, whatever they have in them.
func TestLinks(t *testing.T) {
	const key, tenant = "hq/person:1 & co %2F", "Harbour & Logistics"
	ops := nothing()
	action := api.PlannedAction{Op: "update", Kind: "user", Key: key}
	ops.RunActionsFunc = func(context.Context, api.RunActionsRequest) (api.RunActions, error) {
		return api.RunActions{Run: api.Run{ID: "abcd"}, Actions: []api.PlannedAction{action}}, nil
	}
	ops.PlanUndoFunc = func(context.Context, api.UndoRequest) (api.UndoPlan, error) {
		return api.UndoPlan{Run: api.Run{ID: "abcd"}, Actions: []api.UndoAction{{PlannedAction: action}}}, nil
	}
	ops.StatusFunc = func(context.Context) (api.Status, error) {
		return api.Status{Connections: []api.ConnectionStatus{{Name: "hq", Tenants: []api.TenantStatus{{Tenant: tenant, State: "ok"}}}}}, nil
	}
	b := signedIn(t, open(t, ops), readerToken)
	for _, c := range []struct{ page, to, name, want string }{
		{"/console/runs/abcd", "/console/why/user", "who", key},
		{"/console/runs/abcd/undo", "/console/why/user", "who", key},
		{"/console/tenants", "/console/runs", "connection", "hq/" + tenant},
	} {
		_, body := b.get(c.page)
		_, link, _ := strings.Cut(body, `href="`+c.to+`?`)
		link, _, _ = strings.Cut(link, `"`)
		query, err := url.ParseQuery(html.UnescapeString(link))
		if got := query.Get(c.name); err != nil || got != c.want {
			t.Errorf("%s leads to %q, %v; want %q", c.page, got, err, c.want)
		}
	}
}
