package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newParkedCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "look after what failed for good: list, replay, drop",
		Long: `What a source sent that cannot be read, what the rules fail for, and what a
target refuses is parked with its reason; the rest of the run goes on without
it. Parked items wait for you: replay them when the cause is gone, or drop them.`,
		Example: `  dirsyncd parked list
  dirsyncd parked replay hq-ad:12
  dirsyncd parked drop --all --yes`,
	}
	asGroup(cmd)
	cmd.AddCommand(newParkedListCommand(cli), newReplayCommand(cli), newDropCommand(cli))
	return cmd
}

func newParkedListCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list what is parked and why",
		Long: `Lists what is parked and why, with the ids that replay and drop take.

Exit codes: 0 listed, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd parked list
  dirsyncd parked list --json | jq -r '.[] | select(.target == "desk") | .id'`,
		Args: takes(0, 0, ""),
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
		items, err := ops.Parked(ctx)
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.ParkedItem{}, items...))
		}
		cli.showParked(items)
		return nil
	})
	return cmd
}

// showParked gives every item its own paragraph: reasons are sentences, and keys are long.
func (cli *cli) showParked(items []api.ParkedItem) {
	if len(items) == 0 {
		cli.out.Line("nothing is parked")
		return
	}
	for i := range items {
		item := &items[i]
		what := item.Subject
		if item.Op != "" {
			what = item.Op + " " + what
		}
		cli.out.Line("%s  %s  %s", cli.out.Paint(term.Bold, item.ID), cli.ago(item.Since), parkedWhere(item))
		cli.out.Para("  ", what)
		cli.out.ParaStyled(term.Yellow, "  ", item.Class+": "+item.Reason)
	}
	cli.out.Line("")
	cli.out.Line("%s", term.Many(len(items), "item")+" parked")
	cli.out.Line("  → dirsyncd parked replay ID…   when the cause is gone")
	cli.out.Line("    dirsyncd parked drop ID…     to forget them")
}

func parkedWhere(item *api.ParkedItem) string {
	switch item.Stage {
	case "read":
		return "when it was read"
	case "map":
		return "by the rules"
	case "deliver":
		return "by target " + item.Target
	default:
		return item.Stage
	}
}

func newReplayCommand(cli *cli) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "replay ID… | --all",
		Short: "try parked items again",
		Long: `Tries parked items again: what a target refused is queued for it once more, what
the rules failed for is mapped again.

Exit codes: 0 replayed, 1 failed, 2 wrong usage or no such item, 4 tried, and
parked again.`,
		Example:           "  dirsyncd parked replay hq-ad:12 hq-ad:13\n  dirsyncd parked replay --all",
		Args:              idsOrAll(&all),
		ValidArgsFunction: cli.completeParked,
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, ids []string) error {
		before, err := ops.Parked(ctx)
		if err != nil {
			return err
		}
		n, err := ops.Replay(ctx, ids)
		if err := cli.showFound("replayed", n, err); err != nil {
			return err
		}
		return cli.parkedAgain(ctx, ops, before, ids)
	})
	cmd.Flags().BoolVar(&all, "all", false, "everything that is parked")
	return cmd
}

// parkedAgain says which of the replayed items are parked once more, as far as that is known by now: a daemon may still
// be trying. They have other ids, but the same subjects.
func (cli *cli) parkedAgain(ctx context.Context, ops api.Operations, before []api.ParkedItem, ids []string) error {
	type place struct{ connection, tenant, target, subject string }
	of := func(i *api.ParkedItem) place { return place{i.Connection, i.Tenant, i.Target, i.Subject} }
	tried := map[place]bool{}
	for i := range before {
		if len(ids) == 0 || slices.Contains(ids, before[i].ID) {
			tried[of(&before[i])] = true
		}
	}
	after, err := ops.Parked(ctx)
	if err != nil {
		return err
	}
	after = slices.DeleteFunc(after, func(i api.ParkedItem) bool { return !tried[of(&i)] })
	if len(after) == 0 {
		return nil
	}
	if !cli.opts.json {
		cli.out.Line("%s parked again:", term.Many(len(after), "item"))
		cli.showParked(after)
	}
	return exitStatus(exitParked)
}

func newDropCommand(cli *cli) *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use:   "drop (ID… | --all) --yes",
		Short: "forget parked items",
		Long: `Forgets parked items. What was to be delivered is not delivered: the target
stays as it is for these records until they change again. Needs --yes.

Exit codes: 0 dropped, 1 failed, 2 wrong usage or no such item.`,
		Example:           "  dirsyncd parked drop hq-ad:12 --yes\n  dirsyncd parked drop --all --yes",
		Args:              idsOrAll(&all),
		ValidArgsFunction: cli.completeParked,
	}
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if !yes {
			return &usageError{"dropping cannot be undone", "add --yes if you mean it"}
		}
		return nil
	}
	cmd.RunE = cli.with(toMark, func(ctx context.Context, ops api.Operations, ids []string) error {
		n, err := ops.Drop(ctx, ids)
		return cli.showFound("dropped", n, err)
	})
	cmd.Flags().BoolVar(&all, "all", false, "everything that is parked")
	cmd.Flags().BoolVar(&yes, "yes", false, "really drop them")
	return cmd
}

// idsOrAll wants ids or --all, and not both: no id must not mean everything by accident.
func idsOrAll(all *bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case !*all && len(args) == 0:
			return &usageError{cmd.Name() + " needs ids, or --all", "`dirsyncd parked list` shows the ids"}
		case *all && len(args) > 0:
			return misused(cmd, "give ids or --all, not both")
		}
		return nil
	}
}

func (cli *cli) showFound(verb string, n int, err error) error {
	if err != nil {
		return err
	}
	if cli.opts.json {
		return cli.out.JSON(map[string]int{verb: n})
	}
	cli.out.Line("%s %s", verb, term.Many(n, "item"))
	return nil
}
