package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what is known of how the program was built.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"`     // of the commit
	Modified bool   `json:"modified,omitempty"` // the source differed from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// buildOf reads what the linker and the go command left in the program.
func buildOf(linked string) build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return described(linked, info)
}

// described says what is known of a build. The commit is absent where the program was built outside a checkout, or
// without asking it, as reproducible releases may be.
func described(linked string, info *debug.BuildInfo) build {
	b := build{Version: linked, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	if installed := info.Main.Version; b.Version == unreleased && installed != "" && installed != "(devel)" {
		b.Version = installed // by go install
	}
	return b
}

func newVersionCommand(cli *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "say which version this is",
		Long: `Says which version this is and what built it; and of which commit, where the
build knows that: one that was made outside a checkout does not.

Exit codes: 0, or 2 for wrong usage.`,
		Example: `  dirsyncd version
  dirsyncd version --json | jq -r .version`,
		Args: takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			b := buildOf(version)
			if cli.opts.json {
				return cli.out.JSON(b)
			}
			cli.out.Line("dirsyncd %s", b.Version)
			if b.Commit != "" {
				text := "commit " + b.Commit
				if b.Time != "" {
					text += " of " + b.Time
				}
				if b.Modified {
					text += ", modified"
				}
				cli.out.Line("%s", text)
			}
			cli.out.Line("built with %s for %s", b.Go, b.Platform)
			return nil
		},
	}
}
