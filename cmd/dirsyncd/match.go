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

func newMatchCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "match",
		Short: "decide who is who: list, show, accept, reject, undo",
		Long: `At a target that has things of its own a record may be several of them, or one
that somebody else could be; and some things are not taken out of use unasked.
In a connection that is made of others (merge) somebody may be the same as one
of several. They wait here for a human. All others go on.`,
		Example: `  dirsyncd match list apps
  dirsyncd match show apps:7
  dirsyncd match accept apps:7 2819c223
  dirsyncd match accept apps:7 --new`,
	}
	asGroup(cmd)
	cmd.AddCommand(newMatchListCommand(cli), newMatchShowCommand(cli), newMatchAcceptCommand(cli), newMatchRejectCommand(cli), newMatchUndoCommand(cli))
	return cmd
}

func newMatchListCommand(cli *cli) *cobra.Command {
	var some matchFilter
	limit, after := defaultPlanLimit, ""
	cmd := &cobra.Command{
		Use:   "list [TARGET|CONNECTION]",
		Short: "list what a human has to decide",
		Long: `Lists the records that wait for a human, with the ids that show, accept and
reject take.

Exit codes: 0 nothing waits, 1 failed, 2 wrong usage or configuration, 3
something waits.`,
		Example: "  dirsyncd match list\n  dirsyncd match list apps --cause ambiguous --json",
		Args:    takes(0, 1, "the name of a target or connection"),
	}
	cmd.RunE = cli.with(toAsk, func(ctx context.Context, ops api.Operations, args []string) error {
		all, err := ops.Matches(ctx, strings.Join(args, ""))
		if err != nil {
			return err
		}
		list := some.of(all)
		found := len(list)
		if after != "" {
			list = list[slices.IndexFunc(list, func(m api.Match) bool { return m.ID == after })+1:]
		}
		if !cli.opts.json || cmd.Flags().Changed("limit") {
			if limit > 0 && len(list) > limit {
				defer func(last string) {
					if !cli.opts.json {
						cli.out.Line("  … and more: --after %s", last)
					}
				}(list[limit-1].ID)
				list = list[:limit]
			}
		}
		if cli.opts.json {
			if err := cli.out.JSON(list); err != nil {
				return err
			}
		} else {
			cli.showMatches(list, some.of(all))
		}
		if found > 0 {
			return exitStatus(exitHeld)
		}
		return nil
	})
	some.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", limit, "show at most `N`; 0: all")
	cmd.Flags().StringVar(&after, "after", "", "begin behind the one with this `id`")
	return cmd
}

// showMatches shows a part of all that waits.
func (cli *cli) showMatches(list, all []api.Match) {
	if len(list) == 0 {
		cli.out.Line("nothing waits for a human")
		return
	}
	t := &term.Table{Columns: []term.Column{term.Left("ID"), term.Left("SINCE"), term.Shrink("RECORD"), term.Shrink("NAME"), term.Left("CAUSE"), term.Shrink("MAY BE")}}
	for i := range list {
		m := &list[i]
		var names []string
		for _, c := range m.Candidates {
			names = append(names, c.ID)
		}
		t.Add(m.ID, cli.ago(m.Since), m.Subject, m.Name, m.Cause, strings.Join(names, ", "))
	}
	cli.out.Table(t)
	cli.out.Line("")
	cli.out.Line("%s for a human", waiting(len(all)))
	cli.out.Hint("`dirsyncd match show ID` shows both sides, `dirsyncd match accept` and `reject` decide, with --all about many")
	cli.hintContradicted(all)
}

// waiting says how many records wait.
func waiting(n int) string {
	if n == 1 {
		return "1 record waits"
	}
	return term.Number(n) + " records wait"
}

// hintContradicted says what to do where many have a mail address that is at the target, under another log-in than here.
func (cli *cli) hintContradicted(list []api.Match) {
	found := map[[3]string]int{}
	for i := range list {
		m := &list[i]
		if m.Cause != "contradicted" || len(m.Candidates) == 0 || m.Candidates[0].Key == "" {
			continue
		}
		found[[3]string{m.Target, m.Kind, m.Candidates[0].Key}]++
	}
	for _, by := range slices.SortedFunc(maps.Keys(found), func(a, b [3]string) int { return strings.Compare(strings.Join(a[:], " "), strings.Join(b[:], " ")) }) {
		if n := found[by]; n > 1 {
			cli.out.Hint(fmt.Sprintf("%s: the %s of %s is there, and a stronger key, such as the log-in, says otherwise; where these differ anyway, leave them out: `match: {%s: [{%s: = email}]}` of the target",
				by[0], by[2], term.Many(n, by[1]), by[1], by[2]))
		}
	}
}

// match finds one by its id.
func findMatch(ctx context.Context, ops api.Operations, id string) (api.Match, error) {
	target, _, ok := strings.Cut(id, ":")
	if !ok {
		return api.Match{}, &usageError{fmt.Sprintf("%q is no id of a match", id), "`dirsyncd match list` shows the ids"}
	}
	list, err := ops.Matches(ctx, target)
	if err != nil {
		return api.Match{}, err
	}
	for i := range list {
		if list[i].ID == id {
			return list[i], nil
		}
	}
	return api.Match{}, &usageError{"nothing waits as " + id, "it may have become clear by itself; `dirsyncd match list` shows what waits"}
}

func newMatchShowCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "show both sides of what a human has to decide",
		Long: `Shows why a record waits, and the things at the target that it may be.

Exit codes: 0 shown, 1 failed, 2 wrong usage or no such id.`,
		Example: "  dirsyncd match show apps:7",
		Args:    takes(1, 1, "an id of `dirsyncd match list`"),
	}
	cmd.RunE = cli.with(toAsk, func(ctx context.Context, ops api.Operations, args []string) error {
		m, err := findMatch(ctx, ops, args[0])
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(m)
		}
		cli.out.Para("", fmt.Sprintf("%s, %s (%s): %s", cli.out.Paint(term.Bold, m.ID), strings.TrimSpace(m.Subject+" "+m.Name), cli.ago(m.Since), m.Reason))
		for _, c := range m.Candidates {
			text := c.ID
			if c.Name != "" {
				text += " " + c.Name
			}
			if c.Inactive {
				text += ", out of use"
			}
			if c.Key != "" {
				text += ", found by " + c.Key
			}
			if len(c.Differ) > 0 {
				text += ", other than the record in " + strings.Join(c.Differ, ", ")
			}
			if c.Against != "" {
				text += "; " + c.Against
			}
			cli.out.Para("  ", text)
		}
		cli.out.Line("")
		if m.Connection != "" {
			cli.out.Line("  → dirsyncd match accept %s CANDIDATE   they are one person", m.ID)
			cli.out.Line("    dirsyncd match accept %s --new       it is none of them", m.ID)
			cli.out.Line("    dirsyncd match reject %s [CANDIDATE] they are not one person", m.ID)
			return nil
		}
		if m.Cause == "leaving" || m.Cause == "return" {
			cli.out.Line("  → dirsyncd match accept %s   do it", m.ID)
			cli.out.Line("    dirsyncd match reject %s   leave it alone", m.ID)
			return nil
		}
		if len(m.Candidates) == 0 {
			cli.out.Line("  → dirsyncd match accept %s --new   make it", m.ID)
			return nil
		}
		cli.out.Line("  → dirsyncd match accept %s CANDIDATE   it is that one", m.ID)
		cli.out.Line("    dirsyncd match accept %s --new       it is none of them: make it", m.ID)
		cli.out.Line("    dirsyncd match reject %s [CANDIDATE] it is not that one", m.ID)
		return nil
	})
	return cmd
}

// decide tells what a human says of a match, with the fingerprint of what is there now.
func (cli *cli) decide(ctx context.Context, ops api.Operations, by api.MatchDecision) error {
	if by.ID != "" {
		m, err := findMatch(ctx, ops, by.ID)
		if err != nil {
			return err
		}
		if by.Fingerprint == "" {
			by.Fingerprint = m.Fingerprint
		}
	}
	who, err := ops.Decide(ctx, by)
	if err != nil {
		return err
	}
	if cli.opts.json {
		return cli.out.JSON(map[string]string{"subject": who, "verdict": by.Verdict})
	}
	cli.out.Line("%s: %s", who, map[string]string{"accept": "accepted", "new": "is made", "reject": "rejected", "undo": "forgotten; nothing changes at the target"}[by.Verdict])
	return nil
}

func newMatchAcceptCommand(cli *cli) *cobra.Command {
	var beside bool
	var fingerprint string
	var many bulk
	cmd := &cobra.Command{
		Use:   "accept ID [CANDIDATE] | ID --new",
		Short: "say that a thing is the record's, or that one is to be made",
		Long: `Says which thing is the record's, or with --new that it is none and one is to
be made. What waits to be taken out of use, or to come back, needs no
candidate. A decision holds for what was shown: when a side has changed since,
it is asked again.

With --all every one that is clear is accepted: the one candidate there is, or
with --new none. --kind and --cause say which. With --from a file of lines
ID,CANDIDATE decides (a CSV file; the candidate may be new).

Exit codes: 0 decided, 1 failed or changed meanwhile, 2 wrong usage or no such
id, 3 some of many are still to be decided.`,
		Example: "  dirsyncd match accept apps:7 2819c223\n  dirsyncd match accept apps:7 --new\n  dirsyncd match accept --all --cause proposal apps",
		Args:    takes(0, 2, "an id of `dirsyncd match list`, and a candidate"),
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		if many.asked() {
			many.verdict, many.beside = "accept", beside
			return cli.decideMany(ctx, ops, &many, args)
		}
		if len(args) == 0 {
			return misused(cmd, "name one, or give --all or --from")
		}
		by := api.MatchDecision{ID: args[0], Verdict: "accept", Fingerprint: fingerprint}
		switch {
		case beside && len(args) > 1:
			return misused(cmd, "give a candidate or --new, not both")
		case beside:
			by.Verdict = "new"
		case len(args) > 1:
			by.Candidate = args[1]
		}
		return cli.decide(ctx, ops, by)
	})
	cmd.Flags().BoolVar(&beside, "new", false, "it is none of them: make it")
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "the `fingerprint` of what was shown (--json has it); default: of what is there now")
	many.flags(cmd)
	return cmd
}

func newMatchRejectCommand(cli *cli) *cobra.Command {
	var many bulk
	cmd := &cobra.Command{
		Use:   "reject ID [CANDIDATE]",
		Short: "say that a thing is not the record's",
		Long: `Says that a candidate is not the record's thing, or that none is. It is
remembered for good; the record goes on with what is left. What waits to be
taken out of use is left alone. --all, with --kind and --cause, rejects all
candidates of many; --from takes lines ID,CANDIDATE of a file.

Exit codes: 0 decided, 1 failed or changed meanwhile, 2 wrong usage or no such
id, 3 some of many are still to be decided.`,
		Example: "  dirsyncd match reject apps:7 2819c223\n  dirsyncd match reject --all --cause leaving apps",
		Args:    takes(0, 2, "an id of `dirsyncd match list`, and a candidate"),
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		if many.asked() {
			many.verdict = "reject"
			return cli.decideMany(ctx, ops, &many, args)
		}
		if len(args) == 0 {
			return misused(cmd, "name one, or give --all or --from")
		}
		by := api.MatchDecision{ID: args[0], Verdict: "reject"}
		if len(args) > 1 {
			by.Candidate = args[1]
		}
		return cli.decide(ctx, ops, by)
	})
	many.flags(cmd)
	return cmd
}

func newMatchUndoCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "undo TARGET RECORD | CONNECTION PART",
		Short: "forget whose a thing is",
		Long: `Forgets which thing at a target is a record's, and remembers that it is not
that one. Nothing changes at the target. When the record changes next, it is
looked for anew. In a connection that is made of others, forgets what was
decided of somebody's part.

Exit codes: 0 forgotten, 1 failed, 2 wrong usage or nothing known.`,
		Example: "  dirsyncd match undo apps user/hq-ad/5f1c",
		Args:    takes(2, 2, "a target and a record, as KIND/KEY"),
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		return cli.decide(ctx, ops, api.MatchDecision{Target: args[0], Subject: args[1], Verdict: "undo"})
	})
	return cmd
}
