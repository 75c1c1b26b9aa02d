package main

import (
	"context"
	"strings"
	"testing"

	"dirsyncd/sync/api"
)

// TestOneUser: --user goes with one connection and with nothing that reads more.
func TestOneUser(t *testing.T) {
	var synced api.SyncRequest
	var planned api.PlanRequest
	fake := sample()
	fake.SyncFunc = func(_ context.Context, req api.SyncRequest, _ func(api.Progress)) (api.SyncResult, error) {
		synced = req
		return api.SyncResult{}, nil
	}
	fake.PlanFunc = func(_ context.Context, req api.PlanRequest, _ func(api.PlannedAction)) (api.PlanResult, error) {
		planned = req
		return api.PlanResult{}, nil
	}
	for _, args := range []string{
		"sync --user ada", "sync hq-ad lab --user ada", "sync hq-ad --full --user ada", "sync hq-ad --user=", "plan --user ada",
		"plan hq-ad --user ada --offline", "plan hq-ad --user ada --full", "plan hq-ad --user ada --target apps",
	} {
		if code := newCommandLine(t, fake).run(strings.Fields(args)...); code != exitUsage {
			t.Errorf("%s: exit code %d", args, code)
		}
	}
	if synced.User != "" || planned.User != "" {
		t.Errorf("asked for: %+v, %+v", synced, planned)
	}
	for _, args := range []string{"sync hq-ad --user ada@example.com --json", "plan hq-ad --user ada@example.com --json"} {
		if code := newCommandLine(t, fake).run(strings.Fields(args)...); code != exitClean {
			t.Errorf("%s: exit code %d", args, code)
		}
	}
	if synced.User != "ada@example.com" || planned.User != "ada@example.com" || len(synced.Connections) != 1 {
		t.Errorf("asked for: %+v, %+v", synced, planned)
	}
}
