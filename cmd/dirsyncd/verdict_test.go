package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// Monitoring gets one line and the code that its plugins have.
func TestStatusForMonitoring(t *testing.T) {
	well := func() *api.Status {
		return &api.Status{Daemon: true, Connections: []api.ConnectionStatus{{Name: "hq", Tenants: []api.TenantStatus{{State: "ok"}}}}, Targets: []api.TargetStatus{{Name: "desk", State: "ok"}}}
	}
	tenant := func(st *api.Status) *api.TenantStatus { return &st.Connections[0].Tenants[0] }
	for _, tc := range []struct {
		what string
		make func(*api.Status)
		code int
		want string
	}{
		{"well", func(*api.Status) {}, 0, "OK: everything is in sync\n"},
		{"held", func(st *api.Status) { tenant(st).Held = &api.HeldPlan{} }, 1, "WARNING: hq: a plan is held\n"},
		{"parked", func(st *api.Status) { tenant(st).Parked = 2 }, 1, "WARNING: hq: 2 items parked\n"},
		{"waiting for a human", func(st *api.Status) { st.Targets[0].Waits = map[string]int{"guard": 30, "review": 2, "busy": 1} }, 1,
			"WARNING: target desk: 2 for somebody to decide, 30 for an approval\n"},
		{"waiting for what comes by itself", func(st *api.Status) { st.Targets[0].Waits = map[string]int{"busy": 1} }, 0, "OK: everything is in sync\n"},
		{"refused reload", func(st *api.Status) { st.Problem = "x" }, 1, "WARNING: the last reload was refused\n"},
		{"a bad minute", func(st *api.Status) { tenant(st).Failing = &api.Failure{Since: at(time.Minute)} }, 1, "WARNING: hq has failed for 1m\n"},
		{"down", func(st *api.Status) { tenant(st).Failing = &api.Failure{Since: at(3 * time.Hour)} }, 2, "CRITICAL: hq has failed for 3h\n"},
		{"target down", func(st *api.Status) { st.Targets[0].Error, st.Targets[0].Since = "x", at(2*time.Hour) }, 2, "CRITICAL: target desk has failed for 2h\n"},
		{"a secret that ends", func(st *api.Status) {
			st.Providers = []api.ProviderStatus{{Name: "staff", Ends: []api.ProviderEnd{{Use: "client_secret", At: at(-13 * 24 * time.Hour), Soon: true}}}}
		}, 1, "WARNING: sign-in at staff: client_secret ends in 13d\n"},
		{"one that ends later", func(st *api.Status) {
			st.Providers = []api.ProviderStatus{{Name: "staff", Ends: []api.ProviderEnd{{Use: "client_secret", At: at(-15 * 24 * time.Hour), Soon: true}, {Use: "metadata", At: at(-24 * time.Hour)}}}}
		}, 0, "OK: everything is in sync\n"},
		{"a certificate that ran out", func(st *api.Status) {
			st.Providers = []api.ProviderStatus{{Name: "staff", Ends: []api.ProviderEnd{{Use: "our_key", At: at(time.Hour), Soon: true}}}}
		}, 2, "CRITICAL: sign-in at staff: our_key ran out\n"},
		{"no daemon", func(st *api.Status) { st.Daemon = false }, 2, "CRITICAL: no daemon is running\n"},
		{"much", func(st *api.Status) {
			for range 7 {
				st.Connections = append(st.Connections, api.ConnectionStatus{Name: "c", Tenants: []api.TenantStatus{{Parked: 1}}})
			}
		}, 1, "WARNING: c: 1 item parked; c: 1 item parked; c: 1 item parked; c: 1 item parked; c: 1 item parked; and 2 more\n"},
	} {
		st := well()
		tc.make(st)
		fake := sample()
		fake.StatusFunc = func(context.Context) (api.Status, error) { return *st, nil }
		c := newCommandLine(t, fake)
		if code := c.run("status", "--check"); code != tc.code || c.stdout.String() != tc.want || c.stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, %q%s", tc.what, code, c.stdout.String(), c.stderr.String())
		}
	}
	fake := sample()
	fake.StatusFunc = func(context.Context) (api.Status, error) {
		return api.Status{}, &fault.Error{Class: fault.Internal, Op: "read state", Err: errors.New("damaged")}
	}
	c := newCommandLine(t, fake)
	if code := c.run("status", "--check"); code != 3 || c.stdout.String() != "UNKNOWN: read state: damaged\n" || c.stderr.Len() > 0 {
		t.Errorf("exit code %d, %q%s", code, c.stdout.String(), c.stderr.String())
	}
}

// For cron: nothing is written, and no mail sent, unless something wants attention.
func TestQuiet(t *testing.T) {
	c := newCommandLine(t, reloaded())
	if code := c.run("sync", "-q"); code != exitClean || c.stdout.Len()+c.stderr.Len() > 0 {
		t.Errorf("exit code %d: %s%s", code, c.stdout.String(), c.stderr.String())
	}
	if code := c.run("sync", "--full", "--quiet"); code != exitFailed || !strings.Contains(c.stdout.String(), "branch failed") {
		t.Errorf("exit code %d: %s", code, c.stdout.String())
	}
	if code := c.run("status", "-q"); code != exitClean || c.stdout.Len() == 0 {
		t.Errorf("whoever asks is answered: %s", c.stdout.String())
	}
}
