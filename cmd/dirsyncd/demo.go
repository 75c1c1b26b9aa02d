package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/cmd/dirsyncd/tour"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
)

func newDemoCommand(cli *cli) *cobra.Command {
	var dir string
	var serve bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "show what dirsyncd does, with a small made-up company",
		Long: `Starts an LDAP server with a small company in this process, syncs it into a
file, then changes people and breaks the server, and shows after each step what
dirsyncd did and which events it wrote. At the end a made-up Entra ID, Microsoft
partner, Google Workspace and Okta join it, a spreadsheet of customers and
sites, and a service that has accounts for half of the company. Nothing is
needed, and nothing changes outside the folder that it names at the end; every
other command can be tried on what it leaves there. With --json, what came of
each step.

Exit codes: 0 all went as told, 1 it did not.`,
		Example: `  dirsyncd demo              watch; it ends by itself
  dirsyncd demo --serve      keep the servers at the end, for your own tries`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			out, report := cli.out, (func(tour.Report) error)(nil)
			if cli.opts.json {
				out, report = term.New(io.Discard), func(r tour.Report) error { return cli.out.JSON(r) }
			}
			return tour.Run(ctx, tour.Options{
				Out: out, Report: report, Dir: dir, Serve: serve, Self: invocation(os.Args[0], executable()), Load: func(file string) (*config.Config, error) { return config.Load(file, cli.parts()) },
				Open: func(ctx context.Context, cfg *config.Config) (api.Operations, func(), error) {
					return cli.openLocal(ctx, cfg, slog.New(slog.DiscardHandler))
				},
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "new or empty `folder` for all files (default: a temporary one)")
	cmd.Flags().BoolVar(&serve, "serve", false, "keep the servers running at the end, until interrupted")
	return cmd
}
