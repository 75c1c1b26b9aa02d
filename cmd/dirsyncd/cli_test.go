package main

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testNow is when all tests of the command line take place.
var testNow = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func at(ago time.Duration) time.Time { return testNow.Add(-ago) }

// commandLine runs commands in this process against operations behind a real control socket.
type commandLine struct {
	*cli
	stdout, stderr bytes.Buffer
	socket         string
}

func newCommandLine(t *testing.T, ops api.Operations) *commandLine {
	t.Helper()
	c := &commandLine{}
	c.cli = newCLI(&c.stdout, &c.stderr)
	c.now = func() time.Time { return testNow }
	c.zone = time.UTC
	c.completing = time.Hour // a busy machine is no slow daemon
	c.out.Width, c.err.Width = term.DefaultWidth, term.DefaultWidth
	c.openLocal = func(context.Context, *config.Config, *slog.Logger) (api.Operations, func(), error) {
		t.Error("the state was opened although a daemon runs")
		return ops, func() {}, nil
	}
	c.readLocal = c.openLocal
	if ops != nil {
		c.socket = serve(t, ops)
	}
	return c
}

// serve answers operations on a socket until the test ends. The path is short: sockets have a limit.
func serve(t *testing.T, ops api.Operations) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dirsyncd") //nolint:usetesting // the path of t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	server := socket.NewServer(ops, slog.New(slog.DiscardHandler))
	socket := filepath.Join(dir, "c.sock")
	if err := server.Listen(socket); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return socket
}

// run runs a command line and returns its exit code.
func (c *commandLine) run(args ...string) int {
	c.stdout.Reset()
	c.stderr.Reset()
	c.opts = options{}
	if c.socket != "" {
		args = append([]string{"--control", c.socket}, args...)
	}
	return execute(context.Background(), c.cli, args)
}

// golden compares with a file in testdata, and checks that nothing is wider than a terminal.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for i, line := range strings.Split(got, "\n") {
		if n := term.Length(line); n > term.DefaultWidth && strings.HasSuffix(name, ".txt") {
			t.Errorf("line %d has %d columns: %s", i+1, n, line)
		}
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("output differs from %s:\n--- got\n%s--- want\n%s", path, got, want)
	}
}

// reloaded is the sample with its configuration in force.
func reloaded() *apitest.Fake {
	fake := sample()
	fake.StatusFunc = func(context.Context) (api.Status, error) {
		st := sampleStatus()
		st.Problem = ""
		return st, nil
	}
	return fake
}

// sample is a system with everything in it that can be seen.
func sample() *apitest.Fake {
	return &apitest.Fake{
		StatusFunc:     func(context.Context) (api.Status, error) { return sampleStatus(), nil },
		SyncFunc:       sampleSync,
		PlanFunc:       samplePlan,
		ApproveFunc:    func(context.Context, string) (api.SyncResult, error) { return cleanResult(), nil },
		DiscardFunc:    func(context.Context, string) error { return nil },
		DrainFunc:      func(context.Context, api.DrainRequest) (int, error) { return 1, nil },
		PublishFunc:    samplePublish,
		ResendFunc:     sampleResend,
		RunsFunc:       sampleRuns,
		RenameFunc:     func(context.Context, string, string) error { return nil },
		RunActionsFunc: sampleRunActions,
		PlanUndoFunc:   samplePlanUndo,
		UndoFunc:       sampleUndo,
		WhyAtFunc:      sampleWhyAt,
		RetireFunc:     sampleRetire,
		WhyFunc:        sampleWhy,
		ShowFunc:       sampleShow,
		MatchesFunc:    func(context.Context, string) ([]api.Match, error) { return sampleMatches(), nil },
		DecideFunc:     func(_ context.Context, by api.MatchDecision) (string, error) { return "user/hq-ad/5f1c", nil },
		AdoptFunc:      func(context.Context, api.AdoptRequest) ([]api.HeldAtTarget, error) { return sampleHeldAt(), nil },
		PlanAtFunc:     func(context.Context, api.PlanAtRequest) (api.PlanAtResult, error) { return samplePlanAt(), nil },
		AuditFunc:      func(context.Context, api.AuditRequest) (api.AuditResult, error) { return sampleAudit(), nil },
		StoredFunc:     sampleStored,
		HeldFunc: func(_ context.Context, req api.HeldRequest) (api.HeldActions, error) {
			held := api.HeldActions{Connection: "hq-ad", HeldPlan: api.HeldPlan{Hash: req.Hash, Since: testNow.Add(-time.Hour), Reasons: []string{"it would deactivate 60 of 90 users"}}}
			if req.Who == "" {
				held.More = true
				held.Actions = []api.PlannedAction{
					{Op: "deactivate", Kind: "user", Key: "hq-ad/1", Name: "Ada Lovelace", Reason: "disabled"},
					{Op: "update", Kind: "user", Key: "hq-ad/2", Changes: []api.PlannedChange{{Field: "title", From: "Clerk", To: "Head"}}},
				}
			}
			return held, nil
		},
		DecisionsFunc: func(context.Context, api.DecisionsRequest) ([]api.Decision, error) {
			return []api.Decision{
				{At: testNow.Add(-time.Minute), By: "ann (console)", What: "approve", Of: sampleHash},
				{At: testNow.Add(-time.Hour), What: "discard", Of: "aa11", Error: "find plan aa11: no plan with this hash is held"},
				{At: testNow.Add(-50 * time.Hour), By: "bea (as root)", What: "match", Of: "apps:7", Detail: "accept 2819c223"},
			}, nil
		},
		ParkedFunc: func(context.Context) ([]api.ParkedItem, error) { return sampleParked(), nil },
		ReplayFunc: func(_ context.Context, ids []string, _ func(api.Progress)) (int, error) { return max(len(ids), 1), nil },
		DropFunc:   func(_ context.Context, ids []string) (int, error) { return max(len(ids), 3), nil },
	}
}
