package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

func TestExitCode(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want int
	}{
		{"none", nil, 0},
		{"status", exitStatus(3), 3},
		{"usage", &usageError{text: "x"}, 2},
		{"configuration file", fmt.Errorf("x: %w", &config.Error{}), 2},
		{"configuration", &fault.Error{Class: fault.Configuration}, 2},
		{"invalid", &fault.Error{Class: fault.Invalid}, 2},
		{"gone", &fault.Error{Class: fault.Gone}, 1},
		{"forbidden", &fault.Error{Class: fault.Forbidden}, 1},
		{"canceled", context.Canceled, 1},
		{"transient", &fault.Error{Class: fault.Transient}, 1},
		{"unclassified", errors.New("x"), 1},
	} {
		if got := exitCode(tc.err); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	run := func(outcome, held string, parked int) api.Run {
		return api.Run{Outcome: outcome, Held: held, Parked: parked}
	}
	clean, failed, held, parked := run(api.Clean, "", 0), run(api.Failed, "", 0), run(api.Held, "h", 0), run(api.Parked, "", 1)
	for _, tc := range []struct {
		name      string
		runs      []api.Run
		delivered []api.Delivery
		want      int
	}{
		{"nothing", nil, nil, 0},
		{"clean", []api.Run{clean, clean}, []api.Delivery{{Delivered: 3}}, 0},
		{"failed", []api.Run{clean, failed}, nil, 1},
		{"held", []api.Run{held, clean}, nil, 3},
		{"parked", []api.Run{clean, parked}, nil, 4},
		{"parked by a target", []api.Run{clean}, []api.Delivery{{Parked: 1}}, 4},
		{"target failing", []api.Run{clean}, []api.Delivery{{Waiting: 1, Error: "x"}}, 1},
		{"waiting only", []api.Run{clean}, []api.Delivery{{Waiting: 1}}, 0},
		{"waiting for a human", []api.Run{clean, parked}, []api.Delivery{{Delivered: 3, Waits: map[string]int{"review": 1}}}, 3},
		{"waiting for an approval", nil, []api.Delivery{{Waits: map[string]int{"guard": 30}}}, 3},
		{"waiting for what comes by itself", []api.Run{clean}, []api.Delivery{{Waits: map[string]int{"reference": 1, "busy": 1, "settle": 1}}}, 0},
		{"failed before held", []api.Run{held, failed, parked}, nil, 1},
		{"held before parked", []api.Run{parked, held}, nil, 3},
		{"failed although held", []api.Run{run(api.Failed, "h", 1)}, nil, 1},
	} {
		if got := codeOf(tc.runs, tc.delivered); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, tc := range []struct {
		args string
		code int
		want string // all of stderr
	}{
		{"statsu", 2, "dirsyncd: \"dirsyncd\" has no command \"statsu\"\n  → did you mean status or state?\n"},
		{"parked nonsense", 2, "dirsyncd: \"dirsyncd parked\" has no command \"nonsense\"\n  → `dirsyncd parked --help` shows how it is used\n"},
		{"sync --ful", 2, "dirsyncd: unknown flag: --ful\n  → did you mean \"--full\"?\n"},
		{"sync hq", 2, "dirsyncd: there is no connection \"hq\"\n  → known: hq-ad, csp, branch\n"},
		{"plan hq_ad", 2, "dirsyncd: there is no connection \"hq_ad\"\n  → did you mean \"hq-ad\"?\n"},
		{"runs bransh", 2, "dirsyncd: there is no connection \"bransh\"\n  → did you mean \"branch\"?\n"},
		{"runs -n 0", 2, "dirsyncd: -n must be at least 1\n  → `dirsyncd runs --help` shows how it is used\n"},
		{"plan --offline --full", 2, "dirsyncd: --offline and --full exclude each other: offline, nothing is read\n  → `dirsyncd plan --help` shows how it is used\n"},
		{"plan --limit -1", 2, "dirsyncd: --limit must not be negative\n  → `dirsyncd plan --help` shows how it is used\n"},
		{"approve", 2, "dirsyncd: approve needs the hash of a held plan\n  → `dirsyncd approve --help` shows how it is used\n"},
		{"discard a b", 2, "dirsyncd: discard takes the hash of a held plan, got also \"b\"\n  → `dirsyncd discard --help` shows how it is used\n"},
		{"status x", 2, "dirsyncd: status takes no argument, got \"x\"\n  → `dirsyncd status --help` shows how it is used\n"},
		{"why usr x", 2, "dirsyncd: there is no kind of record \"usr\"\n  → did you mean \"user\"?\n"},
		{"why user ada --at 2126-01-31", 2, "dirsyncd: \"2126-01-31\" is yet to come\n  → 2026-01-31, \"2026-01-31 08:15\", 2026-01-31T08:15:00Z, or how long ago: 90m, 24h, 7d\n"},
		{"runs show ab12 --op deactivated", 2, "dirsyncd: there is no operation \"deactivated\"\n  → did you mean \"deactivate\"?\n"},
		{"held 3f2a9c01d4 --kind usr", 2, "dirsyncd: there is no kind of record \"usr\"\n  → did you mean \"user\"?\n"},
		{"undo ab12 --kind usr", 2, "dirsyncd: there is no kind of record \"usr\"\n  → did you mean \"user\"?\n"},
		{"why user nobody", 1, "dirsyncd: why: hq-ad: no person is known as \"nobody\"\n  → give the record's key, or the id, login, mail address or name as the source has it\n"},
		{"parked replay", 2, "dirsyncd: retry needs ids, or --all\n  → `dirsyncd parked list` shows the ids\n"},
		{"parked drop", 2, "dirsyncd: drop needs ids, or --all\n  → `dirsyncd parked list` shows the ids\n"},
		{"parked drop x", 2, "dirsyncd: dropping cannot be undone\n  → add --yes if you mean it\n"},
		{"parked drop --all x", 2, "dirsyncd: give ids or --all, not both\n  → `dirsyncd parked drop --help` shows how it is used\n"},
		{"check --prob", 2, "dirsyncd: unknown flag: --prob\n  → did you mean \"--probe\"?\n"},
		{"status --jsn", 2, "dirsyncd: unknown flag: --jsn\n  → did you mean \"--json\"?\n"},
		{"status --colourful", 2, "dirsyncd: unknown flag: --colourful\n  → `dirsyncd status --help` shows how it is used\n"},
		{"completion tcsh", 2, "dirsyncd: \"dirsyncd completion\" has no command \"tcsh\"\n  → did you mean bash or zsh or fish?\n"},
		{"completion fihs", 2, "dirsyncd: \"dirsyncd completion\" has no command \"fihs\"\n  → did you mean fish?\n"},
		{"check --probe --print", 2, "dirsyncd: --probe and --print exclude each other\n  → `dirsyncd check --help` shows how it is used\n"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			c := newCommandLine(t, sample())
			if code := c.run(strings.Fields(tc.args)...); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if got := c.stderr.String(); got != tc.want {
				t.Errorf("stderr:\n%swant:\n%s", got, tc.want)
			}
			if c.stdout.Len() > 0 {
				t.Errorf("stdout: %s", c.stdout.String())
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		outcome string
		held    string
		want    int
	}{{api.Clean, "", 0}, {api.Failed, "", 1}, {api.Held, sampleHash, 3}, {api.Parked, "", 4}} {
		fake := sample()
		runs := []api.Run{sampleRun("hq-ad", api.Run{Outcome: tc.outcome, Held: tc.held})}
		fake.SyncFunc = func(context.Context, api.SyncRequest, func(api.Progress)) (api.SyncResult, error) {
			return api.SyncResult{Runs: runs}, nil
		}
		fake.ApproveFunc = func(context.Context, string) (api.SyncResult, error) { return api.SyncResult{Runs: runs}, nil }
		fake.PlanFunc = func(context.Context, api.PlanRequest, func(api.PlannedAction)) (api.PlanResult, error) {
			return api.PlanResult{Runs: runs}, nil
		}
		c := newCommandLine(t, fake)
		for _, args := range []string{"sync", "sync --json", "approve h", "plan", "plan --json"} {
			want := tc.want
			if strings.HasPrefix(args, "plan") && want == exitParked {
				want = exitClean
			}
			if got := c.run(strings.Fields(args)...); got != want {
				t.Errorf("%s, %s: exit code %d, want %d", tc.outcome, args, got, want)
			}
		}
	}
}

func TestPlanThatFails(t *testing.T) {
	fake := reloaded()
	fake.PlanFunc = func(_ context.Context, _ api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
		visit(api.PlannedAction{Connection: "hq-ad", Op: "create", Kind: "user", Key: "hq-ad/1"})
		return api.PlanResult{}, &fault.Error{Class: fault.Internal, Op: "plan", Err: errors.New("no space left on device"), Hint: "make room"}
	}
	c := newCommandLine(t, fake)
	if code := c.run("plan", "--json"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	want := "{\"actions\":[\n" + `{"connection":"hq-ad","op":"create","kind":"user","key":"hq-ad/1"}` + "\n],\n" +
		`"runs":[],"held":false,"error":{"class":"internal","text":"plan: no space left on device","hint":"make room"}}` + "\n"
	if got := c.stdout.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if got := c.stderr.String(); got != "dirsyncd: plan: no space left on device\n  → make room\n" {
		t.Errorf("stderr: %s", got)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, args := range []string{"status", "status --json", "plan", "plan --json", "rules list"} {
		c := newCommandLine(t, sample())
		c.out = term.New(full{})
		if code := c.run(strings.Fields(args)...); code == exitClean {
			t.Errorf("%s: passed for success", args)
		}
	}
}
