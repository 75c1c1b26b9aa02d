package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newSyncCommand(cli *cli) *cobra.Command {
	var full, list bool
	var user string
	cmd := &cobra.Command{
		Use:   "sync [CONNECTION[/TENANT]…]",
		Short: "run connections once, now",
		Long: `Reads what changed in the named connections, or in all of them, applies the
rules, delivers what can be delivered, and says what was done: to whom, where a
run changed no more than 20 records, or with --list.

One tenant of a connection is named by its name, id or domain after a slash.

With --user one person is read, by record key, id, login, any mail address, name
or employee id, and what follows is settled and delivered as after any sync:
groups and everybody else stay as they were read last. Somebody new is named by
the id at the source. Whom the source says it does not have leaves by the usual
rules; that it merely does not name them removes nobody. Sources that can be
asked so are ldap, entra, csp, google, okta and
delinea.

When the daemon runs, it does the work; leaving with Ctrl-C then only stops the
waiting. Without a daemon the command does the work itself, and Ctrl-C stops it
at the next page; nothing that was stored is lost.

` + exitCodesHelp,
		Example: `  dirsyncd sync
  dirsyncd sync hq-ad --full
  dirsyncd sync customers/"Harbour Logistics"
  dirsyncd sync hq-ad --user ada@example.com
  dirsyncd sync --list | less
  dirsyncd sync --json | jq '.runs[] | {connection, outcome, counts}'`,
		Args:              takes(0, -1, "names of connections"),
		ValidArgsFunction: cli.completeConnections,
	}
	cmd.RunE = cli.with(toBegin, func(ctx context.Context, ops api.Operations, args []string) error {
		if err := knownConnections(ctx, ops, args); err != nil {
			return err
		}
		cli.remindOfReload(ctx, ops)
		line := cli.progressLine()
		line.Show("starting")
		req := api.SyncRequest{Connections: args, Full: full, User: user, Actions: api.FewActions + 1} // the one more tells of the rest
		if list {
			req.Actions = everyAction
		}
		result, err := ops.Sync(ctx, req, line.step)
		line.Clear()
		if err != nil {
			return err
		}
		return cli.showResult(result)
	})
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error { return oneUser(cmd, args, user, full) }
	cmd.Flags().StringVar(&user, "user", "", "read one person of one connection: a record key, id, login, mail address, name or employee id (`KEY`)")
	cmd.Flags().BoolVar(&full, "full", false, "read everything, not only what changed")
	cmd.Flags().BoolVar(&list, "list", false, "name everybody who changed, however many")
	return cmd
}

// oneUser refuses --user where it is not clear who is meant, or what is to be read.
func oneUser(cmd *cobra.Command, args []string, user string, more bool) error {
	switch {
	case !cmd.Flags().Changed("user"):
	case strings.TrimSpace(user) == "":
		return misused(cmd, "--user names nobody")
	case len(args) != 1:
		return misused(cmd, "--user goes with one connection, or one tenant of it")
	case more:
		return misused(cmd, "--user reads one person, and cannot go with --full, --offline or --target")
	}
	return nil
}

// everyAction asks for as many actions as are kept.
const everyAction = 1 << 20

// remindOfReload says when what follows is not by the configuration on the disk, and of what it leaves alone.
func (cli *cli) remindOfReload(ctx context.Context, ops api.Operations) {
	st, err := ops.Status(ctx)
	if err != nil {
		return
	}
	cli.remindOfProblem(&st)
	for i := range st.Unconfigured {
		c := &st.Unconfigured[i]
		cli.err.Remark("dirsyncd: "+unconfigured(c.Name, c.Records), api.UnconfiguredHint(c.Name))
	}
}

// remindOfProblem says when the configuration in force is not the one on the disk.
func (cli *cli) remindOfProblem(st *api.Status) {
	if st.Problem != "" {
		cli.err.Line("the last reload was refused, the configuration before it is in force; `dirsyncd status` says why")
	}
}

// unconfigured says that the state holds records of a connection that is not configured.
func unconfigured(name string, records int) string {
	return fmt.Sprintf("the state holds %s of connection %s, which is not configured", term.Many(records, "active record"), name)
}

// showResult shows what came of runs and deliveries, and returns the exit status for it.
func (cli *cli) showResult(result api.SyncResult) error {
	code := codeOf(result.Runs, result.Delivered)
	if cli.opts.json {
		result.Runs = append([]api.Run{}, result.Runs...)
		result.Delivered = append([]api.Delivery{}, result.Delivered...)
		if err := cli.out.JSON(result); err != nil {
			return err
		}
		return finished(code)
	}
	if cli.opts.quiet && code == exitClean {
		return nil
	}
	cli.showRuns(result.Runs)
	cli.showChanged(result.Runs)
	cli.showDelivered(result.Delivered)
	cli.showElsewhere(result.Elsewhere, func(e *api.Elsewhere) string {
		text := "not synced here; it is for " + strings.Join(e.Workers, ", ")
		if e.Asked {
			text += ", and was asked for there"
		}
		return text
	})
	if hasParked(result) {
		cli.out.Line("")
		cli.out.Line("something is parked")
		cli.out.Hint("`dirsyncd parked list` shows what and why")
	}
	return finished(code)
}

// showElsewhere names the connections that only others read.
func (cli *cli) showElsewhere(list []api.Elsewhere, say func(*api.Elsewhere) string) {
	for i := range list {
		cli.out.Line("")
		cli.out.Para(list[i].Connection+": ", say(&list[i]))
	}
}

func hasParked(result api.SyncResult) bool {
	for _, r := range result.Runs {
		if r.Parked > 0 {
			return true
		}
	}
	for _, d := range result.Delivered {
		if d.Parked > 0 {
			return true
		}
	}
	return false
}

func (cli *cli) showRuns(runs []api.Run) {
	t := &term.Table{Columns: []term.Column{
		term.Shrink("CONNECTION"), term.Left("OUTCOME"), term.Left("MODE"), term.Right("READ"),
		term.Right("TOOK"), term.Left("CHANGES"),
	}}
	for i := range runs {
		r := &runs[i]
		t.Add(runPlace(r), term.State(r.Outcome), modeWord(r.Mode), term.Number(r.Read), took(r), changes(r))
	}
	cli.out.Table(t)
	for i := range runs {
		cli.showRemarks(&runs[i])
	}
}

func runPlace(r *api.Run) string { return place(r.Connection, r.Tenant, r.TenantName) }

func took(r *api.Run) string { return term.Span(r.Ended.Sub(r.Started)) }

// changes says in words what a run did to records, and what waits.
func changes(r *api.Run) string {
	text := counts(r.Counts, happened)
	if r.Told > 0 {
		if text != "" {
			text += "; "
		}
		text += term.Many(r.Told, "record") + " sent to one target"
	}
	switch {
	case r.Held != "":
		if text != "" {
			text += "; "
		}
		return text + strings.TrimPrefix(counts(r.HeldCounts, wouldHappen)+" (held)", " ")
	case text == "" && r.Outcome == api.Failed:
		return "–"
	case text == "":
		return "nothing to do"
	default:
		return text
	}
}

// showRemarks shows a run's notes, its error and its held plan.
func (cli *cli) showRemarks(r *api.Run) {
	for _, note := range r.Notes {
		cli.out.Line("")
		cli.out.Para(runPlace(r)+": ", note)
	}
	if r.Error != "" {
		cli.out.Line("")
		cli.out.ParaStyled(term.Red, runPlace(r)+" failed: ", r.Error)
	}
	if r.Held != "" {
		cli.out.Line("")
		cli.out.Para(runPlace(r)+": ", "a plan is held; nothing of what is held was delivered")
		cli.heldChoices(r.Held, r.HeldReasons)
	}
}

// heldChoices says why a plan is held and what can be done with it.
func (cli *cli) heldChoices(hash string, reasons []string) {
	for _, reason := range reasons {
		cli.out.ParaStyled(term.Yellow, "    it would ", reason)
	}
	cli.out.Line("  → dirsyncd held %s   to look at it", hash)
	cli.out.Line("    dirsyncd approve %s", hash)
	cli.out.Line("    dirsyncd discard %s", hash)
}

func (cli *cli) showDelivered(list []api.Delivery) {
	t := &term.Table{Columns: []term.Column{
		term.Shrink("TARGET"), term.Right("DELIVERED"), term.Right("WAITING"), term.Right("PARKED"),
	}}
	for _, d := range list {
		delivered := term.Number(d.Delivered)
		if d.Others && d.Delivered == 0 {
			delivered = "–"
		}
		t.Add(d.Target, delivered, warnAbove0(allWaiting(d.Waiting, d.Waits)), warnAbove0(d.Parked))
	}
	if len(list) > 0 {
		cli.out.Line("")
	}
	cli.out.Table(t)
	for _, d := range list {
		if d.Error != "" {
			cli.out.Line("")
			cli.out.ParaStyled(term.Red, d.Target+": ", d.Error)
			cli.out.Hint("what waits is tried again by the daemon and by the next sync")
		}
		if d.Others {
			cli.out.Line("")
			cli.out.Para(d.Target+": ", otherDelivers(&d))
		}
		cli.waitsAt(d.Target, d.Waits, nil)
	}
}

// otherDelivers says who delivers what was queued here.
func otherDelivers(d *api.Delivery) string {
	who := "another worker"
	switch len(d.Workers) {
	case 0:
	case 1:
		who = "worker " + d.Workers[0]
	default:
		who = "one of the workers " + strings.Join(d.Workers, ", ")
	}
	queued := "nothing"
	if d.Waiting > 0 {
		queued = term.Many(d.Waiting, "action")
	}
	return who + " delivers there; still queued: " + queued
}

func warnAbove0(n int) term.Cell {
	if n > 0 {
		return term.Yellow.Cell(term.Number(n))
	}
	return term.Plain.Cell(term.Number(n))
}

// showChanged says whom the runs changed, unless that is more than anybody wants to read unasked.
func (cli *cli) showChanged(runs []api.Run) {
	for i := range runs {
		r := &runs[i]
		n := len(r.Actions)
		if n == 0 {
			continue
		}
		cli.out.Line("")
		if n == api.FewActions+1 {
			cli.out.Line("%s changed %s", runPlace(r), term.Many(total(r.Counts), "record"))
			cli.out.Hint("`dirsyncd runs " + r.ID + "` names them")
			continue
		}
		if len(runs) > 1 {
			cli.out.Line("%s", cli.out.Paint(term.Bold, runPlace(r)))
		}
		cli.showActions(r, allKept(r))
	}
}
