package main

import (
	"context"

	"github.com/spf13/cobra"

	"dirsyncd/sync/api"
)

func newApproveCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "approve HASH",
		Short: "let a held plan go ahead",
		Long: `Lets the held plan with this hash go ahead and delivers it. The hash stands for
exactly the actions that were shown: if the source or the rules have changed
meanwhile, nothing is done and the command fails.

` + exitCodesHelp,
		Example: `  dirsyncd status
  dirsyncd plan --offline hq-ad
  dirsyncd approve 3f2a9c01d4`,
		Args:              takes(1, 1, "the hash of a held plan"),
		ValidArgsFunction: cli.completeHashes,
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		line := cli.progressLine()
		line.Show("applying the plan")
		result, err := ops.Approve(ctx, args[0])
		line.Clear()
		if err != nil {
			return err
		}
		return cli.showResult(result)
	})
	return cmd
}

func newDiscardCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discard HASH",
		Short: "throw a held plan away",
		Long: `Throws the held plan with this hash away. The next run reads its source in full;
if the source then still says the same, the same plan is held again.

Exit codes: 0 discarded, 1 failed, 2 wrong usage or no such plan.`,
		Example:           `  dirsyncd discard 3f2a9c01d4`,
		Args:              takes(1, 1, "the hash of a held plan"),
		ValidArgsFunction: cli.completeHashes,
	}
	cmd.RunE = cli.with(toMark, func(ctx context.Context, ops api.Operations, args []string) error {
		if err := ops.Discard(ctx, args[0]); err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(struct {
				Discarded string `json:"discarded"`
			}{args[0]})
		}
		cli.out.Line("discarded %s; the next run reads the source in full", args[0])
		return nil
	})
	return cmd
}
