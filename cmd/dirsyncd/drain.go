package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dirsyncd/sync/api"
)

func newDrainCommand(cli *cli) *cobra.Command {
	var end bool
	cmd := &cobra.Command{
		Use:   "drain [WORKER]",
		Short: "have a worker finish what it runs and take no more",
		Long: `Of several daemons on one state in PostgreSQL (docs/workers.md): the worker of
this name, or the daemon that is asked, finishes the runs that it has begun and
takes no more; the others do, and deliver to its targets, too. Where there is no
other it goes on delivering. It does what commands ask of it until it is
stopped. Status shows what it still works on. A restart ends it, and so does
--end.

Exit codes: 0 told, 1 failed, 2 wrong usage or no such worker.`,
		Example: "  dirsyncd drain\n  dirsyncd drain south\n  dirsyncd drain south --end",
		Args:    takes(0, 1, "the name of a worker"),
	}
	cmd.RunE = cli.with(toMark, func(ctx context.Context, ops api.Operations, args []string) error {
		req := api.DrainRequest{End: end}
		if len(args) > 0 {
			req.Worker = args[0]
		}
		n, err := ops.Drain(ctx, req)
		switch {
		case err != nil:
			return err
		case cli.opts.json:
			return cli.out.JSON(struct {
				Workers int `json:"workers"`
			}{n})
		}
		what := "takes no more; `dirsyncd status` shows what it still works on"
		if end {
			what = "takes work again"
		}
		who := "the worker"
		if n > 1 {
			who = fmt.Sprintf("each of the %d workers of this name", n)
		}
		cli.out.Line("%s %s", who, what)
		return nil
	})
	cmd.Flags().BoolVar(&end, "end", false, "take work again")
	return cmd
}
