package main

import (
	"context"

	"github.com/spf13/cobra"

	"dirsyncd/sync/api"
)

func newResendCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resend TARGET [CONNECTION[/TENANT]…]",
		Short: "send one target everything again",
		Long: `Sends one target the present state of every record again, for when it lost what
it had, or missed something for good: a create for every active record, a
deactivate or delete for every one that was taken away. They are new events with
ids of their own, whose reason begins with "sent again"; what waits for the
target already is sent before them.

No source is asked, no other target hears of it, and a plan that waits for
approval goes on waiting: who is held is sent as the targets know them. A target
that is new needs none of this: it gets every record with the next run.

` + exitCodesHelp,
		Example: `  dirsyncd resend desk
  dirsyncd resend desk customers/"Harbour Logistics"
  dirsyncd status             how much of it is still to be sent`,
		Args:              takes(1, -1, "the name of a target"),
		ValidArgsFunction: cli.completeTargetThenConnections,
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		if err := knownConnections(ctx, ops, args[1:]); err != nil {
			return err
		}
		line := cli.progressLine()
		line.Show("sending everything to " + args[0])
		result, err := ops.Resend(ctx, api.ResendRequest{Target: args[0], Connections: args[1:]})
		line.Clear()
		if err != nil {
			return err
		}
		return cli.showResult(result)
	})
	return cmd
}
