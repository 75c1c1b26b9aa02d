package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newDecisionsCommand(cli *cli) *cobra.Command {
	var shown latest
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
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
		list, err := ops.Decisions(ctx, api.DecisionsRequest{Since: shown.from(cli.now()), Limit: shown.most})
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.Decision{}, list...))
		}
		if len(list) == 0 {
			cli.out.Line("nobody has decided anything%s", shown.words())
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
	shown.addTo(cmd, "24h")
	return cmd
}
