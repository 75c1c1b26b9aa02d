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
		{"unproven", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "unproven", Where: "connection hq", Since: at(30 * time.Hour)}}
		}, 2, "CRITICAL: connection hq: not proven for 30h\n"},
		{"late", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "late", Where: "target desk", Since: at(5 * time.Hour)}}
		}, 1, "WARNING: target desk: actions have waited for 5h\n"},
		{"what waits for a human in a merge", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "review", Where: "connection merged", Text: "2 wait for somebody to say who they are"}, {Kind: "review", Where: "target desk", Text: "x"}}
		}, 1, "WARNING: connection merged: 2 wait for somebody to say who they are\n"},
		{"empty", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "empty", Where: "connection hq", Text: "nobody is there"}}
		}, 1, "WARNING: connection hq: nobody is there\n"},
		{"seats", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "seats", Where: "connection hq", Text: "5 of 5 agent seats are taken, and 2 people wait for one"}}
		}, 1, "WARNING: connection hq: 5 of 5 agent seats are taken, and 2 people wait for one\n"},
		{"a front's certificate", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "expiring", Where: "the public front", Text: "web.tls.cert runs out on 2026-02-10", Ends: at(-10 * 24 * time.Hour)}}
		}, 1, "WARNING: the public front: web.tls.cert runs out on 2026-02-10\n"},
		{"one that is good for weeks", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "expiring", Where: "the public front", Text: "x", Ends: at(-20 * 24 * time.Hour)}}
		}, 0, "OK: everything is in sync\n"},
		{"one that ran out", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "expiring", Where: "target desk", Text: "client_cert ran out on 2026-01-01", Ends: at(time.Hour)}}
		}, 2, "CRITICAL: target desk: client_cert ran out on 2026-01-01\n"},
		{"told by sign-in itself", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "expiring", Where: "sign-in at staff", Text: "x", Ends: at(time.Hour)}}
		}, 0, "OK: everything is in sync\n"},
		{"what the state says elsewhere", func(st *api.Status) {
			st.Conditions = []api.Condition{{Kind: "held", Where: "connection hq"}, {Kind: "failing", Where: "connection hq"}, {Kind: "parked", Where: "connection hq"}}
		}, 0, "OK: everything is in sync\n"},
		{"a recipient", func(st *api.Status) {
			st.Recipients = []api.RecipientStatus{{Name: "ops", Since: at(2 * time.Hour), Error: "x"}}
		}, 1, "WARNING: recipient ops of notices has not been told for 2h\n"},
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
