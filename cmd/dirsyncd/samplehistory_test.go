package main

import (
	"context"
	"time"

	"dirsyncd/sync/api"
)

// sampleFormerRun is a run of yesterday.
func sampleFormerRun() api.Run {
	return api.Run{ID: "20260130T115950-ab12", Connection: "hq-ad", Trigger: "schedule", Mode: "delta", Outcome: api.Clean, Started: testNow.Add(-24 * time.Hour),
		Ended: testNow.Add(-24*time.Hour + 3*time.Second), Counts: api.Counts{"user": {"update": 1200, "deactivate": 3}, "group": {"update": 1}}}
}

// sampleRunActions answers in two pages.
func sampleRunActions(_ context.Context, req api.RunActionsRequest) (api.RunActions, error) {
	if req.Position > 0 {
		return api.RunActions{Run: sampleFormerRun(), Actions: []api.PlannedAction{{Connection: "hq-ad", Op: "deactivate", Kind: "user", Key: "hq-ad/9", Name: "Cy Lee", Reason: "gone"}}}, nil
	}
	return api.RunActions{Run: sampleFormerRun(), Forgotten: 40, More: true, Next: 1042, Actions: []api.PlannedAction{
		{Connection: "hq-ad", Op: "update", Kind: "user", Key: "hq-ad/5f1c", Name: "Ada Lovelace", Rule: "staff", Changes: []api.PlannedChange{{Field: "site", From: "London", To: "Oslo"}}},
		{Connection: "hq-ad", Op: "update", Kind: "group", Key: "hq-ad/77", Name: "Service Desk", Rule: "teams", Added: 1, Removed: 2, Entered: []string{"hq-ad/5f1c"}, Left: []string{"hq-ad/8", "hq-ad/9"}},
	}}, nil
}

func samplePlanUndo(_ context.Context, req api.UndoRequest) (api.UndoPlan, error) {
	plan := api.UndoPlan{Run: sampleFormerRun(), Record: req.Record, Forgotten: 40}
	if req.Who != "" || req.Record == "hq-ad/nobody" {
		return plan, nil
	}
	plan.Hash, plan.Cannot, plan.Counts, plan.Reasons = sampleHash, 2, api.Counts{"user": {"update": 1, "reactivate": 3}}, []string{"reactivate 3 records; the limit is 2"}
	plan.More, plan.Actions = true, []api.UndoAction{
		{PlannedAction: api.PlannedAction{Connection: "hq-ad", Op: "reactivate", Kind: "user", Key: "hq-ad/9", Name: "Cy Lee", Reason: "undo of run 20260130T115950-ab12"},
			Targets: []api.AtTarget{{Target: "apps", State: "dead"}, {Target: "desk", State: "linked", Cause: "review", Waits: "two people have this address"}}},
		{PlannedAction: api.PlannedAction{Connection: "hq-ad", Op: "update", Kind: "user", Key: "hq-ad/5f1c", Name: "Ada Lovelace", Reason: "undo of run 20260130T115950-ab12",
			Changes: []api.PlannedChange{{Field: "site", From: "Oslo", To: "London"}}}, Kept: []api.UndoKept{{Field: "title", Why: `it has changed since, by run 20260131T080000-cd34, to "Boss"`}}},
		{PlannedAction: api.PlannedAction{Connection: "hq-ad", Kind: "ticket", Key: "hq-ad/9/leave/1"}, Kept: []api.UndoKept{{Why: "a ticket that was opened cannot be taken back"}}},
	}
	return plan, nil
}

func sampleWhyAt(_ context.Context, req api.WhyAtRequest) ([]api.Past, error) {
	run, since := "20260130T115950-ab12", testNow.Add(-30*time.Hour)
	return []api.Past{
		{Kind: req.Kind, Key: "hq-ad/5f1c", Connection: "hq-ad", Name: "Ada Lovelace", At: req.At, State: "active", Rule: "staff", Run: run, Since: since, Reaches: since.Add(-time.Hour), Fields: []api.PastField{
			{Field: "name", Value: "Ada Byron", Run: run, Since: since}, {Field: "site", Value: "London"}, {Field: "title", Unknown: true},
		}},
		{Kind: req.Kind, Key: "hq-ad/6", Connection: "hq-ad", At: req.At, State: "absent", Reaches: since},
		{Kind: req.Kind, Key: "hq-ad/7", Connection: "hq-ad", At: req.At, Reaches: since},
		{Kind: req.Kind, Key: "hq-ad/8", Connection: "hq-ad", At: req.At},
	}, nil
}

// sampleUndo is of a worker that delivers to none of the targets.
func sampleUndo(context.Context, api.UndoApproval) (api.SyncResult, error) {
	result := cleanResult()
	result.Delivered = []api.Delivery{
		{Target: "desk", Others: true, Workers: []string{"south"}, Waiting: 3}, {Target: "apps", Others: true, Workers: []string{"north", "south"}, Waiting: 1}, {Target: "journal", Others: true},
	}
	return result, nil
}
