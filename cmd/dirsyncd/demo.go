package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

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
partner, Google Workspace and Okta join it. Nothing is needed, and nothing
changes outside the folder that it names at the end; every other command can be
tried on what it leaves there.

Exit codes: 0 all went as told, 1 it did not.`,
		Example: `  dirsyncd demo              watch; it ends by itself
  dirsyncd demo --serve      keep the servers at the end, for your own tries`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return tour.Run(ctx, tour.Options{
				Out: cli.out, Dir: dir, Serve: serve, Self: invocation(os.Args[0], executable()), Load: func(file string) (*config.Config, error) { return config.Load(file, cli.parts()) },
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
