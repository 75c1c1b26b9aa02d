package main

import (
	"fmt"
	"strings"
	"time"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/directory"
)

// longAgo is from when on a date says more than a number of days.
const longAgo = 60 * 24 * time.Hour

// ago writes how long ago or in how long something is; "–" for never.
func (cli *cli) ago(t time.Time) string {
	d := cli.now().Sub(t)
	switch {
	case t.IsZero():
		return "–"
	case d.Abs() > longAgo:
		return t.In(cli.zone).Format(time.DateOnly)
	case d.Abs() < time.Second:
		return "now"
	case d < 0:
		return "in " + term.Rough(-d)
	default:
		return term.Rough(d) + " ago"
	}
}

// clock writes a moment for a table: of other years the day will do.
func (cli *cli) clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t = t.In(cli.zone)
	if t.Year() != cli.now().In(cli.zone).Year() {
		return t.Format("_2 Jan 2006")
	}
	return t.Format("_2 Jan 15:04")
}

// said writes a moment within a sentence.
func (cli *cli) said(t time.Time) string { return strings.TrimSpace(cli.clock(t)) }

// happened and wouldHappen are the words for operations in a count.
func happened(op directory.Op) string { return op.String() + "d" }

func wouldHappen(op directory.Op) string { return "to " + op.String() }

// counts writes "12 users created, 3 updated; 1 agent created", kinds and operations in their order.
func counts(byKind map[string]map[string]int, word func(directory.Op) string) string {
	kinds := people(byKind[directory.Person.String()])
	for _, kind := range directory.RecordKinds() {
		var ops []string
		for _, op := range directory.Ops() {
			n := byKind[kind.String()][op.String()]
			switch {
			case n == 0:
			case len(ops) == 0:
				ops = append(ops, term.Many(n, kind.String())+" "+word(op))
			default:
				ops = append(ops, term.Number(n)+" "+word(op))
			}
		}
		if len(ops) > 0 {
			kinds = append(kinds, strings.Join(ops, ", "))
		}
	}
	return strings.Join(kinds, "; ")
}

// people says what became of people of a connection that makes no records of them.
func people(ops map[string]int) (texts []string) {
	var parts []string
	for _, is := range []struct {
		word string
		n    int
	}{
		{"new", ops[directory.Create.String()]}, {"changed", ops[directory.Update.String()]}, {"back", ops[directory.Reactivate.String()]},
		{"gone", ops[directory.Deactivate.String()] + ops[directory.Delete.String()]},
	} {
		switch {
		case is.n == 0:
		case len(parts) == 0:
			parts = append(parts, term.Many(is.n, directory.Person.String())+" "+is.word)
		default:
			parts = append(parts, term.Number(is.n)+" "+is.word)
		}
	}
	if len(parts) > 0 {
		texts = append(texts, strings.Join(parts, ", "))
	}
	return texts
}

// amounts writes "1,204 people, 88 groups" in the order of the kinds.
func amounts(byKind map[string]int, kinds []string) string {
	var parts []string
	for _, kind := range kinds {
		if n := byKind[kind]; n > 0 {
			parts = append(parts, term.Many(n, kind))
		}
	}
	return strings.Join(parts, ", ")
}

func words[T fmt.Stringer](list []T) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return texts
}

// place names a tenant of a connection as operators know it.
func place(connection, tenant, name string) string {
	switch {
	case name != "" && tenant != "":
		return connection + "/" + name
	case tenant != "":
		return connection + "/" + tenant
	default:
		return connection
	}
}
