package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

func newConfigCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "the configuration that several daemons work by",
		Long: `Several daemons on one state in PostgreSQL (docs/workers.md) work by one
configuration, the current one. Status shows those that have another one as
"outdated".`,
		Example: "  dirsyncd config publish",
	}
	asGroup(cmd)
	cmd.AddCommand(newPublishCommand(cli))
	return cmd
}

func newPublishCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "make the configuration of one daemon that of all",
		Long: `Of several daemons on one state in PostgreSQL (docs/workers.md): makes what the
daemon that is asked works by the current configuration of all. Those that have
the same take work; those that have another one finish what they hold and take
no more, until their file is the same and they are reloaded or restarted.

A start only joins what is current. After a file was edited and daemons were
restarted with it, they are "outdated" in status as long as one lives that has
the former configuration; this, asked of one of them, turns that round. Nothing
is read anew: an edited file is taken by a reload, which publishes it, too.
` + "`check`" + ` says what is in a file.

Exit codes: 0 it is the current one, now or already; 1 failed; 2 the state is a
file, no daemon runs, or the configuration is for one worker alone.`,
		Example: "  dirsyncd config publish\n  dirsyncd --control /run/dirsyncd-north/control.sock config publish",
		Args:    takes(0, 0, ""),
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
		p, err := ops.Publish(ctx)
		switch {
		case err != nil:
			return err
		case cli.opts.json:
			return cli.out.JSON(p)
		}
		cli.showPublication(&p)
		if st, err := ops.Status(ctx); err == nil {
			cli.remindOfProblem(&st)
		}
		return nil
	})
	return cmd
}

func (cli *cli) showPublication(p *api.Publication) {
	out := cli.out
	if p.Already {
		out.Line("the configuration of this daemon is the current one already")
		out.Para("published              ", cli.ago(p.Published)+", by "+p.By)
	} else {
		out.Line("the configuration of this daemon is the current one now")
	}
	out.Para("read from              ", p.File)
	var have, idle, others []string
	for _, w := range p.Workers {
		switch {
		case !w.Current:
			others = append(others, w.Name)
		case w.Draining:
			idle = append(idle, w.Name)
		default:
			have = append(have, w.Name)
		}
	}
	list := func(label string, names []string) {
		if len(names) > 0 {
			out.Para(label, strings.Join(names, ", "))
		}
	}
	list("have it and take work  ", have)
	list("have it, are drained   ", idle)
	list("have another one       ", others)
	if len(others) > 0 {
		out.Hint("they finish what they hold and take no more: give them the same file, then reload or restart them")
	}
	if len(have) == 0 {
		out.ParaStyled(term.Yellow, "", "nobody takes work")
		if len(idle) > 0 {
			out.Hint("`dirsyncd drain " + idle[0] + " --end` has a drained one take work again")
		}
	}
}
