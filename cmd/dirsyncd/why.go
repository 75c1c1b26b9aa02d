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
	"dirsyncd/sync/spelling"
)

func newWhyCommand(cli *cli) *cobra.Command {
	at := ""
	cmd := &cobra.Command{
		Use:   "why KIND WHO",
		Short: "explain a record: where each field came from, which rules matched",
		Long: `Explains a record as the targets were last told it: for every field its value,
since when, the expression that made it and the source values that it reads;
which rules matched and which did not; whether something is gone, waits, is held
or parked.

KIND is user, agent, group, licence, asset, customer or site. WHO is a record's
key, or the id, login, any mail address, name or employee id as the source has
it; all that are found are explained. Of somebody who is gone only the record is
left: they are found by their key or id, or by what the record says of them.

With --at it says instead what the record was at a time, and which run had made
each value so: worked back from what is kept of what was sent, and it says where
that does not reach back so far. TIME is a date, a time of this machine, RFC
3339, or how long ago: 90m, 24h, 7d.

Exit codes: 0 explained, 1 nobody found or failed, 2 wrong usage or
configuration.`,
		Example: `  dirsyncd why user ada@example.test
  dirsyncd why group "Service Desk"
  dirsyncd why user ada@example.test --at "2026-01-31 08:15"
  dirsyncd why user hq-ad/5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10 --json`,
		ValidArgsFunction: completeKinds,
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := takes(2, 2, "a kind of record and who")(cmd, args); err != nil {
			return err
		}
		if kinds := api.ExplainedKinds(); !slices.Contains(kinds, args[0]) {
			text := fmt.Sprintf("there is no kind of record %q", args[0])
			return &usageError{text, spelling.Suggest(args[0], kinds)}
		}
		return nil
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		if at != "" {
			moment, err := cli.pastTime(at)
			if err != nil {
				return err
			}
			return cli.whyAt(ctx, ops, args[0], args[1], moment)
		}
		reasons, err := ops.Why(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.Reason{}, reasons...))
		}
		for i := range reasons {
			if i > 0 {
				cli.out.Line("")
			}
			cli.showReason(&reasons[i])
		}
		return nil
	})
	cmd.Flags().StringVar(&at, "at", "", "what it was at a `TIME`")
	return cmd
}

func (cli *cli) showReason(r *api.Reason) {
	out := cli.out
	out.Line("%s", out.Paint(term.Bold, r.Kind+" "+r.Key))
	if name, ok := r.Object["name"].(string); ok {
		out.Para("  ", name)
	}
	cli.showRecord(r)
	cli.showAtTargets(r)
	cli.showPending(r)
	cli.showTickets(r)
	cli.showFields(r)
	cli.showRules(r)
	cli.showChoices(r)
	cli.showObject(r)
}

// showRecord says what the targets know.
func (cli *cli) showRecord(r *api.Reason) {
	rec := r.Record
	if rec == nil {
		cli.out.Para("  ", "no record of kind "+r.Kind+" was ever sent to the targets")
		cli.showOthers(r)
		return
	}
	text := rec.State
	if rec.Reason != "" {
		text += " (" + rec.Reason + ")"
	}
	text += fmt.Sprintf(", last changed %s in run %s", cli.ago(rec.Changed), rec.Run)
	if rec.Rule != "" {
		text += fmt.Sprintf(", made by rule %q", rec.Rule)
	}
	if rec.Members > 0 {
		text += ", " + term.Many(rec.Members, "member")
	}
	cli.out.Para("  ", text)
	cli.showOthers(r)
}

// showOthers names the records of other kinds that the same object has.
func (cli *cli) showOthers(r *api.Reason) {
	for _, o := range r.Others {
		text := fmt.Sprintf("the same object has a record of kind %s, %s", o.Kind, o.State)
		if o.Reason != "" {
			text += " (" + o.Reason + ")"
		}
		cli.out.Para("  ", text)
		cli.out.Hint("`dirsyncd why " + o.Kind + " " + o.Key + "` explains it")
	}
}

// showPending says what stands between the object and the record.
func (cli *cli) showPending(r *api.Reason) {
	say := func(s term.Style, format string, args ...any) {
		cli.out.ParaStyled(s, "  ", fmt.Sprintf(format, args...))
	}
	if r.SignedIn != "" {
		say(term.Yellow, "there because they signed in at %s: no directory has named them yet", r.SignedIn)
	}
	if r.Gone != "" && (r.Record == nil || r.Gone != r.Record.Reason) {
		say(term.Yellow, "gone: %s", r.Gone)
	}
	if r.Kept != "" {
		say(term.Dim, "never deactivated or deleted: `keep` %q", r.Kept)
	}
	if r.Record != nil && r.Record.Undone != "" {
		say(term.Yellow, "waits for an approval: %s", r.Record.Undone)
	}
	switch {
	case !r.DeleteAt.IsZero():
		say(term.Yellow, "it is deleted by the first run after %s, unless it returns", cli.said(r.DeleteAt))
	case !r.Next.IsZero():
		say(term.Dim, "what a rule says of a date may change at %s", cli.said(r.Next))
	}
	if r.Seats > 0 {
		say(term.Yellow, "waits for a seat: all %d are taken", r.Seats)
	}
	if text := importWords(r); text != "" {
		say(term.Dim, "%s", text)
	}
	if r.Held != "" {
		say(term.Yellow, "a change is held in plan %s; `dirsyncd status` says why", r.Held)
	} else if r.Waiting {
		say(term.Yellow, "something changed that the next run settles")
	}
	if r.Parked != "" {
		say(term.Red, "parked: %s", r.Parked)
	}
	if r.Error != "" && r.Error != r.Parked {
		say(term.Red, "the rules fail: %s", r.Error)
	}
}

// showTickets says which tickets were opened, and why others were not.
func (cli *cli) showTickets(r *api.Reason) {
	for _, t := range r.Tickets {
		var parts []string
		if t.Key != "" {
			parts = append(parts, fmt.Sprintf("opened %s in run %s as %s", cli.ago(t.Opened), t.Run, t.Key))
		}
		switch {
		case t.Not != "":
			parts = append(parts, fmt.Sprintf("none %s: %s", cli.ago(t.Since), t.Not))
		case t.Key != "":
		case t.On == "leave":
			parts = append(parts, "is opened when the person leaves")
		case r.Record != nil:
			parts = append(parts, "none: the person was there at the first sync, or before the mapping opened any")
		default:
			parts = append(parts, "is opened when the person joins")
		}
		cli.out.Para("  ", "ticket "+t.Ticket+": "+strings.Join(parts, "; "))
	}
}

// importWords says what an import does with the record.
func importWords(r *api.Reason) string {
	switch r.Import {
	case "":
		return ""
	case "create_only":
		return "an import that only creates: what changes at the source later is not passed on"
	case "update_only":
		return "update_only: the targets are told not to make what they do not have"
	default:
		return "an import: its events are marked"
	}
}

// showFields shows every field that the record has or that the present rules would give it.
func (cli *cli) showFields(r *api.Reason) {
	told := map[string]api.RecordField{}
	traced := map[string]api.FieldReason{}
	if r.Record != nil {
		for _, f := range r.Record.Fields {
			told[f.Field] = f
		}
	}
	// What the rules would make of somebody who is gone comes to nothing.
	last := r.Gone != ""
	for _, f := range r.Fields {
		if !last {
			traced[f.Field] = f
		}
	}
	names := slices.Sorted(maps.Keys(told))
	for name := range traced {
		if _, ok := told[name]; !ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	cli.out.Line("")
	head := "VALUE AND WHERE IT CAME FROM"
	if last {
		head = "LAST VALUE"
	}
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Shrink("FIELD"), term.Left("SINCE"), term.Left(head)}}
	for _, name := range names {
		f, isTold := told[name]
		if last {
			t.Add(name, cli.ago(f.Since), term.Value(f.Value))
			continue
		}
		trace, isTraced := traced[name]
		since := "not sent"
		if isTold {
			since = cli.ago(f.Since)
		}
		t.Add(name, since, fieldStory(f, isTold, trace, isTraced))
	}
	cli.out.Table(t)
}

// fieldStory tells a field in lines: its value, the expression with what it reads, and what would differ now.
func fieldStory(f api.RecordField, told bool, trace api.FieldReason, traced bool) string {
	var lines []string
	if told {
		lines = append(lines, term.Value(f.Value))
	}
	if !traced {
		return strings.Join(append(lines, "no rule sets it any more"), "\n")
	}
	switch {
	case !told:
		lines = append(lines, "would be "+term.Value(trace.Value))
	case term.Value(f.Value) == term.Value(trace.Value):
	case trace.On == api.OnCreate:
		lines = append(lines, "set on create only; would be "+term.Value(trace.Value)+" now")
	case trace.Value == nil || trace.Value == "":
		lines = append(lines, "blank now; the last value is kept")
	default:
		lines = append(lines, "would be "+term.Value(trace.Value)+" now")
	}
	origin := term.Value(trace.Expression)
	if trace.From != "" {
		origin += "   (" + trace.From + ")"
	}
	lines = append(lines, origin)
	for _, name := range slices.Sorted(maps.Keys(trace.Sources)) {
		source := "  " + name + ": " + term.Value(trace.Sources[name])
		if by := trace.Contributors[name]; by != "" {
			source += "   (" + by + ")"
		}
		lines = append(lines, source)
	}
	if trace.Error != "" {
		lines = append(lines, "  "+trace.Error)
	}
	return strings.Join(lines, "\n")
}

func (cli *cli) showRules(r *api.Reason) {
	if len(r.Rules) == 0 {
		return
	}
	cli.out.Line("")
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Shrink("RULE"), term.Left("OUTCOME")}}
	for _, rule := range r.Rules {
		look := term.Dim
		switch {
		case rule.Outcome == "decided":
			look = term.Green
		case strings.HasPrefix(rule.Outcome, "failed"):
			look = term.Red
		}
		text := rule.Outcome
		if rule.When != "" {
			text += ": " + rule.When
		}
		t.Add(rule.Rule, look.Cell(text))
	}
	cli.out.Table(t)
}

func (cli *cli) showChoices(r *api.Reason) {
	if len(r.Choices) == 0 {
		return
	}
	cli.out.Line("")
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Shrink("CHOICE"), term.Left("VALUE AND WHERE IT CAME FROM")}}
	for _, c := range r.Choices {
		lines := []string{term.Value(c.Value)}
		switch {
		case c.Error != "":
			lines[0] = "failed: " + c.Error
		case c.Line == 0:
			lines[0] = "blank: no line holds"
		case c.When == "":
			lines = append(lines, fmt.Sprintf("line %d: %s", c.Line, c.Is))
		default:
			lines = append(lines, fmt.Sprintf("line %d, %s: %s", c.Line, c.When, c.Is))
		}
		for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
			lines = append(lines, "  "+name+": "+term.Value(c.Sources[name]))
		}
		t.Add(c.Choice, strings.Join(lines, "\n"))
	}
	cli.out.Table(t)
}

func (cli *cli) showObject(r *api.Reason) {
	if len(r.Object) == 0 && len(r.Groups) == 0 {
		return
	}
	cli.out.Line("")
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Shrink("SOURCE"), term.Left("AS LAST SEEN AT " + place(r.Connection, r.Tenant, ""))}}
	t.Add("id", r.ID)
	for _, name := range slices.Sorted(maps.Keys(r.Object)) {
		t.Add(name, term.Value(r.Object[name]))
	}
	addGroups(t, r.Groups, r.GroupPaths)
	if r.Strangers > 0 {
		t.Add("(not read)", fmt.Sprintf("%d of its members, or of those of groups below it: they count for nothing", r.Strangers))
	}
	cli.out.Table(t)
}

// addGroups names groups, those that contain others on the way with the way: "Service Desk > 1st Line".
func addGroups(t *term.Table, groups, paths []string) {
	if len(paths) == len(groups) {
		groups = paths
	}
	if len(groups) > 0 {
		t.Add("groups", strings.Join(groups, ", "))
	}
}
