package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

func newStatusCommand(sh *shell) *cobra.Command {
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
	cmd.RunE = sh.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
		st, err := ops.Status(ctx)
		if err != nil {
			return err
		}
		if sh.opts.json {
			return sh.out.JSON(st)
		}
		sh.showStatus(&st)
		return nil
	})
	return cmd
}

func (sh *shell) showStatus(st *api.Status) {
	out := sh.out
	if st.Daemon {
		running, since := out.Paint(term.Green, "running"), term.Span(sh.now().Sub(st.Started))
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
	sh.connectionTable(st)
	out.Line("")
	sh.targetTable(st)
	sh.troubles(st)
}

func (sh *shell) connectionTable(st *api.Status) {
	t := &term.Table{Columns: []term.Column{term.Shrink("CONNECTION"), term.Left("STATE"), term.Left("AGREED"), term.Left("NEXT"), term.Left("HOLDS")}}
	for i := range st.Connections {
		c := &st.Connections[i]
		for j := range c.Tenants {
			ten := &c.Tenants[j]
			where := place(c.Name, ten.Tenant, ten.Name)
			t.Add(where, term.State(ten.State), sh.ago(ten.Proven), sh.nextRun(c, ten), holds(ten))
		}
		if len(c.Tenants) == 0 {
			t.Add(c.Name, term.State("new"), "–", sh.nextRun(c, nil), "")
		}
	}
	sh.out.Table(t)
}

// nextRun says when a tenant is read next: by its connection's schedule, or later where schedules leave it alone.
func (sh *shell) nextRun(c *api.ConnectionStatus, t *api.TenantStatus) string {
	next := c.Next
	if next.IsZero() || (!c.NextFull.IsZero() && c.NextFull.Before(next)) {
		next = c.NextFull
	}
	switch {
	case c.Running:
		return "running"
	case next.IsZero():
		return "–"
	case sh.leftAlone(t) && t.Failing.Retry.After(next):
		return sh.ago(t.Failing.Retry)
	default:
		return sh.ago(next)
	}
}

// leftAlone reports whether schedules leave a tenant alone for now, because its credentials were refused.
func (sh *shell) leftAlone(t *api.TenantStatus) bool {
	return t != nil && t.Failing != nil && t.Failing.Retry.After(sh.now())
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

func (sh *shell) targetTable(st *api.Status) {
	t := &term.Table{Columns: []term.Column{
		term.Shrink("TARGET"), term.Left("KIND"), term.Left("STATE"), term.Right("WAITING"), term.Left("OLDEST"), term.Right("PARKED"),
	}}
	for _, ts := range st.Targets {
		look := targetState(ts.State, st.Daemon)
		t.Add(ts.Name, ts.Target, look, warnAbove0(ts.Waiting), sh.ago(ts.Oldest), warnAbove0(ts.Parked))
	}
	sh.out.Table(t)
}

// targetState: without a daemon nobody talks to targets, and not to know is no trouble.
func targetState(word string, daemon bool) term.Cell {
	if word == "unknown" && !daemon {
		return term.Plain.Cell("–")
	}
	return term.State(word)
}

// troubles says of everything that is not well what it is and what to do.
func (sh *shell) troubles(st *api.Status) {
	parked := 0
	for i := range st.Connections {
		c := &st.Connections[i]
		for j := range c.Tenants {
			t := &c.Tenants[j]
			parked += t.Parked
			sh.tenantTrouble(c.Name, t)
		}
	}
	for _, t := range st.Targets {
		if t.Error != "" {
			sh.out.Line("")
			sh.out.ParaStyled(term.Red, t.Name+" is failing ", "for "+term.Rough(sh.now().Sub(t.Since))+": "+t.Error)
			if !t.NextTry.IsZero() {
				sh.out.Hint("nothing is lost; the next try is " + sh.ago(t.NextTry))
			}
		}
	}
	if parked > 0 {
		sh.out.Line("")
		sh.out.Line("%s", term.Many(parked, "item")+" parked")
		sh.out.Hint("`dirsyncd parked list` shows them and why")
	}
}

func (sh *shell) tenantTrouble(connection string, t *api.TenantStatus) {
	where := place(connection, t.Tenant, t.Name)
	if f := t.Failing; f != nil {
		sh.out.Line("")
		text := fmt.Sprintf("for %s, %s in a row: %s", term.Rough(sh.now().Sub(f.Since)), term.Many(f.Runs, "run"), f.Text)
		sh.out.ParaStyled(term.Red, where+" is failing ", text)
		if sh.leftAlone(t) {
			sh.out.Hint("schedules leave it alone until " + sh.clock(f.Retry) + " (" + sh.ago(f.Retry) + "), so that no account is locked; once the credentials are " +
				"right, reload the daemon or run `dirsyncd sync " + connection + "`")
		}
	}
	if t.State == "due" {
		sh.out.Line("")
		sh.out.Para(where+": ", "the next run reads everything: "+t.FullNext)
		sh.out.Hint("until then, what is stored and what the source says may differ; `dirsyncd sync` runs it now")
	}
	if h := t.Held; h != nil {
		sh.out.Line("")
		since := term.Rough(sh.now().Sub(h.Since))
		text := fmt.Sprintf("a plan has been held for %s: %s", since, counts(h.Counts, wouldHappen))
		if h.RemovalsOnly {
			text = fmt.Sprintf("removals have been held for %s; the rest of the plan was applied", since)
		}
		sh.out.Para(where+": ", text)
		sh.heldChoices(connection, h.Hash, h.Reasons)
	}
}
