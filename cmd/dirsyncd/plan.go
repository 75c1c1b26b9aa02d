package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

// defaultPlanLimit is how many actions a plan shows where nobody said how many.
const defaultPlanLimit = 100

func newPlanCommand(cli *cli) *cobra.Command {
	var req api.PlanRequest
	limit := defaultPlanLimit
	at := ""
	cmd := &cobra.Command{
		Use:   "plan [CONNECTION[/TENANT]…]",
		Short: "show what a sync would do, without doing it",
		Long: `Takes the same road as a sync, on a throw-away copy of the state, and shows
every action that would follow. Nothing is stored and nothing is delivered.

With --offline no source is asked: the plan follows from what was read last.
That is how to look at a held plan, or at the effect of edited rules.

It is the configuration file that is planned, also while the daemon runs by
another one, or by the file as it was before an edit.

With --user one person is read, as by sync --user.

With --target it is what would happen at a target that has things of its own:
who would be adopted, made, changed, taken out of use, or asked about, with what
waits for it and with what a sync would bring. It is read there, and nothing is
written.

With --json the answer is one object, {"actions": […], "runs": […], "held": …},
with one action per line as it comes, all of them unless --limit is given.
Should the plan fail on the way, the object ends with "error".

Exit codes: 0 a sync would go ahead, 1 a connection failed, 2 wrong usage or
configuration, 3 a sync would hold the plan, or a human would be asked.`,
		Example: `  dirsyncd plan
  dirsyncd plan --offline hq-ad
  dirsyncd plan --offline --config candidate.yaml
  dirsyncd plan hq-ad --user ada@example.com
  dirsyncd plan --target apps
  dirsyncd plan --json | jq '.actions[] | select(.op == "deactivate")'`,
		Args:              takes(0, -1, "names of connections"),
		ValidArgsFunction: cli.completeConnections,
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		req.Connections = args
		if cli.opts.json && !cmd.Flags().Changed("limit") {
			limit = 0
		}
		if req.Offline && req.Full {
			return misused(cmd, "--offline and --full exclude each other: offline, nothing is read")
		}
		if at != "" && req.Full {
			return misused(cmd, "--target and --full exclude each other")
		}
		if err := oneUser(cmd, args, req.User, req.Offline || req.Full || at != ""); err != nil {
			return err
		}
		if limit < 0 {
			return misused(cmd, "--limit must not be negative")
		}
		return nil
	}
	show := func(ctx context.Context, ops api.Operations, args []string) (err error) {
		if at != "" {
			return cli.planAt(ctx, ops, api.PlanAtRequest{Target: at, Connections: req.Connections, Offline: req.Offline, Limit: limit})
		}
		if req.Config, err = cli.otherConfig(ctx, ops, args); err != nil {
			return err
		}
		if req.Config == nil {
			cli.remindOfReload(ctx, ops)
		}
		if cli.opts.json {
			return cli.planJSON(ctx, ops, req, limit)
		}
		return cli.planText(ctx, ops, req, limit)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		need := toAsk
		if req.Offline {
			need = toRead
		}
		return cli.with(need, show)(cmd, args)
	}
	cmd.Flags().BoolVar(&req.Offline, "offline", false, "use the stored objects only; ask no source")
	cmd.Flags().StringVar(&req.User, "user", "", "read one person of one connection: a record key, id, login, mail address, name or employee id (`KEY`)")
	cmd.Flags().BoolVar(&req.Full, "full", false, "read everything, not only what changed")
	cmd.Flags().StringVar(&at, "target", "", "what would happen at this `target`, which has things of its own")
	cmd.Flags().IntVar(&limit, "limit", limit, "show at most `N` actions; 0: all")
	return cmd
}

// otherConfig returns the configuration file when it is not the one by which the daemon runs, and says so; nil when it is,
// or when this process itself plans by it. It complains about names that are no connections of what is planned.
func (cli *cli) otherConfig(ctx context.Context, ops api.Operations, names []string) (*api.ConfigText, error) {
	st, err := ops.Status(ctx)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, c := range st.Connections {
		known = append(known, c.Name)
	}
	for _, c := range st.Unconfigured {
		known = append(known, c.Name) // what is held of them can be looked at
	}
	file, err := config.Find(cli.opts.config)
	if !st.Daemon || cli.opts.config == "" && (err != nil || cli.opts.control != "") {
		// A socket that was named may be of a daemon to which the file in this folder is nothing.
		return nil, knownAmong(known, names)
	}
	cfg, err := cli.loadBlind()
	if err != nil {
		return nil, err
	}
	if cfg.Sum == st.ConfigSum {
		return nil, knownAmong(known, names)
	}
	if file, err = filepath.Abs(file); err != nil {
		return nil, err
	}
	text, err := config.Read(file)
	if err != nil {
		return nil, err
	}
	cli.err.Line("planned by %s as it is now; the daemon runs by another configuration", file)
	plan := &api.ConfigText{File: file, Text: string(text.Data)}
	for _, part := range text.Included {
		plan.Included = append(plan.Included, api.ConfigText{Pattern: part.Pattern, File: part.File, Text: string(part.Data)})
	}
	return plan, knownAmong(connectionNames(cfg), names)
}

func connectionNames(cfg *config.Config) (names []string) {
	for _, c := range cfg.Connections {
		names = append(names, c.Name)
	}
	return names
}

// planCode is the exit code of a plan. What is parked does not count: a plan delivers nothing.
func planCode(runs []api.Run) int {
	if code := codeOf(runs, nil); code != exitParked {
		return code
	}
	return exitClean
}

func (cli *cli) planText(ctx context.Context, ops api.Operations, req api.PlanRequest, limit int) error {
	line := cli.progressLine()
	line.Show("planning")
	v := &planView{cli: cli, limit: limit}
	plan, err := ops.Plan(ctx, req, func(a api.PlannedAction) {
		line.Clear()
		v.add(&a)
	})
	line.Clear()
	v.flush()
	if err != nil {
		return err
	}
	v.summary(plan.Runs)
	cli.showElsewhere(plan.Elsewhere, func(e *api.Elsewhere) string {
		return "not planned here; it is for " + strings.Join(e.Workers, ", ") + ". Ask there: `dirsyncd plan " + e.Connection + "`, or here by what was read last: `dirsyncd plan --offline " + e.Connection + "`"
	})
	return finished(planCode(plan.Runs))
}

// planView shows actions in tables, one per tenant. Long ones come in parts: memory does not grow with the
// plan.
type planView struct {
	cli   *cli
	limit int

	where        string // the tenant that is being shown
	rows         *term.Table
	shown, total int
}

// planPart is how many rows a part of a table has.
const planPart = 500

func (v *planView) add(a *api.PlannedAction) {
	v.total++
	if v.limit > 0 && v.shown >= v.limit {
		return
	}
	v.shown++
	if where := place(a.Connection, a.Tenant, a.TenantName); where != v.where {
		v.flush()
		if v.where != "" {
			v.cli.out.Line("")
		}
		v.where = where
		v.cli.out.Line("%s", v.cli.out.Paint(term.Bold, where))
	}
	if v.rows == nil {
		v.rows = v.cli.newActionTable()
	}
	v.cli.addAction(v.rows, a)
	if v.rows.Len() >= planPart {
		v.flush()
	}
}

func (v *planView) flush() {
	if v.rows != nil {
		v.cli.out.Table(v.rows)
		v.rows = nil
	}
}

// summary says per tenant how many actions there are, and what the guard would say.
func (v *planView) summary(runs []api.Run) {
	out := v.cli.out
	if v.total > v.shown {
		out.Para("  ", fmt.Sprintf("… and %s more; `--limit 0` shows all", term.Number(v.total-v.shown)))
	}
	if v.total > 0 && len(runs) > 0 {
		out.Line("")
	}
	t := &term.Table{Columns: []term.Column{term.Shrink("CONNECTION"), term.Left("WOULD BE"), term.Right("READ"), term.Left("ACTIONS")}}
	for i := range runs {
		r := &runs[i]
		what, word := counts(r.Counts, wouldHappen), term.Green.Cell("applied")
		switch {
		case r.Error != "":
			word = term.Red.Cell("failed")
		case r.Held != "":
			word = term.Yellow.Cell("held")
			if what != "" {
				what += "; "
			}
			what += counts(r.HeldCounts, wouldHappen) + " (held)"
		case what == "":
			what = "nothing to do"
		}
		t.Add(runPlace(r), word, term.Number(r.Read), what)
	}
	out.Table(t)
	for i := range runs {
		v.remarks(&runs[i])
	}
}

func (v *planView) remarks(r *api.Run) {
	out := v.cli.out
	for _, note := range r.Notes {
		out.Line("")
		out.Para(runPlace(r)+": ", note)
	}
	if r.Error != "" {
		out.Line("")
		out.ParaStyled(term.Red, runPlace(r)+" failed: ", r.Error)
	}
	if r.Held == "" {
		return
	}
	out.Line("")
	out.Para(runPlace(r)+": ", "a sync would hold this for approval")
	for _, reason := range r.HeldReasons {
		out.ParaStyled(term.Yellow, "    it would ", reason)
	}
	out.Line("  → dirsyncd approve %s   once a sync has held it", r.Held)
}

// planJSON writes actions as they come, so that a plan of any size needs no memory, in one object all the same.
func (cli *cli) planJSON(ctx context.Context, ops api.Operations, req api.PlanRequest, limit int) error {
	w := &planWriter{out: cli.out, limit: limit}
	w.out.Raw(`{"actions":[`)
	plan, err := ops.Plan(ctx, req, w.add)
	w.end(plan, err)
	if err != nil {
		return err
	}
	return finished(planCode(plan.Runs))
}

type planWriter struct {
	out      *term.Printer
	limit, n int
}

func (w *planWriter) add(a api.PlannedAction) {
	if w.limit > 0 && w.n >= w.limit {
		return
	}
	lead := ",\n"
	if w.n == 0 {
		lead = "\n"
	}
	w.n++
	w.out.Raw(lead + w.text(a))
}

func (w *planWriter) end(plan api.PlanResult, err error) {
	tail := struct {
		Runs      []api.Run       `json:"runs"`
		Held      bool            `json:"held"`
		Elsewhere []api.Elsewhere `json:"elsewhere,omitempty"`
		Error     *jsonError      `json:"error,omitempty"`
	}{Runs: append([]api.Run{}, plan.Runs...), Elsewhere: plan.Elsewhere}
	for _, r := range plan.Runs {
		tail.Held = tail.Held || r.Held != ""
	}
	if err != nil {
		tail.Error = &jsonError{fault.ClassOf(err), fault.Text(err), fault.Hint(err)}
	}
	w.out.Raw("\n],\n" + strings.TrimPrefix(w.text(tail), "{") + "\n")
}

// text encodes a value on one line.
func (w *planWriter) text(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		w.out.Fail(fmt.Errorf("write JSON: %w", err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// jsonError is an error in JSON output.
type jsonError struct {
	Class fault.Class `json:"class"`
	Text  string      `json:"text"`
	Hint  string      `json:"hint,omitempty"`
}
