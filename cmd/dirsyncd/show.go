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
)

func newShowCommand(cli *cli) *cobra.Command {
	var read bool
	cmd := &cobra.Command{
		Use:   "show PERSON [CONNECTION[/TENANT]…]",
		Short: "show one person: source, records, what waits, last changes",
		Long: `Shows what is known of a person: what the source says, in the names that rules
use, with groups, licences and manager; the records that the targets were told
of; what waits, is held or parked; and the last changes, of the runs that are
kept.

PERSON is a name, login, any mail address, employee id, the id as the source has
it, or a record's key; all that are found are shown.

With --read the sources are read first, into a copy that is thrown away: also
before the first sync. The records are then those that a sync would make.

Where each field of a record comes from is told by ` + "`dirsyncd why`" + `.

Exit codes: 0 shown, 1 nobody found or failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd show "Ada Lovelace"
  dirsyncd show ada@example.test --json
  dirsyncd show ada hq-ad --read`,
		Args:              takes(1, -1, "a person"),
		ValidArgsFunction: cli.completeAfterFirst,
	}
	run := func(need access) func(*cobra.Command, []string) error {
		return cli.with(need, func(ctx context.Context, ops api.Operations, args []string) error {
			if err := knownConnections(ctx, ops, args[1:]); err != nil {
				return err
			}
			line := cli.progressLine()
			if read {
				line.Show("reading")
			}
			people, err := ops.Show(ctx, api.ShowRequest{Who: args[0], Connections: args[1:], Read: read})
			line.Clear()
			if err != nil {
				return err
			}
			if cli.opts.json {
				return cli.out.JSON(append([]api.Person{}, people...))
			}
			for i := range people {
				if i > 0 {
					cli.out.Line("")
				}
				cli.showPerson(&people[i], read)
			}
			return nil
		})
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if read {
			return run(toAsk)(cmd, args)
		}
		return run(toRead)(cmd, args)
	}
	cmd.Flags().BoolVar(&read, "read", false, "read the sources first, without storing anything")
	return cmd
}

func (cli *cli) showPerson(p *api.Person, read bool) {
	out := cli.out
	title, ok := p.Object["name"].(string)
	if !ok {
		title = p.Key
	}
	out.Line("%s", out.Paint(term.Bold, title))
	if title != p.Key {
		out.Para("  ", p.Key)
	}
	if p.Gone != "" {
		out.ParaStyled(term.Yellow, "  ", "gone: "+p.Gone)
	}
	if len(p.Records) == 0 {
		out.Para("  ", "no record: the rules make nothing of this person, or what they make was not told yet")
		out.Hint("`dirsyncd why user " + p.Key + "` says which rules matched")
	}
	for i := range p.Records {
		out.Para("  ", cli.recordState(&p.Records[i], read))
	}
	cli.showStanding(p)
	cli.showSource(p)
	cli.showRecords(p)
	cli.showLastChanges(p)
}

func (cli *cli) recordState(r *api.PersonRecord, read bool) string {
	text := r.Kind + ": " + r.State
	if r.Reason != "" {
		text += " (" + r.Reason + ")"
	}
	if !read {
		text += fmt.Sprintf(", last changed %s in run %s", cli.ago(r.Changed), r.Run)
	}
	if r.Rule != "" {
		text += fmt.Sprintf(", made by rule %q", r.Rule)
	}
	return text
}

// showStanding says what stands between what the source says and what the targets have.
func (cli *cli) showStanding(p *api.Person) {
	if p.Held != "" {
		cli.out.ParaStyled(term.Yellow, "  ", "a change is held in plan "+p.Held+"; `dirsyncd status` says why")
	} else if p.Waiting {
		cli.out.ParaStyled(term.Yellow, "  ", "something changed that the next run settles")
	}
	for _, q := range p.Queued {
		cli.out.ParaStyled(term.Yellow, "  ", fmt.Sprintf("waits for target %s since %s: %s %s", q.Target, strings.TrimSuffix(cli.ago(q.Since), " ago"), q.Op, q.Kind))
	}
	for i := range p.Parked {
		item := &p.Parked[i]
		cli.out.ParaStyled(term.Red, "  ", fmt.Sprintf("parked %s, %s: %s", parkedWhere(item), cli.ago(item.Since), item.Reason))
		cli.out.Hint("`dirsyncd parked retry " + item.ID + "` when the cause is gone")
	}
}

func (cli *cli) showSource(p *api.Person) {
	if p.Object == nil {
		return
	}
	cli.out.Line("")
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Shrink("SOURCE"), term.Left("AS LAST SEEN AT " + place(p.Connection, p.Tenant, p.TenantName))}}
	t.Add("id", p.ID)
	for _, name := range slices.Sorted(maps.Keys(p.Object)) {
		t.Add(name, term.Value(p.Object[name]))
	}
	if p.Manager != "" {
		t.Add("manager", p.Manager)
	}
	addGroups(t, p.Groups, p.GroupPaths)
	if len(p.Licences) > 0 {
		t.Add("licences", strings.Join(p.Licences, ", "))
	}
	cli.out.Table(t)
}

func (cli *cli) showRecords(p *api.Person) {
	for i := range p.Records {
		r := &p.Records[i]
		if len(r.Fields) == 0 {
			continue
		}
		cli.out.Line("")
		t := &term.Table{Indent: "  ", Columns: []term.Column{term.Shrink("RECORD " + strings.ToUpper(r.Kind)), term.Left("SINCE"), term.Left("VALUE")}}
		for _, f := range r.Fields {
			t.Add(f.Field, cli.ago(f.Since), term.Value(f.Value))
		}
		cli.out.Table(t)
	}
}

func (cli *cli) showLastChanges(p *api.Person) {
	if len(p.Changes) == 0 {
		return
	}
	cli.out.Line("")
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Left("RUN"), term.Left("STARTED"), term.Left("ACTION"), term.Left("KIND"), term.Left("CHANGES")}}
	for i := range p.Changes {
		c := &p.Changes[i]
		t.Add(shortID(c.Run), cli.clock(c.Started), opCell(c.Op), c.Kind, term.Clean(planned(&c.PlannedAction)))
	}
	cli.out.Table(t)
}
