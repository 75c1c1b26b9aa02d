package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/sync/control"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/spelling"
)

func newWhyCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why KIND WHO",
		Short: "explain a record: where each field came from, which rules matched",
		Long: `Explains a record as the targets were last told it: for every field its value,
since when, the expression that made it and the source values that it reads;
which rules matched and which did not; whether something is gone, waits, is held
or parked.

KIND is user, agent, group, licence, asset or customer. WHO is a record's key,
or the id, login, mail address or name as the source has it; all that
are found are explained. Of somebody who is gone only the record is left: they
are found by their key or id, or by the email, name or login in the record.

Exit codes: 0 explained, 1 nobody found or failed, 2 wrong usage or
configuration.`,
		Example: `  dirsyncd why user ada@example.test
  dirsyncd why group "Service Desk"
  dirsyncd why user hq-ad/5f1c0a52-7a11-4d0e-9a60-0b3f6f1f6a10 --json`,
		ValidArgsFunction: completeKinds,
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := takes(2, 2, "a kind of record and who")(cmd, args); err != nil {
			return err
		}
		if kinds := words(explainedKinds()); !slices.Contains(kinds, args[0]) {
			text := fmt.Sprintf("there is no kind of record %q", args[0])
			return &usageError{text, spelling.Suggest(args[0], kinds)}
		}
		return nil
	}
	cmd.RunE = sh.with(toRead, func(ctx context.Context, ops control.Operations, args []string) error {
		reasons, err := ops.Why(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		if sh.opts.json {
			return sh.out.json(append([]engine.Reason{}, reasons...))
		}
		for i := range reasons {
			if i > 0 {
				sh.out.line("")
			}
			sh.showReason(&reasons[i])
		}
		return nil
	})
	return cmd
}

func (sh *shell) showReason(r *engine.Reason) {
	out := sh.out
	out.line("%s", out.paint(bold, r.Kind+" "+r.Key))
	if name, ok := r.Object["name"].(string); ok {
		out.para("  ", name)
	}
	sh.showRecord(r)
	sh.showPending(r)
	sh.showFields(r)
	sh.showRules(r)
	sh.showObject(r)
}

// showRecord says what the targets know.
func (sh *shell) showRecord(r *engine.Reason) {
	rec := r.Record
	if rec == nil {
		sh.out.para("  ", "the targets were never told of such a "+r.Kind)
		sh.showOthers(r)
		return
	}
	text := rec.State
	if rec.Reason != "" {
		text += " (" + rec.Reason + ")"
	}
	text += fmt.Sprintf(", last changed %s in run %s", sh.ago(rec.Changed), rec.Run)
	if rec.Rule != "" {
		text += fmt.Sprintf(", made by rule %q", rec.Rule)
	}
	if rec.Members > 0 {
		text += ", " + many(rec.Members, "member")
	}
	sh.out.para("  ", text)
	sh.showOthers(r)
}

// showOthers names the records of other kinds that the same object has.
func (sh *shell) showOthers(r *engine.Reason) {
	for _, o := range r.Others {
		text := fmt.Sprintf("the same object has a record of kind %s, %s", o.Kind, o.State)
		if o.Reason != "" {
			text += " (" + o.Reason + ")"
		}
		sh.out.para("  ", text)
		sh.out.hint("`dirsyncd why " + o.Kind + " " + o.Key + "` explains it")
	}
}

// showPending says what stands between the object and the record.
func (sh *shell) showPending(r *engine.Reason) {
	say := func(s style, format string, args ...any) {
		sh.out.paraStyled(s, "  ", fmt.Sprintf(format, args...))
	}
	if r.Gone != "" && (r.Record == nil || r.Gone != r.Record.Reason) {
		say(yellow, "gone: %s", r.Gone)
	}
	if r.Held != "" {
		say(yellow, "a change is held in plan %s; `dirsyncd status` says why", r.Held)
	} else if r.Waiting {
		say(yellow, "something changed that the next run settles")
	}
	if r.Parked != "" {
		say(red, "parked: %s", r.Parked)
	}
	if r.Error != "" && r.Error != r.Parked {
		say(red, "the rules fail: %s", r.Error)
	}
}

// showFields shows every field that the record has or that the present rules would give it.
func (sh *shell) showFields(r *engine.Reason) {
	told := map[string]engine.FieldReason{}
	traced := map[string]mapping.FieldTrace{}
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
	sh.out.line("")
	head := "VALUE AND WHERE IT CAME FROM"
	if last {
		head = "LAST VALUE"
	}
	t := &table{indent: "  ", columns: []column{shrink("FIELD"), left("SINCE"), left(head)}}
	for _, name := range names {
		f, isTold := told[name]
		if last {
			t.add(name, sh.ago(f.Since), value(f.Value))
			continue
		}
		trace, isTraced := traced[name]
		since := "not sent"
		if isTold {
			since = sh.ago(f.Since)
		}
		t.add(name, since, fieldStory(f, isTold, trace, isTraced))
	}
	sh.out.table(t)
}

// fieldStory tells a field in lines: its value, the expression with what it reads, and what would differ now.
func fieldStory(f engine.FieldReason, told bool, trace mapping.FieldTrace, traced bool) string {
	var lines []string
	if told {
		lines = append(lines, value(f.Value))
	}
	if !traced {
		return strings.Join(append(lines, "no rule sets it any more"), "\n")
	}
	switch {
	case !told:
		lines = append(lines, "would be "+value(trace.Value))
	case value(f.Value) == value(trace.Value):
	case trace.On == mapping.OnCreate:
		lines = append(lines, "set on create only; would be "+value(trace.Value)+" now")
	case trace.Value == nil || trace.Value == "":
		lines = append(lines, "blank now; the last value is kept")
	default:
		lines = append(lines, "would be "+value(trace.Value)+" now")
	}
	origin := value(trace.Expression)
	if trace.From != "" {
		origin += "   (" + trace.From + ")"
	}
	lines = append(lines, origin)
	for _, name := range slices.Sorted(maps.Keys(trace.Sources)) {
		lines = append(lines, "  "+name+": "+value(trace.Sources[name]))
	}
	return strings.Join(lines, "\n")
}

func (sh *shell) showRules(r *engine.Reason) {
	if len(r.Rules) == 0 {
		return
	}
	sh.out.line("")
	t := &table{indent: "  ", columns: []column{shrink("RULE"), left("OUTCOME")}}
	for _, rule := range r.Rules {
		look := dim
		switch {
		case rule.Outcome == "decided":
			look = green
		case strings.HasPrefix(rule.Outcome, "failed"):
			look = red
		}
		text := rule.Outcome
		if rule.When != "" {
			text += ": " + rule.When
		}
		t.add(rule.Rule, cell{text, look})
	}
	sh.out.table(t)
}

func (sh *shell) showObject(r *engine.Reason) {
	if len(r.Object) == 0 && len(r.Groups) == 0 {
		return
	}
	sh.out.line("")
	t := &table{indent: "  ", columns: []column{shrink("SOURCE"), left("AS LAST SEEN AT " + place(r.Connection, r.Tenant, ""))}}
	t.add("id", r.ID)
	for _, name := range slices.Sorted(maps.Keys(r.Object)) {
		t.add(name, value(r.Object[name]))
	}
	if len(r.Groups) > 0 {
		t.add("groups", strings.Join(r.Groups, ", "))
	}
	sh.out.table(t)
}
