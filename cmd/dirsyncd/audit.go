package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newAuditCommand(cli *cli) *cobra.Command {
	var kinds []string
	var repair bool
	cmd := &cobra.Command{
		Use:   "audit TARGET",
		Short: "compare what a target has with what was left there",
		Long: `Compares every thing at a target that has things of its own with what was left
there: changed by somebody, gone, out of use, moved, there twice. Nothing is
changed, unless --repair is given: then what the target's configuration names
(audit.repair, audit.fields) is put right, up to the target's guard. What
somebody undoes again and again is left alone, and said.

Exit codes: 0 all is as it was left, or is put right, 1 failed, 2 wrong usage or
configuration, 3 something differs.`,
		Example: "  dirsyncd audit apps\n  dirsyncd audit apps --kind user --json\n  dirsyncd audit apps --repair",
		Args:    takes(1, 1, "the name of a target"),
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		r, err := ops.Audit(ctx, api.AuditRequest{Target: args[0], Kinds: kinds, Repair: repair})
		if err != nil {
			return err
		}
		if cli.opts.json {
			if err := cli.out.JSON(r); err != nil {
				return err
			}
		} else {
			cli.showAudit(&r)
		}
		if len(r.Differences)+r.More > r.Repaired {
			return exitStatus(exitHeld)
		}
		return nil
	})
	cmd.Flags().BoolVar(&repair, "repair", false, "put right what the target's configuration names")
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "only these `kinds` of record")
	return cmd
}

func (cli *cli) showAudit(r *api.AuditResult) {
	cli.showCounts(r.Counts)
	for _, kind := range slices.Sorted(maps.Keys(r.Doubts)) {
		cli.out.ParaStyled(term.Yellow, "", fmt.Sprintf("%ss: %s; nothing is said of what was not listed", kind, r.Doubts[kind]))
	}
	if len(r.Differences) == 0 {
		cli.out.Line("all is as it was left")
		return
	}
	cli.out.Line("")
	t := &term.Table{Columns: []term.Column{term.Left("FOUND"), term.Left("THING"), term.Shrink("RECORD"), term.Shrink("FIELDS")}}
	for _, d := range r.Differences {
		found := term.Yellow.Cell(d.Finding)
		if d.Repaired {
			found = term.Green.Cell(d.Finding + ", put right")
		}
		t.Add(found, d.Kind+" "+d.ID, d.Subject, strings.Join(d.Fields, ", "))
	}
	cli.out.Table(t)
	if r.More > 0 {
		cli.out.Line("… and %s more", term.Number(r.More))
	}
	for _, reason := range r.Held {
		cli.out.Para("", reason)
	}
	if len(r.Held) > 0 {
		cli.out.Hint("nothing was put right; `dirsyncd adopt " + r.Target + "` shows the hash, and the next audit after `dirsyncd approve HASH` goes on")
	}
}
