package console

import (
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/api"
)

// TestPlots: of one tenant, four; of several only what each run did.
func TestPlots(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	runs := []api.Run{ // the newest first
		{Connection: "hq", Mode: "delta", Outcome: api.Failed, Started: at, Ended: at.Add(time.Minute), Records: map[string]int{"user": 8, "agent": 2}, Queued: 5},
		{Connection: "hq", Mode: "user", Outcome: api.Clean, Started: at.Add(-time.Hour), Ended: at.Add(-time.Hour), Counts: api.Counts{"user": {"create": 2, "update": 2}}, Records: map[string]int{"user": 10}},
		{Connection: "hq", Mode: "full", Outcome: api.Clean, Started: at.Add(-3 * time.Hour), Ended: at.Add(-3 * time.Hour), Counts: api.Counts{"user": {"create": 8}}, Records: map[string]int{"user": 8}},
	}
	got := plots(runs)
	if len(got) != 4 {
		t.Fatalf("%d plots", len(got))
	}
	for i, want := range []string{"The latest 3 runs, the newest on the right: 12 actions, at most 8 in one; 1 failed, 0 held.", "10 active records in the end, between 8 and 10.", "5 actions in the end, between 0 and 5.", "3.0 hours in the end, between 0.0 and 3.0."} {
		if got[i].Text != want {
			t.Errorf("%q, want %q", got[i].Text, want)
		}
	}
	if b := got[0].Bars; len(b) != 3 || b[0].Height != 100 || b[1].Height != 50 || b[2].Height != 3 || b[2].Outcome != api.Failed || b[2].X != 20 {
		t.Errorf("%+v", b)
	}
	if l := got[2].Line; l != "5,100.0 15,100.0 25,2.0" {
		t.Errorf("queue: %s", l)
	}
	runs[0].Tenant = "other"
	if got := plots(runs); len(got) != 1 || got[0].Line != "" {
		t.Errorf("of two tenants: %d", len(got))
	}
	if plots(nil) != nil || len(plots(make([]api.Run, 200))[0].Bars) != plotted || strings.Contains(plots(make([]api.Run, 1))[1].Line, "NaN") {
		t.Error("none, many, or one that did nothing")
	}
}
