package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

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
			return sh.out.json(st)
		}
		sh.showStatus(&st)
		return nil
	})
	return cmd
}

func (sh *shell) showStatus(st *api.Status) {
	out := sh.out
	if st.Daemon {
		running, since := out.paint(green, "running"), span(sh.now().Sub(st.Started))
		out.line("dirsyncd %s is %s, pid %d, for %s", st.Version, running, st.PID, since)
	} else {
		out.line("%s; this is the stored state", out.paint(yellow, "no daemon is running"))
	}
	out.line("configuration  %s", st.Config)
	out.line("state          %s", st.State)
	if st.Problem != "" {
		out.line("")
		out.paraStyled(red, "", "the last reload was refused, the configuration before it is in force:")
		out.para("    ", st.Problem)
	}
	out.line("")
	sh.connectionTable(st)
	out.line("")
	sh.targetTable(st)
	sh.troubles(st)
}

func (sh *shell) connectionTable(st *api.Status) {
	t := &table{columns: []column{shrink("CONNECTION"), left("STATE"), left("AGREED"), left("NEXT"), left("HOLDS")}}
	for i := range st.Connections {
		c := &st.Connections[i]
		for j := range c.Tenants {
			ten := &c.Tenants[j]
			where := place(c.Name, ten.Tenant, ten.Name)
			t.add(where, state(ten.State), sh.ago(ten.Proven), sh.nextRun(c, ten), holds(ten))
		}
		if len(c.Tenants) == 0 {
			t.add(c.Name, state("new"), "–", sh.nextRun(c, nil), "")
		}
	}
	sh.out.table(t)
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

func state(word string) cell {
	switch word {
	case "ok":
		return cell{word, green}
	case "due", "held", "parked", "unknown":
		return cell{word, yellow}
	case "failing":
		return cell{word, red}
	default:
		return cell{text: word}
	}
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
	t := &table{columns: []column{
		shrink("TARGET"), left("KIND"), left("STATE"), right("WAITING"), left("OLDEST"), right("PARKED"),
	}}
	for _, ts := range st.Targets {
		look := targetState(ts.State, st.Daemon)
		t.add(ts.Name, ts.Target, look, warnAbove0(ts.Waiting), sh.ago(ts.Oldest), warnAbove0(ts.Parked))
	}
	sh.out.table(t)
}

// targetState: without a daemon nobody talks to targets, and not to know is no trouble.
func targetState(word string, daemon bool) cell {
	if word == "unknown" && !daemon {
		return cell{text: "–"}
	}
	return state(word)
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
			sh.out.line("")
			sh.out.paraStyled(red, t.Name+" is failing ", "for "+rough(sh.now().Sub(t.Since))+": "+t.Error)
			if !t.NextTry.IsZero() {
				sh.out.hint("nothing is lost; the next try is " + sh.ago(t.NextTry))
			}
		}
	}
	if parked > 0 {
		sh.out.line("")
		sh.out.line("%s", many(parked, "item")+" parked")
		sh.out.hint("`dirsyncd parked list` shows them and why")
	}
}

func (sh *shell) tenantTrouble(connection string, t *api.TenantStatus) {
	where := place(connection, t.Tenant, t.Name)
	if f := t.Failing; f != nil {
		sh.out.line("")
		text := fmt.Sprintf("for %s, %s in a row: %s", rough(sh.now().Sub(f.Since)), many(f.Runs, "run"), f.Text)
		sh.out.paraStyled(red, where+" is failing ", text)
		if sh.leftAlone(t) {
			sh.out.hint("schedules leave it alone until " + sh.clock(f.Retry) + " (" + sh.ago(f.Retry) + "), so that no account is locked; once the credentials are " +
				"right, reload the daemon or run `dirsyncd sync " + connection + "`")
		}
	}
	if t.State == "due" {
		sh.out.line("")
		sh.out.para(where+": ", "the next run reads everything: "+t.FullNext)
		sh.out.hint("until then, what is stored and what the source says may differ; `dirsyncd sync` runs it now")
	}
	if h := t.Held; h != nil {
		sh.out.line("")
		since := rough(sh.now().Sub(h.Since))
		text := fmt.Sprintf("a plan has been held for %s: %s", since, counts(h.Counts, wouldHappen))
		if h.RemovalsOnly {
			text = fmt.Sprintf("removals have been held for %s; the rest of the plan was applied", since)
		}
		sh.out.para(where+": ", text)
		sh.heldChoices(connection, h.Hash, h.Reasons)
	}
}
