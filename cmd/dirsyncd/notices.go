package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"dirsyncd/sync/config"
	"dirsyncd/sync/service"
	"dirsyncd/sync/spelling"
)

func newNoticesCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notices",
		Short: "look after notices: whether they reach somebody",
		Long: `The daemon tells recipients what they have to know: what is held, what fails,
what has not been proven for too long, what runs out (notices: in the
configuration).`,
		Example: "  dirsyncd notices test",
	}
	asGroup(cmd)
	cmd.AddCommand(newNoticesTestCommand(cli))
	return cmd
}

func newNoticesTestCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [RECIPIENT]",
		Short: "send a message to recipients of notices",
		Long: `Sends a message to a recipient, or to all, and says whether it was taken. A mail
server that has taken a message may still lose it: look whether it arrives. It
needs no daemon, and counts for nothing.

Exit codes: 0 taken, 1 not, 2 wrong usage or configuration.`,
		Example: `  dirsyncd notices test
  dirsyncd notices test ops --json`,
		Args: takes(0, 1, "the name of one recipient"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := cli.recipients(args)
		if err != nil {
			return err
		}
		ctx, stop := interruptible(cmd.Context())
		defer stop()
		results := service.TestNotices(ctx, list, cli.now())
		if cli.opts.json {
			err = cli.out.JSON(results)
		} else {
			cli.showProbe(results)
		}
		if err == nil && !probeOK(results) {
			return exitStatus(exitFailed)
		}
		return err
	}
	return cmd
}

// recipients are those of the configuration, or the one that is named.
func (cli *cli) recipients(names []string) ([]config.Recipient, error) {
	if err := cli.becomeOwner(); err != nil {
		return nil, err
	}
	cfg, err := cli.loadConfig()
	if err != nil {
		return nil, err
	}
	if cfg.Notices == nil || len(cfg.Notices.To) == 0 {
		return nil, &usageError{"nobody is told anything", "write `notices:` into " + cfg.File}
	}
	if len(names) == 0 {
		return cfg.Notices.To, nil
	}
	var known []string
	for _, r := range cfg.Notices.To {
		if r.Name == names[0] {
			return []config.Recipient{r}, nil
		}
		known = append(known, r.Name)
	}
	return nil, &usageError{fmt.Sprintf("there is no recipient %q", names[0]), spelling.Suggest(names[0], known)}
}
