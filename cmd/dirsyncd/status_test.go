package main

import (
	"context"
	"slices"
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

// Without a daemon a target that takes nothing is told all the same; what waits for a human is counted.
func TestStatusWithoutADaemon(t *testing.T) {
	for name, tc := range map[string]struct {
		target api.TargetStatus
		want   []string
	}{
		"failing": {api.TargetStatus{Name: "desk", Target: "webhook", State: "failing", Error: "connection refused", Since: at(2 * time.Hour), Waiting: 3, Oldest: at(3 * time.Hour)},
			[]string{"desk webhook failing 3 3h ago", "desk has been failing for 2h: connection refused", "`dirsyncd sync` or a daemon tries again"}},
		"not known": {api.TargetStatus{Name: "desk", Target: "webhook", State: "unknown", Waiting: 1, Oldest: at(3 * time.Hour)},
			[]string{"desk webhook – 1 3h ago", "desk: 1 action to be delivered, and no daemon runs", "`dirsyncd sync` delivers now"}},
		"for a human": {api.TargetStatus{Name: "desk", Target: "scim", State: "unknown", Waits: map[string]int{"guard": 4000, "review": 2}},
			[]string{"desk scim – 4,002 –"}},
	} {
		t.Run(name, func(t *testing.T) {
			fake := sample()
			fake.StatusFunc = func(context.Context) (api.Status, error) {
				return api.Status{Targets: []api.TargetStatus{tc.target}}, nil
			}
			c := newCommandLine(t, fake)
			c.run("status")
			text := strings.Join(strings.Fields(c.stdout.String()), " ")
			for _, want := range tc.want {
				if !strings.Contains(text, want) {
					t.Errorf("without %q:\n%s", want, c.stdout.String())
				}
			}
		})
	}
}

// Where many have an address that is there under another log-in, the list says what to write.
func TestMatchListSaysWhatToWrite(t *testing.T) {
	one := api.Match{ID: "help:1", Target: "help", Subject: "user/hq/1", Kind: "user", Cause: "contradicted", Candidates: []api.Candidate{{ID: "7", Key: "mail"}}}
	for n, want := range map[int]bool{1: false, 150: true} {
		fake := sample()
		fake.MatchesFunc = func(context.Context, string) ([]api.Match, error) { return slices.Repeat([]api.Match{one}, n), nil }
		c := newCommandLine(t, fake)
		c.run("match", "list")
		text := strings.Join(strings.Fields(c.stdout.String()), " ")
		if strings.Contains(text, "help: the mail of 150 users is there") != want || strings.Contains(text, "`match: {user: [{mail: = email}]}`") != want {
			t.Errorf("%d: %s", n, text)
		}
	}
}
