package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func checkWidth(t *testing.T, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if n := term.Length(line); n > term.DefaultWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestHelp(t *testing.T) {
	var visit func(cmd *cobra.Command, path []string)
	visit = func(cmd *cobra.Command, path []string) {
		t.Run(strings.Join(append([]string{"dirsyncd"}, path...), " "), func(t *testing.T) {
			c := newCommandLine(t, nil)
			if code := c.run(append(path, "--help")...); code != exitClean {
				t.Errorf("exit code %d", code)
			}
			checkWidth(t, c.stdout.String())
			if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
				t.Error("Short, Long or Example is missing")
			}
			if !cmd.HasAvailableSubCommands() && !strings.Contains(cmd.Long, "Exit codes:") {
				t.Error("the help does not say the exit codes")
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub, append(slices.Clone(path), sub.Name()))
		}
	}
	visit(newRoot(newCommandLine(t, nil).cli), nil)
}

func TestProgressLine(t *testing.T) {
	c := newCommandLine(t, nil)
	now := testNow
	c.now = func() time.Time { return now }
	c.err.Width, c.err.Terminal = 30, true
	line := c.progressLine()
	line.step(api.Progress{Connection: "hq-ad", Stage: "read", Stream: "users", Done: 1500, Total: 12300})
	line.step(api.Progress{Connection: "hq-ad", Stage: "read", Stream: "users", Done: 1600}) // too soon
	now = now.Add(time.Second)
	line.step(api.Progress{Connection: "hq-ad", Stage: "settle", Done: 1})
	line.Clear()
	line.Clear()
	want := "\r\x1b[Khq-ad: reading users, 1,500…\r\x1b[Khq-ad: applying rules, 1\r\x1b[K"
	if got := c.stderr.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressIsSilentInPipes(t *testing.T) {
	c := newCommandLine(t, reloaded())
	if c.run("sync"); c.stderr.Len() > 0 {
		t.Errorf("stderr: %q", c.stderr.String())
	}
}
