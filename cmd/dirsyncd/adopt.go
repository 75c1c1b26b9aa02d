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

func newAdoptCommand(cli *cli) *cobra.Command {
	var req api.AdoptRequest
	cmd := &cobra.Command{
		Use:   "adopt [TARGET]",
		Short: "look at what a target has, and what waits there",
		Long: `Looks at what is at a target that has things of its own and compares it with
the records that go there: who is there already, who would be made, who is
asked about. The first contact with a place, and later what is more than its
guard lets happen in a day, waits until the hash is approved. Nothing is
changed. Without a name it is all such targets; one that cannot be asked does
not keep the others from being shown.

With --kind or --key it is a part of the adoptions, under a hash of its own: of
records of these kinds, whom this key of the target's match finds. When that is
approved, all else stays held.

Exit codes: 0 nothing waits, 1 a target could not be asked, 2 wrong usage or
configuration, 3 something waits for approval.`,
		Example: "  dirsyncd adopt apps\n  dirsyncd approve 3f2a9c01d4\n  dirsyncd adopt apps --kind user --key userName",
		Args:    takes(0, 1, "the name of a target"),
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		req.Target = strings.Join(args, "")
		list, err := ops.Adopt(ctx, req)
		if err != nil {
			return err
		}
		if cli.opts.json {
			if err := cli.out.JSON(append([]api.HeldAtTarget{}, list...)); err != nil {
				return err
			}
		}
		if len(list) == 0 && !cli.opts.json {
			cli.out.Line("no target has things of its own")
		}
		waits, failed := false, 0
		for i := range list {
			waits = waits || list[i].Hash != ""
			if list[i].Error != "" {
				failed++
			}
			if !cli.opts.json {
				cli.showHeldAt(&list[i])
			}
		}
		if failed > 0 {
			if !cli.opts.json {
				cli.out.Line("")
				cli.out.Line("%s of %s could not be asked", term.Number(failed), term.Many(targetsIn(list), "target"))
			}
			return exitStatus(exitFailed)
		}
		if waits {
			return exitStatus(exitHeld)
		}
		return nil
	})
	cmd.Flags().StringSliceVar(&req.Kinds, "kind", nil, "only adoptions of these `kinds` of record")
	cmd.Flags().StringVar(&req.Key, "key", "", "only adoptions of those whom this `key` finds")
	return cmd
}

// targetsIn counts the targets of a list, in which one may stand twice.
func targetsIn(list []api.HeldAtTarget) int {
	names := map[string]bool{}
	for i := range list {
		names[list[i].Target] = true
	}
	return len(names)
}

func (cli *cli) showHeldAt(h *api.HeldAtTarget) {
	if h.Error != "" {
		cli.out.ParaStyled(term.Red, h.Target+" could not be asked: ", h.Error)
		cli.out.Hint(h.Hint)
	}
	part := h.Part != nil
	switch {
	case h.Hash == "" && h.Error != "":
		return
	case h.Hash == "" && part:
		cli.out.Line("%s: nobody waits to be adopted%s", h.Target, ofPart(h.Part))
		return
	case h.Hash == "":
		cli.out.Line("%s: nothing waits for approval", h.Target)
		return
	}
	what := "more than its guard lets happen in a day"
	if h.First {
		what = "the first contact"
	}
	if part {
		what = "a part of the adoptions" + ofPart(h.Part)
	}
	cli.out.Para("", fmt.Sprintf("%s: %s waits for approval (%s)", cli.out.Paint(term.Bold, h.Target), what, cli.ago(h.Since)))
	cli.showCounts(h.Counts)
	cli.showAdopted(h.Fields)
	cli.showFieldExamples(h.Examples)
	for _, r := range h.Reasons {
		cli.out.Para("  ", "it would "+r)
	}
	cli.out.Line("  → dirsyncd approve %s", h.Hash)
}

// ofPart says which part of the adoptions it is.
func ofPart(p *api.AdoptPart) string {
	var of string
	if len(p.Kinds) > 0 {
		of = ", of " + strings.Join(p.Kinds, "s and ") + "s"
	}
	if p.Key != "" {
		of += ", by " + p.Key
	}
	return of
}

// showCounts shows counts by kind of record.
func (cli *cli) showCounts(counts map[string]map[string]int) {
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Left("KIND"), term.Shrink("WHAT")}}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		var list []string
		for _, what := range slices.Sorted(maps.Keys(counts[kind])) {
			if n := counts[kind][what]; n > 0 {
				list = append(list, fmt.Sprintf("%s %s", term.Number(n), what))
			}
		}
		if len(list) > 0 {
			t.Add(kind, strings.Join(list, ", "))
		}
	}
	if t.Len() > 0 {
		cli.out.Table(t)
	}
}
