package config

import (
	"strings"
	"testing"
)

const ticketFile = `connections:
  hq-ad: {connector: ldap, schedule: "@every 5m", mapping: staff, targets: [apps], ldap: {servers: [ldap://127.0.0.1], base: "dc=x"}}
mappings:
  staff:
    rules: [{name: everyone, user: true}]
    tickets:
      joiner: {on: join, fields: {summary: SUMMARY}}
targets:
  apps: {target: scim, scim: {url: "https://x", token: x}}
  desk: {target: file, file: {path: x}}
`

// What is wrong inside a ticket is told with its place, and so is a ticket that goes nowhere.
func TestTickets(t *testing.T) {
	_, err := Parse([]byte(strings.ReplaceAll(ticketFile, "SUMMARY", `'= "New" + nam'`)), "c", testParts(nil))
	if err == nil || !strings.Contains(err.Error(), "c:7:55: ticket joiner.summary: unknown name nam") {
		t.Error(err)
	}
	said := func(text string) string {
		cfg, err := Parse([]byte(strings.ReplaceAll(text, "SUMMARY", "New")), "c", testParts(nil))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, w := range cfg.Warnings {
			lines = append(lines, w.String())
		}
		return strings.Join(lines, "\n")
	}
	const nowhere = `7:7: ticket joiner: no target of connection "hq-ad" takes tickets`
	if got := said(ticketFile); !strings.Contains(got, nowhere) {
		t.Errorf("warned of %q", got)
	}
	if got := said(strings.Replace(ticketFile, "[apps]", "[apps, desk]", 1)); strings.Contains(got, nowhere) {
		t.Errorf("warned of %q", got)
	}
	if got := said(strings.Replace(strings.Replace(ticketFile, "[apps]", "[apps, desk]", 1), "target: file", "target: file, kinds: [user]", 1)); !strings.Contains(got, nowhere) {
		t.Errorf("warned of %q", got)
	}
}

// One wrong word hides no other one: what cannot be read of a choice or a ticket is told together with what is wrong in the rules.
func TestBrokenChoicesAndTickets(t *testing.T) {
	text := strings.NewReplacer("[{name: everyone, user: true}]", `[{name: everyone, when: choice.kind == "x" and choice.site == "y", user: {a: "= nam", b: "= choice.sit"}}]
    choices:
      kind: [{is: a, wen: b}]
      site: [{is: "= offic"}, {iss: x}]`, "SUMMARY}}", `s}, again: 1d}
      leaver: {on: leave, fields: {summary: "= titl"}}`).Replace(ticketFile)
	_, err := Parse([]byte(text), "c", testParts(nil))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`unknown key "wen"`, `unknown key "iss"`, `unknown key "again"`, "unknown name nam", "unknown name offic", "unknown name titl"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not told:\n%v", want, err)
		}
	}
	for _, ours := range []string{"choice kind", "choice.kind", "choice.site"} {
		if strings.Contains(err.Error(), ours) {
			t.Errorf("it complains of %s, which could not be read:\n%v", ours, err)
		}
	}
}
