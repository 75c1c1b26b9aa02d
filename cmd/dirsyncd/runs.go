package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/schedule"
)

func newRunsCommand(cli *cli) *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use:   "runs [CONNECTION[/TENANT] | RUN]",
		Short: "list the latest runs, or whom one of them changed",
		Long: `Lists the latest runs of a connection, or of all, newest first, with what they
changed. Runs of the schedule that found nothing to do are not kept.

With the id of a run, as RUN or in the log, it names those whom that run
changed, and what about them: the first 2,000, of which ` + "`runs show`" + ` has all;
and about how many of those at whom it looked each rule decided.

Exit codes: 0 listed, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd runs
  dirsyncd runs hq-ad -n 5
  dirsyncd runs customers/"Harbour Logistics"
  dirsyncd runs ab12
  dirsyncd runs ab12 --json | jq -r '.[].actions[] | [.op, .name] | @tsv'
  dirsyncd runs --json | jq '.[] | select(.outcome == "failed")'`,
		Args:              takes(0, 1, "the name of one connection, or the id of a run"),
		ValidArgsFunction: cli.completeConnection,
		Annotations:       map[string]string{"group": "it is a command, too"},
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return misused(cmd, "-n must be at least 1")
		}
		return nil
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		req := api.RunsRequest{Limit: limit}
		if len(args) > 0 {
			req.Connection = args[0]
			err := knownConnections(ctx, ops, args)
			switch {
			case err != nil && !runID.MatchString(args[0]):
				return err
			case err != nil:
				req = api.RunsRequest{ID: args[0]}
			}
		}
		runs, err := ops.Runs(ctx, req)
		if err != nil {
			return err
		}
		if req.ID != "" && len(runs) == 0 {
			return &usageError{fmt.Sprintf("no run %q is kept", req.ID), "`dirsyncd runs` lists those that are"}
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.Run{}, runs...))
		}
		if req.ID != "" {
			for i := range runs {
				cli.showOneRun(&runs[i])
			}
			return nil
		}
		cli.showHistory(runs)
		return nil
	})
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "list at most `N` runs")
	cmd.AddCommand(newRunsShowCommand(cli))
	return cmd
}

func (cli *cli) showHistory(runs []api.Run) {
	if len(runs) == 0 {
		cli.out.Line("no run is kept")
		cli.out.Hint("`dirsyncd sync` runs all connections now")
		return
	}
	t := &term.Table{Columns: []term.Column{
		term.Left("RUN"), term.Left("STARTED"), term.Shrink("CONNECTION"), term.Left("MODE"), term.Left("OUTCOME"), term.Right("TOOK"), term.Left("CHANGES"),
	}}
	for i := range runs {
		r := &runs[i]
		t.Add(shortID(r.ID), cli.clock(r.Started), runPlace(r), strings.Replace(modeWord(r.Mode), incremental, "incr.", 1), term.State(r.Outcome), took(r), history(r))
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
	by := r.Trigger
	if r.By != "" {
		by = r.By
	}
	if r.Undid != "" {
		by += ", undoing " + r.Undid
	}
	if r.Approved != "" && r.Outcome != api.Failed {
		by += ", who approved " + r.Approved
	}
	switch r.Trigger {
	case "", schedule.CauseSchedule, schedule.CauseFull:
		return changes(r)
	default:
		text, held := strings.CutSuffix(changes(r), " (held)")
		if held {
			return text + " (held, by " + by + ")"
		}
		return text + " (by " + by + ")"
	}
}

// runID is what the id of a run looks like, whole or its end.
var runID = regexp.MustCompile(`^([0-9]{8}T[0-9]{6}-)?[0-9a-f]{4}$`)

// shortID is the end of a run's id, by which `runs` finds it.
func shortID(id string) string { return id[strings.LastIndexByte(id, '-')+1:] }

const incremental = "incremental"

// modeWord is how a run read, in a word that needs no explanation.
func modeWord(mode string) string {
	if mode == "delta" {
		return incremental
	}
	return mode
}

// showOneRun says all that is kept of a run.
func (cli *cli) showOneRun(r *api.Run) {
	t := &term.Table{Columns: []term.Column{term.Left("RUN"), term.Shrink("CONNECTION"), term.Left("MODE"), term.Left("OUTCOME"), term.Left("STARTED"), term.Right("TOOK")}}
	t.Add(r.ID, runPlace(r), modeWord(r.Mode), term.State(r.Outcome), cli.clock(r.Started), took(r))
	cli.out.Table(t)
	cli.out.Para("", history(r))
	for _, note := range r.Notes {
		cli.out.Para("  ", note)
	}
	if r.Error != "" {
		cli.out.ParaStyled(term.Red, "  ", r.Error)
	}
	for _, kind := range words(directory.Kinds()) {
		if decided := decisions(r.Rules[kind]); decided != "" {
			cli.out.Para("  rules for "+term.Plural(kind)+": ", decided)
		}
	}
	if len(r.Actions) > 0 {
		cli.out.Line("")
		cli.showActions(r, allKept(r))
	}
}

// decisions says which rule decided about how many, the most first.
func decisions(counts map[string]int) string {
	rules := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, rule := range rules {
		word := "none"
		if rule != "" {
			word = `"` + rule + `"`
		}
		rules[i] = word + " " + term.Number(counts[rule])
	}
	return strings.Join(rules, ", ")
}
