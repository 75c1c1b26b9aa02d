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
	Modified bool   `json:"modified,omitempty"` // the source differed from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// buildOf reads what the linker and the go command left in the program.
func buildOf(linked string) build {
	b := build{Version: linked, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	if installed := info.Main.Version; b.Version == unreleased && installed != "" && installed != "(devel)" {
		b.Version = installed // by go install
	}
	return b
}

func newVersionCommand(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "say which version this is",
		Long: `Says which version this is, of which commit, and what built it.

Exit codes: 0, or 2 for wrong usage.`,
		Example: `  dirsyncd version
  dirsyncd version --json | jq -r .version`,
		Args: takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			b := buildOf(version)
			if sh.opts.json {
				return sh.out.json(b)
			}
			sh.out.line("dirsyncd %s", b.Version)
			if b.Commit != "" {
				modified := ""
				if b.Modified {
					modified = ", modified"
				}
				sh.out.line("commit %s%s", b.Commit, modified)
			}
			sh.out.line("built with %s for %s", b.Go, b.Platform)
			return nil
		},
	}
}
