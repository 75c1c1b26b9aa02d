package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

func newStatusCommand(cli *cli) *cobra.Command {
	var checking bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "say how everything is",
		Long: `Says for every connection when it last agreed with its source, when it runs next
and what it holds, for every target what waits, and what to do about the rest.

AGREED is the last success: when what is stored was last known to agree with the
source. CONTENTS are objects of the source, and the records made of them, and
when a run next finds something to do because time went on: a record that was
deactivated is to be deleted, or a rule says something else of a date.
After refused credentials NEXT is when schedules try again, which they do less
and less often; a reload with other credentials and ` + "`dirsyncd sync`" + ` try at once.

WAITING is all that a target has not taken yet: what is to be sent, and what
waits there for an approval, a decision, another record or open work. OLDEST is
how long the oldest that is to be sent has waited.

UNASKED counts what was taken away within the last 24 hours and 7 days and
nobody was asked about: deactivated and deleted records, memberships that were
lost. It is what the limits over time are about; an approval begins it anew.

States of a connection: new (never read), ok, due (a full read comes next, as
after a discard), held (a plan waits for approval), parked (something failed for
good), failing (the last run failed).

Exit codes: 0 whatever the state is, 1 it could not be found out, 2 wrong usage
or configuration.

With --check it is one line for monitoring (Nagios, Icinga), and the exit code
says how bad it is: 0 OK; 1 WARNING: something is held or parked, has failed for
less than an hour, a reload was refused, actions have waited for too long,
somebody has to say who is who, a connection is empty, people wait for a seat,
a recipient of notices cannot be told, or a certificate or secret ends within
two weeks; 2 CRITICAL: something has failed for longer, was not proven to agree
with its source for too long, ran out, or no daemon runs; 3 UNKNOWN: it could
not be found out. What is too long, ` + "`notices`" + ` in the configuration says.`,
		Example: `  dirsyncd status
  dirsyncd status --check
  dirsyncd status --json | jq '.connections[].tenants[].state'`,
		Args: takes(0, 0, ""),
	}
	show := cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
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
	check := cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
		st, err := ops.Status(ctx)
		if err != nil {
			return err
		}
		return cli.showVerdict(cli.judge(&st))
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !checking {
			return show(cmd, args)
		}
		err := check(cmd, args)
		if status := exitStatus(0); err == nil || errors.As(err, &status) {
			return err
		}
		return cli.showVerdict(verdict{unknown, []string{fault.Text(err)}})
	}
	cmd.Flags().BoolVar(&checking, "check", false, "one line and an exit code, for monitoring")
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
	if len(st.Workers) > 0 {
		out.Line("")
		cli.workerTable(st)
	}
	cli.unaskedTable(st)
	cli.troubles(st)
	cli.told(st)
}

func (cli *cli) connectionTable(st *api.Status) {
	t := &term.Table{Columns: []term.Column{term.Shrink("CONNECTION"), term.Left("STATE"), term.Left("AGREED"), term.Left("NEXT"), term.Left("CONTENTS")}}
	for i := range st.Connections {
		c := &st.Connections[i]
		for j := range c.Tenants {
			ten := &c.Tenants[j]
			where := place(c.Name, ten.Tenant, ten.Name)
			contents := holds(ten)
			if !ten.NextDue.IsZero() {
				contents += ", due " + cli.ago(ten.NextDue)
			}
			t.Add(where, term.State(ten.State), cli.ago(ten.Proven), cli.nextRun(c, ten), contents)
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
		t.Add(ts.Name, ts.Target, look, warnAbove0(allWaiting(ts.Waiting, ts.Waits)), cli.ago(ts.Oldest), warnAbove0(ts.Parked))
	}
	cli.out.Table(t)
}

// mostUnasked is how many tenants the table of what was taken away has.
const mostUnasked = 20

// unaskedTable says what was taken away over time without anybody having been asked, those first that lost most.
func (cli *cli) unaskedTable(st *api.Status) {
	type row struct {
		where     string
		day, week string
		most      int
	}
	var rows []row
	for i := range st.Connections {
		c := &st.Connections[i]
		for j := range c.Tenants {
			t := &c.Tenants[j]
			week, n := takenAway(t.Unasked["7d"])
			if n == 0 {
				continue
			}
			day, _ := takenAway(t.Unasked["24h"])
			if day == "" {
				day = "–"
			}
			rows = append(rows, row{place(c.Name, t.Tenant, t.Name), day, week, n})
		}
	}
	if len(rows) == 0 {
		return
	}
	slices.SortStableFunc(rows, func(a, b row) int { return b.most - a.most })
	table := &term.Table{Columns: []term.Column{term.Shrink("UNASKED"), term.Left("24 HOURS"), term.Left("7 DAYS")}}
	for _, r := range rows[:min(len(rows), mostUnasked)] {
		table.Add(r.where, r.day, r.week)
	}
	cli.out.Line("")
	cli.out.Table(table)
	if more := len(rows) - mostUnasked; more > 0 {
		cli.out.Line("and %s more; `dirsyncd status --json` has them all", term.Number(more))
	}
}

// takenAway says how many records and memberships are among what was done, and how many in all.
func takenAway(done map[string]int) (text string, all int) {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(done)) {
		kind, op, _ := strings.Cut(what, "/")
		var words string
		switch {
		case done[what] == 0:
			continue
		case what == "memberships":
			words = term.Many(done[what], "membership")
		case op == directory.Deactivate.String():
			words = term.Many(done[what], kind) + " off"
		case op == directory.Delete.String():
			words = term.Many(done[what], kind) + " deleted"
		default:
			continue
		}
		parts, all = append(parts, words), all+done[what]
	}
	return strings.Join(parts, ", "), all
}

// mostTold is how many conditions of a kind are shown.
const mostTold = 10

// told says what somebody would be told of and has no other place in the state, and who cannot be told.
func (cli *cli) told(st *api.Status) {
	shown := map[string]int{}
	for i := range st.Conditions {
		c := &st.Conditions[i]
		if !slices.Contains([]string{"unproven", "late", "empty", "expiring"}, c.Kind) || bySignin(c) {
			continue
		}
		if shown[c.Kind]++; shown[c.Kind] > mostTold {
			continue
		}
		style := term.Yellow
		if c.Kind == "unproven" || c.Kind == "expiring" && !cli.now().Before(c.Ends) {
			style = term.Red
		}
		cli.out.Line("")
		cli.out.ParaStyled(style, c.Where+": ", c.Text)
		cli.out.Hint(c.Hint)
	}
	for _, kind := range slices.Sorted(maps.Keys(shown)) {
		if more := shown[kind] - mostTold; more > 0 {
			cli.out.Line("")
			cli.out.Line("%s more of this kind: %s; `dirsyncd status --json` has them all", term.Number(more), kind)
		}
	}
	for _, r := range st.Recipients {
		cli.out.Line("")
		cli.out.ParaStyled(term.Yellow, "recipient "+r.Name+" of notices could not be told ", "for "+term.Rough(cli.now().Sub(r.Since))+": "+r.Error)
		if r.Hint != "" {
			cli.out.Hint(r.Hint)
		} else {
			cli.out.Hint("`dirsyncd notices test " + r.Name + "` says why")
		}
	}
}

// unstaffedText says that nobody is there who may do what only some workers may.
func unstaffedText(workers []string) string {
	if len(workers) == 1 {
		return "it is for worker " + workers[0] + " alone, which is not alive"
	}
	return "it is for the workers " + strings.Join(workers, ", ") + ", none of which is alive"
}

const hintUnstaffed = "start one, or edit `workers`; a worker is called as its host unless `state` says `worker: NAME`"

// workerTable shows the processes that share the state, and what each works on.
func (cli *cli) workerTable(st *api.Status) {
	t := &term.Table{Columns: []term.Column{term.Shrink("WORKER"), term.Left("STATE"), term.Left("VERSION"), term.Left("STARTED"), term.Shrink("WORKS ON")}}
	for _, w := range st.Workers {
		t.Add(w.Name, term.State(w.State), w.Version, cli.ago(w.Started), cmp.Or(strings.Join(w.Holds, ", "), "–"))
	}
	cli.out.Table(t)
}

// allWaiting counts what a target has not taken yet, whatever it waits for.
func allWaiting(queued int, waits map[string]int) int {
	for _, n := range waits {
		queued += n
	}
	return queued
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
	for i := range st.Unconfigured {
		c := &st.Unconfigured[i]
		cli.out.Line("")
		cli.out.ParaStyled(term.Yellow, "", unconfigured(c.Name, c.Records))
		cli.out.Hint(api.UnconfiguredHint(c.Name))
		for j := range c.Tenants {
			parked += c.Tenants[j].Parked
			cli.tenantTrouble(c.Name, &c.Tenants[j])
		}
	}
	for _, u := range st.Unstaffed {
		cli.out.Line("")
		cli.out.ParaStyled(term.Yellow, u.Kind+" "+u.Name+" waits: ", unstaffedText(u.Workers))
		cli.out.Hint(hintUnstaffed)
	}
	for i := range st.Connections {
		cli.tellings(&st.Connections[i])
		cli.oddRules(&st.Connections[i])
	}
	for _, t := range st.Targets {
		if t.Error != "" {
			cli.out.Line("")
			cli.out.ParaStyled(term.Red, t.Name+" has been failing ", "for "+term.Rough(cli.now().Sub(t.Since))+": "+t.Error)
			switch {
			case !st.Daemon:
				cli.out.Hint("nothing is lost; `dirsyncd sync` or a daemon tries again")
			case !t.NextTry.IsZero():
				cli.out.Hint("nothing is lost; the next try is " + cli.ago(t.NextTry))
			}
		} else if !st.Daemon && t.Waiting > 0 {
			cli.out.Line("")
			cli.out.Para(t.Name+": ", term.Many(t.Waiting, "action")+" to be delivered, and no daemon runs; the oldest was queued "+cli.ago(t.Oldest))
			cli.out.Hint("`dirsyncd sync` delivers now, and says what the target answers")
		}
		cli.waitsAt(t.Name, t.Waits, append([]string{}, t.Held...))
		cli.auditedAt(&t)
	}
	for _, p := range st.Providers {
		cli.ending(p)
	}
	if parked > 0 {
		cli.out.Line("")
		cli.out.Line("%s", term.Many(parked, "item")+" parked")
		cli.out.Hint("`dirsyncd parked list` shows them and why")
	}
}

// ending says what of a provider runs out soon.
func (cli *cli) ending(p api.ProviderStatus) {
	for _, e := range p.Ends {
		if !e.Soon {
			continue
		}
		style := term.Yellow
		if !cli.now().Before(e.At) {
			style = term.Red
		}
		cli.out.Line("")
		cli.out.ParaStyled(style, "sign-in at "+p.Name+": ", e.Text+" ("+cli.ago(e.At)+")")
		if e.Hint != "" {
			cli.out.Hint(e.Hint)
		}
	}
}

// waitsAt says what waits at a target, and what to do about what waits for a human; held are the hashes of what is to be approved, nil
// where they are not known.
func (cli *cli) waitsAt(target string, counts map[string]int, held []string) {
	waits := strings.Join(waitsThere(counts, forYou(), byThemselves()), ", ")
	if waits == "" {
		return
	}
	cli.out.Line("")
	cli.out.Para(target+": ", "what cannot be done there yet waits: "+waits)
	if counts[string(targets.CauseReview)] > 0 {
		cli.out.Hint("`dirsyncd match list " + target + "` shows who is asked about")
	}
	for _, hash := range held {
		cli.out.Hint("`dirsyncd adopt " + target + "` shows what waits for approval, `dirsyncd approve " + hash + "` lets it go")
	}
	switch {
	case len(held) > 0 || counts[string(targets.CauseGuard)] == 0:
	case held != nil: // a kill came between the approval and what it lets go
		cli.out.Hint("no plan is held there any more: the daemon or `dirsyncd sync` goes on with what was approved")
	default:
		cli.out.Hint("`dirsyncd adopt " + target + "` shows what waits for approval")
	}
}

// auditedAt says what the last audit of a target found, where that is not all as it was left.
func (cli *cli) auditedAt(t *api.TargetStatus) {
	found := map[string]int{}
	for _, findings := range t.Audit {
		for finding, n := range findings {
			if finding != "same" && finding != "foreign" {
				found[finding] += n
			}
		}
	}
	var parts []string
	for _, finding := range slices.Sorted(maps.Keys(found)) {
		if n := found[finding]; n > 0 {
			parts = append(parts, term.Number(n)+" "+finding)
		}
	}
	if len(parts) == 0 {
		return
	}
	cli.out.Line("")
	text := "the last audit (" + cli.ago(t.Audited) + ") found " + strings.Join(parts, ", ")
	if !t.NextAudit.IsZero() {
		text += "; the next is " + cli.ago(t.NextAudit)
	}
	cli.out.Para(t.Name+": ", text)
	cli.out.Hint("`dirsyncd audit " + t.Name + "` names them")
}

// waitCause is something that actions wait for.
type waitCause struct {
	cause targets.Cause
	words string
}

// forYou are the causes that end when a human does something, and byThemselves the others.
func forYou() []waitCause {
	return []waitCause{{targets.CauseReview, "for somebody to decide"}, {targets.CauseGuard, "for an approval"}}
}

func byThemselves() []waitCause {
	return []waitCause{
		{targets.CauseReference, "for another record"}, {targets.CauseSettle, "until the place shows what was sent"}, {targets.CauseBusy, "for something that is in use"},
	}
}

// waitsThere says how many actions wait at a target for what.
func waitsThere(counts map[string]int, lists ...[]waitCause) (parts []string) {
	for _, c := range slices.Concat(lists...) {
		if n := counts[string(c.cause)]; n > 0 {
			parts = append(parts, term.Number(n)+" "+c.words)
		}
	}
	return parts
}

// waitsForYou says how many actions wait at a target for a human.
func waitsForYou(counts map[string]int) string {
	return strings.Join(waitsThere(counts, forYou()), ", ")
}

func (cli *cli) tenantTrouble(connection string, t *api.TenantStatus) {
	where := place(connection, t.Tenant, t.Name)
	if f := t.Failing; f != nil {
		cli.out.Line("")
		text := fmt.Sprintf("for %s, %s in a row: %s", term.Rough(cli.now().Sub(f.Since)), term.Many(f.Runs, "run"), f.Text)
		cli.out.ParaStyled(term.Red, where+" has been failing ", text)
		if cli.leftAlone(t) {
			why, then := ", so that no account is locked", "the credentials are right"
			if fault.Class(f.Class) == fault.Throttled {
				why, then = ", as it asked", "it may be asked"
			}
			cli.out.Hint("schedules leave it alone until " + cli.said(f.Retry) + " (" + cli.ago(f.Retry) + ")" + why + "; once " + then + ", reload the daemon or run `dirsyncd sync " + connection + "`")
		}
	}
	if t.State == "due" {
		cli.out.Line("")
		cli.out.Para(where+": ", "the next run reads everything: "+t.FullNext)
		cli.out.Hint("until then, what is stored and what the source says may differ; `dirsyncd sync` runs it now")
	}
	for _, s := range t.Seats {
		if s.Waiting == 0 && s.Taken <= s.Limit {
			continue
		}
		cli.out.Line("")
		cli.out.Para(where+": ", fmt.Sprintf("%s: %d of %d are taken, %s", strings.TrimSpace("seats of kind "+s.Kind+" "+s.Value), s.Taken, s.Limit, waitFor(s.Waiting)))
	}
	if h := t.Held; h != nil {
		cli.out.Line("")
		since := term.Rough(cli.now().Sub(h.Since))
		text := fmt.Sprintf("a plan has been held for %s: %s", since, counts(h.Counts, wouldHappen))
		if h.RemovalsOnly {
			text += "; the rest was applied"
		}
		cli.out.Para(where+": ", text)
		cli.heldChoices(h.Hash, h.Reasons)
	}
}

// waitFor says how many wait.
func waitFor(n int) string {
	if n == 1 {
		return "1 waits"
	}
	return term.Number(n) + " wait"
}

// oddRules says what of a connection's configuration has had no effect, and who waits for a human.
func (cli *cli) oddRules(c *api.ConnectionStatus) {
	if len(c.Undecided) > 0 {
		cli.out.Line("")
		cli.out.Para(c.Name+": ", term.Many(len(c.Undecided), "rule")+" of the mapping decided about nobody so far: "+ruleNames(c.Undecided))
		cli.out.Hint("an earlier rule may take everybody, or a name in the condition may be misspelt; `dirsyncd why` shows which rule decides about somebody, and why not another")
	}
	if c.Questions > 0 {
		cli.out.Line("")
		cli.out.ParaStyled(term.Yellow, c.Name+": ", waitFor(c.Questions)+" for a human to say who they are")
		cli.out.Hint("`dirsyncd match list " + c.Name + "` names them; everybody else goes on")
	}
	if len(c.Unmet) > 0 {
		cli.out.Line("")
		cli.out.ParaStyled(term.Yellow, c.Name+": ", "the configuration has settings for tenants that are not there: "+strings.Join(c.Unmet, ", "))
		cli.out.Hint("a tenant is named by its id, its domain or its name, as `dirsyncd check --probe` shows them")
	}
}

// ruleNames lists rules that are named by the kind of object that they are for: person/everyone.
func ruleNames(rules []string) string {
	names := make([]string, len(rules))
	for i, rule := range rules {
		kind, name, _ := strings.Cut(rule, "/")
		if names[i] = `"` + name + `"`; kind != directory.Person.String() {
			names[i] += " (for " + term.Plural(kind) + ")"
		}
	}
	return strings.Join(names, ", ")
}

// tellings says which targets are told every record of a connection at once, and how far they are: the sum of its tenants.
func (cli *cli) tellings(c *api.ConnectionStatus) {
	for _, target := range c.Targets {
		var coming, under api.Telling
		held := false
		for i := range c.Tenants {
			for _, t := range c.Tenants[i].Telling {
				sum := &under
				if t.Coming {
					sum = &coming
				}
				if t.Target == target {
					sum.Records, sum.Waiting, sum.Again = sum.Records+t.Records, sum.Waiting+t.Waiting, sum.Again || t.Again
					h := c.Tenants[i].Held
					held = held || t.Coming && h != nil && !h.RemovalsOnly
				}
			}
		}
		if coming.Records > 0 {
			what := "is new to " + c.Name + ": it gets "
			if coming.Again {
				what = "is to be sent everything of " + c.Name + " again: "
			}
			when := "the next run"
			if next := cli.nextRun(c, nil); next != "–" && next != "running" {
				when += ", " + next
			}
			if held {
				when += ", once the held plan is decided on"
			}
			cli.out.Line("")
			cli.out.Para(target+" ", what+term.Many(coming.Records, "record")+" with "+when)
		}
		if under.Records > 0 {
			what := "is new to " + c.Name
			if under.Again {
				what = "is sent everything of " + c.Name + " again"
			}
			cli.out.Line("")
			cli.out.Para(target+" ", fmt.Sprintf("%s: %s of %s are still to be sent", what, term.Number(under.Waiting), term.Many(under.Records, "record")))
		}
	}
}
