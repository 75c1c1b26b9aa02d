package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/api"
)

// NEXT is when a run will happen: schedules leave refused credentials alone.
func TestStatusOfRefusedCredentials(t *testing.T) {
	soon, later := testNow.Add(19*time.Second), testNow.Add(2*time.Hour)
	for name, tc := range map[string]struct {
		next, full, retry time.Time
		running           bool
		want              string
		alone             bool
	}{
		"left alone":           {next: soon, retry: later, want: "in 2h", alone: true},
		"until the full read":  {full: soon, retry: later, want: "in 2h", alone: true},
		"the schedule is last": {next: later, retry: soon, want: "in 2h", alone: true},
		"may try again":        {next: soon, retry: at(time.Minute), want: "in 19s"},
		"another failure":      {next: soon, want: "in 19s"},
		"running":              {next: soon, retry: later, running: true, want: "running", alone: true},
		"no schedule":          {retry: later, want: "–", alone: true},
	} {
		t.Run(name, func(t *testing.T) {
			fake := sample()
			fake.StatusFunc = func(context.Context) (api.Status, error) {
				return api.Status{Daemon: true, Started: at(time.Hour), Connections: []api.ConnectionStatus{{
					Name: "hq", Next: tc.next, NextFull: tc.full, Running: tc.running, Tenants: []api.TenantStatus{{
						State: "failing", Failing: &api.Failure{Class: "auth", Text: "refused", Since: at(time.Hour), Runs: 2, Retry: tc.retry},
					}},
				}}}, nil
			}
			c := newCommandLine(t, fake)
			c.run("status")
			text := strings.Join(strings.Fields(c.stdout.String()), " ")
			if !strings.Contains(text, "hq failing – "+tc.want) {
				t.Errorf("NEXT is not %q:\n%s", tc.want, c.stdout.String())
			}
			if got := strings.Contains(text, "schedules leave it alone until 31 Jan"); got != tc.alone {
				t.Errorf("says that it is left alone: %v\n%s", got, c.stdout.String())
			}
			if tc.alone && !strings.Contains(text, "`dirsyncd sync hq`") {
				t.Errorf("says not what to do:\n%s", c.stdout.String())
			}
		})
	}
}
