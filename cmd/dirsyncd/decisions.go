package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newDecisionsCommand(cli *cli) *cobra.Command {
	req, since := api.DecisionsRequest{Limit: 20}, time.Duration(0)
	cmd := &cobra.Command{
		Use:   "decisions",
		Short: "who had what done, and when",
		Long: `Lists what people had done, the newest first, by commands and at the console:
approvals, matches, repairs, runs that were asked for and the like, and what was
refused. Decisions are kept for 400 days.

Exit codes: 0 listed, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd decisions
  dirsyncd decisions --since 24h
  dirsyncd decisions --json | jq '.[] | select(.what == "approve")'`,
		Args: takes(0, 0, ""),
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if req.Limit < 1 || since < 0 {
			return misused(cmd, "-n must be at least 1, and --since a time such as 1h")
		}
		return nil
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
		if since > 0 {
			req.Since = cli.now().Add(-since)
		}
		list, err := ops.Decisions(ctx, req)
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.Decision{}, list...))
		}
		if len(list) == 0 {
			cli.out.Line("nobody has decided anything")
			return nil
		}
		t := &term.Table{Columns: []term.Column{term.Left("WHEN"), term.Left("WHO"), term.Left("WHAT"), term.Shrink("OF"), term.Shrink("OUTCOME")}}
		for i := range list {
			d := &list[i]
			outcome := "done"
			if d.Error != "" {
				outcome = "refused: " + d.Error
			}
			t.Add(cli.ago(d.At), orDash(d.By), strings.TrimSpace(d.What+" "+d.Detail), orDash(d.Of), outcome)
		}
		cli.out.Table(t)
		return nil
	})
	cmd.Flags().DurationVar(&since, "since", 0, "only those of so long a time, such as 24h")
	cmd.Flags().IntVarP(&req.Limit, "limit", "n", req.Limit, "how many")
	return cmd
}
