package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/schedule"
)

func newRunsCommand(cli *cli) *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use:   "runs [CONNECTION]",
		Short: "list the latest runs",
		Long: `Lists the latest runs of a connection, or of all, newest first, with what they
changed. Runs of the schedule that found nothing to do are not kept.

Exit codes: 0 listed, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd runs
  dirsyncd runs hq-ad -n 5
  dirsyncd runs --json | jq '.[] | select(.outcome == "failed")'`,
		Args:              takes(0, 1, "the name of one connection"),
		ValidArgsFunction: cli.completeConnection,
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return misused(cmd, "-n must be at least 1")
		}
		return nil
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		if err := knownConnections(ctx, ops, args); err != nil {
			return err
		}
		req := api.RunsRequest{Limit: limit}
		if len(args) > 0 {
			req.Connection = args[0]
		}
		runs, err := ops.Runs(ctx, req)
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.Run{}, runs...))
		}
		cli.showHistory(runs)
		return nil
	})
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "list at most `N` runs")
	return cmd
}

func (cli *cli) showHistory(runs []api.Run) {
	if len(runs) == 0 {
		cli.out.Line("no run is kept")
		cli.out.Hint("`dirsyncd sync` runs all connections now")
		return
	}
	t := &term.Table{Columns: []term.Column{
		term.Left("STARTED"), term.Shrink("CONNECTION"), term.Left("MODE"), term.Left("OUTCOME"), term.Right("TOOK"), term.Left("CHANGES"),
	}}
	for i := range runs {
		r := &runs[i]
		t.Add(cli.clock(r.Started), runPlace(r), r.Mode, term.State(r.Outcome), took(r), history(r))
		if r.Error != "" {
			t.Remark(term.Red, r.Error)
		}
		for _, note := range r.Notes {
			t.Remark(term.Dim, note)
		}
	}
	cli.out.Table(t)
}

// history says what a run changed, and who asked for it when it was not the schedule.
func history(r *api.Run) string {
	switch r.Trigger {
	case "", schedule.CauseSchedule, schedule.CauseFull:
		return changes(r)
	default:
		text, held := strings.CutSuffix(changes(r), " (held)")
		if held {
			return text + " (held, by " + r.Trigger + ")"
		}
		return text + " (by " + r.Trigger + ")"
	}
}
