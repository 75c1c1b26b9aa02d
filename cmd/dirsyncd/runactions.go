package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newRunsShowCommand(cli *cli) *cobra.Command {
	req := api.RunActionsRequest{Limit: api.HeldPage}
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "every action of a run, a page at a time",
		Long: `Shows whom a run changed: every action with its rule and reason, each field
before and after, and the members that lists got and lost. RUN is the id of a
run, or its last four digits. With --json all of them are written, as they are
read; -n ends that earlier.

How long that is kept says ` + "`history`" + ` in the configuration.

Exit codes: 0 shown, 1 failed, 2 wrong usage or no such run.`,
		Example: `  dirsyncd runs show ab12
  dirsyncd runs show ab12 --op deactivate --who smith
  dirsyncd runs show ab12 --json | jq -r '.actions[] | [.op, .name] | @tsv'`,
		Args: takes(1, 1, "the id of a run"),
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if req.Limit < 1 || req.From < 0 {
			return misused(cmd, "-n must be at least 1, and --from not less than 0")
		}
		if err := knownWords(req.Kind, req.Op); err != nil {
			return err
		}
		if cli.opts.json && !cmd.Flags().Changed("limit") {
			req.Limit = 0
		}
		return nil
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		req.Run = args[0]
		if cli.opts.json {
			return cli.runActionsJSON(ctx, ops, req)
		}
		answer, err := ops.RunActions(ctx, req)
		if err != nil {
			return err
		}
		cli.showRunActions(&req, &answer)
		return nil
	})
	cmd.Flags().StringVar(&req.Kind, "kind", "", "only records of this kind, such as user")
	cmd.Flags().StringVar(&req.Op, "op", "", "only this operation, such as deactivate")
	cmd.Flags().StringVar(&req.Who, "who", "", "only those with this in their name or key")
	cmd.Flags().IntVar(&req.From, "from", 0, "leave out so many")
	cmd.Flags().IntVarP(&req.Limit, "limit", "n", req.Limit, "how many")
	return cmd
}

func (cli *cli) showRunActions(req *api.RunActionsRequest, answer *api.RunActions) {
	r := &answer.Run
	cli.out.Line("%s, run %s", cli.out.Paint(term.Bold, runPlace(r)), r.ID)
	if !r.Started.IsZero() {
		cli.out.Para("  ", cli.said(r.Started)+": "+history(r))
	}
	if answer.Forgotten > 0 {
		cli.out.ParaStyled(term.Yellow, "  ", fmt.Sprintf("its first %s are not kept any more", term.Many(answer.Forgotten, "action")))
	}
	if len(answer.Actions) == 0 {
		if total(r.Counts) > 0 && req.Kind+req.Op+req.Who == "" && req.From == 0 {
			cli.out.Line("  nothing of what it sent is kept any more")
			return
		}
		cli.out.Line("  nobody that was asked for")
		return
	}
	t := cli.newActionTable()
	for i := range answer.Actions {
		cli.addAction(t, &answer.Actions[i])
	}
	cli.out.Table(t)
	cli.pageEnd(req.From, len(answer.Actions), answer.More)
}

// pageEnd says which of a list were shown, and how to see the next ones.
func (cli *cli) pageEnd(from, shown int, more bool) {
	last := from + shown
	text := fmt.Sprintf("%s to %s", term.Number(from+1), term.Number(last))
	if more {
		text += fmt.Sprintf("; the next ones: --from %d", last)
	}
	cli.out.Para("  ", text)
}

// mostAtOnce is how many actions are asked for at a time.
const mostAtOnce = 1000

// runActionsJSON writes actions page by page, so that a run of any size needs no memory, in one object all the same. Without a limit it
// writes all of them.
func (cli *cli) runActionsJSON(ctx context.Context, ops api.Operations, req api.RunActionsRequest) error {
	left := req.Limit
	w := &planWriter{out: cli.out}
	for page := 0; ; page++ {
		req.Limit = mostAtOnce
		if left > 0 {
			req.Limit = min(left-w.n, mostAtOnce)
		}
		answer, err := ops.RunActions(ctx, req)
		if err != nil {
			if page > 0 {
				w.endWith(struct {
					Error string `json:"error"`
				}{err.Error()})
			}
			return err
		}
		if page == 0 {
			w.out.Raw(`{"run":` + strings.TrimSpace(w.text(answer.Run)) + ",\n\"forgotten\":" + fmt.Sprint(answer.Forgotten) + `,"actions":[`)
		}
		for _, a := range answer.Actions {
			w.add(a)
		}
		if !answer.More || left > 0 && w.n >= left {
			w.endWith(struct {
				More bool `json:"more"`
			}{answer.More})
			return nil
		}
		req.From, req.Position = 0, answer.Next
	}
}

// endWith ends the list of actions, and with it the object, whose last parts are those of tail.
func (w *planWriter) endWith(tail any) {
	text, err := json.Marshal(tail)
	if err != nil {
		w.out.Fail(fmt.Errorf("write JSON: %w", err))
		return
	}
	w.out.Raw("\n],\n" + strings.TrimPrefix(string(text), "{") + "\n")
}

// allKept says where the rest of a run's actions is.
func allKept(r *api.Run) string {
	return "; `dirsyncd runs show " + shortID(r.ID) + "` has all that is kept"
}
