package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

// planAt shows what would happen at a target that has things of its own.
func (cli *cli) planAt(ctx context.Context, ops api.Operations, req api.PlanAtRequest) error {
	if req.Limit == 0 {
		req.Limit = math.MaxInt32
	}
	r, err := ops.PlanAt(ctx, req)
	if err != nil {
		return err
	}
	asked := len(r.Doubts)
	for _, counts := range r.Counts {
		asked += counts["review"]
	}
	if cli.opts.json {
		if err := cli.out.JSON(r); err != nil {
			return err
		}
	} else {
		cli.showPlanAt(&r)
	}
	code := planCode(r.Runs)
	if code == exitClean && asked > 0 {
		code = exitHeld
	}
	return finished(code)
}

func (cli *cli) showPlanAt(r *api.PlanAtResult) {
	t := &term.Table{Columns: []term.Column{term.Left("WHAT"), term.Left("THING"), term.Shrink("RECORD"), term.Shrink("BECAUSE")}}
	all := 0
	for _, counts := range r.Counts {
		for what, n := range counts {
			if what != "overwrite" {
				all += n
			}
		}
	}
	for _, a := range r.Actions {
		because := a.Cause
		if a.Key != "" {
			because = strings.TrimSpace(a.Key + " " + a.Cause)
		}
		t.Add(a.What, strings.TrimSpace(a.Kind+" "+a.ID), a.Subject, because)
	}
	if t.Len() > 0 {
		cli.out.Table(t)
		if more := all - len(r.Actions); more > 0 {
			cli.out.Para("  ", fmt.Sprintf("… and %s more; `--limit 0` shows all", term.Number(more)))
		}
		cli.out.Line("")
	} else if planCode(r.Runs) != exitFailed {
		cli.out.Line("nothing would happen at %s", r.Target)
	}
	cli.showCounts(r.Counts)
	cli.showAdopted(r.Fields)
	for _, kind := range slices.Sorted(maps.Keys(r.Doubts)) {
		cli.out.ParaStyled(term.Yellow, "", fmt.Sprintf("%ss: %s; who is not listed would be asked about", kind, r.Doubts[kind]))
	}
	for i := range r.Runs {
		if r.Runs[i].Error != "" {
			cli.out.ParaStyled(term.Red, runPlace(&r.Runs[i])+" failed: ", r.Runs[i].Error)
		}
	}
}

// showAdopted says what adoptions do to fields.
func (cli *cli) showAdopted(fields map[string]map[string]map[string]int) {
	words := map[string]string{"fill": "filled", "overwrite": "overwritten", "keep": "other there, kept"}
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Left("KIND"), term.Left("FIELD"), term.Shrink("OF THOSE THAT ARE ADOPTED")}}
	for _, kind := range slices.Sorted(maps.Keys(fields)) {
		for _, field := range slices.Sorted(maps.Keys(fields[kind])) {
			var list []string
			for _, what := range []string{"overwrite", "fill", "keep"} {
				if n := fields[kind][field][what]; n > 0 {
					list = append(list, term.Number(n)+" "+words[what])
				}
			}
			t.Add(kind, field, strings.Join(list, ", "))
		}
	}
	if t.Len() > 0 {
		cli.out.Table(t)
	}
}

// showFieldExamples shows some of what adoptions meet.
func (cli *cli) showFieldExamples(list []api.FieldExample) {
	for _, x := range list {
		verb := "is replaced by"
		if x.What == "keep" {
			verb = "stays, in place of"
		}
		cli.out.Para("  ", fmt.Sprintf("%s (%s), %s: %q %s %q", x.ID, x.Subject, x.Field, x.Theirs, verb, x.Ours))
	}
}
