// Package tour shows what the program does, on a made-up company: simulators of the vendors' services run in this process,
// people are changed and servers broken, and after each step it is told what came of it. It fails when something does not
// go as it tells, so it is a test of the program, too.
package tour

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/connectors/sim/ldapsim"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

// Options are what a tour needs of the program.
type Options struct {
	Out   *term.Printer
	Dir   string // for all files, new or empty; "" is a temporary folder
	Serve bool   // keep the servers at the end, until the context ends
	Self  string // how the program is called
	// Report, when not nil, gets everything when the last step is done.
	Report func(Report) error
	Load   func(file string) (*config.Config, error)
	// Open begins a state and returns the operations on it; done ends them.
	Open func(context.Context, *config.Config) (ops api.Operations, done func(), err error)
	// Signin is Open with the front at which people sign in. Providers of identity are asked by client, and now is the time for all.
	Signin func(ctx context.Context, cfg *config.Config, client *http.Client, now func() time.Time) (ops api.Operations, front http.Handler, done func(), err error)
}

// tour is one under way.
type tour struct {
	Options
	server *ldapsim.Server
	cloud  cloud
	// accounts is the service that knows half of the company already.
	accounts *accounts
	idp      *idp // where people prove who they are
	ops      api.Operations
	done     func()
	step     int
	read     int64  // bytes of the journal that were shown
	agent    string // the address of one, to ask about
	report   Report

	front   http.Handler // where people sign in
	ahead   atomic.Int64 // how far the clock there is before that of this machine, in nanoseconds
	visitor *visitor     // who is signed in
}

// Run is the whole tour.
func Run(ctx context.Context, opts Options) error {
	t := &tour{Options: opts}
	defer t.close()
	return t.run(ctx)
}

// company is how many people there are at the start.
const company = 40

const ldapConfig = `# The configuration of the demonstration. config.yaml of the project explains every key.
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

func (t *tour) run(ctx context.Context) error {
	if err := t.open(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		t.firstSync, t.idle, t.joiner, t.mover, t.leaver, t.brokenAnswer, t.emptyAnswer, t.massRemoval, t.explain,
		t.fiveDirectories, t.oneCustomer, t.spreadsheet,
		t.alreadyThere, t.whoIsWho, t.drift,
		t.signIn, t.signInNoMore,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	t.done() // others may use the state now
	t.done = nil
	t.goodbye()
	if t.Report != nil {
		t.report.Folder = t.Dir
		if err := t.Report(t.report); err != nil {
			return err
		}
	}
	if t.Serve {
		<-ctx.Done()
	}
	return nil
}

func (t *tour) open(ctx context.Context) error {
	if err := t.makeFolder(); err != nil {
		return err
	}
	var err error
	if t.server, err = ldapsim.Start(ldapsim.Options{Population: ldapsim.Company(company)}); err != nil {
		return err
	}
	text := fmt.Sprintf(ldapConfig, t.server.URL(), t.server.User(), t.server.Password(), t.server.Base())
	if err := os.WriteFile(t.path("config.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	cfg, err := t.Load(t.path("config.yaml"))
	if err != nil {
		return err
	}
	t.ops, t.done, err = t.Open(ctx, cfg)
	return err
}

func (t *tour) makeFolder() (err error) {
	if t.Dir == "" {
		t.Dir, err = os.MkdirTemp("", "dirsyncd-demo-")
		return err
	}
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(t.Dir)
	if err == nil && len(entries) > 0 {
		return &fault.Error{Class: fault.Configuration, Op: "demo", Where: t.Dir, Err: errors.New("the folder is not empty"), Hint: "name a new one with --dir"}
	}
	return err
}

func (t *tour) close() {
	if t.done != nil {
		t.done()
	}
	if t.server != nil {
		_ = t.server.Close()
	}
	if t.accounts != nil {
		t.accounts.Close()
	}
	if t.idp != nil {
		t.idp.Close()
	}
	t.cloud.close()
}

func (t *tour) path(name string) string { return filepath.Join(t.Dir, name) }

// title begins a step.
func (t *tour) title(title, format string, args ...any) {
	t.step++
	t.report.Steps = append(t.report.Steps, Step{Step: t.step, Title: title, Runs: []api.Run{}})
	t.Out.Line("")
	t.Out.Line("%s", t.Out.Paint(term.Bold, fmt.Sprintf("%d  %s", t.step, title)))
	t.Out.Line("   "+format, args...)
}

// sync runs the connection and shows what came of it.
func (t *tour) sync(ctx context.Context, full bool) (api.Run, error) {
	return t.syncOf(ctx, api.SyncRequest{Full: full}, "")
}

// syncOf runs one connection, which what names where there are others, and shows what came of it.
func (t *tour) syncOf(ctx context.Context, req api.SyncRequest, what string) (api.Run, error) {
	result, err := t.ops.Sync(ctx, req, nil)
	if err != nil {
		return api.Run{}, err
	}
	if len(result.Runs) != 1 {
		return api.Run{}, fmt.Errorf("the demonstration had %d runs at once", len(result.Runs))
	}
	run := result.Runs[0]
	t.ran(run)
	t.Out.Line("   $ dirsyncd sync%s", what)
	t.result(run)
	for _, note := range run.Notes {
		t.Out.Para("     note: ", note)
	}
	if run.Error != "" {
		t.Out.Para("     error: ", run.Error)
	}
	for _, reason := range run.HeldReasons {
		t.Out.Para("     it would ", reason)
	}
	return run, t.showEvents()
}

// result says how a run ended, and what it did.
func (t *tour) result(run api.Run) {
	t.Out.Line("     %s: %s read, %s new or changed, %s gone", t.Out.Paint(term.State(run.Outcome).Style, run.Outcome),
		term.Many(run.Read, "object"), term.Number(run.Changed), term.Number(run.Removed))
	if text := did(run); text != "" {
		t.Out.Para("     records: ", text)
	}
}

// did says what a run did to records.
func did(run api.Run) string {
	var parts []string
	for _, kind := range []string{"customer", "site", "user", "agent", "group"} {
		for _, op := range []string{"create", "update", "deactivate", "reactivate"} {
			if n := run.Counts[kind][op]; n > 0 {
				parts = append(parts, term.Many(n, kind)+" "+op+"d")
			}
		}
	}
	return strings.Join(parts, ", ")
}
