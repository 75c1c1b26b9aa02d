package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func newStatusCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "say how everything is",
		Long: `Says for every connection when it last agreed with its source, when it runs next
and what it holds, for every target what waits, and what to do about the rest.

After refused credentials NEXT is when schedules try again, which they do less
and less often; a reload with other credentials and ` + "`dirsyncd sync`" + ` try at once.

States of a connection: new (never read), ok, due (a full read comes next, as
after a discard), held (a plan waits for approval), parked (something failed for
good), failing (the last run failed).

Exit codes: 0 whatever the state is, 1 it could not be found out, 2 wrong usage
or configuration.`,
		Example: `  dirsyncd status
  dirsyncd status --json | jq '.connections[].tenants[].state'`,
		Args: takes(0, 0, ""),
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
		st, err := ops.Status(ctx)
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(st)
		}
		cli.showStatus(&st)
		return nil
	})
	return cmd
}

func (cli *cli) showStatus(st *api.Status) {
	out := cli.out
	if st.Daemon {
		running, since := out.Paint(term.Green, "running"), term.Span(cli.now().Sub(st.Started))
		out.Line("dirsyncd %s is %s, pid %d, for %s", st.Version, running, st.PID, since)
	} else {
		out.Line("%s; this is the stored state", out.Paint(term.Yellow, "no daemon is running"))
	}
	out.Line("configuration  %s", st.Config)
	out.Line("state          %s", st.State)
	if st.Problem != "" {
		out.Line("")
		out.ParaStyled(term.Red, "", "the last reload was refused, the configuration before it is in force:")
		out.Para("    ", st.Problem)
	}
	out.Line("")
	cli.connectionTable(st)
	out.Line("")
	cli.targetTable(st)
	cli.troubles(st)
}

func (cli *cli) connectionTable(st *api.Status) {
	t := &term.Table{Columns: []term.Column{term.Shrink("CONNECTION"), term.Left("STATE"), term.Left("AGREED"), term.Left("NEXT"), term.Left("HOLDS")}}
	for i := range st.Connections {
		c := &st.Connections[i]
		for j := range c.Tenants {
			ten := &c.Tenants[j]
			where := place(c.Name, ten.Tenant, ten.Name)
			t.Add(where, term.State(ten.State), cli.ago(ten.Proven), cli.nextRun(c, ten), holds(ten))
		}
		if len(c.Tenants) == 0 {
			t.Add(c.Name, term.State("new"), "–", cli.nextRun(c, nil), "")
		}
	}
	cli.out.Table(t)
}

// nextRun says when a tenant is read next: by its connection's schedule, or later where schedules leave it alone.
func (cli *cli) nextRun(c *api.ConnectionStatus, t *api.TenantStatus) string {
	next := c.Next
	if next.IsZero() || (!c.NextFull.IsZero() && c.NextFull.Before(next)) {
		next = c.NextFull
	}
	switch {
	case c.Running:
		return "running"
	case next.IsZero():
		return "–"
	case cli.leftAlone(t) && t.Failing.Retry.After(next):
		return cli.ago(t.Failing.Retry)
	default:
		return cli.ago(next)
	}
}

// leftAlone reports whether schedules leave a tenant alone for now, because its credentials were refused.
func (cli *cli) leftAlone(t *api.TenantStatus) bool {
	return t != nil && t.Failing != nil && t.Failing.Retry.After(cli.now())
}

func holds(t *api.TenantStatus) string {
	objects := amounts(t.Objects, words(directory.Kinds()))
	records := amounts(t.Records, words(directory.RecordKinds()))
	switch {
	case objects == "":
		return records
	case records == "":
		return objects
	default:
		return objects + " → " + records
	}
}

func (cli *cli) targetTable(st *api.Status) {
	t := &term.Table{Columns: []term.Column{
		term.Shrink("TARGET"), term.Left("KIND"), term.Left("STATE"), term.Right("WAITING"), term.Left("OLDEST"), term.Right("PARKED"),
	}}
	for _, ts := range st.Targets {
		look := targetState(ts.State, st.Daemon)
		t.Add(ts.Name, ts.Target, look, warnAbove0(ts.Waiting), cli.ago(ts.Oldest), warnAbove0(ts.Parked))
	}
	cli.out.Table(t)
}

// targetState: without a daemon nobody talks to targets, and not to know is no trouble.
func targetState(word string, daemon bool) term.Cell {
	if word == "unknown" && !daemon {
		return term.Plain.Cell("–")
	}
	return term.State(word)
}

// troubles says of everything that is not well what it is and what to do.
func (cli *cli) troubles(st *api.Status) {
	parked := 0
	for i := range st.Connections {
		c := &st.Connections[i]
		for j := range c.Tenants {
			t := &c.Tenants[j]
			parked += t.Parked
			cli.tenantTrouble(c.Name, t)
		}
	}
	for _, t := range st.Targets {
		if t.Error != "" {
			cli.out.Line("")
			cli.out.ParaStyled(term.Red, t.Name+" is failing ", "for "+term.Rough(cli.now().Sub(t.Since))+": "+t.Error)
			if !t.NextTry.IsZero() {
				cli.out.Hint("nothing is lost; the next try is " + cli.ago(t.NextTry))
			}
		}
	}
	if parked > 0 {
		cli.out.Line("")
		cli.out.Line("%s", term.Many(parked, "item")+" parked")
		cli.out.Hint("`dirsyncd parked list` shows them and why")
	}
}

func (cli *cli) tenantTrouble(connection string, t *api.TenantStatus) {
	where := place(connection, t.Tenant, t.Name)
	if f := t.Failing; f != nil {
		cli.out.Line("")
		text := fmt.Sprintf("for %s, %s in a row: %s", term.Rough(cli.now().Sub(f.Since)), term.Many(f.Runs, "run"), f.Text)
		cli.out.ParaStyled(term.Red, where+" is failing ", text)
		if cli.leftAlone(t) {
			why, then := ", so that no account is locked", "the credentials are right"
			if fault.Class(f.Class) == fault.Throttled {
				why, then = ", as it asked", "it may be asked"
			}
			cli.out.Hint("schedules leave it alone until " + cli.clock(f.Retry) + " (" + cli.ago(f.Retry) + ")" + why + "; once " + then + ", reload the daemon or run `dirsyncd sync " + connection + "`")
		}
	}
	if t.State == "due" {
		cli.out.Line("")
		cli.out.Para(where+": ", "the next run reads everything: "+t.FullNext)
		cli.out.Hint("until then, what is stored and what the source says may differ; `dirsyncd sync` runs it now")
	}
	if h := t.Held; h != nil {
		cli.out.Line("")
		since := term.Rough(cli.now().Sub(h.Since))
		text := fmt.Sprintf("a plan has been held for %s: %s", since, counts(h.Counts, wouldHappen))
		if h.RemovalsOnly {
			text += "; the rest was applied"
		}
		cli.out.Para(where+": ", text)
		cli.heldChoices(connection, h.Hash, h.Reasons)
	}
}
