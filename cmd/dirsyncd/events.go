package main

import (
	"context"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newEventsCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "send events again",
		Long: `Sends a target again what it was told: that of a time with replay. Everything is
sent by ` + "`dirsyncd resend`" + `.`,
		Example: `  dirsyncd events replay desk --from 36h --dry-run`,
	}
	asGroup(cmd)
	cmd.AddCommand(newReplayEventsCommand(cli))
	return cmd
}

func newReplayEventsCommand(cli *cli) *cobra.Command {
	from, req := "", api.ResendRequest{}
	cmd := &cobra.Command{
		Use:   "replay TARGET --from TIME [CONNECTION[/TENANT]…]",
		Short: "tell a target again what it was told since a time",
		Long: `Sends one target the present state of every record that it was told about since
a time: for when it was set back to a backup of that time, or lost what it was
sent. They are new events with ids of their own, whose reason begins with "sent
again", in the order of ` + "`resend`" + `, which sends everything; what waits for the
target already is sent before them.

Name a time before that of the backup: what was queued then may have been sent
later. With --dry-run nothing is sent, and what would be is counted.

TIME is a date, a time of this machine, RFC 3339, or how long ago: 90m, 24h, 7d.

` + exitCodesHelp,
		Example: `  dirsyncd events replay desk --from 2026-01-31 --dry-run
  dirsyncd events replay desk --from "2026-01-31 02:00"
  dirsyncd events replay desk --from 36h customers/"Harbour Logistics"`,
		Args:              takes(1, -1, "the name of a target"),
		ValidArgsFunction: cli.completeTargetThenConnections,
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		if from == "" {
			return misused(cmd, "--from says since when; `dirsyncd resend` sends everything")
		}
		req.Since, err = cli.pastTime(from)
		return err
	}
	send := func(ctx context.Context, ops api.Operations, args []string) error {
		if err := knownConnections(ctx, ops, args[1:]); err != nil {
			return err
		}
		req.Target, req.Connections = args[0], args[1:]
		line := cli.progressLine()
		line.Show("sending to " + args[0])
		result, err := ops.Resend(ctx, req)
		line.Clear()
		if err != nil {
			return err
		}
		if req.Dry && !cli.opts.json {
			cli.showWouldSend(result.Runs)
			return nil
		}
		return cli.showResult(result)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if req.Dry {
			return cli.with(toRead, send)(cmd, args)
		}
		return cli.with(toChange, send)(cmd, args)
	}
	cmd.Flags().StringVar(&from, "from", "", "since when (`TIME`)")
	cmd.Flags().BoolVar(&req.Dry, "dry-run", false, "send nothing, and count what would be sent")
	return cmd
}

func (cli *cli) showWouldSend(runs []api.Run) {
	all := 0
	t := &term.Table{Columns: []term.Column{term.Shrink("CONNECTION"), term.Right("RECORDS"), term.Left("WOULD BE SENT")}}
	for i := range runs {
		n := total(runs[i].Counts)
		all += n
		what := counts(runs[i].Counts, wouldHappen)
		if what == "" {
			what = "nothing"
		}
		t.Add(runPlace(&runs[i]), term.Number(n), what)
	}
	cli.out.Table(t)
	cli.out.Line("%s would be sent again", term.Many(all, "record"))
}
