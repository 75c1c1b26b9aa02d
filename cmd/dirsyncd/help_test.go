package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
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
