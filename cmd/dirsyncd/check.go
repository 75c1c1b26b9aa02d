package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/config"
	"dirsyncd/sync/engine"
)

func newCheckCommand(cli *cli) *cobra.Command {
	var probing, printing bool
	var worker string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "check the configuration; with --probe also sources and targets",
		Long: `Checks the configuration and reports every problem with its place and what to
write instead. Without problems it says what would run when, and who signs in
where. It asks nobody: the network is left alone. Of very many problems the
first 50 are shown; --json has them all.

Names of groups, licences, units and tenants in rules and tables that nothing
has of what earlier runs have read are pointed out.

With --probe it also asks every source, every target, every provider of identity
and a database of the state whether it is there, takes the credentials and
grants the permissions that are needed, and what of it ends within 30 days. Of
several workers (docs/workers.md) each asks what it has to do with; what is for
others is named, and left to them.

A secret that only the service can see (its environment, a credential of
systemd) is a warning while the daemon runs, and a problem when none does.

Exit codes: 0 good, 1 a probe failed, 2 the configuration has problems.`,
		Example: `  dirsyncd check
  dirsyncd check --probe --config /etc/dirsyncd/config.yaml
  dirsyncd check --probe --worker north
  dirsyncd check --print      with every default, secrets hidden`,
		Args: takes(0, 0, ""),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if probing && printing {
			return misused(cmd, "--probe and --print exclude each other")
		}
		if err := cli.becomeOwner(); err != nil {
			return cli.reportProblems(err)
		}
		cfg, err := cli.loadConfig()
		if err != nil && !probing && cli.secretsElsewhere(cmd.Context(), err) {
			cfg, err = cli.loadBlind()
		}
		if err != nil {
			return cli.reportProblems(err)
		}
		if worker != "" {
			if cfg.Database == nil {
				return misused(cmd, noWorkers)
			}
			cfg.Database.Worker = worker
		}
		if printing {
			return cli.printConfig(cfg)
		}
		report := cli.reportOf(cfg)
		report.Warnings = append(report.Warnings, cli.leftovers(cmd.Context(), cfg)...)
		report.Warnings = append(report.Warnings, cli.unstaffed(cmd.Context(), cfg)...)
		report.Warnings = append(report.Warnings, cli.unmatched(cmd.Context(), cfg)...)
		if !cli.opts.json {
			cli.showReport(report)
		}
		if probing {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			if report.Probe, err = cli.runProbe(ctx, cfg); err != nil {
				return err
			}
			report.OK = probeOK(report.Probe)
		}
		if cli.opts.json {
			if err := cli.out.JSON(report); err != nil {
				return err
			}
		}
		if !report.OK {
			return exitStatus(exitFailed)
		}
		return nil
	}
	cmd.Flags().BoolVar(&probing, "probe", false, "also ask the sources and targets")
	cmd.Flags().StringVar(&worker, "worker", "", "what the daemon of this host is called among those that share the state, in place of the file's word (`NAME`)")
	cmd.Flags().BoolVar(&printing, "print", false, "print the configuration in force; secrets are hidden")
	return cmd
}

// checkReport is the answer of `check`.
type checkReport struct {
	File        string            `json:"file"`
	OK          bool              `json:"ok"`
	Problems    []config.Problem  `json:"problems"`
	Warnings    []config.Problem  `json:"warnings"`
	Connections []checkConnection `json:"connections,omitempty"`
	Targets     []checkTarget     `json:"targets,omitempty"`
	Providers   []checkProvider   `json:"providers,omitempty"`
	Apps        []checkApp        `json:"apps,omitempty"`
	Probe       []api.ProbeResult `json:"probe,omitempty"`
}

type checkConnection struct {
	Name      string    `json:"name"`
	Connector string    `json:"connector"`
	Mapping   string    `json:"mapping"`
	Targets   []string  `json:"targets"`
	Schedule  string    `json:"schedule,omitempty"`
	Full      string    `json:"full,omitempty"`
	Timezone  string    `json:"timezone"`
	Jitter    string    `json:"jitter,omitempty"`
	Next      time.Time `json:"next,omitzero"`
	NextFull  time.Time `json:"next_full,omitzero"`
}

type checkTarget struct {
	Name   string `json:"name"`
	Target string `json:"target"`
}

// checkProvider is one at which people sign in, and checkApp what they sign in to.
type checkProvider struct {
	Name        string   `json:"name"`
	Provider    string   `json:"provider"`
	Directories []string `json:"directories"`
	Match       []string `json:"match,omitempty"` // where it gives no id of an object
	Audience    string   `json:"audience"`
	Apps        []string `json:"apps,omitempty"`
}

type checkApp struct {
	Name      string   `json:"name"`
	URL       string   `json:"url"`
	Providers []string `json:"providers"`
	Audience  string   `json:"audience"`
	HandOver  string   `json:"hand_over"` // proxy, token
}

// secretsElsewhere reports whether all that is wrong are secrets that the service may see although this process cannot: a
// running one has them.
func (cli *cli) secretsElsewhere(ctx context.Context, err error) bool {
	var bad *config.Error
	if !errors.As(err, &bad) || slices.ContainsFunc(bad.Problems, func(p config.Problem) bool { return !p.Elsewhere }) {
		return false
	}
	running := false
	cli.daemonOnly(ctx, func(context.Context, api.Operations) { running = true })
	return running
}

// reportProblems shows a configuration's problems as the result of the command, which they are.
func (cli *cli) reportProblems(err error) error {
	var bad *config.Error
	if !cli.opts.json || !errors.As(err, &bad) {
		return err
	}
	report := checkReport{Warnings: []config.Problem{}}
	if len(bad.Problems) > 0 {
		report.File = bad.Problems[0].File
	}
	if err := cli.streamProblems(report, bad.Problems); err != nil {
		return err
	}
	return exitStatus(exitUsage)
}

// streamProblems writes a report with its problems one by one, as JSON would write it whole: there may be very many.
func (cli *cli) streamProblems(report checkReport, problems []config.Problem) error {
	const none = `"problems": []`
	report.Problems = []config.Problem{}
	frame, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	before, after, _ := strings.Cut(string(frame), none)
	cli.out.Raw(before + strings.TrimSuffix(none, "]"))
	var part bytes.Buffer
	enc := json.NewEncoder(&part)
	enc.SetEscapeHTML(false)
	enc.SetIndent("    ", "  ")
	lead := "\n    "
	for _, p := range problems {
		part.WriteString(lead)
		if err := enc.Encode(p); err != nil {
			return err
		}
		part.Truncate(part.Len() - len("\n"))
		if lead = ",\n    "; part.Len() > 64<<10 {
			cli.out.Raw(part.String())
			part.Reset()
		}
	}
	if len(problems) > 0 {
		part.WriteString("\n  ")
	}
	cli.out.Raw(part.String() + "]" + after + "\n")
	return nil
}

func (cli *cli) printConfig(cfg *config.Config) error {
	if cli.opts.json {
		return cli.out.JSON(json.Marshaler(cfg))
	}
	text, err := cfg.Print()
	if err != nil {
		return err
	}
	cli.out.Raw(string(text))
	return nil
}

func (cli *cli) reportOf(cfg *config.Config) *checkReport {
	report := &checkReport{File: cfg.File, OK: true, Problems: []config.Problem{}}
	report.Warnings = append([]config.Problem{}, cfg.Warnings...)
	for _, p := range cfg.Unseen {
		p.Message += "; this command cannot see it, so it was not checked"
		p.Hint = "the running service says at a reload whether it can"
		report.Warnings = append(report.Warnings, p)
	}
	for i := range cfg.Connections {
		c := &cfg.Connections[i]
		item := checkConnection{
			Name: c.Name, Connector: c.Connector, Mapping: c.Mapping, Targets: c.Targets,
			Schedule: c.Schedule, Full: c.Full, Timezone: c.Timezone.String(),
			Next: cli.next(c.Incremental, c.Timezone), NextFull: cli.next(c.Complete, c.Timezone),
		}
		if c.Jitter > 0 {
			item.Jitter = c.Jitter.String()
		}
		report.Connections = append(report.Connections, item)
	}
	for _, t := range cfg.Targets {
		report.Targets = append(report.Targets, checkTarget{t.Name, t.Target})
	}
	if cfg.Signin != nil {
		report.signin(cfg.Signin)
	}
	return report
}

func (r *checkReport) signin(s *config.Signin) {
	by := make(map[string][]string)
	for _, a := range s.Apps {
		item := checkApp{a.Name, a.URL.String(), a.Providers, a.Audience, "proxy"}
		if a.TokenURL != nil {
			item.HandOver = "token"
		}
		r.Apps = append(r.Apps, item)
		for _, p := range a.Providers {
			by[p] = append(by[p], a.Name)
		}
	}
	for _, p := range s.Providers {
		r.Providers = append(r.Providers, checkProvider{p.Name, p.Provider, p.Directories, p.Match, p.Audience, by[p.Name]})
	}
}

func (cli *cli) next(s cron.Schedule, zone *time.Location) time.Time {
	if s == nil {
		return time.Time{}
	}
	return s.Next(cli.now()).In(zone)
}

func (cli *cli) showReport(r *checkReport) {
	out := cli.out
	has := []string{term.Many(len(r.Connections), "connection"), term.Many(len(r.Targets), "target")}
	if len(r.Providers) > 0 {
		has = append(has, term.Many(len(r.Providers), "provider"), term.Many(len(r.Apps), "application"))
	}
	out.Line("%s is good: %s", r.File, strings.Join(has, ", "))
	out.Line("")
	parts := &term.Table{Columns: []term.Column{term.Shrink("CONNECTION"), term.Left("CONNECTOR"), term.Shrink("MAPPING"), term.Left("TARGETS")}}
	times := &term.Table{Columns: []term.Column{term.Shrink("CONNECTION"), term.Left("READS"), term.Shrink("WHEN"), term.Left("NEXT")}}
	for i := range r.Connections {
		c := &r.Connections[i]
		parts.Add(c.Name, c.Connector, c.Mapping, strings.Join(c.Targets, ", "))
		cli.addTimes(times, c)
	}
	out.Table(parts)
	out.Line("")
	out.Table(times)
	cli.showSignin(r)
	if len(r.Warnings) > 0 {
		out.Line("")
		for _, w := range r.Warnings {
			out.ParaStyled(term.Yellow, "warning: ", problemText(w))
			out.Hint(w.Hint)
		}
	}
}

// showSignin says who signs in where.
func (cli *cli) showSignin(r *checkReport) {
	if len(r.Providers) == 0 {
		return
	}
	providers := &term.Table{Columns: []term.Column{term.Shrink("PROVIDER"), term.Left("KIND"), term.Shrink("NAMES PEOPLE OF"), term.Left("LETS IN")}}
	for _, p := range r.Providers {
		providers.Add(p.Name, p.Provider, strings.Join(p.Directories, ", "), p.Audience)
	}
	apps := &term.Table{Columns: []term.Column{term.Shrink("APPLICATION"), term.Shrink("ADDRESS"), term.Shrink("PROVIDERS"), term.Left("LETS IN"), term.Left("TOLD BY")}}
	for _, a := range r.Apps {
		apps.Add(a.Name, a.URL, strings.Join(a.Providers, ", "), a.Audience, a.HandOver)
	}
	cli.out.Line("")
	cli.out.Table(providers)
	cli.out.Line("")
	cli.out.Table(apps)
}

// addTimes adds a row for each of a connection's schedules.
func (cli *cli) addTimes(t *term.Table, c *checkConnection) {
	if c.Schedule == "" && c.Full == "" {
		t.Add(c.Name, incremental, term.Schedule(""), "`dirsyncd sync` or a signal")
		return
	}
	name := c.Name
	if c.Schedule != "" {
		t.Add(name, incremental, term.Schedule(c.Schedule), cli.moment(c.Next))
		name = ""
	}
	if c.Full != "" {
		t.Add(name, "full", term.Schedule(c.Full), cli.moment(c.NextFull))
	}
	if c.Jitter != "" {
		t.Remark(term.Dim, "each starts up to "+c.Jitter+" later, at random")
	}
}

// moment writes a time with its zone and how far away it is.
func (cli *cli) moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	text := t.Format("Mon 2 Jan 15:04 MST")
	if in := cli.ago(t); strings.HasPrefix(in, "in ") {
		text += " (" + in + ")"
	}
	return text
}

// runProbe asks sources and targets and shows what they said.
func (cli *cli) runProbe(ctx context.Context, cfg *config.Config) ([]api.ProbeResult, error) {
	line := cli.progressLine()
	line.Show("asking sources and targets")
	results, err := cli.probe(ctx, cfg)
	line.Clear()
	if err != nil || cli.opts.json {
		return results, err
	}
	cli.showProbe(results)
	return results, nil
}

func (cli *cli) showProbe(results []api.ProbeResult) {
	for _, r := range results {
		cli.out.Line("")
		cli.out.Line("%s", cli.out.Paint(term.Bold, r.Kind+" "+r.Name))
		for _, f := range r.Findings {
			text := f.Subject
			if f.Detail != "" {
				text += ": " + f.Detail
			}
			cli.finding(f.OK, text, f.Hint)
		}
		if r.Error != "" {
			cli.finding(false, r.Error, r.Hint)
		}
		if e := r.Elsewhere; e != nil {
			cli.out.Mark(term.Yellow, "  --    ", fmt.Sprintf("not asked: it is for %s, and this is %s", strings.Join(e.Workers, " or "), e.Here))
			cli.out.Para("        → ", "`dirsyncd check --probe` there does; of several daemons on one host `--worker NAME` says which")
			continue
		}
		if r.Error == "" && len(r.Findings) == 0 {
			cli.finding(true, "reachable", "")
		}
	}
}

func (cli *cli) finding(ok bool, text, hint string) {
	if ok {
		cli.out.Mark(term.Green, "  OK    ", text)
		return
	}
	cli.out.Mark(term.Red, "  FAIL  ", text)
	if hint != "" {
		cli.out.Para("        → ", hint)
	}
}

func probeOK(results []api.ProbeResult) bool {
	for _, r := range results {
		if r.Error != "" {
			return false
		}
		for _, f := range r.Findings {
			if !f.OK {
				return false
			}
		}
	}
	return true
}

// leftovers warns of connections that the state holds active records of, and that the configuration does not have. A state
// that cannot be looked at now, or is not there, says nothing.
func (cli *cli) leftovers(ctx context.Context, cfg *config.Config) (list []config.Problem) {
	records := map[string]int{}
	if client, err := socket.Dial(ctx, string(cfg.Control)); err == nil {
		defer client.Close()
		st, err := client.Status(ctx)
		if err != nil {
			return nil
		}
		for _, c := range st.Connections {
			for _, t := range c.Tenants {
				for _, n := range t.Records {
					records[c.Name] += n
				}
			}
		}
		for _, c := range st.Unconfigured {
			records[c.Name] += c.Records
		}
	} else {
		st, err := readState(ctx, cfg)
		if err != nil {
			return nil
		}
		defer func() { _ = st.Close() }()
		all, err := engine.Residents(ctx, st)
		if err != nil {
			return nil
		}
		for _, r := range all {
			records[r.Partition.Connection] += r.Active
		}
	}
	for _, name := range slices.Sorted(maps.Keys(records)) {
		if _, ok := cfg.Connection(name); !ok && records[name] > 0 {
			list = append(list, config.Problem{File: cfg.File, Message: unconfigured(name, records[name]), Hint: api.UnconfiguredHint(name)})
		}
	}
	return list
}

// unstaffed warns of connections and targets of whose workers none is alive, as far as a running daemon knows.
func (cli *cli) unstaffed(ctx context.Context, cfg *config.Config) (list []config.Problem) {
	client, err := socket.Dial(ctx, string(cfg.Control))
	if err != nil {
		return nil
	}
	defer client.Close()
	st, err := client.Status(ctx)
	if err != nil || len(st.Workers) == 0 {
		return nil
	}
	look := func(kind, name string, workers []string) {
		alive := func(w api.WorkerStatus) bool { return slices.Contains(workers, w.Name) }
		if len(workers) > 0 && !slices.ContainsFunc(st.Workers, alive) {
			list = append(list, config.Problem{File: cfg.File, Message: fmt.Sprintf("%s %q: %s", kind, name, unstaffedText(workers)), Hint: hintUnstaffed})
		}
	}
	for i := range cfg.Connections {
		look("connection", cfg.Connections[i].Name, cfg.Connections[i].Workers)
	}
	for i := range cfg.Targets {
		look("target", cfg.Targets[i].Name, cfg.Targets[i].Workers)
	}
	return list
}
