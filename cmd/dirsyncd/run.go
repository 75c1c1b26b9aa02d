package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"dirsyncd/sync/service"
	"dirsyncd/sync/settings"
)

func newRunCommand(cli *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "run the daemon",
		Long: `Runs in the foreground, syncs every connection on its schedule and delivers what
changes, until it is told to stop. systemd starts it as a service.

Signals:
  HUP        reload the configuration; an invalid one is refused
  USR1       sync everything now, incrementally
  USR2       sync everything now, in full
  TERM, INT  stop cleanly at the next page; a second one cuts

Logs go to stderr, as text on a terminal and as JSON elsewhere.

Exit codes: 0 stopped as told, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd run --config /etc/dirsyncd/config.yaml
  systemctl reload dirsyncd
  journalctl -fu dirsyncd`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.becomeOwner(); err != nil {
				return err
			}
			cfg, err := cli.loadConfig()
			if err != nil {
				return err
			}
			launch := service.Launch{
				Options: service.Options{Parts: parts(), Version: version}, Config: cfg, Written: service.FixedOf(cfg),
			}
			if cli.opts.control != "" {
				cfg.Control = settings.Path(cli.opts.control)
			}
			if cli.opts.verbose {
				cfg.Log.Level = "debug"
			}
			log, level := newLogger(cfg.Log, cli.err)
			launch.Log = log
			if !cli.opts.verbose {
				launch.Level = level
			}
			return cli.daemon(cmd.Context(), launch)
		},
	}
}

// runDaemon runs a daemon on the state of its configuration until a signal ends it or ctx does.
func runDaemon(ctx context.Context, l service.Launch) (err error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	l.Signals, l.Cut = signals, func() { os.Exit(exitFailed) }
	if l.Store, err = openState(l.Config, l.Log); err != nil {
		return err
	}
	return service.Run(ctx, l)
}
