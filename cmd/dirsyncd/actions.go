package main

import (
	"fmt"
	"strings"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

// Whom a plan or a run is about, one row for each action.

func (cli *cli) newActionTable() *term.Table {
	return &term.Table{Indent: "  ", Columns: []term.Column{term.Left("ACTION"), term.Left("KIND"), term.Shrink("WHO"), term.Left("CHANGES")}}
}

// longestChange keeps one action to a few lines of a terminal; elsewhere, and with --json, there is everything.
const longestChange = 150

func (cli *cli) addAction(t *term.Table, a *api.PlannedAction) {
	who := a.Name
	if who == "" {
		who = a.Key
	}
	what := term.Clean(planned(a))
	if cli.out.Width < term.Unlimited {
		what = term.CutShort(what, longestChange)
	}
	t.Add(opCell(a.Op), a.Kind, who, what)
}

func opCell(op string) term.Cell {
	o, _ := directory.ParseOp(op)
	switch {
	case o.Removes():
		return term.Red.Cell(op)
	case o == directory.Update:
		return term.Yellow.Cell(op)
	default:
		return term.Green.Cell(op)
	}
}

// planned says what an action changes.
func planned(a *api.PlannedAction) string {
	var parts []string
	if a.Reason != "" {
		parts = append(parts, a.Reason)
	}
	for _, c := range a.Changes {
		if a.Op == directory.Create.String() {
			parts = append(parts, c.Field+": "+term.Value(c.To))
		} else {
			parts = append(parts, c.Field+": "+term.Value(c.From)+" → "+term.Value(c.To))
		}
	}
	if a.Added > 0 || a.Removed > 0 {
		parts = append(parts, fmt.Sprintf("members: %s in, %s out", term.Number(a.Added), term.Number(a.Removed)))
	}
	return strings.Join(parts, "; ")
}

// showActions shows whom a run changed, as far as that is known by name, and says what is left out.
func (cli *cli) showActions(r *api.Run, rest string) {
	if len(r.Actions) == 0 {
		return
	}
	t := cli.newActionTable()
	for i := range r.Actions {
		cli.addAction(t, &r.Actions[i])
	}
	cli.out.Table(t)
	if more := total(r.Counts) - len(r.Actions); more > 0 {
		cli.out.Para("  ", fmt.Sprintf("… and %s more%s", term.Number(more), rest))
	}
}

// total is how many actions there are.
func total(counts api.Counts) (n int) {
	for _, ops := range counts {
		for _, k := range ops {
			n += k
		}
	}
	return n
}
