package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newUndoCommand(cli *cli) *cobra.Command {
	req, approve := api.UndoRequest{Limit: api.HeldPage}, ""
	cmd := &cobra.Command{
		Use:   "undo RUN",
		Short: "bring back what a run changed",
		Long: `Shows what an undo of a run would bring back, person by person, and what it
cannot: what has changed again since, field by field; what is not kept any more;
tickets. Nothing is done. With --approve and the hash that was shown it is done,
if it is still that: a run of its own, that an undo can undo.

Who was created is taken out of use as leavers are; who was deactivated comes
back with the fields that they had. What was undone is not done again by the
next run, although the rules say so: it is held until it is approved, or the
rules or the source say something else. Nobody else waits for that.

RUN is the id of a run, or its last four digits. How far back that goes says
` + "`history`" + ` in the configuration.

` + exitCodesHelp,
		Example: `  dirsyncd undo ab12
  dirsyncd undo ab12 --who smith
  dirsyncd undo ab12 --approve 3f2a9c01d4
  dirsyncd undo ab12 --record hq-ad/5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10`,
		Args: takes(1, 1, "the id of a run"),
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if req.Limit < 1 || req.From < 0 {
			return misused(cmd, "-n must be at least 1, and --from not less than 0")
		}
		if err := knownWords(req.Kind, ""); err != nil {
			return err
		}
		if approve != "" && (req.Who != "" || req.Kind != "") {
			return misused(cmd, "--kind and --who choose what is shown; --record chooses whom it is done for")
		}
		return nil
	}
	show := func(ctx context.Context, ops api.Operations, _ []string) error {
		answer, err := ops.PlanUndo(ctx, req)
		if err != nil {
			return err
		}
		if cli.opts.json {
			answer.Actions = append([]api.UndoAction{}, answer.Actions...)
			return cli.out.JSON(answer)
		}
		cli.showUndo(&req, &answer)
		return nil
	}
	do := func(ctx context.Context, ops api.Operations, _ []string) error {
		line := cli.progressLine()
		line.Show("bringing back")
		result, err := ops.Undo(ctx, api.UndoApproval{Run: req.Run, Record: req.Record, Approve: approve})
		line.Clear()
		if err != nil {
			return err
		}
		return cli.showResult(result)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		req.Run = args[0]
		if approve != "" {
			return cli.with(toChange, do)(cmd, args)
		}
		return cli.with(toRead, show)(cmd, args)
	}
	cmd.Flags().StringVar(&approve, "approve", "", "do it, if it is what has this `hash`")
	cmd.Flags().StringVar(&req.Record, "record", "", "only the records with this `key`")
	cmd.Flags().StringVar(&req.Kind, "kind", "", "show only records of this kind, such as user")
	cmd.Flags().StringVar(&req.Who, "who", "", "show only those with this in their name or key")
	cmd.Flags().IntVar(&req.From, "from", 0, "leave out so many")
	cmd.Flags().IntVarP(&req.Limit, "limit", "n", req.Limit, "show so many")
	return cmd
}

func (cli *cli) showUndo(req *api.UndoRequest, plan *api.UndoPlan) {
	out, r := cli.out, &plan.Run
	out.Line("%s, run %s", out.Paint(term.Bold, runPlace(r)), r.ID)
	if !r.Started.IsZero() {
		out.Para("  ", cli.said(r.Started)+": "+history(r))
	}
	if plan.Forgotten > 0 {
		out.ParaStyled(term.Yellow, "  ", fmt.Sprintf("what its first %s changed is not kept any more, and stays", term.Many(plan.Forgotten, "action")))
	}
	t := cli.newActionTable()
	for i := range plan.Actions {
		cli.addUndo(t, &plan.Actions[i])
	}
	if len(plan.Actions) > 0 {
		out.Table(t)
		cli.pageEnd(req.From, len(plan.Actions), plan.More)
	}
	if plan.Cannot > 0 {
		out.ParaStyled(term.Yellow, "  ", fmt.Sprintf("%s would stay as they are, in whole or in part", term.Many(plan.Cannot, "record")))
	}
	switch {
	case plan.Hash != "":
	case req.Record != "" && len(plan.Actions) == 0 && req.Kind+req.Who == "" && req.From == 0:
		out.Line("  it changed no record with the key %s", term.Clean(req.Record))
		out.Hint("`dirsyncd runs show " + r.ID + "` lists what it changed")
		return
	default:
		out.Line("  there is nothing to bring back")
		return
	}
	out.Line("")
	all := "actions"
	if req.Kind+req.Who != "" {
		all = "with all who are not shown"
	}
	out.Para("  ", all+": "+counts(plan.Counts, wouldHappen))
	for _, reason := range plan.Reasons {
		out.ParaStyled(term.Yellow, "  beyond a limit: it would ", reason)
	}
	record := ""
	if req.Record != "" {
		record = " --record " + req.Record
	}
	out.Line("  → dirsyncd undo %s%s --approve %s", r.ID, record, plan.Hash)
}

// addUndo adds what an undo comes to for one record: what it brings back, and below it what it cannot.
func (cli *cli) addUndo(t *term.Table, a *api.UndoAction) {
	if a.Op == "" {
		who := a.Name
		if who == "" {
			who = a.Key
		}
		t.Add(term.Dim.Cell("stays"), a.Kind, who, "")
	} else {
		cli.addAction(t, &a.PlannedAction)
	}
	for _, k := range a.Kept {
		text := k.Why
		if k.Field != "" {
			text = k.Field + " stays: " + text
		}
		t.Remark(term.Yellow, text)
	}
	for _, at := range a.Targets {
		parts := []string{"at " + at.Target + ":", at.State}
		if at.Cause != "" {
			parts = append(parts, "waits ("+at.Cause+")", at.Waits)
		}
		t.Remark(term.Yellow, strings.Join(parts, " "))
	}
}
