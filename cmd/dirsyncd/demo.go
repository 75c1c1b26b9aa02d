package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/cmd/dirsyncd/tour"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/service"
	"dirsyncd/sync/signin"
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
sites, and a service that has accounts for half of the company; and people sign
in. Nothing is needed, and nothing changes outside the folder that it names at
the end; every other command can be tried on what it leaves there. With --json,
what came of each step.

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
				Signin: openDemoSignin,
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "new or empty `folder` for all files (default: a temporary one)")
	cmd.Flags().BoolVar(&serve, "serve", false, "keep the servers running at the end, until interrupted")
	return cmd
}

// openDemoSignin opens a state for work, and the front at which people sign in; providers are asked by a client of the demonstration.
func openDemoSignin(ctx context.Context, cfg *config.Config, client *http.Client, now func() time.Time) (api.Operations, http.Handler, func(), error) {
	log, p := slog.New(slog.DiscardHandler), parts()
	for name, f := range p.Identities {
		usual := f.New
		f.New = func(block any, env signin.Env) (signin.Provider, error) {
			env.Client = client
			return usual(block, env)
		}
		p.Identities[name] = f
	}
	st, err := openState(ctx, cfg, log)
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := service.New(cfg, service.Options{Parts: p, Store: st, Log: log, Now: now, Version: version})
	if err != nil {
		return nil, nil, nil, err
	}
	front, done, err := s.OpenSignin(ctx)
	if err != nil {
		_ = s.Close()
		return nil, nil, nil, err
	}
	return s, front, func() {
		done()
		_ = s.Close()
	}, nil
}
