package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"dirsyncd/sync/service"
	"dirsyncd/sync/settings"
)

func newRunCommand(cli *cli) *cobra.Command {
	var worker, listen string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "run the daemon",
		Long: `Runs in the foreground, syncs every connection on its schedule and delivers what
changes, until it is told to stop. systemd starts it as a service.

Signals:
  HUP        reload the configuration; an invalid one is refused
  USR1       sync everything now, incrementally
  USR2       sync everything now, in full
  TERM, INT  stop cleanly at the next page; a second one cuts

Logs go to stderr: as text on a terminal and in the journal of systemd, there
with priorities (journalctl -p warning), and as JSON elsewhere.

Exit codes: 0 stopped as told, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd run --config /etc/dirsyncd/config.yaml
  dirsyncd run --worker north --control /run/dirsyncd-north/control.sock
  systemctl reload dirsyncd
  journalctl -fu dirsyncd`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// From here on none of them ends the process, as HUP would while the configuration is read.
			signals, forget := triggers()
			defer forget()
			if err := cli.becomeOwner(); err != nil {
				return err
			}
			cfg, err := cli.loadConfig()
			if err != nil {
				return err
			}
			launch := service.Launch{
				Options: service.Options{Parts: parts(), Version: version}, Config: cfg, Written: service.FixedOf(cfg),
				Signals: signals,
			}
			if cli.opts.control != "" {
				cfg.Control = settings.Path(cli.opts.control)
			}
			if cmd.Flags().Changed("listen") {
				cfg.Listen = listen
			}
			if worker != "" {
				if cfg.Database == nil {
					return misused(cmd, noWorkers)
				}
				cfg.Database.Worker = worker
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
	cmd.Flags().StringVar(&worker, "worker", "", "what this daemon is called among those that share the state, in place of the file's word (`NAME`)")
	cmd.Flags().StringVar(&listen, "listen", "", "where /metrics is served, in place of the file's `ADDRESS`; \"\" for nowhere")
	return cmd
}

// runDaemon runs a daemon on the state of its configuration until a signal ends it or ctx does.
func runDaemon(ctx context.Context, l service.Launch) (err error) {
	stop := make(chan os.Signal, 2) // the second one cuts
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(stop)
	l.Stop, l.Cut = stop, func() { os.Exit(exitFailed) }
	st, err := openState(ctx, l.Config, l.Log)
	if err != nil {
		return err
	}
	leave, err := joinWorkers(ctx, &l, st)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	defer leave()
	return service.Run(ctx, l)
}

// triggers returns the signals that ask for something. Each of them is remembered once while it is not taken, so that
// none drives out another.
func triggers() (_ <-chan os.Signal, forget func()) {
	out, done := make(chan os.Signal), make(chan struct{})
	var each []chan os.Signal
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2} {
		in := make(chan os.Signal, 1)
		signal.Notify(in, sig)
		each = append(each, in)
		go func() {
			for {
				select {
				case s := <-in:
					select {
					case out <- s:
					case <-done:
						return
					}
				case <-done:
					return
				}
			}
		}()
	}
	return out, func() {
		for _, in := range each {
			signal.Stop(in)
		}
		close(done)
	}
}
