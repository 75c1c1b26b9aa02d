package main

import (
	"context"
	"fmt"
	"time"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

// whyAt explains what a record was at a time.
func (cli *cli) whyAt(ctx context.Context, ops api.Operations, kind, who string, at time.Time) error {
	list, err := ops.WhyAt(ctx, api.WhyAtRequest{Kind: kind, Who: who, At: at})
	if err != nil {
		return err
	}
	if cli.opts.json {
		return cli.out.JSON(append([]api.Past{}, list...))
	}
	for i := range list {
		if i > 0 {
			cli.out.Line("")
		}
		cli.showPast(&list[i])
		if past := &list[i]; (past.Kind == directory.GroupRecord.String() || past.Kind == directory.LicenceRecord.String()) && past.State != "absent" {
			cli.out.Hint("members of that time are not worked back: `dirsyncd runs show RUN --who " + past.Key + "` shows who came and went in a run")
		}
	}
	return nil
}

func (cli *cli) showPast(p *api.Past) {
	out := cli.out
	out.Line("%s", out.Paint(term.Bold, p.Kind+" "+p.Key))
	if p.Name != "" {
		out.Para("  ", p.Name)
	}
	reaches := "nothing is kept of what was sent"
	if !p.Reaches.IsZero() {
		reaches = "what was sent is kept since " + cli.said(p.Reaches)
	}
	switch p.State {
	case "":
		out.ParaStyled(term.Yellow, "  ", "at "+cli.said(p.At)+": nobody knows any more: it has changed since, and "+reaches)
	case "absent":
		out.Para("  ", "at "+cli.said(p.At)+": it had not been made yet")
	default:
		text := "at " + cli.said(p.At) + ": " + p.State
		switch {
		case p.Run == "":
			text += ", since before what is kept; " + reaches
		case p.Rule != "":
			text += fmt.Sprintf(", by rule %q in run %s of %s", p.Rule, p.Run, cli.said(p.Since))
		default:
			text += fmt.Sprintf(", in run %s of %s", p.Run, cli.said(p.Since))
		}
		out.Para("  ", text)
	}
	if len(p.Fields) == 0 {
		return
	}
	out.Line("")
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Shrink("FIELD"), term.Left("VALUE THEN"), term.Left("SET BY RUN")}}
	for _, f := range p.Fields {
		switch {
		case f.Unknown:
			t.Add(f.Field, term.Yellow.Cell("not known any more"), "it has changed since; "+reaches)
		case f.Run == "":
			t.Add(f.Field, term.Value(f.Value), "before what is kept; "+reaches)
		default:
			t.Add(f.Field, term.Value(f.Value), f.Run+", "+cli.said(f.Since))
		}
	}
	out.Table(t)
}
