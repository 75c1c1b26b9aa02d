package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newParkedCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "look after what failed for good: list, retry, drop",
		Long: `What a source sent that cannot be read, what the rules fail for, and what a
target refuses is parked with its reason; the rest of the run goes on without
it. Parked items wait for you: retry them when the cause is gone, or drop them.`,
		Example: `  dirsyncd parked list
  dirsyncd parked retry hq-ad:12
  dirsyncd parked drop --all --yes`,
	}
	asGroup(cmd)
	cmd.AddCommand(newParkedListCommand(cli), newReplayCommand(cli), newDropCommand(cli))
	return cmd
}

func newParkedListCommand(cli *cli) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list what is parked and why",
		Long: `Lists what is parked and why, with the ids that retry and drop take: what failed
at one place for one reason stands together, the first five by name, with --all
every one. --json always has all.

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
		most := fewParked
		if all {
			most = 0
		}
		cli.showParked(items, most)
		return nil
	})
	cmd.Flags().BoolVar(&all, "all", false, "list every item, however many share a reason")
	return cmd
}

// showParked shows items by what they have in common: one wrong rule can park everybody, for one and the same reason.
func (cli *cli) showParked(items []api.ParkedItem, most int) {
	if len(items) == 0 {
		cli.out.Line("nothing is parked")
		return
	}
	for i, group := range parkedGroups(items) {
		if i > 0 {
			cli.out.Line("")
		}
		cli.showParkedGroup(group, most)
	}
	cli.out.Line("")
	cli.out.Line("%s", term.Many(len(items), "item")+" parked")
	cli.out.Line("  → dirsyncd parked retry ID…   when the cause is gone; --all for everything")
	cli.out.Line("    dirsyncd parked drop ID…    to forget them")
}

// fewParked is how many items of a group are listed where nobody asked for all.
const fewParked = 5

func (cli *cli) showParkedGroup(group []*api.ParkedItem, most int) {
	first := group[0]
	cli.out.Para("", fmt.Sprintf("%s %s", cli.out.Paint(term.Bold, place(first.Connection, first.Tenant, first.TenantName)+", "+parkedWhere(first)+":"), term.Many(len(group), "item")))
	cli.out.ParaStyled(term.Yellow, "  ", first.Class+": "+first.Reason)
	t := &term.Table{Indent: "    ", Columns: []term.Column{term.Left("ID"), term.Left("SINCE"), term.Shrink("WHO"), term.Left("WHAT")}}
	for i, item := range group {
		if most > 0 && i == most {
			break
		}
		who, what := item.Name, item.Subject
		if item.Op != "" {
			what = item.Op + " " + what
		}
		if who == "" {
			who = "–"
		}
		if item.Where != "" {
			what += ", " + item.Where
		}
		t.Add(item.ID, cli.ago(item.Since), who, what)
	}
	cli.out.Table(t)
	if more := len(group) - t.Len(); more > 0 {
		cli.out.Para("    ", fmt.Sprintf("… and %s more; `dirsyncd parked list --all` has them", term.Number(more)))
	}
}

// parkedGroups puts items together that failed at the same place for the same reason, in the order of the first of each.
func parkedGroups(items []api.ParkedItem) (groups [][]*api.ParkedItem) {
	type cause struct{ connection, tenant, stage, target, class, reason string }
	at := map[cause]int{}
	for i := range items {
		item := &items[i]
		c := cause{item.Connection, item.Tenant, item.Stage, item.Target, item.Class, item.Reason}
		n, ok := at[c]
		if !ok {
			n = len(groups)
			at[c] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], item)
	}
	return groups
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
		Use:     "retry ID… | --all",
		Aliases: []string{"replay"},
		Short:   "try parked items again",
		Long: `Tries parked items again: what a target refused is queued for it once more, what
the rules failed for is mapped again. With --json also what is parked again.

Exit codes: 0 tried again, 1 failed, 2 wrong usage or no such item, 4 tried, and
parked again.`,
		Example:           "  dirsyncd parked retry hq-ad:12 hq-ad:13\n  dirsyncd parked retry --all",
		Args:              idsOrAll(&all),
		ValidArgsFunction: cli.completeParked,
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, ids []string) error {
		before, err := ops.Parked(ctx)
		if err != nil {
			return err
		}
		line := cli.progressLine()
		line.Show("trying again")
		n, err := ops.Replay(ctx, ids, line.step)
		line.Clear()
		if err != nil {
			return err
		}
		again, err := parkedAgain(ctx, ops, before, ids)
		if err != nil {
			return err
		}
		return cli.showReplayed(n, again)
	})
	cmd.Flags().BoolVar(&all, "all", false, "everything that is parked")
	return cmd
}

// parkedAgain returns which of the replayed items are parked once more, as far as that is known by now: a daemon may still
// be trying. They have other ids, but the same subjects.
func parkedAgain(ctx context.Context, ops api.Operations, before []api.ParkedItem, ids []string) ([]api.ParkedItem, error) {
	type place struct{ connection, tenant, target, subject string }
	of := func(i *api.ParkedItem) place { return place{i.Connection, i.Tenant, i.Target, i.Subject} }
	named := map[string]bool{}
	for _, id := range ids {
		named[id] = true
	}
	tried := map[place]bool{}
	for i := range before {
		if len(ids) == 0 || named[before[i].ID] {
			tried[of(&before[i])] = true
		}
	}
	after, err := ops.Parked(ctx)
	return slices.DeleteFunc(after, func(i api.ParkedItem) bool { return !tried[of(&i)] }), err
}

// showReplayed says how many items were tried again, and which of them are parked once more.
func (cli *cli) showReplayed(n int, again []api.ParkedItem) error {
	if cli.opts.json {
		err := cli.out.JSON(struct {
			Replayed    int              `json:"replayed"`
			ParkedAgain []api.ParkedItem `json:"parked_again"`
		}{n, append([]api.ParkedItem{}, again...)})
		if err != nil {
			return err
		}
	} else {
		cli.out.Line("retried %s", term.Many(n, "item"))
	}
	if len(again) == 0 {
		return nil
	}
	if !cli.opts.json {
		cli.out.Line("%s parked again:", term.Many(len(again), "item"))
		cli.showParked(again, fewParked)
	}
	return exitStatus(exitParked)
}

func newDropCommand(cli *cli) *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use:     "drop (ID… | --all) --yes",
		Aliases: []string{"forget"},
		Short:   "forget parked items",
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
		return cli.showDropped(n, err)
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

func (cli *cli) showDropped(n int, err error) error {
	if err != nil {
		return err
	}
	if cli.opts.json {
		return cli.out.JSON(map[string]int{"dropped": n})
	}
	cli.out.Line("dropped %s", term.Many(n, "item"))
	return nil
}
