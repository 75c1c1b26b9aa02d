package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/settings"
)

const goodConfig = `
connections:
  hq-ad:
    connector: toy
    schedule: "*/15 * * * *"
    full: "0 3 * * sun"
    timezone: Europe/London
    jitter: 30s
    mapping: staff
    targets: [journal, desk]
    toy: {server: ldap://hq}
  branch:
    connector: toy
    mapping: staff
    targets: [journal]
    toy: {server: ldap://branch}
mappings:
  staff:
    rules:
      - {name: contractors stay out, when: department == "Contractors", ignore: true}
      - {name: service desk, when: '"Service Desk" in groups', agent: {team: 1st Line}}
      - {name: everyone else, when: enabled, user: {customer: Acme, site: '= office ?? "Head office"'}}
  unused: {rules: [{name: all, user: {name: = name}}]}
targets:
  journal: {target: toy, toy: {server: a}}
  desk: {target: toy, toy: {server: b}}
`

// toyParts are a connector and a target that need nothing.
func toyParts() config.Parts {
	block := func(name string) (func() any, bool) {
		return func() any {
			return &struct {
				Server string          `yaml:"server" strict:"required"`
				Secret settings.Secret `yaml:"secret"`
			}{}
		}, name == "toy"
	}
	return config.Parts{Connector: block, Target: block, ConnectorNames: []string{"toy"}, TargetNames: []string{"toy"}}
}

// withConfig makes a command line in a folder that has a configuration, and no daemon.
func withConfig(t *testing.T, text string) *commandLine {
	t.Helper()
	c := newCommandLine(t, nil)
	c.parts = toyParts
	t.Chdir(t.TempDir())
	write(t, "config.yaml", text)
	return c
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// goldenFrom is golden for tests that changed the folder.
func goldenFrom(t *testing.T, name, got string) {
	t.Helper()
	t.Chdir(packageDir)
	golden(t, name, got)
}

var packageDir, _ = filepath.Abs(".")

func TestCheck(t *testing.T) {
	for _, tc := range []struct{ golden, args string }{
		{"check.txt", "check"}, {"check.json", "check --json"},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			c := withConfig(t, goodConfig)
			if code := c.run(strings.Fields(tc.args)...); code != exitClean {
				t.Errorf("exit code %d: %s", code, c.stderr.String())
			}
			dir, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			goldenFrom(t, tc.golden, strings.ReplaceAll(c.stdout.String(), dir, "DIR"))
		})
	}
}

// TestCheckSignin: who signs in where is said, too.
func TestCheckSignin(t *testing.T) {
	const signin = `
web: {url: https://auth.example.test, listen: "127.0.0.1:9443", proxies: [127.0.0.1]}
signin:
  keys: signin.keys
  providers:
    staff: {provider: toy, directories: [hq-ad, branch], audience: agents, toy: {server: a}}
    partner: {provider: toy, directories: [branch], domains: [example.test], match: [mail], toy: {server: b}}
  apps:
    desk: {url: https://desk.example.test, providers: [staff, partner]}
    shop: {url: https://shop.example.test, providers: [partner], audience: users, token_url: https://shop.example.test/sso}
`
	parts := func() config.Parts {
		p := toyParts()
		p.Identity, p.IdentityNames = p.Connector, p.ConnectorNames
		return p
	}
	c := withConfig(t, goodConfig+signin)
	c.parts = parts
	if code := c.run("check"); code != exitClean {
		t.Fatalf("exit code %d: %s", code, c.stderr.String())
	}
	for _, want := range []string{"2 targets, 2 providers, 2 applications", "hq-ad, branch", "agents", "https://desk.example.test", "staff, partner", "token"} {
		if !strings.Contains(c.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, c.stdout.String())
		}
	}
	c = withConfig(t, goodConfig+signin)
	c.parts = parts
	c.run("check", "--json")
	var report checkReport
	if err := json.Unmarshal(c.stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Providers) != 2 || strings.Join(report.Providers[0].Apps, " ") != "desk shop" || report.Providers[1].Audience != "agents" || report.Apps[1].HandOver != "token" || report.Apps[0].HandOver != "proxy" {
		t.Errorf("%+v %+v", report.Providers, report.Apps)
	}
}

func TestCheckPrint(t *testing.T) {
	for _, args := range []string{"check --print", "check --print --json"} {
		c := withConfig(t, goodConfig)
		if code := c.run(strings.Fields(args)...); code != exitClean {
			t.Errorf("%s: exit code %d: %s", args, code, c.stderr.String())
		}
		for _, want := range []string{"/var/lib/dirsyncd/control.sock", "Europe/London", "deactivate"} {
			if !strings.Contains(c.stdout.String(), want) {
				t.Errorf("%s: %q is missing", args, want)
			}
		}
	}
}

func TestCheckProblems(t *testing.T) {
	c := withConfig(t, strings.ReplaceAll(strings.ReplaceAll(goodConfig, "full:", "ful:"), "mapping: staff", "mapping: stuff"))
	if code := c.run("check"); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	text := c.stderr.String()
	for _, want := range []string{`config.yaml:6:5: `, `unknown key "ful"`, "\n  → did you mean \"full\"?\n", `there is no mapping "stuff"`} {
		if !strings.Contains(text, want) {
			t.Errorf("stderr lacks %q:\n%s", want, text)
		}
	}
	if code := c.run("check", "--json"); code != exitUsage || c.stderr.Len() > 0 {
		t.Errorf("exit code %d, stderr %q", code, c.stderr.String())
	}
	var report checkReport
	if err := json.Unmarshal(c.stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.OK || len(report.Problems) < 3 || report.Problems[0].Line != 6 || report.File != "config.yaml" {
		t.Errorf("report: %+v", report)
	}
}

func TestCheckProbe(t *testing.T) {
	answers := []api.ProbeResult{
		{Name: "hq-ad", Kind: "connection", Findings: []api.Finding{
			{Subject: "server ldap://hq", OK: true, Detail: "answers"},
			{Subject: "permission User.Read.All", Hint: "grant it in Entra and consent as an administrator of the tenant"},
		}},
		{Name: "journal", Kind: "target"},
		{Name: "branch-ad", Kind: "connection", Elsewhere: &api.ProbeElsewhere{Workers: []string{"branch", "depot"}, Here: "north"}},
		{Name: "desk", Kind: "target", Error: "connect: desk.example.test: connection refused", Hint: "is it running?"},
	}
	c := withConfig(t, goodConfig)
	c.probe = func(context.Context, *config.Config) ([]api.ProbeResult, error) { return answers, nil }
	if code := c.run("check", "--probe"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	shown := c.stdout.String()
	if code := c.run("check", "--probe", "--json"); code != exitFailed {
		t.Errorf("exit code %d with --json", code)
	}
	var report checkReport
	if err := json.Unmarshal(c.stdout.Bytes(), &report); err != nil || report.OK || len(report.Probe) != 4 || report.Probe[2].Elsewhere == nil {
		t.Errorf("report: %+v, %v", report, err)
	}
	answers = answers[1:3] // what is for others is no failure
	if code := c.run("check", "--probe"); code != exitClean {
		t.Errorf("exit code %d where all is well", code)
	}
	goldenFrom(t, "check-probe.txt", shown)
}

// A database that is to have the state is asked, too: without it nothing runs.
func TestCheckProbesTheDatabase(t *testing.T) {
	c := withConfig(t, "state: postgres://dirsyncd@localhost/dirsyncd?host="+t.TempDir()+"\n"+goodConfig)
	cfg, err := c.loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	got := probeState(t.Context(), cfg)
	if len(got) != 1 || got[0].Kind != "state" || !strings.Contains(got[0].Error, "open state") || got[0].Hint == "" {
		t.Errorf("%+v", got)
	}
	cfg.Connections, cfg.Targets = nil, nil // toys, which the program does not know
	if results, err := c.probe(t.Context(), cfg); err != nil || len(results) != 1 || results[0].Kind != "state" || probeOK(results) {
		t.Errorf("%+v, %v", results, err)
	}
	asked := ""
	c.probe = func(_ context.Context, cfg *config.Config) ([]api.ProbeResult, error) {
		asked = cfg.Database.Worker
		return nil, nil
	}
	if code := c.run("check", "--probe", "--worker", "north"); code != exitClean || asked != "north" {
		t.Errorf("exit code %d, asked as worker %q", code, asked)
	}
	cfg.Database = nil
	if got := probeState(t.Context(), cfg); got != nil {
		t.Errorf("a file: %+v", got)
	}
}

const sampleCases = `
mapping: staff
cases:
  - name: a technician
    person: {name: Ada, department: IT, groups: [Service Desk], enabled: true}
    want: {rule: service desk, agent: {team: 1st Line}}
  - name: contractors stay out
    person: {department: Contractors}
    want: {ignored: true}
  - person: {name: Bob, enabled: true}
    want: {user: {site: Oslo}}
  - name: nonsense
    person: {nme: Bob}
    want: {none: true}
`

func TestRulesTest(t *testing.T) {
	c := withConfig(t, goodConfig)
	write(t, "cases.yaml", sampleCases)
	if code := c.run("rules", "test", "cases.yaml"); code != exitFailed {
		t.Errorf("exit code %d: %s", code, c.stderr.String())
	}
	shown := c.stdout.String()
	if code := c.run("rules", "test", "cases.yaml", "--json"); code != exitFailed {
		t.Errorf("exit code %d with --json", code)
	}
	var results []fileResult
	if err := json.Unmarshal(c.stdout.Bytes(), &results); err != nil {
		t.Fatal(err)
	}
	if got := results[0].Cases; len(got) != 4 || !got[0].Passed || got[2].Passed || got[2].Name != "case 3" || got[3].Error == "" {
		t.Errorf("cases: %+v", got)
	}
	goldenFrom(t, "rules-test.txt", shown)
}

func TestRulesTestRefuses(t *testing.T) {
	for _, tc := range []struct{ name, text, args, want string }{
		{"misspelt", "cases: [{persn: {}, want: {none: true}}]", "", `did you mean "person"?`},
		{"no cases", "mapping: staff", "", "cases"},
		{"unknown mapping", "mapping: stuff\ncases: [{person: {}, want: {none: true}}]", "", `did you mean "staff"?`},
		{"which mapping", "cases: [{person: {}, want: {none: true}}]", "", "there are staff, unused"},
		{"flag", "cases: [{person: {}, want: {none: true}}]", "--mapping=staf", `did you mean "staff"?`},
		{"no yaml", "{", "", "cases.yaml:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := withConfig(t, goodConfig)
			write(t, "cases.yaml", tc.text)
			code := c.run(append([]string{"rules", "test", "cases.yaml"}, strings.Fields(tc.args)...)...)
			if code != exitUsage || !strings.Contains(c.stderr.String(), tc.want) {
				t.Errorf("exit code %d, stderr:\n%s", code, c.stderr.String())
			}
		})
	}
}

func TestRulesList(t *testing.T) {
	c := newCommandLine(t, nil)
	if code := c.run("rules", "list"); code != exitClean {
		t.Fatalf("exit code %d", code)
	}
	for _, want := range []string{"department", "Functions", "lower(text)", `lower("ACME")  →  acme`} {
		if !strings.Contains(c.stdout.String(), want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	checkWidth(t, c.stdout.String())
	if code := c.run("rules", "list", "--json"); code != exitClean || !json.Valid(c.stdout.Bytes()) {
		t.Errorf("exit code %d, JSON %v", code, json.Valid(c.stdout.Bytes()))
	}
}

// Of a configuration with very many mistakes the first are shown and the rest counted; --json has every one, as ever.
func TestCheckOfManyProblems(t *testing.T) {
	const many = 3000
	text := "connections:\n"
	for i := range many {
		text += fmt.Sprintf("  c%d: {x<y: 1}\n", i)
	}
	c := withConfig(t, text)
	if code := c.run("check"); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	shown := strings.Split(strings.TrimSpace(c.stderr.String()), "\n")
	if last := shown[len(shown)-2]; strings.Count(c.stderr.String(), "config.yaml:") != mostProblems || !strings.Contains(last, "more than these") || len(shown) > 2*mostProblems+2 {
		t.Errorf("%d lines, the last but one: %s", len(shown), last)
	}
	c.run("check", "--json")
	var report checkReport
	if err := json.Unmarshal(c.stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) < many || report.OK || report.Warnings == nil {
		t.Errorf("%d problems", len(report.Problems))
	}
	// It is what one value of JSON would be.
	var whole bytes.Buffer
	enc := json.NewEncoder(&whole)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(report); err != nil || whole.String() != c.stdout.String() {
		t.Errorf("%v: it differs from the report in one piece", err)
	}
}
