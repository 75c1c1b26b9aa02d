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

// What was taken away over time is shown where anything was, those first that lost most, and who cannot be told of anything.
func TestStatusOverTime(t *testing.T) {
	fake := sample()
	fake.StatusFunc = func(context.Context) (api.Status, error) {
		st := api.Status{Daemon: true, Started: at(time.Hour)}
		for i, n := range []int{0, 3, 41} {
			st.Connections = append(st.Connections, api.ConnectionStatus{Name: []string{"quiet", "branch", "headquarters-active-directory"}[i], Tenants: []api.TenantStatus{{State: "ok", Unasked: map[string]map[string]int{
				"24h": {"user/deactivate": n / 3, "user/create": 7}, "7d": {"user/deactivate": n, "user/delete": n / 20, "memberships": n * 3, "user/update": 9, "user.email": 9},
			}}}})
		}
		st.Conditions = []api.Condition{
			{Kind: "unproven", Where: "connection hq", Text: "what is stored was last proven to agree with the source 3 days ago", Hint: "look at `dirsyncd status` and `dirsyncd runs`"},
			{Kind: "held", Where: "connection hq", Text: "not twice"}, {Kind: "expiring", Where: "sign-in at staff", Text: "not twice"},
		}
		for range 12 {
			st.Conditions = append(st.Conditions, api.Condition{Kind: "expiring", Where: "target desk", Text: "client_cert runs out on 2026-02-10", Ends: at(-240 * time.Hour)})
		}
		st.Recipients = []api.RecipientStatus{{Name: "ops", Since: at(2 * time.Hour), Error: "connection refused"}}
		return st, nil
	}
	c := newCommandLine(t, fake)
	c.run("status")
	out := c.stdout.String()
	text := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{
		"UNASKED 24 HOURS 7 DAYS headquarters-active-direct", "13 users off 123 memberships, 41 users off, 2 users deleted", "branch 1 user off 9 memberships, 3 users off",
		"connection hq: what is stored was last proven", "2 more of this kind: expiring", "recipient ops of notices could not be told for 2h: connection refused", "`dirsyncd notices test ops`",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
	if strings.Contains(text, "not twice") || strings.Contains(text, "quiet 1") || strings.Count(text, "client_cert runs out") != 10 {
		t.Errorf("too much:\n%s", out)
	}
	for line := range strings.Lines(out) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d characters wide: %s", n, line)
		}
	}
}
