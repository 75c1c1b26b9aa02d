package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/connectors/sim/ldapsim"
	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

func newDemoCommand(sh *shell) *cobra.Command {
	var dir string
	var serve bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "show what dirsyncd does, with a small made-up company",
		Long: `Starts an LDAP server with a small company in this process, syncs it into a
file, then changes people and breaks the server, and shows after each step what
dirsyncd did and which events it wrote. At the end a made-up Entra ID, Microsoft
partner, Google Workspace and Okta join it. Nothing is needed, and nothing
changes outside the folder that it names at the end; every other command can be
tried on what it leaves there.

Exit codes: 0 all went as told, 1 it did not.`,
		Example: `  dirsyncd demo              watch; it ends by itself
  dirsyncd demo --serve      keep the servers at the end, for your own tries`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			d := &demo{sh: sh, out: sh.out, dir: dir}
			defer d.close()
			return d.run(ctx, serve)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "new or empty `folder` for all files (default: a temporary one)")
	cmd.Flags().BoolVar(&serve, "serve", false, "keep the servers running at the end, until interrupted")
	return cmd
}

// demo is a running demonstration.
type demo struct {
	sh     *shell
	out    *term.Printer
	dir    string
	server *ldapsim.Server
	cloud  cloud
	ops    api.Operations
	done   func()
	step   int
	read   int64  // bytes of the journal that were shown
	agent  string // the address of one, to ask about
}

// company is how many people there are at the start.
const company = 40

const demoConfig = `# The configuration of the demonstration. config.yaml of the project explains every key.
state: state.db
listen: ""

connections:
  company:
    connector: ldap
    schedule: "@every 1m"
    full: "0 3 * * sun"
    mapping: staff
    targets: [journal]
    ldap:
      servers: [%s]
      bind: {user: "%s", password: "%s"}   # a real one: {env: LDAP_PASSWORD}
      base: %s

mappings:
  staff:
    rules:
      - name: contractors stay out
        when: employee_type == "contractor"
        ignore: true
      - name: service desk
        when: '"Service Desk" in groups'
        agent: {role: Technician, team: 1st Line}
      - name: everyone else
        when: enabled
        user: {customer: Acme, site: '= office ?? "Head office"'}
    groups:
      - name: departments
        when: name != "All Staff"
        group: {customer: Acme}
    fields:
      user: {name: = name, email: = email, phone: = phone ?? mobile, manager: = manager.name}
      agent: {name: = name, email: = email}
      group: {name: = name}
    guard:
      deactivate: {count: 10, percent: 10}

targets:
  journal: {target: file, file: {path: changes.jsonl}}
`

// run is the whole demonstration.
func (d *demo) run(ctx context.Context, serve bool) error {
	if err := d.open(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		d.firstSync, d.idle, d.joiner, d.mover, d.leaver, d.brokenAnswer, d.emptyAnswer, d.massRemoval, d.explain,
		d.fiveDirectories, d.oneCustomer,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.done() // others may use the state now
	d.done = nil
	d.goodbye(serve)
	if serve {
		<-ctx.Done()
	}
	return nil
}

func (d *demo) open(ctx context.Context) error {
	if err := d.makeFolder(); err != nil {
		return err
	}
	var err error
	if d.server, err = ldapsim.Start(ldapsim.Options{Population: ldapsim.Company(company)}); err != nil {
		return err
	}
	text := fmt.Sprintf(demoConfig, d.server.URL(), d.server.User(), d.server.Password(), d.server.Base())
	if err := os.WriteFile(d.path("config.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	cfg, err := d.sh.load(d.path("config.yaml"))
	if err != nil {
		return err
	}
	d.ops, d.done, err = d.sh.openLocal(ctx, cfg, slog.New(slog.DiscardHandler))
	return err
}

func (d *demo) makeFolder() (err error) {
	if d.dir == "" {
		d.dir, err = os.MkdirTemp("", "dirsyncd-demo-")
		return err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.dir)
	if err == nil && len(entries) > 0 {
		return &fault.Error{Class: fault.Configuration, Op: "demo", Where: d.dir, Err: errors.New("the folder is not empty"), Hint: "name a new one with --dir"}
	}
	return err
}

func (d *demo) close() {
	if d.done != nil {
		d.done()
	}
	if d.server != nil {
		_ = d.server.Close()
	}
	d.cloud.close()
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// title begins a step.
func (d *demo) title(title, format string, args ...any) {
	d.step++
	d.out.Line("")
	d.out.Line("%s", d.out.Paint(term.Bold, fmt.Sprintf("%d  %s", d.step, title)))
	d.out.Line("   "+format, args...)
}

// sync runs the connection and shows what came of it.
func (d *demo) sync(ctx context.Context, full bool) (api.Run, error) {
	result, err := d.ops.Sync(ctx, api.SyncRequest{Full: full}, nil)
	if err != nil {
		return api.Run{}, err
	}
	if len(result.Runs) != 1 {
		return api.Run{}, fmt.Errorf("the demonstration had %d runs at once", len(result.Runs))
	}
	run := result.Runs[0]
	d.out.Line("   $ dirsyncd sync")
	d.out.Line("     %s: %s", d.outcome(run), d.summary(run))
	for _, note := range run.Notes {
		d.out.Line("     note: %s", note)
	}
	if run.Error != "" {
		d.out.Line("     error: %s", run.Error)
	}
	for _, reason := range run.HeldReasons {
		d.out.Line("     held: %s", reason)
	}
	return run, d.showEvents()
}

func (d *demo) outcome(run api.Run) term.Painted {
	return d.out.Paint(term.State(run.Outcome).Style, run.Outcome)
}

func (d *demo) summary(run api.Run) string {
	parts := []string{fmt.Sprintf("%s read, %s new or changed, %s gone", term.Many(run.Read, "object"), term.Number(run.Changed), term.Number(run.Removed))}
	for _, kind := range []string{"user", "agent", "group"} {
		for _, op := range []string{"create", "update", "deactivate", "reactivate"} {
			if n := run.Counts[kind][op]; n > 0 {
				parts = append(parts, op+" "+term.Many(n, kind))
			}
		}
	}
	return strings.Join(parts, "; ")
}

// fewEvents is up to how many events are shown one by one.
const fewEvents = 6

// showEvents shows what the journal has that was not shown yet.
func (d *demo) showEvents() error {
	f, err := os.Open(d.path("changes.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(d.read, 0); err != nil {
		return err
	}
	var lines []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		d.read += int64(len(sc.Bytes())) + 1
		lines = append(lines, sc.Text())
	}
	if len(lines) == 0 {
		d.out.Line("     journal: no event")
		return nil
	}
	d.out.Line("     journal: %s", term.Many(len(lines), "event"))
	for i, line := range lines {
		if i == fewEvents {
			d.out.Line("       … and %s more", term.Number(len(lines)-fewEvents))
			break
		}
		d.out.Line("       %s", inWords(line))
	}
	return nil
}

// inWords renders an event for reading.
func inWords(line string) string {
	var e struct {
		Data struct {
			Op, Kind string
			Record   map[string]any
			Changes  map[string]struct {
				From, To       any
				Added, Removed []string
			}
			Reason, Rule string
		}
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return line
	}
	text := fmt.Sprintf("%s %s %v", e.Data.Op, e.Data.Kind, e.Data.Record["name"])
	for field, c := range e.Data.Changes {
		if len(c.Added)+len(c.Removed) > 0 {
			text += fmt.Sprintf("  %s: +%d −%d", field, len(c.Added), len(c.Removed))
		} else {
			text += fmt.Sprintf("  %s: %v → %v", field, c.From, c.To)
		}
	}
	switch {
	case e.Data.Reason != "":
		text += "  (" + e.Data.Reason + ")"
	case e.Data.Op == "create":
		text += "  (rule: " + e.Data.Rule + ")"
	}
	return text
}
