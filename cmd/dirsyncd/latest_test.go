package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
)

// TestNothingToShow: a list with nothing in it says so, and of what time; scripts get an empty list.
func TestNothingToShow(t *testing.T) {
	var asked []time.Time
	fake := &apitest.Fake{
		DecisionsFunc: func(_ context.Context, req api.DecisionsRequest) ([]api.Decision, error) {
			asked = append(asked, req.Since)
			return nil, nil
		},
		SigninAttemptsFunc: func(_ context.Context, req api.SigninRequest) ([]api.SigninAttempt, error) {
			asked = append(asked, req.Since)
			return nil, nil
		},
	}
	for _, tc := range []struct {
		args  []string
		want  string
		since time.Time
	}{
		{[]string{"decisions"}, "nobody has decided anything\n", time.Time{}},
		{[]string{"decisions", "--since", "90m"}, "nobody has decided anything within the last 1h30m\n", testNow.Add(-90 * time.Minute)},
		{[]string{"decisions", "--since", "90m", "--json"}, "[]\n", testNow.Add(-90 * time.Minute)},
		{[]string{"signin", "log"}, "nobody has tried to sign in\n", time.Time{}},
		{[]string{"signin", "log", "--refused", "--since", "1h"}, "nobody was refused within the last 1h\n", testNow.Add(-time.Hour)},
		{[]string{"signin", "log", "--json"}, "[]\n", time.Time{}},
	} {
		asked = nil
		c := newCommandLine(t, fake)
		if code := c.run(tc.args...); code != exitClean || c.stdout.String() != tc.want || !slices.EqualFunc(asked, []time.Time{tc.since}, time.Time.Equal) {
			t.Errorf("%v: exit code %d, asked for %v, printed %q, want %q", tc.args, code, asked, c.stdout.String(), tc.want)
		}
	}
	for _, bad := range [][]string{{"decisions", "-n", "0"}, {"decisions", "--since", "-1h"}, {"signin", "log", "--limit", "-1"}, {"signin", "log", "--since", "-1s"}} {
		c := newCommandLine(t, fake)
		if code := c.run(bad...); code != exitUsage {
			t.Errorf("%v: exit code %d", bad, code)
		}
	}
}
