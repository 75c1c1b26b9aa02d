package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/spelling"
)

func newHeldCommand(cli *cli) *cobra.Command {
	req := api.HeldRequest{Limit: api.HeldPage}
	cmd := &cobra.Command{
		Use:   "held HASH",
		Short: "what a held plan would do, a page at a time",
		Long: `Shows what the held plan with this hash would do, a page at a time. It asks no
source, copies no state and waits for no run, so that it answers at once for a
plan of any size; plan --offline works out the whole of it.

Exit codes: 0 shown, 1 failed, 2 wrong usage or no such plan.`,
		Example: `  dirsyncd held 3f2a9c01d4
  dirsyncd held 3f2a9c01d4 --op deactivate --who smith
  dirsyncd held 3f2a9c01d4 --from 50
  dirsyncd held 3f2a9c01d4 -n 1000 --json | jq -r '.actions[].key'`,
		Args:              takes(1, 1, "the hash of a held plan"),
		ValidArgsFunction: cli.completeHashes,
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if req.Limit < 1 || req.From < 0 {
			return misused(cmd, "-n must be at least 1, and --from not less than 0")
		}
		if err := knownWords(req.Kind, req.Op); err != nil {
			return err
		}
		return nil
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		req.Hash = args[0]
		held, err := ops.Held(ctx, req)
		if err != nil {
			return err
		}
		if cli.opts.json {
			held.Actions = append([]api.PlannedAction{}, held.Actions...)
			return cli.out.JSON(held)
		}
		cli.showHeld(&req, &held)
		return nil
	})
	cmd.Flags().StringVar(&req.Kind, "kind", "", "only records of this kind, such as user")
	cmd.Flags().StringVar(&req.Op, "op", "", "only this operation, such as deactivate")
	cmd.Flags().StringVar(&req.Who, "who", "", "only those with this in their name or key")
	cmd.Flags().IntVar(&req.From, "from", 0, "leave out so many")
	cmd.Flags().IntVarP(&req.Limit, "limit", "n", req.Limit, "how many")
	return cmd
}

// knownWords refuses a kind and an operation that there are not: nobody is of them, and that would pass for an answer. Both may be empty.
func knownWords(kind, op string) error {
	if _, ok := directory.ParseRecordKind(kind); !ok && kind != "" {
		return &usageError{fmt.Sprintf("there is no kind of record %q", kind), spelling.Suggest(kind, words(directory.RecordKinds()))}
	}
	if _, ok := directory.ParseOp(op); !ok && op != "" {
		return &usageError{fmt.Sprintf("there is no operation %q", op), spelling.Suggest(op, words(directory.Ops()))}
	}
	return nil
}

func (cli *cli) showHeld(req *api.HeldRequest, held *api.HeldActions) {
	out := cli.out
	name := held.Connection
	if held.Tenant != "" {
		name += "/" + held.Tenant
		if held.TenantName != "" {
			name = held.Connection + "/" + held.TenantName
		}
	}
	out.Line("%s, held %s", out.Paint(term.Bold, name), cli.ago(held.Since))
	for _, why := range held.Reasons {
		out.Para("  ", why)
	}
	if len(held.Actions) == 0 {
		out.Line("  nobody that was asked for")
		return
	}
	t := cli.newActionTable()
	for i := range held.Actions {
		cli.addAction(t, &held.Actions[i])
	}
	out.Table(t)
	cli.pageEnd(req.From, len(held.Actions), held.More)
}
